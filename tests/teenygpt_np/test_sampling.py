"""Sampling: the distribution of one token, and rows drawn one token after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import minigrad as mg
from teenygpt_np import TeenyGPT
from teenygpt_np.errors import InputError
from teenygpt_np.sampling import choose, draw, gathered

Array = np.ndarray[Any, np.dtype[Any]]

# Not sorted, with a tie for the second place; p = 0.1, 0.2, 0.4, 0.2, 0.1.
P = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
SCORES = np.log(P)
N = 20_000


def generate(
    reader: Callable[[], Callable[[Array], Array]],
    prompt: Array,
    num_tokens: int,
    batch_size: int,
    end: int | None,
    **settings: Any,
) -> Array:
    drawn = draw(reader, prompt, num_tokens, batch_size, end, **settings)
    return gathered(drawn, prompt, num_tokens, end)


def shares(rng: np.random.Generator, scores: Array = SCORES, **settings: Any) -> Array:
    """The share of each token in N draws."""
    ids = choose(np.tile(scores, (N, 1)), rng, **settings)
    assert ids.shape == (N,)
    return np.bincount(ids, minlength=len(scores)) / N


def assert_shares(found: Array, p: Array) -> None:
    """Each share is within five standard errors of p, and 0 if p is 0."""
    np.testing.assert_array_equal(found[p == 0], 0)
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / N)).all(), (found, p)


def truncated(*kept: int) -> Array:
    """P restricted to these tokens, with sum 1."""
    p = np.zeros_like(P)
    p[list(kept)] = P[list(kept)]
    return p / p.sum()


# -- one token -------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_are_the_softmax_at_a_temperature(
    rng: np.random.Generator, temperature: float, dtype: Any
) -> None:
    scores = (SCORES + 7).astype(dtype)  # softmax is the same with the 7
    want = P ** (1 / temperature)
    assert_shares(shares(rng, scores, temperature=temperature), want / want.sum())


def test_the_temperature_is_1_if_not_told(rng: np.random.Generator) -> None:
    assert_shares(shares(rng), P)


def test_rows_are_drawn_each_by_its_own_scores(rng: np.random.Generator) -> None:
    scores = np.full((300, 300), -np.inf)
    np.fill_diagonal(scores, 0)
    assert choose(scores, rng).tolist() == list(range(300))


@given(
    arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-9, 9)),
    st.integers(0, 99),
)
def test_temperature_0_is_the_argmax_and_draws_nothing(scores: Array, seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = rng.bit_generator.state
    assert choose(scores, rng, temperature=0).tolist() == scores.argmax(axis=1).tolist()
    assert rng.bit_generator.state == state


def test_an_almost_zero_temperature_is_the_argmax_too(rng: np.random.Generator) -> None:
    assert shares(rng, temperature=5e-324)[2] == 1


@pytest.mark.parametrize(
    ("k", "kept"),
    # Of the two at 0.2, the first comes first.
    [(1, [2]), (2, [1, 2]), (3, [1, 2, 3]), (4, [0, 1, 2, 3]), (5, range(5)), (99, range(5))],
)
def test_top_k_keeps_the_k_likeliest(rng: np.random.Generator, k: int, kept: list[int]) -> None:
    assert_shares(shares(rng, top_k=k), truncated(*kept))


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (1e-9, [2]),
        (0.39, [2]),
        (0.41, [1, 2]),
        (0.61, [1, 2, 3]),
        (0.79, [1, 2, 3]),
        (0.81, [0, 1, 2, 3]),
        (0.91, range(5)),
        (1.0, range(5)),
    ],
)
def test_top_p_keeps_the_fewest_that_reach_p(
    rng: np.random.Generator, top_p: float, kept: list[int]
) -> None:
    assert_shares(shares(rng, top_p=top_p), truncated(*kept))


def test_top_p_that_is_reached_exactly_keeps_no_more(rng: np.random.Generator) -> None:
    halves = np.log([0.5, 0.25, 0.25])
    assert shares(rng, halves, top_p=0.5).tolist() == [1, 0, 0]


INF = np.inf


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("row", [[0, np.nan, 1], [0, INF, 1], [-INF, -INF, -INF]])
def test_scores_that_are_no_numbers(
    rng: np.random.Generator, row: list[float], temperature: float
) -> None:
    with pytest.raises(InputError, match="logits are NaN or infinite: its weights are too large"):
        choose(np.array([[0, 0, 0], row]), rng, temperature=temperature)


def test_minus_infinity_is_never_drawn(rng: np.random.Generator) -> None:
    assert_shares(shares(rng, np.array([0, -INF, 0])), np.array([0.5, 0, 0.5]))
    largest = float(np.finfo(np.float32).max)
    assert shares(rng, np.array([-largest, largest], np.float32), temperature=1e-300)[1] == 1


def test_top_p_counts_within_top_k_and_at_the_temperature(rng: np.random.Generator) -> None:
    # Of 0.4 and 0.2 the first alone has two thirds.
    assert shares(rng, top_k=2, top_p=0.66)[2] == 1
    assert_shares(shares(rng, top_k=2, top_p=0.67), truncated(1, 2))
    # Squared, 0.4 has 16 of 26 parts.
    assert shares(rng, temperature=0.5, top_p=0.61)[2] == 1
    assert shares(rng, temperature=0.5, top_p=0.62)[2] < 1


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 6)),
        elements=st.floats(-(2.0**99), 2.0**99, width=32),
    ),
    st.floats(0, 1e30),
    st.none() | st.integers(1, 8),
    st.none() | st.floats(0, 1, exclude_min=True),
    st.integers(0, 99),
)
def test_whatever_is_drawn_is_among_the_likeliest(
    scores: Array, temperature: float, top_k: int | None, top_p: float | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = choose(scores, rng, temperature=temperature, top_k=top_k, top_p=top_p)
    assert ((ids >= 0) & (ids < scores.shape[1])).all()
    for row, i in zip(scores, ids, strict=True):
        better = (row > row[i]).sum()
        assert top_k is None or better < top_k
        assert temperature > 0 or better == 0


def test_the_same_generator_draws_the_same() -> None:
    scores = np.zeros((100, 50))
    one, two, other = (choose(scores, np.random.default_rng(s)).tolist() for s in (1, 1, 2))
    assert one == two != other


BAD_SETTINGS = [
    ({"temperature": -0.1}, "temperature is -0.1, wanted a finite number, 0 or above"),
    ({"temperature": np.nan}, "temperature is nan, wanted a finite number, 0 or above"),
    ({"temperature": np.inf}, "temperature is inf, wanted a finite number, 0 or above"),
    ({"top_k": 0}, "top_k is 0, wanted at least 1"),
    ({"top_k": -1}, "top_k is -1, wanted at least 1"),
    ({"top_p": 0.0}, "top_p is 0.0, wanted 0 < top_p <= 1"),
    ({"top_p": 1.1}, "top_p is 1.1, wanted 0 < top_p <= 1"),
    ({"top_p": np.nan}, "top_p is nan, wanted 0 < top_p <= 1"),
]


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS)
def test_settings_refused(rng: np.random.Generator, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        choose(SCORES[None], rng, **settings)
    with pytest.raises(ValueError, match=f"^{message}$"):
        generate(lambda: lambda ids: SCORES[None], np.array([4]), 3, 1, 0, rng=rng, **settings)


# -- rows ------------------------------------------------------------------------------------------


def always(*tokens: int) -> tuple[Callable[[Array], Array], list[list[list[int]]]]:
    """Logits that allow only tokens[n] at the n-th call; and the ids given at each call."""
    given_ids: list[list[list[int]]] = []

    def next_scores(ids: Array) -> Array:
        given_ids.append(ids.tolist())
        scores = np.full((len(ids), 9), -np.inf)
        scores[:, tokens[len(given_ids) - 1]] = 0
        return scores

    return next_scores, given_ids


def test_the_prompt_comes_first_and_each_token_is_given_once(rng: np.random.Generator) -> None:
    scores, given_ids = always(3, 7, 2)
    ids = generate(lambda: scores, np.array([8, 5]), 5, 2, 0, rng=rng)
    assert ids.tolist() == [[8, 5, 3, 7, 2]] * 2
    assert given_ids == [[[8, 5]] * 2, [[3]] * 2, [[7]] * 2]


def test_without_an_end_all_are_of_full_length(rng: np.random.Generator) -> None:
    ids = generate(lambda: always(0, 6, 0, 8)[0], np.array([8]), 5, 2, None, rng=rng)
    assert ids.tolist() == [[8, 0, 6, 0, 8]] * 2


def test_it_stops_where_all_have_ended(rng: np.random.Generator) -> None:
    scores, given_ids = always(3, 6)
    ids = generate(lambda: scores, np.array([8]), 7, 3, 6, rng=rng)
    assert ids.tolist() == [[8, 3, 6, 6, 6, 6, 6]] * 3  # 6 is the pad
    assert len(given_ids) == 2


def test_only_pads_follow_a_pad(rng: np.random.Generator) -> None:
    p = np.log(np.array([0.3, 0.4, 0.3]))
    ids = generate(
        lambda: lambda ids: np.tile(p, (len(ids), 1)), np.array([1, 2]), 30, 400, 0, rng=rng
    )
    assert ids.shape == (400, 30)
    assert (ids[:, :2] == [1, 2]).all()
    ends = (ids == 0).argmax(axis=1)
    for row, end in zip(ids, ends, strict=True):
        assert not row[end:].any()
        assert row[:end].all()
    assert len(set(ends.tolist())) > 5  # and they end at many places
    # The first token after the prompt ends 30% of them: five standard errors.
    assert abs((ends == 2).mean() - 0.3) <= 5 * np.sqrt(0.3 * 0.7 / 400)


@pytest.mark.parametrize(
    ("prompt", "batch_size", "message"),
    [
        ([], 1, r"the prompt has 0 tokens, wanted 1\.\.3"),
        ([1] * 4, 1, r"the prompt has 4 tokens, wanted 1\.\.3"),
        ([1], 0, "batch_size is 0, wanted at least 1"),
        ([1], -1, "batch_size is -1, wanted at least 1"),
        ([1, 0], 1, "has id 0, which ends a row, at 1; wanted none"),
        ([0, 1], 1, "has id 0, which ends a row, at 0; wanted none"),
    ],
)
def test_generate_refuses(
    rng: np.random.Generator, prompt: list[int], batch_size: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate(lambda: always(2, 2, 2)[0], np.array(prompt, int), 4, batch_size, 0, rng=rng)


@pytest.mark.parametrize(("prompt", "first"), [([1], [1]), ([1, 2, 3, 4, 5, 6], [5, 6])])
def test_where_a_reader_is_full_another_reads_half_as_much_again(
    rng: np.random.Generator, prompt: list[int], first: list[int]
) -> None:
    readers: list[list[int]] = []

    def reader() -> Callable[[Array], Array]:
        readers.append([])

        def next_scores(ids: Array) -> Array:
            readers[-1] += ids[0].tolist()
            return np.where(np.arange(50) == readers[-1][-1] + 1, 0, -np.inf)[None]

        return next_scores

    ids = generate(reader, np.array(prompt), 12, 1, None, rng=rng, most_read=4)
    assert ids.tolist() == [list(range(1, 13))]
    assert readers[0][: len(first)] == first
    assert len(readers) > 1
    assert [len(read) for read in readers[:-1]] == [4] * (len(readers) - 1)
    assert len(readers[-1]) <= 4
    for before, after in itertools.pairwise(readers):
        assert after[:2] == [*before[-1:], before[-1] + 1]


# -- from a model ----------------------------------------------------------------------------------

V, T = 7, 12


@pytest.fixture
def model() -> TeenyGPT:
    """A model in float64, so that the cache's other order of sums changes no draw."""
    made = TeenyGPT(T, V, 8, 2, 2, 0.5, 2, rng=np.random.default_rng(4), dtype=np.float64)
    made.logits.layers[0].weight.data = made.logits.layers[0].weight.data * 5
    return made


