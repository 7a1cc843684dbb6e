/* S of each head: a sum over all positions so far that fades. */
struct retnet_state {
    float sums[TEENYGPT_WIDTH][TEENYGPT_HEAD_WIDTH];
};

struct retnet_work {
    float q[TEENYGPT_WIDTH], k[TEENYGPT_WIDTH], v[TEENYGPT_WIDTH], g[TEENYGPT_WIDTH];
    float heads[TEENYGPT_WIDTH];
};

