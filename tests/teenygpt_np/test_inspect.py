"""`teenygpt_np.inspect`: what it prints and writes, without a browser."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from embedded import Embedded, unpacked
from rows import counted
from running import SMALL, call, tiny_run, write_corpus

import minigrad as mg
from teenygpt_np import checkpoint
from teenygpt_np.inspector import pack
from teenygpt_np.inspector.listing import norm, size
from teenygpt_np.inspector.pack import number, packed, picture, script, summary
from teenygpt_np.inspector.page import page
from teenygpt_np.inspector.sights import sight_of
from teenygpt_np.inspector.sights.next_token import NextTokenSight
from teenygpt_np.inspector.tape import trace
from teenygpt_np.inspector.training import training_data
from teenygpt_np.model.mixers.attention import attention_weights
from teenygpt_np.run_directory import load_run
from teenygpt_np.text.batches import Rows
from teenygpt_np.text.corpus import load_corpus

TEXT = "king plans rain"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("inspected"))


# -- in the terminal -------------------------------------------------------------------------------


def test_the_listing(run: Path) -> None:
    done = call("inspect", run, "--text", TEXT, "--print")
    assert (done.status, done.err) == (0, "")
    trained = load_run(run)
    tape = trace(sight_of(trained, TEXT))
    forward, backward = done.out.split("\nbackward: ")
    assert forward.startswith(f"{TEXT!r}: a loss of {tape.loss:.4f} nats, ")
    assert f"kept for backward ({size(tape.graph.kept_bytes)} in all)" in forward
    rows = [line.split() for line in forward.splitlines()[3:]]
    operations = [n for n in tape.graph.nodes if n.operation]
    assert [row[0] for row in rows if not row[1].startswith("(")] == [
        n.operation for n in operations
    ]
    loss = tape.graph.nodes[-1]
    kept = size(loss.kept_bytes).split()
    assert rows[-1] == ["cross_entropy", "scalar", norm(loss.value), *kept]
    attention = next(n for n in operations if n.operation == "causal_attention")
    assert f"causal_attention{'1x2x16x4':>30}{norm(attention.value):>10}" in forward
    assert "\n    transformer_blocks.0.msha  (CausalSelfAttention)\n      getitem" in forward
    rows = [line.split() for line in backward.splitlines()[1:]]
    order = [tape.graph.nodes[i].operation for i in tape.graph.backward_order]
    assert [row[0] for row in rows if not row[1].startswith("(")] == order
    assert rows[0][:4] == ["cross_entropy", "scalar", "1", "dlogits"]
    grads = {e.name: norm(e.grad) for e in tape.graph.edges if e.target == attention.id}
    want = f"{norm(attention.grad)}  dq {grads['q']}, dk {grads['k']}, dv {grads['v']}\n"
    assert want in backward


def test_a_sentence_as_the_evaluation_counts_it(run: Path) -> None:
    trained = load_run(run)
    tape = trace(sight_of(trained, "King plans, rain"))
    assert tape.sight.text == TEXT
    ids = Rows.of([TEXT], trained.tokenizer, 24).whole_batch(np.array([0])).ids
    want = trained.model.loss(ids, counted(ids), reduction="sum").item()
    assert tape.loss == pytest.approx(want, rel=1e-6)
    long = sight_of(trained, "king " * 9)
    assert isinstance(long, NextTokenSight)
    assert long.ids.shape == (1, 24)
    assert long.ids[0, -1] != 0


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1000, 12_345_678)] == ["0 B", "999 B", "1 kB", "12.3 MB"]
    assert (norm(None), norm(np.array([3.0, 4.0]))) == ("-", "5")


# -- the page --------------------------------------------------------------------------------------


def test_the_page_says_what_the_trace_says(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = call("inspect", run, "--text", TEXT, "--out", out, "--against", run)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{out}: {size(out.stat().st_size)}\n"
    text = out.read_text(encoding="utf-8")
    embedded = Embedded(text)
    assert embedded.addresses == ["data:,"]
    assert not re.search(r"\burl\((?!#)|@import|https?:(?!//www\.w3\.org/)", text)
    data = embedded.data
    trained = load_run(run)
    graph = trace(sight_of(trained, TEXT)).graph
    assert data["graph"]["order"] == list(graph.backward_order)
    for shown, node in zip(data["graph"]["nodes"], graph.nodes, strict=True):
        assert (shown["operation"], shown["shape"]) == (node.operation, list(node.shape))
        assert shown["value"]["norm"] == number(np.linalg.norm(np.float64(node.value)))
        assert node.grad is not None
        assert shown["grad"]["max"] == number(node.grad.max())
        assert 1 <= len(shown["checks"]) <= 2
        largest, middle = (np.abs(node.grad[tuple(shown["checks"][i]["index"])]) for i in (0, -1))
        assert largest == np.abs(node.grad).max()
        others = np.abs(node.grad[node.grad != 0])
        assert np.sum(others < middle) <= others.size / 2 <= np.sum(others <= middle)
        for row in shown["checks"]:
            assert row["analytic"] == number(node.grad[tuple(row["index"])])
            assert row["numeric"] == pytest.approx(row["analytic"], rel=1e-4, abs=1e-5)
    source = data["graph"]["sources"]["linear"]
    assert source["file"] == "minigrad/ops/layers.py"
    lines = source["text"].splitlines()
    assert lines[1].startswith("def linear(")
    assert lines[source["vjp"] - source["line"]].strip() == "def vjp(dy, needed):"
    assert data["graph"]["nodes"][-1]["caller"]["text"].startswith("losses = mg.cross_entropy(")
    assert len(data["training"]) == 2


def test_without_a_text_it_is_one_that_the_model_wrote(run: Path) -> None:
    assert call("inspect", run).status == 0
    data = Embedded((run / "inspect.html").read_text(encoding="utf-8")).data
    written = [
        line for path in (run / "samples").iterdir() for line in path.read_text("utf-8").split("\n")
    ]
    assert data["text"] in written


def test_no_text_ends_the_script() -> None:
    text = "</script><!--<script>&amp; \u2028 \u00e9"
    found = Embedded(page(text, {"text": text}))
    assert found.data == {"text": text}
    assert "</script>" not in script(text)


def test_numbers() -> None:
    assert [number(x) for x in (1 / 3, np.float32(2), np.inf, np.nan)] == [0.333333, 2, None, None]
    x = np.random.default_rng(0).standard_normal((5, 7))
    for kind, steps in (("<i2", 32767), ("i1", 127)):
        most = np.abs(x).max()
        # Half a step, and half a unit of the scale's sixth digit.
        np.testing.assert_allclose(unpacked(packed(x, kind)), x, atol=most * (0.5 / steps + 5e-6))
    assert unpacked(packed(np.zeros((1, 2)))).tolist() == [[0, 0]]
    square = np.tril(x[:, :5])
    np.testing.assert_array_equal(unpacked(packed(square, lower=True)), unpacked(packed(square)))
    many = np.arange(6000.0).reshape(3, 50, 40)
    small = picture(many)
    assert small["shape"] == (32, 32)
    assert unpacked(small)[-1, -1] == pytest.approx(5999, rel=1e-5)
    assert summary(np.array([1.0, np.nan]))["max"] is None
    for array, counts in (
        (np.array([0, 1e30], np.float32), {0: 1, 24: 1}),
        (np.array([1e20, np.nextafter(1e20, 2e20)]), {0: 1, 24: 1}),
        (np.array([7, 7], np.float32), {12: 2}),
        (np.array([np.nan], np.float32), {}),
    ):
        histogram = summary(array)["histogram"]
        assert {i: n for i, n in enumerate(histogram["counts"]) if n} == counts
    assert pack.norm(np.array([3e30, 4e30], np.float32)) == 5e30


# -- attention and prediction ----------------------------------------------------------------------


def test_attention_weights_are_those_of_the_composed_operations() -> None:
    rng = np.random.default_rng(0)
    q, k, v, dout = rng.standard_normal((4, 2, 3, 6, 5))
    mask = np.where(np.tril(np.ones((6, 6))), 0, -np.inf)
    weights = mg.softmax(mg.Tensor(q) @ mg.Tensor(k).swapaxes(2, 3) / 5**0.5 + mask).data
    leaf = mg.Tensor(weights, requires_grad=True)
    out = leaf @ mg.Tensor(v)
    np.testing.assert_allclose(out.data, mg.causal_attention(q, k, v).data, rtol=1e-12, atol=1e-14)
    out.backward(dout)
    p, dp = attention_weights(q, k, v, dout)
    np.testing.assert_allclose(p, weights, rtol=1e-12, atol=1e-14)
    assert leaf.grad is not None
    np.testing.assert_allclose(dp, np.where(mask == 0, leaf.grad, 0), rtol=1e-12, atol=1e-14)


def test_a_layer_has_weights_or_a_state(tmp_path: Path) -> None:
    """The page's numbers are those of the mixer, a column of the state for each token."""
    run = tiny_run(tmp_path, "--mixer=gru,mamba", "--num-blocks=2")
    assert call("inspect", run, "--text", TEXT).status == 0
    data = Embedded((run / "inspect.html").read_text(encoding="utf-8")).data
    [state], [weights] = data["states"], data["attention"]
    assert state["name"] == "transformer_blocks.0.mixer"
    assert (weights["name"], weights["part"]) == ("transformer_blocks.1.mixer", "group of channels")
    assert [of["shape"] for of in weights["weights"]] == [[1 + len(TEXT)] * 2] * 2
    trained = load_run(run)
    tape = trace(sight_of(trained, TEXT))
    [node] = [node for node in tape.graph.nodes if node.operation == "gru"]
    for part, array in (("values", node.value), ("grads", node.grad)):
        assert array is not None
        np.testing.assert_allclose(
            unpacked(state[part]), array[0].T, rtol=0, atol=1e-4 * np.abs(array).max()
        )


