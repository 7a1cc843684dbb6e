"""A team of threads that share a kernel's rows.

The system takes some 50 us to wake a thread that sleeps, longer than many a kernel runs. A thread
without work therefore goes on looking for some, without the GIL, before it sleeps, and so does the
one that waits for its team: what they hand each other then arrives within a few microseconds.
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

# How often a counter is looked at, some 25 ns each time: in vain, before sleeping; and once it has
# been raised, until the thread that raised it is sure to be in its kernel, without the GIL. Whoever
# asked for the GIL earlier would be put to sleep.
_LOOKS, _LAST_LOOKS = 6000, 100
_SECONDS = 25e-9 * _LOOKS
_CAN_LOOK = not numba.config.DISABLE_JIT  # type: ignore[attr-defined]

# The instruction for a moment's pause, for the sake of whatever else runs on the core.
_ARCHITECTURE = binding.get_process_triple().partition("-")[0].replace("arm64", "aarch64")
_PAUSES: dict[str, tuple[str, list[int]]] = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.isb", [15]),
}


@intrinsic
def _look(typing_context, counter):
    """counter[0] as the last thread has set it, after a moment."""

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
def _watch(counter, old, looks, last_looks):
    """Return when counter[0] is no longer `old`, or was looked at so often in vain."""
    for _ in range(looks):
        if _look(counter) != old:  # type: ignore[call-arg]
            for _ in range(last_looks):
                _look(counter)
            break


class _Counter:
    """A number that one thread raises and another waits for."""

    def __init__(self) -> None:
        self.value = np.zeros(16, np.int64)  # the first; the others keep its cache line free
        self.sleep = threading.Lock()  # open where there may be something new
        self.looks = _LOOKS

    def increase(self) -> None:
        self.value[0] += 1
        self.wake()

    def wake(self) -> None:
        """Have the other one look again. Once too often does no harm."""
        if self.sleep.locked():
            self.sleep.release()

    def wait_for(self, number: int, may_look: bool) -> None:
        """Look for a while, then sleep; but sleep at once where the last wait was a long one.

        Where other programs want the cores, the thread that is waited for may have none, and
        looking would keep it from having this one.
        """
        start = time.perf_counter()
        if may_look and self.value[0] < number:
            _watch(self.value, number - 1, self.looks, _LAST_LOOKS)
        while self.value[0] < number:
            self.sleep.acquire()
        self.looks = _LOOKS if time.perf_counter() - start < _SECONDS else 0


class _Member:
    """A thread that does one task after the other.

    An interrupt may come in between any two lines of the thread that gives the tasks.
    """

    def __init__(self) -> None:
        self.given, self.done = _Counter(), _Counter()
        self.task: Callable[[], None] | None = None
        self.may_look = False
        self.error: BaseException | None = None
        if _CAN_LOOK:  # compile it now: a fork while the thread does would find the compiler locked
            _watch(self.done.value, 0, 0, 0)
        self.thread = threading.Thread(target=self._work, name="minigrad", daemon=True)
        self.thread.start()

    def start(self, task: Callable[[], None] | None, may_look: bool) -> None:
        """Have the task done; None is the last."""
        self.wait()
        self.task, self.may_look = task, may_look
        self.given.increase()

    def wait(self) -> BaseException | None:
        """Until the task is done; what it has raised."""
        given = int(self.given.value[0])
        if self.done.value[0] < given:
            self.given.wake()  # where an interrupt kept `start` from it
            self.done.wait_for(given, self.may_look)
        error, self.error = self.error, None
        return error

    def _work(self) -> None:
        for number in itertools.count(1):
            self.given.wait_for(number, self.may_look)
            if self.task is None:
                break
            try:
                self.task()
            except BaseException as error:
                self.error = error
            self.task = None  # the arrays it holds are not for this thread to keep
            self.done.increase()


_members: list[_Member] = []
_taken: dict[str, object] = {}  # "by": the call that the members work for


def run(task: Callable[..., None], spans: list[tuple[int, int]], *args: Any) -> None:
    """Call task(*args, part, start, stop) for every span, the first in this thread.

    This thread does all of it where the team works for another one, or has too few members.

    A compiled loop should count from 0, over arrays cut to start:stop: counting from a `start` that
    might be negative, for all the compiler knows, can't be vectorized.
    """
    me, shared = object(), False
    try:
        if len(spans) > 1 and _taken.setdefault("by", me) is me and _has_members(len(spans) - 1):
            _share(task, spans, args)
            shared = True
    finally:  # without a call, after which an interrupt might come in
        if "by" in _taken and _taken["by"] is me:
            del _taken["by"]
    if not shared:
        for part, span in enumerate(spans):
            task(*args, part, *span)


def _has_members(count: int) -> bool:
    """Whether there are so many, now at the latest."""
    with contextlib.suppress(RuntimeError):  # the system has no more threads for us
        while len(_members) < count:
            _members.append(_Member())
    return len(_members) >= count


def _share(task: Callable[..., None], spans: list[tuple[int, int]], args: tuple[Any, ...]) -> None:
    """As `run`, with members for all spans but the first."""
    may_look = _CAN_LOOK and len(spans) <= threads.CORES
    members = _members[: len(spans) - 1]
    try:
        for part, member in enumerate(members, 1):
            member.start(functools.partial(task, *args, part, *spans[part]), may_look)
        task(*args, 0, *spans[0])
    finally:
        errors = [member.wait() for member in members]
    for error in errors:
        if error is not None:
            raise error


@atexit.register
def _dismiss() -> None:
    """Let the threads end: none should run in an interpreter that is being taken down."""
    _taken["by"] = _dismiss  # for good: a call from now on has no team
    for member in _members:
        member.start(None, False)
        member.thread.join()


def _forget() -> None:
    _members.clear()  # a fork copies them, but not their threads
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
