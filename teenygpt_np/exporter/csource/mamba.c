/* ---- Mamba ----------------------------------------------------------------------------------- */

/* W_in (2E, D), W_x (R + 2N, E), W_dt (E, R), W_out (D, E), for E channels of N states each.
   conv, conv_bias: (E, K), (E).    a: -e^A_log, (E, N).    d: (E) */
struct mamba_weights {
    struct matrix in, x, dt, out;
    const float *conv, *conv_bias, *a, *d;
};

/* y = W_out (s silu(z)). [x z] = W_in u, x = silu(conv(x)), each channel by itself; [r B C] = W_x x,
   dt = softplus(W_dt r + b_dt); h = e^(dt a) h + dt x B, s = C h + d x.    u: (D) -> y: (D) */
static void mamba(struct teenygpt *self, const struct mamba_weights *w, struct mamba_state *state,
                  const float *u, float *y)
{
    enum { E = TEENYGPT_CHANNELS, N = TEENYGPT_STATES, K = TEENYGPT_TAPS };
    struct mamba_work *work = &self->work.mamba;
    float *x = work->xz, *z = work->xz + E, *dt = work->dt;
    const float *b = work->rbc + TEENYGPT_RANK, *c = b + N;

    linear(self, &w->in, u, work->xz);
    memmove(state->window[0], state->window[1], (K - 1) * sizeof state->window[0]);
    memcpy(state->window[K - 1], x, sizeof state->window[0]);
    for (int32_t e = 0; e < E; e++) {
        float sum = w->conv_bias[e];
        for (int32_t k = 0; k < K; k++)
            sum += w->conv[e * K + k] * state->window[k][e];
        x[e] = silu(sum);
    }
    linear(self, &w->x, x, work->rbc);
    linear(self, &w->dt, work->rbc, dt);
    for (int32_t e = 0; e < E; e++) {
        const float step = softplus(dt[e]), fed = step * x[e];
        float *h = state->h[e], sum = w->d[e] * x[e];
        for (int32_t n = 0; n < N; n++) {
            h[n] = exp_of(step * w->a[e * N + n]) * h[n] + fed * b[n];
            sum += c[n] * h[n];
        }
        x[e] = sum * silu(z[e]);
    }
    linear(self, &w->out, x, y);
}

