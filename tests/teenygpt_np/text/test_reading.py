"""From bytes to text: compressions, encodings, line ends, in pieces of any size."""

from __future__ import annotations

import gzip
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.errors import InputError
from teenygpt_np.text import reading
from teenygpt_np.text.reading import STDIN, check_encoding, chunks_of, lines_of

ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def zstd(data: bytes) -> bytes:
    packed: bytes = pytest.importorskip(ZSTD, reason="the extra zstd is not installed").compress(
        data
    )
    return packed


def text_of(path: Path, encoding: str = "utf-8") -> str:
    return "".join(chunks_of(path, encoding, []))


FORMS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    (".gz", gzip.compress),
    (".zst", zstd),
]


@pytest.mark.parametrize(("suffix", "pack"), FORMS)
def test_a_text_of_several_pieces(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    """None of them ends where a piece of the file does, and none of the bytes is lost."""
    text = "".join(f"{n} était là\n" for n in range(300_000))
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(pack(text.encode()))
    pieces = list(chunks_of(path, "utf-8", []))
    assert "".join(pieces) == text
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 2**21


@given(
    st.text(st.sampled_from("a\u00e9\u4e2d\U0001f680\r\n\0\u2028"), max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"]),
    st.integers(1, 9),
)
def test_pieces_of_any_size_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str, size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.txt"
    path.write_bytes(text.encode(encoding))
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_CHUNK", size)
        assert text_of(path, encoding) == wanted
        lines = list(lines_of(path, encoding, []))
    assert "".join(lines) == wanted + "\n" * (wanted[-1:] not in ("", "\n"))
    assert all(line.index("\n") == len(line) - 1 for line in lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16"])
def test_a_byte_order_mark_is_dropped_at_the_start_only(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    mark = "" if encoding == "utf-16" else "\ufeff"  # whose encoder writes one
    path.write_bytes(f"{mark}a\ufeffb".encode(encoding))
    assert text_of(path, encoding) == "a\ufeffb"


def test_a_line_of_running_text_may_have_any_length(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (reading.LONGEST + 1))
    assert len(text_of(path)) == reading.LONGEST + 1
    with pytest.raises(InputError, match=r"a\.txt, line 1: more than 16,777,216 characters"):
        list(lines_of(path, "utf-8", []))


ACCENTS = "\u00c9t\u00e9 \u00e0 la plage\n" * 20
MISFITS: list[tuple[str, bytes, str]] = [
    # what it was to be read as; the bytes; what is told
    ("utf-8", b"ok\nna\xefve\n", "line 2: byte 0xef at offset 5 is not utf-8; --encoding=cp1252 p"),
    ("utf-8", b"ok\r\n\r\n\xe9", "line 3: byte 0xe9 at offset 6 is not utf-8; --encoding=cp1252 p"),
    ("utf-8", ACCENTS.encode("utf-16"), "offset 0 is not utf-8; --encoding=utf-16 probably"),
    ("utf-8", ACCENTS.encode("utf-32"), "offset 0 is not utf-8; --encoding=utf-32 probably"),
    ("utf-8", ACCENTS.encode("utf-16-le"), "offset 0 is not utf-8; --encoding=utf-16-le prob"),
    ("utf-8", ACCENTS.encode("utf-16-be"), "offset 1 is not utf-8; --encoding=utf-16-be prob"),
    ("utf-8", ACCENTS.encode() + b"\xff", "offset 360 is not utf-8; most of the text is, so it"),
    ("utf-8-sig", ACCENTS.encode() + b"\xff", "offset 360 is not utf-8-sig; most of the text is"),
    ("utf-8", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "offset 0 is not utf-8; it does not look like a t"),
    ("utf-8", "\u043c\u0438\u0440\n".encode("cp1251"), "is not utf-8; wanted --encoding with the"),
    ("utf-8", "\u00e9".encode()[:1], "line 1: byte 0xc3 at offset 0 is not utf-8; "),
    ("ascii", ACCENTS.encode(), "line 1: byte 0xc3 at offset 0 is not ascii; --encoding=utf-8"),
    ("cp1252", "\u00dd\u0150\n".encode(), "byte 0x9d at offset 1 is not cp1252; --encoding=utf-8"),
    ("utf-16", "ab".encode("utf-16")[:-1], "byte 0x62 at offset 4 is not utf-16; most of the text"),
    ("utf-16", "abc".encode("utf-16-le"), "offset 0 is not utf-16; --encoding=utf-16-le probably"),
    ("utf-16", b"plain\n", "line 1: byte 0x70 at offset 0 is not utf-16; --encoding=utf-8 prob"),
    ("utf-16-le", b"\0\xd8a\0", "line 1: byte 0x00 at offset 0 is not utf-16-le; "),
    ("shift_jis", b"a\n\x81\xff", "line 2: byte 0x81 at offset 2 is not shift_jis; "),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "content", "message"), MISFITS)
def test_a_byte_that_does_not_fit(
    tmp_path: Path, encoding: str, content: bytes, message: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)):
        text_of(path, encoding)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 2**20])
