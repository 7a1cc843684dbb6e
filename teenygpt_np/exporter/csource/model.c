/* ---- the model ------------------------------------------------------------------------------- */

/* A block: x = norm1(x + mixer(x)), then x = norm2(x + mlp(x)). */
struct block {
    int32_t mixer, place; /* which mixer, and which one of that kind */
    struct matrix mlp1, mlp2;
    const float *norm1_w, *norm1_b, *norm2_w, *norm2_b;
};

/* An array of weights, of floats or of bytes, for the checksum. */
struct part {
    const float *floats;
    const int8_t *bytes;
    uint32_t count;
};

#define TEENYGPT_WEIGHTS
#include "weights.h" /* this time the numbers */

/* RAM is as much as weights.h says: an array of a negative size is an error. */
typedef char ram_is_as_said[sizeof(struct teenygpt) <= TEENYGPT_RAM_BYTES ? 1 : -1];

/* CRC-32, with the polynomial of zip and Ethernet, four bits at a time. */
static uint32_t crc(uint32_t sum, uint32_t byte)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    sum ^= byte;
    sum = table[sum & 15] ^ (sum >> 4);
    return table[sum & 15] ^ (sum >> 4);
}

int teenygpt_check(void)
{
    uint32_t sum = 0xffffffff;
    for (uint32_t p = 0; p < sizeof PARTS / sizeof PARTS[0]; p++) {
        const struct part part = PARTS[p];
        for (uint32_t i = 0; i < part.count; i++) {
            if (part.bytes) {
                sum = crc(sum, (uint8_t)part.bytes[i]);
                continue;
            }
            for (int shift = 0; shift < 32; shift += 8)
                sum = crc(sum, to_bits(part.floats[i]) >> shift & 255);
        }
    }
    return (sum ^ 0xffffffff) == TEENYGPT_CRC;
}

/* x = w (x + y - mean) / sqrt(var + eps) + b, mean and var over x + y.    x, y, w, b: (D) */
static void add_and_norm(float *x, const float *y, const float *w, const float *b)
{
    float sum, squares;
    for (int32_t i = 0; i < D; i++)
        x[i] += y[i];
    sum = x[0];
    for (int32_t i = 1; i < D; i++)
        sum += x[i];
    const float mean = sum / (float)D;
    squares = (x[0] - mean) * (x[0] - mean);
    for (int32_t i = 1; i < D; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / sqrtf(squares / (float)D + TEENYGPT_EPS);
    for (int32_t i = 0; i < D; i++)
        x[i] = (x[i] - mean) * scale * w[i] + b[i];
}

/* y = W2 gelu(W1 x + b1) + b2. The hidden layer is computed in slices, so that it needs little
   memory however wide it is.    x: (D) -> y: (D) */
static void mlp(struct teenygpt *self, const struct block *block, const float *x, float *y)
{
    const struct matrix *w1 = &block->mlp1, *w2 = &block->mlp2;
    float *hidden = self->work.mlp.hidden;
    for (int32_t i = 0; i < D; i++)
        y[i] = 0.0f;
    for (int32_t first = 0; first < w1->outputs; first += TEENYGPT_SLICE) {
        const int32_t left = w1->outputs - first, n = left < TEENYGPT_SLICE ? left : TEENYGPT_SLICE;
        for (int32_t i = 0; i < n; i++)
            hidden[i] = 0.0f;
        add_product(self, w1, first, n, 0, D, x, hidden);
        for (int32_t i = 0; i < n; i++)
            hidden[i] = gelu(hidden[i] + w1->bias[first + i]);
        add_product(self, w2, 0, D, first, n, hidden, y);
    }
    for (int32_t i = 0; i < D; i++)
        y[i] += w2->bias[i];
}

static void mix(struct teenygpt *self, const struct block *block, const float *x, float *y)
{
    const int32_t i = block->place;
    switch (block->mixer) {
@cases
    }
}

/* PCG32: a linear congruential generator of 64 bits, of which 32 mixed ones are given.
   Source: O'Neill, PCG, 2014, pcg-random.org. */
static uint32_t random_bits(struct teenygpt *self)
{
    const uint64_t old = self->random;
    self->random = old * 6364136223846793005u + 1442695040888963407u;
    const uint32_t mixed = (uint32_t)((old >> 18 ^ old) >> 27), turn = (uint32_t)(old >> 59);
    return mixed >> turn | mixed << (-turn & 31);
}

void teenygpt_start(struct teenygpt *self, uint32_t seed)
{
    memset(self, 0, sizeof *self);
    random_bits(self);
    self->random += seed;
    random_bits(self);
}

const float *teenygpt_step(struct teenygpt *self, int32_t token)
{
    float *x = self->x, *y = self->y;
    if (token < 0 || token >= V || self->position >= T)
        return NULL;
    look_up(&EMBEDDING, token, x);
#ifdef TEENYGPT_POSITIONS
    look_up(&POSITIONS, self->position, y);
    for (int32_t i = 0; i < D; i++)
        x[i] += y[i];
#endif
    for (int32_t b = 0; b < TEENYGPT_BLOCKS; b++) {
        const struct block *block = &BLOCKS[b];
        mix(self, block, x, y);
        add_and_norm(x, y, block->norm1_w, block->norm1_b);
        mlp(self, block, x, y);
        add_and_norm(x, y, block->norm2_w, block->norm2_b);
    }
    linear(self, &LOGITS, x, self->logits);
    self->position += TEENYGPT_ENDS; /* otherwise there is no last position */
    return self->logits;
}

/* Whether logit i comes before logit j when the largest come first; of equal ones the first. */
static int is_before(const float *logits, int32_t i, int32_t j)
{
    return logits[i] > logits[j] || (logits[i] == logits[j] && i < j);
}

/* The largest logit of those that come after logit `last`; of all if last is -1. */
static int32_t next_largest(const float *logits, int32_t last)
{
    int32_t best = -1;
    for (int32_t i = 0; i < V; i++)
        if ((last < 0 || is_before(logits, last, i)) && (best < 0 || is_before(logits, i, best)))
            best = i;
    return best;
}

/* e^((l_i - l_max) / temperature), or 0 for what comes after logit `last`, unless that is -1. */
static float weight(const float *logits, int32_t i, int32_t likeliest, int32_t last,
                    float temperature)
{
    if (last >= 0 && is_before(logits, last, i))
        return 0.0f;
    return exp_of((logits[i] - logits[likeliest]) / temperature);
}

int32_t teenygpt_choose(struct teenygpt *self, float temperature, int32_t top_k)
{
    const float *l = self->logits;
    const int32_t likeliest = next_largest(l, -1);
    int32_t last = top_k > 0 ? likeliest : -1, chosen = likeliest;
    float total = 0.0f, sum = 0.0f;
    if (!(temperature > 0.0f))
        return likeliest;
    for (int32_t k = 1; k < top_k && k < V; k++)
        last = next_largest(l, last);
    for (int32_t i = 0; i < V; i++)
        total += weight(l, i, likeliest, last, temperature);
    /* A uniform number in 0..total: the token is the one in whose share it falls. */
    const float drawn = (float)(random_bits(self) >> 8) * (1.0f / 16777216.0f) * total;
    for (int32_t i = 0; i < V && !(sum > drawn); i++) {
        const float p = weight(l, i, likeliest, last, temperature);
        sum += p;
        chosen = p > 0.0f ? i : chosen;
    }
    return chosen;
}

const char *teenygpt_text(int32_t token)
{
    return token < 0 || token >= V ? "" : TEXTS[token];
}
