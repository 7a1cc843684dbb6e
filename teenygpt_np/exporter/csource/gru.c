/* ---- a gated recurrent unit ------------------------------------------------------------------ */

/* Each (3D, D): the parts for r, z and n below each other. */
struct gru_weights {
    struct matrix ih, hh;
};

/* y = h = (1 - z) n + z h, with [a_r a_z a_n] = W_ih x + b_ih, [b_r b_z b_n] = W_hh h + b_hh,
   r = sigmoid(a_r + b_r), z = sigmoid(a_z + b_z), n = tanh(a_n + r b_n).    x: (D) -> y: (D) */
static void gru(struct teenygpt *self, const struct gru_weights *w, struct gru_state *state,
                const float *x, float *y)
{
    float *a = self->work.gru.a, *b = self->work.gru.b, *h = state->h;
    linear(self, &w->ih, x, a);
    linear(self, &w->hh, h, b);
    for (int32_t i = 0; i < D; i++) {
        const float r = sigmoid(a[i] + b[i]), z = sigmoid(a[D + i] + b[D + i]);
        const float n = tanh_of(a[2 * D + i] + r * b[2 * D + i]);
        y[i] = h[i] = (1.0f - z) * n + z * h[i];
    }
}

