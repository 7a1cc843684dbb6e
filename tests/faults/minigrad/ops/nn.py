"""Seeded faults in `minigrad/ops/nn.py`."""

FAULTS = [
    (
        "indices: ids of 8 bits",
        "ids.reshape(-1).astype(np.intp)",
        "ids.reshape(-1).astype(np.int8)",
    ),
    ("indices: targets of 8 bits", "target.astype(np.intp)", "target.astype(np.int8)"),
    (
        "linear: all gradients 0.1% off",
        "kernels.linear_vjp(_rows(dy), rows, weight)",
        "kernels.linear_vjp(_rows(dy) * 1.001, rows, weight)",
    ),
    (
        "softmax: always along the last axis",
        "kernels.softmax_vjp(p, dp, axis)",
        "kernels.softmax_vjp(p, dp, p.ndim - 1)",
    ),
    (
        "log_softmax: the sum forgotten",
        "(kernels.log_softmax_vjp(y, dy, axis),)",
        "(dy,)",
    ),
    (
        "layer_norm: weight's and bias' gradients swapped",
        "return dx.reshape(x.shape), dw, db",
        "return dx.reshape(x.shape), db, dw",
    ),
    (
        "embedding: zeros for a gradient",
        "kernels.embedding_vjp(flat, _rows(dy), rows)",
        "np.zeros((rows, dy.shape[-1]), dy.dtype)",
    ),
    ("ops_errors: an id too large is let through", "ids >= count", "ids > count"),
    (
        "ops_errors: a negative id is let through",
        "(ids < 0) | (ids >= count)",
        "(ids >= count)",
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
        "nll_loss: what is ignored gets a gradient",
        "np.where(counted, -dlosses, 0)",
        "-dlosses",
    ),
    (
        "nll_loss: what is ignored is counted",
        "losses = np.where(counted, -rows[picked], 0)",
        "losses = -rows[picked]",
    ),
    (
        "cross_entropy: the mean over what is ignored too",
        "(flat >= 0).sum()",
        "len(flat)",
    ),
    (
        "cross_entropy: ignore_index ignored",
        "ignored = target == ignore_index",
        "ignored = target == -100",
    ),
    (
        "cross_entropy: the mean's gradient is the sum's",
        "np.full(losses.shape, d * scale, losses.dtype)",
        "np.full(losses.shape, d, losses.dtype)",
    ),
    ("cross_entropy: mean for sum", 'if reduction == "mean" else 1', "if reduction else 1"),
    (
        "causal_attention: q and k swapped on the way back",
        "causal_attention_vjp(dout, q, k, v, out, lse)",
        "causal_attention_vjp(dout, k, q, v, out, lse)",
    ),
    (
        "causal_attention: dq and dv swapped",
        "causal_attention_vjp(dout, q, k, v, out, lse)",
        "causal_attention_vjp(dout, q, k, v, out, lse)[::-1]",
    ),
    (
        "mlp: a stale hidden layer",
        "kernels.mlp_vjp(_rows(dy), rows, w1, b1, w2)",
        "kernels.mlp_vjp(_rows(dy), rows, w1, 0 * b1, w2)",
    ),
]
