"""Every mixer against the article's Table 1: what training and writing cost as the text grows.

    python benchmarks/table1.py --rounds 1 --json

One mixer alone, D = 96, 8 heads, one sequence, float32. Training is forward and backward of N
tokens; its memory is by how much the peak of the process rises in it. Writing is one token after a
prefix. The exponents are slopes of log cost against log N, fitted over the longer half of the
sizes: 0 is O(1), 1 is O(N), 2 is O(N^2). `python docs/figures.py` draws the times.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import time
from typing import Any

import sides
from mixers import mixer_and_input

WIDTH, HEADS = 96, 8
LENGTHS, POSITIONS = (128, 256, 512, 1024, 2048, 4096, 8192), (8, 32, 125, 500, 2000, 8000)
SHORT_LENGTHS, SHORT_POSITIONS = (32, 64, 128), (2, 20, 40)
SHORT_MIXERS = ("attention", "s4")
TOKENS = 16  # written from each position on

# What the article says of a written token's time and memory, of doing all tokens of a training step
# in parallel, and of the time and memory of such a step.
CONSTANT = ("O(1)", "O(1)", "yes", "O(N)", "O(N)")
RECURRENT = ("O(1)", "O(1)", "no", "O(N)", "O(N)")
ARTICLE = {
    "attention": ("O(N)", "O(N)", "yes", "O(N^2)", "O(N)"),
    "linear-attention": CONSTANT,
    "retnet": CONSTANT,
    "rwkv": CONSTANT,
    "s4": ("O(1)", "O(1)", "yes", "O(N log N)", "O(N)"),
    "mamba": CONSTANT,
    "rnn": RECURRENT,
    "gru": RECURRENT,
    "convolution": ("-",) * 5,  # not in the article's table
}


def mixer_and_sequence(name: str, length: int) -> tuple[Any, Any]:
    """A mixer, and a random sequence as its input."""
    import minigrad as mg

    mixer, x = mixer_and_input(name, (1, length, WIDTH, HEADS))
    return mixer, mg.Tensor(x, requires_grad=True)


def train(name: str, length: int, budget: float) -> tuple[float, float]:
    """Forward and backward of `length` tokens: ms, and the MB by which the process' peak rises."""
    mixer, x = mixer_and_sequence(name, length)

    def step(x: Any) -> None:
        mixer.zero_grad()
        y = mixer(x)
        y.backward(y.data)

    step(x[:, :64])  # loads the kernels
    before = sides.peak_memory(resource.getrusage(resource.RUSAGE_SELF))
    ms = 1e3 * sides.seconds(lambda: step(x), budget)
    rise = sides.peak_memory(resource.getrusage(resource.RUSAGE_SELF)) - before
    return ms, max(rise, 0.01)  # which has a logarithm


def train_by_one(name: str, length: int, budget: float) -> tuple[float, float]:
    """The same by one thread."""
    for variable in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
        os.environ[f"{variable}_NUM_THREADS"] = "1"  # of this process, before it loads NumPy
    return train(name, length, budget)


def write(name: str, positions: tuple[int, ...]) -> tuple[int, list[float], list[int]]:
    """The number of parameters; after each prefix the us for a token and the bytes of state."""
    import minigrad as mg

    mixer, x = mixer_and_sequence(name, positions[-1] + TOKENS)
    us, held, read = [], [], 0
    with mg.no_grad():
        mixer(x[:, :1], mixer.initial_state(1))  # loads the kernels
        state = mixer.initial_state(1)
        for position in positions:
            mixer(x[:, read:position], state)
            held.append(num_bytes(state))
            read, times = position + TOKENS, []
            for t in range(position, read):
                start = time.perf_counter()
                mixer(x[:, t : t + 1], state)
                times.append(time.perf_counter() - start)
            us.append(1e6 * statistics.median(times))
    return mixer.num_parameters(), us, held


def num_bytes(state: Any) -> int:
    """Of all arrays in a state."""
    if hasattr(state, "nbytes"):
        return int(state.nbytes)
    parts = state if isinstance(state, tuple) else vars(state).values()
    return sum(num_bytes(part) for part in parts if not isinstance(part, int))


def exponent(sizes: tuple[int, ...], costs: list[float]) -> str:
    """b of a N^b, fitted to the costs at the longer half of the sizes N."""
    half = len(sizes) // 2
    logs = [[math.log(value) for value in values[half:]] for values in (sizes, costs)]
    return f"{statistics.linear_regression(*logs).slope + 0:.2f}"


def main() -> None:
    """Print four tables in Markdown."""
    args = sides.arguments(__doc__, rounds=3, only=True)
    lengths, positions, budget = (
        (SHORT_LENGTHS, SHORT_POSITIONS, 0) if args.short else (LENGTHS, POSITIONS, 0.5)
    )
    times, memory, tokens, table = [], [], [], []
    for name, (token, state, parallel, time_, memory_) in ARTICLE.items():
        if args.only not in name or (args.short and name not in SHORT_MIXERS):
            continue
        work: dict[str, sides.Task] = {str(N): (train, name, N, budget) for N in lengths}
        work["one thread"] = (train_by_one, name, lengths[-2], budget)
        work["writing"] = (write, name, positions)
        found, _ = sides.alternate(name, work, args.rounds)
        writing, one = found.pop("writing"), [ms for ms, _ in found.pop("one thread")]
        both = [ms for ms, _ in found[str(lengths[-2])]]
        ms, mb = (
            [statistics.median(point[i] for point in rounds) for rounds in found.values()]
            for i in (0, 1)
        )
        us = [
            statistics.median(values) for values in zip(*(us for _, us, _ in writing), strict=True)
        ]
        parameters, _, held = writing[0]
        times.append({"mixer": name} | dict(zip(found, ms, strict=True)))
        memory.append({"mixer": name} | dict(zip(found, mb, strict=True)))
        row: sides.Row = {"mixer": name, "parameters": parameters}
        row |= {f"at {p}, us": cost for p, cost in zip(positions, us, strict=True)}
        row |= {f"state at {positions[i]}, bytes": held[i] for i in (0, -1)}
        tokens.append(row)
        row = {"mixer": name, "a token: time": f"{token}: {exponent(positions, us)}"}
        row["a token: state"] = f"{state}: {exponent(positions, held)}"
        row["training: time"] = f"{time_}: {exponent(lengths, ms)}"
        row["training: memory"] = f"{memory_}: {exponent(lengths, mb)}"
        row["parallel"] = parallel
        row[f"by {args.threads} threads"] = sides.median_ratio(one, both)
        table.append(row)
    sides.report(args, table1=table, table1_time=times, table1_memory=memory, table1_token=tokens)


if __name__ == "__main__":
    main()