def test_a_byte_s_offset_and_line_do_not_depend_on_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(reading, "_CHUNK", size)
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress("\u4e2d\r\n\u00e9\n\u00e9".encode()[:-1] + b"\r\n"))
    path = path.rename(tmp_path / "a.txt.gz")
    with pytest.raises(InputError, match="line 3: byte 0xc3 at offset 8 is not utf-8"):
        text_of(path)
    path.write_bytes(gzip.compress("a\u4e2d".encode()[:-1]))
    with pytest.raises(InputError, match="line 1: byte 0xe4 at offset 1 is not utf-8"):
        text_of(path)


def test_the_text_before_a_misfit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"first\nsecond\xff\n")
    lines = lines_of(path, "utf-8", [])
    assert next(lines) == "first\n"
    with pytest.raises(InputError, match="line 2: byte 0xff at offset 12"):
        next(lines)


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    texts = {"latin-1": "\u00c9t\u00e9", "cp1252": "\u20ac", "shift_jis": "\u65e5\u672c"}
    for encoding, text in texts.items():
        path.write_bytes(text.encode(encoding))
        assert text_of(path, encoding) == text


def test_what_is_an_encoding() -> None:
    for name in ("utf-8", "UTF8", "latin-1", "cp1252", "utf-16", "koi8-r"):
        check_encoding(name)
    for name in ("", "no", "hex", "gzip", "rot13", "undefined", "idna", "a\0b", "\ud800", "../x"):
        with pytest.raises(InputError, match=r"^--encoding is .*, wanted the name of one, such"):
            check_encoding(name, "--encoding")


# -- compressions ----------------------------------------------------------------------------------


def test_zst_that_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.zst"
    whole = zstd(b"king wins\n" * 1000)
    path.write_bytes(whole + zstd(b"again\n"))
    assert text_of(path).endswith("wins\nagain\n")
    for damaged in (whole[:-3], b"king", whole[:8] + b"\xff" * 8 + whole[16:], whole + b"king"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.txt\.zst is not a whole zstd file: "):
            text_of(path)


def test_zst_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression", "compression.zstd", "backports", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "a.txt.zst").touch()
    with pytest.raises(InputError, match=r"the extra zstd: pip install 'teenygpt-np\[zstd\]'"):
        text_of(tmp_path / "a.txt.zst")


# -- standard input --------------------------------------------------------------------------------


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"king\r\nwins")))
    assert text_of(STDIN) == "king\nwins"
    assert not sys.stdin.closed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    with pytest.raises(InputError, match=r"^standard input, line 1: byte 0xff at offset 0"):
        text_of(STDIN)


def test_standard_input_that_nothing_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match=r"^standard input is closed; wanted a text from a file"):
        text_of(STDIN)
    terminal = SimpleNamespace(closed=False, isatty=lambda: True, buffer=io.BytesIO(b"a"))
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(InputError, match=r"^standard input is a terminal; wanted a text from a"):
        text_of(STDIN)
