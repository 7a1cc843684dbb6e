"""A linear layer: a product and a bias."""

from __future__ import annotations

from typing import Any

from minigrad.kernels.reference.array import Array


def linear(x: Array, weight: Array, bias: Array) -> Array:
    """y = x weight^T + bias.    x: (N, I), weight: (O, I), bias: (O) -> y: (N, O)"""
    return x @ weight.T + bias


def linear_vjp(
    dy: Array, x: Array, weight: Array, needed: tuple[bool, ...] = (True, True, True)
) -> tuple[Any, Any, Any]:
    """dx = dy weight, dweight = dy^T x, dbias = sum(dy)"""
    for_x, for_weight, for_bias = needed
    dx = dy @ weight if for_x else None
    dweight = dy.T @ x if for_weight else None
    return dx, dweight, dy.sum(axis=0) if for_bias else None
