"""Seeded faults in `minigrad/tensor.py`."""

FAULTS = [
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
]
