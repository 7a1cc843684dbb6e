/* The last inputs of the convolution, as the last one that of now; and the states of each channel. */
struct mamba_state {
    float window[TEENYGPT_TAPS][TEENYGPT_CHANNELS];
    float h[TEENYGPT_CHANNELS][TEENYGPT_STATES];
};

struct mamba_work {
    float xz[2 * TEENYGPT_CHANNELS], dt[TEENYGPT_CHANNELS];
    float rbc[TEENYGPT_RANK + 2 * TEENYGPT_STATES];
};

