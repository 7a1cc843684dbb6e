"""Checkpoints: what is saved is loaded, a file is never half written, nothing is executed."""

from __future__ import annotations

import gc
import io
import json
import os
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants import pack, sha256_of

from teenygpt_np import checkpoint
from teenygpt_np.errors import InputError

Array = np.ndarray[Any, np.dtype[Any]]

ARRAYS: dict[str, Any] = {
    "model/transformer_blocks.0.mlp.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "double": np.array([np.pi, -0.0, np.inf, np.nan, 5e-324]),
    "empty": np.zeros((0, 4), np.float32),
    "single": np.float32(3),
    "ids": np.arange(5),
    "transposed": np.arange(6.0).reshape(2, 3).T,
}
META = {"epoch": 3, "best": None, "lr": 0.1, "text": "É\n中", "big": 2**130, "list": [1, [True]]}


def files(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir())


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save(path, ARRAYS, META)
    arrays, meta = checkpoint.load(path)
    assert meta == META
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
    assert files(tmp_path) == ["a.npz"]


def test_the_name_needs_no_suffix_and_a_new_one_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "last"
    for epoch in range(2):
        checkpoint.save(path, {"x": np.full(3, epoch)}, {"epoch": epoch})
    arrays, meta = checkpoint.load(path)
    assert (arrays["x"].tolist(), meta) == ([1, 1, 1], {"epoch": 1})
    assert files(tmp_path) == ["last"]


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    checkpoint.write_text(path, "É\n中\n")
    assert path.read_bytes() == "É\n中\n".encode()
    checkpoint.write_text(path, "\udcff")
    assert path.read_bytes() == rb"\udcff"
    checkpoint.write_text(path, "")
    assert path.read_bytes() == b""
    assert files(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_others_may_read_it_as_they_may_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    checkpoint.write_text(tmp_path / "text", "x")
    checkpoint.save(tmp_path / "arrays", {}, {})
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in files(tmp_path)}
    assert modes["text"] == modes["arrays"] == modes["plain"]


# -- writing that fails ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("existed", [True, False])
def test_a_failure_while_writing_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, existed: bool
) -> None:
    path = tmp_path / "a.npz"
    if existed:
        checkpoint.save(path, {"x": np.ones(2)}, {"epoch": 0})

    def fail(file: Any, *_: Any, **__: Any) -> None:
        file.write(b"half of a checkpo")
        raise error

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(type(error)):
        checkpoint.save(path, {"x": np.zeros(2)}, {"epoch": 1})
    assert files(tmp_path) == ["a.npz"] * existed
    if existed:
        arrays, meta = checkpoint.load(path)
        assert (arrays["x"].tolist(), meta) == ([1, 1], {"epoch": 0})


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    path = tmp_path / "a.txt"
    checkpoint.write_text(path, "old")
    monkeypatch.setattr(os, name, fail)
    monkeypatch.setattr(Path, "replace", fail if name == "replace" else Path.replace)
    with pytest.raises(OSError, match="Input/output error"):
        checkpoint.write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert files(tmp_path) == ["a.txt"]


def test_meta_that_json_cannot_hold_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path / "a.npz", {}, {"x": object()})
    assert files(tmp_path) == []


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        checkpoint.save(tmp_path / "a.npz", {"x": np.array([{}], object)}, {})
    assert files(tmp_path) == []


def test_no_directory_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoint.save(tmp_path / "nowhere" / "a.npz", {}, {})


# -- files that are no checkpoints -----------------------------------------------------------------


def _npz(savez: Any = np.savez, /, **arrays: Any) -> bytes:
    """An .npz as `save` writes it, of any arrays, with a right SHA-256."""
    file = io.BytesIO()
    savez(file, **arrays, sha256=np.frombuffer(sha256_of(arrays), np.uint8))
    return file.getvalue()


def _npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _meta(text: bytes) -> Array:
    return np.frombuffer(text, np.uint8)


