"""Seeded faults in `teenygpt_np/model/mixers/attention_compiled.py`."""

FAULTS = [
    (
        "one_kernel_is_all_blocks: compiled, scores not scaled",
        "scaled = q[d] * scale",
        "scaled = q[d]",
    ),
    (
        "one_kernel_is_all_blocks: compiled, the second norm has the first one's weights",
        "_add_and_norm(x, z, weights.norm2_w[block]",
        "_add_and_norm(x, z, weights.norm1_w[block]",
    ),
    (
        "one_kernel_is_all_blocks: compiled, no way past attention and MLP",
        "x[i, j] += z[i, j]",
        "x[i, j] = z[i, j]",
    ),
    (
        "one_kernel_is_all_blocks: compiled, keys are not turned",
        "                    _turn(k, turn[0, position], turn[1, position])\n",
        "",
    ),
]
