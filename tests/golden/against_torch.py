"""Compare the article's model with PyTorch's at three sizes; status 1 if a bound is broken.

    python tests/golden/against_torch.py [t40] [t80] [article]

Needs PyTorch, and for the article's size much memory and time: README.md beside this file has the
figures of one run.
"""

from __future__ import annotations

import sys

import numpy as np
from peers import (
    ADAMW,
    SEED,
    SIZES,
    STEPS,
    Array,
    batches,
    of_the_extra_bench,
    relative_to_largest,
    train,
    weights,
)

import minigrad as mg
from minigrad import optim
from teenygpt_np import TeenyGPT

with of_the_extra_bench():
    import torch
    from torch_teenygpt import TeenyGPT as TorchTeenyGPT

# The worst errors allowed: of a log-probability; of the loss, relative; of a gradient's entry,
# relative to the gradient's largest; of a loss among those of STEPS steps, relative. Rounding makes
# up to a quarter of them in float32, far less in float64.
BOUNDS = {"float32": (1e-5, 1e-6, 1e-5, 1e-5), "float64": (1e-12, 1e-13, 1e-12, 1e-12)}


def main() -> bool:
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, NumPy {np.__version__}, backend {mg.get_backend()}\n")
    print("| size | dtype | log_probs | loss | gradients, worst of | curve, nats |")
    print("|---|---|---|---|---|---|", flush=True)
    broken = False
    for size in sys.argv[1:] or SIZES:
        for dtype, bounds in BOUNDS.items():
            # In float64 PyTorch would take two hours for the article's steps.
            steps = 0 if (size, dtype) == ("article", "float64") else STEPS
            worst, losses, errors = compare(size, dtype, steps)
            log_probs, loss, gradient, curve = (f"{error:.1e}" for error in errors)
            steps_made = f"{curve}, {losses[0]:.1f} to {losses[-1]:.1f}" if steps else "not run"
            cells = (size, dtype, log_probs, loss, f"{gradient}, `{worst}`", steps_made)
            print(f"| {' | '.join(cells)} |", flush=True)
            broken |= not all(error <= bound for error, bound in zip(errors, bounds, strict=True))
    return broken


def compare(size: str, dtype: str, steps: int) -> tuple[str, list[float], list[float]]:
    """The gradient that differs most, our losses, and the errors that BOUNDS limits."""
    theirs = TorchTeenyGPT(*SIZES[size]).to(getattr(torch, dtype))
    ours = TeenyGPT(*SIZES[size], positions="learned", dtype=dtype)
    start = weights(theirs.state_dict(), SEED)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in start.items()})
    ours.load_state_dict({name: array.astype(dtype) for name, array in start.items()})
    ids = batches(size)
    x = ids[0]

    with torch.no_grad(), mg.no_grad():
        log_probs = theirs.log_probs(torch.from_numpy(x)).numpy()
        log_probs_error = np.abs(ours.log_probs(x).data - log_probs).max()
    loss = ours.loss(x)
    loss.backward()
    torch_loss = theirs.loss(torch.from_numpy(x))
    torch_loss.backward()
    loss_error = relative(loss.data, torch_loss.detach().numpy())
    wanted = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    gradient_errors = {
        name: relative_to_largest(parameter.grad, wanted[name])
        for name, parameter in ours.named_parameters()
    }
    worst = max(gradient_errors, key=gradient_errors.__getitem__)

    torch_losses = train(
        theirs, torch.optim.AdamW(theirs.parameters(), **ADAMW), torch.from_numpy(ids[:steps])
    )
    losses = train(ours, optim.AdamW(ours.parameters(), **ADAMW), ids[:steps])
    curve_error = relative(np.array(losses), np.array(torch_losses))
    errors = [log_probs_error, loss_error, gradient_errors[worst], curve_error]
    return worst, losses, errors


def relative(ours: Array, theirs: Array) -> float:
    """The largest difference, relative to PyTorch's; 0 for empty arrays."""
    return (np.abs(ours - theirs) / theirs).max(initial=0)


if __name__ == "__main__":
    sys.exit(main())
