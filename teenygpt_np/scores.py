"""How good a model is on a split: NLL and top-1, with pads and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.model.teenygpt import TeenyGPT, counted

_BATCH = 64


def scores(
    model: TeenyGPT, ids: Array, before_batch: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Means over headlines.    ids: (N, T) -> nll, nll_no_pad in nats, top1, top1_no_pad

    The first of each pair counts all T - 1 predictions, pads among them, as the article does; the
    second each headline up to and including its first pad. Uses no dropout, whatever the mode.

    before_batch: called again and again; what it raises ends the scoring
    """
    totals = dict.fromkeys(("nll", "nll_no_pad", "top1", "top1_no_pad"), 0.0)
    was_training = model.training
    model.eval()
    try:
        with mg.no_grad():
            for start in range(0, len(ids), _BATCH):
                before_batch()
                x = ids[start : start + _BATCH]
                log_probs, targets, weights = model.log_probs(x[:, :-1]).data, x[:, 1:], counted(x)
                nll = -np.take_along_axis(log_probs, targets[:, :, None], axis=2)[:, :, 0]
                nll = nll.astype(np.float64)
                right = log_probs.argmax(axis=2) == targets
                totals["nll"] += nll.sum()
                totals["nll_no_pad"] += (nll * weights).sum()
                totals["top1"] += right.mean(axis=1).sum()
                totals["top1_no_pad"] += ((right & weights).sum(axis=1) / weights.sum(axis=1)).sum()
    finally:
        model.train(was_training)
    return {name: float(total) / len(ids) for name, total in totals.items()}
