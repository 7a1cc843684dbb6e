typedef uint16_t teenygpt_kept; /* what a key or value is kept as: half precision */

