"""A team of threads that share a kernel's rows.

The system takes some 50 us to wake a thread that sleeps, longer than many a kernel runs. A thread
without work therefore goes on looking for some, without the GIL, before it sleeps, and so does the
one that waits for its team: what they hand each other then arrives within a few microseconds.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from minigrad import threads
from minigrad.kernels.compiled.jit import jit

# How often a counter is looked at: in vain, before sleeping, for about half a millisecond; and once
# it has been raised, until the thread that raised it is sure to be in its kernel, without the GIL.
# Whoever asked for the GIL earlier would be put to sleep.
_LOOKS, _LAST_LOOKS = 1000, 5
_CAN_LOOK = hasattr(os, "sched_yield") and not numba.config.DISABLE_JIT  # type: ignore[attr-defined]
_yield = types.ExternalFunction("sched_yield", types.int32())  # lets others have the core


@jit
def _watch(counter, old, looks, last_looks):
    """Return when counter[0] is no longer `old`, or was looked at so often in vain."""
    for _ in range(looks):
        if counter[0] != old:
            for _ in range(last_looks):
                _yield()
            break
        _yield()  # as the compiler can't know what this does, it reads the counter again


class _Counter:
    """A number that one thread raises and another waits for."""

    def __init__(self) -> None:
        self.value = np.zeros(16, np.int64)  # the first; the others keep its cache line free
        self.raised = threading.Condition(threading.Lock())

    def increase(self) -> None:
        with self.raised:
            self.value[0] += 1
            self.raised.notify()

    def wait_for(self, number: int, looks: int) -> None:
        if looks and self.value[0] < number:
            _watch(self.value, number - 1, looks, _LAST_LOOKS)
        if self.value[0] < number:
            with self.raised:
                self.raised.wait_for(lambda: self.value[0] >= number)


class _Member:
    """A thread that does one task after the other."""

    def __init__(self) -> None:
        self.number = 0  # of tasks given so far
        self.looks = 0  # for the next task, before sleeping
        self.given, self.done = _Counter(), _Counter()
        self.task: Callable[[], None] | None = None
        self.error: BaseException | None = None
        if _CAN_LOOK:  # compile it now: a fork while the thread does would find the compiler locked
            _watch(self.done.value, 0, 0, 0)
        self.thread = threading.Thread(target=self._work, name="minigrad", daemon=True)
        self.thread.start()

    def start(self, task: Callable[[], None] | None, looks: int) -> None:
        """Have the task done; None is the last."""
        self.wait()
        self.task, self.looks, self.error = task, looks, None
        self.number += 1
        self.given.increase()

    def wait(self) -> None:
        """Until the task is done."""
        self.done.wait_for(self.number, self.looks)

    def _work(self) -> None:
        for number in itertools.count(1):
            self.given.wait_for(number, self.looks)
            if self.task is None:
                break
            try:
                self.task()
            except BaseException as error:
                self.error = error
            self.task = None  # the arrays it holds are not for this thread to keep
            self.done.increase()


_members: list[_Member] = []
_free = threading.Lock()  # held by the thread that the members work for


def run(task: Callable[..., None], spans: list[tuple[int, int]], *args: Any) -> None:
    """Call task(*args, part, start, stop) for every span, the first in this thread.

    While the team works for another thread, this one does all of it itself.

    A compiled loop should count from 0, over arrays cut to start:stop: counting from a `start` that
    might be negative, for all the compiler knows, can't be vectorized.
    """
    if len(spans) == 1 or not _free.acquire(blocking=False):
        for part, span in enumerate(spans):
            task(*args, part, *span)
        return
    try:
        while len(_members) < len(spans) - 1:
            _members.append(_Member())
        _share(task, spans, args)
    finally:
        _free.release()


def _share(task: Callable[..., None], spans: list[tuple[int, int]], args: tuple[Any, ...]) -> None:
    """As `run`, with members for all spans but the first."""
    looks = _LOOKS if _CAN_LOOK and len(spans) <= threads.CORES else 0
    members = _members[: len(spans) - 1]
    try:
        for part, member in enumerate(members, 1):
            member.start(functools.partial(task, *args, part, *spans[part]), looks)
        task(*args, 0, *spans[0])
    finally:
        for member in members:
            member.wait()
    for member in members:
        if member.error:
            raise member.error


@atexit.register
def _dismiss() -> None:
    """Let the threads end: none should run in an interpreter that is being taken down."""
    for member in _members:
        member.start(None, 0)
        member.thread.join()


def _forget() -> None:
    global _free
    _members.clear()  # a fork copies them, but not their threads
    _free = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
