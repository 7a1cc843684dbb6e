/* s of each mode of each channel, a complex number. */
struct s4_state {
    float re[TEENYGPT_WIDTH][TEENYGPT_MODES], im[TEENYGPT_WIDTH][TEENYGPT_MODES];
};

struct s4_work {
    float channels[TEENYGPT_WIDTH], a[2 * TEENYGPT_WIDTH];
};

