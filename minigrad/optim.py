"""Optimizers, gradient clipping and learning-rate schedules.

A step gives each parameter a new array and leaves the old one as it is. A graph recorded before the
step holds the old arrays, so its gradients are still those of what it computed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.tape import Array
from minigrad.tensor import Tensor

Schedule = Callable[[int], float]

_STRETCH = 1 << 18  # entries: longer flat arrays would save no time, but take memory


class Optimizer:
    """Holds the parameters; a subclass says what one step does to them.

    Parameters that are stepped alike lie side by side in one flat array, and so do their gradients
    and what is kept of them between steps: a step is a few operations on long arrays.

    Raises ValueError where there is no parameter, or a setting is out of range.
    """

    _STATE: tuple[str, ...] = ()  # what a subclass keeps between steps: an array per parameter

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = _listed(params)
        if not self.params:
            raise ValueError("an optimizer needs at least one parameter, got none")
        if len({id(param) for param in self.params}) < len(self.params):
            raise ValueError("a parameter is given twice; every step would change it twice")
        _check(lr=lr)
        self.lr = lr
        ends = itertools.accumulate(param.size for param in self.params)
        pairs = zip(ends, self.params, strict=True)
        self._stretches = [(end - param.size) // _STRETCH for end, param in pairs]
        self._groups: dict[tuple[int, ...], _Group] = {}  # those of the last step

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for param in self.params:
            param.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises ValueError where a gradient that was set by hand has another shape: nothing has been
        changed then.
        """
        grads = dict(self._gradients())
        alike: dict[Any, list[int]] = {}
        for i in grads:
            alike.setdefault(self._kind(i), []).append(i)
        known = self._groups
        self._groups = {i: known.get(i, _Group(i)) for i in map(tuple, alike.values())}
        values = [param._data for param in self.params]
        for numbers, group in self._groups.items():
            old = group.flat("param", values)
            grad = np.concatenate([grads[i] for i in numbers], axis=None)
            new = np.asarray(self._updated(group, old, grad), old.dtype)  # lr may be np.float64
            group.keep("param", new, values)
            for i in numbers:
                self.params[i]._data = values[i]

    def _gradients(self) -> Iterator[tuple[int, Array]]:
        for i, param in enumerate(self.params):
            if param.grad is not None:
                grad = np.asarray(param.grad, param.dtype)  # one set by hand may have another dtype
                if grad.shape != param.shape:
                    raise ValueError(f"grad has shape {grad.shape}, wanted {param.shape}")
                yield i, grad

    def _kind(self, i: int) -> Any:
        """What parameters have in common that are stepped together."""
        return self.params[i].dtype, self._stretches[i]

    def state_dict(self, numbers: Collection[int] | None = None) -> dict[str, Array]:
        """What is kept between steps, by names like 'm/0': copies.

        numbers: of the parameters it is wanted of; None: all
        """
        return {f"{name}/{i}": array.copy() for name, i, array in self._kept(numbers)}

    def load_state_dict(
        self, arrays: Mapping[str, Array], numbers: Collection[int] | None = None
    ) -> None:
        """Go on from what `state_dict` gave.    numbers: as for that

        Raises KeyError where an array is missing, ValueError where one has another shape.
        """
        for name, i, array in self._kept(numbers):
            given = arrays[f"{name}/{i}"]
            if given.shape != array.shape:
                raise ValueError(f"{name}/{i} is {given.shape}, wanted {array.shape}")
            array[...] = given

    def _kept(self, numbers: Collection[int] | None) -> Iterator[tuple[str, int, Array]]:
        for name in self._STATE:
            for i, array in enumerate(getattr(self, name)):
                if numbers is None or i in numbers:
                    yield name, i, array

    def _updated(self, group: _Group, param: Array, grad: Array) -> Array:
        raise TypeError("Optimizer is a base class: use SGD, AdamW or Muon")

    def _zeros(self) -> list[Array]:
        return [np.zeros(param.shape, param.dtype) for param in self.params]


