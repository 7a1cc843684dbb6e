/* ---- rotary positions ------------------------------------------------------------------------ */

enum { PAIRS = D / TEENYGPT_HEADS / 2 }; /* in a head */

/* cos and sin of t a_i, (T, PAIRS); a_i goes from 1 to 1/10000 in equal factors. They are one table
   for all blocks, whose numbers are in weights.h. */
static const float ROTARY_COS[T * PAIRS], ROTARY_SIN[T * PAIRS];

/* Each pair of entries 2i and 2i + 1 of each head, turned by t a_i, in place.    x: (D) */
static void turn(float *x, int32_t t)
{
    for (int32_t first = 0; first < D; first += 2 * PAIRS)
        for (int32_t i = 0; i < PAIRS; i++) {
            float *pair = x + first + 2 * i;
            const float a = pair[0], b = pair[1];
            const float c = ROTARY_COS[t * PAIRS + i], s = ROTARY_SIN[t * PAIRS + i];
            pair[0] = a * c - b * s;
            pair[1] = a * s + b * c;
        }
}

