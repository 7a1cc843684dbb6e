/* ---- products, with weights of -1, 0 and 1 ---------------------------------------------------- */

/* W (O, I) and b (O), which may be NULL. Row o is scales[o] times numbers of -1, 0 and 1, five in a
   byte: the sum of t[k] 3^k, which is in -121..121. The last byte of a row is filled up with zeros.
   Where rows is NULL W is of floats, column by column. */
struct matrix {
    int32_t outputs, inputs;
    const int8_t *rows;
    const float *scales, *columns, *bias;
};

/* Some rows of floats, to look up. */
struct table {
    const float *rows;
};

/* y[o] += sum over i of W[first_o + o][first_i + i] x[i], for `outputs` o and `inputs` i. With
   weights of -1, 0 and 1 there is one multiplication for each o: the others are additions. */
static void add_product(struct teenygpt *self, const struct matrix *w, int32_t first_o,
                        int32_t outputs, int32_t first_i, int32_t inputs, const float *restrict x,
                        float *restrict y)
{
    static const int32_t powers[5] = {1, 3, 9, 27, 81};
    const int32_t row_bytes = (w->inputs + 4) / 5;
    (void)self;
    if (!w->rows) {
        const float *restrict column = w->columns + first_i * w->outputs + first_o;
        for (int32_t i = 0; i < inputs; i++, column += w->outputs)
            for (int32_t o = 0; o < outputs; o++)
                y[o] += column[o] * x[i];
        return;
    }
    for (int32_t o = 0; o < outputs; o++) {
        const int8_t *byte = w->rows + (first_o + o) * row_bytes + first_i / 5;
        int32_t left = (*byte++ + 121) / powers[first_i % 5], digits = 5 - first_i % 5;
        float sum = 0.0f;
        for (int32_t i = 0; i < inputs; i++) {
            if (digits == 0) {
                left = *byte++ + 121;
                digits = 5;
            }
            const float choices[3] = {-x[i], 0.0f, x[i]}; /* a branch would be guessed wrong */
            sum += choices[left % 3];
            left /= 3;
            digits--;
        }
        y[o] += sum * w->scales[first_o + o];
    }
}

/* x = the row of this number.    x: (D) */
static void look_up(const struct table *table, int32_t row, float *x)
{
    for (int32_t i = 0; i < D; i++)
        x[i] = table->rows[row * D + i];
}

