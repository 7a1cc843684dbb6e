"""Our results compared with PyTorch's, from tests/golden/ (its README describes the files)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
from rows import counted

import minigrad as mg
from minigrad import optim
from teenygpt_np import TeenyGPT

Array = peers.Array

pytestmark = pytest.mark.usefixtures("backend")


def load(name: str) -> tuple[dict[str, Array], dict[str, Any]]:
    with np.load(Path(__file__).parent / f"{name}.npz", allow_pickle=False) as file:
        arrays = dict(file)
    return arrays, json.loads(arrays.pop("meta").item())


ARTICLE, ARTICLE_META = load("t12")
SIZED, SIZED_META = load("at_sizes")
OPS, OPS_META = load("ops")
CASES = OPS_META["cases"]
OP_CASES = [name for name, case in CASES.items() if "inputs" in case]
OPTIMIZER_CASES = [name for name, case in CASES.items() if "inputs" not in case]


def under(prefix: str, arrays: dict[str, Array] = ARTICLE) -> dict[str, Array]:
    """The arrays whose key begins with `prefix/`, without it."""
    start = f"{prefix}/"
    return {key[len(start) :]: a for key, a in arrays.items() if key.startswith(start)}


def tuples(settings: dict[str, Any]) -> dict[str, Any]:
    """Lists as tuples, since JSON has only lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}


# -- the model -------------------------------------------------------------------------------------


def make_model(dtype: Any) -> TeenyGPT:
    """The model of T = 12 with PyTorch's initial weights."""
    made = TeenyGPT(
        **ARTICLE_META["sizes"], positions="learned", rng=np.random.default_rng(0), dtype=dtype
    )
    made.load_state_dict({name: array.astype(dtype) for name, array in under("weight").items()})
    return made


@pytest.fixture
def model(backend: str) -> TeenyGPT:
    return make_model(np.float32)


@pytest.fixture
def model64(backend: str) -> TeenyGPT:
    return make_model(np.float64)


def assert_gradients(model: TeenyGPT, expected: dict[str, Array], tolerance: float) -> None:
    """Within `tolerance` of the largest entry of each gradient."""
    parameters = dict(model.named_parameters())
    assert parameters.keys() == expected.keys()
    for name, parameter in parameters.items():
        want = expected[name]
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == parameter.dtype, name
        bound = tolerance * np.abs(want).max()
        np.testing.assert_allclose(parameter.grad, want, rtol=0, atol=bound, err_msg=name)


def train(model: TeenyGPT) -> list[float]:
    """Take the steps that PyTorch took; returns the loss before each."""
    optimizer = optim.AdamW(model.parameters(), **tuples(ARTICLE_META["adamw"]))
    return peers.train(model, optimizer, [ARTICLE["x"]] * ARTICLE_META["steps"])


def test_parameters_have_pytorchs_names_and_shapes(model: TeenyGPT) -> None:
    ours = {name: array.shape for name, array in model.state_dict().items()}
    assert ours == {name: array.shape for name, array in under("weight").items()}


def test_log_probs(model: TeenyGPT) -> None:
    ours = model.eval().log_probs(ARTICLE["x"])
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours.data, ARTICLE["log_probs"], rtol=0, atol=1e-5)


def test_log_probs_at_a_temperature(model: TeenyGPT) -> None:
    ours = model.eval().log_probs(ARTICLE["x"], temperature=ARTICLE_META["temperature"])
    np.testing.assert_allclose(ours.data, ARTICLE["log_probs_temperature"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("loss_mean", {"reduction": "mean"}),
        ("loss_sum", {"reduction": "sum"}),
        ("loss_no_pad", {"reduction": "mean", "counted": counted(ARTICLE["x"])}),
    ],
)
def test_loss(model: TeenyGPT, key: str, settings: dict[str, Any]) -> None:
    ours = model.loss(ARTICLE["x"], **settings)
    np.testing.assert_allclose(ours.item(), ARTICLE[key], rtol=1e-6)


