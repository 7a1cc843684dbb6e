/* ---- RWKV-6 ---------------------------------------------------------------------------------- */

/* W_1 (5 R, D); for each of w, k, v, r and g W_2 (D, R) with mu as its bias; W_3 and W_4 of the decay,
   with w_0 as W_4's bias; the projections (D, D).    mu: (D)    u: (D)    norm_w, norm_b: (D) */
struct rwkv_weights {
    struct matrix w1, w2_w, w2_k, w2_v, w2_r, w2_g, w3, w4, k, v, r, g, out;
    const float *mu, *u, *norm_w, *norm_b;
};

/* What one of the five is computed from: x_i = x + (last - x) (mu_i + W_2,i m_i). */
static const float *shifted(struct teenygpt *self, const struct matrix *w2, const float *m,
                            const float *x)
{
    struct rwkv_work *work = &self->work.rwkv;
    linear(self, w2, m, work->x);
    for (int32_t i = 0; i < D; i++)
        work->x[i] = x[i] + work->change[i] * work->x[i];
    return work->x;
}

/* y = W_out (norm(h) silu(g)), each h = (S + diag(u) k v^T)^T r, and then S = diag(w) S + k v^T.
   [m_w m_k m_v m_r m_g] = tanh(W_1 (x + (last - x) mu)), w = exp(-exp(w_0 + W_4 tanh(W_3 x_w))); k, v,
   r and g are projections of x_k, x_v, x_r and x_g.    x: (D) -> y: (D) */
static void rwkv(struct teenygpt *self, const struct rwkv_weights *w, struct rwkv_state *state,
                 const float *x, float *y)
{
    enum { WIDTH = TEENYGPT_HEAD_WIDTH, R = TEENYGPT_MIX_RANK };
    struct rwkv_work *work = &self->work.rwkv;
    float *m = work->low, *low = work->low + 5 * R;

    for (int32_t i = 0; i < D; i++) {
        work->change[i] = state->last[i] - x[i];
        work->x[i] = x[i] + work->change[i] * w->mu[i];
        state->last[i] = x[i];
    }
    linear(self, &w->w1, work->x, m);
    for (int32_t i = 0; i < 5 * R; i++)
        m[i] = tanh_of(m[i]);
    linear(self, &w->w3, shifted(self, &w->w2_w, m, x), low);
    for (int32_t i = 0; i < TEENYGPT_DECAY_RANK; i++)
        low[i] = tanh_of(low[i]);
    linear(self, &w->w4, low, work->w);
    linear(self, &w->k, shifted(self, &w->w2_k, m + R, x), work->k);
    linear(self, &w->v, shifted(self, &w->w2_v, m + 2 * R, x), work->v);
    linear(self, &w->r, shifted(self, &w->w2_r, m + 3 * R, x), work->r);
    linear(self, &w->g, shifted(self, &w->w2_g, m + 4 * R, x), work->g);
    for (int32_t first = 0; first < D; first += WIDTH) {
        float *head = work->heads + first, *v = work->v + first, sum, squares;
        for (int32_t j = 0; j < WIDTH; j++)
            head[j] = 0.0f;
        for (int32_t i = first; i < first + WIDTH; i++) {
            const float k = work->k[i], decay = exp_of(-exp_of(work->w[i])), r = work->r[i];
            float *s = state->sums[i];
            for (int32_t j = 0; j < WIDTH; j++) {
                const float kv = k * v[j];
                head[j] += r * (s[j] + w->u[i] * kv);
                s[j] = decay * s[j] + kv;
            }
        }
        sum = head[0];
        for (int32_t j = 1; j < WIDTH; j++)
            sum += head[j];
        const float mean = sum / (float)WIDTH;
        squares = (head[0] - mean) * (head[0] - mean);
        for (int32_t j = 1; j < WIDTH; j++)
            squares += (head[j] - mean) * (head[j] - mean);
        const float scale = 1.0f / sqrtf(squares / (float)WIDTH + TEENYGPT_GROUP_EPS);
        for (int32_t j = 0; j < WIDTH; j++) {
            const int32_t i = first + j;
            const float normed = (head[j] - mean) * scale * w->norm_w[i] + w->norm_b[i];
            head[j] = normed * silu(work->g[i]);
        }
    }
    linear(self, &w->out, work->heads, y);
}

