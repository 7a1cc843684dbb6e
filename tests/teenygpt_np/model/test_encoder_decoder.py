"""Encoder and decoder: what sees what, decoding with a cache, and every gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.model.encoder_decoder import DecoderBlock, EncoderDecoder, State

V, BEGIN, END = 7, 6, 0
ROUNDING = 1e-12  # of numbers of about 1, after sums of a few dozen terms in another order


def model(seed: int = 0, num_tokens: int = 9, num_blocks: int = 2) -> EncoderDecoder:
    """In float64, with every parameter at random, norms and biases too."""
    rng = np.random.default_rng(seed)
    made = EncoderDecoder(
        num_tokens, V, 8, 2, num_heads=2, dropout_prob=0.3, num_blocks=num_blocks, dtype=np.float64
    )
    for parameter in made.parameters():
        parameter.data = parameter.data + rng.normal(0, 0.3, parameter.shape)
    return made.eval()


def drawn(seed: int, size: int, most: int) -> Any:
    """Ids (B, most), and how many of each row are meant."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, V, (size, most)), rng.integers(1, most + 1, size)


def grads(made: EncoderDecoder, *inputs: Any) -> dict[str, Any]:
    made.zero_grad()
    losses = made.loss(*inputs)
    (losses * float(len(inputs[0]))).backward()
    return {name: p.grad for name, p in made.named_parameters()}


@pytest.mark.usefixtures("backend")
@given(st.integers(0, 99), st.integers(1, 4), st.integers(1, 6), st.integers(2, 6))
def test_padding_changes_nothing(seed: int, size: int, most: int, longest: int) -> None:
    """Neither what stands behind a text, nor how much; each row alone gives the same."""
    made = model()
    source, lengths = drawn(seed, size, most)
    target, _ = drawn(seed + 1, size, longest)
    ends = np.random.default_rng(seed).integers(2, longest + 1, size)
    counted = np.arange(longest) < ends[:, None]
    whole = grads(made, source, lengths, target, counted)
    summed = dict.fromkeys(whole, 0.0)
    for row in range(size):
        alone = source[row : row + 1, : lengths[row]]
        one = grads(made, alone, lengths[row : row + 1], target[row : row + 1, : ends[row]])
        summed = {name: summed[name] + grad for name, grad in one.items()}
    other = np.where(np.arange(most) < lengths[:, None], source, (source + 1) % V)
    again = grads(made, np.pad(other, ((0, 0), (0, 2))), lengths, target, counted)
    for name, grad in whole.items():
        np.testing.assert_allclose(grad, summed[name], rtol=0, atol=100 * ROUNDING, err_msg=name)
        np.testing.assert_allclose(grad, again[name], rtol=0, atol=100 * ROUNDING, err_msg=name)


@pytest.mark.usefixtures("backend")
@given(st.integers(0, 99), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_in_parts_as_a_whole(seed: int, parts: list[int]) -> None:
    """Decoding with a cache has the logits of decoding without."""
    made = model(num_tokens=16)
    source, lengths = drawn(seed, 3, 5)
    target, _ = drawn(seed + 1, 3, sum(parts))
    with mg.no_grad():
        whole = made(source, lengths, target).data
        memory = made.encoded(source, lengths)
        state = State(0, [block.msha.initial_state(3) for block in made.decoder_blocks])
        cuts = np.split(target, np.cumsum(parts)[:-1], axis=1)
        pieces = [made.decoded(cut, memory, state).data for cut in cuts]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=0, atol=ROUNDING)
    assert state.position == sum(parts)


def test_what_sees_what() -> None:
    """A logit depends on the target so far, nothing later, and on every token of the source."""
    made = model()
    source, lengths = np.arange(5)[None], np.array([4])
    target = np.array([[6, 1, 2, 3]])

    def logits(s: Any = source, y: Any = target) -> Any:
        with mg.no_grad():
            return made(s, lengths, y).data[0]

    before = logits()
    for t in range(4):
        changed = target.copy()
        changed[0, t] = 5
        same = np.isclose(logits(y=changed), before, rtol=0, atol=ROUNDING).all(axis=1)
        assert same.tolist() == [s < t for s in range(4)]
    for s in range(5):
        changed = source.copy()
        changed[0, s] = 6
        same = np.isclose(logits(s=changed), before, rtol=0, atol=ROUNDING).all(axis=1)
        assert same.tolist() == [s == 4] * 4