def test_top1(model: TeenyGPT) -> None:
    ours = model.eval().top1(ARTICLE["x"])
    np.testing.assert_allclose(ours, ARTICLE["top1_per_headline"], rtol=1e-6)


@pytest.mark.parametrize(("prefix", "ignore_pads"), [("grad", False), ("grad_no_pad", True)])
def test_gradients(model: TeenyGPT, prefix: str, ignore_pads: bool) -> None:
    model.loss(ARTICLE["x"], counted(ARTICLE["x"]) if ignore_pads else None).backward()
    assert_gradients(model, under(prefix), 1e-4)


def test_ten_steps_of_adamw(model: TeenyGPT) -> None:
    np.testing.assert_allclose(train(model), ARTICLE["adamw_losses"], rtol=1e-5)
    parameters = dict(model.named_parameters())
    width = ARTICLE_META["sizes"]["num_emb"]
    for name, want in under("after10").items():
        ours = parameters[name].data
        if name.endswith("in_proj_bias"):
            # The keys' bias has a gradient of 0, so what AdamW makes of it is rounding noise.
            ours, want = (np.delete(a, slice(width, 2 * width)) for a in (ours, want))
        np.testing.assert_allclose(ours, want, rtol=0, atol=1e-5, err_msg=name)
    ours = model.eval().log_probs(ARTICLE["x"]).data
    np.testing.assert_allclose(ours, ARTICLE["after10_log_probs"], rtol=0, atol=1e-5)


def test_log_probs_with_the_trained_weights(model: TeenyGPT) -> None:
    """Biases are no longer 0 and norms no longer 1, so a missing one is noticed."""
    model.load_state_dict(under("after10"))
    ours = model.eval().log_probs(ARTICLE["x"]).data
    np.testing.assert_allclose(ours, ARTICLE["after10_log_probs"], rtol=0, atol=1e-5)


def test_values_and_gradients_in_float64(model64: TeenyGPT) -> None:
    ours = model64.eval().log_probs(ARTICLE["x"])
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours.data, ARTICLE["f64/log_probs"], rtol=0, atol=1e-10)
    for prefix, ignore_pads in (("grad", False), ("grad_no_pad", True)):
        model64.zero_grad()
        model64.loss(ARTICLE["x"], counted(ARTICLE["x"]) if ignore_pads else None).backward()
        assert_gradients(model64, under(f"f64/{prefix}"), 1e-10)


def test_ten_steps_of_adamw_in_float64(model64: TeenyGPT) -> None:
    np.testing.assert_allclose(train(model64), ARTICLE["f64/adamw_losses"], rtol=1e-10)
    wanted = under("f64/after10")
    for name, parameter in model64.named_parameters():
        # The keys' bias is included: in float64 its noise is far below AdamW's eps.
        np.testing.assert_allclose(parameter.data, wanted[name], rtol=0, atol=1e-9, err_msg=name)


# -- the model at three sizes ----------------------------------------------------------------------

TRAINED = [("t40", "float32"), ("t40", "float64"), ("t80", "float32")]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}  # rounding makes a tenth of it, or a hundredth


def make_sized(size: str, dtype: str) -> TeenyGPT:
    """The model with the same weights as PyTorch's, drawn again from their seed."""
    if mg.get_backend() != "numpy" and os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        pytest.skip("kernels that are not compiled would take hours")
    made = TeenyGPT(*SIZED_META["sizes"][size], positions="learned", dtype=dtype)
    start = peers.weights(made.state_dict(), SIZED_META["seed"])
    made.load_state_dict({name: array.astype(dtype) for name, array in start.items()})
    return made


