/* ---- retention ------------------------------------------------------------------------------- */

/* All (D, D). cos, sin: of the angle by which each pair of a head's entries turns from a position to
   the next, (d / 2).    decay: of each head, (H) */
struct retnet_weights {
    struct matrix q, k, v, g, out;
    const float *cos, *sin, *decay;
};

/* y = W_out (norm(h) silu(W_g x)), each h = S^T q with the sum S = decay turned(S) + k v^T / sqrt(d),
   norm(h) = h / sqrt(mean(h^2) + 1e-5). To turn S back by one position is the same as to turn q and k
   on by their own: only the distance between them counts.    x: (D) -> y: (D) */
static void retnet(struct teenygpt *self, const struct retnet_weights *w,
                   struct retnet_state *state, const float *x, float *y)
{
    enum { WIDTH = TEENYGPT_HEAD_WIDTH };
    struct retnet_work *work = &self->work.retnet;
    linear(self, &w->q, x, work->q);
    linear(self, &w->k, x, work->k);
    linear(self, &w->v, x, work->v);
    linear(self, &w->g, x, work->g);
    for (int32_t h = 0; h < TEENYGPT_HEADS; h++) {
        const int32_t first = h * WIDTH;
        float *head = work->heads + first, *v = work->v + first, squares;
        for (int32_t j = 0; j < WIDTH; j++)
            head[j] = 0.0f;
        for (int32_t i = 0; i < WIDTH; i += 2) {
            const float re = w->decay[h] * w->cos[i / 2], im = w->decay[h] * w->sin[i / 2];
            const float q0 = work->q[first + i], k0 = work->k[first + i] * TEENYGPT_SCALE;
            const float q1 = work->q[first + i + 1], k1 = work->k[first + i + 1] * TEENYGPT_SCALE;
            float *s0 = state->sums[first + i], *s1 = state->sums[first + i + 1];
            for (int32_t j = 0; j < WIDTH; j++) {
                const float turned0 = s0[j] * re + s1[j] * im;
                const float turned1 = s1[j] * re - s0[j] * im;
                s0[j] = turned0 + k0 * v[j];
                s1[j] = turned1 + k1 * v[j];
                head[j] = (head[j] + q0 * s0[j]) + q1 * s1[j];
            }
        }
        squares = head[0] * head[0];
        for (int32_t j = 1; j < WIDTH; j++)
            squares += head[j] * head[j];
        const float scale = 1.0f / sqrtf(squares / (float)WIDTH + 1e-5f);
        for (int32_t j = 0; j < WIDTH; j++)
            head[j] = head[j] * scale * silu(work->g[first + j]);
    }
    linear(self, &w->out, work->heads, y);
}

