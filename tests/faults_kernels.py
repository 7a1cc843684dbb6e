"""Seeded faults in the kernels and the model; see faults_engine.py."""

from __future__ import annotations

FAULTS = {
    "minigrad/kernels/reference.py": [
        ("newton_schulz: one step less", "range(steps)", "range(steps - 1)"),
        ("linear: no bias", "return x @ weight.T + bias", "return x @ weight.T"),
        (
            "linear_vjp: the weight's gradient 0.1% off",
            "return dy @ weight, dy.T @ x, dy.sum(axis=0)",
            "return dy @ weight, dy.T @ x * 1.001, dy.sum(axis=0)",
        ),
        (
            "linear_vjp: the mean over rows",
            "return dy @ weight, dy.T @ x, dy.sum(axis=0)",
            "return dy @ weight, dy.T @ x, dy.mean(axis=0)",
        ),
        (
            "linear_vjp: dx of zeros",
            "return dy @ weight, dy.T @ x, dy.sum(axis=0)",
            "return np.zeros_like(x), dy.T @ x, dy.sum(axis=0)",
        ),
        (
            "decode: the position itself is not seen",
            "cache[..., : position + 1]",
            "cache[..., : max(position, 1)]",
        ),
        (
            "decode: keys for values",
            "qkv[:, 1, :, 0], qkv[:, 2, :, 0]",
            "qkv[:, 1, :, 0], qkv[:, 1, :, 0]",
        ),
        (
            "matmul: 0.1% off",
            "return np.matmul(a, b)",
            "return np.matmul(a, b) * a.dtype.type(1.001)",
        ),
        ("erf: 0.1% off", "_each(math.erf, x)", "_each(math.erf, x * 1.001)"),
        ("gelu: slope 1 in the normal distribution", "x * -math.sqrt(0.5)", "-x"),
        (
            "gelu: a coefficient of the tail, in its last digits",
            "    0.1198373387,",
            "    0.1198383387,",
        ),
        (
            "gelu_vjp: x p(x) without the x",
            "_normal_cdf(x) + x * density",
            "_normal_cdf(x) + density",
        ),
        (
            "gelu_vjp: the cubic's 3 is missing",
            "1 + 3 * TANH_CUBIC * near",
            "1 + TANH_CUBIC * near",
        ),
        ("gelu: overflows far out", "near = np.clip(x, -20, 20)", "near = x"),
        (
            "softmax: the largest is not taken out",
            "e = np.exp(x - np.where(largest == -np.inf, 0, largest))",
            "e = np.exp(x)",
        ),
        ("softmax: a row of -inf gives nan", "e / np.where(total == 0, 1, total)", "e / total"),
        (
            "softmax_vjp: always along the last axis",
            "np.sum(dp * p, axis=axis, keepdims=True)",
            "np.sum(dp * p, axis=-1, keepdims=True)",
        ),
        (
            "softmax_vjp: the mean is missing",
            "p * (dp - np.sum(dp * p, axis=axis, keepdims=True))",
            "p * dp",
        ),
        (
            "log_softmax: the largest is not taken out",
            "shifted = x - np.where(largest == -np.inf, 0, largest)",
            "shifted = x",
        ),
        (
            "log_softmax_vjp: dy is not summed up",
            "np.exp(y) * np.sum(dy, axis=axis, keepdims=True)",
            "np.exp(y) * dy",
        ),
        (
            "cross_entropy: what is ignored is counted",
            "np.where(target < 0, 0, loss), largest",
            "loss, largest",
        ),
        (
            "cross_entropy_vjp: what is ignored gets a gradient",
            "np.where(target[:, None] < 0, 0, dlogits * dloss[:, None])",
            "dlogits * dloss[:, None]",
        ),
        ("cross_entropy_vjp: 0.1% too little at the target", "] -= 1", "] -= 0.999"),
        ("cross_entropy_vjp: dloss forgotten", "dlogits * dloss[:, None])", "dlogits)"),
        (
            "layer_norm: eps outside of the root",
            "scale * np.sqrt(var + x.dtype.type(eps) / scale / scale)",
            "scale * np.sqrt(var) + x.dtype.type(eps)",
        ),
        (
            "layer_norm: the variance of a sample",
            "(scaled * scaled).mean(axis=1)",
            "(scaled * scaled).sum(axis=1) / max(x.shape[1] - 1, 1)",
        ),
        (
            "layer_norm_vjp: the mean of g stays",
            "dx = g - g.mean(axis=1, keepdims=True) -",
            "dx = g -",
        ),
        (
            "layer_norm_vjp: the part along xhat stays",
            " - xhat * (g * xhat).mean(axis=1, keepdims=True)\n",
            "\n",
        ),
        ("layer_norm_vjp: x for xhat", "(dy * xhat).sum(axis=0)", "(dy * x).sum(axis=0)"),
        (
            "layer_norm_vjp: the mean over rows",
            "dy.sum(axis=0)\n\n\n# -- emb",
            "dy.mean(axis=0)\n\n\n# -- emb",
        ),
        ("embedding: counted from the end", "return weight[ids]", "return weight[ids - 1]"),
        (
            "embedding_vjp: duplicates lost",
            "np.add.at(dweight, ids, dy)",
            "dweight[ids] += dy",
        ),
        (
            "causal_attention: a query does not see itself",
            "np.arange(keys) > np",
            "np.arange(keys) >= np",
        ),
        (
            "causal_attention: a query sees one key too far",
            "+ keys - queries\n",
            "+ keys - queries + 1\n",
        ),
        ("causal_attention: cached keys are not seen", "[:, None] + keys - queries", "[:, None]"),
        (
            "causal_attention: scores not scaled",
            "q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]))",
            "q @ k.swapaxes(-1, -2)",
        ),
        ("causal_attention_vjp: ds not scaled", "keepdims=True)) * scale", "keepdims=True))"),
        (
            "causal_attention_vjp: the softmax's sum is missing",
            "p * (dp - (dout * out).sum(axis=-1, keepdims=True))",
            "p * dp",
        ),
        ("causal_attention_vjp: q for k", "return ds @ k, ", "return ds @ q, "),
        (
            "causal_attention_vjp: ds for p",
            "p.swapaxes(-1, -2) @ dout",
            "ds.swapaxes(-1, -2) @ dout",
        ),
        ("mlp: the last bias is missing", ' "none") @ w2.T + b2\n', ' "none") @ w2.T\n'),
        (
            "composed: mlp's last piece is missing",
            "range(0, len(x), step)",
            "range(0, max(len(x) - step, 1), step)",
        ),
        ("composed: = for += in mlp's dw1", "dw1 += da.T @ x[rows]", "dw1[:] = da.T @ x[rows]"),
        ("composed: = for += in mlp's db1", "db1 += da.sum(axis=0)", "db1[:] = da.sum(axis=0)"),
        ("composed: = for += in mlp's dw2", "dw2 += dy[rows].T", "dw2[:] = dy[rows].T"),
        (
            "mlp_vjp: the first layer without its bias",
            "a = x[rows] @ w1.T + b1\n        da",
            "a = x[rows] @ w1.T\n        da",
        ),
        ("adamw: no bias correction of m", "step_size = lr / (1 - b1**step)", "step_size = lr"),
        ("adamw: no bias correction of v", "np.sqrt(v) / math.sqrt(1 - b2**step)", "np.sqrt(v)"),
        (
            "adamw: eps inside of the root",
            "root = np.sqrt(v) / math.sqrt(1 - b2**step)",
            "eps, root = 0, np.sqrt(v / (1 - b2**step) + eps)",
        ),
        (
            "adamw: weight decay coupled",
            "    b1, b2 = betas\n",
            "    b1, b2 = betas\n    grad = grad + weight_decay * param\n",
        ),
        ("adamw: weight decay not scaled by lr", "1 - lr * weight_decay", "1 - weight_decay"),
        ("adamw: = for += in m", "m += (1 - b1) * grad", "m[...] = (1 - b1) * grad"),
        (
            "adamw: the gradient for its square",
            "v += (1 - b2) * grad * grad",
            "v += (1 - b2) * abs(grad)",
        ),
    ],
    "minigrad/kernels/compiled/adamw.py": [
        ("adamw: compiled, no bias correction of m", "lr / (1 - b1**step)", "lr"),
        ("optim: compiled, no bias correction of v", "1 / math.sqrt(1 - b2**step)", "1.0"),
        (
            "optim: compiled, eps inside of the root",
            "np.sqrt(v[i]) * scale + eps",
            "np.sqrt(v[i] * scale * scale + eps)",
        ),
        ("optim: compiled, v not squared", "c2 * g * g", "c2 * abs(g)"),
        (
            "optim: compiled, weight decay coupled",
            "param[i] * shrink - rate * m[i] / root",
            "param[i] - rate * (m[i] + param[i] * (1 - shrink)) / root",
        ),
    ],
    "minigrad/kernels/compiled/softmax.py": [
        (
            "special_rows: compiled, e^60 beside an infinite logit",
            "largest[n] if total[n] < np.inf else total[n]",
            "largest[n]",
        ),
        ("softmax: compiled, a row of -inf gives nan", "if total != 0:", "if total == total:"),
        (
            "softmax: compiled, the first entry taken out for the largest",
            "if not row[c] <= largest:",
            "if largest != largest:",
        ),
        (
            "softmax_vjp: compiled, the mean is missing",
            "p[n, c] * (dp[n, c] - mean)",
            "p[n, c] * dp[n, c]",
        ),
        (
            "log_softmax: compiled, 0.1% off",
            "x[n, c] - shift - log_total",
            "x[n, c] - shift - log_total * x.dtype.type(1.001)",
        ),
        ("log_softmax_vjp: compiled, = for +=", "total += dy[n, c]", "total = dy[n, c]"),
        (
            "cross_entropy: compiled, what is ignored is counted",
            "if target[n] >= 0:",
            "if target[n] >= -1:",
        ),
        ("cross_entropy_vjp: compiled, what is ignored gets a gradient", "if t < 0:", "if t < -1:"),
        ("cross_entropy_vjp: compiled, nothing at the target", "(p - logits.dtype.type(1))", "p"),
    ],
    "minigrad/kernels/compiled/layer_norm.py": [
        (
            "layer_norm: compiled, eps outside of the root",
            "1 / np.sqrt(total * scale + eps)",
            "1 / (np.sqrt(total * scale) + eps)",
        ),
        (
            "layer_norm: compiled, the variance about 0",
            "deviation = x[n, d] - mean\n",
            "deviation = x[n, d]\n",
        ),
        ("layer_norm_vjp: compiled, the sum for the mean", "        mean_g *= scale\n", ""),
        (
            "layer_norm_vjp: compiled, the part along xhat stays",
            " - xhat * mean_g_xhat) * r",
            ") * r",
        ),
        (
            "layer_norm_vjp: compiled, = for += in dweight",
            "dweight[part, d] += dy",
            "dweight[part, d] = dy",
        ),
        (
            "layer_norm_vjp: compiled, dbias of the first thread only",
            "dbias.sum(axis=0)",
            "dbias[0]",
        ),
    ],
    "minigrad/kernels/compiled/embedding.py": [
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
    ],
    "minigrad/kernels/compiled/gelu.py": [
        ("erf: compiled, its complement", "y[i] = math.erf(x[i])", "y[i] = math.erfc(x[i])"),
        (
            "gelu: compiled, e^(-x^2) for e^(-x^2/2)",
            "y[i] = a * normal_cdf(a, normal_density(a))",
            "y[i] = a * normal_cdf(a, normal_density(a * x.dtype.type(1.4142135)))",
        ),
        (
            "gelu_vjp: compiled, x p(x) without the x",
            "density) + a * density",
            "density) + density",
        ),
        ("normal_density: the square rounded twice", "+ rate_low * square", "+ 0 * square"),
        ("normal_density: the last power forgotten", "p = c6 * f + c5", "p = c5"),
        ("gelu_vjp: compiled, tanh form, 1 - t for 1 - t^2", "(one - t * t)", "(one - t)"),
        (
            "gelu: compiled, tanh form, the cubic is missing",
            "(a + kind(TANH_CUBIC) * a * a * a)",
            "a",
        ),
    ],
    "minigrad/kernels/compiled/exp.py": [
        ("exp: the cubic term 0.1% off", "p = p * r + c3", "p = p * r + c3 * f32(1.001)"),
        ("exp: 0 already at -80", "f32(-104)", "f32(-80)"),
        ("exp: ln 2 with few digits", "math.log(2) - 0.693359375", "0"),
    ],
    "minigrad/kernels/compiled/matmul.py": [
        (
            "causal_attention: compiled, a block has its first query alone",
            "xt[i, j] = x[j, i]",
            "xt[i, j] = x[0, i]",
        ),
        (
            "matmul: compiled, the last columns of the last rows are left out",
            "range(paired, right, vector):\n                    set_narrow_row",
            "range(paired, right, 2 * vector):\n                    set_narrow_row",
        ),
        (
            "matmul: compiled, the last rows of b are missing",
            "count = min(_DEPTH, inner - k)",
            "count = min(_DEPTH, max(inner - k - 1, 1))",
        ),
        (
            "matmul: compiled, columns beyond the first block are missing",
            "right = min(columns, left + _WIDTH)",
            "right = min(columns, _WIDTH)",
        ),
        (
            "matmul: compiled, batches of b are not repeated",
            "b = np.broadcast_to(b, batch + b.shape[-2:])",
            "b = np.resize(b, batch + b.shape[-2:])",
        ),
        (
            "matmul: compiled, the rows left over are missing",
            "for i in range(even, rows):",
            "for i in range(even, even):",
        ),
    ],
    "minigrad/kernels/compiled/tile.py": [
        (
            "matmul: compiled, = for += in a tile",
            "total = builder.fadd(load(builder.gep(source, [index(v)])), totals[row][v])",
            "total = totals[row][v]",
        ),
        (
            "matmul: compiled, the mask hides the last column",
            '"<", lanes, spread(left))',
            '"<", lanes, spread(builder.sub(left, index(1))))',
        ),
        (
            "matmul: compiled, one row of a tile for all",
            "spread_a = spread(builder.load(entry(a_now, a_row, row, scalar), align=1))",
            "spread_a = spread(builder.load(entry(a_now, a_row, 0, scalar), align=1))",
        ),
    ],
    "minigrad/kernels/compiled/attention.py": [
        (
            "causal_attention: compiled, the sum of another query",
            "means[j, d] /= total[j]",
            "means[j, d] /= total[max(j, 1) - 1]",
        ),
        (
            "causal_attention: compiled, a query sees one key too far",
            "s[i, : i - position] = -np.inf",
            "s[i, : i - position - 1] = -np.inf",
        ),
        (
            "causal_attention: compiled, a query does not see itself",
            "s[i, : i - position] = -np.inf",
            "s[i, : i - position + 1] = -np.inf",
        ),
        (
            "causal_attention: compiled, cached keys are not counted",
            "            s = scores[: position + count]\n",
            "            position = t\n            s = scores[: position + count]\n",
        ),
        (
            "causal_attention: compiled, the largest of the last key",
            "largest[j] = max(largest[j], s[i, j])",
            "largest[j] = s[i, j]",
        ),
        (
            "causal_attention_vjp: compiled, = for += in dv",
            "dv_seen if t < final else zeros",
            "zeros",
        ),
        (
            "causal_attention_vjp: compiled, dk not scaled",
            "dk[b, i, h, d] *= scale",
            "dk[b, i, h, d] *= 1",
        ),
        ("causal_attention_vjp: compiled, dq not scaled", "dq_now[j, d] *= scale", "pass"),
        (
            "causal_attention_vjp: compiled, the softmax's sum is missing",
            "p[i, j] * (ds[i, j] - mean[j])",
            "p[i, j] * ds[i, j]",
        ),
        ("causal_attention_vjp: compiled, a stale ds", "(ds, zeros, v[", "(ds, ds, v["),
        (
            "causal_attention_vjp: compiled, k for q",
            "ds[:, :count], q[b, now, h]",
            "ds[:, :count], k[b, now, h]",
        ),
    ],
    "minigrad/kernels/compiled/mlp.py": [
        (
            "mlp: compiled, a block of units has the first's bias",
            "w1t[:, : end - unit], b1[:, unit:end], w2t",
            "w1t[:, : end - unit], b1[:, : end - unit], w2t",
        ),
        (
            "mlp_vjp: compiled, dx of the first thread only",
            "        dx += other",
            "        pass",
        ),
        ("mlp_vjp: compiled, a stale dh", "(dh, zeros, dy[", "(dh, dh, dy["),
        ("mlp_vjp: compiled, dx of the last units", "dx_rows if unit > start else zeros", "zeros"),
        (
            "mlp_vjp: compiled, dw2 of one block of units in the next",
            "dw2_now if row else zeros",
            "dw2_now",
        ),
        ("mlp_vjp: compiled, = for += in db1", "db[j] += dh[i, j]", "db[j] = dh[i, j]"),
        ("mlp_vjp: compiled, a for gelu(a)", "h[i, j] = a * cdf", "h[i, j] = a"),
        (
            "mlp_vjp: compiled, x p(x) without the x",
            "cdf + a * density",
            "cdf + density",
        ),
    ],
    "minigrad/kernels/compiled/jit.py": [
        (
            "softmax: compiled, the axis is not moved back",
            "np.moveaxis(rows.reshape(moved), -1, axis)",
            "rows.reshape(shape)",
        ),
    ],
    # -- the model ---------------------------------------------------------------------------------
    "teenygpt_np/layers.py": [
        (
            "attention: q and k swapped",
            "y = mg.causal_attention(q, k, v)",
            "y = mg.causal_attention(k, q, v)",
        ),
        (
            "block: no way past the attention",
            "self.layer_norm1(x + self.msha(x))",
            "self.layer_norm1(self.msha(x))",
        ),
        ("dropout: in evaluation too", "training=self.training", "training=True"),
    ],
    "teenygpt_np/model.py": [
        ("loss: a token is to predict itself", "return x[:, 1:]", "return x[:, :-1]"),
        ("loss: the mean over tokens", "losses / len(x)", "losses / targets.size"),
        (
            "loss: pads count, the end mark does not",
            "earlier_pads = is_pad.cumsum(axis=1) - is_pad",
            "earlier_pads = is_pad.cumsum(axis=1)",
        ),
    ],
    "minigrad/kernels/compiled/linear.py": [
        (
            "linear: compiled, no bias",
            "team.run(_linear, spans, y, plain(bias).reshape(1, -1)",
            "team.run(_linear, spans, y, 0 * plain(bias).reshape(1, -1)",
        ),
        (
            "linear_vjp: compiled, dbias of the last block alone",
            "db[j] += d[i, j]",
            "db[j] = d[i, j]",
        ),
        ("linear_vjp: compiled, one thread's dweight only", "dweight += other", "pass"),
    ],
    "minigrad/kernels/compiled/decode.py": [
        ("decode: compiled, scores not scaled", "scaled = q[d] * scale", "scaled = q[d]"),
        (
            "decode: compiled, the second norm has the first one's weights",
            "_add_and_norm(x, z, norm2_w[block]",
            "_add_and_norm(x, z, norm1_w[block]",
        ),
        (
            "decode: compiled, no way past attention and MLP",
            "x[i, j] += z[i, j]",
            "x[i, j] = z[i, j]",
        ),
    ],
    "minigrad/kernels/compiled/newton_schulz.py": [
        (
            "newton_schulz: compiled, the fifth power forgotten",
            "set_product(factor, factor, scaled, square)",
            "pass",
        ),
        (
            "newton_schulz: compiled, one thread's steps counted twice",
            "range(steps)",
            "range(steps + part)",
        ),
    ],
}
