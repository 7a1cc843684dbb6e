"""A batch in shards: their gradients add up; any number of processes computes the same bits."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import SMALL, after_step, left_behind, write_corpus
from trainers import load, make, resumed, run, trained

import minigrad as mg
from teenygpt_np import checkpoint, run_directory
from teenygpt_np.errors import InputError
from teenygpt_np.ranks import Ranks, on_this_machine
from teenygpt_np.text.corpus import Corpus
from teenygpt_np.training import loop
from teenygpt_np.training.loop import Trainer

MPIEXEC = Path(sys.executable).parent / "mpiexec"
needs_mpi = pytest.mark.skipif(
    not (importlib.util.find_spec("mpi4py") and MPIEXEC.exists()), reason="extra mpi"
)
ONE_RANK = Path(__file__).parents[2] / "support" / "one_rank.py"
FLAGS = [*SMALL, "--epochs=2", "--dropout=0.2", "--shards=4", "--threads=1"]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return load(tmp_path)


def gradients(made: Trainer, rows: int = 16) -> dict[str, np.ndarray]:
    made.parallel.gradients(np.arange(rows), 0, made._backward)
    return made.parallel.all_gradients()


# -- in one process --------------------------------------------------------------------------------


@pytest.mark.parametrize(("shards", "rows"), [(2, 16), (3, 16), (5, 7), (16, 16), (9, 4)])
def test_shards_add_up_to_the_gradient_of_the_batch(corpus: Corpus, shards: int, rows: int) -> None:
    """Of as many rows each or not, and where some of them have none."""
    whole = gradients(make(corpus, dropout=0.0), rows)
    parts = gradients(make(corpus, dropout=0.0, shards=shards), rows)
    assert parts.keys() == whole.keys()
    for name, grad in whole.items():
        np.testing.assert_allclose(parts[name], grad, rtol=1e-4, atol=1e-6, err_msg=name)


def test_what_is_told_is_that_of_the_batch(corpus: Corpus) -> None:
    whole, parts = (make(corpus, dropout=0.0, shards=shards) for shards in (1, 3))
    told = [made.parallel.gradients(np.arange(10), 0, made._backward) for made in (whole, parts)]
    assert told[1].minimized == pytest.approx(told[0].minimized)
    assert told[1].nats == pytest.approx(told[0].nats)
    assert told[1][2:] == told[0][2:]


def test_every_shard_and_step_has_random_numbers_of_its_own(corpus: Corpus) -> None:
    made, drawn = make(corpus, dropout=0.5, shards=3), list[float]()

    def draw(rows: np.ndarray) -> object:
        drawn.append(made.rngs["model"].random())
        return made._backward(rows)

    before = made.rngs["model"].bit_generator.state
    for step in (0, 1, 1):
        made.parallel.gradients(np.arange(6), step, draw)  # type: ignore[arg-type]
    assert len(set(drawn[:6])) == 6
    assert drawn[3:6] == drawn[6:]
    assert made.rngs["model"].bit_generator.state == before


def test_the_norm_is_that_of_all(corpus: Corpus) -> None:
    made = make(corpus, shards=2)
    grads = gradients(made)
    norm = np.sqrt(sum(np.square(grad, dtype=np.float64).sum() for grad in grads.values()))
    assert made.parallel.clip(norm / 2) == pytest.approx(norm)
    after = made.parallel.all_gradients()
    assert all(after[n] == pytest.approx(grad / 2, rel=1e-5) for n, grad in grads.items())


def test_a_resumed_run_is_the_same(corpus: Corpus, tmp_path: Path) -> None:
    settings = {"shards": 3, "dropout": 0.2}
    trained(corpus, tmp_path / "whole", **settings)
    with after_step(4, lambda: signal.raise_signal(signal.SIGTERM)):
        trained(corpus, tmp_path / "part", **settings)
    assert run(resumed(corpus, tmp_path / "part", **settings), tmp_path / "part") == 0
    ours, whole = left(tmp_path / "part"), left(tmp_path / "whole")
    assert [name for name in whole if ours[name] != whole[name]] == []


def test_the_backend_is_that_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose BLAS may be faster, as far as it was measured."""
    asked = list[str]()

    def choose(name: str = "") -> str:
        asked.append(name)
        return name

    monkeypatch.setattr(mg, "choose_backend", choose)

    class Comm:
        def bcast(self, value: str) -> str:
            return "numba+blas"

    Ranks(1, 2, Comm()).choose_backend("numba")
    assert asked == ["numba+blas"]
    Ranks(0, 2, Comm()).choose_backend("numba")
    assert asked == ["numba+blas", "numba", "numba+blas"]


