"""The C sources of an exported model: put together from `csource/`, and its weights as C arrays.

`csource/` has one file for each piece. `teenygpt.c` is made of those that a model needs, so that
it holds nothing unused and is read from the top. A line that begins with @ in a file is replaced.
"""

from __future__ import annotations

import string
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files as resources

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, as_float
from teenygpt_np.exporter.twin.model import Twin

_BYTES = {"uint64_t": 8, "float": 4, "int32_t": 4, "int16_t": 2, "uint16_t": 2, "int8_t": 1}
_TYPES = {np.dtype(np.float32): "float", np.dtype(np.int8): "int8_t"}
_COLUMNS = 99  # of a line of numbers


def source(name: str) -> str:
    """A file of `csource/`."""
    file = resources("teenygpt_np.exporter").joinpath("csource", *name.split("/"))
    return file.read_text(encoding="utf-8")


def core(twin: Twin) -> dict[str, str]:
    """teenygpt.h and teenygpt.c."""
    kinds = mixer_kinds(twin)
    of_mixers = [name for kind in kinds.values() for name in kind.files(twin.sizes)]
    pieces = dict.fromkeys([*twin.kind.files, "linear.c", *of_mixers])
    states = [f"struct {k.name}_state {k.name}[{twin.mixers.count(n)}];" for n, k in kinds.items()]
    if twin.kind.quantizes:
        states.insert(0, f"int8_t quantized[{_quantized(twin)}]; /* the input of a product */")
    cases = [
        f"case {i}:\n{' ' * 8}{k.name}(self, &{k.name.upper()}[i], &self->{k.name}[i], x, y);\n"
        f"{' ' * 8}break;"
        for i, k in enumerate(kinds.values())
    ]
    header = _filled(
        source("teenygpt.h"),
        headers="".join(source(name) for name in pieces if name.endswith(".h")),
        works=_lines((f"struct {k.name}_work {k.name};" for k in kinds.values()), 8),
        states=_lines(states, 4),
    )
    code = [source(name) for name in ("head.c", *(p for p in pieces if p.endswith(".c")))]
    code.append(_filled(source("model.c"), cases=_lines(cases, 4)))
    return {"teenygpt.h": header, "teenygpt.c": "".join(code)}


def mixer_kinds(twin: Twin) -> dict[str, type[MixerTwin]]:
    """The kinds of its mixers, by name, in the order in which they come."""
    return {name: type(b.mixer) for name, b in zip(twin.mixers, twin.blocks, strict=True)}


