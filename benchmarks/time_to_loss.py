"""How long until a model has learned so much: ours beside PyTorch, with AdamW and with its Muon.

    python benchmarks/time_to_loss.py --compile --json
    python benchmarks/time_to_loss.py --compile -- --preset medium --data FILE

What stands behind -- goes to the training, `python -m teenygpt_np.train`. PyTorch's sides begin
from the same weights and see the same batches, with the same loss, dropout, clipping and learning
rates; AdamW alone, which wants smaller ones, has a third and a tenth of them as well. Seconds are
those of the training steps, with their batches, and not of validations.
"""

from __future__ import annotations

import copy
import itertools
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sides
from quality import epochs_of, text_of

if TYPE_CHECKING:
    from teenygpt_np.training.loop import Trainer

ADAMW_LRS = (1.0, 0.3, 0.1)  # of the configuration's
WARM_UP = 5  # batches, of several lengths
SHORT = ["--preset", "tiny", "--max-steps", "2"]

Curve = list[tuple[int, float, float]]  # after each epoch: steps, seconds, score on validation


def ours(flags: list[str]) -> Curve:
    """The curve of a training."""
    with tempfile.TemporaryDirectory() as folder:
        epochs = epochs_of(flags, Path(folder) / "run")
    score = f"val_{prepared(flags).objective.score}"
    seconds = itertools.accumulate(epoch["seconds"] for epoch in epochs)
    return [(e["step"], s, e[score]) for e, s in zip(epochs, seconds, strict=True)]


def prepared(flags: list[str]) -> Trainer:
    """The trainer of the command with these flags, before its first step."""
    from teenygpt_np import train
    from teenygpt_np.cli import take_text
    from teenygpt_np.config import make_config
    from teenygpt_np.starting import changes, trainer_of

    args = train._parser().parse_args(flags)
    take_text(args)
    config = make_config(**{"preset": "small"} | changes(args))
    return trainer_of(config, True, Path(tempfile.gettempdir()))


def pytorch(flags: list[str], muon: bool, factor: float, compiled: bool) -> Curve:
    """The curve of the same training in PyTorch.    factor: of the learning rates"""
    import torch
    from torch.nn import functional as F

    trainer = prepared(flags)
    config, objective, rows = trainer.config, trainer.objective, trainer.rows["train"]
    model = pytorch_model(trainer)
    run = torch.compile(model, dynamic=True) if compiled else model
    optimizers = pytorch_optimizers(model, trainer, muon)

    def backward(batch: Any) -> None:
        found = objective.batch(rows, batch, trainer.rngs["model"])
        ids, counted = (torch.from_numpy(a) for a in (found.ids.astype("int64"), found.counted))
        logits, targets, counted = run(ids[:, :-1]), ids[:, 1:], counted[:, 1:]
        loss = F.cross_entropy(logits[counted], targets[counted], reduction="sum")
        model.zero_grad()
        (loss / len(ids)).backward()

    def batches(rng: Any) -> Any:
        return objective.order(rows, trainer.batch_size, rng)[: trainer.batches_per_epoch]

    for batch in batches(copy.deepcopy(trainer.rngs["batches"]))[:WARM_UP]:
        backward(batch)  # which compiles
    step, seconds, curve = 0, 0.0, []
    while step < trainer.planned_steps:
        for batch in batches(trainer.rngs["batches"])[: trainer.planned_steps - step]:
            began = time.perf_counter()
            backward(batch)
            most = config.clip_grad_norm or math.inf
            torch.nn.utils.clip_grad_norm_(model.parameters(), most, foreach=True)
            for optimizer in optimizers:
                optimizer.param_groups[0]["lr"] = factor * trainer.schedule(step)
                optimizer.step()
            seconds += time.perf_counter() - began
            step += 1
        learned = {name: array.detach().numpy() for name, array in model.state_dict().items()}
        trainer.model.load_state_dict(learned)
        scores = objective.scores(trainer.model, trainer.rows["val"])
        curve.append((step, seconds, scores[objective.score]))
    return curve


def pytorch_model(trainer: Trainer) -> Any:
    """PyTorch's model with the weights of ours, and its dropout."""
    import torch
    from torch.nn import functional as F

    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    from pytorch_reads_it import TeenyGPT

    config, weights = trainer.config, trainer.model.state_dict()
    hidden, width = weights["transformer_blocks.0.mlp.0.weight"].shape
    values, rotary = trainer.corpus.tokenizer.num_token_vals, config.positions == "rotary"
    sizes = config.num_tokens, values, width, config.num_heads, hidden, config.num_blocks
    model = TeenyGPT(*sizes, rotary)
    model.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in weights.items()})
    model.embedding.register_forward_hook(
        lambda module, ids, h: F.dropout(h, config.dropout, module.training)
    )
    return model


def pytorch_optimizers(model: Any, trainer: Trainer, muon: bool) -> list[Any]:
    """AdamW; and, if asked for, Muon for the matrices that ours has."""
    import torch

    for_muon = set(trainer.model.marked("muon")) if muon else set()
    matrices = [p for name, p in model.named_parameters() if name in for_muon]
    others = [p for name, p in model.named_parameters() if name not in for_muon]
    decay = trainer.config.weight_decay
    found: list[Any] = [torch.optim.AdamW(others, weight_decay=decay, fused=True)]
    if matrices:
        found.append(torch.optim.Muon(matrices, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    return found


def main() -> None:
    """Print a table in Markdown, named for the text."""
    args = sides.arguments(__doc__, rounds=1, compile=True, others="of the training, behind --")
    flags = [*args.others, *(SHORT if args.short else [])]
    text = text_of(flags)
    tasks: dict[str, sides.Task] = {"ours": (ours, flags)}
    if sides.HAS_PYTORCH:
        kinds = {"eager": False} | ({"compiled": True} if args.compile else {})
        for kind, compiled in kinds.items():
            tasks[f"PyTorch's Muon, {kind}"] = (pytorch, flags, True, 1.0, compiled)
        for factor in ADAMW_LRS:
            name = f"PyTorch's AdamW, {factor:g} lr, {list(kinds)[-1]}"
            tasks[name] = (pytorch, flags, False, factor, args.compile)
    curves, memory = sides.alternate(text, tasks, args.rounds)
    rows = []
    level = max(curve[-1][2] for found in curves.values() for curve in found)  # that all reach
    for side, found in curves.items():
        reached = [next(s for _, s, score in c if score <= level) for c in found]
        rows.append(
            {
                "side": side,
                "steps": found[0][-1][0],
                "minutes": sides.median([c[-1][1] / 60 for c in found]),
                "at the end, nats": sides.median([c[-1][2] for c in found]),
                f"minutes to {level:.4g}": sides.median([s / 60 for s in reached]),
                "MB": memory[side],
            }
        )
    sides.report(args, **{f"time_to_loss_{text}": rows})


if __name__ == "__main__":
    main()
