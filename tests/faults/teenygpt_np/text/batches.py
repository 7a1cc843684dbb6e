"""Seeded faults in `teenygpt_np/text/batches.py`."""

FAULTS = [
    (
        "batch: a small text is one batch",
        "len(lengths) // _LEAST_BATCHES)",
        "len(lengths))",
    ),
    (
        "batch: fewer than batch_size where lines are long",
        "return max(batch_size, wanted)",
        "return max(1, wanted)",
    ),
    (
        "batch_tokens: pads that count are no tokens",
        "np.full(len(self), self.width) if padded else self.lengths",
        "self.lengths",
    ),
    (
        "batch: the end mark does not count",
        "(places < self.extent(rows)[1][:, None])",
        "(places < self.extent(rows)[1][:, None] - 1)",
    ),
    (
        "batch: rows are cut too early",
        "lengths.max(initial=0)",
        "lengths.max(initial=1) - 1",
    ),
    (
        "batch: what lies behind a row is in its padding",
        "found[places >= lengths[:, None]] = self.tokenizer.pad",
        "pass",
    ),
    (
        "running: windows overlap by two",
        "return np.arange(0, len(self.ids) - 1, self.num_tokens * step)",
        "return np.arange(0, len(self.ids) - 1, max(self.num_tokens - 1, 1) * step)",
    ),
    (
        "running: windows always begin at the same places",
        "return cut_up(first + T * rng.permutation(number), batch_size)",
        "return cut_up(T * rng.permutation(number), batch_size)",
    ),
    (
        "running: the last token is not predicted",
        "np.minimum(self.width, len(self.ids) - rows)",
        "np.minimum(self.width, len(self.ids) - 1 - rows)",
    ),
    (
        "running: only the first rows are scored",
        "return self.every(step)",
        "return self.in_order[: -(-len(self) // step)]",
    ),
    (
        "running: a text of one token too few fills a batch",
        "return (batch_size + (batch_size > 1)) * self.num_tokens + 1",
        "return batch_size * self.num_tokens + 1",
    ),
]
