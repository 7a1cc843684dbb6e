"""Fixtures and Hypothesis profiles that the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import deep
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

import minigrad as mg
from minigrad.threads import get_num_cores

# The same examples in every run; HYPOTHESIS_PROFILE=deep draws many, different in every run.
settings.register_profile(
    "default",
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    # The `backend` fixture sets the backend once for all examples of a test, as intended.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "deep",
    settings.get_profile("default"),
    max_examples=1000,
    derandomize=False,
    print_blob=True,  # prints how to draw a failing example again
)
# For faults.py: the default's examples, without shrinking one that fails.
settings.register_profile(
    "faults", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate]
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run whole folders of tests in two processes where pytest-xdist is installed; `-n 0`: in one.

    A single file is sooner done in one, and a debugger needs one. A file's tests stay together, so
    that what its fixtures made, and what its kernels are compiled for, is made once.
    """
    option = config.option
    undecided = getattr(option, "numprocesses", 0) is None and not hasattr(config, "workerinput")
    alone = option.usepdb or option.trace or option.collectonly or option.capture == "no"
    alone |= get_num_cores() < 2 or PROFILE != "default" or not all(map(os.path.isdir, config.args))
    if undecided and not alone:
        option.numprocesses = 2
        option.dist = "loadfile"
        option.loadscopereorder = False  # it would begin with the most tests, not the slowest
        # Threads of BLAS that wait keep their cores busy, which the other process needs.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


# With two processes and an empty cache: the first compiles what most of the others need, while the
# second runs those that need little of it.
FIRST = ("golden", "faults", "backend", "benchmarks", "disk", "grammar", "architecture")

# What `-m quick` runs, because its file and name begin so: something of every module, and nothing
# that takes long.
QUICK = (
    "test_tape::",
    "test_tensor::",
    "test_ops::test_value_and_gradients[numpy",
    "test_ops_conventions::",
    "test_ops_errors::",
    "test_ops_fused::",
    "test_indices::",
    "test_kernels::test_twins_agree_at_every_size",
    "test_tile::",
    "test_team::test_run_",
    "test_backend::test_kernels_are_those_of_the_backend",
    "test_threads::",
    "test_edges::",
    "test_optim::",
    "test_gradcheck::",
    "test_trace::",
    "test_anomaly::",
    "test_characters::",
    "test_corpus::",
    "test_files::",
    "test_reading::",
    "test_parquet::",
    "test_running::",
    "test_saved::test_made_once_and_found_again",
    "test_bytes::",
    "test_words::",
    "test_merges::",
    "test_bpe::",
    "test_batches::",
    "test_config::",
    "test_layers::",
    "test_mixers::test_in_parts_as_a_whole",
    "test_mixers::test_the_future_changes_nothing",
    "test_mixers::test_what_a_mixer_says_of_itself",
    "test_teenygpt::test_loss_by_hand",
    "test_teenygpt::test_scores_part_by_part",
    "test_golden::test_loss",
    "test_checkpoint::",
    "test_optimizers::",
    "test_norms::",
    "test_console::",
    "test_tokenizer::test_out_and_in_again",
    "test_loop::test_the_run_directory",
    "test_loop::test_a_line_of_metrics_per_epoch",
    "test_loop::test_loss_falls",
    "test_loop::test_going_on_gives_the_same_bits[steps1",
    "test_scores::",
    "test_baselines::",
    "test_sampling::",
    "test_cli::test_errors",
    "test_train::test_train_tells_what_it_does",
    "test_sample::test_they_are_the_model_s",
    "test_interactive::test_the_same_text_as_without",
    "test_evaluate::",
    "test_inspect::",
    "test_arithmetic::",
    "test_c::test_the_twin_in_float32_is_the_model",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if f"{item.path.stem}::{item.name}".startswith(QUICK):
            item.add_marker("quick")
    if hasattr(config, "workerinput"):
        rank = {f"test_{name}": i for i, name in enumerate(FIRST)}
        items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = list(deep.summary()) if PROFILE == "deep" else []
    if lines:
        terminalreporter.section("what was tried")
    for line in lines:
        terminalreporter.write_line(line)


@pytest.fixture
def same_thread_count() -> Iterator[None]:
    """The number of threads is set back after each test."""
    before = mg.get_num_threads()
    yield
    mg.set_num_threads(before)


@pytest.fixture(params=[name for name in mg.available_backends() if name != "numba+blas"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each backend that is installed, in turn.

    But for numba+blas, whose few kernels of its own are tested as those of the others.
    """
    before = mg.get_backend()
    mg.set_backend(request.param)
    yield request.param
    mg.set_backend(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
