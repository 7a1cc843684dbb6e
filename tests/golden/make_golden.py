"""Write the golden files: PyTorch's results, to which tests/golden/test_golden.py compares ours.

    python tests/golden/make_golden.py

Needs PyTorch. What the files hold is in README.md beside this file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch
import torch.nn.functional as F
from peers import ADAMW, SEED, token_row, train
from torch import Tensor
from torch_teenygpt import TeenyGPT

Arrays = dict[str, peers.Array]

HERE = Path(__file__).parent
SIZES: dict[str, Any] = {
    "num_tokens": 12,
    "num_token_vals": 29,
    "num_emb": 16,
    "num_neurons": 8,
    "num_heads": 4,
    "num_blocks": 2,
    "dropout_prob": 0.0,
}
AT_SIZES = [
    ("t40", "float32"),
    ("t40", "float64"),
    ("t80", "float32"),
    ("article", "float32"),
]
STEPS = 10
TEMPERATURE = 0.7
# Rows with no pad; one pad at the very end; several pads; no characters.
HEADLINES = ["black holes", "new planet", "old map", "art", ""]


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    made = {"t12": t12(), "at_sizes": at_sizes(), "ops": ops()}
    for name, arrays in made.items():
        path = HERE / f"{name}.npz"
        np.savez_compressed(path, allow_pickle=False, **arrays)
        print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size:,} bytes")
        for key in ("loss_mean", "loss_sum", "loss_no_pad", "top1", "adamw_losses"):
            if key in arrays:
                print(f"  {key}: {arrays[key]}")


# -- the model -------------------------------------------------------------------------------------


def t12() -> Arrays:
    """The article's model at a small size, T = 12: in float32 and, under f64/, in float64."""
    torch.manual_seed(SEED)
    model = TeenyGPT(**SIZES)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.tensor([token_row(headline, SIZES["num_tokens"]) for headline in HEADLINES])

    arrays: Arrays = {"x": x.numpy()}
    arrays |= {f"weight/{name}": value.numpy() for name, value in weights.items()}
    arrays |= figures(model, x)
    model.double().load_state_dict(weights)
    arrays |= {f"f64/{key}": value for key, value in figures(model, x).items()}
    arrays["meta"] = as_json(
        {
            "sizes": SIZES,
            "adamw": ADAMW,
            "steps": STEPS,
            "temperature": TEMPERATURE,
            "headlines": HEADLINES,
            "seed": SEED,
            "torch": torch.__version__,
        }
    )
    return arrays


def figures(model: TeenyGPT, x: Tensor) -> Arrays:
    """All results of one model, in its dtype. Leaves it trained for STEPS steps."""
    model.train()  # without dropout; eval() would choose another attention kernel
    with torch.no_grad():
        arrays = {
            "log_probs": model.log_probs(x),
            "log_probs_temperature": model.log_probs(x, TEMPERATURE),
            "loss_mean": model.loss(x, "mean"),
            "loss_sum": model.loss(x, "sum"),
            "loss_no_pad": model.loss(x, "mean", ignore_pads=True),
            "top1": model.top1(x).mean(),
            "top1_per_headline": model.top1(x),
        }
    for prefix, ignore_pads in (("grad", False), ("grad_no_pad", True)):
        model.zero_grad()
        model.loss(x, "mean", ignore_pads).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            arrays[f"{prefix}/{name}"] = parameter.grad.clone()

    losses = train(model, torch.optim.AdamW(model.parameters(), **ADAMW), [x] * STEPS)
    arrays["adamw_losses"] = torch.tensor(losses, dtype=arrays["loss_mean"].dtype)
    # By now the biases that start at 0 and the norms that start at 1 have moved, so that this
    # shows a forward pass that leaves one of them out.
    arrays["after10_log_probs"] = model.log_probs(x).detach()
    for name, parameter in model.named_parameters():
        arrays[f"after10/{name}"] = parameter.detach().clone()
    return {key: value.numpy() for key, value in arrays.items()}