class _Group:
    """Parameters that are stepped together, by their numbers, and their flat arrays, by name."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers
        self._known: dict[str, tuple[Array, list[Array]]] = {}

    def flat(self, name: str, arrays: list[Array]) -> Array:
        """The group's arrays one after the other, as one flat array.

        They become views of it, so that the next call has nothing to copy: unless one of them has
        been replaced in between, or is a deep copy, which is no view.
        """
        flat, views = self._known.get(name, (None, []))
        own = [arrays[i] for i in self.numbers]
        pairs = zip(own, views, strict=False)
        if flat is None or any(array is not view or view.base is not flat for array, view in pairs):
            flat = np.concatenate(own, axis=None)
            self.keep(name, flat, arrays)
        return flat

    def keep(self, name: str, flat: Array, arrays: list[Array]) -> None:
        """Make the group's arrays views of a flat one."""
        stop = 0
        for i in self.numbers:
            start, stop = stop, stop + arrays[i].size
            arrays[i] = flat[start:stop].reshape(arrays[i].shape)
        self._known[name] = flat, [arrays[i] for i in self.numbers]


class SGD(Optimizer):
    """Gradient descent: b = momentum b + grad, param = param - lr b.

    The first step takes b = grad.

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning,
    2013, PMLR 28(3):1139-1147, equations 1 and 2, in the form PyTorch uses (lr outside of b).
    """

    _STATE = ("b",)

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.0) -> None:
        super().__init__(params, lr)
        _check(momentum=momentum)
        self.momentum = float(momentum)
        self.b = self._zeros()

    def _updated(self, group: _Group, param: Array, grad: Array) -> Array:
        if not self.momentum:
            return param - self.lr * grad
        b = group.flat("b", self.b)
        b *= self.momentum
        b += grad
        return param - self.lr * b


class AdamW(Optimizer):
    """Adam with decoupled weight decay; the equations are those of `kernels.reference.adamw`.

    lr: step size. betas: decay rates of the running means of the gradient and of its square, each
    with 0 <= beta < 1. eps: keeps the division finite. weight_decay: every step multiplies all
    weights by 1 - lr weight_decay.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, arXiv:1711.05101.
    """

    _STATE = ("m", "v", "steps")

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
        self.m, self.v = self._zeros(), self._zeros()
        self.steps = [np.zeros((), np.int64) for _ in self.params]

    def _kind(self, i: int) -> Any:
        return super()._kind(i), int(self.steps[i])

    def _updated(self, group: _Group, param: Array, grad: Array) -> Array:
        for i in group.numbers:
            self.steps[i] += 1
        return kernels.adamw(
            param,
            grad,
            group.flat("m", self.m),
            group.flat("v", self.v),
            int(self.steps[group.numbers[0]]),
            self.lr,
            self.betas,
            self.eps,
            self.weight_decay,
        )


class Muon(Optimizer):
    """Momentum made orthogonal, for the weight matrices of hidden layers.

    m = momentum m + (1 - momentum) grad
    O = orthogonalized(momentum m + (1 - momentum) grad)
    param = (1 - lr weight_decay) param - 0.2 sqrt(max(rows, columns)) lr O

    A gradient has a few large singular values and many small ones; O has them all near 1, so that
    every direction is learned at the same pace. The factor makes a step as long as AdamW's usually
    are: one lr serves both. Embeddings, output layer, biases and norms are better off with AdamW.

    Raises ValueError for a parameter that is no matrix.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024,
    kellerjordan.github.io/posts/muon; for the factor Liu et al., Muon is scalable for LLM training,
    2025, section 2.2, arXiv:2502.16982.
    """

    _STATE = ("m",)

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(params, lr)
        _check(momentum=momentum, weight_decay=weight_decay)
        if momentum >= 1:
            raise ValueError(f"momentum is {momentum}, wanted 0 <= momentum < 1")
        if wrong := [param.shape for param in self.params if param.ndim != 2]:
            raise ValueError(f"Muon changes matrices, got a parameter of shape {wrong[0]}")
        self.momentum, self.weight_decay = float(momentum), float(weight_decay)
        self.m = self._zeros()

    def _kind(self, i: int) -> Any:
        return self.params[i].dtype, self.params[i].shape  # orthogonalized in one batch

    def _updated(self, group: _Group, param: Array, grad: Array) -> Array:
        lr, damped = float(self.lr), 1 - self.momentum  # a NumPy float64 would widen float32
        m = group.flat("m", self.m)
        m += damped * (grad - m)
        ahead = m + damped * (grad - m)  # Nesterov's: m after another step with this gradient
        shape = self.params[group.numbers[0]].shape
        step = orthogonalized(ahead.reshape(-1, *shape)).reshape(-1)
        step *= 0.2 * math.sqrt(max(shape)) * lr
        return (1 - lr * self.weight_decay) * param - step