def test_the_encoder_sees_both_ways() -> None:
    """What the decoder is given of a token depends on all tokens of its source."""
    made = model()
    source, lengths = np.arange(4)[None], np.array([4])

    def keys(ids: Any) -> Any:
        with mg.no_grad():
            return made.encoded(ids, lengths).keys[1].data[0]

    before = keys(source)
    for s in range(4):
        changed = source.copy()
        changed[0, s] = 6
        same = np.isclose(keys(changed), before, rtol=0, atol=ROUNDING).all(axis=(0, 2))
        assert not same.any()


def test_every_matrix_has_its_part() -> None:
    """None has a gradient of zero, nor has a third of one: each block has keys of its own."""
    made = model()
    source, lengths = drawn(0, 3, 5)
    found = grads(made, source, lengths, drawn(1, 3, 5)[0])
    for name, grad in found.items():
        for third in np.split(grad, 3) if name.endswith("in_proj_weight") else [grad]:
            assert np.abs(third).max() > 1e-6, name


def test_a_decoder_block_by_hand() -> None:
    """Of one row, in NumPy, from the parameters by their names."""
    rng = np.random.default_rng(0)
    block = DecoderBlock(6, 2, 10, rng=rng, dtype=np.float64)
    for parameter in block.parameters():
        parameter.data = parameter.data + rng.normal(0, 0.3, parameter.shape)
    w = block.state_dict()
    x, memory = rng.normal(size=(4, 6)), rng.normal(size=(5, 6))

    def attended(name: str, of: Any, to: Any, allowed: Any) -> Any:
        parts = zip(
            np.split(w[f"{name}.in_proj_weight"], 3),
            np.split(w[f"{name}.in_proj_bias"], 3),
            (of, to, to),
            strict=True,
        )
        q, k, v = (y @ weight.T + bias for weight, bias, y in parts)
        heads = []
        for head in np.split(np.arange(6), 2):
            e = np.exp(q[:, head] @ k[:, head].T / np.sqrt(3)) * allowed
            heads.append(e / e.sum(axis=1, keepdims=True) @ v[:, head])
        out = np.concatenate(heads, axis=1) @ w[f"{name}.out_proj.weight"].T
        return out + w[f"{name}.out_proj.bias"]

    def norm(name: str, y: Any) -> Any:
        centred = y - y.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    want = norm("layer_norm1", x + attended("msha", x, x, np.tri(4)))
    seen = np.arange(5) < 3
    want = norm("layer_norm2", want + attended("multihead_attn", want, memory, seen))
    hidden = want @ w["mlp.0.weight"].T + w["mlp.0.bias"]
    hidden *= [[(1 + math.erf(h / math.sqrt(2))) / 2 for h in row] for row in hidden]
    want = norm("layer_norm3", want + hidden @ w["mlp.2.weight"].T + w["mlp.2.bias"])
    with mg.no_grad():
        k, v = block.multihead_attn.keys_and_values(Tensor(memory[None]))
        found = block(Tensor(x[None]), k, v, np.array([3])).data[0]
    np.testing.assert_allclose(found, want, rtol=0, atol=ROUNDING)


def test_every_gradient() -> None:
    """Of one block each, at every entry of every parameter."""
    rng = np.random.default_rng(0)
    made = EncoderDecoder(4, 5, 4, 1, num_heads=2, dropout_prob=0.0, num_blocks=1, dtype=np.float64)
    source, lengths = rng.integers(0, 5, (2, 4)), np.array([4, 2])
    target, counted = rng.integers(0, 5, (2, 4)), np.array([[True] * 4, [True, True, True, False]])
    names = [name for name, _ in made.named_parameters()]
    start = [p.numpy() + rng.normal(0, 0.3, p.shape) for p in made.parameters()]

    def f(*values: Tensor) -> Tensor:
        for name, value in zip(names, values, strict=True):
            path, _, last = name.rpartition(".")
            place = dict(made.named_modules())[path]
            setattr(place, last, value)
        return made.loss(source, lengths, target, counted)

    mg.gradcheck(f, start, raise_error=True)


