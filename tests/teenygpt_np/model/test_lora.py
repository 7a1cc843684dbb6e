"""LoRA: what is added to which weights, what is frozen, and that merging changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from teenygpt_np import TeenyGPT
from teenygpt_np.config import PRESETS, Config
from teenygpt_np.model.building import outline
from teenygpt_np.model.lora import LoRA

V, T, D = 7, 12, 8


def plain(**settings: Any) -> TeenyGPT:
    return TeenyGPT(T, V, D, 2, 2, 0.0, 2, dtype=np.float64, **settings)


def with_lora(rank: int = 2, alpha: float = 3.0, on: str = "q,v", **settings: Any) -> TeenyGPT:
    model = plain(**settings)
    model.lora = LoRA(model, rank, alpha, on.split(","), rng=np.random.default_rng(1))
    return model


def filled(model: TeenyGPT) -> TeenyGPT:
    """The model after a training, say: B is 0 no more."""
    assert model.lora
    rng = np.random.default_rng(2)
    for parameter in model.lora.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    return model


@pytest.fixture
def ids(rng: np.random.Generator) -> Any:
    return rng.integers(0, V, (3, T))


def test_at_first_nothing_is_added(ids: Any) -> None:
    np.testing.assert_array_equal(with_lora()(ids).data, plain()(ids).data)


def test_at_first_only_b_has_a_gradient(ids: Any) -> None:
    """dA = (alpha / r) B^T dW is 0 with B; if dB were 0 as well, nothing would ever be learned."""
    model = with_lora()
    model.loss(ids).backward()
    assert model.lora
    for pair in model.lora.pairs.values():
        assert not np.any(pair.lora_A.grad)
        assert np.all(pair.lora_B.grad)


@pytest.mark.parametrize("on", ["q,v", "k", "out", "out_proj,mlp", "msha,0"])
def test_only_what_is_chosen_is_trained(ids: Any, on: str) -> None:
    model = filled(with_lora(on=on))
    model.loss(ids).backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == name.startswith("lora."), name
        assert (parameter.grad is not None) == name.startswith("lora."), name


def test_the_thirds_of_attention_are_told_apart(ids: Any) -> None:
    """The merged matrix differs in the rows of q and of v, by (alpha / r) B A."""
    model = filled(with_lora())
    before, after = model.state_dict(), model.merged_state()
    assert model.lora
    assert after.keys() == plain().state_dict().keys()
    for block in range(2):
        name = f"transformer_blocks.{block}.msha"
        added = after[f"{name}.in_proj_weight"] - before[f"{name}.in_proj_weight"]
        pairs = {part: model.lora.pairs[f"{name}.{part}"] for part in "qv"}
        want = {part: 1.5 * pair.lora_B.data @ pair.lora_A.data for part, pair in pairs.items()}
        np.testing.assert_allclose(added[:D], want["q"], atol=1e-14)
        np.testing.assert_array_equal(added[D : 2 * D], 0)
        np.testing.assert_allclose(added[2 * D :], want["v"], atol=1e-14)
    unchanged = [n for n in after if not n.endswith("in_proj_weight")]
    assert all(np.array_equal(before[name], after[name]) for name in unchanged)


@pytest.mark.parametrize("on", ["q,v", "q,k,v,out,mlp"])
@pytest.mark.parametrize("mixer", ["attention", "linear-attention"])
def test_merged_scores_are_those_of_the_pairs(ids: Any, on: str, mixer: str) -> None:
    model = filled(with_lora(on=on, mixers=(mixer,)))
    merged = plain(mixers=(mixer,))
    merged.load_state_dict(model.merged_state())
    np.testing.assert_allclose(model(ids).data, merged(ids).data, atol=1e-12)
    assert np.abs(model(ids).data - plain(mixers=(mixer,))(ids).data).max() > 0.1
    settings: dict[str, Any] = {"prompt": [1], "rng": np.random.default_rng(0)}
    ours = model.sample(4, **settings)
    settings["rng"] = np.random.default_rng(0)
    np.testing.assert_array_equal(ours, merged.sample(4, **settings))


@pytest.mark.parametrize("mixer", ["retnet", "rwkv", "mamba", "gru"])
def test_matrices_of_any_mixer_can_be_chosen(ids: Any, mixer: str) -> None:
    model = filled(with_lora(on="mlp,mixer", mixers=(mixer,)))
    merged = plain(mixers=(mixer,))
    merged.load_state_dict(model.merged_state())
    np.testing.assert_allclose(model(ids).data, merged(ids).data, atol=1e-12)


def test_the_gradients_are_those_of_the_full_weight(ids: Any) -> None:
    """dA = (alpha / r) B^T dW and dB = (alpha / r) dW A^T, with dW that of the merged model."""
    model = filled(with_lora())
    merged = plain()
    merged.load_state_dict(model.merged_state())
    for each in (model, merged):
        each.loss(ids).backward()
    assert model.lora
    grads = dict(merged.named_parameters())
    for name, pair in model.lora.pairs.items():
        path, _, part = name.rpartition(".")
        third = "qkv".index(part) * D
        dw = np.asarray(grads[f"{path}.in_proj_weight"].grad)[third : third + D]
        np.testing.assert_allclose(
            np.asarray(pair.lora_A.grad), 1.5 * pair.lora_B.data.T @ dw, atol=1e-12
        )
        np.testing.assert_allclose(
            np.asarray(pair.lora_B.grad), 1.5 * dw @ pair.lora_A.data.T, atol=1e-12
        )


def test_its_weights_are_restored_after_a_pass(ids: Any) -> None:
    model = filled(with_lora())
    before = dict(model.named_parameters())
    model(ids)
    with pytest.raises(IndexError):
        model(ids + V)
    assert dict(model.named_parameters()) == before


def test_a_word_that_chooses_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'queries' chooses no matrix .* k, mlp, msha, out"):
        with_lora(on="q,queries")
    with pytest.raises(ValueError, match="'q' chooses no matrix"):
        with_lora(mixers=("gru",))


@pytest.mark.parametrize(
    ("preset", "rank", "share"),
    [("small", 2, 0.01), ("medium", 3, 0.01), ("tiny", 2, 0.01), ("article", 8, 0.0011)],
)
def test_a_small_share_of_the_weights(preset: str, rank: int, share: float) -> None:
    sizes: Any = {k: v for k, v in PRESETS[preset].items() if k.startswith("num_")}
    model = outline(Config(lora_rank=rank, **sizes), 29)
    trained = sum(p.size for p in model.parameters() if p.requires_grad)
    assert 0 < trained / model.num_parameters() < share


def test_no_gradient_of_a_frozen_weight_is_in_a_trace(ids: Any) -> None:
    with mg.tracing():
        loss = filled(with_lora()).loss(ids)
        loss.backward()
    leaves = [n for n in mg.trace(loss).nodes if n.leaf is not None]
    assert len(leaves) == 2 * 2 * 2  # blocks, q and v, A and B
