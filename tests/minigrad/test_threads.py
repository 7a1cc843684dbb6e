"""The number of threads, and rows cut into blocks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import threads

ENOUGH = 10**9  # entries, so that every thread gets a block

pytestmark = pytest.mark.usefixtures("same_thread_count")


# -- the number of threads -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -1])
def test_count_below_one(count: int) -> None:
    before = mg.get_num_threads()
    with pytest.raises(ValueError, match=f"^number of threads is {count}, wanted at least 1$"):
        mg.set_num_threads(count)
    assert mg.get_num_threads() == before


def test_half_a_thread_is_refused() -> None:
    with pytest.raises(TypeError):
        threads.set_num_threads(1.5)  # type: ignore[arg-type]


def test_count_is_set() -> None:
    for count in (3, 1, 5):
        mg.set_num_threads(count)
        assert mg.get_num_threads() == count
        assert len(threads.blocks(100, ENOUGH)) == count


def test_count_is_that_of_the_cores_at_first() -> None:
    """The number of cores that the process may use, if the system tells it."""
    print_count = "import minigrad; print(minigrad.get_num_threads())"
    restrict = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    restricted = hasattr(os, "sched_setaffinity")
    code = restrict + print_count if restricted else print_count
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == (1 if restricted else os.cpu_count())


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({}, 8),
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"NUMBA_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "4", "NUMBA_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "4,2"}, 4),  # OpenMP's form for nested regions
        ({"OMP_NUM_THREADS": "99"}, 8),
        ({"OMP_NUM_THREADS": "", "NUMBA_NUM_THREADS": "many"}, 8),
        ({"OMP_NUM_THREADS": "0"}, 8),
    ],
)
def test_the_environment_may_say_fewer(environment: dict[str, str], count: int) -> None:
    assert threads._first_count(8, environment) == count


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 4),
        ({"cpu.max": "max 100000\n"}, 4),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "900000 100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu.max": "nonsense"}, 4),
    ],
)
def test_a_container_s_quota_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], count: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    assert threads._available_cores(str(tmp_path)) == count


# -- blocks ----------------------------------------------------------------------------------------


@given(rows=st.integers(0, 1000), count=st.integers(1, 70))
def test_blocks_cover_each_row_once(rows: int, count: int) -> None:
    mg.set_num_threads(count)
    spans = threads.blocks(rows, ENOUGH)
    assert [row for start, stop in spans for row in range(start, stop)] == list(range(rows))
    assert len(spans) == max(1, min(rows, count))
    lengths = [stop - start for start, stop in spans]
    assert max(lengths) - min(lengths) <= 1
    assert threads.blocks(rows, ENOUGH) == spans


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_little_work_is_one_block(rows: int) -> None:
    mg.set_num_threads(4)
    assert threads.blocks(rows, 10) == [(0, rows)]
