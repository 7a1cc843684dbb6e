"""Seeded faults in `minigrad/tensor.py`."""

FAULTS = [
    (
        "tape: a detached tensor that is not",
        "        return Tensor._wrap(self._data)",
        "        return self",
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
    (
        "in_place: a leaf is left as it was",
        "        self.data = result._data\n        return self\n",
        "        return result\n",
    ),
    (
        "edges: a deep copy of a result",
        'if self._node is not None:\n            raise TypeError(\n                "deepcopy',
        'if False:\n            raise TypeError(\n                "deepcopy',
    ),
]