def slow_sample(
    model: TeenyGPT, prompt: list[int], batch_size: int, rng: np.random.Generator, **settings: Any
) -> Array:
    """Sample without a cache: the whole prefix goes through the model for every token."""
    model.eval()
    ids = np.zeros((batch_size, T), int)
    ids[:, : len(prompt)] = prompt
    for t in range(len(prompt), T):
        with mg.no_grad():
            scores = model.log_probs(ids[:, :t]).data[:, -1]
        drawn = choose(scores, rng, **settings)
        for i in range(batch_size):
            if 0 not in ids[i, :t]:
                ids[i, t] = drawn[i]
        if (ids[:, : t + 1] == 0).any(axis=1).all():
            break
    return ids


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("prompt", "settings"),
    [
        ([V - 1], {}),
        ([V - 1, 3, 3, 1], {"temperature": 0.7}),
        ([V - 1, 2], {"temperature": 1.5, "top_k": 4}),
        ([V - 1] + [1] * (T - 2), {"top_p": 0.9}),
        ([2], {"temperature": 0.0}),
    ],
)
def test_sampling_equals_the_slow_way(
    model: TeenyGPT, prompt: list[int], settings: dict[str, Any]
) -> None:
    ours = model.sample(40, prompt=prompt, end=0, rng=np.random.default_rng(6), **settings)
    want = slow_sample(model, prompt, 40, np.random.default_rng(6), **settings)
    np.testing.assert_array_equal(ours, want)
    assert ours.shape == (40, T)
    assert (ours[:, : len(prompt)] == prompt).all()


def test_sample_draws_the_model_s_distribution(model: TeenyGPT) -> None:
    ids = model.sample(4000, prompt=[V - 1], end=0, rng=np.random.default_rng(1))
    p = np.exp(model.eval().log_probs(np.array([[V - 1]])).data[0, 0])
    found = np.bincount(ids[:, 1], minlength=V) / 4000
    assert (np.abs(found - p) <= 5 * np.sqrt(p * (1 - p) / 4000)).all()  # five standard errors
    assert len(np.unique(ids[:, 1])) > 2
