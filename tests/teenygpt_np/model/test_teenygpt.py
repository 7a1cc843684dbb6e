"""TeenyGPT: causality, loss and top-1, gradients, key/value cache, random generators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rows import counted

import minigrad as mg
from minigrad.optim import AdamW, clip_grad_norm
from teenygpt_np import TeenyGPT
from teenygpt_np.model.layers import turned, waves
from teenygpt_np.model.mixers import MIXERS, Mixer
from teenygpt_np.model.mixers.attention import CausalSelfAttention

Array = np.ndarray[Any, np.dtype[Any]]

V, T, D = 9, 8, 6
CLS = V - 1
BEGIN: Any = {"prompt": [CLS], "end": 0}

# Row by row: ends early, ends at once, a second pad in the middle, never ends.
X = np.array(
    [
        [CLS, 3, 1, 2, 0, 0, 0, 0],
        [CLS, 0, 0, 0, 0, 0, 0, 0],
        [CLS, 5, 0, 2, 7, 0, 0, 0],
        [CLS, 1, 2, 3, 4, 5, 6, 7],
    ]
)


def make(
    dtype: Any = np.float64, *, dropout: float = 0.0, seed: int = 1, num_blocks: int = 2, **kw: Any
) -> TeenyGPT:
    """A tiny model with no parameter that is 0 or 1."""
    rng = np.random.default_rng(seed)
    model = TeenyGPT(T, V, D, 2, 3, dropout, num_blocks, rng=rng, dtype=dtype, **kw)
    rng = np.random.default_rng(seed + 1)
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.3 * rng.standard_normal(parameter.shape)
    return model


def which(x: Array, ignore_pads: bool) -> Array | None:
    """The tokens that count, for `loss` and `top1`."""
    return counted(x) if ignore_pads else None


def naive_losses(model: TeenyGPT, x: Array) -> Array:
    log_probs = model.log_probs(x[:, :-1]).data
    return np.array(
        [[-log_probs[i, t, x[i, t + 1]] for t in range(x.shape[1] - 1)] for i in range(len(x))]
    )


# -- probabilities ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_token_changes_nothing_before_it(dtype: Any) -> None:
    model = make(dtype)
    before = model.log_probs(X).data
    for t in range(T):
        changed = X.copy()
        changed[:, t] = (changed[:, t] + 1) % V
        after = model.log_probs(changed).data
        # Equal in every bit: a masked position takes no part in any sum.
        np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert (after[:, t:] != before[:, t:]).any(axis=2).all()  # and everything from it on


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_log_probs_are_a_distribution_at_a_temperature(temperature: float) -> None:
    model = make()
    p = np.exp(model.log_probs(X, temperature).data)
    np.testing.assert_allclose(p.sum(axis=2), 1, rtol=1e-12)  # rounding in float64
    at_one = np.exp(model.log_probs(X).data)
    want = at_one ** (1 / temperature)
    np.testing.assert_allclose(p, want / want.sum(axis=2, keepdims=True), rtol=1e-11)  # the same


def test_rows_do_not_know_of_each_other() -> None:
    model = make()
    together = model.log_probs(X).data
    for i in range(len(X)):
        alone = model.log_probs(X[i : i + 1]).data[0]
        np.testing.assert_allclose(alone, together[i], rtol=1e-12)  # products of other shapes


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_positions_matter(positions: str) -> None:
    p = make(positions=positions).log_probs(np.array([[3, 4, 5, 6], [4, 3, 5, 6]])).data
    assert not np.allclose(p[0, 2:], p[1, 2:])


def test_rotary_sees_distances_alone() -> None:
    """Turned by 5 positions more, queries and keys have the same products; two alike tokens, too.

    In one block a row of equal tokens looks the same from everywhere, as what is read of it does.
    """
    same = make(positions="rotary", num_blocks=1).log_probs(np.full((1, 4), 3)).data[0]
    np.testing.assert_allclose(same, same[:1].repeat(4, 0), rtol=0, atol=1e-12)
    q, k = np.random.default_rng(0).standard_normal((2, 1, 3, 12))
    near, far = ([turned(mg.Tensor(a), 2, start).data for a in (q, k)] for start in (0, 5))
    near_products, far_products = (
        np.einsum("thd,shd->hts", q.reshape(3, 2, 6), k.reshape(3, 2, 6)) for q, k in (near, far)
    )
    np.testing.assert_allclose(near_products, far_products, rtol=0, atol=1e-12)
    assert not np.allclose(near, far)


# -- loss and top-1 --------------------------------------------------------------------------------


@pytest.mark.parametrize("ignore_pads", [False, True])
def test_loss_by_hand(ignore_pads: bool) -> None:
    model = make()
    losses = naive_losses(model, X)
    if ignore_pads:
        losses = losses * counted(X)[:, 1:]
    none, total, mean = (
        model.loss(X, which(X, ignore_pads), reduction).data
        for reduction in ("none", "sum", "mean")
    )
    assert (none.shape, total.shape, mean.shape) == ((4, T - 1), (), ())
    np.testing.assert_allclose(none, losses, rtol=1e-12)  # rounding in float64, three times
    np.testing.assert_allclose(total, losses.sum(), rtol=1e-12)
    np.testing.assert_allclose(mean, losses.sum(axis=1).mean(), rtol=1e-12)
    np.testing.assert_array_equal(model.loss(X, which(X, ignore_pads)).data, mean)


@pytest.mark.usefixtures("backend")
def test_a_trimmed_batch_has_the_same_loss_and_gradients_without_pads() -> None:
    model, x = make(), X[:3]
    results = []
    for batch in (x, x[:, :5]):  # 5 tokens hold the longest of the three, and its pad
        model.zero_grad()
        loss = model.loss(batch, counted(batch))
        loss.backward()
        results.append((loss.item(), [p.grad for p in model.parameters()]))
    (whole, grads), (trimmed, same) = results
    np.testing.assert_allclose(trimmed, whole, rtol=1e-12)  # rounding in float64, twice
    for one, two in zip(grads, same, strict=True):
        assert one is not None
        assert two is not None
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-12)
    assert model.loss(x).item() > model.loss(x[:, :5]).item()  # but not where pads count


@pytest.mark.parametrize("ignore_pads", [False, True])
def test_top1_by_hand(ignore_pads: bool) -> None:
    model, x = make(), X.copy()
    guesses = model.log_probs(x[:, :-1]).data.argmax(axis=2)
    x[3, 1:] = guesses[3]  # its guesses depend on these ids, so not all are right
    guesses = model.log_probs(x[:, :-1]).data.argmax(axis=2)
    mask = counted(x)[:, 1:] if ignore_pads else np.ones((4, T - 1), bool)
    want = []
    for i in range(4):
        hits = [x[i, t + 1] == guesses[i, t] for t in range(T - 1) if mask[i, t]]
        want.append(sum(hits) / len(hits))
    assert len(set(want)) > 1
    np.testing.assert_allclose(model.top1(x, which(x, ignore_pads)), want, rtol=1e-12)


# -- what is refused -------------------------------------------------------------------------------


def sized(**changes: Any) -> TeenyGPT:
    sizes = {"num_tokens": 4, "num_token_vals": 5, "num_emb": 6, "num_neurons": 1, "num_heads": 2}
    return TeenyGPT(**(sizes | {"num_blocks": 1} | changes))


@pytest.mark.parametrize(
    "name", ["num_tokens", "num_token_vals", "num_emb", "num_neurons", "num_heads", "num_blocks"]
)
def test_sizes_are_positive(name: str) -> None:
    sized()
    for size in (0, -1):
        with pytest.raises(ValueError, match=f"^{name} is {size}, wanted at least 1$"):
            sized(**{name: size})


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValueError, match="num_emb 6 can't be divided into num_heads 4"):
        sized(num_heads=4)


BAD_CALLS: list[tuple[Callable[[TeenyGPT], Any], type[Exception], str]] = [
    (
        lambda m: m.loss(X, reduction="average"),
        ValueError,
        "reduction is 'average', wanted 'none', 'sum'",
    ),
    (lambda m: m.loss(X[:0]), ValueError, r"shape \(0, 8\), .* with B at least 1 for a mean"),
    (lambda m: m.loss(X[:, :1]), ValueError, r"shape \(4, 1\), wanted \(B, t\) with t at least 2"),
    (lambda m: m.loss(X[0]), ValueError, r"x has shape \(8,\), wanted \(B, t\)"),
    (lambda m: m.loss(X[0].tolist()), ValueError, r"x has shape \(8,\), wanted \(B, t\)"),
    (lambda m: m.top1(X[:, :1]), ValueError, r"shape \(4, 1\), wanted \(B, t\) with t at least 2"),
    (lambda m: m.top1(X[0]), ValueError, r"x has shape \(8,\), wanted \(B, t\)"),
    (lambda m: m.log_probs(X[:, :0]), ValueError, r"x has shape \(4, 0\), .*t in 1..8"),
    (lambda m: m.log_probs(np.ones((1, 9), int)), ValueError, r"x has shape \(1, 9\), .*t in 1..8"),
    (lambda m: m.log_probs(X + 1), IndexError, r"id 9 at \[0, 0\] is outside 0..8"),
    (lambda m: m.log_probs(X - 1), IndexError, r"id -1 at \[0, 4\] is outside 0..8"),
    (lambda m: m.log_probs(X / 1), TypeError, "ids are integers, got float64"),
    (lambda m: m.log_probs(X, 0.0), ValueError, "temperature is 0.0, wanted a number above 0"),
    (lambda m: m.log_probs(X, np.nan), ValueError, "temperature is nan, wanted a number above 0"),
    (lambda m: m.loss(np.array([[CLS, 9]])), IndexError, "target 9 at .* is outside 0..8"),
    (lambda m: m.sample(0, prompt=[1]), ValueError, "batch_size is 0, wanted at least 1"),
    (lambda m: m.sample(prompt=[]), ValueError, r"the prompt has 0 tokens, wanted 1..7"),
    (lambda m: m.sample(prompt=[1] * 8), ValueError, r"the prompt has 8 tokens, wanted 1..7"),
    (lambda m: m.sample(prompt=[9]), IndexError, "id 9 at .* is outside 0..8"),
    (lambda m: m.sample(prompt=[1, 2], end=2), ValueError, "has id 2, which ends a row, at 1"),
]


@pytest.mark.parametrize("experts", [1, 3])
def test_a_batch_without_rows(experts: int) -> None:
    model, none = sized(num_experts=experts), X[:0, :4]
    assert model(none).shape == (*none.shape, model.num_token_vals)
    assert model.loss(none, reduction="sum").item() == 0
    assert model.loss(none, reduction="none").shape == (0, 3)
    assert model.top1(none).shape == (0,)


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS)
def test_refused(call: Callable[[TeenyGPT], Any], error: type[Exception], message: str) -> None:
    model = make()
    with pytest.raises(error, match=message):
        call(model)
    assert model.training  # sampling that fails leaves the mode as it was


def test_the_article_s_number_of_parameters() -> None:
    model = TeenyGPT(150, 29, 32, 512, 8, 0.1, 4, positions="learned")
    assert model.num_parameters() == 4_284_061


# -- gradients -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("ignore_pads", [False, True])
def test_every_gradient_against_differences(ignore_pads: bool) -> None:
    """At every entry of every parameter; |difference| / max(1, |either|) as in gradcheck."""
    model, h = make(), 1e-5

    def loss() -> float:
        with mg.no_grad():
            return model.loss(X, which(X, ignore_pads)).item()

    model.loss(X, which(X, ignore_pads)).backward()
    worst = {}
    for name, parameter in model.named_parameters():
        values, numeric = parameter.numpy(), np.zeros(parameter.shape)
        for index in np.ndindex(parameter.shape):
            ends = []
            for sign in (1, -1):
                moved = values.copy()
                moved[index] += sign * h
                parameter.data = moved
                ends.append(loss())
            numeric[index] = (ends[0] - ends[1]) / (2 * h)
        parameter.data = values
        assert parameter.grad is not None, name
        scale = np.maximum(1, np.maximum(np.abs(numeric), np.abs(parameter.grad)))
        worst[name] = (np.abs(parameter.grad - numeric) / scale).max()
        # If both the gradient and the differences were 0, the test would show nothing.
        assert np.abs(parameter.grad).max() > 1e-3, name
    assert max(worst.values()) <= 1e-6, worst


@pytest.mark.skipif(len(mg.available_backends()) < 2, reason="one backend only")
def test_backends_agree_in_float32() -> None:
    before = mg.get_backend()
    results = []
    try:
        for backend in mg.available_backends():
            mg.set_backend(backend)
            model = make(np.float32, dropout=0.2)
            loss = model.loss(X)
            loss.backward()
            results.append((loss.item(), {n: p.grad for n, p in model.named_parameters()}))
    finally:
        mg.set_backend(before)
    (one, grads), *rest = results
    for two, others in rest:
        np.testing.assert_allclose(one, two, rtol=1e-6)  # a few roundings of float32
        for name, grad in grads.items():
            other = others[name]
            assert grad is not None
            assert other is not None
            assert grad.dtype == other.dtype == np.float32
            # Sums of a few dozen terms, some of which cancel: tens of roundings of the largest.
            atol = 1e-5 * max(np.abs(grad).max(), 1e-2)
            np.testing.assert_allclose(grad, other, rtol=0, atol=atol, err_msg=name)


@pytest.mark.usefixtures("backend")
def test_a_training_step_in_float32_makes_nothing_of_float64() -> None:
    model = make(np.float32, dropout=0.1)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    for ignore_pads in (False, True):
        model.zero_grad()
        loss = model.loss(X, which(X, ignore_pads))
        assert loss.dtype == np.float32
        loss.backward()
        clip_grad_norm(optimizer.params, 0.1)
        optimizer.step()
        for arrays in (
            [p.data for p in model.parameters()],
            [p.grad for p in model.parameters()],
            optimizer.m,
            optimizer.v,
        ):
            assert {a.dtype for a in arrays if a is not None} == {np.dtype(np.float32)}
    assert model.log_probs(X).dtype == np.float32


# -- positions -------------------------------------------------------------------------------------


def test_positions_that_mixers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ordered(CausalSelfAttention):
        knows_order, can_turn = True, False

    monkeypatch.setitem(MIXERS, "ordered", Ordered)
    assert make().positions == "rotary"
    assert make(mixers=["ordered", "attention"]).positions == "rotary"
    assert make(mixers=["ordered"]).positions == "none"
    assert make(mixers=["ordered", "attention"], num_blocks=1).positions == "none"
    assert make(mixers=["linear-attention", "attention"]).positions == "waves"
    assert TeenyGPT(T, V, 9, 2, 3).positions == "waves"  # heads of width 3 cannot be turned
    assert TeenyGPT(T, V, 9, 2, 3, mixers=["rnn"]).positions == "none"
    for positions in ("learned", "waves"):
        assert make(mixers=["ordered"], positions=positions).positional_embedding
    for positions in ("rotary", "none"):
        assert not make(positions=positions).positional_embedding


@pytest.mark.parametrize("positions", ["waves", "learned"])
def test_what_positions_start_as(positions: str) -> None:
    model = TeenyGPT(T, V, D, 2, 3, positions=positions, dtype=np.float64)
    assert model.positional_embedding is not None
    start = model.positional_embedding.weight
    assert np.array_equal(start.data, waves(start.shape)) == (positions != "learned")
    assert start.requires_grad


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_what_the_order_of_earlier_tokens_changes(positions: str) -> None:
    """One layer of attention sees them as a set."""
    model = make(num_blocks=1, positions=positions)
    x = X[-1:]
    x, other = model(x).data[:, -1], model(x[:, [2, 0, 4, 1, 3, 6, 5, 7]]).data[:, -1]
    assert np.allclose(x, other, rtol=0, atol=1e-12) == (positions == "none")


@pytest.mark.usefixtures("backend")
def test_without_positions_there_is_no_last_one() -> None:
    model = make(positions="none").eval()
    x = np.random.default_rng(0).integers(0, V, (3, 4 * T))
    next_scores = model.next_scores(len(x))
    ours = [next_scores(part)[:, None] for part in np.split(x, [2, 3, T, 3 * T], axis=1)]
    whole = model(x).data[:, [1, 2, T - 1, 3 * T - 1, 4 * T - 1]]
    np.testing.assert_allclose(np.concatenate(ours, axis=1), whole, rtol=0, atol=1e-12)
    rows = model.sample(2, prompt=[CLS], rng=np.random.default_rng(0))
    assert rows.shape == (2, T)


# -- the cache -------------------------------------------------------------------------------------


def in_parts(next_scores: Callable[[Array], Array], cuts: list[int]) -> Array:
    """The scores after each part of X."""
    parts = np.split(X, cuts, axis=1)
    return np.stack([next_scores(part) for part in parts], axis=1)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("cuts", [range(1, T), [1], [5], [2, 3, 7]])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("way", ["the fastest", "the modules'"])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_scores_part_by_part_equal_the_full_pass(
    dtype: Any,
    tolerance: float,
    cuts: list[int],
    way: str,
    positions: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mixer's fused step gives the same as the modules."""
    if way == "the modules'":
        for mixer in MIXERS.values():
            monkeypatch.setattr(mixer, "fused_step", Mixer.fused_step)
    model = make(dtype, positions=positions).eval()
    ours = in_parts(model.next_scores(len(X)), list(cuts))
    whole = model(X).data[:, [*(cut - 1 for cut in cuts), T - 1]]
    # The same sums in products of other shapes: a few roundings of numbers below ten.
    np.testing.assert_allclose(ours, whole, rtol=0, atol=tolerance)
    assert ours.dtype == dtype


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_no_more_tokens_are_read_than_there_is_memory_for(positions: str) -> None:
    read = make(positions=positions).next_scores(2)
    read(np.zeros((2, T - 1), int))
    read(np.zeros((2, 1), int))
    with pytest.raises(ValueError, match=r"x has shape \(2, 1\), wanted \(B, t\) with t in 1..0"):
        read(np.zeros((2, 1), int))