def _lines(lines: Iterable[str], indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _filled(text: str, **parts: str) -> str:
    for name, part in parts.items():
        before, after = text.split(f"@{name}\n")
        text = before + part + after
    return text


# -- RAM -------------------------------------------------------------------------------------------


def ram_bytes(twin: Twin) -> int:
    """sizeof(struct teenygpt): its members in their order, each aligned to its own size."""
    sizes, kinds = twin.sizes, mixer_kinds(twin)
    width = sizes.width
    works = [[("float", twin.slice)], *(kind.work(sizes) for kind in kinds.values())]
    members: list[list[Member]] = [
        [("uint64_t", 1), ("int32_t", 1), ("float", twin.vocab + 2 * width)],
        _union(works),
        [("int8_t", _quantized(twin))] if twin.kind.quantizes else [],
    ]
    for name, mixer in kinds.items():
        members += [mixer.state(sizes)] * twin.mixers.count(name)
    end = 0
    for struct in filter(None, members):
        end = _up(end, max(_BYTES[kind] for kind, _ in struct))
        for kind, count in struct:
            end = _up(end, _BYTES[kind]) + _BYTES[kind] * count
        end = _up(end, max(_BYTES[kind] for kind, _ in struct)) if struct is not members[0] else end
    return _up(end, _BYTES["uint64_t"])


def _union(structs: Sequence[Sequence[Member]]) -> list[Member]:
    """A struct as large as the largest of these; all of them begin with a float."""
    largest = max(
        _up(sum(_BYTES[kind] * count for kind, count in struct), _BYTES["float"])
        for struct in structs
    )
    return [("float", largest // _BYTES["float"])]


def _up(size: int, step: int) -> int:
    return -(-size // step) * step


def matrices(twin: Twin) -> Iterator[Matrix]:
    """All matrices that something is multiplied with."""
    for block in twin.blocks:
        yield from (m for m in block.mixer.fields.values() if isinstance(m, Matrix))
        yield from (block.mlp1, block.mlp2)
    yield twin.logits


def _quantized(twin: Twin) -> int:
    """The most inputs of a product; the MLP's second is one of slices."""
    last = {block.mlp2 for block in twin.blocks}
    return max(twin.slice if m in last else m.inputs for m in matrices(twin))


# -- weights ---------------------------------------------------------------------------------------


class _Arrays:
    """C arrays, written one after the other."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.parts: list[str] = []
        self.bytes, self.crc = 0, 0

    def add(self, name: str, array: Array) -> str:
        """Write an array; returns its name."""
        kind = _TYPES[array.dtype]
        numbers = map(as_float, array.ravel()) if kind == "float" else map(str, array.ravel())
        self.text.append(f"static const {kind} {name}[{array.size}] = {{\n{_wrapped(numbers)}}};\n")
        place = f"{name}, NULL" if kind == "float" else f"NULL, {name}"
        self.parts.append(f"{{{place}, {array.size}}}")
        content = array.astype(array.dtype.newbyteorder("<")).tobytes()
        self.bytes, self.crc = self.bytes + len(content), zlib.crc32(content, self.crc)
        return name

    def matrix(self, name: str, matrix: Matrix) -> str:
        """Write a matrix; returns what initializes C's `struct matrix`."""
        names = [
            "NULL" if array is None else self.add(f"{name}_{field}", array)
            for field, array in matrix.arrays.items()
        ]
        bias = "NULL" if matrix.bias is None else self.add(f"{name}_bias", matrix.bias)
        return f"{{{', '.join([str(matrix.outputs), str(matrix.inputs), *names, bias])}}}"

    def table(self, name: str, matrix: Matrix) -> None:
        """Write a `struct table` of this name."""
        names = [self.add(f"{name.lower()}_{f}", a) for f, a in matrix.table().items()]
        self.text.append(f"static const struct table {name} = {{{', '.join(names)}}};\n")

    def structs(self, kind: str, name: str, values: Sequence[str]) -> None:
        """Write an array of structs."""
        inside = ",\n    ".join(values)
        self.text.append(
            f"static const struct {kind} {name}[{len(values)}] = {{\n    {inside}}};\n"
        )


def _wrapped(words: Iterable[str]) -> str:
    lines: list[str] = []
    line = ""
    for word in words:
        if line and len(line) + len(word) + 2 > _COLUMNS:
            lines.append(line)
            line = ""
        line += f"{word}, " if line else f"    {word}, "
    return "".join(f"{line.rstrip()}\n" for line in [*lines, line])


def weights(twin: Twin, texts: Sequence[bytes], constants: Mapping[str, str]) -> tuple[str, int]:
    """weights.h, and the bytes of the weights in it.

    texts: the bytes that each token stands for.    constants: by their names without TEENYGPT_
    """
    arrays, kinds = _Arrays(), mixer_kinds(twin)
    arrays.table("EMBEDDING", twin.embedding)
    if twin.positions:
        arrays.table("POSITIONS", twin.positions)
    for kind in kinds.values():
        for field, table in kind.tables(twin.sizes).items():
            arrays.add(field, table)
    of_mixers: dict[str, list[str]] = {name: [] for name in kinds}
    blocks = []
    for i, (name, block) in enumerate(zip(twin.mixers, twin.blocks, strict=True)):
        place, fields = len(of_mixers[name]), []
        for field, value in block.mixer.fields.items():
            own = f"block{i}_{field}"
            if isinstance(value, Matrix):
                fields.append(f".{field} = {arrays.matrix(own, value)}")
            else:
                fields.append(f".{field} = {arrays.add(own, value)}")
        of_mixers[name].append(f"{{{', '.join(fields)}}}")
        mlps = [arrays.matrix(f"block{i}_mlp{j}", m) for j, m in ((1, block.mlp1), (2, block.mlp2))]
        norms = [
            arrays.add(f"block{i}_norm{j}_{letter}", array)
            for j, norm in ((1, block.norm1), (2, block.norm2))
            for letter, array in zip("wb", norm, strict=True)
        ]
        blocks.append(f"{{{', '.join([str(list(kinds).index(name)), str(place), *mlps, *norms])}}}")
    logits = arrays.matrix("logits", twin.logits)
    arrays.text.append(f"static const struct matrix LOGITS = {logits};\n")
    for name, kind in kinds.items():
        arrays.structs(f"{kind.name}_weights", kind.name.upper(), of_mixers[name])
    arrays.structs("block", "BLOCKS", blocks)
    arrays.structs("part", "PARTS", arrays.parts)
    strings = ",\n    ".join(map(_string, texts))
    arrays.text.append(f"static const char *const TEXTS[{len(texts)}] = {{\n    {strings}}};\n")
    defined = {**_constants(twin), **constants}
    defined |= {"CRC": f"0x{arrays.crc:08x}", "WEIGHT_BYTES": str(arrays.bytes)}
    sizes = "".join(f"#define TEENYGPT_{name} {value}\n" for name, value in defined.items())
    return (
        "/* The sizes of a model and, where TEENYGPT_WEIGHTS is defined, its weights. Made by\n"
        f"   teenygpt_np.export. */\n\n#ifndef TEENYGPT_WEIGHTS\n{sizes}#else\n\n"
        + "\n".join(arrays.text)
        + "\n#endif\n"
    ), arrays.bytes


def _constants(twin: Twin) -> dict[str, str]:
    sizes = twin.sizes
    constants = {
        "VOCAB": str(twin.vocab),
        "WIDTH": str(sizes.width),
        "TOKENS": str(sizes.tokens),
        "BLOCKS": str(len(twin.blocks)),
        "SLICE": str(twin.slice),
        "EPS": as_float(twin.eps),
        "ENDS": str(int(twin.ends)),
    }
    if twin.positions:
        constants["POSITIONS"] = "1"
    for kind in mixer_kinds(twin).values():
        constants |= kind.defines(sizes)
    return constants | {"RAM_BYTES": str(ram_bytes(twin))}


def _string(text: bytes) -> str:
    """A C string; everything but letters, digits and some signs as three octal digits."""
    plain = f"{string.ascii_letters}{string.digits} !#$%&'()*+,-./:;<=>@[]^_`{{|}}~".encode()
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text) + '"'
