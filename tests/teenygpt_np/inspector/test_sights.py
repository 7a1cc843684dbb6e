"""What `teenygpt_np.inspect` shows of encoders, of encoder-decoders and of classifiers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from embedded import Embedded, unpacked
from hypothesis import given
from hypothesis import strategies as st
from kinds import TEXTS, runs_of_each_kind
from running import LINES, call

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.inspector.maps import attention
from teenygpt_np.inspector.pack import number
from teenygpt_np.inspector.sights import SIGHTS, Sight, sight_of, usual_text
from teenygpt_np.inspector.sights.masked import MaskedSight
from teenygpt_np.inspector.sights.sight import meaning
from teenygpt_np.inspector.tape import trace
from teenygpt_np.model.mixers.attention import MultiHead
from teenygpt_np.run_directory import load_run
from teenygpt_np.text.batches import Rows
from teenygpt_np.text.bpe import BpeTokenizer
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.training.objectives import OBJECTIVES, objective_of

# What the attention maps of each kind of run are of.
SEEN = {
    "next": [("text", "text", True)],
    "masked": [("text", "text", False)],
    "joint": [("text", "text", False)],
    "pairs": [
        ("source", "source", False),
        ("target", "target", True),
        ("target", "source", False),
    ],
    "labels": [("text", "text", False)],
    "from_the_left": [("text", "text", True)],
}
each = pytest.mark.parametrize("kind", TEXTS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return runs_of_each_kind(tmp_path_factory.mktemp("sights"))


def sight(runs: dict[str, Path], kind: str, text: str | None = None) -> Any:
    """Typed Any: each kind has its own ids."""
    return sight_of(load_run(runs[kind]), TEXTS[kind] if text is None else text)


def test_every_objective_has_a_sight() -> None:
    assert SIGHTS.keys() == OBJECTIVES.keys()


# -- attention -------------------------------------------------------------------------------------


@each
def test_attention_is_that_of_the_way_back(runs: dict[str, Path], kind: str) -> None:
    """From the weights p and dp follow the gradients of q, k and v, which the tape has."""
    tape = trace(sight(runs, kind))
    graph, of_kind = tape.graph, iter(SEEN[kind])
    for _, module in tape.ran():
        nodes = [n for n in graph.nodes if n.operation and module in n.scope]
        if not isinstance(module, MultiHead):
            continue
        maps = module.attention_maps(graph, nodes)
        assert maps
        p, dp = (of.astype(np.float64) for of in maps)
        [node] = [n for n in nodes if n.operation.endswith("attention")]
        assert node.grad is not None
        edges = {e.name: e for e in graph.edges if e.target == node.id}
        q, k = (np.asarray(graph.nodes[edges[name].source].value)[0] for name in "qk")
        root = q.shape[-1] ** 0.5
        np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)
        causal = next(of_kind)[2]
        assert (p > 0).all() != causal
        assert not causal or not np.triu(p, 1).any()
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
        want = {"q": ds @ k / root, "k": ds.swapaxes(1, 2) @ q / root}
        want["v"] = p.swapaxes(1, 2) @ node.grad[0]
        for name, grad in want.items():
            got = np.asarray(edges[name].grad)[0]
            np.testing.assert_allclose(grad, got, rtol=1e-4, atol=1e-5 * np.abs(got).max())
    assert not list(of_kind)


@each
def test_the_page_says_what_the_maps_are_of(runs: dict[str, Path], kind: str) -> None:
    tape = trace(sight(runs, kind))
    blocks = attention(tape)
    assert [(b["rows"], b["columns"], b["causal"]) for b in blocks] == SEEN[kind]
    signs = tape.sight.signs
    for block in blocks:
        assert block["part"] == "head"
        for of in (*block["weights"], *block["grads"]):
            assert of["shape"] == (len(signs[block["rows"]]), len(signs[block["columns"]]))
        for head in block["weights"]:
            np.testing.assert_allclose(unpacked(head).sum(axis=1), 1, rtol=1e-3)
    assert tape.sight.size == sum(map(len, signs.values()))


# -- prediction ------------------------------------------------------------------------------------


@each
def test_predictions_add_up_to_the_loss(runs: dict[str, Path], kind: str) -> None:
    shown = sight(runs, kind)
    prediction = shown.prediction()
    losses = [p.loss for p in prediction.positions]
    assert sum(losses) == pytest.approx(trace(shown).loss, rel=1e-5)
    for p in prediction.positions:
        probabilities = dict(p.top)
        assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
        assert sum(probabilities.values()) <= 1 + 1e-5
        if p.sign in probabilities:
            assert probabilities[p.sign] == pytest.approx(np.exp(-p.loss), rel=1e-4)
        assert len(p.cells) == len(prediction.columns)


def alone(shown: Any, number: int) -> Tensor:
    """The loss of one prediction, without a batch of copies."""
    kind = type(shown).__name__
    if kind == "LabelsSight":
        return shown.loss()
    if kind == "MaskedSight":
        one = np.zeros((1, shown.ids.shape[1]), bool)
        one[0, np.flatnonzero(shown.hidden)[number]] = True
        return shown.model.masked_loss(shown.ids, shown.targets, one, [shown.ids.shape[1]])
    if kind == "PairsSight":
        losses = shown.model.loss(shown.source, shown.lengths, shown.target, reduction="none")
    else:
        losses = shown.model.loss(shown.ids, reduction="none")
    return losses[0, number]


@each
def test_sensitivity_is_that_of_differences(runs: dict[str, Path], kind: str) -> None:
    """Of the first and the last prediction to the first and the last token and one between."""
    shown = sight(runs, kind)
    prediction = shown.prediction()
    embedding = getattr(shown.model, "body", shown.model).embedding
    order = sorted(prediction.sensitivity, key=lambda s: s.of)  # the source is read first
    last = len(prediction.positions) - 1
    for place in sorted({0, last}):
        with mg.tracing():
            loss = alone(shown, place)
        assert loss.item() == pytest.approx(prediction.positions[place].loss, rel=1e-4)
        graph = mg.trace(loss)
        read = [n for n in graph.nodes if n.operation and embedding in n.scope]
        for node, of in zip(read, order, strict=True):
            values = unpacked(of.values)
            assert values.shape == (last + 1, node.shape[1])
            for token in sorted({0, 2, node.shape[1] - 1}):
                slopes = [
                    graph.numeric_gradient(node.id, (0, token, d)) for d in range(node.shape[2])
                ]
                want = np.linalg.norm(slopes)
                assert values[place, token] == pytest.approx(want, abs=1e-4 * values.max()), of.of
                assert not of.causal or token <= place or want == 0


@each
def test_a_row_to_choose_from(runs: dict[str, Path], kind: str) -> None:
    prediction = sight(runs, kind).prediction()
    if prediction.row is None:
        assert len(prediction.positions) == 1
        return
    chosen = [prediction.row.signs[place] for place in prediction.row.places]
    assert chosen == [p.sign for p in prediction.positions]
    assert "character" in prediction.lead
    assert "character" in prediction.row.label


# -- what is hidden --------------------------------------------------------------------------------


def masked(text: str, tokenizer: Any, num_tokens: int = 40) -> Any:
    """The sight of a text that no model is needed for."""
    model = SimpleNamespace(num_tokens=num_tokens, mask=tokenizer.num_token_vals, parameters=list)
    config = SimpleNamespace(mask_share=0.15, mask_span=3.0)
    run: Any = SimpleNamespace(model=model, tokenizer=tokenizer, config=config)
    return MaskedSight(run, text)


def test_what_stands_in_brackets_is_hidden(runs: dict[str, Path]) -> None:
    shown = sight(runs, "masked")
    assert shown.read == shown.text == TEXTS["masked"]
    assert "".join(shown.signs["text"]) == "▷king␣▒▒ans␣r▒in⏎"
    row = shown.tokenizer.row("king plans rain")
    np.testing.assert_array_equal(shown.targets[0], row)
    places = [6, 7, 13]
    assert np.flatnonzero(shown.hidden).tolist() == places
    row[places] = shown.model.mask
    with mg.no_grad():
        p = mg.softmax(shown.model(row[None], lengths=np.array([len(row)]))).data[0]
    want = -np.log(p[places, shown.targets[0, places]])
    found = shown.prediction().positions
    assert [position.loss for position in found] == pytest.approx(want.tolist(), rel=1e-4)
    assert found[0].title == "p at position 6, which the model reads as ▒"
    assert found[2].top[0][1] == pytest.approx(p[13].max(), rel=1e-5)


def test_without_brackets_some_is_hidden_as_in_a_score(runs: dict[str, Path]) -> None:
    run, text = load_run(runs["masked"]), "city loses a new town"
    first, second = (sight_of(run, text) for _ in range(2))
    assert first.read == second.read
    assert "[" in first.read
    objective = objective_of(run.config, run.tokenizer)
    rng = np.random.default_rng(0)
    batch = objective.batch(Rows.of([text], run.tokenizer, 24), np.array([0]), rng)
    assert batch.masked.any()
    np.testing.assert_array_equal(first.hidden, batch.masked[0])  # type: ignore[attr-defined]
    np.testing.assert_array_equal(first.ids, batch.ids)  # type: ignore[attr-defined]


def test_something_is_hidden_in_the_shortest_text() -> None:
    assert masked("a", CharacterTokenizer()).read == "[a]"


@given(st.lists(st.text("ab é[]", max_size=4), min_size=1, max_size=6))
def test_any_text_with_brackets(parts: list[str]) -> None:
    """The text that is read is the folded one, and hidden is every letter that was in brackets."""
    for tokenizer in (CharacterTokenizer("abé "), ByteTokenizer()):
        pieces = [part.replace("[", "").replace("]", "") for part in parts]
        text = "".join(f"[{p}]" if i % 2 and p else p for i, p in enumerate(pieces))
        hidden = "".join(pieces[1::2]).replace(" ", "")
        if not hidden:
            continue
        shown = masked(text, tokenizer, 80)
        assert tokenizer.decode(shown.targets[0]) == tokenizer.fold("".join(pieces)).text
        row = tokenizer.row(shown.read.replace("[", "").replace("]", ""))
        np.testing.assert_array_equal(row, shown.targets[0])
        found = [i for i in shown.targets[0][shown.hidden] if i not in tokenizer.encode([" "])[0]]
        assert tokenizer.decode(np.array(found)) == hidden
        assert not shown.hidden[[0, -1]].any()


def test_a_token_with_a_hidden_letter_is_hidden() -> None:
    lines = BpeTokenizer(merges=((97, 98), (256, 99)))  # ab, abc
    shown = masked("x ab[c]d", lines)
    assert shown.read == "x [abc]d"
    running = BpeTokenizer(merges=((97, 98), (256, 99)), running=True)
    assert masked(" a[b]cx ", running).read == " [abc]x "
    assert masked("é[é]é", ByteTokenizer()).read == "é[é]é"


def test_a_joint_model_reads_a_text_as_it_is_asked(runs: dict[str, Path]) -> None:
    assert sight(runs, "joint").signs["text"].count("▒") == 3
    from_left = sight(runs, "joint", "king plans rain")
    assert from_left.signs["text"] == list("▷king␣plans␣rain")
    assert from_left.seen("", from_left.model).causal


# -- pairs and labels ------------------------------------------------------------------------------


def test_a_target_is_the_one_that_is_written_or_given(runs: dict[str, Path]) -> None:
    written = call("sample", runs["pairs"], "--prompt=king wins rain").out.removesuffix("\n")
    shown = sight(runs, "pairs", "King wins  rain")
    assert (shown.text, shown.read) == (f"king wins rain -> {written}", "king wins rain")
    given = sight(runs, "pairs", "king wins\tsniw gnik")
    assert (given.text, given.read) == ("king wins -> sniw gnik", "king wins\tsniw gnik")
    tokenizer = given.tokenizer
    source, target = (tokenizer.row(text)[None] for text in ("king wins", "sniw gnik"))
    want = given.model.loss(source, np.array([source.shape[1]]), target).item()
    assert given.loss().item() == pytest.approx(want, rel=1e-6)
    assert given.signs == {"source": list("▷king␣wins⏎"), "target": list("▷sniw␣gnik")}


def test_a_written_target_ends_where_it_ends(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(runs["pairs"])
    for text, length in (("sniw", 6), ("a" * 23, 24)):  # the second has no end
        ids = np.full((1, 24), run.tokenizer.end)
        row = run.tokenizer.row(text)[:24]
        ids[0, : len(row)] = row
        monkeypatch.setattr(run.model, "sample", lambda *_, ids=ids, **__: ids)
        shown: Any = sight_of(run, "king wins")
        np.testing.assert_array_equal(shown.target[0], row[:length])
        assert shown.text == f"king wins -> {text}"
        assert len(shown.prediction().positions) == length - 1


def test_a_class_is_the_likeliest_or_the_given_one(runs: dict[str, Path]) -> None:
    shown = sight(runs, "labels", "king plans rain")
    with mg.no_grad():
        row = shown.tokenizer.row("king plans rain")[None]
        p = mg.softmax(shown.model(row, np.array([row.shape[1]]))).data[0]
    classes = shown.config.classes
    assert shown.text == f"king plans rain -> {classes[p.argmax()]}"
    assert shown.loss().item() == pytest.approx(-np.log(p.max()), rel=1e-5)
    [position] = shown.prediction().positions
    assert dict(position.top) == pytest.approx(dict(zip(classes, p, strict=True)), rel=1e-4)
    given = sight(runs, "labels", f"king plans rain\t{classes[p.argmin()]}")
    assert given.read == f"king plans rain\t{classes[p.argmin()]}"
    assert given.loss().item() == pytest.approx(-np.log(p.min()), rel=1e-5)


# -- the command -----------------------------------------------------------------------------------


@each
def test_a_text_of_the_samples_is_the_usual_one(runs: dict[str, Path], kind: str) -> None:
    samples = sorted((runs[kind] / "samples").iterdir())[-1].read_text(encoding="utf-8")
    usual = usual_text(load_run(runs[kind]), runs[kind])
    forms = {"pairs": f"{usual} -> ", "labels": f"%: {usual}\n", "from_the_left": f"%: {usual}\n"}
    assert forms.get(kind, f"{usual}\n") in samples
    assert ("[" in usual) == (kind == "masked")
    done = call("inspect", runs[kind])
    assert done.status == 0, done
    data = Embedded((runs[kind] / "inspect.html").read_text(encoding="utf-8")).data
    assert data["text"].replace("[", "").startswith(usual.replace("[", "")[:5])


@each
def test_the_listing_and_the_page(runs: dict[str, Path], kind: str, tmp_path: Path) -> None:
    done = call("inspect", runs[kind], "--text", TEXTS[kind], "--print")
    assert (done.status, done.err) == (0, "")
    tape = trace(sight(runs, kind))
    assert done.out.startswith(f"{tape.sight.text!r}: a loss of {tape.loss:.4f} nats, ")
    out = tmp_path / "page.html"
    assert call("inspect", runs[kind], "--text", TEXTS[kind], "--out", out).status == 0
    data = Embedded(out.read_text(encoding="utf-8")).data
    assert (data["unit"], data["loss"]) == ("character", number(tape.loss))
    assert data["signs"] == tape.sight.signs
    assert data["prediction"]["lead"] == tape.sight.prediction().lead
    assert data["lora"] == []
    for node in data["graph"]["nodes"]:
        for row in node["checks"]:
            assert row["numeric"] == pytest.approx(row["analytic"], rel=1e-3, abs=2e-5), node[
                "title"
            ]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("masked", "?", "--text is '[?]', wanted at least one character of"),
        ("masked", "king [?]", "wanted something in brackets that the model knows"),
        ("masked", "king " * 9 + "[wins]", "in brackets that the model knows, among the first 24"),
        ("pairs", "a\tb\tc", "--text has 2 tabs, wanted a source, or a source, a tab and a target"),
        ("pairs", "a\t", "--text has no target after its tab, wanted one, or no tab"),
        ("pairs", "\tb", "--text is '', wanted at least one character"),
        ("labels", "a\tb\tc", "--text has 2 tabs, wanted a text, or a text, a tab and a class"),
        (
            "labels",
            "a\tking",
            "ends with the class 'king', wanted one of the city, the court, the k",
        ),
        ("labels", "", "--text is '', wanted at least one character"),
    ],
)
def test_refused(runs: dict[str, Path], kind: str, text: str, message: str) -> None:
    call("inspect", runs[kind], "--text", text).assert_refused(message)


def test_what_the_model_reads_is_told_where_it_differs(runs: dict[str, Path]) -> None:
    for kind, text, read in (
        ("masked", "King  [pl]ans", "king [pl]ans"),
        ("pairs", "King wins", "king wins"),
        ("labels", "King wins\tthe king", "king wins\tthe king"),
    ):
        done = call("inspect", runs[kind], "--text", text, "--print")
        assert (done.status, done.err) == (0, f"the model reads {read!r}\n")


def test_running_text_is_shown_too(tmp_path: Path) -> None:
    data = tmp_path / "lines.txt"
    data.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    flags = [f"--data={data}", "--text=running", "--num-emb=8", "--num-tokens=16", "--batch-size=4"]
    flags += ["--tokenizer=bpe", "--vocab-size=300", "--objective=joint", "--max-steps=3"]
    assert call("train", *flags, "--out", tmp_path / "run", "--quiet").status == 0
    assert call("inspect", tmp_path / "run").status == 0
    assert call("inspect", tmp_path / "run", "--text", "king [plans] rain").status == 0
    page = Embedded((tmp_path / "run" / "inspect.html").read_text(encoding="utf-8")).data
    assert page["unit"] == "token"
    assert "hidden tokens" in page["prediction"]["lead"]
    assert "▷" not in page["prediction"]["lead"]


def test_what_the_signs_mean() -> None:
    assert meaning("▷a⏎␣") == "▷ is the beginning of a text, ⏎ its end, ␣ a space."
    assert meaning("ab▒") == "▒ is what is hidden."
    assert meaning(["␣the", "c"]) == "␣ is a space."
    assert meaning("ab") == ""


def test_what_lora_adds(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    data = runs["next"].parent / "lines.txt"
    flags = ["--lora-rank=2", "--lora-alpha=3", "--lora-on=q,mlp", "--epochs=1", "--lr=0.1"]
    done = call("finetune", runs["next"], "--data", data, "--out", out, *flags, "--quiet")
    assert done.status == 0, done
    assert call("inspect", out, "--text", TEXTS["next"]).status == 0
    found = Embedded((out / "inspect.html").read_text(encoding="utf-8")).data
    rows = {row["name"]: row for row in found["lora"]}
    model = load_run(out).model
    state, merged = model.state_dict(), model.merged_state()
    whole = "transformer_blocks.0.msha.in_proj_weight"
    weights = {"transformer_blocks.0.msha.q": (whole, slice(8))}
    for place in (0, 2):
        name = f"transformer_blocks.0.mlp.{place}.weight"
        weights[name] = (name, slice(None))
    assert rows.keys() == weights.keys()
    for name, (own, part) in weights.items():
        before, after = state[own][part], merged[own][part]
        assert rows[name]["rank"] == 2
        assert rows[name]["weight"] == pytest.approx(np.linalg.norm(before), rel=1e-5)
        assert rows[name]["added"] == pytest.approx(np.linalg.norm(after - before), rel=1e-4)
        assert rows[name]["added"] > 0


def test_a_kind_of_sight_says_all(runs: dict[str, Path]) -> None:
    for kind in TEXTS:
        assert isinstance(sight(runs, kind), Sight)
