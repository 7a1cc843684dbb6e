"""safetensors files: what is written is read, by us and by others; a damaged one is refused."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import call, tiny_run, write_corpus

from teenygpt_np.errors import InputError
from teenygpt_np.exporter.safetensors import packed, read
from teenygpt_np.run_directory import load_run

ARRAYS: dict[str, Any] = {
    "logits.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "half": np.array([1, 0.5, -65504], np.float16),
    "empty": np.zeros((0, 4), np.float32),
    "single": np.array(3, np.float32),
}
METADATA = {"format": "pt", "text": "É\n中"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def exported(run: Path, tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    assert call("export", run, "--to=safetensors", "--out", file).status == 0
    return file


def score(run: Path, data: Path) -> Any:
    done = call("evaluate", run, "--data", data, "--json")
    assert done.status == 0, done
    return json.loads(done.out)["model"]


# -- the format ------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(packed(ARRAYS, METADATA))
    arrays, metadata = read(tmp_path / "a")
    assert metadata == METADATA
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)


def test_others_read_it_and_we_read_theirs(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.numpy")
    found = theirs.load(packed(ARRAYS, METADATA))
    arrays = {name: np.ascontiguousarray(array) for name, array in ARRAYS.items()}
    (tmp_path / "a").write_bytes(theirs.save(arrays, METADATA))
    ours, metadata = read(tmp_path / "a")
    assert metadata == METADATA
    assert ours.keys() == found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        for other in (ours[name], found[name]):
            np.testing.assert_array_equal(other, array, err_msg=name)
            assert other.dtype == array.dtype


def test_arrays_begin_at_a_multiple_of_eight(tmp_path: Path) -> None:
    for length in range(9):
        content = packed({"a" * (1 + length): np.ones(2)}, {})
        assert int.from_bytes(content[:8], "little") % 8 == 0
        assert content.endswith(np.ones(2).tobytes())


def changed(content: bytes, change: Any) -> bytes:
    """The file with its header changed."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["x"].update(dtype="I64"), "x is of 'I64', wanted F64, F32, F16"),
        (lambda h: h["x"].update(shape=[3]), "x is at 0..8, which does not fit its shape"),
        (lambda h: h["x"].update(shape=[-1, -2]), "no sizes"),
        (lambda h: h["x"].update(shape=["2"]), "no sizes"),
        (lambda h: h["y"].update(data_offsets=[4, 12]), "y is at 4..12"),
        (lambda h: h["y"].update(data_offsets=[12, 20]), "y is at 12..20"),
        (lambda h: h["y"].update(data_offsets=[8]), "no sizes"),
        (lambda h: h["y"].update(shape=2), "no sizes"),
        (lambda h: h["x"].update(dtype=[]), "x is of [], wanted F64, F32, F16"),
        (lambda h: h["x"].pop("dtype"), "x is of None, wanted F64, F32, F16"),
        (lambda h: h.pop("y"), "8 bytes belong to no array"),
        (lambda h: h.update(z={"dtype": "F32", "shape": [1], "data_offsets": [16, 20]}), "ends"),
        (lambda h: h.update(z=7), "z is 7, wanted an object"),
        (lambda h: h.update(__metadata__=[]), "__metadata__ is [], wanted an object"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    arrays = {"x": np.ones(2, np.float32), "y": np.ones(2, np.float32)}
    (tmp_path / "a").write_bytes(changed(packed(arrays, METADATA), change))
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path / "a")


