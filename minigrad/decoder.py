"""A transformer's blocks when they write: one position after the other, without gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad import kernels
from minigrad.tensor import Array


class Decoder:
    """Post-norm transformer blocks that keep the keys and values of the positions behind them.

    x = LayerNorm(x + CausalSelfAttention(x)), x = LayerNorm(x + MLP(x)), block after block: what
    the operations of the same names do to a whole sequence, at the cost of its last position.

    blocks: for each the 12 arrays of `kernels.reference.decode`, but weights as (outputs, inputs).
    They are copied: a step does not see what becomes of them later.

    Raises ValueError for a batch_size below 1, or arrays of other shapes.
    """

    def __init__(
        self,
        blocks: Sequence[Sequence[Array]],
        num_heads: int,
        batch_size: int,
        num_positions: int,
        eps: float = 1e-5,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, wanted at least 1")
        dtype = blocks[0][0].dtype.newbyteorder("=")
        self._blocks = tuple(
            np.array([array.T for array in kind], dtype, order="C")
            for kind in zip(*blocks, strict=True)
        )
        (count, D), N = self._blocks[3].shape, self._blocks[7].shape[-1]
        block = [(D, 3 * D), (3 * D,), (D, D), *[(D,)] * 3, (D, N), (N,), (N, D), *[(D,)] * 3]
        shapes = [kind.shape[1:] for kind in self._blocks]
        if shapes != block or D % num_heads:
            raise ValueError(f"blocks of {shapes}, {num_heads} heads, wanted {block}, D = Hd")
        shape = (count, batch_size, num_heads, D // num_heads, num_positions)
        self._keys, self._values = np.zeros((2, *shape), dtype)
        self._eps = eps
        self.position = 0

    def step(self, x: Array) -> Array:
        """The blocks' output at the next position.    x: (B, D) -> (B, D)

        Raises ValueError where all positions are used up, or x has another shape.
        """
        wanted = self._keys.shape[1], self._blocks[0].shape[1]
        if x.shape != wanted:
            raise ValueError(f"x has shape {x.shape}, wanted {wanted}")
        if self.position == self._keys.shape[4]:
            raise ValueError(f"all {self.position} positions are used up")
        x = x.astype(self._keys.dtype, copy=False)
        y = kernels.decode(x, self._blocks, self._keys, self._values, self.position, self._eps)
        self.position += 1
        return y
