"""Seeded faults in `minigrad/kernels/compiled/embedding.py`."""

FAULTS = [
    (
        "embedding_vjp: compiled, duplicates lost",
        "dweight[row, d] += dy[n, d]",
        "dweight[row, d] = dy[n, d]",
    ),
    (
        "embedding: compiled, the row after",
        "return weight[ids]",
        "return weight[(ids + 1) % max(len(weight), 1)]",
    ),
]
