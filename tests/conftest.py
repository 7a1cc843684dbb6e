"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import minigrad as mg


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
