"""How much a model recalls: pairs of a key and a value, then the keys again in another order.

Usage: python examples/recall.py [--mixer NAME] [--steps N]

After each key of the second part the model has to give the value that stood behind it in the first.
Two blocks of one mixer are trained on random rows, each mixer for the same number of steps, and
then asked about rows that they have not seen. Prints the share of values recalled; guessing gets
one in 16. This is multi-query associative recall, by Arora et al., Zoology, 2023, arXiv:2312.04927.
All nine mixers together take some minutes.
"""

import argparse

import numpy as np

from minigrad import Array
from minigrad.optim import AdamW, clip_grad_norm, cosine, warmup
from teenygpt_np import TeenyGPT
from teenygpt_np.model.mixers import MIXERS

KEYS, VALUES, PAIRS = 16, 16, 8
BATCH, WIDTH, HEADS, LR = 64, 64, 4, 3e-3


def rows(rng: np.random.Generator, count: int) -> Array:
    """Ids of `count` rows, each of PAIRS keys with their values, and of the same pairs shuffled.

    -> (count, 4 PAIRS): no key stands in two pairs; values have the ids from KEYS on.
    """
    keys = rng.permuted(np.tile(np.arange(KEYS), (count, 1)), axis=1)[:, :PAIRS]
    pairs = np.stack([keys, KEYS + rng.integers(0, VALUES, keys.shape)], axis=-1)
    order = rng.permuted(np.tile(np.arange(PAIRS), (count, 1)), axis=1)
    again = np.take_along_axis(pairs, order[..., None], axis=1)
    return np.concatenate([pairs, again], axis=1).reshape(count, -1)


def recalled(mixer: str, steps: int) -> float:
    """Train two blocks of the mixer; the share of values that they recall in 512 new rows."""
    rng = np.random.default_rng(0)
    model = TeenyGPT(4 * PAIRS, KEYS + VALUES, WIDTH, 2, HEADS, 0.0, 2, mixers=[mixer], rng=rng)
    optimizer = AdamW(model.parameters(), lr=LR, weight_decay=0.0)
    schedule = warmup(steps // 10, cosine(LR, steps))
    asked = np.arange(4 * PAIRS) >= 2 * PAIRS
    asked &= np.arange(4 * PAIRS) % 2 == 1  # the values of the second part
    for step in range(steps):
        x = rows(rng, BATCH)
        optimizer.lr = schedule(step)
        optimizer.zero_grad()
        model.loss(x, np.broadcast_to(asked, x.shape)).backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
    x = rows(rng, 512)
    return float(model.top1(x, np.broadcast_to(asked, x.shape)).mean())


def main() -> None:
    """Train and ask; a line for each mixer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mixer", choices=MIXERS, help="only this one")
    parser.add_argument("--steps", type=int, default=600)
    args = parser.parse_args()
    print("| mixer | share of values recalled |\n| --- | --- |")
    for mixer in [args.mixer] if args.mixer else MIXERS:
        print(f"| {mixer} | {recalled(mixer, args.steps):.3f} |", flush=True)


if __name__ == "__main__":
    main()
