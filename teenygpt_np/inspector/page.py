"""The page: one HTML file that needs no network, no library and no server."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from teenygpt_np import checkpoint
from teenygpt_np.inspector.maps import added, attention, states
from teenygpt_np.inspector.nodes import graph_data
from teenygpt_np.inspector.pack import number, script
from teenygpt_np.inspector.tape import Tape
from teenygpt_np.inspector.training import training_data
from teenygpt_np.run_directory import REPORT
from teenygpt_np.text.corpus import Corpus

_SCRIPTS = (
    "parts.js",
    "map.js",
    "node.js",
    "lora.js",
    "sight.js",
    "state.js",
    "training.js",
    "page.js",
)


def inspection(tape: Tape, directory: Path, against: Path | None) -> str:
    """The whole page of a run and a text.    against: a run to compare with, or None"""
    sight = tape.sight
    data = {
        "text": sight.text,
        "unit": sight.tokenizer.unit,
        "signs": sight.signs,
        "loss": number(tape.loss),
        "graph": graph_data(tape),
        "attention": attention(tape),
        "states": states(tape),
        "prediction": asdict(sight.prediction()),
        "lora": added(sight.model),
        "training": [training_data(d) for d in (directory, against) if d],
    }
    return page(f"How {directory.resolve().name} learns", data)


def write_report(directory: Path, corpus: Corpus) -> Path:
    """Write `report.html`, a page of the training alone; returns its path."""
    path = directory / REPORT
    data = {"training": [training_data(directory, corpus)]}
    checkpoint.write_text(path, page(f"How {directory.resolve().name} learned", data))
    return path


def page(
    title: str,
    data: dict[str, Any],
    scripts: Sequence[str] = _SCRIPTS,
    more_script: str = "",
    more_style: str = "",
) -> str:
    """The page with this data; parts without data are left out.

    scripts: names of assets, after which `more_script` follows
    """
    assets = files("teenygpt_np.inspector") / "assets"
    read = {name: (assets / name).read_text(encoding="utf-8") for name in ("page.html", "page.css")}
    code = "\n".join((assets / name).read_text(encoding="utf-8") for name in scripts)
    parts = {
        "title": html.escape(title),
        "style": read["page.css"] + more_style,
        "script": code + more_script,
        "data": script(data),
    }
    before, *rest = read["page.html"].split("{{")
    pieces = [before]
    for piece in rest:
        name, _, after = piece.partition("}}")
        pieces += [parts[name], after]
    return "".join(pieces)
