"""Numbers on their way into the page: few bytes, and nothing that JSON or HTML stumbles over."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

from minigrad import Array

_SIDE = 32  # of a picture, in pixels
_BINS = 25


def number(x: Any) -> float | None:
    """Six digits of it; None where it is not finite, for which JSON has no word."""
    return float(f"{float(x):.6g}") if math.isfinite(x) else None


def norm(array: Array) -> float | None:
    """Of float32, the squares of which might overflow."""
    return number(np.linalg.norm(array.astype(np.float64)))


def packed(array: Array, kind: str = "<i2", lower: bool = False) -> dict[str, Any]:
    """An array as base64 of small integers, the largest entry being `scale`.

    kind: '<i2' for entries within 2e-5 of the largest, 'i1' where it is only to be looked at.
    lower: of a square, without what is above the diagonal, for that is 0.
    """
    shape = array.shape
    array = array[np.tril_indices(len(array))] if lower else array
    array = np.nan_to_num(np.asarray(array, np.float64), posinf=0, neginf=0)
    scale = float(np.abs(array).max(initial=0)) or 1.0
    integers = np.round(array / scale * np.iinfo(kind).max).astype(kind)
    data = base64.b64encode(integers.tobytes()).decode()
    return {"shape": shape, "scale": number(scale), "lower": lower, "data": data}


def picture(array: Array) -> dict[str, Any]:
    """The last axis across, all others down, at most 32 of each, evenly picked."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    picks = [np.linspace(0, n - 1, min(n, _SIDE)).round().astype(int) for n in rows.shape]
    return packed(rows[np.ix_(*picks)], "i1")


def summary(array: Array) -> dict[str, Any]:
    """Statistics, histogram and picture of an array's values."""
    x = np.asarray(array, np.float64)
    finite = x[np.isfinite(x)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # Where all are the same they stand in the middle; np.histogram finds no room for large ones.
    shares = (finite - low) / (high - low) if low < high else np.full(finite.shape, 0.5)
    counts, _ = np.histogram(shares, _BINS, (0, 1))
    return {
        "min": number(x.min()),
        "max": number(x.max()),
        "mean": number(x.mean()),
        "std": number(x.std()),
        "norm": norm(x),
        "zeros": number((x == 0).mean()),
        "histogram": {"counts": counts.tolist(), "from": number(low), "to": number(high)},
        "picture": picture(array),
    }


def script(data: Any) -> str:
    """JSON that can stand in a script element: no `<` of it can end that."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
