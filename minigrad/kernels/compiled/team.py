"""A team of threads that share a kernel's rows.

The system takes some 50 us to wake a parked thread, longer than many kernels run. A thread without
work therefore spins for a while, without the GIL, before it parks, and so does the thread that
waits for its team: work and results then arrive within a few microseconds.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils
from numba.extending import intrinsic

from minigrad import threads
from minigrad.kernels.compiled.jit import jit

# How often a counter is read, at some 25 ns each time: before the thread parks; and after the
# counter was raised, for as long as the thread that raised it may still hold the GIL. Asking for
# the GIL before that thread is in its kernel would park this one.
_SPINS, _LAST_SPINS = 6000, 100
_SECONDS = 25e-9 * _SPINS
_CAN_SPIN = not numba.config.DISABLE_JIT  # type: ignore[attr-defined]

# The instruction that tells the core that a loop spins, so that its other thread gets more of it.
_ARCHITECTURE = binding.get_process_triple().partition("-")[0].replace("arm64", "aarch64")
_PAUSES: dict[str, tuple[str, list[int]]] = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.isb", [15]),
}


@intrinsic
def _pause_and_read(typing_context, counter):
    """counter[0], after a pause: an atomic load, which sees what another thread has written."""

    def emit(context, builder, signature, args):
        if _ARCHITECTURE in _PAUSES:
            name, operands = _PAUSES[_ARCHITECTURE]
            word = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [word] * len(operands))
            pause = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.call(pause, [word(operand) for operand in operands])
        array = context.make_array(counter)(context, builder, args[0])
        return builder.load_atomic(array.data, "acquire", align=8)

    return counter.dtype(counter), emit


@jit
def _spin(counter, old, spins, last_spins):
    """Return when counter[0] is no longer `old`, or has been read that often."""
    for _ in range(spins):
        if _pause_and_read(counter) != old:  # type: ignore[call-arg]
            for _ in range(last_spins):
                _pause_and_read(counter)
            break


class _Counter:
    """A number that one thread raises and another waits for."""

    def __init__(self) -> None:
        self.value = np.zeros(16, np.int64)  # in [0]; the others fill its cache line
        self.parked = threading.Lock()  # who waits acquires it, and `wake` releases it
        self.spins = _SPINS

    def increase(self) -> None:
        self.value[0] += 1
        self.wake()

    def wake(self) -> None:
        """Have the thread that is parked read the counter again. Once too often does no harm."""
        if self.parked.locked():
            self.parked.release()

    def wait_for(self, number: int, may_spin: bool) -> None:
        """Spin for a while, then park; but park at once where the last wait was a long one.

        Where other programs use the cores, the thread that is waited for may have none, and
        spinning would keep it from getting this one.
        """
        start = time.perf_counter()
        if may_spin and self.value[0] < number:
            _spin(self.value, number - 1, self.spins, _LAST_SPINS)
        while self.value[0] < number:
            self.parked.acquire()
        self.spins = _SPINS if time.perf_counter() - start < _SECONDS else 0


class _Member:
    """A thread that does one task after the other.

    An interrupt may come between any two lines of the thread that gives it tasks.
    """

    def __init__(self) -> None:
        self.given, self.done = _Counter(), _Counter()
        self.task: Callable[[], None] | None = None
        self.may_spin = False
        self.error: BaseException | None = None
        if _CAN_SPIN:  # compile it now: a fork while the thread does would find the compiler locked
            _spin(self.done.value, 0, 0, 0)
        self.thread = threading.Thread(target=self._work, name="minigrad", daemon=True)
        self.thread.start()

    def start(self, task: Callable[[], None] | None, may_spin: bool) -> None:
        """Give it a task; None ends the thread."""
        self.wait()
        self.task, self.may_spin = task, may_spin
        self.given.increase()

    def wait(self) -> BaseException | None:
        """Wait until the task is done; return what it has raised."""
        given = int(self.given.value[0])
        if self.done.value[0] < given:
            self.given.wake()  # an interrupt may have kept `start` from this
            self.done.wait_for(given, self.may_spin)
        error, self.error = self.error, None
        return error

    def _work(self) -> None:
        for number in itertools.count(1):
            self.given.wait_for(number, self.may_spin)
            if self.task is None:
                break
            try:
                self.task()
            except BaseException as error:
                self.error = error
            self.task = None  # the thread must not keep the arrays alive
            self.done.increase()


_members: list[_Member] = []
_taken: dict[str, object] = {}  # "by": the call that the members work for


def run(task: Callable[..., None], spans: list[tuple[int, int]], *args: Any) -> None:
    """Call task(*args, part, start, stop) for every span, the first in this thread.

    This thread does all of it where the team works for another thread, or has too few members.

    A compiled loop should count from 0, over arrays cut to start:stop. For all the compiler knows,
    `start` might be negative, and a loop that counts from it is not vectorized.
    """
    me, shared = object(), False
    try:
        if len(spans) > 1 and _taken.setdefault("by", me) is me and _has_members(len(spans) - 1):
            _share(task, spans, args)
            shared = True
    finally:  # no call in here: Python handles interrupts after calls
        if "by" in _taken and _taken["by"] is me:
            del _taken["by"]
    if not shared:
        for part, span in enumerate(spans):
            task(*args, part, *span)


def _has_members(count: int) -> bool:
    """Whether there are that many; missing ones are started."""
    with contextlib.suppress(RuntimeError):  # the system starts no more threads
        while len(_members) < count:
            _members.append(_Member())
    return len(_members) >= count


def _share(task: Callable[..., None], spans: list[tuple[int, int]], args: tuple[Any, ...]) -> None:
    """As `run`, with a member for each span but the first."""
    may_spin = _CAN_SPIN and len(spans) <= threads.get_num_cores()
    members = _members[: len(spans) - 1]
    try:
        for part, member in enumerate(members, 1):
            member.start(functools.partial(task, *args, part, *spans[part]), may_spin)
        task(*args, 0, *spans[0])
    finally:
        errors = [member.wait() for member in members]
    for error in errors:
        if error is not None:
            raise error


@atexit.register
def _dismiss() -> None:
    """End the threads: none may run while the interpreter shuts down."""
    _taken["by"] = _dismiss  # for good: no later call gets the team
    for member in _members:
        member.start(None, False)
        member.thread.join()


def _forget() -> None:
    _members.clear()  # a fork copies these objects, but not their threads
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
