"""Hostile files: checkpoints and configurations that were damaged, or written to do harm.

    python tests/long/mutants.py --times 2000

Each is put into the directory of a run that was stopped, and a command is started on it. It must
end with status 0, or with status 2 and one line; within a second of computing; with little memory;
and nothing in the file may be executed. Prints a table; exit status 1 if that does not hold.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import io
import itertools
import json
import pickle
import shutil
import signal
import sys
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from running import SMALL, after_step, call, write_corpus

import minigrad as mg

Rng = np.random.Generator
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]

SECONDS, MEMORY = 1.0, 16 << 20  # for one file


# -- writing .npz files that NumPy would not write -------------------------------------------------


def sha256_of(arrays: Mapping[str, Any]) -> bytes:
    """The hash in a checkpoint of these arrays; for arrays of objects, any bytes."""
    told = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        told.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        told.update(b"" if array.dtype.hasobject else array.tobytes())
    return told.digest()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy_that_says(header: bytes, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + length + header + data


def pack(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def unpack(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files if name != "sha256"}
    return arrays, json.loads(arrays.pop("meta").tobytes())


def signed(arrays: Arrays, meta: Any) -> bytes:
    """A checkpoint with a right hash, which only an attacker would write."""
    text = json.dumps(meta).encode("utf-8", "surrogatepass")
    arrays = arrays | {"meta": np.frombuffer(text, np.uint8)}
    arrays["sha256"] = np.frombuffer(sha256_of(arrays), np.uint8)
    return pack({name: npy(array) for name, array in arrays.items()})


# -- what is done to a file ------------------------------------------------------------------------


def truncated(content: bytes, rng: Rng) -> bytes:
    return content[: rng.integers(len(content))]


def bits_flipped(content: bytes, rng: Rng) -> bytes:
    array = np.frombuffer(content, np.uint8).copy()
    for place in rng.integers(len(array), size=rng.integers(1, 9)):
        array[place] ^= 1 << rng.integers(8)
    return array.tobytes()


def overwritten(content: bytes, rng: Rng) -> bytes:
    start, length = rng.integers(len(content)), int(rng.integers(1, 200))
    new = rng.bytes(length) if rng.integers(2) else bytes(length)
    return content[:start] + new + content[start + length :]


def shuffled(content: bytes, rng: Rng) -> bytes:
    """A piece is removed or repeated."""
    start, end = sorted(rng.integers(len(content), size=2))
    return content[:start] + content[start:end] * 2 * int(rng.integers(2)) + content[end:]


def _in_directory(content: bytes, rng: Rng) -> bytes:
    """Change numbers in the zip's headers: flags, methods, sizes, offsets."""
    array = bytearray(content)
    kind = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")[rng.integers(3)]
    places = [i for i in range(len(array) - 40) if array[i : i + 4] == kind] or [len(array) - 22]
    place = places[rng.integers(len(places))] + int(rng.integers(4, 20))
    value = (0, 1, 8, 99, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF)[rng.integers(7)]
    array[place : place + 4] = int(value).to_bytes(4, "little")
    return bytes(array)


def _one_array(change: Callable[[Any, Rng], Any], content: bytes, rng: Rng) -> bytes:
    arrays, meta = unpack(content)
    name = sorted(arrays)[rng.integers(len(arrays))]
    arrays[name] = np.asarray(change(arrays[name], rng))
    return signed(arrays, meta)


def _shape(array: Any, rng: Rng) -> Any:
    changes: list[Callable[[], Any]] = [
        lambda: array.T[..., None],
        lambda: array.ravel(),
        lambda: np.zeros((0, *array.shape)),
        lambda: np.zeros(array.size + 1, array.dtype),
        lambda: array.reshape(array.shape + (1,) * 30),
        lambda: np.zeros((), array.dtype),
    ]
    return changes[rng.integers(len(changes))]()


def _dtype(array: Any, rng: Rng) -> Any:
    kinds = ["f8", "f2", "i4", "?", "c8", ">f4", "S4", "U4", "u8", "V4", "m8[s]", "f4,f4", "(2,)f4"]
    return np.zeros(array.shape, kinds[rng.integers(len(kinds))])


def _value(array: Any, rng: Rng) -> Any:
    array = array.copy()
    is_float = array.dtype.kind == "f"
    values: list[Any] = [np.nan, np.inf, 3e38, -3e38, 1e20, 1e-40] if is_float else [-1, 2**63 - 1]
    value = values[rng.integers(len(values))]
    array[... if rng.integers(2) else tuple(rng.integers(n) for n in array.shape)] = value
    return array


def foreign_names(content: bytes, rng: Rng) -> bytes:
    arrays, meta = unpack(content)
    names = [
        "../../evil",
        "/etc/passwd",
        "",
        "model/evil",
        "a" * 10_000,
        "\u202e",
        "meta.npy",
        "x/",
    ]
    arrays[names[rng.integers(len(names))]] = arrays.pop(sorted(arrays)[rng.integers(len(arrays))])
    return signed(arrays, meta)


VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 2, 10**6, 2**63, 2**64, 10**400, 0.5, 1e308, 1e-300),
    *(float("nan"), float("inf"), "", "a", "\n\x1b[2J", "\ud800", "x" * 100_000),
    *([], [[]], ["a"], {}, {"a": 1}, list(range(1000))),
]


def _hostile(values: Any, rng: Rng) -> Any:
    """Change or remove one of the values, at any depth."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict | list):
            for key in value if isinstance(value, dict) else range(len(value)):
                places.append((value, key))
                walk(value[key])

    walk(values)
    where, key = places[rng.integers(len(places))]
    if rng.integers(8):
        where[key] = VALUES[rng.integers(len(VALUES))]
    else:
        del where[key]
    return values


def settings(content: bytes, rng: Rng) -> bytes:
    if content.startswith(b"PK"):
        arrays, meta = unpack(content)
        return signed(arrays, _hostile(meta, rng))
    return json.dumps(_hostile(json.loads(content), rng)).encode()


def huge_sizes(content: bytes, rng: Rng) -> bytes:
    """Headers that declare more than the file holds."""
    arrays, meta = unpack(content)
    shapes = ["1000000000000", "4294967296, 4294967296", "-1, -1", "0, " + "9" * 400, "9" * 5000]
    shape = shapes[rng.integers(len(shapes))]
    headers = [
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape},)}}",
        "{'descr': '|V2147483647', 'fortran_order': False, 'shape': (9,)}",
        "{'descr': ('<f4', (1000000000,)), 'fortran_order': False, 'shape': (9,)}",
        "(" * 5000,
        "{'descr': __import__('os').abort(), 'fortran_order': 0, 'shape': ()}",
        "'\\d' 1if 1else 1",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9L,)}",
    ]
    header = headers[rng.integers(len(headers))].encode() + b"\n"
    odd = [
        npy_that_says(header, bytes(36)),
        npy_that_says(header, bytes(36), b"\x02\x00"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + header,
        b"\x93NUMPY\x09\x00\xff\xff" + header,
    ]
    members = {name: npy(array) for name, array in arrays.items()}
    members[sorted(members)[rng.integers(len(members))]] = odd[rng.integers(len(odd))]
    members["meta"] = npy(np.frombuffer(json.dumps(meta).encode(), np.uint8))
    return pack(members)


@functools.cache
def _bombs() -> list[bytes]:
    zeros = npy(np.zeros(2 * MEMORY, np.uint8))
    deflated = pack({"meta": npy(np.zeros(9, np.uint8)), "x": zeros}, zipfile.ZIP_DEFLATED)
    overlapping = io.BytesIO()
    with zipfile.ZipFile(overlapping, "w") as archive:
        archive.writestr("0.npy", npy(np.zeros(100_000, np.uint8)))
        for i in range(1, 1000):  # a thousand names for the same bytes
            member = copy.copy(archive.filelist[0])
            member.filename = f"{i}.npy"
            archive.filelist.append(member)
            archive.NameToInfo[member.filename] = member
    many = pack({str(i): b"" for i in range(5000)})
    text = pack({"meta": npy(np.frombuffer(b"[[]," * 200_000, np.uint8))})
    return [
        deflated,
        deflated.replace(b"\x08\x00", b"\x00\x00"),  # the header says: not compressed
        overlapping.getvalue(),
        many,
        text,
    ]


def zip_bombs(content: bytes, rng: Rng) -> bytes:
    bombs = _bombs()
    return bombs[rng.integers(len(bombs))]


class Evil:
    """Writes a file where it is unpickled."""

    trap = Path()

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.trap, "executed")


def pickles(content: bytes, rng: Rng) -> bytes:
    arrays, meta = unpack(content)
    objects = np.array([Evil()], object)
    arrays[sorted(arrays)[rng.integers(len(arrays))]] = objects
    members = {name: npy(array) for name, array in arrays.items()}
    forms = [
        signed(arrays, meta),
        pack(members | {"meta": npy(objects)}),
        pack(members | {"meta": pickle.dumps(Evil())}),
        npy(objects),
        pickle.dumps(Evil()),
    ]
    return forms[rng.integers(len(forms))]


def other_json(content: bytes, rng: Rng) -> bytes:
    texts = [
        *(b"", b"null", b"[]", b'""', b"NaN", b"{}", b"[" * 100_000, b'{"config": ' * 50_000),
        *(b'{"a": 1' + b"0" * 5000 + b"}", b"\xff\xfe{\x00}\x00", b"\x00" * 1000, b"{'a': 1}"),
        *(content + b"}", content.decode().encode("utf-16"), b"\xef\xbb\xbf" + content),
        b'{"a": "' + b"a" * (16 << 20) + b'"}',
    ]
    return texts[rng.integers(len(texts))]


Mutation = Callable[[bytes, Rng], bytes]
ANY: dict[str, Mutation] = {
    "truncated": truncated,
    "bits flipped": bits_flipped,
    "bytes overwritten": overwritten,
    "a piece out, or twice": shuffled,
    "hostile settings": settings,
}
NPZ: dict[str, Mutation] = {
    "numbers in the zip's headers": _in_directory,
    "wrong shapes": functools.partial(_one_array, _shape),
    "wrong dtypes": functools.partial(_one_array, _dtype),
    "wrong values": functools.partial(_one_array, _value),
    "huge sizes, odd headers": huge_sizes,
    "foreign names": foreign_names,
    "zip bombs": zip_bombs,
    "pickles inside": pickles,
}
CASES = [
    *((f, name, change) for f in ("last.npz", "best.npz") for name, change in (ANY | NPZ).items()),
    *(("config.json", name, change) for name, change in ANY.items()),
    ("config.json", "other JSON, or none", other_json),
]
COMMANDS: dict[str, list[list[str]]] = {
    "last.npz": [["train", "--resume"]],
    "config.json": [["train", "--resume"]],
    "best.npz": [["sample", "-n1", "--seed=0"], ["evaluate"]],
}


# -- a run to put them in --------------------------------------------------------------------------


def stopped_run(folder: Path) -> Path:
    """A run stopped two steps before its end, and its text."""
    out = folder / "run"
    with after_step(4, lambda: signal.raise_signal(signal.SIGINT)):
        flags: list[str | Path] = ["--data", write_corpus(folder), *SMALL, "--epochs=2", "--quiet"]
        done = call("train", *flags, "--out", out)
    assert done.status == 130, done
    return out


@dataclass
class Row:
    """The results of one kind of damage to one file."""

    tried: int = 0
    refused: int = 0
    handled: int = 0
    seconds: float = 0.0
    memory: int = 0
    wrong: list[str] = field(default_factory=list)


def attempt(run: Path, file: str, content: bytes, command: list[str], row: Row) -> None:
    """Put one damaged file into a copy of the run, and start a command on it."""
    out = run.parent / "copy"
    shutil.copytree(run, out)
    (out / file).write_bytes(content)
    tracemalloc.reset_peak()
    before, started = tracemalloc.get_traced_memory()[0], time.process_time()
    try:
        done = call(command[0], *command[1:], out)
        found = f"status {done.status}, {done.err[:300]!r}"
        row.refused += done.status == 2
        row.handled += done.status == 0
        told = done.status == 2 and done.err.count("\n") == 1 and len(done.err) < 1000
        right = told or (done.status, done.err) == (0, "")
    except Exception as error:  # as a command it would have printed a traceback
        found, right = f"{type(error).__name__}: {error}", False
    row.tried += 1
    row.seconds = max(row.seconds, time.process_time() - started)
    row.memory = max(row.memory, tracemalloc.get_traced_memory()[1] - before)
    if Evil.trap.exists():
        found, right = "code was executed", False
        Evil.trap.unlink()
    if not right or row.memory > MEMORY:
        row.wrong.append(f"{row.memory >> 20} MB; {found}")
    shutil.rmtree(out)


def attempts(folder: Path, times: int, seed: int = 0) -> dict[tuple[str, str], Row]:
    """Try so many files, taking the kinds of damage in turn."""
    Evil.trap = folder / "trap"
    run, table = stopped_run(folder), {case[:2]: Row() for case in CASES}
    _bombs()
    tracemalloc.start()
    try:
        for i, (file, name, change) in zip(range(times), itertools.cycle(CASES), strict=False):
            rng = np.random.default_rng((seed, i))
            command = COMMANDS[file][rng.integers(len(COMMANDS[file]))]
            content = change((run / file).read_bytes(), rng)
            attempt(run, file, content, command, table[file, name])
    finally:
        tracemalloc.stop()
    return table


def main() -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=2000, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    mg.set_backend("numpy")
    with tempfile.TemporaryDirectory() as folder:
        table = attempts(Path(folder), args.times, args.seed)
    print(f"{'file':13}{'damage':32}{'tried':>6}{'refused':>9}{'handled':>9}{'wrong':>7}", end="")
    print(f"{'slowest, s':>12}{'most, MB':>10}")
    for (file, name), r in table.items():
        print(f"{file:13}{name:32}{r.tried:6}{r.refused:9}{r.handled:9}{len(r.wrong):7}", end="")
        print(f"{r.seconds:12.2f}{r.memory / 2**20:10.1f}")
        for line in r.wrong:
            print(f"    {line}")
    return int(any(r.wrong or r.seconds > SECONDS for r in table.values()))


if __name__ == "__main__":
    sys.exit(main())