# f(s) = a s + b s^3 + c s^5, applied five times, takes every s in 0.0016..1 into 0.68..1.21.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalized(g: Array) -> Array:
    """About U V^T, where U S V^T is the singular value decomposition of g.    g: (..., M, N)

    Five times X <- a X + (b X X^T + c (X X^T)^2) X, from X = g / |g|: U and V stay, every singular
    value s becomes a s + b s^3 + c s^5, which soon lies near 1. A matrix of zeros stays as it is.

    Source: as for `Muon`, the coefficients too.
    """
    if g.shape[-2] > g.shape[-1]:
        return orthogonalized(g.swapaxes(-1, -2)).swapaxes(-1, -2)
    x = g / np.maximum(np.linalg.norm(g, axis=(-2, -1), keepdims=True), np.finfo(g.dtype).tiny)
    return kernels.newton_schulz(x.reshape(-1, *g.shape[-2:]), _NEWTON_SCHULZ, 5).reshape(g.shape)


def clip_grad_norm(
    params: Iterable[Tensor],
    max_norm: float,
    *,
    summed: Callable[[list[float]], float] = sum,
) -> float:
    """Scale all gradients by min(1, max_norm / norm); returns norm, their joint Euclidean length.

    summed: adds up the squares of each gradient, and of those that other processes have, if any

    The norm is summed up in float64. A norm that is not finite is returned and nothing scaled.
    Raises ValueError for a max_norm that is not above 0.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks,
    2013, algorithm 1, arXiv:1211.5063.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}, wanted a number above 0")
    params = [param for param in _listed(params) if param.grad is not None]
    norm = math.sqrt(summed([sum_of_squares(param.grad) for param in params]))
    if max_norm < norm < math.inf:
        for param in params:
            assert param.grad is not None
            param.grad *= param.dtype.type(max_norm / norm)
    return norm


def sum_of_squares(array: Any) -> float:
    """sum_i x_i^2 over all entries, in float64, because squares of float32 might overflow it."""
    return float(np.square(array, dtype=np.float64).sum())


# -- schedules: from the number of steps done to a learning rate -----------------------------------


def constant(lr: float) -> Schedule:
    """Always lr."""
    return lambda step: lr


def cosine(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """From lr to `final` along half a cosine, in `steps`; `final` from then on.

    Source: Loshchilov and Hutter, SGDR, 2017, equation 5, without restarts, arXiv:1608.03983.
    """

    def schedule(step: int) -> float:
        done = min(step / max(steps, 1), 1.0)
        return final + (lr - final) * (1 + math.cos(math.pi * done)) / 2

    return schedule


def warmup(steps: int, then: Schedule) -> Schedule:
    """Follow `then`, but rise to it linearly in the first `steps`: step 0 takes 1/steps of it."""
    return lambda step: then(step) * min((step + 1) / max(steps, 1), 1.0)


def _listed(params: Iterable[Tensor]) -> list[Tensor]:
    """As a list. Raises TypeError for a single Tensor, which would fall into its rows."""
    if isinstance(params, Tensor):
        raise TypeError(f"params is one Tensor of shape {params.shape}, wanted a list of Tensors")
    return list(params)


def _check(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value}, wanted a finite number, 0 or above")
