"""A linear layer: a product and a bias."""

from __future__ import annotations

from minigrad.kernels.reference.array import Array


def linear(x: Array, weight: Array, bias: Array) -> Array:
    """y = x weight^T + bias.    x: (N, I), weight: (O, I), bias: (O) -> y: (N, O)"""
    return x @ weight.T + bias


def linear_vjp(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """dx = dy weight, dweight = dy^T x, dbias = sum(dy)"""
    return dy @ weight, dy.T @ x, dy.sum(axis=0)
