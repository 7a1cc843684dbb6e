"""The processes of one training, which MPI calls ranks: what they tell each other.

They are those of `mpiexec -n 4 python -m mpi4py -m teenygpt_np.train`. Without `-m mpi4py` nothing
of MPI is imported, and there is one.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from teenygpt_np.errors import InputError

if TYPE_CHECKING:
    from minigrad import Array

_T = TypeVar("_T")
_R = TypeVar("_R")

# In which launchers say how many processes there are, which one this is, and how many of them are
# on this machine.
_ALL = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_NUMBER = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
_HERE = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE")


class Map(Protocol):
    """[work(item) for item in items], whoever does it."""

    def __call__(self, work: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """In the order of the items."""


@dataclass(frozen=True)
class Ranks:
    """number: of this process, 0 .. count - 1.    comm: MPI's communicator, None if count is 1"""

    number: int = 0
    count: int = 1
    comm: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes, prints and locks."""
        return self.number == 0

    def gathered(self, value: _T) -> list[_T]:
        """What each rank gives, in their order. Every rank must call it, as all that follow."""
        return [value] if self.comm is None else self.comm.allgather(value)

    def to_first(self, value: _T) -> list[_T] | None:
        """As `gathered`, but for the first rank alone; None for the others."""
        return [value] if self.comm is None else self.comm.gather(value)

    def from_first(self, value: _T) -> _T:
        """What the first rank gives."""
        return value if self.comm is None else self.comm.bcast(value)

    def choose_backend(self, begun_with: str = "") -> None:
        """As minigrad's, but all take what the first finds: with others they had other bits."""
        import minigrad as mg

        mg.choose_backend(self.from_first(mg.choose_backend(begun_with) if self.is_first else ""))

    def map(
        self,
        work: Callable[[_T], _R],
        items: Iterable[_T],
        before: Callable[[], object] = lambda: None,
    ) -> list[_R]:
        """[work(item) for item in items], of which each rank does its share; all get the whole.

        before: called before each round, in which every rank does one item, or the last of them
            none. Every rank calls it as often, so the ranks may talk in it.
        """
        own, rounds = [], 0
        for number, item in enumerate(items):
            place = number % self.count
            if place == 0:
                before()
                rounds += 1
            if place == self.number:
                own.append(work(item))
        found = self.gathered(own)
        return [part[i] for i in range(rounds) for part in found if i < len(part)]

    def added_up(self, shards: Sequence[Array], sizes: Sequence[int]) -> Array:
        """shard_0 + shard_1 + ... of all ranks, in this order, of this rank's part of the entries.

        shards: (n) arrays of sum(sizes) entries, n the same on each rank
        sizes: how many entries are each rank's to add up
        """
        import numpy as np

        if self.comm is None:
            received = list(shards)
        else:
            ends = np.cumsum(sizes)
            parts = [
                shard[end - size : end]
                for size, end in zip(sizes, ends, strict=True)
                for shard in shards
            ]
            n, own = len(shards), sizes[self.number]
            found = np.empty(n * self.count * own, shards[0].dtype)
            self.comm.Alltoallv(
                [shards[0] if n == 1 else np.concatenate(parts), [n * size for size in sizes]],
                [found, [n * own] * self.count],
            )
            received = list(found.reshape(n * self.count, own))
        total = received[0].copy()
        for other in received[1:]:
            total += other
        return total

    def joined(self, part: Array, sizes: Sequence[int]) -> Array:
        """The parts of all ranks one after the other.    sizes: of each rank's part"""
        import numpy as np

        if self.comm is None:
            return part
        whole = np.empty(sum(sizes), part.dtype)
        self.comm.Allgatherv(part, [whole, list(sizes)])
        return whole


ALONE = Ranks()
alone: Map = ALONE.map  # as one process does it


@functools.cache
def ranks() -> Ranks:
    """Those of this process.

    Raises InputError if it is one of several that do not know each other: they would train one
    model each. Of these only the first raises it, and the others exit.
    """
    wanted = "mpiexec -n {} python -m mpi4py -m ..."
    if "mpi4py" in sys.modules:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
        if comm.size > 1:
            return Ranks(comm.rank, comm.size, comm)
        wanted = "an mpiexec of the MPI that mpi4py uses, or srun --mpi=pmi2 for MPICH's wheel"
    if (count := _said(_ALL)) > 1:
        if _said(_NUMBER) > 0:
            sys.exit(2)  # the first one says why
        raise InputError(
            f"this is one of {count} processes that know nothing of each other; wanted "
            + wanted.format(count)
        )
    return Ranks()


def on_this_machine() -> int:
    """How many processes of the training are on this machine, as far as the launcher says."""
    return max(_said(_HERE), 1)


def _said(names: Sequence[str]) -> int:
    """The number that the first of these environment variables has; 0 if none has one.

    SLURM writes 4(x2),3 of two machines with four processes each and one with three.
    """
    values = (re.findall(r"(?<!x)\b\d+", os.environ.get(name, "")) for name in names)
    return next((max(map(int, numbers)) for numbers in values if numbers), 0)
