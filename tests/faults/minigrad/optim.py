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
        "optim: values change places",
        "self.params[i]._data = values[i]",
        "self.params[i]._data = values[numbers[-1]]",
    ),
    (
        "optim: a value set by hand is overlooked",
        "array is not view or view.base is not flat for",
        "view.base is not flat for",
    ),
    (
        "optim: a deep copy is taken for a view",
        "array is not view or view.base is not flat for",
        "array is not view for",
    ),
    (
        "optim: a flat array of all, which takes memory",
        "(end - param.size) // _STRETCH",
        "0",
    ),
    (
        "optim: all is copied at every step",
        "known.get(i, _Group(i))",
        "_Group(i)",
    ),
    (
        "optim: parameters of two dtypes in one array",
        "return self.params[i].dtype, self._stretches[i]",
        "return self._stretches[i]",
    ),
    ("optim: one norm for all", "norm(g, axis=(-2, -1), keepdims=True)", "norm(g)"),
    ("muon: no look ahead", "ahead = m + damped * (grad - m)", "ahead = m"),
    ("muon: weight decay forgotten", "(1 - lr * self.weight_decay) * param", "1 * param"),
    (
        "orthogonalized: one coefficient 0.1% off",
        "(3.4445, -4.7750, 2.0315)",
        "(3.4445, -4.7750, 2.0335)",
    ),
    ("sgd: no momentum", "b *= self.momentum", "b *= 0"),
    (
        "sgd: the gradient damped as in Adam",
        "b += grad",
        "b += (1 - self.momentum) * grad",
    ),
    (
        "tape: steps are written into the parameter's array",
        "self.params[i]._data = values[i]",
        "self.params[i]._data[...] = values[i]",
    ),
    (
        "adamw: one count of steps for all parameters",
        "return super()._kind(i), int(self.steps[i])",
        "return super()._kind(i)",
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
    ("clip: the square of the norm", "math.sqrt(summed([sum", "(summed([sum"),
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
