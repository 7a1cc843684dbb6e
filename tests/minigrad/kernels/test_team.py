"""Blocks of rows run by a team of threads, and what becomes of the threads in a fork."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import kernels, threads
from teenygpt_np import TeenyGPT

ENOUGH = 10**9  # entries, so that every thread gets a block

pytestmark = pytest.mark.usefixtures("same_thread_count")


@pytest.fixture(params=["spinning", "parked"])
def team(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module. Threads without work spin, or are parked at once, where they cannot spin."""
    pytest.importorskip("numba", reason="only compiled kernels have a team")
    from minigrad.kernels.compiled import team

    if request.param == "parked":
        monkeypatch.setattr(team, "_CAN_SPIN", False)
    return team


# -- run -------------------------------------------------------------------------------------------


def in_parts(count: int) -> list[tuple[int, int]]:
    mg.set_num_threads(count)
    return threads.blocks(3 * count, ENOUGH)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_run_calls_the_task_once_for_each_span(team: Any, count: int) -> None:
    spans = in_parts(count)
    for _ in range(20):
        calls: list[Any] = []
        team.run(lambda *args: calls.append(args), spans, "a", "b")  # noqa: B023
        assert sorted(calls) == [("a", "b", part, *span) for part, span in enumerate(spans)]


def test_run_without_rows(team: Any) -> None:
    calls: list[Any] = []
    team.run(lambda *args: calls.append(args), threads.blocks(0, 0))
    assert calls == [(0, 0, 0)]


@pytest.mark.parametrize("count", [2, 5])
def test_spans_run_at_once_and_the_first_in_this_thread(team: Any, count: int) -> None:
    everyone, names = threading.Barrier(count), {}

    def task(part: int, start: int, stop: int) -> None:
        everyone.wait(timeout=60)  # breaks, and raises, where they would run one by one
        names[part] = threading.current_thread()

    team.run(task, in_parts(count))
    assert len(set(names.values())) == count
    assert names[0] is threading.current_thread()


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_run_waits_for_every_span(team: Any, seconds: float) -> None:
    done = []

    def task(part: int, start: int, stop: int) -> None:
        if part:
            time.sleep(seconds)
        done.append(part)

    for _ in range(3):
        done.clear()
        team.run(task, in_parts(3))
        assert sorted(done) == [0, 1, 2]


def test_a_team_that_slept_is_woken(team: Any) -> None:
    test_run_calls_the_task_once_for_each_span(team, 2)
    time.sleep(0.1)  # hundreds of times as long as a thread spins
    test_run_calls_the_task_once_for_each_span(team, 2)


@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt])
def test_run_passes_on_exceptions_when_all_have_ended(
    team: Any, bad: int, kind: type[BaseException]
) -> None:
    ended = []

    def task(part: int, start: int, stop: int) -> None:
        if part == bad:
            raise kind(f"part {part}")
        time.sleep(0.02)
        ended.append(part)

    with pytest.raises(kind, match=f"^part {bad}$"):
        team.run(task, in_parts(3))
    assert sorted(ended) == sorted({0, 1, 2} - {bad})
    test_run_calls_the_task_once_for_each_span(team, 3)


def test_a_busy_team_is_not_waited_for(team: Any) -> None:
    """Threads that call `run` while the team is busy do all their spans themselves."""
    spans, seen = in_parts(2), []

    def task(part: int, start: int, stop: int) -> None:
        team.run(lambda part, *span: seen.append((part, threading.current_thread())), spans)

    everyone = threading.Barrier(2)

    def wait_and_run(part: int, start: int, stop: int) -> None:
        everyone.wait(timeout=60)
        task(part, start, stop)
        everyone.wait(timeout=60)

    team.run(wait_and_run, spans)
    assert sorted(part for part, _ in seen) == [0, 0, 1, 1]
    assert len(set(seen)) == 4
    assert len({thread for _, thread in seen}) == 2


def test_nothing_is_kept(team: Any) -> None:
    """The arrays of the last task can be freed."""
    array = np.zeros(3)
    gone = weakref.ref(array)
    team.run(lambda array, part, start, stop: None, in_parts(3), array)
    del array
    assert gone() is None


def test_no_error_is_kept(team: Any) -> None:
    """The traceback of a kept error would keep the task's arrays."""

    class Error(Exception):
        pass

    def task(part: int, start: int, stop: int) -> None:
        if part:
            raise Error

    def gone() -> Any:
        with pytest.raises(Error) as caught:
            team.run(task, in_parts(2))
        return weakref.ref(caught.value)

    reference = gone()
    gc.collect()
    assert reference() is None


def test_without_threads_the_caller_does_it_all(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(team, "_members", [])
    monkeypatch.setattr(threading.Thread, "start", start)
    test_run_calls_the_task_once_for_each_span(team, 3)
    assert not team._taken


def test_the_number_of_threads_may_change_while_they_work(team: Any) -> None:
    spans = in_parts(2)

    def work() -> None:
        for _ in range(200):
            calls: list[int] = []
            team.run(lambda to, part, start, stop: to.append(part), spans, calls)
            assert sorted(calls) == [0, 1]

    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work) for _ in range(2)]
        while not all(worker.done() for worker in workers):
            mg.set_num_threads(5 - mg.get_num_threads())  # 2, 3, 2, 3 ...
    for worker in workers:
        worker.result()


