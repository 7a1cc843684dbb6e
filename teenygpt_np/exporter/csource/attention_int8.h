/* The keys and values of all positions so far, each as whole numbers times a scale. */
struct attention_state {
    float key_scales[TEENYGPT_TOKENS], value_scales[TEENYGPT_TOKENS];
    int8_t keys[TEENYGPT_TOKENS][TEENYGPT_WIDTH], values[TEENYGPT_TOKENS][TEENYGPT_WIDTH];
};

struct attention_work {
    float qkv[3 * TEENYGPT_WIDTH], heads[TEENYGPT_WIDTH], p[TEENYGPT_TOKENS];
    int32_t sums[TEENYGPT_WIDTH / TEENYGPT_HEADS];
    int16_t levels[TEENYGPT_TOKENS];
    int8_t q[TEENYGPT_WIDTH];
};

