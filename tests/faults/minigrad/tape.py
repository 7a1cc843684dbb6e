"""Seeded faults in `minigrad/tape.py`."""

FAULTS = [
    (
        "tape: = for += at a leaf used twice",
        "dx if known is None else known + dx",
        "dx if known is None or not isinstance(x, Node) else known + dx",
    ),
    (
        "tape: = for += at a node used twice",
        "dx if known is None else known + dx",
        "dx if known is None or isinstance(x, Node) else known + dx",
    ),
    (
        "tape: = for += at all that is used twice",
        "dx if known is None else known + dx",
        "dx",
    ),
    (
        "tape: += into an array that two operands share",
        "dx if known is None else known + dx",
        "dx if known is None else np.add(known, dx, known)",
    ),
    (
        "tape: the walk goes from the first made to the last",
        "key=lambda node: node.number, reverse=True",
        "key=lambda node: node.number",
    ),
    (
        "tape: the walk goes in the order in which nodes are found",
        "sorted(found, key=lambda node: node.number, reverse=True)",
        "list(dict.fromkeys([output, *found]))",
    ),
    (
        "tape: only the first parent is followed",
        "stack.extend(node.parents)",
        "stack.extend(node.parents[:1])",
    ),
    (
        "tape: only the first parent gets a gradient",
        "zip(node.parents, node.vjp(dy), strict=True)",
        "zip(node.parents[:1], node.vjp(dy), strict=False)",
    ),
    (
        "tape: a leaf has its gradient before the walk has ended",
        "                known = gradients.get(x)\n",
        "                if not isinstance(x, Node):\n"
        "                    _add_to_grad(x, dx)\n"
        "                    continue\n"
        "                known = gradients.get(x)\n",
    ),
    (
        "tape: what was kept is never freed",
        "self.vjp, self.parents = None, ()",
        "pass",
    ),
    ("tape: leaves are held", "self.vjp, self.parents = None, ()", "self.vjp = None"),
    (
        "tape: what was kept is freed even if it is to be retained",
        "if not retain_graph:",
        "if True:",
    ),
    (
        "tape: a cotangent is kept to the end of the walk",
        "    for node in _last_made_first(output):\n        dy = gradients.pop(node, None)\n",
        "    held = []\n    for node in _last_made_first(output):\n"
        "        dy = gradients.pop(node, None)\n        held.append(dy)\n",
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
        "_sum_to(dx, x.shape).astype(x.dtype, copy=False)",
        "_sum_to(dx, x.shape)",
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
]
