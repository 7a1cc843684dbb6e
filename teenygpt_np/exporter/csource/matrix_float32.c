/* ---- products, in float32 -------------------------------------------------------------------- */

/* W (O, I) and b (O), which may be NULL. W lies in memory column by column: the loop over outputs
   then is one over neighbours, and can be vectorized without another order of any sum. */
struct matrix {
    int32_t outputs, inputs;
    const float *columns, *bias;
};

/* Some rows of W, to look up. */
struct table {
    const float *rows;
};

/* y[o] += sum over i of W[first_o + o][first_i + i] x[i], for `outputs` o and `inputs` i. */
static void add_product(struct teenygpt *self, const struct matrix *w, int32_t first_o,
                        int32_t outputs, int32_t first_i, int32_t inputs, const float *restrict x,
                        float *restrict y)
{
    const float *restrict column = w->columns + first_i * w->outputs + first_o;
    int32_t i = 0;
    (void)self;
    for (; i + 4 <= inputs; i += 4) { /* four columns for each time that y is read and written */
        const float *restrict c1 = column + w->outputs, *restrict c2 = c1 + w->outputs,
                    *restrict c3 = c2 + w->outputs;
        const float x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
        for (int32_t o = 0; o < outputs; o++)
            y[o] = (((y[o] + column[o] * x0) + c1[o] * x1) + c2[o] * x2) + c3[o] * x3;
        column = c3 + w->outputs;
    }
    for (; i < inputs; i++, column += w->outputs)
        for (int32_t o = 0; o < outputs; o++)
            y[o] += column[o] * x[i];
}

/* x = the row of this number.    x: (D) */
static void look_up(const struct table *table, int32_t row, float *x)
{
    for (int32_t i = 0; i < D; i++)
        x[i] = table->rows[row * D + i];
}

