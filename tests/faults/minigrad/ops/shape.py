"""Seeded faults in `minigrad/ops/shape.py`."""

FAULTS = [
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
]
