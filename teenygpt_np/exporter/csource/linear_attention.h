/* S of each head, and in its last column z: sums over all positions so far. */
struct linear_attention_state {
    float sums[TEENYGPT_WIDTH][TEENYGPT_HEAD_WIDTH + 1];
};

struct linear_attention_work {
    float qkv[3 * TEENYGPT_WIDTH], heads[TEENYGPT_WIDTH];
};

