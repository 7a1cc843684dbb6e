typedef float teenygpt_kept; /* what a key or value is kept as */

