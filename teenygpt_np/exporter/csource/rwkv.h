/* S of each head, and the last token that was read. */
struct rwkv_state {
    float sums[TEENYGPT_WIDTH][TEENYGPT_HEAD_WIDTH], last[TEENYGPT_WIDTH];
};

struct rwkv_work {
    float change[TEENYGPT_WIDTH], x[TEENYGPT_WIDTH];
    float low[5 * TEENYGPT_MIX_RANK + TEENYGPT_DECAY_RANK];
    float w[TEENYGPT_WIDTH], k[TEENYGPT_WIDTH], v[TEENYGPT_WIDTH], r[TEENYGPT_WIDTH];
    float g[TEENYGPT_WIDTH], heads[TEENYGPT_WIDTH];
};

