"""Seeded faults in `minigrad/optim.py`."""

FAULTS = [
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
    (
        "edges: one tensor is taken for its rows",
        "    if isinstance(params, Tensor):\n",
        "    if False:\n",
    ),
]
