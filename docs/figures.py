"""Draw the figures of the course and of table1.md, as SVG in plain Python.

Usage: python docs/figures.py
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg

FOLDER = Path(__file__).parent
MEASURED = FOLDER.parent / "benchmarks" / "results" / "avx512.json"
BLUE, RED = "#1f5fa8", "#b3331d"
COLORS = (BLUE, RED, "#2a8a3e", "#8a4fb0", "#d98a00", "#00909e", "#c2407f", "#6b6b6b", "#7a5230")
MIDDLE = 'text-anchor="middle"'


def tape() -> str:
    """Page 1: the graph of its example, each value below its name, each gradient along its edge."""
    a, b = (mg.Tensor(value, requires_grad=True) for value in (2.0, 3.0))
    c = a * b
    d = c + a
    loss = d * d
    places = {"a": (60, 40), "b": (60, 180), "c": (210, 130), "d": (360, 70), "loss": (510, 70)}
    values = {"a": a, "b": b, "c": c, "d": d, "loss": loss}
    # By the rules of the page: the share of a gradient that goes back along each edge.
    dd = 2 * d.item()
    shares = {("c", "a"): dd * b.item(), ("c", "b"): dd * a.item(), ("d", "a"): dd, ("d", "c"): dd}
    shares["loss", "d"] = dd
    parts = []
    for (child, parent), share in shares.items():
        (x1, y1), (x2, y2) = places[parent], places[child]
        times = 2 if child == "loss" else 1  # d * d has two edges to d
        parts.append(line(x1, y1, x2, y2, "#999"))
        label = f"{share / times:g}" + " + 8" * (times - 1)
        parts.append(text((x1 + x2) / 2, (y1 + y2) / 2 - 6, label, f'{MIDDLE} fill="{RED}"'))
    loss.backward()
    totals = {"a": a.grad, "b": b.grad, "c": dd, "d": dd, "loss": 1}
    signs = {"a": "a", "b": "b", "c": "c = a b", "d": "d = c + a", "loss": "loss = d d"}
    for name, (x, y) in places.items():
        parts.append(
            f'<rect x="{x - 48}" y="{y - 26}" width="96" height="52" rx="6" fill="white" '
            'stroke="#666"/>'
        )
        parts.append(text(x, y - 10, signs[name], MIDDLE))
        parts.append(text(x, y + 5, f"{values[name].item():g}", f'{MIDDLE} fill="{BLUE}"'))
        parts.append(text(x, y + 20, f"{float(totals[name]):g}", f'{MIDDLE} fill="{RED}"'))
    parts.append(text(370, 160, "value, computed from left to right", f'fill="{BLUE}"'))
    parts.append(text(370, 178, "gradient, computed from right to left", f'fill="{RED}"'))
    return svg(620, 220, parts)


def attention(positions: int = 10, cell: int = 22) -> str:
    """Page 5: softmax(q k^T / sqrt(d)) with its mask, and the gradient ds, for random q, k, v."""
    rng = np.random.default_rng(5)
    q, k, v, dout = rng.standard_normal((4, positions, 4))
    later = np.triu(np.full((positions, positions), -np.inf), 1)
    s = mg.Tensor(q @ k.T / 2, requires_grad=True)
    p = mg.softmax(s + later)
    (p @ v).backward(dout)
    side, parts = positions * cell, []
    for left, title, values in ((30, "p, the weights", p.data), (90 + side, "ds", s.grad)):
        parts.append(text(left, 22, title, ""))
        strongest = np.abs(values).max()
        for (i, j), value in np.ndenumerate(values):
            if j <= i:
                color = BLUE if (value > 0) == (left == 30) else RED
                parts.append(
                    f'<rect x="{left + j * cell}" y="{30 + i * cell}" width="{cell - 1}" '
                    f'height="{cell - 1}" fill="{color}" '
                    f'fill-opacity="{abs(value) / strongest:.2f}" stroke="#ddd"/>'
                )
    return svg(120 + 2 * side, 45 + side, parts)


def differences() -> str:
    """Page 7: the error of forward, central and complex differences of x^3 at 1, against h."""

    def cube(x: Any) -> Any:
        return x * x * x

    ways = {
        "forward": ("#888", lambda h: (cube(1 + h) - cube(1)) / h),
        "central": (BLUE, lambda h: (cube(1 + h) - cube(1 - h)) / (2 * h)),
        "complex": (RED, lambda h: cube(1 + h * 1j).imag / h),
    }
    left, top, wide, high, low = 60, 20, 480, 240, -16  # errors from 1e-16 to 1
    parts = []

    def across(exponent: float) -> float:
        return left + wide * (exponent + 14) / 14

    def down(exponent: float) -> float:
        return top + high * exponent / low

    for exponent in range(-14, 1, 2):
        parts.append(text(across(exponent), top + high + 18, f"1e{exponent}", MIDDLE))
    for exponent in range(low, 1, 4):
        parts.append(line(left, down(exponent), left + wide, down(exponent), "#ddd"))
        parts.append(text(left - 8, down(exponent) + 4, f"1e{exponent}", 'text-anchor="end"'))
    parts.append(text(left + wide / 2, top + high + 38, "h", MIDDLE))
    for i, (name, (color, slope)) in enumerate(ways.items()):
        points = []
        for h in [float(f"{m}e-{k}") for k in range(14, 0, -1) for m in (1, 2, 5)]:
            error = max(abs(slope(h) - 3), 1e-16)
            points.append(f"{across(math.log10(h)):.1f} {down(math.log10(error)):.1f}")
        parts.append(f'<path d="M{"L".join(points)}" fill="none" stroke="{color}"/>')
        parts.append(text(left + 10 + 90 * i, top + 14, name, f'fill="{color}"'))
    return svg(left + wide + 30, top + high + 50, parts)


def training() -> str:
    """table1.md: the time of a training step against its tokens, a curve for each mixer."""
    return curves("table1_time", r"\d+", "tokens", "ms a step")


def token() -> str:
    """table1.md: the time of a written token against the tokens before it."""
    return curves("table1_token", r"at (\d+), us", "tokens before it", "us a token")


def curves(table: str, column: str, sizes: str, costs: str) -> str:
    """A measured table, a curve for each row, both axes logarithmic.

    column: what the name of a column is that has a cost; in it stands a size
    """
    rows = json.loads(MEASURED.read_text(encoding="utf-8"))[table]["rows"]
    found = {
        row["mixer"]: {
            int(re.findall(r"\d+", name)[0]): cost
            for name, cost in row.items()
            if re.fullmatch(column, name)
        }
        for row in rows
    }
    left, top, wide, high = 60, 30, 420, 300
    xs = list(next(iter(found.values())))
    logs = [math.log10(cost) for curve in found.values() for cost in curve.values()]
    lowest, highest = math.floor(min(logs)), math.ceil(max(logs))

    def across(size: int) -> float:
        return left + wide * math.log(size / xs[0]) / math.log(xs[-1] / xs[0])

    def down(cost: float) -> float:
        return top + high * (highest - math.log10(cost)) / (highest - lowest)

    parts = [text(left, top - 12, costs, "")]
    parts.append(text(left + wide / 2, top + high + 38, sizes, MIDDLE))
    parts += [text(across(x), top + high + 18, f"{x:,}", MIDDLE) for x in xs]
    for exponent in range(lowest, highest + 1):
        y = down(10**exponent)
        parts.append(line(left, y, left + wide, y, "#ddd"))
        parts.append(text(left - 8, y + 4, f"{10**exponent:,g}", 'text-anchor="end"'))
    label = top - 20.0
    for name in sorted(found, key=lambda name: -found[name][xs[-1]]):
        color = COLORS[list(found).index(name)]
        points = [f"{across(x):.1f} {down(cost):.1f}" for x, cost in found[name].items()]
        parts.append(f'<path d="M{"L".join(points)}" fill="none" stroke="{color}"/>')
        label = max(label + 15, down(found[name][xs[-1]]) + 4)  # not over the one above
        parts.append(text(left + wide + 8, label, name, f'fill="{color}"'))
    return svg(left + wide + 130, top + high + 50, parts)


def line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    """A straight line."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}"/>'


def text(x: float, y: float, words: str, attributes: str) -> str:
    """Words that begin at x, or are centred on it."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{words}</text>'


def svg(width: int, height: int, parts: list[str]) -> str:
    """A whole image, on a white background."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        'font-family="sans-serif" font-size="13">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


FIGURES = {
    "tape": tape,
    "attention": attention,
    "differences": differences,
    "table1-training": training,
    "table1-token": token,
}


def main() -> None:
    """Write each beside this file."""
    for name, draw in FIGURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
