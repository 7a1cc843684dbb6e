"""The inspector's page in a real browser, with a mouse and with keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import (
    button,
    check_layout,
    chromium,
    figure,
    find,
    look,
    opened,
    press,
    same,
    texts,
    wait,
)
from running import call, tiny_run

from teenygpt_np.inspector.sights import sight_of
from teenygpt_np.inspector.tape import Tape, trace
from teenygpt_np.model.mixers.attention import attention_weights
from teenygpt_np.run_directory import load_run

TEXT = "king plans rain"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tiny_run(tmp_path_factory.mktemp("shown"), "--positions=waves")
    assert call("inspect", out, "--text", TEXT).status == 0
    return out


@pytest.fixture(scope="module")
def tape(run: Path) -> Tape:
    trained = load_run(run)
    return trace(sight_of(trained, TEXT))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


@pytest.fixture
def page(browser: Any, run: Path) -> Iterator[Any]:
    """The page, newly opened. At the end there is no console message and no network request."""
    look(browser, 1280, "light")
    yield from opened(browser, run / "inspect.html")


# -- the map and the nodes -------------------------------------------------------------------------


def test_modules_open_down_to_an_operation_whose_numbers_are_numpy_s(page: Any, tape: Tape) -> None:
    node = next(n for n in tape.graph.nodes if n.operation == "causal_attention")
    assert not page.find_elements("css selector", f"[data-node='{node.id}']")
    for path in ("transformer_blocks.0", "transformer_blocks.0.msha"):
        toggle = find(page, f"[data-path='{path}'] > .toggle")
        toggle.click()
        assert toggle.get_attribute("aria-expanded") == "true"
    find(page, f"[data-node='{node.id}']").click()
    assert find(page, "dialog h2").text == "causal_attention"
    for name, array in (("Value", node.value), ("Gradient", node.grad)):
        x = np.float64(array)
        want = {"norm": np.linalg.norm(x), "mean": x.mean(), "std": x.std(), "max": x.max()}
        for what, number in want.items():
            assert same(find(page, f"[data-figure='{name}-{what}']").text, number), what
    assert "dq = ds k / sqrt(d)" in texts(page, ".formula")
    rows = [row.split() for row in texts(page, "[data-part='source'] tbody tr")]
    norms = {name: gradient for *_, name, _, gradient in rows}
    for edge in tape.graph.edges:
        if edge.target == node.id:
            assert edge.grad is not None
            assert same(norms[edge.name], np.linalg.norm(edge.grad))
    assert find(page, "pre .back").text.strip() == "def vjp(dout):"


def test_gradients_beside_differences(page: Any, tape: Tape) -> None:
    node = tape.graph.nodes[0]
    find(page, "[data-path='embedding'] > .toggle").click()
    find(page, "[data-node='0']").click()
    rows = [
        row.find_elements("tag name", "td")
        for row in page.find_elements("css selector", ".checks tbody tr")
    ]
    assert len(rows) == 2
    for entry, analytic, numeric, _ in rows:
        assert node.grad is not None
        assert figure(analytic.text) == pytest.approx(
            float(node.grad[tuple(json.loads(entry.text))]), rel=1e-5
        )
        assert figure(numeric.text) == pytest.approx(figure(analytic.text), rel=1e-3, abs=1e-5)


def test_all_by_keys(page: Any) -> None:
    toggle = find(page, "[data-path='logits'] > .toggle")
    page.execute_script("arguments[0].focus()", toggle)
    press(page, "ENTER")
    assert toggle.get_attribute("aria-expanded") == "true"
    press(page, "TAB")
    press(page, "SPACE")
    assert find(page, "[data-path='logits.0'] > .toggle").get_attribute("aria-expanded") == "true"
    press(page, "TAB")
    press(page, "TAB")
    leaf = page.switch_to.active_element
    press(page, "ENTER")
    assert find(page, "dialog").get_attribute("open")
    press(page, "ESCAPE")
    assert not find(page, "dialog").get_attribute("open")
    assert page.switch_to.active_element == leaf
    page.execute_script("arguments[0].focus()", toggle)
    press(page, "ENTER")
    assert toggle.get_attribute("aria-expanded") == "false"


def test_the_text_is_one_stop_of_tab_and_goes_by_arrows(page: Any) -> None:
    stops = page.find_elements("css selector", "#attention button.sign:not([tabindex='-1'])")
    assert len(stops) == 1
    page.execute_script("arguments[0].focus()", stops[0])
    press(page, "ARROW_LEFT")
    press(page, "ARROW_LEFT")
    press(page, "ARROW_RIGHT")
    chosen = page.switch_to.active_element
    assert chosen.get_attribute("aria-label") == f"{TEXT[-2]}, position {len(TEXT) - 1}"
    assert chosen.get_attribute("aria-pressed") == "true"
    press(page, "ARROW_RIGHT")
    press(page, "ARROW_RIGHT")  # at the end already
    last = page.switch_to.active_element.get_attribute("aria-label")
    assert last == f"{TEXT[-1]}, position {len(TEXT)}"


def test_every_node_has_its_page(page: Any, tape: Tape) -> None:
    titles = page.execute_script("""
        return data.graph.nodes.map(node => {
            openNode(node.id)
            return dialog.querySelector('h2').textContent
        })""")
    assert titles == [tape.title(node) for node in tape.graph.nodes]


def test_the_way_back_plays_in_the_tape_s_order(page: Any, tape: Tape) -> None:
    order = [tape.graph.nodes[i].operation for i in tape.graph.backward_order]
    assert find(page, ".player output").text == f"{len(order)} steps backward"
    button(page, "Play").click()
    wait(lambda: int(find(page, ".player output").text.split()[0]) in range(3, len(order)))
    assert len(page.find_elements("css selector", ".map.playing .current")) == 1
    button(page, "backward").click()  # stops, and goes to the beginning
    said = page.execute_script("""
        const [next, output] = ['[aria-label="One step on"]', '.player output']
            .map(selector => document.querySelector(selector))
        return data.graph.order.map(() => {
            next.click()
            return output.textContent
        })""")
    starts = [f"{i + 1} of {len(order)}: {name}" for i, name in enumerate(order)]
    assert [s.split(" in ")[0].split(" gets ")[0] for s in said] == starts
    loss = tape.graph.nodes[-1]
    assert said[0].startswith(f"1 of {len(order)}: cross_entropy gets a gradient of norm 1, passes")
    assert loss.operation == "cross_entropy"
    assert not page.find_elements("css selector", ".map .box:not(.done)")
    find(page, "[aria-label='One step back']").click()
    assert find(page, ".player output").text.startswith(f"{len(order) - 1} of {len(order)}: ")


def test_edges_say_what_they_carry(page: Any, tape: Tape) -> None:
    add = next(n for n in tape.graph.nodes if n.operation == "add")
    norms = [np.linalg.norm(np.asarray(e.grad)) for e in tape.graph.edges if e.target == add.id]
    step = tape.graph.backward_order.index(add.id) + 1
    page.execute_script("document.querySelector('.player input').value = arguments[0]", step)
    page.execute_script("document.querySelector('.player input').dispatchEvent(new Event('input'))")
    said = [text.split() for text in texts(page, ".edges text")]
    assert [name for name, _ in said] == ["da", "db"]
    assert all(same(shown, x) for (_, shown), x in zip(said, norms, strict=True))
    assert len(page.find_elements("css selector", ".edges .current")) == 2


def test_the_way_forward(page: Any, tape: Tape) -> None:
    button(page, "forward").click()
    assert find(page, ".map").get_attribute("data-way") == "forward"
    operations = [n for n in tape.graph.nodes if n.operation]
    find(page, "[aria-label='One step on']").click()
    said = find(page, ".player output").text
    assert said.startswith(f"1 of {len(operations)}: embedding in embedding gives 1 ")
    assert same(said.split("norm ")[1], np.linalg.norm(np.asarray(operations[0].value)))


# -- attention, prediction and training ------------------------------------------------------------


def test_attention_of_a_head(page: Any, tape: Tape) -> None:
    node = next(n for n in tape.graph.nodes if n.operation == "causal_attention")
    sources = [e.source for e in tape.graph.edges if e.target == node.id]
    q, k, v = (np.asarray(tape.graph.nodes[i].value) for i in sources)
    assert node.grad is not None
    weights, grads = attention_weights(q, k, v, node.grad)
    find(page, ".heads [aria-label='transformer_blocks.0.msha, head 1']").click()
    find(page, "#attention button.sign[aria-label='g, position 4']").click()
    find(page, "#attention summary").click()
    rows = [row.split() for row in texts(page, "#attention tbody tr")]
    assert [row[0] for row in rows] == ["▷", "k", "i", "n", "g"]
    most = 1e-4 * float(np.abs(grads).max())  # the page rounds to 3e-5 of the largest
    for s, row in enumerate(rows):
        assert figure(row[2]) == pytest.approx(weights[0, 1, 4, s], abs=1e-4)
        assert figure(row[3]) == pytest.approx(grads[0, 1, 4, s], abs=most)


def test_state_of_a_unit(browser: Any, tmp_path: Path) -> None:
    out = tiny_run(tmp_path, "--mixer=rnn,mamba", "--num-blocks=2")
    assert call("inspect", out, "--text", TEXT).status == 0
    trained = load_run(out)
    node = next(n for n in trace(sight_of(trained, TEXT)).graph.nodes if n.operation == "rnn")
    look(browser, 1280, "light")
    for page in opened(browser, out / "inspect.html"):
        assert texts(page, "nav a")[1:3] == ["Attention", "State"]
        assert find(page, "#attention h3").text.endswith(".1.mixer, group of channels 0")
        slider = find(page, "#state input")
        page.execute_script("arguments[0].focus()", slider)
        press(page, "HOME")
        press(page, "ARROW_RIGHT")
        assert find(page, "#state h3").text == "transformer_blocks.0.mixer, unit 1"
        find(page, "#state summary").click()
        rows = [row.split() for row in texts(page, "#state tbody tr")]
        assert [row[0] for row in rows[:5]] == ["▷", "k", "i", "n", "g"]
        for column, array in ((2, node.value), (3, node.grad)):
            x = np.asarray(array)[0]
            most = 1e-4 * float(np.abs(x).max())  # the page rounds to 3e-5 of the largest
            shown = [figure(row[column]) for row in rows]
            assert shown == pytest.approx(x[:, 1].tolist(), abs=most)
        assert "attend" not in find(page, "#state").text
        page.execute_script("arguments[0].scrollIntoView()", find(page, "#state canvas.matrix"))
        find(page, "#state canvas.matrix").click()  # in its middle
        assert find(page, "#state h3").text == "transformer_blocks.0.mixer, unit 4"


def test_predictions_add_up_to_the_loss(page: Any, run: Path, tape: Tape) -> None:
    trained = load_run(run)
    ids = trained.tokenizer.row(TEXT)
    log_probs = trained.model.log_probs(ids[None, :-1]).data[0]
    find(page, "#prediction summary").click()
    cells = texts(page, "#prediction tbody td:nth-child(3)")
    losses = -log_probs[np.arange(len(cells)), ids[1:]]
    assert all(map(same, cells, losses))
    assert sum(map(figure, cells)) == pytest.approx(tape.loss, rel=1e-3)
    find(page, "#prediction button.sign[aria-label='k, position 0']").click()
    p = np.exp(np.sort(log_probs[0])[::-1][:5])
    assert texts(page, ".bar .figure") == [f"{x:.1%}" for x in p]


def test_the_training_s_numbers(page: Any, run: Path) -> None:
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    chart = find(page, ".chart")
    assert chart.find_element("tag name", "figcaption").text == "Nats per line, padding not counted"
    chart.find_element("tag name", "summary").click()
    rows = [row.text.split() for row in chart.find_elements("css selector", "tbody tr")]
    for row, epoch in zip(rows, epochs, strict=False):
        assert same(row[1], epoch["val_nll_no_pad"])
        assert same(row[2], epoch["train_nll"])
    assert [row[0] for row in rows[len(epochs) :]] == ["uniform", "unigram", "bigram"]


# -- widths and colours ----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_all_has_a_name(page: Any, width: int, scheme: str) -> None:
    look(page, width, scheme)
    for path in ("transformer_blocks.0", "transformer_blocks.0.msha"):
        page.execute_script("arguments[0].click()", find(page, f"[data-path='{path}'] > .toggle"))
    check_layout(page, scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tinted_characters_can_be_read(page: Any, scheme: str) -> None:
    look(page, 1280, scheme)
    shown = page.execute_script("""
        return [...document.querySelectorAll('#attention .sign, #prediction .sign[style]')]
            .filter(e => !e.matches('.beyond')).map(e => getComputedStyle(e))
            .map(style => [style.color, style.backgroundColor])""")
    assert len({background for _, background in shown}) > 10
    for colours in shown:
        dark, light = sorted(map(luminance, colours))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colours  # WCAG 2, level AA


def luminance(colour: str) -> float:
    """The luminance of `rgb(1, 2, 3)` or `color(srgb 0.1 0.2 0.3)`, as WCAG 2 defines it."""
    parts = [float(x) for x in re.findall(r"[\d.]+", colour)[:3]]
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
        for x in (p if colour.startswith("color(") else p / 255 for p in parts)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_chart_of_the_experts(browser: Any, tmp_path: Path) -> None:
    out = tiny_run(tmp_path, "--experts=4", "--active-experts=2")
    for page in opened(browser, out / "report.html"):
        chart = page.find_elements("css selector", ".chart")[-1]
        assert "fullest expert" in chart.find_element("tag name", "figcaption").text
        named = [t.text for t in chart.find_elements("css selector", ".tick") if t.text]
        assert {"block 0", "equal shares"} <= set(named)
        chart.find_element("tag name", "summary").click()
        rows = [row.text for row in chart.find_elements("css selector", "tbody tr")]
        assert rows[-1] == "equal shares 50.0%"


def test_the_training_s_own_report(browser: Any, run: Path) -> None:
    for page in opened(browser, run / "report.html"):
        assert texts(page, "nav a") == ["Training"]
        charts = page.find_elements("css selector", ".chart")
        assert len(charts) == 7
        layers = {"embedding", "positions", "block 0", "logits"}
        for chart, extra in ((charts[5], {"all"}), (charts[6], set())):
            named = [t.text for t in chart.find_elements("css selector", "text") if t.text]
            assert layers | extra == {name for name in named if name[0].isalpha()} - {"epoch 0"}
        written = (run / "samples" / "epoch_000.txt").read_text(encoding="utf-8").split("\n")
        assert texts(page, ".samples article:first-child li") == [
            " ".join(line.split()) for line in written[:8]
        ]