def test_loss_by_hand() -> None:
    made = model()
    source, lengths = drawn(0, 2, 4)
    target = np.array([[BEGIN, 1, 2, END], [BEGIN, 3, END, END]])
    counted = np.array([[False, True, True, True], [False, True, True, False]])
    with mg.no_grad():
        p = mg.softmax(made(source, lengths, target)).data
        want = -np.log([p[0, 0, 1], p[0, 1, 2], p[0, 2, END], p[1, 0, 3], p[1, 1, END]])
        each = made.loss(source, lengths, target, counted, reduction="none").data
        assert made.loss(source, lengths, target, counted).item() == pytest.approx(want.sum() / 2)
        total = made.loss(source, lengths, target, counted, reduction="sum").item()
    assert total == pytest.approx(want.sum())
    np.testing.assert_allclose(each.ravel(), [*want, 0], atol=ROUNDING)


@pytest.mark.usefixtures("backend")
@given(st.integers(0, 99))
def test_greedy_is_the_likeliest_token_each_time(seed: int) -> None:
    """As found by reading all of the target anew for each token; also in training mode."""
    made = model(seed).train()
    source, lengths = drawn(seed, 4, 5)
    ids = made.sample(source, lengths, begin=BEGIN, end=END, temperature=0)
    assert made.training
    assert ids.shape == (4, 9)
    assert (ids[:, 0] == BEGIN).all()
    for row, s, n in zip(ids, source, lengths, strict=True):
        written = [BEGIN]
        while len(written) < 9 and written[-1] != END:
            with mg.no_grad(), made.evaluating():
                logits = made(s[None], np.array([n]), np.array([written])).data[0, -1]
            written.append(int(logits.argmax()))
        assert row.tolist() == written + [END] * (9 - len(written))


def test_drawn_targets_have_their_probabilities() -> None:
    """Of the first token: within five standard deviations of its share in 4,000 draws."""
    made, count = model(), 4000
    source, lengths = np.tile([[1, 2, 3]], (count, 1)), np.full(count, 3)
    rng = np.random.default_rng(0)
    ids = made.sample(source, lengths, begin=BEGIN, end=END, length=2, temperature=0.5, rng=rng)
    with mg.no_grad():
        logits = made(source[:1], lengths[:1], np.array([[BEGIN]])) / 0.5
        p = mg.softmax(logits).data[0, 0]
    share = np.bincount(ids[:, 1], minlength=V) / count
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / count)).all()


def test_names_are_those_of_torch_where_they_fit() -> None:
    names = {name for name, _ in model(num_blocks=1).named_parameters()}
    assert {n for n in names if "multihead_attn" in n} == {
        f"decoder_blocks.0.multihead_attn.{name}"
        for name in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    }
    assert "encoder_blocks.0.msha.in_proj_weight" in names
    assert "decoder_blocks.0.layer_norm3.bias" in names
    assert sum(name.startswith("embedding") for name in names) == 1


def test_refused() -> None:
    made = model()
    source, lengths = drawn(0, 2, 4)
    with pytest.raises(ValueError, match=r"num_blocks is 0, wanted at least 1"):
        EncoderDecoder(4, 5, 4, 1, num_blocks=0)
    with pytest.raises(ValueError, match="width 4 can't be divided into 3 heads"):
        EncoderDecoder(4, 5, 4, 1, num_heads=3)
    with pytest.raises(ValueError, match=r"ids have shape \(2, 10\), wanted \(B, t\) with t in 1"):
        made(np.zeros((2, 10), int), lengths, source)
    with pytest.raises(ValueError, match=r"target has shape \(2, 1\), wanted"):
        made.loss(source, lengths, source[:, :1])
    with pytest.raises(ValueError, match="reduction is 'max', wanted"):
        made.loss(source, lengths, source, reduction="max")
    with pytest.raises(ValueError, match="length is 10, wanted at most 9"):
        made.sample(source, lengths, begin=BEGIN, end=END, length=10)
    with pytest.raises(IndexError):
        made(source + V, lengths, source)
