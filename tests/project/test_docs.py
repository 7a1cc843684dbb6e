"""The pages in docs/: their code prints what they show, and tests notice their faults."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest
from faults import FAULTS, ROOT, Fault

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COURSE = [page for page in PAGES if page.name[0].isdigit()]
# A block of code, and right under it what the code prints, if anything.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
# A fault of an exercise, the command that shows it, and the test that fails.
EXERCISE = re.compile(
    r"In `([^`]+)`\s+put\s+`([^`]+)`\s+for\s+`([^`]+)`.*?`pytest ([^`]+)`:\s+`([^`]+)`", re.DOTALL
)
# Functions and classes, and the file they are said to be in.
PLACE = re.compile(r"((?:`\w+`(?:,\s+|\s+and\s+)?)+)\s+in\s+\[`([^`]+)`\]")

NUMBER = re.compile(r"(?<![#\w])-?\d+(?:\.\d+)?")
FIGURES = runpy.run_path(str(ROOT / "docs" / "figures.py"))["FIGURES"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def check(text: str, name: str) -> int:
    """Run a page's blocks in order, in one namespace; returns how many printed what is shown."""
    blocks = list(BLOCK.finditer(text))
    assert text.count("```") == sum(4 if block[2] else 2 for block in blocks), "what block is that?"
    namespace = {"__name__": name}
    for block in blocks:
        before = text.count("\n", 0, block.start(1))  # so that a traceback has the page's lines
        code = compile("\n" * before + block[1], name, "exec", dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, namespace)
        assert out.getvalue() == (block[2] or ""), f"{name}, line {before}"
    return sum(block[2] is not None for block in blocks)


@each_page
def test_code_prints_what_is_shown(page: Path, backend: str) -> None:
    shown = check(page.read_text(encoding="utf-8"), str(page))
    assert shown >= 2 or page not in COURSE


@pytest.mark.parametrize(
    "wrong",
    [
        "```python\nprint(2 * 3)\n```\n\n```text\n7\n```\n",
        "```python\nprint(2 * 3)\n```\n",
        "```python\n6\n```\n\n```text\n6\n```\n",
        "```python\nprint(6)\n```\nthat is:\n\n```text\n6\n```\n",
    ],
)
def test_a_wrong_page_is_noticed(wrong: str) -> None:
    assert check("```python\nprint(2 * 3)\n```\n\n```text\n6\n```\n", "right") == 1
    with pytest.raises(AssertionError):
        check(wrong, "wrong")


@each_page
def test_links_and_places_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    for names, file in PLACE.findall(text):
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in re.findall(r"\w+", names):
            if name != "and":
                assert re.search(rf"^ *(def|class) {name}\b", source, re.MULTILINE), name


def test_the_tree_in_the_readme_has_every_module_and_its_length() -> None:
    """The lengths in lines, within a tenth; a folder's with all files in it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    package, named = "", set()
    for line in readme.partition("## Reading the code")[2].partition("\n## ")[0].splitlines():
        if top := re.match(r" {4}(\w+/) ", line):
            package = top[1]
            assert (ROOT / package).is_dir(), package
        elif row := re.match(r" {6}(\S+) +([\d,]+) ", line):
            place = ROOT / package / row[1]
            files = [place] if place.is_file() else place.rglob("*.*")
            code = [file for file in files if file.suffix in (".py", ".js", ".css", ".html")]
            lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in code)
            assert int(row[2].replace(",", "")) == pytest.approx(lines, rel=0.1), place
            named.add(place)
        elif row := re.match(r" {6}((?:\w+\.py(?:, )?)+):", line):
            named |= {ROOT / package / name for name in row[1].split(", ")}
    for package in ("minigrad", "teenygpt_np"):
        for file in (ROOT / package).rglob("[!_]*.py"):
            assert named & {file, *file.parents}, file


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(([\w-]+\.md)\)", index)
    pages = {page.name for page in PAGES if page.parent.name == "docs"}
    assert sorted(listed) == sorted(pages - {"README.md"})


EXERCISES = [
    (page.stem, *found.groups())
    for page in COURSE
    for found in EXERCISE.finditer(page.read_text(encoding="utf-8"))
]


def fault_of(file: str, wrong: str, right: str) -> Fault:
    """The exercise's fault in the table of faults that tests notice."""
    told = (file, right.strip(), wrong.strip())
    [fault] = [f for f in FAULTS if (f.file, f.right.strip(), f.wrong.strip()) == told]
    return fault


def test_every_page_has_an_exercise_that_can_be_done() -> None:
    assert {page for page, *_ in EXERCISES} == {page.stem for page in COURSE}
    for _, file, wrong, right, *_ in EXERCISES:
        assert fault_of(file, wrong, right)


def numbers(svg: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(svg)]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_fresh(name: str) -> None:
    """The last digit of a position or a colour may be rounded differently."""
    written = (ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8")
    anew = FIGURES[name]()
    assert NUMBER.sub("", written) == NUMBER.sub("", anew), "python docs/figures.py"
    assert numbers(written) == pytest.approx(numbers(anew), rel=0, abs=0.11)
