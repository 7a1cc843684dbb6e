"""Seeded faults in `minigrad/differentiable.py`."""

FAULTS = [
    (
        "tape: constants are followed",
        "isinstance(o, Tensor) and o.requires_grad and not f",
        "isinstance(o, Tensor) and not f",
    ),
    (
        "frozen: all is needed",
        "tuple([parent is not None for parent in parents])",
        "tuple([True for parent in parents])",
    ),
    (
        "frozen: a trace gives the line of what tells a vjp",
        "    told.__wrapped__ = vjp",
        "    pass",
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
]
