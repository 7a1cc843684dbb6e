"""Where the time of one training step goes: each kernel's share, beside the machine's limit.

    python benchmarks/step_kernels.py [--only wide]

The step is that of train_step.py. The limit is the time of a kernel's products at the rate of a
large sgemm, or that of moving what it reads and writes at the rate of a large copy, whichever is
longer; exponentials and divisions do not count. The rest is NumPy between the kernels, and Python.
"""

from __future__ import annotations

import functools
import inspect
import statistics
import time
from collections.abc import Callable
from typing import Any

import sides
from train_step import CONFIGURATIONS, SHORT, Sizes, our_step

Kernel = tuple[float, float, float, float]  # of a step: calls, ms, GFLOP, GB


def _attention(q: Any, k: Any, *_: Any) -> float:
    """The FLOP of q k^T but for what is masked; p v and each of the gradient's five has as many."""
    return float(q.size * (k.shape[2] + 1))


FLOPS: dict[str, Callable[..., float]] = {
    "matmul": lambda a, b: 2.0 * a.size * b.shape[-1],
    "linear": lambda x, w, b: 2.0 * x.size * len(w),
    "linear_vjp": lambda dy, x, w, *_: 4.0 * x.size * len(w),
    "mlp": lambda x, w1, *_: 4.0 * x.size * len(w1),
    # Two of them to compute the hidden layer again, where it was not kept.
    "mlp_vjp": lambda dy, x, w1, b1, w2, hidden, *_: (
        (8.0 if len(hidden) else 10.0) * x.size * len(w1)
    ),
    "attention": lambda *qkv: 2 * _attention(*qkv),
    "attention_vjp": lambda dout, *qkv: 5 * _attention(*qkv),
}


def profile(sizes: Sizes, steps: int) -> dict[str, Kernel]:
    """What each kernel takes of a step; "rest" is what is not in a kernel. Medians over steps."""
    from minigrad import kernels
    from teenygpt_np.cli import keep_freed_memory

    keep_freed_memory()
    step = our_step(sizes)
    step()  # compiles, and loads the backend's module
    module, now = kernels._twin, dict[str, list[float]]()
    assert module
    inside = False

    def timed(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(kernel)
        def call(*args: Any) -> Any:
            nonlocal inside
            if inside:  # a NumPy kernel may call another
                return kernel(*args)
            inside, start = True, time.perf_counter()
            result = kernel(*args)
            inside, taken = False, time.perf_counter() - start
            results = result if isinstance(result, tuple) else (result,)
            size = sum(getattr(array, "nbytes", 0) for array in (*args, *results))
            flops = FLOPS[name](*args) if name in FLOPS else 0.0
            for i, value in enumerate((1, 1e3 * taken, 1e-9 * flops, 1e-9 * size)):
                now.setdefault(name, [0.0] * 4)[i] += value
            return result

        return call

    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("_"):
            setattr(module, name, timed(name, function))
    found: list[dict[str, list[float]]] = []
    for _ in range(steps):
        now.clear()
        start = time.perf_counter()
        step()
        whole = 1e3 * (time.perf_counter() - start)
        in_kernels = sum(figures[1] for figures in now.values())
        found.append(dict(now) | {"rest": [0, whole - in_kernels, 0, 0]})
    return {
        name: tuple(map(statistics.median, zip(*(f[name] for f in found), strict=True)))  # type: ignore[misc]
        for name in found[0]
    }


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=3, only=True)
    rows: list[sides.Row] = []
    for name, sizes in (SHORT if args.short else CONFIGURATIONS).items():
        if args.only not in name:
            continue
        work: dict[str, sides.Task] = {
            "ours": (profile, sizes, 1 if args.short else 5),
            "limits": (sides.limits, args.short),
        }
        results, _ = sides.alternate(name, work, args.rounds)
        sgemm, copy = map(statistics.median, zip(*results["limits"], strict=True))
        kernels = {
            kernel: [statistics.median(r[kernel][i] for r in results["ours"]) for i in range(4)]
            for kernel in results["ours"][0]
        }
        whole = sum(ms for _, ms, _, _ in kernels.values())
        for kernel, (calls, ms, gigaflops, gigabytes) in sorted(
            kernels.items(), key=lambda item: -item[1][1]
        ):
            limit = 1e3 * max(gigaflops / sgemm, gigabytes / copy)
            rows.append(
                {
                    "configuration": name,
                    "kernel": kernel,
                    "calls": int(calls) or None,
                    "ms": ms,
                    "of the step": ms / whole,
                    "at the limit, ms": limit or None,
                    "of the limit": limit / ms or None,
                }
            )
    sides.report(args, step_kernels=rows)


if __name__ == "__main__":
    main()
