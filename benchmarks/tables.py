"""Write the pages' tables from the result files, each between its two markers.

    python benchmarks/tables.py

A table stands between <!-- table: train_step avx512 --> and <!-- end --> in README.md or docs/*.md;
its rows are in benchmarks/results/avx512.json, where a benchmark's --json puts them. Two tables are
not from a benchmark: `made` says how each of the others was made, and the rows of `figures` are
written by hand. These refer to a figure of another table like this: {train_step[0][ours, ms]}.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(r"(<!-- table: (\w+) (\w+) -->\n).*?<!-- end -->", re.DOTALL)

# Columns that the pages leave out: sizes that stand in train_step.py.
HIDDEN = ("B", "T", "D", "heads", "num_neurons", "blocks", "sgemm, GFLOP/s")
MADE = ("table", "command", "date", "processor", "threads", "python", "numpy", "numba", "torch")

Row = dict[str, Any]  # of a table: the headers and what stands under them
Results = dict[str, dict[str, Any]]  # of a file: how a table was made, and its rows


def read(path: Path) -> Results:
    """The tables of a result file; none where there is no file."""
    results: Results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return results


def put(path: Path, made: Row, tables: dict[str, list[Row]]) -> None:
    """Put tables into a result file, instead of those of the same names; a row is one line."""
    results = read(path) | {name: {"made": made, "rows": rows} for name, rows in tables.items()}
    parts = []
    for name, result in results.items():
        short = [{column: _short(value) for column, value in r.items()} for r in result["rows"]]
        rows = ",\n   ".join(json.dumps(row, ensure_ascii=False) for row in short)
        made_with = json.dumps(result["made"], ensure_ascii=False)
        parts.append(f' "{name}": {{\n  "made": {made_with},\n  "rows": [\n   {rows}\n  ]\n }}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _short(value: Any) -> Any:
    return float(f"{value:.7g}") if isinstance(value, float) else value


def markdown(rows: list[Row]) -> str:
    """A table in Markdown, without the columns that would be empty."""
    if not rows:
        return "no such rows"
    headers = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    lines = [headers, ["---"] * len(headers)]
    lines += [[cell(row[name]) for name in headers] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """A value as a table shows it: three digits of a measured one, whole from 100 on."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "-" if value is None else str(value)


def shown(name: str, results: Results) -> list[Row]:
    """The rows of a table as the pages have them."""
    if name == "made":
        made = [{"table": table} | result["made"] for table, result in results.items()]
        return [{column: row.get(column) for column in MADE} for row in made]
    rows = results[name]["rows"]
    if name == "figures":
        cells = {t: [{c: cell(row[c]) for c in row} for row in results[t]["rows"]] for t in results}
        return [{header: text.format(**cells) for header, text in row.items()} for row in rows]
    rows = [row for row in rows if row.get("of the step", 1) >= 0.01]  # of step_kernels.py
    return [{c: value for c, value in row.items() if c not in HIDDEN} for row in rows]


def filled(page: str) -> str:
    """The text of a page with its tables as the result files have them."""
    if page.count("<!-- table: ") != len(MARKED.findall(page)):
        raise ValueError("a table's marker has no name, no machine or no end")

    def table(found: re.Match[str]) -> str:
        begin, name, machine = found.groups()
        rows = shown(name, read(RESULTS / f"{machine}.json"))
        return f"{begin}\n{markdown(rows)}\n\n<!-- end -->"

    return MARKED.sub(table, page)


def main() -> None:
    """Fill every page."""
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
