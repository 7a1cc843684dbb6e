/* ---- attention ------------------------------------------------------------------------------- */

/* W_in (3D, D) for q, k and v, W_out (D, D). */
struct attention_weights {
    struct matrix in, out;
};

/* y = [h_1 ... h_H] W_out^T + b_out, each h = softmax(q k^T / sqrt(d)) v over all positions so far,
   with [q k v] = x W_in^T + b_in, cut into H heads of width d. With rotary positions q and k are
   turned by theirs.    x: (D) -> y: (D) */
static void attention(struct teenygpt *self, const struct attention_weights *w,
                      struct attention_state *state, const float *x, float *y)
{
    enum { WIDTH = D / TEENYGPT_HEADS };
    struct attention_work *work = &self->work.attention;
    float *q = work->qkv, *k = q + D, *v = k + D, *p = work->p;
    const int32_t now = self->position, n = now + 1;

    linear(self, &w->in, x, work->qkv);
#ifdef TEENYGPT_ROTARY
    turn(q, now);
    turn(k, now);
#endif
    for (int32_t i = 0; i < D; i++) {
        q[i] *= TEENYGPT_SCALE; /* 1 / sqrt(d) */
        state->keys[i][now] = to_kept(k[i]);
        state->values[now][i] = to_kept(v[i]);
    }
    for (int32_t first = 0; first < D; first += WIDTH) {
        float *head = work->heads + first;
        for (int32_t t = 0; t < n; t++)
            p[t] = 0.0f;
        for (int32_t i = first; i < first + WIDTH; i++)
            for (int32_t t = 0; t < n; t++)
                p[t] += q[i] * from_kept(state->keys[i][t]);
        const float share = 1.0f / powers(p, n);
        for (int32_t i = 0; i < WIDTH; i++)
            head[i] = 0.0f;
        for (int32_t t = 0; t < n; t++)
            for (int32_t i = 0; i < WIDTH; i++)
                head[i] += p[t] * from_kept(state->values[t][first + i]);
        for (int32_t i = 0; i < WIDTH; i++)
            head[i] *= share;
    }
    linear(self, &w->out, work->heads, y);
}

