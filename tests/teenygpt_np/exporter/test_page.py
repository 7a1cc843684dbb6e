"""The page to write with, in a real browser: its scores are those of the model."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from exported import random_run
from pages import button, chromium, find, look, opened, press, texts, wait
from running import SMALL, call, tiny_run

import minigrad as mg
from teenygpt_np.exporter.page import files, packed
from teenygpt_np.model.mixers.attention import attention_weights
from teenygpt_np.run_directory import TrainedRun, load_run

TEXT = "king plans"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tiny_run(tmp_path_factory.mktemp("page"), "--num-blocks=2")
    assert call("export", run, "--to=page").status == 0
    return run / "page.html"


@pytest.fixture(scope="module")
def rounded(file: Path) -> TrainedRun:
    """The run of that page."""
    return as_packed(load_run(file.parent))


def as_packed(run: TrainedRun) -> TrainedRun:
    """The run with its weights as the page has them."""
    for parameter in run.model.parameters():
        parts = {k: base64.b64decode(v) for k, v in packed(parameter.data).items()}
        if "int8" in parts:
            integers = np.frombuffer(parts["int8"], np.int8).reshape(parameter.shape)
            parameter.data = integers * np.frombuffer(parts["scale"], np.float32)[:, None]
    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Any]:
    look(browser, 1280, "light")
    yield from opened(browser, file)


def read(page: Any, number: int) -> None:
    """Wait until so many tokens are shown."""
    wait(lambda: page.execute_script("return text.children.length === arguments[0]", number))


def type_in(page: Any, text: str) -> None:
    area = find(page, "textarea")
    area.clear()
    area.send_keys(text)
    read(page, 1 + len(text))


@pytest.mark.parametrize(
    "settings",
    [{"positions": name} for name in ("rotary", "learned", "none")]
    + [{"num_heads": 8}, {"num_emb": 12, "num_heads": 2}],
)
def test_scores_and_attention_are_the_model_s(
    browser: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    run, file = random_run(**settings), tmp_path / "page.html"
    file.write_bytes(files(run, "int8")["page.html"])
    model, ids = as_packed(run).model, run.tokenizer.encode_prompt(TEXT)[None]
    with mg.no_grad():
        want = model(ids).data[0]
        x = model.embedding(ids)
        if model.positional_embedding:
            x = x + model.positional_embedding(np.arange(ids.shape[1]))
        found = []
        for block in model.transformer_blocks:
            mixer = block.mixer_module
            q, k, v = (p.data for p in mixer.projected(x, start=0 if mixer.rotary else None))
            found.append(attention_weights(q, k, v, v)[0][0, :, -1])
            x = block(x)
    look(browser, 1280, "light")
    for page in opened(browser, file):
        type_in(page, TEXT)
        scores = page.execute_script("return tokens.map(token => Array.from(token.scores))")
        shown = page.execute_script("return Array.from(tokens.at(-1).attention)")
    assert np.abs(want).max() > 0.1
    np.testing.assert_allclose(scores, want, atol=1e-4)
    np.testing.assert_allclose(np.reshape(shown, np.shape(found)), found, atol=1e-5)


def test_what_is_typed_differently_is_read_again(page: Any) -> None:
    """Only what has changed is, and the scores are those of the whole text all the same."""
    scores = "return tokens.map(token => Array.from(token.scores))"
    type_in(page, "queen plans rain")
    type_in(page, "queen wins")
    after = page.execute_script(scores)
    page.refresh()
    type_in(page, "queen wins")
    np.testing.assert_array_equal(page.execute_script(scores), after)


def written(page: Any) -> str:
    text: str = page.execute_script("return decode(tokens)")
    return text


def until_stopped(page: Any) -> None:
    wait(lambda: not page.execute_script("return writing"))


def test_the_same_seed_writes_the_same(page: Any, rounded: TrainedRun) -> None:
    type_in(page, "king ")
    found = []
    for _ in range(2):
        button(page, "Write").click()
        until_stopped(page)
        found.append(written(page))
    button(page, "Another").click()
    until_stopped(page)
    assert found[0] == found[1] != written(page)
    assert found[0].startswith("king ")
    assert "written" in find(page, "#write output[aria-live]").text
    assert len(found[0]) < rounded.model.num_tokens


def test_the_likeliest_at_temperature_0(page: Any, rounded: TrainedRun) -> None:
    page.execute_script("temperature.input.value = 0")
    type_in(page, "city")
    button(page, "Write").click()
    until_stopped(page)
    prompt = rounded.tokenizer.encode_prompt("city").tolist()
    ids = rounded.model.sample(1, 0.0, prompt=prompt, end=rounded.tokenizer.end)
    assert written(page) == rounded.tokenizer.decode(ids[0])


def test_shares_are_as_drawn(page: Any) -> None:
    """Of many draws from known scores."""
    drawn = page.execute_async_script("""
        const done = arguments[0]
        const code = data.worker + `
            const random = generator(7)
            const ids = Array.from({length: 4000}, () => choose([0, 1, 2, -1], 0.5, 3, random()))
            postMessage(ids)`
        new Worker(URL.createObjectURL(new Blob([code]))).onmessage = event => done(event.data)
    """)
    p = np.exp([0.0, 2.0, 4.0])
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, [*p / p.sum(), 0], atol=0.03)


def test_a_token_and_a_head_are_chosen_by_keys(page: Any) -> None:
    type_in(page, TEXT)
    find(page, "#write .sign[aria-pressed='true']").send_keys("")
    page.execute_script("text.lastChild.focus()")
    press(page, "ARROW_LEFT")
    heading = find(page, "#next h3")
    wait(lambda: heading.text == "After “▷king␣plan”")
    right = [bar.text for bar in page.find_elements("css selector", ".bar.right .sign")]
    assert right in ([], ["s"])
    heads = page.find_elements("css selector", ".gaze")
    assert len(heads) == 4
    heads[3].send_keys(" ")
    wait(lambda: find(page, "#attention h3").text == "Block 1, head 1: from n, position 9")
    assert texts(page, "#attention .sentence .sign") == ["▷", *TEXT[:9].replace(" ", "␣")]


def test_what_the_model_does_not_know_is_told(page: Any) -> None:
    area = find(page, "textarea")
    area.send_keys("KÍNG 7")
    wait(lambda: "read as spaces" in find(page, "p.note").text)
    assert find(page, "p.note").text.endswith(": 7")
    wait(lambda: written(page) == "king")


TYPED = [
    "\ufb01sh Stra\xdfe \u0130 \xc6 \xbd \u0141",
    "nai\u0308ve  a\tb ",
    " \u65e5 \U0001f600x",
    "\U0001d44f\xe9",
    "  ",
]
MANY = "na\xefve \u65e5\u672c\n\xe9t\xe9 b\xdf\nabcdefgh ijkl\n" * 8 + running.TEXT
ALPHABETS = {
    "article": (running.TEXT, []),
    "corpus": (
        "na\xefve \u65e5\u672c\n\xe9t\xe9 b\xdf\nabcdefgh ijkl\n" * 8 + running.TEXT,
        ["--alphabet=corpus"],
    ),
    "no spaces": ("".join(f"{a}{b}\n" for a in "abcdef" for b in "ghijkl"), ["--alphabet=corpus"]),
    "running": (running.TEXT, ["--text=running"]),
    "bytes": (running.TEXT, ["--tokenizer=bytes"]),
}


@pytest.mark.parametrize("name", ALPHABETS)
def test_a_beginning_is_read_as_in_python(browser: Any, tmp_path: Path, name: str) -> None:
    content, flags = ALPHABETS[name]
    (tmp_path / "text.txt").write_text(content, encoding="utf-8")
    run = tmp_path / "run"
    flags = [*SMALL, "--batch-size=4", "--max-steps=1", "--quiet", *flags]
    assert call("train", "--data", tmp_path / "text.txt", "--out", run, *flags).status == 0
    assert call("export", run, "--to=page").status == 0
    tokenizer = load_run(run).tokenizer
    look(browser, 1280, "light")
    for page in opened(browser, run / "page.html"):
        for text in TYPED:
            folded = tokenizer.fold_part(text)
            want = tokenizer.encode_prompt(folded.text)[0 if tokenizer.running else 1 :].tolist()
            found = page.execute_script("return encode(arguments[0])", text)
            assert found["ids"] == (want if folded.text else []), text
            lost = [character for character in found["lost"] if character != "spaces"]
            assert lost == list(folded.replaced), text


def test_a_long_beginning_is_cut_and_told(page: Any) -> None:
    find(page, "textarea").send_keys("x" * 40)
    wait(lambda: find(page, "p.note").text == "cut to 22 tokens, so that one can follow")
    wait(lambda: written(page) == "x" * 22)
    button(page, "One token").click()
    until_stopped(page)
    assert len(written(page)) <= 23


def test_a_seed_is_a_whole_number(page: Any) -> None:
    for given, taken in {"-5": "0", "1.5": "1", "4294967296": "4294967295", "7": "7"}.items():
        field = find(page, "input[aria-label='Seed']")
        field.clear()
        field.send_keys(given)
        page.execute_script("seed.dispatchEvent(new Event('change'))")
        assert page.execute_script("return seed.value") == taken


def test_bytes(browser: Any, tmp_path: Path) -> None:
    """Ids are those of the tokenizer, also of letters of several bytes, and come back as text."""
    run = tiny_run(tmp_path, "--tokenizer=bytes")
    assert call("export", run, "--to=page").status == 0
    look(browser, 1280, "light")
    for page in opened(browser, run / "page.html"):
        find(page, "textarea").send_keys("Čau")
        read(page, 5)
        shown = page.execute_script("return tokens.map(token => token.id)")
        assert shown == load_run(run).tokenizer.encode_prompt("Čau").tolist()
        assert written(page) == "Čau"


def test_running_text_goes_on_past_the_window(browser: Any, tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "--text=running")
    assert call("export", run, "--to=page").status == 0
    look(browser, 1280, "light")
    for page in opened(browser, run / "page.html"):
        find(page, "textarea").send_keys("king")
        read(page, 4)
        button(page, "Write").click()
        until_stopped(page)
        assert page.execute_script("return tokens.length") == 504
        first, size = page.execute_script("return [tokens.at(-1).start, model.most]")
        assert 504 - size <= first < 504


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_any_screen(page: Any, width: int, scheme: str) -> None:
    look(page, width, scheme)
    type_in(page, TEXT)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


def unpacked(parts: dict[str, str], shape: tuple[int, ...]) -> Any:
    integers = np.frombuffer(base64.b64decode(parts["int8"]), np.int8).reshape(shape)
    return integers * np.frombuffer(base64.b64decode(parts["scale"]), np.float32)[:, None]


def test_rows_are_within_half_a_step(rng: np.random.Generator) -> None:
    array = rng.standard_normal((5, 40)).astype(np.float32)
    array[3], array[4] = 0, np.abs(array[4])
    step = np.abs(array).max(axis=1, keepdims=True) / 127
    error = np.abs(unpacked(packed(array), array.shape) - array)
    assert (error <= step * 0.5001).all()
    assert (error > step * 0.4).any()


def test_ternary_weights_are_as_they_are_used() -> None:
    run = random_run(weights="ternary")
    [content] = files(run, "int8").values()
    found = re.search(rb'"transformer_blocks.0.mlp.0.weight":({[^}]*})', content)
    assert found
    weight = run.model.effective_state()["transformer_blocks.0.mlp.0.weight"]
    np.testing.assert_allclose(unpacked(json.loads(found[1]), weight.shape), weight, rtol=1e-6)


def test_refused(tmp_path: Path) -> None:
    for flags, message in (
        (["--mixer=rnn"], "mixer is rnn, wanted attention"),
        (["--experts=2"], "experts is 2, wanted 1"),
        (["--objective=masked"], "fills in masked tokens, wanted one that writes"),
        (["--tokenizer=bpe", "--vocab-size=280"], "tokenizer is bpe, wanted characters or bytes"),
    ):
        folder = tmp_path / flags[0]
        folder.mkdir()
        run = tiny_run(folder, *flags)
        call("export", run, "--to=page").assert_refused(message)
        assert not (run / "page.html").exists()
