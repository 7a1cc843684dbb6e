"""Optimizers, gradient clipping and learning-rate schedules.

An optimizer gives its parameters new arrays; what was computed from the old ones keeps these, so a
graph recorded before a step still has the gradients of what it computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.tensor import Array, Tensor

Schedule = Callable[[int], float]


class Optimizer:
    """Holds the parameters; a subclass says what one step does to each.

    Raises ValueError where there is no parameter, or a setting is out of range.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = list(params)
        if not self.params:
            raise ValueError("an optimizer needs at least one parameter, got none")
        _check(lr=lr)
        self.lr = lr

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for param in self.params:
            param.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for i, param in enumerate(self.params):
            if param.grad is not None:
                new = self._updated(i, param._data, param.grad)
                param._data = np.asarray(new, param.dtype)  # lr may be a NumPy float64

    def _updated(self, i: int, param: Array, grad: Array) -> Array:
        raise TypeError("Optimizer is a base class: use SGD or AdamW")


class SGD(Optimizer):
    """Gradient descent: b = momentum b + grad, param = param - lr b.

    The first step takes b = grad. Source: Sutskever et al., On the importance of initialization and
    momentum, ICML 2013, equations 1 and 2, in the form PyTorch uses (lr outside of b).
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.0) -> None:
        super().__init__(params, lr)
        _check(momentum=momentum)
        self.momentum = float(momentum)
        self.buffers: list[Array | None] = [None] * len(self.params)

    def _updated(self, i: int, param: Array, grad: Array) -> Array:
        if self.momentum:
            buffer = self.buffers[i]
            grad = grad.copy() if buffer is None else self.momentum * buffer + grad
            self.buffers[i] = grad
        return param - self.lr * grad


class AdamW(Optimizer):
    """Adam with decoupled weight decay; the equations are those of `kernels.reference.adamw`.

    lr: step size; betas: how slowly the mean of the gradient and of its square follow (0 <= b < 1);
    eps: keeps the division finite; weight_decay: every step shrinks all weights by lr weight_decay.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr)
        _check(eps=eps, weight_decay=weight_decay)
        if not (len(betas) == 2 and all(0 <= b < 1 for b in betas)):
            raise ValueError(f"betas are {betas}, wanted two numbers with 0 <= beta < 1")
        self.betas, self.eps, self.weight_decay = (betas[0], betas[1]), eps, weight_decay
        self.m = [np.zeros(param.shape, param.dtype) for param in self.params]
        self.v = [np.zeros(param.shape, param.dtype) for param in self.params]
        self.steps = [0] * len(self.params)

    def _updated(self, i: int, param: Array, grad: Array) -> Array:
        self.steps[i] += 1
        return kernels.adamw(
            param,
            grad,
            self.m[i],
            self.v[i],
            self.steps[i],
            self.lr,
            self.betas,
            self.eps,
            self.weight_decay,
        )


def clip_grad_norm(params: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by min(1, max_norm / norm); returns norm, their joint Euclidean length.

    The norm is summed up in float64. A norm that is not finite is returned and nothing scaled.
    Source: Pascanu, Mikolov and Bengio, On the difficulty of training RNNs, ICML 2013, algorithm 1.

    Raises ValueError for a max_norm that is not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}, wanted a number above 0")
    params = [param for param in params if param.grad is not None]
    norm = math.sqrt(sum(_sum_of_squares(param.grad) for param in params))
    if max_norm < norm < math.inf:
        for param in params:
            assert param.grad is not None
            param.grad *= param.dtype.type(max_norm / norm)
    return norm


def _sum_of_squares(array: Any) -> float:
    return float(np.square(array, dtype=np.float64).sum())


# -- schedules: from the number of steps done to a learning rate -----------------------------------


def constant(lr: float) -> Schedule:
    """Always lr."""
    return lambda step: lr


def cosine(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """From lr to `final` along half a cosine, in `steps`; `final` from then on.

    Source: Loshchilov and Hutter, SGDR, 2017, equation 5, without restarts.
    """

    def schedule(step: int) -> float:
        done = min(step / max(steps, 1), 1.0)
        return final + (lr - final) * (1 + math.cos(math.pi * done)) / 2

    return schedule


def warmup(steps: int, then: Schedule) -> Schedule:
    """Follow `then`, but rise to it linearly in the first `steps`: step 0 takes 1/steps of it."""
    return lambda step: then(step) * min((step + 1) / max(steps, 1), 1.0)


def _check(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}, wanted a finite number, 0 or above")