def test_a_signal_while_others_are_asked_is_kept(corpus: Corpus) -> None:
    made = make(corpus)

    class Asking(Ranks):
        def gathered(self, value: Any) -> list[Any]:
            made.stop_signal = 15
            return [value]

    made.ranks = Asking()
    made._heed_signal()
    with pytest.raises(loop._Stopped):
        made._heed_signal()
    assert made.stop_signal == 15


@pytest.mark.parametrize("name", ["config seed", "versions numpy", "threads", "backend", "corpus"])
def test_ranks_that_differ_are_refused(corpus: Corpus, name: str) -> None:
    made = make(corpus)

    class Others(Ranks):
        def gathered(self, value: Any) -> list[Any]:
            return [value, value, value | {name: "another"}]

    made.ranks = Others()
    with pytest.raises(InputError, match=f"process 2 has {name} 'another', and the first"):
        made._check_alike()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("items", [0, 1, 3, 7])
def test_work_is_shared_out(count: int, items: int) -> None:
    """Each rank has every count-th item; all get all results, in the order of the items."""
    worked = list[int]()
    rounds = list[int]()

    def square(item: int) -> int:
        worked.append(item)
        return item**2

    class Comm:
        def allgather(self, own: list[int]) -> list[list[int]]:
            assert own == [item**2 for item in worked]
            return [[i**2 for i in range(items)][rank::count] for rank in range(count)]

    for rank in range(count):
        worked.clear()
        rounds.clear()
        ranks = Ranks(rank, count, Comm())
        assert ranks.map(square, range(items), lambda: rounds.append(1)) == [
            i**2 for i in range(items)
        ]
        assert worked == list(range(rank, items, count))
        assert len(rounds) == -(-items // count)


# -- in several processes --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process has left behind."""
    out = tmp_path_factory.mktemp("alone") / "run"
    done = train(1, f"--data={data}", f"--out={out}", *FLAGS)
    assert done.returncode == 0, done.stderr
    return out


def train(
    count: int, *flags: str, script: list[str] | None = None, quiet: bool = True
) -> subprocess.CompletedProcess[str]:
    """In so many processes.    script: what they run, besides the flags"""
    mpi = [str(MPIEXEC), "-n", str(count), sys.executable, "-m", "mpi4py"]
    command = mpi if count > 1 else [sys.executable]
    command = [
        *command,
        *(script or ["-m", "teenygpt_np.train"]),
        *flags,
        *(["--quiet"] if quiet else []),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def weights(out: Path) -> dict[str, np.ndarray]:
    arrays = checkpoint.load(out / run_directory.BEST)[0]
    return {name: array for name, array in arrays.items() if name.startswith("model/")}


def left(out: Path) -> dict[str, object]:
    return {name: value for name, value in left_behind(out).items() if name != "report.html"}


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_give_what_one_gives(
    data: Path, alone: Path, tmp_path: Path, count: int
) -> None:
    """Every file of the run, to the bit."""
    done = train(count, f"--data={data}", f"--out={tmp_path / 'run'}", *FLAGS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ours, theirs = left(tmp_path / "run"), left(alone)
    assert [name for name in theirs if ours[name] != theirs[name]] == []


@needs_mpi
def test_a_fast_reduction_is_near(data: Path, alone: Path, tmp_path: Path) -> None:
    """Each of two processes adds its two shards first, so the last bits differ; of one, none."""
    for count in (1, 2):
        out = f"--out={tmp_path / str(count)}"
        assert train(count, f"--data={data}", out, *FLAGS, "--reduction=fast").returncode == 0
    exact, one, two = (weights(out) for out in (alone, tmp_path / "1", tmp_path / "2"))
    assert all((one[name] == array).all() for name, array in exact.items())
    assert not all((two[name] == array).all() for name, array in exact.items())
    for name, array in exact.items():
        np.testing.assert_allclose(two[name], array, atol=0.02, err_msg=name)


@needs_mpi
def test_the_first_alone_prints(data: Path, tmp_path: Path) -> None:
    command = [str(MPIEXEC), "-n", "2", sys.executable, "-m", "mpi4py", "-m", "teenygpt_np.train"]
    command += [f"--data={data}", f"--out={tmp_path / 'run'}", *SMALL, "--max-steps=3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    for once in ("processes: 2, run directory", "epoch 0: train", "how it learned: "):
        assert done.stdout.count(once) == 1


@needs_mpi
@pytest.mark.parametrize(
    "flags",
    [
        ["--experts=3", "--active-experts=2"],
        ["--experts=3", "--batch-size=25", "--max-steps=2"],
        ["--experts=3", "--batch-size=1"],
        ["--objective=joint", "--optimizer=adamw"],
        ["--mixer=mamba,rnn", "--num-blocks=2", "--clip-grad-norm=0"],
    ],
)
def test_other_models_too(data: Path, tmp_path: Path, flags: list[str]) -> None:
    for count in (1, 2):
        out = f"--out={tmp_path / str(count)}"
        done = train(count, f"--data={data}", out, *FLAGS, "--max-steps=4", *flags)
        assert done.returncode == 0, done.stderr
    ours, theirs = left(tmp_path / "2"), left(tmp_path / "1")
    assert [name for name in theirs if ours[name] != theirs[name]] == []


@needs_mpi
@pytest.mark.parametrize(
    ("rank", "step", "first", "then"),
    [
        (0, 4, 2, 1),
        (1, 4, 2, 4),
        (3, 4, 4, 2),
        (0, 3, 2, 2),
        (1, 3, 2, 1),
        (0, 6, 2, 1),
        (1, 6, 2, 2),
    ],
)
def test_a_signal_to_one_stops_all_and_any_number_goes_on(
    data: Path, alone: Path, tmp_path: Path, rank: int, step: int, first: int, then: int
) -> None:
    """After step 3 an epoch is validated, and after step 6 the test split is scored: it waits."""
    out = tmp_path / "run"
    flags = [f"--data={data}", f"--out={out}", *FLAGS]
    done = train(first, *flags, script=[str(ONE_RANK), str(rank), str(step), "stop"])
    assert done.returncode == 143, done.stderr
    assert not (out / "test.json").exists()
    assert train(then, f"--resume={out}").returncode == 0
    ours, theirs = left(out), left(alone)
    assert [name for name in theirs if ours[name] != theirs[name]] == []


@needs_mpi
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("what", ["kill", "raise", "full"])
def test_if_one_fails_all_end_and_the_checkpoint_is_whole(
    data: Path, alone: Path, tmp_path: Path, rank: int, what: str
) -> None:
    """The disk is of interest to the first alone."""
    out = tmp_path / "run"
    flags = [f"--data={data}", f"--out={out}", *FLAGS]
    done = train(2, *flags, script=[str(ONE_RANK), str(rank), "4", what])
    assert (done.returncode != 0) == (what != "full" or rank == 0)
    if what == "full" and rank == 0:
        assert done.stderr.startswith("teenygpt_np.train: error: last.npz: No space left on device")
    _, config, tokenizer = run_directory.read_description(out)
    run_directory.load_last(out, config, tokenizer)
    if done.returncode:
        assert train(2, f"--resume={out}").returncode == 0
    ours, theirs = left(out), left(alone)
    assert [name for name in theirs if ours[name] != theirs[name]] == []


@needs_mpi
def test_if_the_output_is_closed_all_stop(data: Path, alone: Path, tmp_path: Path) -> None:
    """That of the first, which notices it when it prints, after the fifth step."""
    out = tmp_path / "run"
    script = [str(ONE_RANK), "0", "4", "deaf"]
    done = train(2, f"--data={data}", f"--out={out}", *FLAGS, script=script, quiet=False)
    assert done.returncode == 1
    assert "error: output: Bad file descriptor" in done.stderr
    assert checkpoint.load(out / run_directory.LAST)[1]["step"] == 5
    assert train(2, f"--resume={out}").returncode == 0
    ours, theirs = left(out), left(alone)
    assert [name for name in theirs if ours[name] != theirs[name]] == []


@needs_mpi
def test_samples_and_scores_are_shared_out(alone: Path) -> None:
    """Of three batches the first process has two; every one has random numbers of its own."""
    printed = list[str]()
    for script in (
        ["-m", "teenygpt_np.sample", str(alone), "-n", "150", "--seed=3", "--length=5"],
        ["-m", "teenygpt_np.evaluate", str(alone), "--split=train", "--json"],
    ):
        one, two = (train(count, script=script, quiet=False) for count in (1, 2))
        assert (one.returncode, one.stderr) == (0, "")
        assert (two.returncode, two.stdout, two.stderr) == (0, one.stdout, "")
        printed.append(one.stdout)
    texts = printed[0].splitlines()
    assert texts[:64] != texts[64:128]


@needs_mpi
def test_what_cannot_be_shared_out(alone: Path) -> None:
    done = train(2, script=["-m", "teenygpt_np.inspect", str(alone)], quiet=False)
    assert done.returncode == 2
    assert "teenygpt_np.inspect: error: this is one of 2 processes, wanted one" in done.stderr
    done = train(2, script=["-m", "teenygpt_np.sample", str(alone), "--interactive"], quiet=False)
    assert done.returncode == 2
    assert "--interactive is for one process, not 2" in done.stderr


@needs_mpi
def test_what_they_are_told_differently(data: Path, tmp_path: Path) -> None:
    other = [":", "-n", "1", sys.executable, "-m", "mpi4py", "-m", "teenygpt_np.train"]
    flags = [f"--data={data}", f"--out={tmp_path / 'run'}", *FLAGS, "--quiet"]
    command = [str(MPIEXEC), "-n", "1", *other[3:], *flags, *other, *flags, "--seed=7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "process 1 is teenygpt_np.train --data=" in done.stderr
    assert "--seed=7, and the first teenygpt_np.train --data=" in done.stderr
    assert done.stderr.count("error:") == 1
    assert not (tmp_path / "run" / "config.json").exists()


@needs_mpi
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([*SMALL, "--lr=1e25", "--max-steps=1"], "the validation score at step 1 is nan, first "),
        (["--shards=3"], "--shards is 3, wanted a multiple of 2, the number of processes"),
        (["--lr=0"], "--lr is 0.0, wanted a finite number above 0"),
        (["--data=-"], "- is for one process, not 2; wanted a file"),
        (["--data=none.txt"], "none.txt is not there"),
    ],
)
def test_refused_once(tmp_path: Path, flags: list[str], message: str) -> None:
    done = train(2, f"--out={tmp_path / 'run'}", *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("error:") == 1


@needs_mpi
def test_without_mpi4py_several_are_refused(tmp_path: Path) -> None:
    """Otherwise each would train a model of its own."""
    command = [
        str(MPIEXEC),
        "-n",
        "2",
        sys.executable,
        "-m",
        "teenygpt_np.train",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "wanted mpiexec -n 2 python -m mpi4py -m ..." in done.stderr
    assert done.stderr.count("error:") == 1


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_processes_that_do_not_know_each_other(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has started them. One alone is no error."""
    flags = [f"--data={data}", f"--out={tmp_path / 'run'}", *SMALL, "--max-steps=1"]
    monkeypatch.setenv(name, "3")
    done = train(1, *flags)
    assert done.returncode == 2
    assert "this is one of 3 processes that know nothing of each other; wanted" in done.stderr
    monkeypatch.setenv(name, "1")
    assert train(1, *flags).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("MPI_LOCALNRANKS", "4", 4),
        ("OMPI_COMM_WORLD_LOCAL_SIZE", "2", 2),
        ("SLURM_STEP_TASKS_PER_NODE", "4(x12),3", 4),
        ("SLURM_STEP_TASKS_PER_NODE", "3,4(x12)", 4),
        ("SLURM_STEP_TASKS_PER_NODE", "", 1),
    ],
)
def test_how_many_are_on_this_machine(
    name: str, value: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert on_this_machine() == count


def test_a_multiple_of_the_processes_is_wanted(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="shards is 0"):
        make(corpus, shards=0)


def test_nothing_of_mpi_is_imported(tmp_path: Path, data: Path) -> None:
    flags = [f"--data={data}", f"--out={tmp_path}/run", *SMALL, "--max-steps=1", "--quiet"]
    code = f"""
import sys
from teenygpt_np import train
train.main({flags!r})
print(any(name.startswith("mpi4py") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
    assert run_directory.read_description(tmp_path / "run")[1].shards == 1
