"""The functions that a module of kernels has."""

from __future__ import annotations

import inspect
from types import ModuleType


def public(module: ModuleType) -> dict[str, inspect.Signature]:
    """The module's own functions by name, without those that it imports."""
    functions = inspect.getmembers(module, inspect.isfunction)
    return {
        name: inspect.signature(f)
        for name, f in functions
        if not name.startswith("_") and f.__module__.startswith(module.__name__)
    }
