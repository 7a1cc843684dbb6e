"""Stopping at Ctrl-C and similar signals without losing anything."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def first_signal_to(stop: Callable[[int], None]) -> Iterator[None]:
    """In the block, the first SIGINT, SIGTERM or SIGHUP calls stop(number).

    A second one ends the process at once. A signal that is ignored, as under nohup, stays ignored.
    """
    names = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {s: signal.getsignal(s) for s in names if s is not None}
    heeded = [s for s, handler in before.items() if handler != signal.SIG_IGN]

    def handler(number: int, frame: object) -> None:
        stop(number)
        for name in heeded:
            signal.signal(name, signal.SIG_DFL)

    for name in heeded:
        signal.signal(name, handler)
    try:
        yield
    finally:
        for name in heeded:
            signal.signal(name, before[name])
