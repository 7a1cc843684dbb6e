/* ---- a recurrent network --------------------------------------------------------------------- */

struct rnn_weights {
    struct matrix ih, hh;
};

/* y = h = tanh(W_ih x + b_ih + W_hh h + b_hh).    x: (D) -> y: (D) */
static void rnn(struct teenygpt *self, const struct rnn_weights *w, struct rnn_state *state,
                const float *x, float *y)
{
    float *a = self->work.rnn.a, *b = self->work.rnn.b;
    linear(self, &w->ih, x, a);
    linear(self, &w->hh, state->h, b);
    for (int32_t i = 0; i < D; i++)
        y[i] = state->h[i] = tanh_of(a[i] + b[i]);
}