WHOLE = _npz(meta=_meta(b'{"epoch": 0}'), x=np.arange(4.0))


def _directory_entry(offset: int, value: int) -> bytes:
    """WHOLE with another byte in the zip directory's entry of the first member."""
    content = bytearray(WHOLE)
    content[content.index(b"PK\x01\x02") + offset] = value
    return bytes(content)


BAD = {
    "empty": b"",
    "words": b"garbage",
    "zeros": bytes(1000),
    "cut at a quarter": WHOLE[: len(WHOLE) // 4],
    "cut at the end": WHOLE[:-1],
    "no beginning": WHOLE[100:],
    "an .npy": _npy(np.arange(3)),
    "a pickle": pickle.dumps({"meta": 1}),
    "no meta": _npz(x=np.arange(3)),
    "no hash": pack({"meta": _npy(_meta(b"{}"))}),
    "another hash": pack({"meta": _npy(_meta(b"{}")), "sha256": _npy(np.zeros(32, np.uint8))}),
    "meta is no array": _zip(meta=b'{"epoch": 0}'),
    "meta is words": _npz(meta=_meta(b"hello")),
    "meta is empty": _npz(meta=_meta(b"")),
    "meta is a list": _npz(meta=_meta(b"[1]")),
    "meta is not UTF-8": _npz(meta=_meta(b'"\xff"')),
    "meta is numbers": _npz(meta=np.array([0.1, 0.2])),
    "meta is deep": _npz(meta=_meta(b"[" * 100_000)),
    "meta is long": _npz(meta=_meta(b'{"a": "' + b"a" * (1 << 20) + b'"}')),
    "complex": _npz(meta=_meta(b"{}"), x=np.zeros(3, complex)),
    "text": _npz(meta=_meta(b"{}"), x=np.array(["a"])),
    "deflated": _npz(np.savez_compressed, meta=_meta(b"{}")),
    "a member is no array": _zip(**{"meta.npy": _npy(_meta(b"{}")), "x.npy": b"hello"}),
    "a member is cut": _zip(**{"meta.npy": _npy(_meta(b"{}")), "x.npy": _npy(np.arange(9))[:-8]}),
    "encrypted": _directory_entry(8, 1),
    "a zip of the future": _directory_entry(6, 99),
    "said to be deflated": _directory_entry(10, 8),
    "said to be LZMA": _directory_entry(10, 14),
    "said to be a kind of its own": _directory_entry(10, 77),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz is no checkpoint") as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < len(str(path)) + 200
    assert "allow_pickle" not in message  # nobody should be told to trust the file


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npz is not there; wanted a checkpoint$"):
        checkpoint.load(tmp_path / "a.npz")
    with pytest.raises(InputError, match="is no checkpoint: "):
        checkpoint.load(tmp_path)


def test_a_file_that_is_refused_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(WHOLE[:-30])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(InputError):
            checkpoint.load(path)
        gc.collect()
    assert [w for w in caught if w.category is ResourceWarning] == []


def test_a_declared_size_is_not_believed(tmp_path: Path) -> None:
    """A header declares 64 KiB more than there are."""
    path = tmp_path / "a.npz"
    path.write_bytes(_directory_entry(26, 1))
    with pytest.raises(InputError, match="its members are larger than the file"):
        checkpoint.load(path)


@pytest.mark.parametrize("most_members", [10, zipfile.ZIP_FILECOUNT_LIMIT], ids=["zip64", "zip"])
def test_a_long_directory_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_members: int
) -> None:
    """Nor one that is not announced by the file's last bytes, where zipfile would search for it."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", most_members)
    path = tmp_path / "a.npz"
    checkpoint.save(path, {f"{i}": np.zeros(i) for i in range(20)}, {})
    assert len(checkpoint.load(path)[0]) == 20
    content = path.read_bytes()
    commented = content[:-2] + b"\x0a\x00" + b"a comment "
    assert len(zipfile.ZipFile(io.BytesIO(commented)).infolist()) == 22
    short, long = "it is cut short, or no .npz", "its table of members is longer than "
    refused = [(commented, 1 << 23, short), (content, 22 * (46 + len("0.npy")), long)]
    if most_members == 10:  # the zip64 record is damaged: zipfile uses the other; or another
        refused.append((content[:-98] + content[-97:], 1 << 23, short))
        refused.append((content[:-42] + content[-98:], 1 << 23, short))
    for written, limit, message in refused:
        monkeypatch.setattr(checkpoint, "_MAX_DIRECTORY", limit)
        path.write_bytes(written)
        with pytest.raises(InputError, match=message):
            checkpoint.load(path)


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


@pytest.mark.parametrize("name", ["x", "meta"])
def test_nothing_in_it_is_executed(tmp_path: Path, name: str) -> None:
    trap = tmp_path / "trap"
    pickle.loads(pickle.dumps(Evil(trap)))
    assert trap.exists()  # the trap works
    trap.unlink()
    objects = np.array([Evil(trap)], object)
    arrays = {"meta": _meta(b"{}"), name: objects}
    path = tmp_path / "a.npz"
    for content in (_npz(**arrays), _npy(objects), pickle.dumps(Evil(trap))):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npz is no checkpoint"):
            checkpoint.load(path)
    assert not trap.exists()


@given(st.data())
def test_damage_is_noticed_or_harmless(tmp_path_factory: Any, data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        arrays, meta = checkpoint.load(path)
    except InputError:
        pass
    else:
        json.dumps(meta)
        assert all(array.dtype != object for array in arrays.values())


def test_every_part_of_the_content_is_hashed(tmp_path: Path) -> None:
    """Also what the zip's own checksums leave out: names, dtypes and shapes."""
    arrays = {"meta": _meta(b"{}"), "x": np.arange(6, dtype=np.int32)}
    members = {name: _npy(array) for name, array in arrays.items()}
    sha256 = _npy(np.frombuffer(sha256_of(arrays), np.uint8))
    path = tmp_path / "a.npz"
    path.write_bytes(pack(members | {"sha256": sha256}))
    checkpoint.load(path)
    changes = [
        {"x": _npy(arrays["x"].reshape(2, 3))},
        {"x": _npy(arrays["x"].view(np.float32))},
        {"x": _npy(arrays["x"][::-1])},
        {"meta": _npy(_meta(b"{ }"))},
        {"y": _npy(arrays["x"])},
    ]
    for change in changes:
        path.write_bytes(pack(members | change | {"sha256": sha256}))
        with pytest.raises(InputError, match="its content does not match its SHA-256"):
            checkpoint.load(path)


def test_a_fortran_array_and_the_order_of_names_change_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save(path, {"b": np.ones((2, 3)), "a": np.ones((3, 2)).T}, {})
    with np.load(path) as file:
        want = sha256_of({name: file[name] for name in ("meta", "b", "a")})
        assert file["sha256"].tobytes() == want


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz is no checkpoint: it is no file"):
        checkpoint.load(tmp_path / "a.npz")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere links take a privilege")
def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A run from somebody else may hold a link with the name of the temporary file."""
    (tmp_path / "precious").write_text("old", encoding="utf-8")
    (tmp_path / ".a.txt.tmp").symlink_to("precious")
    checkpoint.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "old"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new"
    assert files(tmp_path) == ["a.txt", "precious"]


def test_a_line_is_added_and_a_failure_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in ("É", "b"):
        checkpoint.append_line(tmp_path / "a", line)
    assert (tmp_path / "a").read_bytes() == "É\nb\n".encode()

    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"Input/output error: '.*b\.npz'"):
        checkpoint.save(tmp_path / "b.npz", {}, {})
    assert files(tmp_path) == ["a"]
    with pytest.raises(OSError, match=r"Input/output error: '.*a'"):
        checkpoint.append_line(tmp_path / "a", "c")
