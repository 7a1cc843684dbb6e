/* h, all that is known of earlier tokens. */
struct gru_state {
    float h[TEENYGPT_WIDTH];
};

struct gru_work {
    float a[3 * TEENYGPT_WIDTH], b[3 * TEENYGPT_WIDTH];
};