@given(st.data())
def test_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever byte is changed or lost, there is one error or arrays of the same sizes."""
    content = bytearray(packed({"x": np.ones(2, np.float32), "y": np.ones(3)}, METADATA))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.mktemp("damaged") / "a"
    file.write_bytes(content)
    with contextlib.suppress(InputError):
        arrays, _ = read(file)
        assert sum(array.nbytes for array in arrays.values()) == 32


# -- the commands ----------------------------------------------------------------------------------


def test_out_and_in_again(run: Path, exported: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "again", write_corpus(tmp_path)
    done = call("import", exported, "--out", out)
    before, after = load_run(run), load_run(out)
    assert (done.status, done.out) == (0, f"{out}: {before.model.num_parameters():,} parameters\n")
    for name, array in before.model.state_dict().items():
        np.testing.assert_array_equal(after.model.state_dict()[name], array, err_msg=name)
    assert after.config == before.config
    assert score(out, data) == score(run, data)
    for command in ("sample", "evaluate", "inspect"):
        text = ["--text=king"] if command == "inspect" else []
        assert call(command, out, *text).status == 0
    call("import", exported, "--out", out).assert_refused("is not empty; wanted a new directory")


@pytest.mark.parametrize("positions", ["rotary", "learned", "none"])
def test_positions_are_those_of_the_run(tmp_path: Path, positions: str) -> None:
    """Those that it was trained with, whatever a new run would have."""
    run, out = tiny_run(tmp_path, f"--positions={positions}"), tmp_path / "again"
    assert call("export", run, "--to=safetensors").status == 0
    assert call("import", run / "model.safetensors", "--out", out).status == 0
    before, after = load_run(run), load_run(out)
    assert (after.config.positions, after.model.positions) == (positions, positions)
    ids = np.array([[0, 3, 5, 3]])
    np.testing.assert_array_equal(after.model(ids).data, before.model(ids).data)


def test_a_tuned_run_is_exported_as_a_plain_one(run: Path, tmp_path: Path) -> None:
    tuned, data = tmp_path / "tuned", write_corpus(tmp_path)
    flags = ["--lora-rank=2", f"--data={data}", "--epochs=1", "--lr=0.1", "--quiet"]
    assert call("finetune", run, *flags, "--out", tuned).status == 0
    done = call("export", tuned, "--to=safetensors")
    file = tuned / "model.safetensors"
    assert (done.status, done.out) == (0, f"{file}: {file.stat().st_size:,} bytes\n")
    assert call("import", file, "--out", tmp_path / "plain").status == 0
    assert load_run(tmp_path / "plain").config.base == ""
    want = score(tuned, data)
    assert score(tmp_path / "plain", data) == pytest.approx(want, rel=1e-5)
    assert want["nll"] != pytest.approx(score(run, data)["nll"], rel=1e-3)


def test_a_file_without_settings_takes_those_of_a_run(run: Path, tmp_path: Path) -> None:
    """As PyTorch's own would be, in double precision or not."""
    model, file = load_run(run).model, tmp_path / "theirs.safetensors"
    double = {name: array.astype(np.float64) for name, array in model.state_dict().items()}
    file.write_bytes(packed(double, {}))
    out = tmp_path / "run"
    call("import", file, "--out", out).assert_refused("does not say what model it is of")
    assert call("import", file, "--config", run, "--out", out).status == 0
    data = write_corpus(tmp_path)
    assert score(out, data) == score(run, data)


def test_a_file_of_another_model_is_refused(run: Path, exported: Path, tmp_path: Path) -> None:
    """Weights that are turned and such that are not have the same names and shapes."""
    assert call("import", exported, "--config", run, "--out", tmp_path / "a").status == 0
    other = tiny_run(tmp_path, "--positions=none", "--max-steps=1")
    call("import", exported, "--config", other, "--out", tmp_path / "b").assert_refused(
        f"{exported} has positions rotary, and {other} none; wanted the same"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("logits.0.bias"), r"has none as logits.0.bias, wanted float32\(\d+,\)"),
        (lambda a: a.update(more=np.ones(1)), "has float32.* as more, wanted none"),
        (lambda a: a.update({"logits.0.bias": np.ones(3)}), r"has float32\(3,\) as logits.0.bias"),
        (lambda a: a["logits.0.bias"].fill(np.nan), "has NaN or infinity in logits.0.bias"),
        (
            lambda a: a.update({"logits.0.bias": a["logits.0.bias"] + np.float64(1e300)}),
            "has NaN or infinity in logits.0.bias",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    run: Path, tmp_path: Path, change: Any, message: str
) -> None:
    arrays: dict[str, Any] = load_run(run).model.state_dict()
    change(arrays)
    file, out = tmp_path / "theirs.safetensors", tmp_path / "run"
    file.write_bytes(packed(arrays, {}))
    call("import", file, "--config", run, "--out", out).assert_refused(message)
    assert not out.exists()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("7", "it is 7, wanted an object"),
        ("[]", r"it is \[\], wanted an object"),
        ("{}", "it has no config"),
        ('{"config": {}}', "it has no characters"),
        ('{"config": {}, "format": 2}', "it has no tokenizer"),
        ("{", "double quotes"),
        ('{"format": 99}', "it is of format 99"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, said: str, message: str) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(packed({"x": np.ones(1)}, {"teenygpt_np": said}))
    done = call("import", file, "--out", tmp_path / "run")
    done.assert_refused(f"has settings that can't be used: .*{message}")
    assert not (tmp_path / "run").exists()


def test_refused(run: Path, exported: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    call("import", missing, "--out", tmp_path / "a").assert_refused("none is not there; wanted")
    call("import", tmp_path, "--out", tmp_path / "a").assert_refused("it is no file")
    call("import", exported, "--config", tmp_path, "--out", tmp_path / "a").assert_refused(
        "has no config.json; wanted a run"
    )
    call("export", run).assert_refused("--to")
    call("export", run, "--to=nonsense").assert_refused("nonsense.*choose from.*safetensors")
    call("export", tmp_path, "--to=safetensors").assert_refused("wanted a run")
    done = call("export", run, "--to=safetensors", "--out", tmp_path)
    done.assert_refused("a directory; wanted a file")
    assert not (tmp_path / "a").exists()
