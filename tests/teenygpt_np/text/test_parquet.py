"""`.parquet`: columns of texts, read a part of the rows at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from teenygpt_np.errors import InputError
from teenygpt_np.text import tables
from teenygpt_np.text.files import read_texts
from teenygpt_np.text.tables import parquet_texts

LINES = [f"king {i} wins\n" for i in range(3000)]


def write(path: Path, columns: dict[str, Any], **settings: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    arrays = [pyarrow.array(values) for values in columns.values()]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, list(columns)), path, **settings)
    return path


def read(path: Path, *columns: str) -> list[str | None]:
    return list(read_texts(path, columns, "utf-8", "", [])[0]["all"])


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_the_only_column_of_texts_needs_no_name(tmp_path: Path, compression: str) -> None:
    columns = {"id": range(3000), "text": LINES}
    path = write(tmp_path / "a.parquet", columns, compression=compression, row_group_size=700)
    texts, found = read_texts(path, (), "utf-8", "", [])
    assert ({"all": list(texts["all"])}, found) == ({"all": LINES}, ["text"])


def test_columns_by_name_and_number_row_by_row(tmp_path: Path) -> None:
    columns = {"a.b": ["x", "y"], "n": [1, 2], "t": ["", None]}
    path = write(tmp_path / "a.parquet", columns)
    assert read(path, "t", "a.b") == ["", "x", None, "y"]
    assert read(path, "3") == ["", None]
    with pytest.raises(InputError, match=r"has columns 'a.b', 't'; wanted --column with the one"):
        read(path)
    with pytest.raises(InputError, match=r"has no column 'u'; it has 'a.b', 'n', 't'"):
        read(path, "u")
    with pytest.raises(InputError, match="has int64 in column 'n', wanted texts"):
        read(path, "n")


def test_texts_in_a_dictionary_and_lists_of_them(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    numbered = pyarrow.array(["a", "b", "a"]).dictionary_encode()
    path = write(tmp_path / "a.parquet", {"t": numbered, "list": [["a"], [], ["b"]]})
    assert read(path) == ["a", "b", "a"]
    with pytest.raises(InputError, match="string>"):
        read(path, "list")


def test_names_that_come_twice(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 3, ["t", "u", "t"])
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "u") == ["a"]
    with pytest.raises(InputError, match="has 2 columns 't', wanted one"):
        read(tmp_path / "a.parquet", "t")


def test_no_more_than_a_part_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is there as soon as a few rows are read."""
    monkeypatch.setattr(tables, "_ROWS", 10)
    path = write(tmp_path / "a.parquet", {"t": LINES})
    texts = parquet_texts(path, ["t"], "utf-8", [])
    assert [next(texts) for _ in range(25)] == LINES[:25]
    texts.close()


@pytest.mark.parametrize("damage", ["cut", "begun", "empty", "text", "inside"])
def test_damaged(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.parquet", {"t": LINES})
    whole = path.read_bytes()
    inside = whole[:100] + bytes(b ^ 0xFF for b in whole[100:9000]) + whole[9000:]
    damaged = {"cut": whole[:-9], "begun": whole[9:], "empty": b"", "text": b"king\n" * 9}
    path.write_bytes((damaged | {"inside": inside})[damage])
    with pytest.raises(InputError, match=r"a\.parquet is not a whole parquet file: ") as caught:
        read(path, "t")
    assert "\n" not in str(caught.value)


def test_it_is_compressed_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.parquet.gz").touch()
    with pytest.raises(InputError, match=r"is compressed as a whole; wanted the \.parquet itself"):
        read(tmp_path / "a.parquet.gz")


def test_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(InputError, match=r"extra parquet: pip install 'teenygpt-np\[parquet\]'"):
        read(tmp_path / "a.parquet")
