"""The C sources compute what their twin in Python does, and that what the model does."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import (
    checked,
    compiled,
    needs_gcc,
    random_run,
    run_program,
    with_short_texts,
    written,
)
from hypothesis import given
from hypothesis import strategies as st
from running import call, tiny_run, write_corpus

import minigrad as mg
from minigrad import Array
from teenygpt_np.errors import InputError
from teenygpt_np.exporter import c, c_sources
from teenygpt_np.exporter.twin import MIXER_TWINS
from teenygpt_np.exporter.twin.counting import float_operations
from teenygpt_np.exporter.twin.matrices import TernaryMatrix
from teenygpt_np.exporter.twin.model import nats, write
from teenygpt_np.model.mixers import MIXERS
from teenygpt_np.run_directory import TrainedRun, load_run
from teenygpt_np.text.bpe import BpeTokenizer
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.characters import CharacterTokenizer

# Each way to keep weights with each to keep keys and values.
KEPT = [(w, cache) for w in ("float32", "int8") for cache in ("float32", "float16", "int8")]
POSITIONS = ("rotary", "learned")


def twin_logits(run: TrainedRun, ids: Array, *kept: str) -> Array:
    twin = c.twin_of(run, *kept)
    state = twin.start(len(ids))
    return np.stack([twin.step(column, state) for column in ids.T], axis=1)


def model_logits(run: TrainedRun, ids: Array) -> Array:
    with mg.no_grad():
        return run.model(ids).data


def some_ids(run: TrainedRun, rows: int = 3) -> Array:
    shape = rows, run.config.num_tokens
    return np.random.default_rng(1).integers(0, run.model.num_token_vals, shape)


def texts_of(run: TrainedRun, *kept: str) -> list[list[int]]:
    tokenizer = run.tokenizer
    begin = int(tokenizer.encode_prompt("")[0])
    settings: Any = {"begin": begin, "end": tokenizer.end, "temperature": c.TEMPERATURE}
    return write(c.twin_of(run, *kept), range(c.SEED, c.SEED + 10), **settings)


# -- the twin and the model ------------------------------------------------------------------------


@pytest.mark.parametrize("positions", ["auto", "learned"])
@pytest.mark.parametrize("mixer", [*MIXER_TWINS, "mamba,attention", "attention,retnet,s4"])
def test_the_twin_in_float32_is_the_model(mixer: str, positions: str) -> None:
    run = random_run(mixer=mixer, positions=positions, num_blocks=3)
    ids = some_ids(run)
    np.testing.assert_allclose(twin_logits(run, ids, "float32"), model_logits(run, ids), atol=1e-4)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("kept", KEPT)
def test_quantizing_costs_little(kept: tuple[str, str], positions: str) -> None:
    run = random_run(positions=positions)
    ids = some_ids(run)
    error = np.abs(twin_logits(run, ids, *kept) - model_logits(run, ids)).max()
    most = 1e-4 if kept == ("float32", "float32") else 0.01 if "int8" not in kept else 0.3
    assert error < most
    assert kept == ("float32", "float32") or error > 1e-5


@pytest.mark.parametrize(
    "settings",
    [
        {"num_neurons": 33},  # 528 hidden units, in slices of 512 and 16
        {"num_emb": 9, "num_heads": 3, "num_neurons": 1},
        {"num_emb": 12, "num_heads": 2},
        {"num_heads": 8},
        {"positions": "none"},
        {"objective": "joint"},
        {"num_blocks": 1, "num_heads": 1},
    ],
)
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_other_sizes(settings: dict[str, Any], weights: str) -> None:
    run = random_run(**settings)
    ids = some_ids(run)
    atol = 1e-4 if weights == "float32" else 0.5
    np.testing.assert_allclose(twin_logits(run, ids, weights), model_logits(run, ids), atol=atol)


def test_twins_are_of_mixers() -> None:
    assert MIXER_TWINS.keys() <= MIXERS.keys()


def test_operations_are_counted() -> None:
    """Two for each weight and one for each bias; and those of what is not a product."""
    run = random_run(mixer="rnn", num_blocks=1)
    twin = c.twin_of(run, "float32")
    products = sum(2 * m.inputs * m.outputs for m in c_sources.matrices(twin))
    D, H, V = 16, 48, 29
    biases, tanh, gelu, norm = 3 * D + H + V, 33 * D, 53 * H, 8 * D + 3
    others = biases + D + tanh + 2 * norm + gelu
    assert float_operations(twin, 3) == products + others
    assert float_operations(c.twin_of(run, "int8"), 3) < 0.4 * float_operations(twin, 3)


def test_all_blocks_turn_by_one_table() -> None:
    """Of T positions and half a head, cos and sin; for each block that is 6 operations a pair."""
    settings: Any = {"mixer": "attention,mamba,attention", "num_blocks": 3}
    twin, plain = (
        c.twin_of(random_run(positions=p, **settings), "int8") for p in ("rotary", "none")
    )
    sizes = [c_sources.weights(t, [b""] * t.vocab, {})[1] for t in (twin, plain)]
    T, D, d = 20, 16, 4
    assert sizes[0] - sizes[1] == 4 * 2 * T * d // 2
    assert float_operations(twin, 3) - float_operations(plain, 3) == 2 * 6 * 2 * D // 2
    assert c_sources.ram_bytes(twin) == c_sources.ram_bytes(plain)
    assert twin.ends
    assert twin.positions is None


# -- the C and the twin ----------------------------------------------------------------------------


@needs_gcc
@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("mixer", [*list(MIXER_TWINS)[1:], "mamba,attention", "convolution,gru"])
def test_every_bit_is_the_twin_s(tmp_path: Path, mixer: str, weights: str) -> None:
    run = random_run(mixer=mixer)
    out = checked(tmp_path, run, weights)
    texts = texts_of(run, weights)
    assert out == "".join(f"{run.tokenizer.decode(ids)}\n" for ids in texts)
    assert len(set(out.splitlines())) > 5


@needs_gcc
@pytest.mark.parametrize(
    "mixer", ["attention", "retnet,convolution", "linear-attention,rnn", "mamba,s4", "rwkv,gru"]
)
def test_every_bit_is_the_twin_s_with_ternary_weights(tmp_path: Path, mixer: str) -> None:
    """Rows of 16, 48 and 528 numbers: in the last byte of each are others than five."""
    run = random_run(mixer=mixer, weights="ternary", num_neurons=33)
    checked(tmp_path, run, "ternary")
    ids = some_ids(run)
    np.testing.assert_allclose(twin_logits(run, ids, "ternary"), model_logits(run, ids), atol=1e-4)
    twin, plain = c.twin_of(run, "ternary"), c.twin_of(run, "float32")
    sizes = [c_sources.weights(t, [b""] * t.vocab, {})[1] for t in (twin, plain)]
    assert sizes[0] < sizes[1] / 5


def test_ternary_weights_are_those_that_were_learned_so() -> None:
    with pytest.raises(InputError, match="--weights is ternary, wanted float32 or int8"):
        c.twin_of(random_run(), "ternary")


@given(st.integers(1, 4), st.integers(1, 17), st.integers(0, 2**31))
def test_five_numbers_in_a_byte(outputs: int, inputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signs = rng.integers(-1, 2, (outputs, inputs)).astype(np.float32)
    scales = rng.random((outputs, 1)).astype(np.float32) + 0.5
    matrix = TernaryMatrix(signs * scales)
    rows, found = matrix.arrays["rows"], []
    assert rows is not None
    for row in rows:
        digits = [(int(byte) + 121) // 3**k % 3 - 1 for byte in row for k in range(5)]
        assert not any(digits[inputs:])
        found.append(digits[:inputs])
    np.testing.assert_array_equal(found, signs)


@needs_gcc
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("kept", KEPT)
def test_every_bit_is_the_twin_s_with_a_cache(
    tmp_path: Path, kept: tuple[str, str], positions: str
) -> None:
    checked(tmp_path, random_run(positions=positions), *kept)


@needs_gcc
@pytest.mark.parametrize(
    "settings",
    [
        {"num_neurons": 33},
        {"num_emb": 9, "num_heads": 3, "num_neurons": 1},
        {"num_emb": 12, "num_heads": 2},
        {"num_heads": 8},
        {"positions": "none"},
        {"mixer": "rnn", "positions": "learned"},
        {"objective": "joint"},
    ],
)
def test_other_sizes_in_c(tmp_path: Path, settings: dict[str, Any]) -> None:
    checked(tmp_path, random_run(**settings), "int8")


@needs_gcc
@pytest.mark.parametrize(
    "tokenizer",
    [
        CharacterTokenizer('a"\\?é中\x7f😀 ', running=True),
        ByteTokenizer(),
        BpeTokenizer(running=True, merges=((97, 98), (256, 32))),
    ],
)
def test_tokenizers(tmp_path: Path, tokenizer: Any) -> None:
    """Their texts come out in bytes of UTF-8; the byte 0 is nothing."""
    run = random_run(tokenizer, num_tokens=40, text="running" if tokenizer.running else "lines")
    out = checked(tmp_path, run, "int8").encode("utf-8", "surrogateescape")
    texts = texts_of(run, "int8")
    pieces = getattr(tokenizer, "pieces", None)
    if pieces is None:
        want = ["".join(tokenizer.characters[i - 1] for i in ids if i < 10) for ids in texts]
        assert out.decode() == "".join(f"{text}\n" for text in want)
    else:
        kept = [b"".join(pieces[i] for i in ids if 0 < i < len(pieces)) for ids in texts]
        assert out == b"".join(text + b"\n" for text in kept)


@needs_gcc
def test_the_program(tmp_path: Path) -> None:
    run = random_run()
    program = compiled(written(tmp_path, run, "int8"))
    twin, tokenizer = c.twin_of(run, "int8"), run.tokenizer
    settings: Any = {"begin": tokenizer.begin, "end": tokenizer.end}
    for temperature, top_k in ((0.5, 3), (0, 0), (2, 1000)):
        want = write(twin, [7, 8], temperature=temperature, top_k=top_k, **settings)
        flags = ["-s", "7", "-n", "2", "-t", str(temperature), "-k", str(top_k)]
        status, out, _ = run_program(program, *flags)
        assert (status, out) == (0, "".join(f"{tokenizer.decode(ids)}\n" for ids in want))
    for wrong in (
        ["-n"],
        ["-n", "x"],
        ["-t", "-1"],
        ["-t", "nan"],
        ["-z", "1"],
        ["-s", f"-{2**64 - 1}"],
    ):
        status, out, err = run_program(program, *wrong)
        assert (status, out) == (2, "")
        assert err.startswith(
            f"{wrong[0]} {''.join(wrong[1:]) if wrong[0] != '-z' else ''} is no setting\nusage: "
        )
    assert run_program(program, "check", "none")[0] == 1
    golden = (tmp_path / "golden.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    for kind in ("read", "write"):
        rest = "".join(line for line in golden if not line.startswith(kind))
        (tmp_path / "half.txt").write_text(rest, encoding="utf-8")
        told = (1, "", "half.txt has nothing to compare, or not all of it\n")
        assert run_program(program, "check", "half.txt") == told
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            for arguments in ([], ["check"]):
                done = subprocess.run(
                    [program, *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE
                )
                assert (done.returncode, done.stderr) == (1, b"the output can't be written\n")
    assert re.fullmatch(r"\d+ tokens/s\n", run_program(program, "speed")[1])


@needs_gcc
def test_damage_is_noticed(tmp_path: Path) -> None:
    """In each array of the weights, and in each kind of line of golden.txt."""
    folder = written(tmp_path, random_run(), "int8")
    header = (folder / "weights.h").read_text(encoding="utf-8")
    golden = (folder / "golden.txt").read_text(encoding="utf-8")
    for array in ("embedding_rows", "ROTARY_COS", "block1_mlp2_scales", "logits_bias"):
        start = header.index("{", header.index(f" {array}["))
        place = re.compile(r"[0-8](?=[\d.]*f?,)").search(header, start)
        assert place
        digit = str(int(place[0]) + 1)
        wrong = header[: place.start()] + digit + header[place.end() :]
        (folder / "weights.h").write_text(wrong, encoding="utf-8")
        told = run_program(compiled(folder, flags=""), "check")
        assert told == (1, "", "the weights are damaged\n"), array
    (folder / "weights.h").write_text(header, encoding="utf-8")
    program = compiled(folder, flags="")
    assert run_program(program, "check")[0] == 0
    for line in (r"^read \d+ (.)", r"^write \d+ \w+ 0 (\d)", r"^write .* (\d)$"):
        place = re.compile(line, re.MULTILINE).search(golden)
        assert place
        wrong = (
            golden[: place.start(1)] + ("1" if place[1] != "1" else "2") + golden[place.end(1) :]
        )
        (folder / "golden.txt").write_text(wrong, encoding="utf-8")
        status, _, err = run_program(program, "check")
        assert (status, err.count("differs from the file's")) == (1, 1), line


# -- boards ----------------------------------------------------------------------------------------

needs_arm = pytest.mark.skipif(
    not shutil.which("arm-none-eabi-gcc"), reason="arm-none-eabi-gcc is not installed"
)


def linked(folder: Path, board: str) -> subprocess.CompletedProcess[str]:
    flags = "CFLAGS=-Werror"
    command = ["make", "--silent", flags, f"{board}.elf"]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")


@needs_arm
@pytest.mark.parametrize(
    ("preset", "cache", "board", "message"),
    [
        ("tiny", "int8", "rp2040", ""),
        ("small", "int8", "rp2040", ""),
        ("small", "int8", "stm32f405", ""),
        ("small", "float16", "stm32f405", "region `ram' overflowed"),
    ],
)
def test_it_fits_a_board(tmp_path: Path, preset: str, cache: str, board: str, message: str) -> None:
    sizes: Any = {
        "tiny": {"num_emb": 64, "num_blocks": 2},
        "small": {"num_emb": 96, "num_blocks": 4},
    }
    run = random_run(num_tokens=128, num_heads=8, num_neurons=4, **sizes[preset])
    done = linked(written(tmp_path, with_short_texts(run), "int8", cache), board)
    assert (done.returncode == 0) == (message == ""), done.stderr
    assert message in done.stderr
    if not message:
        assert done.stderr == ""


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard"])
def test_no_doubles_and_little_stack(tmp_path: Path, core: str) -> None:
    folder = written(tmp_path, random_run(mixer="attention,mamba"), "int8")
    flags = "-std=c99 -O2 -Wall -Wextra -Wpedantic -Wdouble-promotion -Wconversion -Werror"
    command = f"arm-none-eabi-gcc {flags} -Wstack-usage=192 --specs=picolibc.specs -c teenygpt.c"
    command += f" -ffp-contract=off -mcpu={core}"
    subprocess.run(command.split(), cwd=folder, check=True)
    symbols = ["arm-none-eabi-nm", "--undefined-only", "teenygpt.o"]
    needed = subprocess.run(symbols, cwd=folder, check=True, capture_output=True, encoding="ascii")
    names = {line.split()[-1] for line in needed.stdout.splitlines()}
    own = {name for name in names if not name.startswith("__")}
    assert own <= {"sqrtf", "memcpy", "memmove", "memset"}
    assert not {name for name in names if re.match(r"__aeabi_(d|f2d|i2d|ui2d|l2d)", name)}


@needs_arm
@pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="qemu-system-arm is not installed")
@pytest.mark.parametrize("kept", [("int8", "int8"), ("float32", "float16")])
def test_a_board_writes_the_same_texts(tmp_path: Path, kept: tuple[str, str]) -> None:
    """On a Cortex-M3, emulated."""
    run = random_run(mixer="attention,mamba")
    folder = written(tmp_path, run, *kept)
    command = ["make", "--silent", "emulated"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=100
    )
    want = "".join(f"{run.tokenizer.decode(ids)}\n" for ids in texts_of(run, *kept))
    assert done.stdout.decode().replace("\r\n", "\n") == want, done.stderr


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("exported"))


def test_export(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("export", trained, "--to=c", "--weights=int8", "--out", out)
    assert (done.status, done.err) == (0, "")
    sizes, told = done.out.splitlines()
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == c.files(load_run(trained), "int8").keys()
    assert sizes == f"{out}: {sum((out / name).stat().st_size for name in files):,} bytes"
    found = re.fullmatch(
        r"nats per line, 6 of the validation split: (\S+); the model as it was trained: (\S+)",
        told,
    )
    assert found, told
    assert float(found[1]) == pytest.approx(float(found[2]), abs=0.3)
    readme, header = ((out / n).read_text(encoding="utf-8") for n in ("README.md", "weights.h"))
    for name in ("RAM_BYTES", "WEIGHT_BYTES"):
        size = re.search(rf"TEENYGPT_{name} (\d+)", header)
        assert size
        assert f"| {int(size[1]):,} |" in readme
    for name in ("teenygpt", "rp2040.elf"):  # as its Makefile would
        (out / name).touch()
    assert call("export", trained, "--to=c", "--out", out).status == 0  # over its own files
    (out / "notes.txt").touch()
    call("export", trained, "--to=c", "--out", out).assert_refused("holds notes.txt, which is not")


def test_nats_are_those_of_the_model(trained: Path) -> None:
    run, twin = load_run(trained), c.twin_of(load_run(trained), "float32")
    ids = some_ids(run, 4)
    counted = np.arange(ids.shape[1]) < np.array([[24], [3], [10], [2]])
    losses = run.model.loss(ids, counted, reduction="none").data.sum(axis=1)
    np.testing.assert_allclose(nats(twin, ids, counted), losses, rtol=1e-5)


def test_without_its_text_it_is_not_scored(trained: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(trained, tmp_path / "run")
    run = load_run(copy)
    gone = dataclasses.replace(run, config=dataclasses.replace(run.config, data="/none.txt"))
    told = c.told(gone, tmp_path, "int8")
    assert told == "not scored: /none.txt, the text of the run, is not there"
    (tmp_path / "other.txt").write_text(
        "".join(f"{letter}\n" for letter in "abcdefghijklmnopq"), encoding="utf-8"
    )
    config = dataclasses.replace(run.config, data=str(tmp_path / "other.txt"))
    told = c.told(dataclasses.replace(run, config=config), tmp_path, "int8")
    assert told == "not scored: other.txt has changed since the run was trained on it"
    (tmp_path / "other.txt").write_text("one\n", encoding="utf-8")
    told = c.told(dataclasses.replace(run, config=config), tmp_path, "int8")
    assert re.fullmatch("not scored: .*other.txt has 1 distinct lines, wanted at least .*", told)


def test_what_lora_adds_is_in_it(trained: Path, tmp_path: Path) -> None:
    tuned, data = tmp_path / "tuned", write_corpus(tmp_path)
    flags = ["--lora-rank=2", f"--data={data}", "--epochs=1", "--lr=0.1", "--quiet"]
    assert call("finetune", trained, *flags, "--out", tuned).status == 0
    run, base = load_run(tuned), load_run(trained)
    ids = some_ids(run)
    own = twin_logits(run, ids, "float32")
    np.testing.assert_allclose(own, model_logits(run, ids), atol=1e-4)
    assert np.abs(own - model_logits(base, ids)).max() > 1e-2


def test_refused(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("export", trained, "--to=safetensors", "--cache=int8").assert_refused(
        "--cache is for --to c, and --to is safetensors"
    )
    call("export", trained, "--to=safetensors", "--weights=int8").assert_refused("wanted float32")
    call("export", trained, "--to=c", "--cache=int4").assert_refused("int4.*choose from.*float16")
    (tmp_path / "file").touch()
    call("export", trained, "--to=c", "--out", tmp_path / "file").assert_refused("a file; wanted")
    experts = tiny_run(tmp_path, "--experts=2")
    call("export", experts, "--to=c", "--out", out).assert_refused("experts is 2, wanted 1")
    assert not out.exists()


@pytest.mark.parametrize(
    ("settings", "kept", "message"),
    [
        (
            {"objective": "pairs", "text": "pairs"},
            ("int8",),
            "the run is an encoder and a decoder, wanted one",
        ),
        ({"objective": "masked"}, ("int8",), "the run fills in masked tokens, wanted one"),
        ({"mixer": "rnn"}, ("int8", "int8"), "--cache is for attention, and mixer is rnn"),
    ],
)
def test_models_that_are_refused(
    settings: dict[str, Any], kept: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        c.files(random_run(**settings), *kept)


def test_what_has_no_twin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = random_run(mixer="attention,rnn")
    monkeypatch.delitem(MIXER_TWINS, "rnn")
    with pytest.raises(InputError, match=r"mixer is rnn, wanted attention, .* with --to c"):
        c.files(run, "int8")


def test_sums_of_32_bits_are_not_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    run = random_run()
    [kind] = {type(m) for m in c_sources.matrices(c.twin_of(run, "int8"))}
    monkeypatch.setattr(kind, "most_inputs", 47)
    with pytest.raises(InputError, match="a matrix has 48 inputs, wanted at most 47"):
        c.twin_of(run, "int8")


def test_weights_that_overflow_are_refused() -> None:
    run = random_run()
    run.model.logits.layers[0].bias.data = np.full(29, 3e38, np.float32)
    run.model.logits.layers[0].weight.data = np.full((29, 16), 3e38, np.float32)
    with pytest.raises(InputError, match="logits are NaN or infinite"):
        c.files(run, "float32")
