"""Seeded faults in `teenygpt_np/training/parallel.py`."""

FAULTS = [
    (
        "parallel: a small shard counts as much as a large one",
        "share = len(part) / len(rows)",
        "share = 1 / self.shards",
    ),
    (
        "parallel: all shards have the same random numbers",
        "[self.seed, step, shard]",
        "[self.seed, step]",
    ),
    (
        "parallel: the gradient of the last shard has that of the others in it",
        "                parameter.grad = None\n",
        "",
    ),
    (
        "parallel: the random numbers of the last shard go on",
        "        self.rng.bit_generator.state = before\n",
        "",
    ),
    (
        "parallel: what is told is not weighted",
        "BatchLoss(loss.minimized * share,",
        "BatchLoss(loss.minimized,",
    ),
    (
        "parallel: the norm is that of the owned parameters, once more",
        "sum(itertools.chain.from_iterable(self.ranks.gathered(own)))",
        "2 * sum(own)",
    ),
    (
        "parallel: each rank saves what it does not own as well",
        "{i for i, p in enumerate(optimizer.params) if id(p) in own}",
        "set(range(len(optimizer.params)))",
    ),
]
