"""Seeded faults: file, then what is wrong, the text that is right, the text in its place.

The words before the colon say where to look: the tests that have them in their names run first.
Each text stands exactly once in its file.
"""

from __future__ import annotations

FAULTS = {
    # -- the tape ----------------------------------------------------------------------------------
    "minigrad/tensor.py": [
        (
            "tape: = for += at a leaf used twice",
            "part if known is None else known[1] + part",
            "part",
        ),
        (
            "tape: = for += at a node used twice",
            "part if known_cotangent is None else known_cotangent + part",
            "part",
        ),
        (
            "tape: += into an array that two operands share",
            "part if known_cotangent is None else known_cotangent + part",
            "part if known_cotangent is None else np.add(known_cotangent, part, known_cotangent)",
        ),
        (
            "tape: the walk goes from the first made to the last",
            "key=lambda node: node.number, reverse=True",
            "key=lambda node: node.number",
        ),
        (
            "tape: the walk goes in the order in which nodes are found",
            "sorted(found, key=lambda node: node.number, reverse=True)",
            "list(dict.fromkeys([root, *found]))",
        ),
        (
            "tape: only the first parent is followed",
            "for parent in node.parents:",
            "for parent in node.parents[:1]:",
        ),
        (
            "tape: only the first parent gets a gradient",
            "zip(node.parents, node.vjp(dy), strict=True)",
            "zip(node.parents[:1], node.vjp(dy), strict=False)",
        ),
        (
            "tape: a leaf has its gradient before the walk has ended",
            "leaves[id(parent)] = parent, part if known is None else known[1] + part",
            "_accumulate(parent, part)",
        ),
        (
            "tape: what was kept is never freed",
            "node.vjp, node.parents = None, ()",
            "pass",
        ),
        ("tape: leaves are held", "node.vjp, node.parents = None, ()", "node.vjp = None"),
        (
            "tape: what was kept is freed even if it is to be retained",
            "if not retain_graph:",
            "if True:",
        ),
        (
            "tape: a cotangent is kept to the end of the walk",
            "cotangents.pop(node, None)",
            "cotangents.get(node)",
        ),
        (
            "tape: a gradient takes the place of the one before",
            "grad if leaf.grad is None else leaf.grad + grad",
            "grad",
        ),
        (
            "tape: leaves share the array of their gradient",
            "leaf.grad = np.array(",
            "leaf.grad = np.asarray(",
        ),
        (
            "tensor: a gradient keeps the dtype it comes in",
            "_sum_to(part, parent.shape).astype(parent.dtype, copy=False)",
            "_sum_to(part, parent.shape)",
        ),
        (
            "add: the mean over repetitions instead of the sum",
            "grad = grad.sum(axis=stretched, keepdims=True)",
            "grad = grad.mean(axis=stretched, keepdims=True)",
        ),
        (
            "add: of an axis that broadcasting added, the first entry only",
            "grad = grad.sum(axis=tuple(range(extra)))",
            "grad = grad[(slice(0, 1),) * extra].sum(axis=tuple(range(extra)))",
        ),
        (
            "add: the last axes are summed where the first were added",
            "grad = grad.sum(axis=tuple(range(extra)))",
            "grad = grad.sum(axis=tuple(range(-extra, 0)))",
        ),
        (
            "tape: a detached tensor that is not",
            "        return Tensor._wrap(self._data)",
            "        return self",
        ),
        (
            "tape: no_grad records",
            "_recording.set(False)",
            "_recording.set(True)",
        ),
        (
            "tape: no_grad goes on after an error",
            "    try:\n        yield\n    finally:\n        _recording.reset(token)",
            "    yield\n    _recording.reset(token)",
        ),
        (
            "tape: no_grad holds for all threads",
            '_recording: ContextVar[bool] = ContextVar("recording", default=True)',
            "_recording = type('', (), dict(now=True, get=lambda r: r.now, "
            "set=lambda r, now: setattr(r, 'now', now), reset=lambda r, _: r.set(True)))()",
        ),
        (
            "tape: assigning data writes into the array that a vjp has kept",
            "self._data = array\n\n    @property",
            "self._data[...] = array\n\n    @property",
        ),
        (
            "tensor: shares the array it is made of",
            "self._data = _float_array(data, copy=True)",
            "self._data = _float_array(data)",
        ),
        ("tensor: data can be written to", "self._data.data.toreadonly()", "self._data"),
        (
            "tensor: a - b is b - a where a is an array",
            "return ops.subtract(other, self)",
            "return ops.subtract(self, other)",
        ),
    ],
    "minigrad/differentiable.py": [
        (
            "tape: constants are followed",
            "isinstance(o, Tensor) and o.requires_grad and not f",
            "isinstance(o, Tensor) and not f",
        ),
        (
            "tape: no_grad is not asked",
            "if is_recording():",
            "if True:",
        ),
        (
            "multiply: an operand that is a plain array is not copied",
            "_float_array(operand, dtype, copy=True)",
            "_float_array(operand, dtype)",
        ),
        (
            "tape: a constant is not copied",
            "arrays.append(np.array(operand))",
            "arrays.append(np.asarray(operand))",
        ),
        (
            "add: float32 meets numbers and becomes float64",
            "_float_array(operand, dtype, copy=True)",
            "_float_array(operand, np.float64, copy=True)",
        ),
    ],
    # -- operations --------------------------------------------------------------------------------
    "minigrad/ops/elementwise.py": [
        ("add: a dropped parent", "return dy, dy", "return dy, None"),
        ("subtract: a sign lost", "return dy, lambda: -dy", "return dy, dy"),
        (
            "multiply: a and b swapped",
            "return lambda: dy * b, lambda: dy * a",
            "return lambda: dy * a, lambda: dy * b",
        ),
        ("divide: a missing factor", "lambda: -dy * y / b", "lambda: -dy * y"),
        ("negative: a sign lost", "return (-dy,)", "return (dy,)"),
        (
            "power: the exponent 0.1% off",
            "dy * b * a ** (exponent - 1)",
            "dy * b * a ** (exponent * 0.999 - 1)",
        ),
        ("power: 0 times infinity at 0^0", "np.where(b == 0, 1, b)", "b"),
        ("power: y missing in db", "y * np.log(np.where(", "np.log(np.where("),
        ("power: 0 times -infinity in db", "constant = (a == 0) & (b >= 0)", "constant = a < a"),
        ("exp: 0.1% off", "(dy * y,)", "(dy * y * 1.001,)"),
        ("log: an eps against division by 0", "(dy / x,)", "(dy / (x + 1e-8),)"),
        ("sqrt: x for y", "dy / (2 * y)", "dy / (2 * x)"),
        ("abs: slope 1 at the kink", "dy * np.sign(x)", "dy * np.where(x < 0, -1, 1)"),
        ("tanh: x for y", "dy * (1 - y * y)", "dy * (1 - x * x)"),
        ("sigmoid: a missing factor", "dy * (z / (1 + z) ** 2)", "dy * (z / (1 + z))"),
        (
            "erf: the factor of the normal density",
            "2 / math.sqrt(math.pi)",
            "1 / math.sqrt(math.pi)",
        ),
        (
            "extremes: relu, 0 times an infinite gradient",
            "np.where(positive, dy, 0)",
            "dy * positive",
        ),
        ("relu: slope 1 at the kink", "positive = x > 0", "positive = x >= 0"),
        (
            "gelu: the other form's gradient",
            "kernels.gelu_vjp(x, dy, approximate)",
            'kernels.gelu_vjp(x, dy, "none")',
        ),
        (
            "maximum: of two that tie, each gets all",
            "half = np.where(tie, dy / 2, 0)",
            "half = np.where(tie, dy, 0)",
        ),
        (
            "maximum: of two that tie, the first gets all",
            "np.where(first, dy, half), lambda: np.where(first | tie, half, dy)",
            "np.where(first | tie, dy, 0), lambda: np.where(first | tie, 0, dy)",
        ),
        ("minimum: the larger gets the gradient", "(a < b, a == b)", "(a > b, a == b)"),
        ("where: both get all", "np.where(condition, 0, dy)", "dy"),
        (
            "clip: nothing comes through where a bound holds",
            "y = x if low is None else maximum(x, low)",
            "y = x if low is None else where(x._data >= low._data, x, low.detach())",
        ),
    ],
    "minigrad/ops/linalg.py": [
        (
            "matmul: b not transposed",
            "kernels.matmul(dy, column.swapaxes(-1, -2))",
            "kernels.matmul(dy, column.reshape(column.swapaxes(-1, -2).shape))",
        ),
        (
            "matmul: a row's gradient from the first batch only",
            "d.sum(axis=tuple(range(d.ndim - 1)))",
            "d[(slice(1),) * (d.ndim - 1)].sum(axis=tuple(range(d.ndim - 1)))",
        ),
        (
            "matmul: a column's gradient from the first batch only",
            "d[..., 0].sum(axis",
            "d[(slice(1),) * (d.ndim - 2)][..., 0].sum(axis",
        ),
    ],
    "minigrad/ops/reduce.py": [
        (
            "sum: a new axis at the end, wherever it was",
            "np.expand_dims(reduced, axis)",
            "np.expand_dims(reduced, tuple(range(reduced.ndim - len(shape), 0)))",
        ),
        (
            "sum: the gradient of the mean",
            "(np.broadcast_to(_restore(dy, shape, axis, keepdims), shape),)",
            "(np.broadcast_to(_restore(dy / _count(shape, axis), shape, axis, keepdims), shape),)",
        ),
        ("mean: not divided by n", "_restore(dy / n, shape", "_restore(dy, shape"),
        ("var: the 2 is missing", "dy * (2 * deviation /", "dy * (deviation /"),
        (
            "var: the correction forgotten on the way back",
            "2 * deviation / np.asarray(n, deviation.dtype)",
            "2 * deviation / np.asarray(n + correction, deviation.dtype)",
        ),
        (
            "max: of several that tie, each gets all",
            "np.where(chosen, dy / count, 0)",
            "np.where(chosen, dy, 0)",
        ),
        (
            "min: zeros for a gradient",
            "return _extreme(np.min, x, axis, keepdims)",
            "return _extreme(np.min, x, axis, keepdims)[0], lambda dy: (np.zeros_like(x),)",
        ),
        ("logsumexp: not divided by the sum", "e / np.where(total == 0, 1, total)", "e"),
        ("logsumexp: a row of -inf gives nan", "e / np.where(total == 0, 1, total)", "e / total"),
        (
            "logsumexp: the largest is not taken out",
            "np.where(np.isfinite(largest), largest, 0)",
            "0 * largest",
        ),
    ],
    "minigrad/ops/shape.py": [
        (
            "reshape: in another order",
            "return (dy.reshape(before),)\n\n    return x.reshape",
            'return (dy.reshape(before, order="F"),)\n\n    return x.reshape',
        ),
        ("transpose: the permutation not inverted", "dy.transpose(inverse)", "dy.transpose(axes)"),
        (
            "swapaxes: the right shape, not swapped back",
            "dy.swapaxes(axis1, axis2)",
            "dy.reshape(x.shape)",
        ),
        (
            "squeeze: zeros for a gradient",
            "return (dy.reshape(before),)\n\n    return np.squeeze",
            "return (np.zeros(before, dy.dtype),)\n\n    return np.squeeze",
        ),
        (
            "expand_dims: 0.1% off",
            "return (dy.reshape(before),)\n\n    return np.expand_dims",
            "return (dy.reshape(before) * 1.001,)\n\n    return np.expand_dims",
        ),
        (
            "broadcast_to: the mean over repetitions",
            "return (dy,)",
            "return (dy * (x.size / max(dy.size, 1)),)",
        ),
        ("getitem: duplicates lost", "np.add.at(dx, index, dy)", "dx[index] += dy"),
        ("index: stale, not copied", "array = np.array(index)", "array = np.asarray(index)"),
        ("getitem: a slice gets nothing", "dx[index] = dy  #", "dx[index] += 0  #"),
        (
            "concatenate: the parts in reverse",
            "tuple(np.split(dy, ends, axis))",
            "tuple(np.split(np.flip(dy, axis), ends, axis))",
        ),
        (
            "stack: cut off from the tape",
            "[expand_dims(tensor, axis) for",
            "[expand_dims(tensor.detach(), axis) for",
        ),
        ("split: cut off from the tape", "[x[(*before", "[x.detach()[(*before"),
    ],
    "minigrad/ops/nn.py": [
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
    ],
    # -- optimizers, clipping, schedules -----------------------------------------------------------
    "minigrad/optim.py": [
        (
            "another_dtype: a gradient put there by hand is taken as it is",
            "grad = np.asarray(param.grad, param.dtype)",
            "grad = param.grad",
        ),
        (
            "muon: the step not as long as AdamW's",
            "0.2 * math.sqrt(max(shape))",
            "math.sqrt(max(shape))",
        ),
        (
            "optim: the first's state only",
            "array[...] = given",
            "array[...] = array if i else given",
        ),
        (
            "optim: Muon's steps change places",
            "zip(kind, steps, strict",
            "zip(kind[::-1], steps, strict",
        ),
        ("optim: one norm for all", "norm(g, axis=(-2, -1), keepdims=True)", "norm(g)"),
        ("muon: no look ahead", "return m + (1 - self.momentum) * (grad - m)", "return m"),
        ("muon: weight decay forgotten", "(1 - lr * self.weight_decay) * self", "1 * self"),
        (
            "orthogonalized: one coefficient 0.1% off",
            "(3.4445, -4.7750, 2.0315)",
            "(3.4445, -4.7750, 2.0335)",
        ),
        ("sgd: no momentum", "self.b[i] *= self.momentum", "self.b[i] *= 0"),
        (
            "sgd: the gradient damped as in Adam",
            "self.b[i] += grad",
            "self.b[i] += (1 - self.momentum) * grad",
        ),
        (
            "tape: steps are written into the parameter's array",
            "param._data = np.asarray(new, param.dtype)",
            "param._data[...] = np.asarray(new, param.dtype)",
        ),
        (
            "adamw: one count of steps for all parameters",
            "self.steps[i] += 1",
            "self.steps = [self.steps[i] + 1] * len(self.params)",
        ),
        (
            "optim: gradients outlive zero_grad",
            "for param in self.params:\n            param.grad = None",
            "for param in self.params[1:]:\n            param.grad = None",
        ),
        (
            "clip: every parameter by a norm of its own",
            "param.grad *= param.dtype.type(max_norm / norm)",
            "param.grad *= param.dtype.type(max_norm / sum_of_squares(param.grad) ** 0.5)",
        ),
        ("clip: the square of the norm", "math.sqrt(sum(sum", "(sum(sum"),
        ("clip: small gradients grow", "if max_norm < norm < math.inf", "if 0 < norm < math.inf"),
        ("clip: the norm is summed up in float32", "dtype=np.float64).sum()", "dtype=None).sum()"),
        ("cosine: half as far", "math.cos(math.pi * done)", "math.cos(math.pi / 2 * done)"),
        ("cosine: rises again", "min(step / max(steps, 1), 1.0)", "step / max(steps, 1)"),
        ("warmup: starts at 0", "min((step + 1) / max(", "min(step / max("),
    ],
    "minigrad/gradcheck.py": [
        ("gradcheck: a cotangent of ones", "rng.standard_normal(y.shape)", "np.ones(y.shape)"),
        ("gradcheck: absolute", "abs(analytic), abs(numeric))", "abs(analytic * numeric))"),
        ("gradcheck: nan is no error", "if not error <= worst.error:", "if error > worst.error:"),
        ("gradcheck: entries are not put back", "point[index] = x\n    return", "return"),
        (
            "gradcheck: only the first input",
            "for i, x in enumerate(points) for",
            "for i, x in enumerate(points[:1]) for",
        ),
        ("gradcheck: a difference to one side", "point[index] = x - h", "point[index] = x"),
    ],
    "minigrad/threads.py": [
        ("threads: the rows left over get none", "rows * i // parts", "rows // parts * i"),
    ],
    "minigrad/kernels/compiled/team.py": [
        ("team: an error in another thread is lost", "raise error", "continue"),
        ("team: an error is kept", "error, self.error = self.error, None", "error = self.error"),
        ("team: all others get the second's rows", "part, *spans[part])", "part, *spans[1])"),
        ("team: nobody waits", "[member.wait() for member in members]", "[]"),
        ("team: a task's arrays are kept", "self.task = None  # the", "pass  # the"),
        ("team: one is enough", "while len(_members) < count:", "if not _members:"),
        ("team: taken for ever", '            del _taken["by"]', "            pass"),
        ("team: a call at exit is shared", '_taken["by"] = _dismiss', "pass"),
        ("team: a fork waits for threads it has not", "_members.clear()", "pass"),
    ],
}
