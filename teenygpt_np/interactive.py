"""Talk to a model: a line is the beginning of a text, or a command such as `:t 0.7`."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from teenygpt_np.errors import InputError


@dataclass(frozen=True)
class Settings:
    """How a text is written.    seed: of each text; None: other texts each time

    The others are those of `sampling.choose`; length: characters of a text, at most.
    """

    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | None
    length: int


class _Command(NamedTuple):
    setting: str
    number: type[int] | type[float]
    help: str


COMMANDS = {
    ":t": _Command("temperature", float, "temperature: lower is likelier, 0 takes the likeliest"),
    ":k": _Command("top_k", int, "draw from the K likeliest tokens only"),
    ":p": _Command("top_p", float, "draw from the likeliest, which reach probability P together"),
    ":seed": _Command("seed", int, "the same beginning is then continued in the same way"),
    ":n": _Command("length", int, "characters of a text, at most"),
}
BEGINNING = "the beginning of a text, which the model continues; an empty one lets it begin"
_HELP = """\
A line is {line}.
Ctrl-C stops a text, Ctrl-D or :q ends. A text may begin with a colon: type two of them.
Without its number, a command sets what was set at the start:
"""

Write = Callable[[str, Settings], Generator[str, None, None]]


class Talk:
    """Reads lines from standard input, until it ends, and does what they ask for.

    write: (beginning, settings) -> the whole text, in pieces, each as soon as it is written
    check: raises InputError for a setting out of range, as `write` does for a beginning
    line: what a line is, in words

    On a terminal there is a prompt, and Ctrl-C stops what is being written; elsewhere there is only
    the text, and Ctrl-C ends the program.
    """

    def __init__(
        self,
        settings: Settings,
        write: Write,
        check: Callable[[Settings], None],
        line: str = BEGINNING,
    ) -> None:
        self.settings = self.first = settings
        self.line = line
        self.write, self.check = write, check
        self.at_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()

    def run(self) -> None:
        """Read and obey to the end."""
        if sys.stdin is None:  # closed, as by `<&-`
            return
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")
        if self.at_terminal:
            with contextlib.suppress(ImportError):  # not on Windows
                import readline  # noqa: F401  # gives `input` editing and a history
            print(f"Type {self.line.partition(',')[0].partition(';')[0]}; :help tells what else.")
        while True:
            try:
                if not self._obey(input("> " if self.at_terminal else "")):
                    return
            except EOFError:
                if self.at_terminal:
                    print()
                return
            except InputError as error:
                print(error, file=sys.stderr)
            except KeyboardInterrupt:
                if not self.at_terminal:
                    raise
                print()

    def _obey(self, line: str) -> bool:
        """Do what a line asks for; False if that is to end."""
        if line.startswith(":") and not line.startswith("::"):
            name, _, value = line.strip().partition(" ")
            if name == ":q":
                return False
            if name == ":help":
                self._help()
            else:
                self._set(name, value.strip())
        else:
            beginning = line[1:] if line.startswith("::") else line
            with contextlib.closing(self.write(beginning, self.settings)) as text:
                for piece in text:
                    print(piece, end="", flush=True)
            print(flush=True)
        return True

    def _set(self, name: str, value: str) -> None:
        if name not in COMMANDS:
            raise InputError(f"{name} is no command; :help lists them")
        setting, number, _ = COMMANDS[name]
        try:
            new: Any = number(value) if value else getattr(self.first, setting)
        except ValueError:
            raise InputError(
                f"{name} is {value!r}, wanted a {'whole ' * (number is int)}number"
            ) from None
        settings = dataclasses.replace(self.settings, **{setting: new})
        self.check(settings)
        self.settings = settings

    def _help(self) -> None:
        print(_HELP.format(line=self.line))
        for name, (setting, _, text) in COMMANDS.items():
            value = getattr(self.settings, setting)
            print(f"  {name:6}{'none' if value is None else value:<8}{text}")
