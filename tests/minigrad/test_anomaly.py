"""`detect_anomaly`: the first operation that gives NaN or infinity, in forward or backward."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns too


def test_the_first_operation_is_named(backend: str) -> None:
    x = mg.Tensor([1.0, -1.0], requires_grad=True)
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match=r"^log gave nan$"):
        mg.exp(mg.log(x))
    with mg.detect_anomaly(), pytest.raises(FloatingPointError, match=r"^exp gave inf$"):
        mg.exp(x * 1000) - 1
    with mg.detect_anomaly(), mg.no_grad(), pytest.raises(FloatingPointError, match=r"^exp gave"):
        mg.exp(mg.Tensor(1000.0))  # not recorded, and checked all the same


def test_the_first_vjp_is_named(backend: str) -> None:
    """At 0 the derivative of sqrt is infinite; the product's vjp would then give NaN."""
    x = mg.Tensor([0.0, 4.0], requires_grad=True)
    with mg.detect_anomaly():
        y = mg.sqrt(x * 0).sum()
        with pytest.raises(FloatingPointError, match=r"^sqrt's vjp gave inf$"):
            y.backward()
    assert x.grad is None


def test_nothing_is_checked_outside_of_it(backend: str) -> None:
    x = mg.Tensor([0.0, 4.0], requires_grad=True)
    with mg.detect_anomaly():
        mg.sqrt(x).sum()
    with pytest.raises(RuntimeError, match="left by an error"), mg.detect_anomaly():
        raise RuntimeError("left by an error")
    mg.sqrt(x).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad, [np.inf, 0.25])


def test_what_is_finite_is_left_as_it_is(backend: str) -> None:
    def gradient() -> np.ndarray:
        x = mg.Tensor(np.linspace(-2, 2, 12).reshape(3, 4), requires_grad=True)
        mg.softmax(x @ x.T).max().backward()
        assert x.grad is not None
        return x.grad

    plain = gradient()
    with mg.detect_anomaly():
        np.testing.assert_array_equal(gradient(), plain)
