"""Seeded faults in `minigrad/ops/layers.py`."""

FAULTS = [
    (
        "indices: ids of 8 bits",
        "ids.reshape(-1).astype(np.intp)",
        "ids.reshape(-1).astype(np.int8)",
    ),
    (
        "linear: all gradients 0.1% off",
        "kernels.linear_vjp(as_rows(dy), rows, weight, needed)",
        "kernels.linear_vjp(as_rows(dy) * 1.001, rows, weight, needed)",
    ),
    (
        "frozen: linear computes all",
        "kernels.linear_vjp(as_rows(dy), rows, weight, needed)",
        "kernels.linear_vjp(as_rows(dy), rows, weight)",
    ),
    (
        "frozen: mlp computes all",
        "rows, w1, b1, w2, hidden, needed)",
        "rows, w1, b1, w2, hidden)",
    ),
    (
        "embedding: zeros for a gradient",
        "kernels.embedding_vjp(flat, as_rows(dy), rows)",
        "np.zeros((rows, dy.shape[-1]), dy.dtype)",
    ),
    ("dropout: the gradient not scaled", "(dy * scale * kept,)", "(dy * kept,)"),
    ("dropout: the values not scaled", "return x * scale * kept", "return x * kept"),
    (
        "dropout: another mask on the way back",
        "(dy * scale * kept,)",
        "(dy * scale * (rng.random(x.shape) >= p),)",
    ),
    ("dropout: drops in evaluation too", "if not training or p == 0:", "if p == 0:"),
    (
        "mlp: a stale hidden layer",
        "kernels.mlp_vjp(as_rows(dy), rows, w1, b1, w2, hidden, needed)",
        "kernels.mlp_vjp(as_rows(dy), rows, w1, 0 * b1, w2, hidden, needed)",
    ),
    ("a_hidden_layer: a large one is kept too", "is_kept = is_recording() and w1", "is_kept = w1"),
]
