"""safetensors: named arrays behind a header in JSON, which many programs read.

A file is 8 bytes, the length of the header as a little-endian integer; the header, an object with
dtype, shape and data_offsets of each array, and text under __metadata__; then the arrays' bytes
one after the other, which the offsets count.

Source: the format's description in its repository, github.com/huggingface/safetensors.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from minigrad import Array
from teenygpt_np.errors import InputError
from teenygpt_np.plain import plain
from teenygpt_np.run_directory import TrainedRun, description

RUN = "teenygpt_np"  # in the metadata: what config.json of a run has, as JSON
_METADATA = "__metadata__"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_MOST_HEADER = 100_000_000  # bytes, as the format allows


def files(run: TrainedRun, weights: str) -> dict[str, bytes]:
    """A file with all parameters under their names, which are PyTorch's, and all settings."""
    config = dataclasses.replace(plain(run.config, run.tokenizer), weights="float32")
    described = json.dumps(run.meta | description(config, run.tokenizer))
    return {
        "model.safetensors": packed(run.model.effective_state(), {"format": "pt", RUN: described})
    }


def packed(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """The content of a file."""
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    parts, end = [], 0
    for name, array in arrays.items():
        dtype = next(name for name, dtype in _DTYPES.items() if array.dtype == dtype)
        start, end = end, end + array.nbytes
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, end]}
        parts.append(np.ascontiguousarray(array, _DTYPES[dtype]).tobytes())
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)  # then the arrays begin at a multiple of 8
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of a file. Nothing in it is executed.

    Raises InputError if the file is not there, or is not such a file.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
            raise ValueError("it is no file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _MOST_HEADER):
                raise ValueError(f"its header is said to have {length:,} bytes of {size:,}")
            header = _object(json.loads(file.read(length).decode("utf-8")), "its header")
            metadata = _object(header.pop(_METADATA, {}), _METADATA)
            return _arrays(header, file.read()), {k: str(v) for k, v in metadata.items()}
    except FileNotFoundError:
        raise InputError(f"{path} is not there; wanted a .safetensors file") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is no safetensors file: {reason[:200]}") from error


def _arrays(header: dict[str, Any], data: bytes) -> dict[str, Array]:
    """The arrays, which must fill all of the data, without a gap and one after the other."""
    places: list[tuple[int, int, list[int], str, str]] = []
    for name, value in header.items():
        said = _object(value, name)
        dtype, shape, offsets = (said.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise ValueError(f"{name} is of {dtype!r:.20}, wanted {', '.join(_DTYPES)}")
        if not (_sizes(shape) and _sizes(offsets) and len(offsets) == 2):
            raise ValueError(f"{name} has a shape or offsets that are no sizes")
        places.append((offsets[0], offsets[1], shape, name, dtype))
    arrays, end = {}, 0
    for start, stop, shape, name, dtype in sorted(places):
        if start != end or stop - start != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
            raise ValueError(f"{name} is at {start}..{stop}, which does not fit its shape {shape}")
        if stop > len(data):
            raise ValueError(f"it ends before {name} does")
        arrays[name] = np.frombuffer(data[start:stop], _DTYPES[dtype]).reshape(shape)
        end = stop
    if end != len(data):
        raise ValueError(f"{len(data) - end:,} bytes belong to no array")
    return arrays


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {value!r:.20}, wanted an object")
    return value


def _sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)
