"""Each kernel on the model's shapes: the Numba twin beside NumPy's and PyTorch's operation.

    python benchmarks/kernels.py [--only mlp]

`_vjp` is the gradient; PyTorch's is autograd.grad over what its forward kept. The limit of a kernel
is the time of its products at the rate of a large sgemm, or that of reading its arrays and writing
its results once at the rate of a large copy, whichever is longer; both rates are measured in the
same run. The table has the kernel's rate, and its share of the limit's. A share above 1 of the
copy's rate means that the arrays stay in cache.
"""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import sides

SIDES = {"Numba": "minigrad.kernels.compiled", "NumPy": "minigrad.kernels.reference"}
PYTORCH = "torch.nn.functional"


@dataclass(frozen=True)
class Case:
    """A kernel and its arrays: floats of these shapes, then ids (N) below a number."""

    kernel: str
    shapes: tuple[tuple[int, ...], ...]
    ours: Callable[..., Any]  # (k, *arrays) of the twins k
    vjp: Callable[..., Any] | None  # (k, dy, what the forward gave, *arrays)
    pytorch: Callable[..., Any]  # (F, *tensors) with F torch.nn.functional: a function that does it
    flops: int = 0  # of the forward's products; the gradient's are twice as many
    ids: tuple[int, int] | None = None

    def arrays(self) -> list[Any]:
        """The same for every side."""
        import numpy as np

        rng = np.random.default_rng(0)
        floats = [rng.standard_normal(shape, np.float32) for shape in self.shapes]
        if self.kernel == "adamw":
            np.square(floats[3], out=floats[3])  # v, a mean of squares
        return floats + ([rng.integers(0, self.ids[1], self.ids[0])] if self.ids else [])


