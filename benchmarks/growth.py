"""How the cost of a training step grows with T, D, the hidden width and the batch; PyTorch's too.

    python benchmarks/growth.py --json docs/growth.json

One of the four changes at a time, the others stay as in BASE. The step is that of train_step.py,
PyTorch's eager; memory is the peak of its process. The plot goes beside the JSON, as an .svg.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import sides
from train_step import tasks

BASE = {"B": 16, "T": 128, "D": 64, "heads": 4, "num_neurons": 4, "blocks": 2}
GROWS = {
    "T": (32, 64, 128, 256, 512),
    "D": (32, 64, 128, 256, 512),
    "num_neurons": (1, 4, 16, 64, 256),
    "B": (4, 8, 16, 32, 64),
}
SHORT_BASE = {"B": 2, "T": 8, "D": 8, "heads": 2, "num_neurons": 2, "blocks": 1}
SHORT_GROWS = {"T": (4, 16)}

# The plot: what grows from left to right, what it costs one above the other.
WIDTH, HEIGHT, GAP, TOP = 190, 170, 62, 60  # of a panel, between two, above them all
LABELS = {"T": "T, tokens", "D": "D, width", "num_neurons": "hidden width / D", "B": "B, batch"}
SIDES = {"ours": ("ours", "#0a6ebd"), "eager": ("PyTorch", "#d1495b")}
MIDDLE, END = 'text-anchor="middle"', 'text-anchor="end"'


def plot(rows: list[sides.Row]) -> str:
    """The table's rows as an SVG, both axes logarithmic."""
    grows = list(dict.fromkeys(row["grows"] for row in rows))
    shown = [side for side in SIDES if f"{side}, ms" in rows[0]]
    width, height = len(grows) * (WIDTH + GAP) + GAP, 2 * (HEIGHT + GAP) + TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for i, side in enumerate(shown):
        name, color = SIDES[side]
        parts.append(_text(GAP + 80 * i, 24, name, f'font-size="14" fill="{color}"'))
    for i, name in enumerate(grows):
        for j, (unit, title) in enumerate((("ms", "step, ms"), ("MB", "peak memory, MB"))):
            x, y = GAP + i * (WIDTH + GAP), TOP + j * (HEIGHT + GAP)
            curves = {
                SIDES[side][1]: [
                    (r["to"], r[f"{side}, {unit}"]) for r in rows if r["grows"] == name
                ]
                for side in shown
            }
            parts += [_text(x, y - 6, title), *_panel(x, y, curves)]
            parts.append(_text(x + WIDTH / 2, y + HEIGHT + 32, LABELS[name], MIDDLE))
    return "\n".join([*parts, "</svg>\n"])


def _panel(x: int, y: int, curves: dict[str, list[tuple[int, float]]]) -> list[str]:
    """Curves by color, each of (size, cost), in a frame with its top left at x, y."""
    sizes = [size for size, _ in next(iter(curves.values()))]
    logs = [math.log10(cost) for curve in curves.values() for _, cost in curve]
    low, high = math.floor(min(logs)), math.floor(max(logs)) + 1

    def across(size: int) -> float:
        return x + WIDTH * math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])

    def down(exponent: float) -> float:
        return y + HEIGHT * (high - exponent) / (high - low)

    parts = [_text(across(size), y + HEIGHT + 15, size, MIDDLE) for size in sizes]
    for exponent in range(low, high + 1):
        parts.append(f'<path d="M{x} {down(exponent):.1f}h{WIDTH}" stroke="#ccc"/>')
        parts.append(_text(x - 5, down(exponent) + 4, f"{10**exponent:,g}", END))
    for color, curve in curves.items():
        points = [f"{across(size):.1f} {down(math.log10(cost)):.1f}" for size, cost in curve]
        # A line of no length with round ends is a dot.
        dots = "".join(f"M{point}h0" for point in points)
        style = f'fill="none" stroke="{color}" stroke-linecap="round"'
        parts.append(f'<path d="M{"L".join(points)}" {style}/>')
        parts.append(f'<path d="{dots}" {style} stroke-width="6"/>')
    return parts


def _text(x: float, y: float, text: Any, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{text}</text>'


def main() -> None:
    """Print a table in Markdown, and draw it."""
    args = sides.arguments(__doc__, rounds=3, only=True)
    base, grows = (SHORT_BASE, SHORT_GROWS) if args.short else (BASE, GROWS)
    rows = []
    for name, sizes in grows.items():
        for size in sizes if args.only in name else ():
            work = tasks(tuple((base | {name: size}).values()), 0 if args.short else 1)
            ms, memory = sides.alternate(f"{name} {size}", work, args.rounds)
            row: sides.Row = {"grows": name, "to": size}
            row |= {f"{side}, ms": sides.median(times) for side, times in ms.items()}
            row["ours / PyTorch"] = sides.median_ratio(ms["ours"], ms.get("eager"))
            rows.append(row | {f"{side}, MB": memory[side] for side in ms})
    sides.report(args, growth=rows)
    if args.json:
        Path(args.json).with_suffix(".svg").write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
