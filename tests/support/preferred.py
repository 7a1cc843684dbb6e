"""Preferences for tests: of the 60 lines, those with a king are liked better."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from running import LINES

_KINGS, _OTHERS = LINES[:15], LINES[15:]
PREFERENCES = [("", _KINGS[i % 15], line) for i, line in enumerate(_OTHERS)] + [
    (line.split()[0], line.removeprefix(line.split()[0]), " sleeps") for line in _KINGS
]


def write_preferences(path: Path, rows: Sequence[tuple[str, str, str]] = PREFERENCES) -> Path:
    names = ("prompt", "chosen", "rejected")
    lines = (json.dumps(dict(zip(names, row, strict=True))) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
