"""The table of seeded faults is up to date, and tests notice a few of them; faults.py tries all."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest
from conftest import PROFILE
from faults import FAULTS, ROOT, Copy, Fault
from test_docs import EXERCISES, fault_of
from twins import public

from minigrad import ops
from minigrad.kernels import reference

# The tape, a rule, a kernel's backward, a convention, the optimizer; and the file that notices,
# because reading all the files takes longer than the test.
FEW = {
    "tape: = for += at a leaf used twice": "test_tape.py",
    "subtract: a sign lost": "test_ops.py",
    "getitem: duplicates lost": "test_ops.py",
    "relu: slope 1 at the kink": "test_ops_conventions.py",
    "adamw: eps inside of the root": "test_optim.py",
}


def test_every_fault_applies() -> None:
    """Its text stands exactly once in the file, and the replacement differs and is valid Python."""
    for fault in FAULTS:
        source = (ROOT / fault.file).read_text(encoding="utf-8")
        faulty = fault.applied_to(source)
        assert faulty != source, fault.name
        ast.parse(faulty)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 60


def with_faults(folder: str) -> set[str]:
    return {fault.first for fault in FAULTS if fault.file.startswith(f"minigrad/{folder}")}


def test_every_operation_and_kernel_has_a_fault() -> None:
    assert set(ops.__all__) <= with_faults("ops/")
    for folder in ("kernels/reference", "kernels/compiled"):
        assert set(public(reference)) <= with_faults(folder)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("faults"))


def test_no_fault_no_failure(copy: Copy) -> None:
    assert copy.failure("-k", "diamond", "tests/minigrad/test_tape.py") == ""


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.name in FEW], ids=lambda f: f.first)
def test_fault_is_caught(copy: Copy, fault: Fault) -> None:
    before = (copy.root / fault.file).read_bytes()
    assert copy.catch(fault, f"tests/minigrad/{FEW[fault.name]}")
    assert (copy.root / fault.file).read_bytes() == before


@pytest.mark.parametrize("exercise", EXERCISES if PROFILE == "deep" else EXERCISES[:1])
def test_exercises_of_the_course_end_as_told(exercise: tuple[str, ...], tmp_path: Path) -> None:
    _, file, wrong, right, command, test = exercise
    copy = Copy(tmp_path)
    path = copy.root / file
    faulty = fault_of(file, wrong, right).applied_to(path.read_text(encoding="utf-8"))
    path.write_text(faulty, encoding="utf-8")
    assert copy.failure(*shlex.split(command)).partition("::")[2] == test