@pytest.mark.usefixtures("backend")
def test_weights_that_change_later_are_not_seen() -> None:
    model = make().eval()
    next_scores, same = model.next_scores(len(X)), model.next_scores(len(X))
    before = next_scores(X[:, :3])
    if mg.get_backend() != "numpy":  # its fused step copies the weights
        weight = dict(model.named_parameters())["transformer_blocks.0.msha.in_proj_weight"]
        weight.data = 0 * weight.data
        np.testing.assert_array_equal(same(X[:, :3]), before)


@pytest.mark.usefixtures("backend")
def test_no_more_positions_than_there_are() -> None:
    model = make().eval()
    with mg.no_grad():
        state = model.initial_state(len(X))
        model(X[:, :5], state)
        with pytest.raises(
            ValueError, match=r"x has shape \(4, 4\), wanted \(B, t\) with t in 1..3"
        ):
            model(X[:, :4], state)


# -- the same seed ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("backend")
def test_the_same_seed_gives_the_same_bits() -> None:
    """Weights, losses with dropout, weights after steps, and samples."""

    def run(seed: int) -> tuple[list[float], dict[str, Array], Array]:
        model = TeenyGPT(T, V, D, 2, 3, 0.3, 2, rng=np.random.default_rng(seed))
        optimizer = AdamW(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(3):
            model.zero_grad()
            loss = model.loss(X)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, model.state_dict(), model.sample(6, **BEGIN, rng=np.random.default_rng(seed))

    (losses, weights, ids), (same_losses, same_weights, same_ids) = run(5), run(5)
    assert losses == same_losses
    np.testing.assert_array_equal(ids, same_ids)
    for name, array in weights.items():
        np.testing.assert_array_equal(array, same_weights[name], err_msg=name)
    other_losses, other_weights, other_ids = run(6)
    assert losses != other_losses
    assert not np.array_equal(ids, other_ids)
    assert not np.array_equal(weights["embedding.weight"], other_weights["embedding.weight"])


def test_without_a_generator_models_start_alike() -> None:
    one, two = (sized().state_dict() for _ in range(2))
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def test_sampling_uses_no_dropout_and_leaves_the_mode() -> None:
    model = make(dropout=0.9)
    ids = model.sample(5, **BEGIN, rng=np.random.default_rng(2))
    assert model.training
    same = model.eval().sample(5, **BEGIN, rng=np.random.default_rng(2))
    assert not model.training
    np.testing.assert_array_equal(ids, same)
    assert model.embedding.weight.grad is None
