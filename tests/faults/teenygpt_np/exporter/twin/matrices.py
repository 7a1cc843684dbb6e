"""Seeded faults in `teenygpt_np/exporter/twin/matrices.py`."""

FAULTS = [
    (
        "every_bit: a column's scale, not a row's",
        "quantize(weight)\n",
        "quantize(weight.T)\n        whole = whole.T\n",
    ),
    (
        "every_bit: the input is not quantized",
        "whole, scale = quantize(x)",
        "whole, scale = x, np.float32(1)",
    ),
    (
        "every_bit: from the last input to the first",
        "zip(self._columns[inputs, outputs], x.T,",
        "zip(self._columns[inputs, outputs][::-1], x.T[::-1],",
    ),
]
