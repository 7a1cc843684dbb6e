"""S4D, as a recurrence: the twin of `s4.c`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import sigmoid
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, zeros

MODES = 8


class S4(MixerTwin):
    """s = e^(dt A) s + x, y = GLU(W gelu(2 Re sum of w s + d x) + b); see the C file.

    The weights of the modes are those of `S4DKernel`, computed once in float64.
    """

    name = "s4"
    needs = ("sigmoid.c",)

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        double = {name: array.astype(np.float64) for name, array in weights.items()}
        a = -np.exp(double["kernel.log_A_real"]) + 1j * double["kernel.A_imag"]
        decay = np.exp(np.exp(double["kernel.log_dt"])[:, None] * a)
        c = double["kernel.C"][..., 0] + 1j * double["kernel.C"][..., 1]
        w = c * (decay - 1) / a
        parts = {"decay_re": decay.real, "decay_im": decay.imag, "w_re": w.real, "w_im": w.imag}
        self._parts = {name: part.astype(np.float32) for name, part in parts.items()}
        self._d = weights["D"]
        self._out = kind(weights["output_linear.0.weight"], weights["output_linear.0.bias"])
        self.fields = {"out": self._out, **self._parts, "d": self._d}

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """N."""
        return {"MODES": str(MODES)}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """s, as the real and the imaginary part."""
        return [("float", 2 * MODES * sizes.width)]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """What is multiplied, and the product."""
        return [("float", 3 * sizes.width)]

    def start(self, batch_size: int) -> Any:
        """s: (2, B, D, N)"""
        return zeros(2, batch_size, self.sizes.width, MODES)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        re, im = state.copy()
        decay_re, decay_im, w_re, w_im = self._parts.values()
        state[0] = (decay_re * re - decay_im * im) + x[..., None]
        state[1] = decay_re * im + decay_im * re
        terms = w_re * state[0] - w_im * state[1]
        sums = np.zeros_like(x)
        for n in range(MODES):
            sums = sums + terms[..., n]
        channels = self._out.gelu(np.float32(2) * sums + self._d * x)
        a, b = np.split(self._out(channels), 2, axis=1)
        return a * sigmoid(b)
