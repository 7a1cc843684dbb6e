/* The last tokens, and as the last one that which is read. */
struct convolution_state {
    float window[TEENYGPT_TAPS * TEENYGPT_WIDTH];
};

struct convolution_work {
    float a[2 * TEENYGPT_WIDTH];
};

