"""The arithmetic, as functions on plain arrays: each kernel twice, with one name and signature.

`reference` has it in NumPy, to be read; `compiled` has it in Numba, and is fast; `with_blas` there
leaves products to BLAS. `kernels.softmax` is one of them, by the backend: `set_backend`, or
`MINIGRAD_BACKEND` in the environment, or else numba where it is installed. Kernels trust their
arguments; shapes, dtypes and ids are checked by the operations that call them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

# So that `__getattr__` below is not asked for it: that would import the backend's module.
from minigrad.kernels import reference as reference

_MODULES = {
    "numpy": "minigrad.kernels.reference",
    "numba": "minigrad.kernels.compiled",
    "numba+blas": "minigrad.kernels.compiled.with_blas",
}
_MUCH = 1.5  # how many times as fast BLAS must be: compiled products are fused with what follows
_backend: str | None = None
_twin: ModuleType | None = None  # the backend's module, imported when a kernel is first needed
_asked_for = False  # whether the environment or `set_backend` named it: no other may replace it


def available_backends() -> list[str]:
    """The backends that can be used here: 'numpy' always, the others where Numba is installed.

    'numba+blas' has Numba's kernels, but leaves large products to the BLAS that NumPy has.
    """
    try:
        installed = importlib.util.find_spec("numba") is not None
    except ValueError:  # what stands in sys.modules for numba has no spec
        installed = sys.modules["numba"] is not None
    return list(_MODULES) if installed else ["numpy"]


def set_backend(name: str) -> None:
    """Use the kernels of this backend from now on, in the whole process.

    Raises ValueError for an unknown name, ImportError where numba is wanted but not installed.
    """
    global _backend, _twin, _asked_for
    if name not in _MODULES:
        raise ValueError(f"backend is {name!r}, wanted one of {', '.join(_MODULES)}")
    if name not in available_backends():
        raise ImportError(f"backend {name!r} needs the package numba, which is not installed")
    _backend, _twin, _asked_for = name, None, True


def get_backend() -> str:
    """The one in use. The first call chooses it, where nobody has: 'numba' where installed."""
    global _asked_for
    if _backend is None:
        asked = os.environ.get("MINIGRAD_BACKEND")
        set_backend(asked or ("numba" if "numba" in available_backends() else "numpy"))
        _asked_for = bool(asked)
    assert _backend is not None
    return _backend


def choose_backend(begun_with: str = "") -> str:
    """Use 'numba+blas' instead of 'numba' where BLAS is much faster; return the backend in use.

    How fast BLAS is is measured once per machine, in a tenth of a second, and kept beside the
    compiled kernels. A backend that the environment or `set_backend` has named stays.

    begun_with: the backend of a run that goes on, which only that one gives the same bits
    """
    global _asked_for
    backend = get_backend()
    if _asked_for:
        return backend
    if begun_with in available_backends():
        set_backend(begun_with)
    elif backend == "numba" and _load("numba") is not reference:
        measured = importlib.import_module(f"{_MODULES['numba']}.measured")
        if measured.blas_speed() >= _MUCH:
            set_backend("numba+blas")
    _asked_for = False
    return get_backend()


if TYPE_CHECKING:  # mypy, and an editor's "go to definition", find the kernels in NumPy
    from minigrad.kernels.reference import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        """The kernel of that name, in the backend's module."""
        global _twin
        if name.startswith("__"):
            raise AttributeError(name)
        if _twin is None:
            _twin = _load(get_backend())
        return getattr(_twin, name)


def _load(backend: str) -> ModuleType:
    try:
        return importlib.import_module(_MODULES[backend])
    except ImportError as error:  # numba is installed, but too old for this NumPy, say
        if _asked_for:
            raise
        warnings.warn(f"using NumPy's kernels, as numba cannot be imported: {error}", stacklevel=3)
        set_backend("numpy")
        return reference
