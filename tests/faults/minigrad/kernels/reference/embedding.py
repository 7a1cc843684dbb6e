"""Seeded faults in `minigrad/kernels/reference/embedding.py`."""

FAULTS = [
    ("embedding: counted from the end", "return weight[ids]", "return weight[ids - 1]"),
    (
        "embedding_vjp: duplicates lost",
        "np.add.at(dweight, ids, dy)",
        "dweight[ids] += dy",
    ),
]
