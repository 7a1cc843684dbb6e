"""Seeded faults in `teenygpt_np/ranks.py`, which only several processes notice (extra mpi)."""

FAULTS = [
    (
        "parallel: a rank's own shards are added first",
        "        total = received[0].copy()\n        for other in received[1:]:\n",
        "        total = received[self.number].copy()\n"
        "        for other in received[: self.number] + received[self.number + 1 :]:\n",
    ),
    (
        "parallel: results are in the order of the ranks",
        "for i in range(rounds) for part in found if i < len(part)",
        "for part in found for i in range(len(part))",
    ),
]
