"""How many operations on floats a token takes: they are counted while the twin computes one."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from teenygpt_np.exporter.twin.model import Twin

_NONE = (np.negative, np.trunc)  # of a sign, or part of a conversion


class _Counted(np.ndarray[Any, Any]):
    """An array that counts the operations on it, and makes arrays that count theirs."""

    count: ClassVar[int] = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, np.ndarray) else x for x in inputs]
        out = settings.get("out")
        if out is not None:
            settings["out"] = tuple(np.asarray(x) for x in out)
        y = getattr(ufunc, method)(*plain, **settings)
        floats = any(getattr(x, "dtype", None) == np.float32 for x in plain)
        if floats and y.dtype in (np.float32, np.bool_) and ufunc not in _NONE:
            size = y.size
            if method in ("reduce", "accumulate"):  # of n terms: n - 1 sums, or comparisons
                size = plain[0].size - plain[0].size // plain[0].shape[-1]
            _Counted.count += size
        return _counted(y)  # also of `a += b`: a view of the same memory

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _counted(super().__array_function__(function, types, args, kwargs))


def _counted(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return [_counted(part) for part in x]
    return x.view(_Counted) if isinstance(x, np.ndarray) else x


def float_operations(twin: Twin, position: int) -> int:
    """Additions, products, quotients, roots and comparisons of floats for the token at a position.

    The choice of the next token is not among them.
    """
    state = twin.start(1)
    state.position, state.blocks = position, _counted(state.blocks)
    _Counted.count = 0
    twin.step(np.zeros(1, np.int64), state, _counted)
    return _Counted.count
