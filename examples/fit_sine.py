"""Fit a sine with `minigrad` alone: a layer of 32 tanh units, squared error, AdamW.

Usage: python examples/fit_sine.py [--steps N]

Prints the loss, which falls from about 0.6 to less than 1e-5 in 1,000 steps, about a second. Then
draws the fit: o is the network's output, . is the sine where it differs from the output.
"""

import argparse
import math

import numpy as np

import minigrad as mg
from minigrad.optim import AdamW, cosine


def main() -> None:
    """Train, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps

    rng = np.random.default_rng(0)
    x = np.linspace(-math.pi, math.pi, 64)[:, None]
    want = np.sin(x)
    w1, b1 = parameter(rng.standard_normal((1, 32))), parameter(rng.standard_normal(32))
    w2, b2 = parameter(rng.standard_normal((32, 1)) / 32), parameter(np.zeros(1))
    optimizer = AdamW([w1, b1, w2, b2], weight_decay=0)
    schedule = cosine(0.02, steps)
    for step in range(steps + 1):
        y = mg.tanh(x @ w1 + b1) @ w2 + b2  # (64, 1) -> (64, 32) -> (64, 1)
        loss = ((y - want) ** 2).mean()
        if step % max(steps // 10, 1) == 0:
            print(f"step {step:5}  loss {loss.item():.6f}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.lr = schedule(step)
        optimizer.step()

    page = np.full((15, 64), " ")
    for column, values in enumerate(zip(want[:, 0], y.data[:, 0], strict=True)):
        for value, mark in zip(values, ".o", strict=True):
            page[round(7 - 7 * float(np.clip(value, -1, 1))), column] = mark
    print("\n".join("".join(row) for row in page))


def parameter(values: np.ndarray) -> mg.Tensor:
    """A leaf that is trained."""
    return mg.Tensor(values, requires_grad=True)


if __name__ == "__main__":
    main()
