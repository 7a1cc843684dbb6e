/* ---- attention, its products in whole numbers ------------------------------------------------ */

/* W_in (3D, D) for q, k and v, W_out (D, D). */
struct attention_weights {
    struct matrix in, out;
};

/* p as whole numbers in 0..LEVELS times the scale that is returned. LEVELS is as large as 32 bits
   allow for a sum over T positions.    p: (n), 0 or above */
static float quantize_shares(const float *p, int32_t n, int16_t *levels)
{
    float most = p[0];
    for (int32_t t = 1; t < n; t++)
        most = p[t] > most ? p[t] : most;
    const float factor = most < TINY ? 0.0f : (float)TEENYGPT_LEVELS / most;
    for (int32_t t = 0; t < n; t++)
        levels[t] = (int16_t)rounded(p[t] * factor);
    return most < TINY ? 0.0f : most / (float)TEENYGPT_LEVELS;
}

/* y = [h_1 ... h_H] W_out^T + b_out, each h = softmax(q k^T / sqrt(d)) v over all positions so far,
   with [q k v] = x W_in^T + b_in, cut into H heads of width d. With rotary positions q and k are
   turned by theirs. Then q, k and v are quantized, and so are the weights of the values, which have
   the values' scales in them.    x: (D) -> y: (D) */
static void attention(struct teenygpt *self, const struct attention_weights *w,
                      struct attention_state *state, const float *x, float *y)
{
    enum { WIDTH = D / TEENYGPT_HEADS };
    struct attention_work *work = &self->work.attention;
    float *p = work->p;
    int32_t *sums = work->sums;
    const int32_t now = self->position, n = now + 1;

    linear(self, &w->in, x, work->qkv);
#ifdef TEENYGPT_ROTARY
    turn(work->qkv, now);
    turn(work->qkv + D, now);
#endif
    const float q_scale = quantize(work->qkv, D, work->q) * TEENYGPT_SCALE; /* 1 / sqrt(d) */
    state->key_scales[now] = quantize(work->qkv + D, D, state->keys[now]);
    state->value_scales[now] = quantize(work->qkv + 2 * D, D, state->values[now]);
    for (int32_t first = 0; first < D; first += WIDTH) {
        for (int32_t t = 0; t < n; t++) {
            const int8_t *q = work->q + first, *k = state->keys[t] + first;
            int32_t sum = 0;
            for (int32_t i = 0; i < WIDTH; i++)
                sum += (int32_t)q[i] * (int32_t)k[i];
            p[t] = (float)sum * (q_scale * state->key_scales[t]);
        }
        const float total = powers(p, n);
        for (int32_t t = 0; t < n; t++)
            p[t] *= state->value_scales[t];
        const float scale = quantize_shares(p, n, work->levels) / total;
        for (int32_t i = 0; i < WIDTH; i++)
            sums[i] = 0;
        for (int32_t t = 0; t < n; t++)
            for (int32_t i = 0; i < WIDTH; i++)
                sums[i] += (int32_t)work->levels[t] * (int32_t)state->values[t][first + i];
        for (int32_t i = 0; i < WIDTH; i++)
            work->heads[first + i] = (float)sums[i] * scale;
    }
    linear(self, &w->out, work->heads, y);
}

