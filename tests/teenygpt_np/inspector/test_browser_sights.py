"""The inspector's page of encoders, encoder-decoders and classifiers, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kinds import TEXTS, runs_of_each_kind
from pages import check_layout, chromium, figure, find, look, opened, press, same, texts
from running import call

from teenygpt_np.inspector.sights import sight_of
from teenygpt_np.inspector.tape import trace
from teenygpt_np.model.encoder_decoder import CrossAttention
from teenygpt_np.run_directory import load_run

KINDS = ("masked", "pairs", "labels")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = runs_of_each_kind(tmp_path_factory.mktemp("shown"))
    for kind in KINDS:
        assert call("inspect", found[kind], "--text", TEXTS[kind]).status == 0
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


def page_of(browser: Any, run: Path, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
    look(browser, width, scheme)
    yield from opened(browser, run / "inspect.html")


def signs(page: Any, selector: str) -> str:
    return "".join(texts(page, f"{selector} .sign"))


def test_cross_attention_goes_from_target_to_source(browser: Any, runs: dict[str, Path]) -> None:
    tape = trace(sight_of(load_run(runs["pairs"]), TEXTS["pairs"]))
    [(name, cross)] = [(n, m) for n, m in tape.ran() if isinstance(m, CrossAttention)]
    nodes = [n for n in tape.graph.nodes if n.operation and cross in n.scope]
    maps = cross.attention_maps(tape.graph, nodes)
    assert maps
    weights, grads = maps
    for page in page_of(browser, runs["pairs"]):
        assert texts(page, ".heads .kind") == [
            "encoder_blocks.0: source",
            "decoder_blocks.0: target",
            "decoder_blocks.0: target to source",
        ]
        assert signs(page, "#attention .sentence[role='group']") == "▷king␣wins⏎"
        assert not page.find_elements("css selector", "#attention .beyond")
        find(page, f".heads [aria-label='{name}, head 1']").click()
        assert "The character of the target that attends" in texts(page, "#attention p.label")
        assert signs(page, "#attention .sentence[role='group']") == "▷sniw␣gnik"
        assert signs(page, "#attention .sentence[aria-label='Attention weights']") == "▷king␣wins⏎"
        find(page, "#attention button.sign[aria-label='n, position 2']").click()
        find(page, "#attention summary").click()
        rows = [row.split() for row in texts(page, "#attention tbody tr")]
        assert [row[0] for row in rows] == list("▷king␣wins⏎")
        most = 1e-4 * float(np.abs(grads).max())  # the page rounds to 3e-5 of the largest
        for s, row in enumerate(rows):
            assert figure(row[2]) == pytest.approx(weights[1, 2, s], abs=1e-4)
            assert figure(row[3]) == pytest.approx(grads[1, 2, s], abs=most)
        find(page, ".heads [aria-label='decoder_blocks.0.msha, head 0']").click()
        assert len(page.find_elements("css selector", "#attention .beyond")) == 2 * len("iw␣gnik")
        shown = find(page, "#attention figcaption").text
        assert shown.endswith("how much character t of the target attends to each one up to itself")


def test_what_a_target_s_loss_is_sensitive_to(browser: Any, runs: dict[str, Path]) -> None:
    for page in page_of(browser, runs["pairs"]):
        labels = [t for t in texts(page, "#prediction p.label") if "sensitive" in t]
        assert [t.rpartition("each ")[2] for t in labels] == [
            "character of the target",
            "character of the source",
        ]
        find(page, "#prediction button.sign[aria-label='n, position 1']").click()
        assert find(page, "#prediction h3").text.startswith("n after “▷s”: ")
        strips = page.find_elements("css selector", "#prediction [role='img'].sentence")
        beyond = [len(strip.find_elements("css selector", ".beyond")) for strip in strips]
        assert beyond == [len("niw␣gnik"), 0]


def test_what_is_hidden_is_chosen_and_filled_in(browser: Any, runs: dict[str, Path]) -> None:
    prediction = sight_of(load_run(runs["masked"]), TEXTS["masked"]).prediction()
    for page in page_of(browser, runs["masked"]):
        assert signs(page, "#attention .sentence[role='group']") == "▷king␣▒▒ans␣r▒in⏎"
        assert not page.find_elements("css selector", ".beyond")
        choices = page.find_elements("css selector", "#prediction button.sign")
        assert [c.get_attribute("aria-label") for c in choices] == [
            "p, position 6",
            "l, position 7",
            "a, position 13",
        ]
        assert signs(page, "#prediction .sentence[role='group']") == "▷king␣plans␣rain⏎"
        choices[0].click()
        press(page, "ARROW_RIGHT")
        press(page, "ARROW_RIGHT")
        assert page.switch_to.active_element == choices[2]
        wanted = prediction.positions[2]
        assert find(page, "#prediction h3").text.startswith(f"{wanted.title}: ")
        assert texts(page, ".bar .sign") == [sign for sign, _ in wanted.top]
        assert texts(page, ".bar .figure") == [f"{p:.1%}" for _, p in wanted.top if p is not None]
        find(page, "#prediction summary").click()
        cells = [row.split() for row in texts(page, "#prediction tbody tr")]
        assert [row[:3] for row in cells] == [
            ["6", "p", "▒"],
            ["7", "l", "▒"],
            ["13", "a", "▒"],
        ]
        assert all(same(row[3], p.loss) for row, p in zip(cells, prediction.positions, strict=True))


def test_the_classes_of_a_text(browser: Any, runs: dict[str, Path]) -> None:
    [position] = sight_of(load_run(runs["labels"]), TEXTS["labels"]).prediction().positions
    for page in page_of(browser, runs["labels"]):
        assert not page.find_elements("css selector", "#prediction button.sign")
        assert texts(page, ".bar .sign") == [name for name, _ in position.top]
        assert find(page, ".bar.right .sign").text == position.sign == position.top[0][0]
        heading = find(page, "#prediction h3").text
        assert heading.startswith(f"{position.sign}: ")
        strip = find(page, "#prediction [role='img'].sentence")
        cells = strip.find_elements("css selector", ".sign")
        assert "".join(cell.text for cell in cells) == "▷king␣plans␣rain⏎"
        assert len({cell.get_attribute("style") for cell in cells}) > 3
        widths = [bar.size["width"] for bar in page.find_elements("css selector", ".track")]
        assert len(set(widths)) == 1


def test_what_lora_adds_is_a_table(browser: Any, runs: dict[str, Path], tmp_path: Path) -> None:
    out, data = tmp_path / "tuned", runs["next"].parent / "lines.txt"
    flags = ["--lora-rank=2", "--lora-on=q,out", "--epochs=1", "--lr=0.1", "--quiet"]
    assert call("finetune", runs["next"], "--data", data, "--out", out, *flags).status == 0
    assert call("inspect", out, "--text", TEXTS["next"]).status == 0
    model = load_run(out).model
    for page in page_of(browser, out):
        assert texts(page, "nav a")[1] == "What LoRA adds"
        rows = [row.split() for row in texts(page, "#lora tbody tr")]
        assert [row[0] for row in rows] == list(model.lora.pairs)
        for row in rows:
            pair = model.lora.pairs[row[0]]
            product = pair.scale * pair.lora_B.data @ pair.lora_A.data
            assert row[1] == "2"
            assert same(row[3], np.linalg.norm(product))
        assert texts(page, ".map .names strong")[:2] == ["embedding", "lora"]
        check_layout(page, "light")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off(
    browser: Any, runs: dict[str, Path], kind: str, width: int, scheme: str
) -> None:
    for page in page_of(browser, runs[kind], width, scheme):
        for _ in range(2):  # the blocks, then what is in them
            for toggle in page.find_elements(
                "css selector", "[data-path*='blocks.'] > .toggle[aria-expanded='false']"
            ):
                page.execute_script("arguments[0].click()", toggle)
        check_layout(page, scheme)
