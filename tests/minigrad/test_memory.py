"""What training keeps: nothing in float64, nothing for longer than it is needed."""

from __future__ import annotations

import gc
import tracemalloc
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import Array, generators
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import ROWS, Row, leaves_of
from rows import counted
from test_ops import gradients_of

import minigrad as mg
from minigrad import Tensor, kernels, optim
from minigrad.tape import Node
from teenygpt_np import checkpoint
from teenygpt_np.model.teenygpt import TeenyGPT

pytestmark = pytest.mark.usefixtures("backend")

STEPS = min(1000, 10 * settings().max_examples)  # a thousand in the deep profile
LIMIT = 2**20  # bytes


def nodes(tensor: Tensor) -> list[Node]:
    """All nodes that the tensor was computed by."""
    found = [tensor._node] if tensor._node else []
    for node in found:
        found += [p for p in node.parents if isinstance(p, Node) and p not in found]
    return found


def arrays_in(value: Any) -> Iterator[Array]:
    """The arrays and NumPy numbers in a value; in a function, those that its closure keeps."""
    if isinstance(value, np.ndarray | np.generic):
        yield np.asarray(value)
        if isinstance(value, np.ndarray):
            yield from arrays_in(value.base)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from arrays_in(item)
    elif isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            yield from arrays_in(cell.cell_contents)


# -- float32 stays float32 -------------------------------------------------------------------------


def audit(tensor: Tensor) -> set[str]:
    """A set to which backward adds the operations that keep, get or give float64."""
    found = set()

    def watch(node: Node) -> None:
        rule = node.vjp
        assert rule is not None

        def vjp(dy: Array) -> Any:
            parts = [part() if callable(part) else part for part in rule(dy)]
            for array in arrays_in([dy, parts, rule]):
                if array.dtype.kind == "f" and array.dtype != np.float32:
                    found.add(node.name)
            return tuple(parts)

        node.vjp = vjp

    for node in nodes(tensor):
        assert node.dtype == np.float32
        watch(node)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_no_operation_widens(row: Row, data: st.DataObject) -> None:
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs = leaves_of(row, case, np.float32)
    y = row(*inputs, **case.settings)
    wide = audit(y)
    y.backward(rng.standard_normal(y.shape))
    assert not wide
    assert all(grad is not None and grad.dtype == np.float32 for grad in gradients_of(inputs))


def small_model() -> tuple[TeenyGPT, optim.AdamW, Array]:
    """A model with more than 16 tokens: up to 16, the compiled kernels would use NumPy's."""
    rng = np.random.default_rng(0)
    model = TeenyGPT(18, 5, 4, 2, num_blocks=1, rng=rng)
    return model, optim.AdamW(model.parameters()), rng.integers(1, 5, (2, 18))


def test_a_training_step_makes_no_float64(tmp_path: Path) -> None:
    model, optimizer, x = small_model()
    loss = model.loss(x, counted(x))
    assert {node.name for node in nodes(loss)} > {"causal_attention", "dropout", "cross_entropy"}
    wide = audit(loss)
    loss.backward()
    assert not wide
    optim.clip_grad_norm(optimizer.params, 0.1)
    matrices = [param for param in optimizer.params if param.ndim == 2]
    kept = {f"gradient {i}": param.grad for i, param in enumerate(optimizer.params)}
    for each in (optimizer, optim.Muon(matrices)):
        each.lr = np.float64(1e-3)
        each.step()
        kept |= {f"{type(each).__name__}/{k}": v for k, v in each.state_dict().items()}
    kept |= {f"model/{k}": v for k, v in model.state_dict().items()}
    checkpoint.save(tmp_path / "file.npz", kept, {})  # type: ignore[arg-type]
    saved, _ = checkpoint.load(tmp_path / "file.npz")
    assert saved.keys() == kept.keys()
    for array in [*kept.values(), *saved.values()]:
        assert array is not None
        assert array.dtype in (np.float32, np.int64)  # int64: the number of steps


# -- nothing stays ---------------------------------------------------------------------------------


def fail_at(node: Node) -> None:
    """Make backward raise at this node, after its rule has run."""
    rule = node.vjp
    assert rule is not None

    def vjp(dy: Array) -> Any:
        rule(dy)
        raise ArithmeticError

    node.vjp = vjp


def test_training_steps_leave_nothing_behind() -> None:
    """Without the garbage collector, and even if backward fails in every tenth step.

    tracemalloc counts each block that Python and NumPy ask for and give back, to the byte. The
    memory of the process says less: allocators keep freed blocks for later, and it moves by
    megabytes by itself.
    """
    model, optimizer, x = small_model()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for step in range(STEPS):
            model.zero_grad()
            loss = model.loss(x)
            recorded = nodes(loss)
            kept = [weakref.ref(a) for node in recorded for a in arrays_in(node.vjp)]
            assert len(kept) > len(recorded)
            if step % 10 == 0:
                fail_at(recorded[step // 10 % len(recorded)])
            del recorded
            failed = False
            try:
                loss.backward()
            except ArithmeticError:
                failed = True
            assert failed == (step % 10 == 0)
            optimizer.step()
            del loss
            alive = [array for ref in kept if (array := ref()) is not None]
            of_others = [x, *[param._data for param in optimizer.params]]
            for array in alive:
                assert any(np.shares_memory(array, other) for other in of_others)
            del alive, kept, of_others
            if step == STEPS // 10:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert abs(grown) < LIMIT


def test_a_hidden_layer_is_kept_where_it_is_small() -> None:
    """And where that saves time: of 256 inputs or more. No gradients, no need to keep it."""
    for width, keep, count in ((255, 2**30, 0), (256, 4 * 20 * 30 - 1, 0), (256, 4 * 20 * 30, 20)):
        shapes = ((20, width), (30, width), (30,), (6, 30), (6,))
        arrays = [Tensor(np.ones(s, np.float32), requires_grad=True) for s in shapes]
        [node] = nodes(mg.mlp(*arrays, keep=keep))
        assert {len(a) for a in arrays_in(node.vjp) if a.shape[1:] == (30,)} == {6, count}  # w2's 6
    with mg.no_grad(), mock.patch.object(kernels, "mlp", wraps=kernels.mlp) as called:
        mg.mlp(*arrays)
    assert called.call_args.args[-1] is False
