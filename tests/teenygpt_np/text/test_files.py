"""Files as people have them: other separators and line ends, no header, a few damaged rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from paths import ROOT

from teenygpt_np.errors import InputError
from teenygpt_np.text.files import FORMATS, read_texts
from teenygpt_np.text.reading import COMPRESSIONS, LONGEST

LINES = [f"king {chr(97 + i // 26)}{chr(97 + i % 26)} wins" for i in range(300)]


def read(path: Path, *columns: str) -> tuple[list[str | None], list[str]]:
    notes: list[str] = []
    texts, _ = read_texts(path, columns, "utf-8", "", notes)
    return list(texts["all"]), notes


@pytest.mark.parametrize(
    ("name", "separator", "told"),
    [
        ("a.csv", ",", []),
        ("a.csv", ";", ["fields are separated by ';'"]),
        ("a.csv", "\t", ["fields are separated by a tab"]),
        ("a.tsv", "\t", []),
        ("a.tsv", ",", ["fields are separated by ','"]),
        ("a.csv", "|", ["fields are separated by '|'"]),
        ("a.tsv", "|", ["fields are separated by '|'"]),
    ],
)
def test_separators(tmp_path: Path, name: str, separator: str, told: list[str]) -> None:
    rows = [["id", "title"], *([str(i), line] for i, line in enumerate(LINES))]
    text = "\n" + "\n".join(separator.join(row) for row in rows)  # an empty line before the header
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read(tmp_path / name, "title") == (LINES, told)
    with pytest.raises(InputError, match="has columns 'id', 'title'; wanted --column "):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("a.csv", "id;title, en\n1;king\n", "title, en"),
        ("a.csv", '"title; en"\nking\n', "title; en"),
        ("a.tsv", "title, en\nking\n", "title, en"),
    ],
)
def test_separators_inside_a_column_s_name(
    tmp_path: Path, name: str, text: str, column: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read(tmp_path / name, column)[0] == ["king"]


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ";"), ("a.csv", "|"), ("a.tsv", ",")])
def test_separators_that_are_the_texts_own_cut_none(tmp_path: Path, name: str, mark: str) -> None:
    (tmp_path / name).write_text(
        "\n".join([f"king wins{mark} queen sad", *LINES]), encoding="utf-8"
    )
    with pytest.raises(InputError, match="line 2: 1 fields, wanted 2; 300 of 301 rows"):
        read(tmp_path / name, "1")


def test_a_column_by_its_number_where_there_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{i},{line}\n" for i, line in enumerate(LINES)), encoding="utf-8")
    assert read(path, "2") == (LINES, ["no header, as the columns are numbers"])
    path.write_text("2,title\nx,y\n", encoding="utf-8")
    assert read(path, "2") == (["x"], [])  # a name first


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_empty_lines_before_the_header_count_as_lines(tmp_path: Path, name: str) -> None:
    row = "id,title\n1,2,3\n".replace(",", "\t" if name == "a.tsv" else ",")
    (tmp_path / name).write_text("\n \n\n" + row, encoding="utf-8")
    with pytest.raises(InputError, match="line 5: 3 fields, wanted 2"):
        read(tmp_path / name, "title")


def test_a_name_that_comes_twice_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,title,id\n1,king,2\n", encoding="utf-8")
    assert read(path, "title") == (["king"], [])
    with pytest.raises(InputError, match="has 2 columns 'id', wanted one"):
        read(path, "id")


BAD = ['1,"fire" opens', "1,2,3", '4,"']


@pytest.mark.parametrize("row", BAD[:2])
def test_a_bad_row_among_many_is_left_out_and_told(tmp_path: Path, row: str) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{i},{line}" for i, line in enumerate(LINES)]
    path.write_text("\n".join(["id,title", *rows[:9], row, *rows[9:]]), encoding="utf-8")
    texts, (note,) = read(path, "title")
    assert texts == LINES
    assert note.startswith("1 bad rows left out, the first on line 11: ")
    path.write_text("\n".join(["id,title", *rows[:9], *[row] * 4, *rows[9:]]), encoding="utf-8")
    with pytest.raises(InputError, match=r"; 4 of 304 rows are like that, wanted at most 1%"):
        read(path, "title")


def test_a_quote_that_is_never_closed_hides_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["title", BAD[2][2:] + "x", *LINES]), encoding="utf-8")
    with pytest.raises(InputError, match="the row from line 2: unexpected end of data"):
        read(path)


@pytest.mark.parametrize(
    "bad", ["[1]", "{", '{"title": ["x"]}', '{"title": NaN}', '{"title": true}']
)
def test_a_bad_line_of_json(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"title": line}) for line in LINES]
    path.write_text("\n".join([*lines[:5], bad, *lines[5:]]), encoding="utf-8")
    texts, (note,) = read(path)
    assert texts == LINES
    assert note.startswith("1 bad rows left out, the first on line 6: ")


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson", "jl", "json"])
def test_json_lines_under_other_suffixes_and_numbers_in_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text('{"title": 1984}\n{"title": "x"}\n{"title": 2.5}\n', encoding="utf-8")
    assert read(path) == (["1984", "x", "2.5"], [])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.txt.gz", "a.gz"])
def test_line_ends(tmp_path: Path, name: str, end: str) -> None:
    text = end.join([*(["title"] if "sv" in name else []), *LINES, ""]).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    told = ["read as a .txt.gz (a table needs .csv.gz or .tsv.gz as its suffix)"]
    assert read(tmp_path / name) == (LINES, told if name == "a.gz" else [])


def test_line_ends_of_a_file_longer_than_a_line_may_be(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"king wins\r" * 1_700_000)
    assert path.stat().st_size > LONGEST
    assert len(read(path)[0]) == 1_700_000


def test_line_ends_where_parts_of_the_file_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\rc\n\r\r\nd")
    for size in range(1, 14):
        monkeypatch.setattr("teenygpt_np.text.reading._CHUNK", size)
        assert read(path) == (["a", "b", "c", "", "", "d"], [])


def test_line_ends_are_counted_for_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\rb\rc\xff\r")
    with pytest.raises(InputError, match="line 3: byte 0xff at offset 5 is not utf-8; --enc"):
        read(path)


def test_a_gz_without_an_inner_suffix_is_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b'\n{"title": "king"}\n'))
    texts, (note,) = read(path)
    assert texts == ["", "king"]
    assert note.startswith("read as a .jsonl.gz")


@pytest.mark.parametrize("text", ["a", "a\nb", "a\nb\n"])
def test_gzip_loses_no_line_before_the_bytes_behind_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"first\n") + gzip.compress(text.encode()) + b"x")
    assert read(path) == (
        ["first", *text.split()],
        ["bytes after the end of the gzip data are not read"],
    )


def test_bytes_behind_a_gzip_file(tmp_path: Path) -> None:
    path = tmp_path / "h.txt.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in LINES).encode()) + b"x")
    texts, (note,) = read(path)
    assert texts == LINES
    assert note.startswith("bytes after the end of the gzip data are not read")
    path.write_bytes(b"x" + gzip.compress(b"a"))
    with pytest.raises(
        InputError, match=r"h\.txt\.gz is not a whole gzip file: Not a gzipped file"
    ):
        read(path)


# -- the table of formats --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".txt", ".md", ".markdown", ".MD"])
def test_formats_without_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("# King\n\nwins", encoding="utf-8")
    assert read(path) == (["# King", "", "wins"], [])
    with pytest.raises(InputError, match=r"^column 'a' is for \.csv, \.tsv, \.jsonl and \.parquet"):
        read(path, "a")


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv", ".jsonl"])
def test_an_encoding_is_for_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    rows = {".txt": "\u00c9t\u00e9\n", ".jsonl": '{"t": "\u00c9t\u00e9"}'}
    text = rows.get(suffix, "t\n\u00c9t\u00e9\n")
    path.write_text(text, encoding="utf-16")
    assert list(read_texts(path, (), "utf-16", "", [])[0]["all"]) == ["\u00c9t\u00e9"]
    with pytest.raises(InputError, match="not utf-8; --encoding=utf-16 probably reads it"):
        read(path)


def test_the_readme_names_every_format() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in (*(format.suffixes[0] for format in FORMATS), *COMPRESSIONS):
        assert f"`{name}`" in text
