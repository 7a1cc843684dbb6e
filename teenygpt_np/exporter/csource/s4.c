/* ---- S4D ------------------------------------------------------------------------------------- */

/* W (2D, D). For each of N modes of each of D channels e^(dt A) and the weight w, as the real and the
   imaginary part: (D, N) each.    d: (D) */
struct s4_weights {
    struct matrix out;
    const float *decay_re, *decay_im, *w_re, *w_im, *d;
};

/* y = a sigmoid(b), [a b] = W gelu(2 Re sum over modes of w s + d x) + bias, with the states
   s = e^(dt A) s + x.    x: (D) -> y: (D) */
static void s4(struct teenygpt *self, const struct s4_weights *w, struct s4_state *state,
               const float *x, float *y)
{
    enum { N = TEENYGPT_MODES };
    float *channels = self->work.s4.channels, *a = self->work.s4.a;
    for (int32_t i = 0; i < D; i++) {
        float sum = 0.0f;
        for (int32_t n = 0; n < N; n++) {
            const int32_t m = i * N + n;
            const float re = state->re[i][n], im = state->im[i][n];
            state->re[i][n] = (w->decay_re[m] * re - w->decay_im[m] * im) + x[i];
            state->im[i][n] = w->decay_re[m] * im + w->decay_im[m] * re;
            sum += w->w_re[m] * state->re[i][n] - w->w_im[m] * state->im[i][n];
        }
        channels[i] = gelu(2.0f * sum + w->d[i] * x[i]);
    }
    linear(self, &w->out, channels, a);
    for (int32_t i = 0; i < D; i++)
        y[i] = a[i] * sigmoid(a[D + i]);
}