@pytest.mark.parametrize(("size", "dtype"), [*TRAINED, ("article", "float32")])
def test_first_batch_at_each_size(size: str, dtype: str) -> None:
    model, want = make_sized(size, dtype), under(f"{size}/{dtype}", SIZED)
    tolerance, x = TOLERANCE[dtype], SIZED[f"{size}/x"][0]
    with mg.no_grad():
        log_probs = model.log_probs(x).data
    np.testing.assert_allclose(log_probs, want["log_probs"], rtol=0, atol=tolerance)
    loss = model.loss(x)
    np.testing.assert_allclose(loss.item(), want["loss"], rtol=tolerance / 10)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        norm = np.linalg.norm(parameter.grad.astype(np.float64))
        np.testing.assert_allclose(norm, want[f"grad_norm/{name}"], rtol=tolerance, err_msg=name)
        ours, theirs = peers.thinned(parameter.grad), want[f"grad/{name}"]
        bound = tolerance * np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound, err_msg=name)


@pytest.mark.parametrize(("size", "dtype"), TRAINED)
def test_hundred_steps_of_adamw(size: str, dtype: str) -> None:
    """On a new batch each step. Without weight decay the losses would be off by 8e-5."""
    model = make_sized(size, dtype)
    optimizer = optim.AdamW(model.parameters(), **tuples(SIZED_META["adamw"]))
    losses = peers.train(model, optimizer, SIZED[f"{size}/x"])
    np.testing.assert_allclose(losses, SIZED[f"{size}/{dtype}/losses"], rtol=TOLERANCE[dtype])


# -- single operations -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OP_CASES)
def test_operation(name: str) -> None:
    case = CASES[name]
    inputs: dict[str, Any] = {key: OPS[f"{name}/{key}"] for key in case["inputs"]}
    leaves = {
        key: mg.Tensor(value, requires_grad=True)
        for key, value in inputs.items()
        if value.dtype == np.float64
    }
    out = getattr(mg, case["op"])(*(inputs | leaves).values(), **tuples(case["settings"]))
    assert out.dtype == np.float64
    np.testing.assert_allclose(out.data, OPS[f"{name}/out"], rtol=1e-10, atol=1e-10)
    out.backward(OPS[f"{name}/cotangent"])
    for key, leaf in leaves.items():
        want = OPS[f"{name}/grad_{key}"]
        assert leaf.grad is not None
        np.testing.assert_allclose(leaf.grad, want, rtol=1e-10, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("name", OPTIMIZER_CASES)
def test_optimizer(name: str) -> None:
    case = CASES[name]
    param = mg.Tensor(OPS[f"{name}/param"], requires_grad=True)
    optimizer = getattr(optim, case["op"])([param], **tuples(case["settings"]))
    for grad, want in zip(OPS[f"{name}/grads"], OPS[f"{name}/out"], strict=True):
        param.grad = grad.copy()
        optimizer.step()
        np.testing.assert_allclose(param.data, want, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_norm_below"])
def test_clip_grad_norm(name: str) -> None:
    params = []
    for key in "ab":
        grad = OPS[f"{name}/{key}"]
        params.append(mg.Tensor(np.zeros_like(grad), requires_grad=True))
        params[-1].grad = grad.copy()
    max_norm = OPS[f"{name}/max_norm"].item()
    norm = optim.clip_grad_norm(params, max_norm)
    np.testing.assert_allclose(norm, OPS[f"{name}/out"], rtol=1e-10)
    # PyTorch divides by norm + 1e-6, we by the norm.
    exactly = (norm + 1e-6) / norm if norm > max_norm else 1.0
    for key, param in zip("ab", params, strict=True):
        assert param.grad is not None
        want = OPS[f"{name}/out_{key}"] * exactly
        np.testing.assert_allclose(param.grad, want, rtol=0, atol=1e-10)


def test_cosine() -> None:
    lr, final, steps = (OPS[f"cosine_annealing/{key}"].item() for key in ("lr", "lr_min", "steps"))
    schedule = optim.cosine(lr, steps, final)
    ours = [schedule(step) for step in range(steps + 1)]
    np.testing.assert_allclose(ours, OPS["cosine_annealing/out"], rtol=1e-10)
