"""From a rule on arrays to an operation on Tensors: what all operations share is done here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from minigrad.tape import Node, check_anomaly, is_recording, observers
from minigrad.tensor import Tensor, _float_array


@overload
def differentiable(rule: Callable[..., Any]) -> Callable[..., Tensor]: ...
@overload
def differentiable(
    *, constants: Sequence[str]
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]: ...
def differentiable(rule: Callable[..., Any] | None = None, *, constants: Sequence[str] = ()) -> Any:
    """Turn a rule on arrays into an operation on Tensors.

    rule: takes arrays (its positional-only parameters, those before `/`) and settings (the others);
        returns the value and its vjp. The vjp takes the gradient of the value and returns one
        gradient per array, each in the shape the array was broadcast to, or None; or a function
        without arguments that computes it, called only where that gradient is needed. A vjp with a
        second parameter, `needed`, is told which are, a bool for each array: where one kernel
        computes several gradients, it can leave out those of frozen weights.
        An array whose default is None may be left out.
    constants: names of arrays that no gradient flows to (ids, masks), passed on as they are.

    The operation unwraps Tensors, converts plain numbers and arrays to the Tensors' dtype, and
    records the vjp where a gradient is needed. On the way back, the tape undoes broadcasting.
    """
    if rule is None:
        return functools.partial(differentiable, constants=constants)
    parameters = inspect.signature(rule).parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    optional = {p.name for p in parameters if p.default is None}
    fixed = tuple([name in constants for name in names])

    @functools.wraps(rule)
    def operation(*args: Any, **settings: Any) -> Tensor:
        if variadic:
            operands, args, flags = args, (), (False,) * len(args)
        else:
            operands, args, flags = args[: len(names)], args[len(names) :], fixed
            for name in names[len(operands) :]:  # arrays given by name, or not at all
                if name not in settings and name not in optional:
                    raise TypeError(f"{rule.__name__}() missing 1 required argument: {name!r}")
                operands = (*operands, settings.pop(name, None))
        arrays = _arrays(operands, flags)
        value, vjp = rule(*arrays, *args, **settings)
        output = Tensor._wrap(value)
        check_anomaly(output._data, operation.__name__)
        if is_recording():
            parents = tuple(
                [
                    (o._node or o) if isinstance(o, Tensor) and o.requires_grad and not f else None
                    for o, f in zip(operands, flags, strict=False)
                ]
            )
            if any(p is not None for p in parents):
                vjp = _told(vjp, parents)
                output._node = Node(operation.__name__, output._data, parents, vjp)
                output.requires_grad = True
                for observer in observers():
                    observer.forward(output._node, output._data, rule, arrays, (args, settings))
        return output

    return operation


def _told(vjp: Callable[..., Any], parents: Sequence[Any]) -> Callable[..., Any]:
    """The vjp as a function of dy alone: one that asks for `needed` has been told."""
    code = getattr(vjp, "__code__", None)
    if code is None or "needed" not in code.co_varnames[: code.co_argcount]:
        return vjp
    needed = tuple([parent is not None for parent in parents])

    def told(dy: Any) -> Any:
        return vjp(dy, needed)

    told.__wrapped__ = vjp  # type: ignore[attr-defined]  # whose line a trace gives
    return told


def as_tensors(*operands: Any) -> list[Any]:
    """The operands as Tensors of the dtype that one operation on all of them would use; None stays.

    For a function composed of several operations, none of which sees all the operands.
    """
    arrays = _arrays(operands, (False,) * len(operands))
    return [
        o if o is None or isinstance(o, Tensor) else Tensor._wrap(a)
        for o, a in zip(operands, arrays, strict=True)
    ]


def _arrays(operands: Sequence[Any], constant: Sequence[bool]) -> list[Any]:
    """The operands as arrays; numbers and plain arrays take the dtype of the Tensors they meet."""
    pairs = zip(operands, constant, strict=False)
    dtypes = {o._data.dtype for o, c in pairs if isinstance(o, Tensor) and not c}
    dtype = dtypes.pop() if len(dtypes) == 1 else np.result_type(*dtypes) if dtypes else None
    arrays: list[Any] = []
    for operand, is_constant in zip(operands, constant, strict=False):
        if isinstance(operand, Tensor):
            arrays.append(operand._data if is_constant else operand._data.astype(dtype, copy=False))
        elif is_constant:
            arrays.append(np.array(operand))
        elif operand is None:
            arrays.append(None)
        else:
            arrays.append(_float_array(operand, dtype, copy=True))
    return arrays
