"""Seeded faults in `teenygpt_np/model/mixers/attention_compiled.py`."""

FAULTS = [
    ("step_by_step: compiled, scores not scaled", "scaled = q[d] * scale", "scaled = q[d]"),
    (
        "step_by_step: compiled, the second norm has the first one's weights",
        "_add_and_norm(x, z, weights.norm2_w[block]",
        "_add_and_norm(x, z, weights.norm1_w[block]",
    ),
    (
        "step_by_step: compiled, no way past attention and MLP",
        "x[i, j] += z[i, j]",
        "x[i, j] = z[i, j]",
    ),
    (
        "step_by_step: weights are not copied",
        'np.array(kind, order="C")',
        "np.stack(kind) if len(kind) > 1 else np.asarray(kind)",
    ),
]