def at_sizes() -> Arrays:
    """At each size of `peers`: the first batch and, except at the article's size, STEPS steps."""
    arrays: Arrays = {}
    for size, dtype in AT_SIZES:
        model = TeenyGPT(*peers.SIZES[size])
        start = peers.weights(model.state_dict(), SEED)
        model.load_state_dict({name: torch.from_numpy(array) for name, array in start.items()})
        model.to(getattr(torch, dtype))
        ids = peers.batches(size)
        if size == "article":
            ids = ids[:1, :4]  # with all 32 the NumPy backend would take 11 s and 3 GB
        x = torch.from_numpy(ids)

        made = {"log_probs": model.log_probs(x[0]).detach().numpy()}
        loss = model.loss(x[0])
        loss.backward()
        made["loss"] = loss.detach().numpy()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            gradient = parameter.grad.numpy()
            made[f"grad/{name}"] = peers.thinned(gradient)
            made[f"grad_norm/{name}"] = np.linalg.norm(gradient.astype(np.float64))
        if size != "article":
            optimizer = torch.optim.AdamW(model.parameters(), **ADAMW)
            made["losses"] = np.array(train(model, optimizer, x))
        arrays[f"{size}/x"] = ids.astype(np.uint8)
        arrays |= {f"{size}/{dtype}/{key}": array for key, array in made.items()}
    arrays["meta"] = as_json(
        {"sizes": peers.SIZES, "adamw": ADAMW, "seed": SEED, "torch": torch.__version__}
    )
    return arrays


# -- single operations -----------------------------------------------------------------------------


