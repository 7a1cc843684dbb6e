"""Numbers in the form that the page holds: few bytes, valid JSON, and safe inside HTML."""

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
    """x to six digits; None if it is not finite, which JSON cannot express."""
    return float(f"{float(x):.6g}") if math.isfinite(x) else None


def norm(array: Array) -> float | None:
    """The Euclidean norm, in float64, since the squares of float32 might overflow."""
    return number(np.linalg.norm(array.astype(np.float64)))


def packed(array: Array, kind: str = "<i2", lower: bool = False) -> dict[str, Any]:
    """An array as small integers in base64: x = integer / largest integer * scale, scale = max |x|.

    kind: '<i2' keeps entries within 2e-5 of `scale`; 'i1' is enough for pictures.
    lower: leave out what is above the diagonal of a square array, because it is 0
    """
    shape = array.shape
    array = array[np.tril_indices(len(array))] if lower else array
    array = np.nan_to_num(np.asarray(array, np.float64), posinf=0, neginf=0)
    scale = float(np.abs(array).max(initial=0)) or 1.0
    integers = np.round(array / scale * np.iinfo(kind).max).astype(kind)
    data = base64.b64encode(integers.tobytes()).decode()
    return {"shape": shape, "scale": number(scale), "lower": lower, "data": data}


def picture(array: Array) -> dict[str, Any]:
    """An array as a picture: last axis across, all others down, at most 32 entries of each."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    picks = [np.linspace(0, n - 1, min(n, _SIDE)).round().astype(int) for n in rows.shape]
    return packed(rows[np.ix_(*picks)], "i1")


def summary(array: Array) -> dict[str, Any]:
    """Statistics, histogram and picture of an array's values."""
    x = np.asarray(array, np.float64)
    finite = x[np.isfinite(x)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # Equal values all go into the middle bin: np.histogram fails if they are large.
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
    """JSON to stand in a script element: `<` is escaped, so that nothing in it ends the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
