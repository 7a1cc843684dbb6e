"""The output of a training: a live progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_BAR = 24
_REDRAW = 0.1  # seconds between two drawings of the bar
_LINES = 10.0  # seconds between two plain lines


def duration(seconds: float) -> str:
    """Seconds as `1:02:03`, `2:03` or `0:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Console:
    """Prints lines, and one line that changes.    quiet: print nothing

    failed: the error with which the output failed, if it did: from then on nothing is printed
    """

    failed: OSError | None = None

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stream = stream or sys.stdout
        self.quiet = quiet
        self.live = self.stream.isatty()
        self._signs = ("█", "░") if _can_print("█░", self.stream) else ("#", ".")
        self._drawn = 0
        self._last = -float("inf")

    def line(self, text: str = "") -> None:
        """Print a line that stays."""
        if not self.quiet:
            self._write(self._erasing() + text + "\n")
            self._drawn = 0

    def status(self, text: str) -> None:
        """On a terminal, show a line until the next output replaces it."""
        if self.live and not self.quiet:
            self._draw(text)

    def update(self, title: str, done: int, total: int, figures: str, left: float) -> None:
        """Show the progress of work.    figures: text to show.    left: seconds until its end"""
        now = time.monotonic()
        if self.quiet or now - self._last < (_REDRAW if self.live else _LINES):
            return
        self._last = now
        share = done / max(total, 1)
        said = f"{share:4.0%}  {figures}  {duration(left)} left"
        if self.live:
            room = shutil.get_terminal_size().columns - len(title) - len(said) - 3
            width = max(0, min(_BAR, room))
            full, empty = self._signs
            self._draw(f"{title} {full * round(share * width):{empty}<{width}} {said}")
        else:
            self.line(f"{title} {said}")

    def _draw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]  # more would wrap, and stay
        self._write(self._erasing() + text)
        self._drawn = len(text)

    def _erasing(self) -> str:
        return "\r" + " " * self._drawn + "\r" if self._drawn else ""

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.failed, self.quiet = error, True


def _can_print(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
