/* The keys and values of all positions so far: the keys beside each other by entry, because a query
   meets one entry of all keys after the other; the values by position. */
struct attention_state {
    teenygpt_kept keys[TEENYGPT_WIDTH][TEENYGPT_TOKENS];
    teenygpt_kept values[TEENYGPT_TOKENS][TEENYGPT_WIDTH];
};

struct attention_work {
    float qkv[3 * TEENYGPT_WIDTH], heads[TEENYGPT_WIDTH], p[TEENYGPT_TOKENS];
};

