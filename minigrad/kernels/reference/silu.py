"""SiLU, GLU and softplus, entry by entry; none takes an e^x that could overflow."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def silu(x: Array) -> Array:
    """y = x / (1 + e^-x)"""
    return x * sigmoid(x)


def silu_vjp(x: Array, dy: Array) -> Array:
    """dx = dy s (1 + x (1 - s)), with s = 1 / (1 + e^-x)."""
    s = sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


def glu(x: Array) -> Array:
    """y = a / (1 + e^-b), with a the first and b the second half of a row.    (N, 2D) -> (N, D)"""
    a, b = np.split(x, 2, axis=1)
    return a * sigmoid(b)


def glu_vjp(x: Array, dy: Array) -> Array:
    """da = dy s, db = dy a s (1 - s), s = 1 / (1 + e^-b), s (1 - s) = z / (1 + z)^2, z = e^-|b|.

    1 - s would lose its digits where s is near 1.
    """
    a, b = np.split(x, 2, axis=1)
    z = np.exp(-np.abs(b))
    return np.concatenate([dy * sigmoid(b), dy * (a * (z / (1 + z) ** 2))], axis=1)


def softplus(x: Array) -> Array:
    """y = ln(1 + e^x)"""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_vjp(x: Array, dy: Array) -> Array:
    """dx = dy / (1 + e^-x)"""
    return dy * sigmoid(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)"""
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, 1) / (1 + z)
