"""Functions that kernels call by address, so that they are compiled once.

Numba copies a compiled function into every kernel that calls it, and LLVM optimizes each copy anew.
For the products that was most of the time until a first training could begin.
"""

from __future__ import annotations

import itertools
from typing import Any

from llvmlite import binding
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

_functions: list[Any] = []  # that are called by address
_linked: set[str] = set()  # the symbols that the linker knows


def by_address(function):
    """The compiled function(c, start, a, b) of matrices, all of one dtype, to be called by address.

    It can be called in kernels, and in Python only where nothing is compiled.
    """
    if not hasattr(function, "py_func"):  # NUMBA_DISABLE_JIT=1
        return function
    _functions.append(function)

    def call(c, start, a, b):
        return function(c, start, a, b)

    @intrinsic
    def call_symbol(typing_context, c, start, a, b):
        signature, symbol = types.void(c, start, a, b), _link(function, c.dtype)

        def emit(context, builder, _, args):
            kind = context.call_conv.get_function_type(types.none, signature.args)
            code = cgutils.get_or_insert_function(builder.module, kind, symbol)
            status, _ = context.call_conv.call_function(
                builder, code, types.none, signature.args, args
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return signature, emit

    @overload(call, inline="always")
    def _(c, start, a, b):
        # A slice with a step has the type of an array of any layout: one type for all callers.
        return lambda c, start, a, b: call_symbol(  # type: ignore[call-arg]
            c[::1, ::1], start[::1, ::1], a[::1, ::1], b[::1, ::1]
        )

    return call


def link(code):
    """Make known to the linker what this machine code, from the cache, calls by address.

    The linker ends the process where it meets a symbol that it does not know.
    """
    for function, dtype in itertools.product(_functions, (types.float32, types.float64)):
        if _symbol(function, dtype).encode() in code:
            _link(function, dtype)


def _symbol(function, dtype):
    return f"minigrad.{function.py_func.__qualname__}.{dtype}"


def _link(function, dtype):
    """The symbol of the function for matrices of this dtype, which the linker then knows."""
    symbol = _symbol(function, dtype)
    if symbol not in _linked:
        arguments = (types.Array(dtype, 2, "A"),) * 4
        function.compile(arguments)
        code = function.overloads[arguments]
        binding.add_symbol(symbol, code.library.get_pointer_to_function(code.fndesc.llvm_func_name))
        _linked.add(symbol)
    return symbol
