"""A tiny run of each kind, by what its model has learned, and a text to look at it with."""

from __future__ import annotations

from pathlib import Path

from running import LINES, SMALL, call, tiny_run

# A text for each kind of run.
TEXTS = {
    "next": "king plans rain",
    "masked": "king [pl]ans r[a]in",
    "joint": "king [pl]ans r[a]in",
    "pairs": "king wins\tsniw gnik",
    "labels": "king plans rain",
    "from_the_left": "king plans rain\tthe city",
}


def runs_of_each_kind(folder: Path) -> dict[str, Path]:
    """Train them in a folder, each for two epochs."""
    pairs, table = folder / "pairs.tsv", folder / "lines.csv"
    pairs.write_text("".join(f"{line}\t{line[::-1]}\n" for line in LINES), encoding="utf-8")
    rows = "".join(f"{line},the {line.split()[0]}\n" for line in LINES)
    table.write_text(f"text,label\n{rows}", encoding="utf-8")
    labelled = [f"--data={table}", "--column=text", "--label=label"]
    flags = {
        "pairs": [f"--pairs={pairs}"],
        "labels": labelled,
        "from_the_left": [*labelled, "--mixer=attention,gru", "--num-blocks=2"],
    }
    found = {}
    for name, given in flags.items():
        found[name] = folder / name
        usual = [*SMALL, "--epochs=2", "--lr=0.02", "--quiet"]
        assert call("train", "--out", found[name], *usual, *given).status == 0
    for name in ("next", "masked", "joint"):
        (folder / f"of_{name}").mkdir()
        found[name] = tiny_run(folder / f"of_{name}", f"--objective={name}")
    return found
