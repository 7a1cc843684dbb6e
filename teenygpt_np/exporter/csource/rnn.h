/* h, all that is known of earlier tokens. */
struct rnn_state {
    float h[TEENYGPT_WIDTH];
};

struct rnn_work {
    float a[TEENYGPT_WIDTH], b[TEENYGPT_WIDTH];
};