def cases(short: bool) -> list[Case]:
    """On shapes of the configuration wide; attention, MLP and AdamW on article's as well."""
    B, T, D, V = (4, 8, 8, 29) if short else (32, 149, 128, 29)
    article_d, article_D, article_H = (4, 8, 64) if short else (4, 32, 16384)
    N, H, parameters = B * T, 4 * D, 1000 if short else 4_284_061
    found = [
        Case(
            "matmul",
            ((N, D), (D, H)),
            lambda k, a, b: k.matmul(a, b),
            None,
            lambda F, a, b: lambda: a @ b,
            flops=2 * N * D * H,
        ),
        Case(
            "linear",
            ((N, D), (D, D), (D,)),
            lambda k, x, w, b: k.linear(x, w, b),
            lambda k, dy, y, x, w, b: k.linear_vjp(dy, x, w),
            lambda F, x, w, b: lambda: F.linear(x, w, b),
            flops=2 * N * D * D,
        ),
        Case("erf", ((N, H),), lambda k, x: k.erf(x), None, lambda F, x: x.erf),
        Case(
            "gelu",
            ((N, H),),
            lambda k, x: k.gelu(x, "none"),
            lambda k, dy, y, x: k.gelu_vjp(x, dy, "none"),
            lambda F, x: lambda: F.gelu(x),
        ),
        *[
            Case(
                name,
                ((N, H),),
                lambda k, x, name=name: getattr(k, name)(x),
                lambda k, dy, y, x, name=name: getattr(k, f"{name}_vjp")(x, dy),
                lambda F, x, name=name: lambda: getattr(F, name)(x),
            )
            for name in ("silu", "softplus", "glu")
        ],
        Case(
            "softmax",
            ((N, V),),
            lambda k, x: k.softmax(x, 1),
            lambda k, dy, y, x: k.softmax_vjp(y, dy, 1),
            lambda F, x: lambda: F.softmax(x, 1),
        ),
        Case(
            "log_softmax",
            ((N, V),),
            lambda k, x: k.log_softmax(x, 1),
            lambda k, dy, y, x: k.log_softmax_vjp(y, dy, 1),
            lambda F, x: lambda: F.log_softmax(x, 1),
        ),
        Case(
            "cross_entropy",
            ((N, V),),
            lambda k, x, ids: k.cross_entropy(x, ids),
            lambda k, dy, y, x, ids: k.cross_entropy_vjp(x, *y[1:], ids, dy),
            lambda F, x, ids: lambda: F.cross_entropy(x, ids, reduction="none"),
            ids=(N, V),
        ),
        Case(
            "layer_norm",
            ((N, D), (D,), (D,)),
            lambda k, x, w, b: k.layer_norm(x, w, b, 1e-5),
            lambda k, dy, y, x, w, b: k.layer_norm_vjp(dy, x, w, *y[1:]),
            lambda F, x, w, b: lambda: F.layer_norm(x, w.shape, w, b),
        ),
        Case(
            "embedding",
            ((V, D),),
            lambda k, w, ids: k.embedding(ids, w),
            lambda k, dy, y, w, ids: k.embedding_vjp(ids, dy, len(w)),
            lambda F, w, ids: lambda: F.embedding(ids, w),
            ids=(N, V),
        ),
        Case(
            "rnn",
            ((B, T, D), (B, D), (D, D), (D,)),
            lambda k, a, h0, w, b: k.rnn(a, h0, w / 10, b),
            lambda k, dy, y, a, h0, w, b: k.rnn_vjp(dy, y, w / 10),
            partial(pytorch_recurrence, "rnn_tanh"),
            flops=2 * N * D * D,
        ),
        Case(
            "gru",
            ((B, T, 3 * D), (B, D), (3 * D, D), (3 * D,)),
            lambda k, a, h0, w, b: k.gru(a, h0, w / 10, b),
            lambda k, dy, y, a, h0, w, b: k.gru_vjp(dy, h0, *y, w / 10),
            partial(pytorch_recurrence, "gru"),
            flops=6 * N * D * D,
        ),
        Case(
            "depthwise_convolution",
            ((B, T, 2 * D), (4, 2 * D), (2 * D,)),
            lambda k, x, w, b: k.depthwise_convolution(x, w, b),
            lambda k, dy, y, x, w, b: k.depthwise_convolution_vjp(dy, x, w),
            lambda F, x, w, b: lambda: F.conv1d(x.mT, w.T[:, None], b, groups=len(b)),
        ),
        Case(
            "token_shift",
            ((B, T, D), (B, 1, D), (B, T, D)),
            lambda k, *arrays: k.token_shift(*arrays),
            lambda k, dy, y, *arrays: k.token_shift_vjp(dy, *arrays),
            lambda F, x, before, mix: lambda: x.lerp(F.pad(x, (0, 0, 1, -1)), mix),
        ),
        Case(
            "selective_scan",
            ((B, T, 2 * D), (B, T, 2 * D), (16, 2 * D), (B, T, 16), (B, T, 16), (2 * D,)),
            lambda k, *arrays: k.selective_scan(*decaying(*arrays), no_state(*arrays)),
            lambda k, dy, y, *arrays: k.selective_scan_vjp(dy, *decaying(*arrays), y[1]),
            pytorch_scan,
        ),
        Case("adamw", ((parameters,),) * 4, our_adamw, None, pytorch_adamw),
        Case(
            "newton_schulz",
            ((4, D, H),),
            lambda k, x: k.newton_schulz(x, (1.5, -0.5, 0), 1),
            None,
            lambda F, x: partial(pytorch_newton_schulz, x),
            flops=2 * 4 * (2 * D * D * H + D**3),
        ),
    ]
    for heads, d in ((4, D // 4), (8, article_d)):
        attention = Case(
            "attention",
            ((B, heads, T, d),) * 3,
            lambda k, *qkv: k.attention(*qkv, None, True),
            lambda k, dy, y, *qkv: k.attention_vjp(dy, *qkv, *y, None, True),
            lambda F, *qkv: lambda: F.scaled_dot_product_attention(*qkv, is_causal=True),
            flops=2 * B * heads * T * T * d,  # half of the two products' 4
        )
        found.append(attention)
        decayed = Case(
            "decayed_attention",
            ((B, heads, T, d),) * 3,
            lambda k, *qkv: k.decayed_attention(*qkv, *undecayed(*qkv)),
            lambda k, dy, y, *qkv: k.decayed_attention_vjp(dy, *qkv, *undecayed(*qkv)),
            lambda F, q, k, v: lambda: (q @ k.mT).tril() @ v,
            flops=4 * B * heads * T * d * d,
        )
        found.append(decayed)
    for width, hidden in ((D, H), (article_D, article_H)):
        mlp = Case(
            "mlp",
            ((N, width), (hidden, width), (hidden,), (width, hidden), (width,)),
            lambda k, *arrays: k.mlp(*arrays, False),
            lambda k, dy, y, *arrays: k.mlp_vjp(dy, *arrays[:-1], y[1]),
            lambda F, x, w1, b1, w2, b2: lambda: F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2),
            flops=4 * N * width * hidden,
        )
        found.append(mlp)
    return found


def undecayed(q: Any, k: Any, v: Any) -> tuple[Any, None, Any]:
    """Decays of 1, as in linear attention, for which PyTorch has two products; state 0."""
    import numpy as np

    one = np.broadcast_to(np.ones((), q.dtype), q.shape)
    return one, None, np.zeros((*q.shape[:2], q.shape[3], v.shape[3]), q.dtype)


def our_adamw(k: Any, *arrays: Any) -> Any:
    """The new param; m and v are written to."""
    return k.adamw(*arrays, 1, 1e-3, (0.9, 0.999), 1e-8, 0.01)


def pytorch_adamw(F: Any, param: Any, grad: Any, m: Any, v: Any) -> Callable[[], Any]:
    """PyTorch's step, in one pass; its m and v are its own."""
    import torch

    param.grad = grad
    step: Callable[[], Any] = torch.optim.AdamW([param], fused=True).step
    return step


def decaying(u: Any, dt: Any, A: Any, *others: Any) -> tuple[Any, ...]:
    """With dt above 0 and A below."""
    return u, abs(dt), -abs(A), *others


def no_state(u: Any, dt: Any, A: Any, *others: Any) -> Any:
    """Zeros for the states before the first token."""
    import numpy as np

    return np.zeros((len(u), *A.shape), A.dtype)


def pytorch_scan(F: Any, *arrays: Any) -> Callable[[], Any]:
    """Token after token."""
    import torch

    u, dt, A, B, C, D = decaying(*arrays)

    def scan() -> Any:
        h, y = torch.zeros(len(u), *A.shape), []
        for t in range(u.shape[1]):
            h = (dt[:, t, None] * A).exp() * h + (dt * u)[:, t, None] * B[:, t, :, None]
            y.append((h * C[:, t, :, None]).sum(1) + D * u[:, t])
        return torch.stack(y, 1)

    return scan


def pytorch_recurrence(name: str, F: Any, a: Any, h0: Any, w: Any, b: Any) -> Callable[[], Any]:
    """PyTorch also takes the product with the inputs, here with an identity."""
    import torch

    weights = torch.eye(a.shape[2]), w / 10, torch.zeros_like(b), b
    settings = True, 1, 0.0, False, False, True  # biases, layers, no dropout, ..., batch first
    return lambda: getattr(torch, name)(a, h0[None], weights, *settings)[0]


def pytorch_newton_schulz(x: Any) -> Any:
    """One iteration."""
    square = x @ x.mT
    return 1.5 * x + (-0.5 * square + 0 * square @ square) @ x


def our_calls(case: Case, k: Any) -> Iterator[tuple[list[Any], Callable[[], Any]]]:
    """Forward and gradient by the twins k: arrays in, and what does it."""
    import numpy as np

    arrays = case.arrays()
    yield arrays, partial(case.ours, k, *arrays)
    if case.vjp:
        y = case.ours(k, *arrays)
        dy = np.ones_like(y[0] if isinstance(y, tuple) else y)
        yield [dy, *arrays], partial(case.vjp, k, dy, y, *arrays)


def pytorch_calls(case: Case, F: Any) -> Iterator[tuple[list[Any], Callable[[], Any]]]:
    """The same by torch.nn.functional."""
    import torch

    tensors = [torch.from_numpy(array) for array in case.arrays()]
    forward = case.pytorch(F, *tensors)
    yield tensors, forward
    if case.vjp:
        leaves = [tensor.requires_grad_() for tensor in tensors if tensor.is_floating_point()]
        y = forward()
        dy = torch.ones_like(y)
        yield [dy, *tensors], partial(torch.autograd.grad, y, leaves, dy, retain_graph=True)


def measure(name: str, short: bool, only: str) -> dict[str, tuple[float, float, float]]:
    """By kernel and shapes: seconds, GFLOP of its products, GB of its arrays and results."""
    from teenygpt_np.cli import keep_freed_memory

    keep_freed_memory()  # otherwise much of the time would go into pages for the results
    sides.use_threads()
    module, found = importlib.import_module(name), {}
    calls = pytorch_calls if name == PYTORCH else our_calls
    for case in cases(short):
        if only in case.kernel:
            shapes = " ".join("x".join(map(str, shape)) for shape in dict.fromkeys(case.shapes))
            shapes += f" ids {case.ids[0]}" if case.ids else ""
            for times, (arrays, call) in enumerate(calls(case, module), 1):
                result = call()
                results = result if isinstance(result, tuple) else (result,)
                size = sum(getattr(array, "nbytes", 0) for array in (*arrays, *results))
                seconds = sides.seconds(call, 0 if short else 0.1)
                kernel = case.kernel + "_vjp" * (times == 2)
                found[f"{kernel} | {shapes}"] = seconds, 1e-9 * times * case.flops, 1e-9 * size
    return found


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=3, only=True)
    modules = {name: module for name, module in SIDES.items() if sides.HAS_NUMBA or name != "Numba"}
    modules |= {"PyTorch": PYTORCH} if sides.HAS_PYTORCH else {}
    tasks: dict[str, sides.Task]
    tasks = {side: (measure, module, args.short, args.only) for side, module in modules.items()}
    tasks["limits"] = (sides.limits, args.short)
    found, _ = sides.alternate("kernels", tasks, args.rounds)
    sgemm, copy = map(statistics.median, zip(*found.pop("limits"), strict=True))
    ours = next(iter(found))
    rows = []
    for name, (_, gigaflops, gigabytes) in found[ours][0].items():
        seconds = {side: [r[name][0] for r in rounds] for side, rounds in found.items()}
        at_best = {"GFLOP/s": gigaflops / sgemm, "GB/s": gigabytes / copy}
        unit = "GFLOP/s" if at_best["GFLOP/s"] > at_best["GB/s"] else "GB/s"
        taken = statistics.median(seconds[ours])
        kernel, shapes = name.split(" | ")
        row: sides.Row = {"kernel": kernel, "arrays": shapes}
        row |= {f"{side}, ms": 1e3 * statistics.median(times) for side, times in seconds.items()}
        row["ours / PyTorch"] = sides.median_ratio(seconds[ours], seconds.get("PyTorch"))
        row["ours"] = (gigaflops if unit == "GFLOP/s" else gigabytes) / taken
        rows.append(row | {"unit": unit, "of the limit": at_best[unit] / taken})
    sides.report(args, kernels=rows)


if __name__ == "__main__":
    main()
