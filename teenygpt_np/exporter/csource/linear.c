/* y = W x + b.    x: (I) -> y: (O) */
static void linear(struct teenygpt *self, const struct matrix *w, const float *x, float *y)
{
    for (int32_t o = 0; o < w->outputs; o++)
        y[o] = 0.0f;
    add_product(self, w, 0, w->outputs, 0, w->inputs, x, y);
    if (w->bias)
        for (int32_t o = 0; o < w->outputs; o++)
            y[o] += w->bias[o];
}