class Ops:
    """Collects inputs, outputs, cotangents and gradients under `<case>/...`, all of float64."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(SEED)
        self.arrays: Arrays = {}
        self.cases: dict[str, dict[str, Any]] = {}

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.from_numpy(self.rng.standard_normal(shape))

    def add(
        self,
        case: str,
        compute: Callable[..., Tensor],
        inputs: Mapping[str, Tensor],
        *,
        op: str | None = None,
        **settings: Any,
    ) -> None:
        """Run `compute(*inputs)` forward and, from a random cotangent, backward.

        op, settings: what the operation is called in minigrad, and its settings there; they go
        into the file's `meta`, so that the test needs no list of cases of its own.
        """
        leaves = {
            name: value.clone().requires_grad_(value.is_floating_point())
            for name, value in inputs.items()
        }
        out = compute(*leaves.values())
        cotangent = self.normal(*out.shape)
        out.backward(cotangent)
        self.cases[case] = {"op": op or case, "inputs": list(inputs), "settings": settings}
        for name, leaf in leaves.items():
            self.arrays[f"{case}/{name}"] = leaf.detach().numpy()
            if leaf.grad is not None:
                self.arrays[f"{case}/grad_{name}"] = leaf.grad.numpy()
        self.arrays[f"{case}/out"] = out.detach().numpy()
        self.arrays[f"{case}/cotangent"] = cotangent.numpy()


def ops() -> Arrays:
    """Values and gradients of single operations, and what optimizers do to small vectors."""
    made = Ops()
    elementwise(made)
    reductions(made)
    network(made)
    losses(made)
    optimizers(made)
    made.arrays["meta"] = as_json(
        {
            "cases": made.cases,
            "seed": SEED,
            "torch": torch.__version__,
        }
    )
    return made.arrays


def elementwise(made: Ops) -> None:
    tails = torch.tensor([0.0, -0.0, 1e-9, -1e-9, 6.0, -6.0, 12.0, -12.0, 40.0, -40.0]).double()
    x = torch.cat([made.normal(14), tails])
    for approximate in ("none", "tanh"):
        made.add(
            f"gelu_{approximate}",
            lambda x, approximate=approximate: F.gelu(x, approximate=approximate),
            {"x": x},
            op="gelu",
            approximate=approximate,
        )
    made.add("erf", torch.erf, {"x": x})
    made.add("relu", torch.relu, {"x": x})
    made.add("abs", torch.abs, {"x": x})
    a = made.normal(3, 4)
    b = made.normal(3, 4)
    b[1] = a[1]
    made.add("maximum_ties", torch.maximum, {"a": a, "b": b}, op="maximum")


def reductions(made: Ops) -> None:
    x = made.normal(3, 4, 5)
    for correction in (0, 1):
        made.add(
            f"var_correction{correction}",
            lambda x, correction=correction: torch.var(x, dim=-1, correction=correction),
            {"x": x},
            op="var",
            axis=-1,
            correction=correction,
        )
    made.add("var_all", lambda x: torch.var(x, correction=0), {"x": x}, op="var")
    made.add(
        "var_constant",
        lambda x: torch.var(x, dim=-1, correction=0),
        {"x": torch.full((2, 5), 0.3, dtype=torch.float64)},
        op="var",
        axis=-1,
        correction=0,
    )

    ties = made.normal(3, 5)
    ties[0, 1] = ties[0, 3] = 4.0
    made.add("max_ties", lambda x: torch.amax(x, -1), {"x": ties}, op="max", axis=-1)

    made.add("logsumexp", lambda x: torch.logsumexp(x, -1), {"x": x}, axis=-1)
    made.add(
        "logsumexp_axes",
        lambda x: torch.logsumexp(x, (0, 2)),
        {"x": x},
        op="logsumexp",
        axis=[0, 2],
    )
    extreme = made.normal(3, 5)
    extreme[0] += 1000.0
    extreme[1] -= 1000.0
    extreme[2, :3] = -math.inf
    made.add(
        "logsumexp_extreme",
        lambda x: torch.logsumexp(x, -1),
        {"x": extreme},
        op="logsumexp",
        axis=-1,
    )


def network(made: Ops) -> None:
    x = made.normal(3, 4, 5)
    extreme = made.normal(3, 5)
    extreme[0] += 1000.0
    extreme[1, 2] -= 1000.0
    masked = extreme.clone()
    masked[2, 1:] = -math.inf
    for name, f in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        made.add(name, lambda x, f=f: f(x, -1), {"x": x}, axis=-1)
        made.add(f"{name}_axis1", lambda x, f=f: f(x, 1), {"x": x}, op=name, axis=1)
        made.add(f"{name}_extreme", lambda x, f=f: f(x, -1), {"x": extreme}, op=name, axis=-1)
        made.add(f"{name}_masked", lambda x, f=f: f(x, -1), {"x": masked}, op=name, axis=-1)

    norm = {"x": made.normal(2, 3, 8), "weight": made.normal(8), "bias": made.normal(8)}
    made.add("layer_norm", lambda x, w, b: F.layer_norm(x, (8,), w, b, 1e-5), norm)
    norm["x"] = norm["x"].clone()
    norm["x"][0, 0] = 0.3  # variance 0: only eps is left
    norm["x"][0, 1] *= 1e-3
    norm["x"][1, 1] += 1e4
    made.add(
        "layer_norm_extreme",
        lambda x, w, b: F.layer_norm(x, (8,), w, b, 1e-3),
        norm,
        op="layer_norm",
        eps=1e-3,
    )

    ids = torch.tensor([[2, 0, 2, 5], [2, 5, 6, 0]])
    made.add("embedding", F.embedding, {"ids": ids, "weight": made.normal(7, 3)})

    qkv = {name: made.normal(2, 3, 5, 4) for name in "qkv"}
    made.add(
        "causal_attention",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        qkv,
    )
    made.add(
        "causal_attention_cached",  # queries for the last 2 of 5 positions
        lambda q, k, v: F.scaled_dot_product_attention(
            q, k, v, attn_mask=torch.ones(2, 5, dtype=torch.bool).tril(3)
        ),
        {"q": made.normal(2, 3, 2, 4), "k": qkv["k"], "v": qkv["v"]},
        op="causal_attention",
    )
    made.add(
        "causal_attention_large",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        {name: value * (30.0 if name in "qk" else 1.0) for name, value in qkv.items()},
        op="causal_attention",
    )

    made.add(
        "linear",
        F.linear,
        {"x": made.normal(2, 3, 4), "weight": made.normal(5, 4), "bias": made.normal(5)},
    )
    made.add(
        "mlp",
        lambda x, w1, b1, w2, b2: F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2),
        {
            "x": made.normal(2, 3, 4),
            "w1": made.normal(7, 4),
            "b1": made.normal(7),
            "w2": made.normal(5, 7),
            "b2": made.normal(5),
        },
    )


def losses(made: Ops) -> None:
    logits = made.normal(6, 5)
    logits[0] += 500.0
    target = torch.tensor([1, -100, 4, 0, -100, 4])
    first = {"cross_entropy": ("logits", logits), "nll_loss": ("log_probs", logits.log_softmax(-1))}
    for name, f in (("cross_entropy", F.cross_entropy), ("nll_loss", F.nll_loss)):
        argument, value = first[name]
        for reduction in ("none", "sum", "mean"):
            made.add(
                f"{name}_{reduction}",
                lambda a, t, f=f, r=reduction: f(a, t, reduction=r, ignore_index=-100),
                {argument: value, "target": target},
                op=name,
                reduction=reduction,
                ignore_index=-100,
            )
        made.add(
            f"{name}_pad",
            lambda a, t, f=f: f(a, t, reduction="mean", ignore_index=0),
            {argument: value, "target": target.clamp(min=0)},
            op=name,
            reduction="mean",
            ignore_index=0,
        )
        for reduction in ("sum", "mean"):  # nothing left: a sum of 0, a mean of nan
            made.add(
                f"{name}_{reduction}_all_ignored",
                lambda a, t, f=f, r=reduction: f(a, t, reduction=r, ignore_index=-100),
                {argument: value, "target": torch.full_like(target, -100)},
                op=name,
                reduction=reduction,
                ignore_index=-100,
            )


def optimizers(made: Ops) -> None:
    """`<name>/param` and `/grads` (one row a step) give `/out` (one row after each step)."""
    start = made.normal(6)
    grads = made.normal(5, 6)
    grads[:, 2] = 0.0  # only weight decay moves this one
    grads[:, 3] *= 1e-9  # below AdamW's eps
    settings: dict[str, dict[str, Any]] = {
        "sgd": {"lr": 0.1},
        "sgd_momentum": {"lr": 0.1, "momentum": 0.9},
        "adamw": {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "adamw_other": {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.0},
    }
    for name, kwargs in settings.items():
        param = start.clone().requires_grad_()
        kind = torch.optim.AdamW if name.startswith("adamw") else torch.optim.SGD
        optimizer = kind([param], **kwargs)
        rows = []
        for grad in grads:
            param.grad = grad.clone()
            optimizer.step()
            rows.append(param.detach().clone())
        made.arrays[f"{name}/param"] = start.numpy()
        made.arrays[f"{name}/grads"] = grads.numpy()
        made.arrays[f"{name}/out"] = torch.stack(rows).numpy()
        made.cases[name] = {"op": kind.__name__, "settings": kwargs}

    pair = (made.normal(3, 2), made.normal(4))
    for name, max_norm in (("clip_grad_norm", 0.5), ("clip_grad_norm_below", 50.0)):
        params = []
        for grad in pair:
            params.append(torch.zeros_like(grad, requires_grad=True))
            params[-1].grad = grad.clone()
        norm = torch.nn.utils.clip_grad_norm_(params, max_norm)
        made.arrays[f"{name}/max_norm"] = np.array(max_norm)
        made.arrays[f"{name}/out"] = norm.numpy()
        for letter, grad, param in zip("ab", pair, params, strict=True):
            assert param.grad is not None
            made.arrays[f"{name}/{letter}"] = grad.numpy()
            made.arrays[f"{name}/out_{letter}"] = param.grad.numpy()

    lr, lr_min, steps = 1e-3, 1e-5, 20
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=lr_min)
    rates = [schedule.get_last_lr()[0]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    made.arrays["cosine_annealing/lr"] = np.array(lr)
    made.arrays["cosine_annealing/lr_min"] = np.array(lr_min)
    made.arrays["cosine_annealing/steps"] = np.array(steps)
    made.arrays["cosine_annealing/out"] = np.array(rates)


def as_json(meta: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """A JSON string as a 0-d array, which np.load reads without pickle."""
    return np.array(json.dumps(meta))


if __name__ == "__main__":
    main()
