"""The gradient of a batch from its shards, and steps whose work is shared out among ranks.

A batch is cut into a fixed number of shards. The gradient of each is computed with random numbers
of its own, and they are added in their order: whichever ranks have computed them, the sum has the
same bits. Each rank adds up, clips and steps its share of the parameters, and all get the results.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad import Array
from minigrad.optim import Optimizer, clip_grad_norm
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.module import Module
from teenygpt_np.ranks import Ranks
from teenygpt_np.text.tokenizer import Ids


class BatchLoss(NamedTuple):
    """Of a batch or a shard: what was minimized, nats and units as of `Loss`, and its tokens."""

    minimized: float = 0.0
    nats: float = 0.0
    units: int = 0
    tokens: int = 0


class DataParallel:
    """The parameters of a model that some ranks train together.

    owned: those that this rank adds up and steps, neighbours in the order of the parameters

    Raises InputError if the ranks cannot have as many shards each.
    """

    def __init__(
        self, ranks: Ranks, model: Module, config: Config, rng: np.random.Generator
    ) -> None:
        if config.shards % ranks.count:
            raise InputError(
                f"--shards is {config.shards}, wanted a multiple of {ranks.count}, the number of "
                "processes"
            )
        self.ranks, self.shards, self.seed, self.rng = ranks, config.shards, config.seed, rng
        # Without others, or where their order does not matter, one sum at a time is kept.
        self.adds_at_once = ranks.count == 1 or config.reduction == "fast"
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.names, self.parameters = [name for name, _ in named], [p for _, p in named]
        ends = list(itertools.accumulate(p.size for p in self.parameters))
        sized = list(zip(ends, [p.size for p in self.parameters], strict=True))
        self.places = [slice(end - size, end) for end, size in sized]  # in a flat array of all
        total, count = ends[-1], ranks.count
        owners = [min(int((end - size / 2) * count / total), count - 1) for end, size in sized]
        self.sizes = [0] * count
        for owner, parameter in zip(owners, self.parameters, strict=True):
            self.sizes[owner] += parameter.size
        self.owned = [
            p for owner, p in zip(owners, self.parameters, strict=True) if owner == ranks.number
        ]

    def gradients(self, rows: Ids, step: int, backward: Callable[[Ids], BatchLoss]) -> BatchLoss:
        """Compute the gradient of a batch; each owned parameter gets its own, others None.

        backward: of some rows, adds the gradient of the mean of their losses to the parameters
        """
        if self.shards == 1:
            return backward(rows)
        flat, losses, has = self._own(rows, step, backward)
        everywhere = self.ranks.gathered((losses, has))
        self._set(self.ranks.added_up(flat, self.sizes), np.any([h for _, h in everywhere], axis=0))
        every = list(itertools.chain.from_iterable(losses for losses, _ in everywhere))
        return BatchLoss(*(sum(values) for values in zip(*every, strict=True)))

    def again(self, rows: Ids, step: int, backward: Callable[[Ids], BatchLoss]) -> None:
        """Compute once more what this rank computes of a batch, without the others."""
        if self.shards == 1:
            backward(rows)
        else:
            self._own(rows, step, backward)

    def _own(
        self, rows: Ids, step: int, backward: Callable[[Ids], BatchLoss]
    ) -> tuple[list[Array], list[BatchLoss], Any]:
        """Of this rank's shards: flat gradients, losses, and which parameters have a gradient."""
        before = self.rng.bit_generator.state
        flat, losses, has = list[Array](), list[BatchLoss](), np.zeros(len(self.parameters), bool)
        for part in self._parts(rows, step):
            share = len(part) / len(rows)
            loss = backward(part) if len(part) else BatchLoss()
            losses.append(BatchLoss(loss.minimized * share, *loss[1:]))
            has |= [p.grad is not None for p in self.parameters]
            flat.append(self._flat(share))
            if self.adds_at_once and len(flat) == 2:
                flat = [flat[0] + flat[1]]
        self.rng.bit_generator.state = before
        return flat, losses, has

    def last_rank(self, num_rows: int) -> int:
        """The rank of the last shard that has any of so many rows."""
        return (min(num_rows, self.shards) - 1) * self.ranks.count // self.shards

    def _parts(self, rows: Ids, step: int) -> Iterator[Ids]:
        """The rows of each shard of this rank; each time with its random numbers."""
        each = self.shards // self.ranks.count
        parts = np.array_split(rows, self.shards)
        for shard in range(self.ranks.number * each, (self.ranks.number + 1) * each):
            seeds = np.random.SeedSequence([self.seed, step, shard])
            self.rng.bit_generator.state = np.random.PCG64(seeds).state
            yield parts[shard]

    def _flat(self, share: float) -> Array:
        """Take all gradients, times `share`, one after the other; 0 where there is none."""
        flat = np.zeros(sum(self.sizes), self.parameters[0].dtype)
        for parameter, place in zip(self.parameters, self.places, strict=True):
            if parameter.grad is not None:
                grad = parameter.grad.reshape(-1)
                np.multiply(grad, flat.dtype.type(share), out=flat[place])
                parameter.grad = None
        return flat

    def _set(self, flat: Array, has: Sequence[bool]) -> None:
        """Give the owned parameters their gradients, if any rank has computed one."""
        some = {id(p) for p, is_there in zip(self.parameters, has, strict=True) if is_there}
        start = 0
        for parameter in self.owned:
            if id(parameter) in some:
                parameter.grad = flat[start : start + parameter.size].reshape(parameter.shape)
            start += parameter.size

    def clip(self, max_norm: float) -> float:
        """Scale the owned gradients as one process would, by the norm of all; returns that norm."""

        def summed(own: list[float]) -> float:
            return sum(itertools.chain.from_iterable(self.ranks.gathered(own)))

        return clip_grad_norm(self.owned, max_norm, summed=summed)

    def all_gradients(self) -> dict[str, Array]:
        """The gradients of all parameters that have one, by their names."""
        own = [np.zeros(p.shape, p.dtype) if p.grad is None else p.grad for p in self.owned]
        has = itertools.chain.from_iterable(
            self.ranks.gathered([p.grad is not None for p in self.owned])
        )
        found = zip(self.names, self._all(own), has, strict=True)
        return {name: grad for name, grad, is_there in found if is_there}

    def spread(self) -> None:
        """Give all ranks the parameters as their owners have them after a step."""
        if self.ranks.count > 1:
            own = {id(p) for p in self.owned}
            whole = self._all([p.data for p in self.owned])
            for parameter, data in zip(self.parameters, whole, strict=True):
                if id(parameter) not in own:
                    parameter.data = data

    def owned_by(self, optimizer: Optimizer) -> set[int]:
        """The numbers that the owned parameters have in an optimizer."""
        own = {id(p) for p in self.owned}
        return {i for i, p in enumerate(optimizer.params) if id(p) in own}

    def _all(self, own: list[Array]) -> list[Array]:
        none = np.zeros(0, self.parameters[0].dtype)  # a rank may own no parameter
        whole = self.ranks.joined(np.concatenate([none, *own], axis=None), self.sizes)
        placed = zip(self.places, self.parameters, strict=True)
        return [whole[place].reshape(p.shape) for place, p in placed]
