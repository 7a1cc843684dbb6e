/* ---- products, in int8 ----------------------------------------------------------------------- */

/* W (O, I), row o as whole numbers in -127..127 times scales[o], and b (O), which may be NULL. */
struct matrix {
    int32_t outputs, inputs;
    const int8_t *rows;
    const float *scales, *bias;
};

/* Some rows of W, to look up. */
struct table {
    const int8_t *rows;
    const float *scales;
};

/* y[o] += sum over i of W[first_o + o][first_i + i] x[i], for `outputs` o and `inputs` i. x is
   quantized, the sum is one of whole numbers, and so only a few operations on floats are left for
   each o. 127^2 times 133,143 inputs fit into 32 bits. */
static void add_product(struct teenygpt *self, const struct matrix *w, int32_t first_o,
                        int32_t outputs, int32_t first_i, int32_t inputs, const float *x, float *y)
{
    const int8_t *q = self->quantized;
    const float scale = quantize(x, inputs, self->quantized);
    for (int32_t o = 0; o < outputs; o++) {
        const int8_t *row = w->rows + (first_o + o) * w->inputs + first_i;
        int32_t sum = 0;
        for (int32_t i = 0; i < inputs; i++)
            sum += (int32_t)row[i] * (int32_t)q[i];
        y[o] += (float)sum * (w->scales[first_o + o] * scale);
    }
}

/* x = the row of this number.    x: (D) */
static void look_up(const struct table *table, int32_t row, float *x)
{
    for (int32_t i = 0; i < D; i++)
        x[i] = (float)table->rows[row * D + i] * table->scales[row];
}