def test_sensitivity_is_that_of_one_loss_after_the_other(run: Path) -> None:
    trained = load_run(run)
    sight = sight_of(trained, TEXT)
    assert isinstance(sight, NextTokenSight)
    ids = sight.ids
    want = []
    for t in range(ids.shape[1] - 1):
        with mg.tracing():
            losses = trained.model.loss(ids, reduction="none")
            losses.backward(np.eye(ids.shape[1] - 1)[t : t + 1])
        nodes = mg.trace(losses).nodes
        added = next(n.grad for n in nodes if n.operation == "dropout")
        assert added is not None
        want.append(np.linalg.norm(added[0], axis=-1))
    [found] = sight.prediction().sensitivity
    values = unpacked(found.values)
    np.testing.assert_allclose(values, want, rtol=1e-4, atol=1e-4 * np.max(want))
    assert found.causal
    assert not np.triu(values, 1).any()


# -- the training ----------------------------------------------------------------------------------


def test_training_data(run: Path) -> None:
    data = training_data(run)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert data["epochs"] == [json.loads(line) for line in lines]
    assert data["config"]["data"] == "lines.txt"
    assert set(data["baselines"]) == {"uniform", "unigram", "bigram"}
    # 15 characters on average, and the end mark
    assert data["baselines"]["uniform"]["nll"] == pytest.approx(23 * np.log(29))
    corpus = load_corpus(run.parent / "lines.txt", given=load_run(run).tokenizer)
    assert training_data(run, corpus)["baselines"] == data["baselines"]
    for epoch, texts in data["samples"]:
        written = (run / "samples" / f"epoch_{epoch:03}.txt").read_text(encoding="utf-8")
        assert texts == written.splitlines()[:8]


