"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import deep
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

import minigrad as mg

# The same examples in every run; HYPOTHESIS_PROFILE=deep draws many, and others each time.
settings.register_profile(
    "default",
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    # A backend stays as it is for all examples of a test, as it should.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "deep",
    settings.get_profile("default"),
    max_examples=1000,
    derandomize=False,
    print_blob=True,  # says how to draw a failing example again
)
# The default's examples; one that fails is not made simpler first. For faults.py.
settings.register_profile(
    "faults", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate]
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
settings.load_profile(PROFILE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = list(deep.summary()) if PROFILE == "deep" else []
    if lines:
        terminalreporter.section("what was tried")
    for line in lines:
        terminalreporter.write_line(line)


@pytest.fixture
def same_thread_count() -> Iterator[None]:
    """Afterwards as before."""
    before = mg.get_num_threads()
    yield
    mg.set_num_threads(before)


@pytest.fixture(params=mg.available_backends())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each backend that is installed, in turn."""
    before = mg.get_backend()
    mg.set_backend(request.param)
    yield request.param
    mg.set_backend(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
