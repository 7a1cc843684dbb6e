/* ---- linear attention ------------------------------------------------------------------------ */

/* W_in (3D, D) for q, k and v, W_out (D, D). */
struct linear_attention_weights {
    struct matrix in, out;
};

/* elu(x) + 1 */
static float elu1(float x)
{
    return x > 0.0f ? x + 1.0f : exp_of(x);
}

/* y = [h_1 ... h_H] W_out^T + b_out, each h = S^T f(q) / (f(q) . z + 1e-6), with f(x) = elu(x) + 1
   and the sums S = S + f(k) v^T, z = z + f(k).    x: (D) -> y: (D) */
static void linear_attention(struct teenygpt *self, const struct linear_attention_weights *w,
                             struct linear_attention_state *state, const float *x, float *y)
{
    enum { WIDTH = TEENYGPT_HEAD_WIDTH };
    float *q = self->work.linear_attention.qkv, *k = q + D, *v = k + D;
    float *heads = self->work.linear_attention.heads;
    linear(self, &w->in, x, q);
    for (int32_t first = 0; first < D; first += WIDTH) {
        float *head = heads + first, share = 0.0f;
        for (int32_t j = 0; j < WIDTH; j++)
            head[j] = 0.0f;
        for (int32_t i = first; i < first + WIDTH; i++) {
            const float fq = elu1(q[i]), fk = elu1(k[i]);
            float *s = state->sums[i];
            for (int32_t j = 0; j < WIDTH; j++) {
                s[j] += fk * v[first + j];
                head[j] += fq * s[j];
            }
            s[WIDTH] += fk;
            share += fq * s[WIDTH];
        }
        for (int32_t j = 0; j < WIDTH; j++)
            head[j] = head[j] / (share + 1e-6f);
    }
    linear(self, &w->out, heads, y);
}

