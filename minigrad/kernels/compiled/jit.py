"""Compiling: one decorator for all kernels, with a cache on disk whose errors never stop a run."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from pathlib import Path

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile

from minigrad.kernels.compiled.linking import link

# A fused multiply-add rounds once instead of twice; a sum in another order can be summed up in a
# vector register. Neither assumes away NaN or infinity, and once compiled, the order is fixed.
FUSED = {"contract"}
FUSED_AND_REORDERED = {"contract", "reassoc"}


def _sources_hash() -> str:
    """A hash of every kernel's source: numba itself looks only at the file of the function."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCES = _sources_hash()


class _Files(IndexDataCacheFile):
    """Numba's, but a file of machine code is named after the types that it is for.

    Numba takes the first number that is free in the index. Two processes that compile a function at
    the same time, each for other types, take the same one; the code that is written last then
    stands in the index under the types of the other, and is run on arrays that it does not fit.
    """

    def save(self, key, data):
        overloads = self._load_index()
        if key not in overloads:
            number = int(hashlib.sha256(repr(key).encode()).hexdigest()[:15], 16)
            overloads[key] = self._data_name(number)
            self._save_index(overloads)
        self._save_data(overloads[key], data)


class _Loading(CompileResultCacheImpl):
    """Numba's, but what the code calls by address is there before the code is."""

    def rebuild(self, target_context, payload):
        (_, _, (code, _)), *_ = payload
        link(code)
        return super().rebuild(target_context, payload)


class _Cache(FunctionCache):
    """Numba's cache of machine code, but a file that can't be read or written is no error."""

    _impl_class = _Loading

    def __init__(self, function):
        super().__init__(function)
        self._cache_file.__class__ = _Files

    def _index_key(self, sig, codegen):
        checks = numba.config.BOUNDSCHECK  # type: ignore[attr-defined]
        return (*super()._index_key(sig, codegen), _SOURCES, checks)

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # to unpickle a damaged file may raise anything
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig, data):
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


def jit(function=None, *, fastmath=FUSED_AND_REORDERED, inline="never"):
    """Compile at the first call, to code that runs without the GIL; use the cache on disk.

    inline="always" is for a function that one other calls, at one place: as a function of its own,
    LLVM would optimize it, and then once more within the other.
    With NUMBA_DISABLE_JIT=1 the function stays Python: slow, but a debugger can step through it.
    NumPy's warnings of overflow are off, as machine code has none. Functions written for the
    compiler (`exp`, `normal_density`, `normal_cdf`, `set_tile`) then run their Python definitions.
    """
    if function is None:
        return functools.partial(jit, fastmath=fastmath, inline=inline)
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return np.errstate(all="ignore")(function)
    dispatcher = numba.njit(nogil=True, error_model="numpy", fastmath=fastmath, inline=inline)(
        function
    )
    with contextlib.suppress(RuntimeError, OSError):  # no directory for it can be written to
        dispatcher._cache = _Cache(function)  # type: ignore[attr-defined]
    return dispatcher


def cache_directory(function):
    """Where numba would keep the machine code of this function; None if no place can be written."""
    with contextlib.suppress(RuntimeError, OSError):
        return _Cache(function).cache_path


def plain(array):
    """The array C-contiguous, aligned and writable: one layout, so one compilation."""
    return array if array.flags.carray else np.require(array, None, ["C", "A", "W"])


def rows_of(x, axis):
    """x with `axis` moved last, as contiguous rows (N, C); no rows where there is no entry."""
    moved = np.moveaxis(x, axis, -1)
    return plain(moved).reshape(-1, moved.shape[-1]) if moved.size else moved.reshape(0, 1)


def unrows(rows, shape, axis):
    """Rows as made by `rows_of`, back in the shape they came from."""
    moved = list(shape)
    moved.append(moved.pop(axis))
    return np.moveaxis(rows.reshape(moved), -1, axis)