def test_the_training_leaves_its_report(run: Path) -> None:
    found = Embedded((run / "report.html").read_text(encoding="utf-8"))
    assert found.data == {"training": [json.loads(json.dumps(training_data(run)))]}


def test_where_the_text_is_gone_or_changed_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    assert training_data(run)["baselines"]
    (tmp_path / "lines.txt").write_text("other\n" * 60, encoding="utf-8")
    assert training_data(run)["baselines"] == {}
    (tmp_path / "lines.txt").unlink()
    assert training_data(run)["baselines"] == {}


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_where_the_page_goes(run: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "page.html")
    assert call("inspect", run, "--text", "k", "--out", link).status == 0
    assert link.is_symlink()
    assert "</html>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "missing" / "page.html", tmp_path / "pipe"):
        refused = call("inspect", run, "--text", "k", "--out", place)
        refused.assert_refused(f"--out is {place}, wanted a file in an existing directory")
    for flag in ("--out", "--against"):
        call("inspect", run, flag, "").assert_refused(f"{flag}: invalid path value: ''")
    assert not list(tmp_path.glob(".*"))


def test_what_is_read_of_a_text_that_is_too_long_or_has_unknown_characters(run: Path) -> None:
    done = call("inspect", run, "--text", "King, king. " * 3, "--print")
    assert (done.status, done.err) == (0, "the model reads 'king king king king kin'\n")


def test_refused(run: Path, tmp_path: Path) -> None:
    call("inspect", tmp_path).assert_refused(r"has no best\.npz; wanted a run directory")
    call("inspect", run, "--text", "?").assert_refused("--text is '[?]', wanted at least one")
    call("inspect", run, "--against", tmp_path).assert_refused("is no run directory: ")
    untold = tmp_path / "run"
    flags = [*SMALL, "--max-steps=1", "--quiet"]
    call("train", "--data", write_corpus(tmp_path), "--out", untold, *flags)
    for path in (untold / "samples").iterdir():
        path.unlink()
    call("inspect", untold).assert_refused("has no samples; wanted --text with a text")


def test_a_run_that_may_not_be_written_to(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may write anywhere, so the refusal is made here."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "inspect.html")

    monkeypatch.setattr(checkpoint, "write_text", refuse)
    done = call("inspect", run, "--text", TEXT)
    done.assert_refused(
        r"inspect\.html can't be written: Permission denied; wanted --out with another"
    )
