"""Softmax, its logarithm and cross-entropy, row by row."""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain, rows_of, unrows


def softmax(x, axis):
    """See the reference."""
    rows = rows_of(x, axis)
    p = np.empty_like(rows)
    team.run(_softmax, threads.blocks(len(rows), rows.size), rows, p)
    return unrows(p, x.shape, axis)


@jit
def _softmax(x, p, part, start, stop):
    for n in range(start, stop):
        shift = _finite_max(x[n])
        total = x.dtype.type(0)
        for c in range(x.shape[1]):
            p[n, c] = exp(x[n, c] - shift)
        for c in range(x.shape[1]):
            total += p[n, c]
        if total != 0:
            for c in range(x.shape[1]):
                p[n, c] /= total


@jit
def _finite_max(row):
    """The largest entry, subtracted so that e^x does not overflow; 0 where all are -inf."""
    largest = row[0]
    for c in range(1, row.size):
        if not row[c] <= largest:  # also true for NaN, which the sum then has
            largest = row[c]
    return row.dtype.type(0) if largest == -np.inf else largest


def softmax_vjp(p, dp, axis):
    """See the reference."""
    p_rows, dp_rows = rows_of(p, axis), rows_of(dp, axis)
    dx = np.empty_like(p_rows)
    team.run(_softmax_vjp, threads.blocks(len(dx), dx.size), p_rows, dp_rows, dx)
    return unrows(dx, p.shape, axis)


@jit
def _softmax_vjp(p, dp, dx, part, start, stop):
    for n in range(start, stop):
        mean = p.dtype.type(0)
        for c in range(p.shape[1]):
            mean += dp[n, c] * p[n, c]
        for c in range(p.shape[1]):
            dx[n, c] = p[n, c] * (dp[n, c] - mean)


def log_softmax(x, axis):
    """See the reference."""
    rows = rows_of(x, axis)
    y = np.empty_like(rows)
    team.run(_log_softmax, threads.blocks(len(rows), rows.size), rows, y)
    return unrows(y, x.shape, axis)


@jit
def _log_softmax(x, y, part, start, stop):
    for n in range(start, stop):
        shift = _finite_max(x[n])
        total = x.dtype.type(0)
        for c in range(x.shape[1]):
            total += exp(x[n, c] - shift)
        log_total = x.dtype.type(math.log(total)) if total != 0 else x.dtype.type(0)
        for c in range(x.shape[1]):
            y[n, c] = x[n, c] - shift - log_total


def log_softmax_vjp(y, dy, axis):
    """See the reference."""
    y_rows, dy_rows = rows_of(y, axis), rows_of(dy, axis)
    dx = np.empty_like(y_rows)
    team.run(_log_softmax_vjp, threads.blocks(len(dx), dx.size), y_rows, dy_rows, dx)
    return unrows(dx, y.shape, axis)


@jit
def _log_softmax_vjp(y, dy, dx, part, start, stop):
    for n in range(start, stop):
        total = y.dtype.type(0)
        for c in range(y.shape[1]):
            total += dy[n, c]
        for c in range(y.shape[1]):
            dx[n, c] = dy[n, c] - exp(y[n, c]) * total


def cross_entropy(logits, target):
    """See the reference."""
    logits = plain(logits)
    loss, largest, total = np.empty((3, len(logits)), logits.dtype)
    spans = threads.blocks(len(logits), logits.size)
    team.run(_cross_entropy, spans, logits, plain(target), loss, largest, total)
    return loss, largest, total


@jit
def _cross_entropy(logits, target, loss, largest, totals, part, start, stop):
    for n in range(start, stop):
        shift = _finite_max(logits[n])
        total = logits.dtype.type(0)
        if shift == np.inf:
            shift = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            total += exp(logits[n, c] - shift)
        largest[n] = shift if total == total else 0  # total is NaN in a row with NaN
        totals[n], loss[n] = total, 0
        if target[n] >= 0:
            log_total = math.log(total) if total != 0 else -np.inf
            loss[n] = log_total - (logits[n, target[n]] - shift)


def cross_entropy_vjp(logits, largest, total, target, dloss):
    """See the reference."""
    logits = plain(logits)
    dlogits = np.empty_like(logits)
    spans = threads.blocks(len(logits), logits.size)
    args = plain(largest), plain(total), plain(target), plain(dloss), dlogits
    team.run(_cross_entropy_vjp, spans, logits, *args)
    return dlogits


@jit
def _cross_entropy_vjp(logits, largest, total, target, dloss, dlogits, part, start, stop):
    for n in range(start, stop):
        t = target[n]
        if t < 0:
            dlogits[n] = 0
            continue
        scale = dloss[n] / total[n]
        shift = largest[n] if total[n] < np.inf else total[n]  # inf: the other p are 0
        for c in range(logits.shape[1]):
            dlogits[n, c] = scale * exp(logits[n, c] - shift)
        p = exp(logits[n, t] - shift) / total[n]
        dlogits[n, t] = dloss[n] * (p - logits.dtype.type(1))
