"""Tensor: an array with its place on the tape, and the operators and methods of an array.

Where gradients come from is in `minigrad.tape`; what an operation computes is in `minigrad.ops`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minigrad.tape import Array, Node, backpropagate, is_recording

Axis: TypeAlias = int | tuple[int, ...] | None

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Tensor:
    """An array that knows how it was computed, and can ask for its gradient.

    data: anything NumPy makes an array of. It is copied, so that later changes of the source
        change nothing here. float32 and float64 keep their dtype; Python numbers and lists,
        integers and booleans become float32.
    requires_grad: whether `backward()` should leave a gradient in `.grad`.

    Raises TypeError for data that are not real numbers.
    """

    __slots__ = ("__weakref__", "_data", "_node", "grad", "requires_grad")
    __array_ufunc__ = None  # so that `array + tensor` calls Tensor.__radd__
    __hash__ = object.__hash__

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = False) -> None:
        self._data = _float_array(data, copy=True)
        self._node: Node | None = None
        self.grad: Array | None = None
        self.requires_grad = bool(requires_grad)

    @classmethod
    def _wrap(cls, value: Any) -> Tensor:
        """A Tensor around an array that nothing else writes to: no copy, no checks."""
        tensor = cls.__new__(cls)
        tensor._data = np.asarray(value)
        tensor._node = None
        tensor.grad = None
        tensor.requires_grad = False
        return tensor

    # -- what it is ----------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The values, read-only because a vjp may need them. Assigning replaces the array.

        So `t.data = t.data - 0.5`, not `t.data -= 0.5`, which NumPy refuses.
        """
        # A view of a buffer that is read-only itself: NumPy refuses to make it writable again.
        return np.asarray(self._data.data.toreadonly())

    @data.setter
    def data(self, value: ArrayLike) -> None:
        if self._node is not None:
            raise ValueError("data can only be set on a leaf; this tensor is an operation's result")
        array = _float_array(value, self.dtype, copy=True)
        if array.shape != self.shape:
            raise ValueError(f"data has shape {array.shape}, wanted {self.shape}")
        self._data = array

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._data.size

    @property
    def T(self) -> Tensor:
        """The axes in reverse order."""
        return ops.transpose(self)

    def item(self) -> float:
        """The one entry, as a Python float. Raises ValueError where there is not exactly one."""
        return float(self._data.item())

    def numpy(self) -> Array:
        """A copy of the values, which the caller may change."""
        return self._data.copy()

    def detach(self) -> Tensor:
        """The same values, cut off from the tape."""
        return Tensor._wrap(self._data)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def __repr__(self) -> str:
        body = np.array2string(self._data, separator=", ", prefix="Tensor(")
        grad = f", from={self._node.name}" if self._node else ", requires_grad=True"
        return f"Tensor({body}, dtype={self.dtype}{grad if self.requires_grad else ''})"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise ValueError(f"a copy is needed to turn {self.dtype} into {np.dtype(dtype)}")
        return self.data if dtype is None and not copy else np.array(self._data, dtype=dtype)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d tensor has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return self.item()

    def __int__(self) -> int:
        return int(self.item())

    def __round__(self, digits: int | None = None) -> float:
        return round(self.item(), digits)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def tolist(self) -> Any:
        """The values as Python floats, in lists in lists; a float where there is no axis."""
        return self._data.tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """A leaf of its own, with the same values and gradient."""
        if self._node is not None:
            raise TypeError(
                "deepcopy of an operation's result would copy its graph, leaves included, and no "
                "gradient would reach yours; copy t.detach(), or what it was computed from"
            )
        copy = Tensor(self._data, self.requires_grad)
        copy.grad = None if self.grad is None else self.grad.copy()
        memo[id(self)] = copy
        return copy

    def __array_function__(self, function: Any, *_: Any) -> Any:
        """NumPy's functions would compute on values alone, and no gradient would flow back."""
        if function in (np.shape, np.ndim, np.size):
            return function(self._data)
        name = function.__name__
        ours = {"amax": "max", "amin": "min", "dot": "matmul", "absolute": "abs"}.get(name, name)
        remedy = (
            f"minigrad.{ours} records it" if ours in ops.__all__ else "minigrad has no such one"
        )
        raise TypeError(
            f"numpy.{name} of a Tensor would be missing on the tape: {remedy}; for values without "
            "gradients give it t.data"
        )

    # -- the way back --------------------------------------------------------------------------

    def backward(self, grad: ArrayLike | None = None, *, retain_graph: bool = False) -> None:
        """Add the gradient of sum(grad * self) with respect to each leaf to the leaf's `.grad`.

        grad: the cotangent, of this tensor's shape; 1 where this tensor has a single entry.
        retain_graph: keep the graph for another backward. Without it each node drops what it kept
            as soon as it has been used, so memory falls as the walk goes on.

        Leaves get their gradients at the end, all or (where a vjp raises) none.

        Raises RuntimeError where there is no graph or it has been freed; ValueError where `grad` is
        missing or misshapen.
        """
        if not self.requires_grad:
            raise RuntimeError("backward() on a tensor that requires no gradient")
        backpropagate(self._node or self, self._seed(grad), retain_graph)

    def _seed(self, grad: ArrayLike | None) -> Array:
        if grad is None:
            if self.size != 1:
                raise ValueError(
                    f"backward() on shape {self.shape} needs a grad of that shape; "
                    "without one it starts from a single entry"
                )
            return np.ones(self.shape, self.dtype)
        seed = _float_array(grad, self.dtype, copy=True)
        if seed.shape != self.shape:
            raise ValueError(f"grad has shape {seed.shape}, wanted {self.shape}")
        return seed

    # -- operators -----------------------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    # In place: a new tensor, as for a Python number; but a leaf whose gradient is wanted stands in
    # lists of parameters too, which would keep the old one.

    def _in_place(self, sign: str, result: Tensor) -> Tensor:
        if self._node is not None or not self.requires_grad:
            return result
        if is_recording():
            raise RuntimeError(
                f"{sign} on a leaf that requires a gradient would make another tensor of it; under "
                "minigrad.no_grad() it changes the leaf itself, as t.data = ... does"
            )
        self.data = result._data
        return self

    def __iadd__(self, other: Any) -> Tensor:
        return self._in_place("+=", self + other)

    def __isub__(self, other: Any) -> Tensor:
        return self._in_place("-=", self - other)

    def __imul__(self, other: Any) -> Tensor:
        return self._in_place("*=", self * other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._in_place("/=", self / other)

    def __ipow__(self, other: Any) -> Tensor:
        return self._in_place("**=", self**other)

    def __imatmul__(self, other: Any) -> Tensor:
        return self._in_place("@=", self @ other)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "entries of a Tensor can't be assigned: a vjp may need them; change a copy, "
            "a = t.numpy(), and assign t.data = a"
        )

    # Comparisons give plain bool arrays: a truth value has no gradient.

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return np.asarray(np.equal(self._data, _plain(other)))

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return np.asarray(np.not_equal(self._data, _plain(other)))

    def __lt__(self, other: Any) -> Array:
        return np.asarray(np.less(self._data, _plain(other)))

    def __le__(self, other: Any) -> Array:
        return np.asarray(np.less_equal(self._data, _plain(other)))

    def __gt__(self, other: Any) -> Array:
        return np.asarray(np.greater(self._data, _plain(other)))

    def __ge__(self, other: Any) -> Array:
        return np.asarray(np.greater_equal(self._data, _plain(other)))

    # -- operations that read well as methods --------------------------------------------------

    def exp(self) -> Tensor:
        return ops.exp(self)

    def log(self) -> Tensor:
        return ops.log(self)

    def sqrt(self) -> Tensor:
        return ops.sqrt(self)

    def abs(self) -> Tensor:
        return ops.abs(self)

    def tanh(self) -> Tensor:
        return ops.tanh(self)

    def sigmoid(self) -> Tensor:
        return ops.sigmoid(self)

    def erf(self) -> Tensor:
        return ops.erf(self)

    def relu(self) -> Tensor:
        return ops.relu(self)

    def gelu(self, approximate: str = "none") -> Tensor:
        return ops.gelu(self, approximate)

    def clip(self, low: Any = None, high: Any = None) -> Tensor:
        return ops.clip(self, low, high)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return ops.mean(self, axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return ops.min(self, axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, correction: float = 0) -> Tensor:
        return ops.var(self, axis, keepdims, correction)

    def std(self, axis: Axis = None, keepdims: bool = False, correction: float = 0) -> Tensor:
        return ops.std(self, axis, keepdims, correction)

    def norm(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return ops.norm(self, axis, keepdims)

    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return ops.logsumexp(self, axis, keepdims)

    def softmax(self, axis: int = -1) -> Tensor:
        return ops.softmax(self, axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        return ops.log_softmax(self, axis)

    def reshape(self, *shape: Any) -> Tensor:
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = axes[0]
        return ops.transpose(self, axes or None)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        return ops.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Axis = None) -> Tensor:
        return ops.squeeze(self, axis)

    def expand_dims(self, axis: int | tuple[int, ...]) -> Tensor:
        return ops.expand_dims(self, axis)

    def broadcast_to(self, shape: int | Sequence[int]) -> Tensor:
        return ops.broadcast_to(self, shape)

    def split(self, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
        return ops.split(self, sections, axis)


def _float_array(data: Any, dtype: Any = None, copy: bool = False) -> Array:
    if isinstance(data, Tensor):
        data = data._data
    array = np.asarray(data)
    if dtype is None:
        dtype = array.dtype.newbyteorder("=")
        if not isinstance(data, np.ndarray | np.generic) or dtype.kind in "biu":
            dtype = _FLOATS[0]
    if array.dtype.kind not in "biuf" or dtype not in _FLOATS:
        raise TypeError(f"a Tensor holds float32 or float64, got {array.dtype}")
    return np.array(array, dtype=dtype, copy=copy or None)


def _plain(other: Any) -> Any:
    return other._data if isinstance(other, Tensor) else other


# Last, because operations import Tensor, and the operators above call operations.
from minigrad import ops  # noqa: E402
