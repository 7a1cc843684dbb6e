"""Softmax, its logarithm and cross-entropy."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def softmax(x: Array, axis: int) -> Array:
    """p = e^x / sum(e^x) along `axis`; a row of only -inf gives zeros."""
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(largest == -np.inf, 0, largest))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


def softmax_vjp(p: Array, dp: Array, axis: int) -> Array:
    """dx = p (dp - sum(dp p)): raising one x raises its p and lowers all the others."""
    return p * (dp - np.sum(dp * p, axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int) -> Array:
    """y = x - ln sum(e^x) along `axis`; a row of only -inf stays so."""
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shifted = x - np.where(largest == -np.inf, 0, largest)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    return shifted - np.log(np.where(total == 0, 1, total))


def log_softmax_vjp(y: Array, dy: Array, axis: int) -> Array:
    """dx = dy - e^y sum(dy)."""
    return dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True)


def cross_entropy(logits: Array, target: Array) -> tuple[Array, Array, Array]:
    """loss = ln sum(e^logits) - logits[target], and what backward needs of the sum.

    logits: (N, C), target: (N), negative where the row does not count -> loss, largest, total:
    (N), (N), (N), total = sum(e^(logits - largest)). The last two are returned apart: where largest
    is by far the larger, largest + ln(total) would lose the digits of ln(total).
    """
    largest = logits.max(axis=1)
    largest = np.where(np.isfinite(largest), largest, 0)
    total = np.exp(logits - largest[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):
        log_total = np.log(total)
    loss = log_total - (logits[np.arange(len(target)), np.maximum(target, 0)] - largest)
    return np.where(target < 0, 0, loss), largest, total


def cross_entropy_vjp(
    logits: Array, largest: Array, total: Array, target: Array, dloss: Array
) -> Array:
    """dlogits = dloss (p - 1 at the target, else p), 0 where the row does not count.

    p = e^(logits - largest) / total
    """
    dlogits = np.exp(logits - largest[:, None]) / total[:, None]
    dlogits[np.arange(len(target)), np.maximum(target, 0)] -= 1
    return np.where(target[:, None] < 0, 0, dlogits * dloss[:, None])
