/* ---- a gated convolution --------------------------------------------------------------------- */

/* W and V below each other (2D, K D): what a token's K last ones are multiplied with. */
struct convolution_weights {
    struct matrix conv;
};

/* y = (W [x_{t-K+1} ... x_t] + b) sigmoid(V [x_{t-K+1} ... x_t] + c).    x: (D) -> y: (D) */
static void convolution(struct teenygpt *self, const struct convolution_weights *w,
                        struct convolution_state *state, const float *x, float *y)
{
    float *a = self->work.convolution.a, *window = state->window;
    memmove(window, window + D, (TEENYGPT_TAPS - 1) * D * sizeof *window);
    memcpy(window + (TEENYGPT_TAPS - 1) * D, x, D * sizeof *window);
    linear(self, &w->conv, window, a);
    for (int32_t i = 0; i < D; i++)
        y[i] = a[i] * sigmoid(a[D + i]);
}