# -- kernels in threads ----------------------------------------------------------------------------


def work(x: Any) -> list[bytes]:
    p = kernels.softmax(x, 1)
    return [a.tobytes() for a in (p, kernels.softmax_vjp(p, x, 1), kernels.gelu(x, "none"))]


@pytest.mark.usefixtures("backend")
def test_two_threads_compute_at_once(rng: np.random.Generator) -> None:
    arrays = rng.standard_normal((2, 200, 100)).astype(np.float32)  # enough to be shared out
    mg.set_num_threads(2)
    wanted = [work(x) for x in arrays]
    both = threading.Barrier(2)

    def repeat(i: int) -> list[list[bytes]]:
        both.wait(timeout=60)
        return [work(arrays[i]) for _ in range(20)]

    mg.set_num_threads(1)
    mg.set_num_threads(2)  # and no threads yet: both will need them
    with ThreadPoolExecutor(2) as pool:
        for want, got in zip(wanted, pool.map(repeat, range(2)), strict=True):
            assert got == [want] * 20


INTERRUPTED = """
import sys

from minigrad import threads
from minigrad.kernels.compiled import team


def run():
    calls = []
    team.run(lambda part, start, stop: calls.append(part), [(0, 1), (1, 2)])
    assert sorted(calls) == [0, 1]


def trace(frame, event, _):
    global left
    if frame.f_code.co_filename != team.__file__:
        return None
    left -= event == "line" and frame.f_lineno not in SAFE
    if left < 0:
        raise KeyboardInterrupt
    return trace


with open(team.__file__) as file:  # Python looks for signals at calls, of which these have none
    SAFE = [i for i, line in enumerate(file, 1) if '_taken["by"]' in line]
run()
for line in range(1000):
    left = line
    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt:
        sys.settrace(None)
    else:
        break
    run()
    assert not team._taken
sys.settrace(None)
print(line > 20)
"""


@pytest.mark.usefixtures("team")
def test_an_interrupt_at_any_line_leaves_the_team_free() -> None:
    assert python(INTERRUPTED) == "True\n"


AT_EXIT = """
import atexit

import numpy as np

from minigrad import kernels, threads

threads.set_num_threads(2)
x = np.ones((200, 100), np.float32)
atexit.register(lambda: print(kernels.softmax(x, 1).shape))
kernels.softmax(x, 1)
"""


@pytest.mark.usefixtures("team")
def test_a_kernel_may_be_called_at_exit() -> None:
    """By a handler that was there before the team was: so it is called when the team is gone."""
    assert python(AT_EXIT) == "(200, 100)\n"


def python(code: str) -> str:
    """What a new Python process prints; it is ended after a minute if it hangs."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(seed: int) -> dict[str, bytes]:
    """The weights after a few steps, each of which is shared out to threads."""
    rng = np.random.default_rng(seed)
    model = TeenyGPT(25, 29, 64, 2, num_blocks=1, rng=rng)
    optimizer = mg.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(3):
        ids = rng.integers(1, 29, (16, 25))
        with mg.no_grad():
            model.loss(ids)
        optimizer.zero_grad()
        model.loss(ids).backward()
        optimizer.step()
    return {name: array.tobytes() for name, array in model.state_dict().items()}


@pytest.mark.usefixtures("backend")
def test_two_threads_train_at_once() -> None:
    """Each trains its own model; `no_grad` in one thread does not stop the other's recording."""
    mg.set_num_threads(2)
    wanted = [train(seed) for seed in (0, 1)]
    assert wanted[0] != wanted[1]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, [0, 1, 0, 1])) == wanted * 2


TRAIN_IN_FORKS = """
import multiprocessing
import signal
import sys
sys.path.insert(0, "tests/minigrad/kernels")
from test_team import mg, train

mg.set_num_threads(2)
before = train(0)
with multiprocessing.get_context("fork").Pool(2, signal.alarm, [60]) as pool:
    print([weights == before for weights in pool.map(train, [0] * 4)], train(0) == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forks_train() -> None:
    """The kernels ran in threads before the fork, and a forked process has none of these."""
    assert python(TRAIN_IN_FORKS) == "[True, True, True, True] True\n"


FORK = """
import os
import signal
import numpy as np
from minigrad import kernels, threads

threads.set_num_threads(2)
x = np.random.default_rng(0).standard_normal((200, 100)).astype(np.float32)
before = kernels.softmax(x, 1)  # the threads are started
child = os.fork()
if child == 0:
    signal.alarm(30)  # ends it, should it wait for threads that are not there
same = np.array_equal(kernels.softmax(x, 1), before)
if child == 0:
    os._exit(0 if same else 3)
print(same, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_both_sides_of_a_fork_compute() -> None:
    assert python(FORK) == "True 0\n"
