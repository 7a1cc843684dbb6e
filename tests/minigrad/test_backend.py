"""Which kernels are in use, also without Numba, and their cache, which is never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT

import minigrad as mg
from minigrad import kernels, optim, threads
from minigrad.kernels import reference

needs_numba = pytest.mark.skipif(
    "numba" not in mg.available_backends(), reason="numba is not installed"
)


def python(code: str, directory: Path | None = None, **environment: str) -> str:
    """What a new Python process prints, without the settings that this one was started with."""
    ours = ("MINIGRAD_BACKEND", "NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK")
    kept = {k: v for k, v in os.environ.items() if k not in ours}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# -- choosing --------------------------------------------------------------------------------------


def test_kernels_are_those_of_the_backend(backend: str) -> None:
    assert mg.get_backend() == backend
    home = {"numpy": "minigrad.kernels.reference", "numba": "minigrad.kernels.compiled"}[backend]
    for name in ("softmax", "mlp", "adamw"):
        assert getattr(kernels, name).__module__.startswith(home)


def test_an_operation_takes_the_kernel_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    before = mg.get_backend()
    mg.set_backend("numpy")
    monkeypatch.setattr(reference, "softmax", lambda x, axis: np.full_like(x, 7))
    assert mg.softmax(np.zeros(1)).item() == 7
    if "numba" in mg.available_backends():
        mg.set_backend("numba")
        assert mg.softmax(np.zeros(1)).item() == 1
    mg.set_backend(before)


def test_unknown_backend() -> None:
    before = mg.get_backend()
    with pytest.raises(ValueError, match=r"^backend is 'cupy', wanted one of numpy, numba, numba"):
        mg.set_backend("cupy")
    assert mg.get_backend() == before


@pytest.mark.usefixtures("backend")
def test_unknown_kernel() -> None:
    with pytest.raises(AttributeError, match="no_such_kernel"):
        kernels.no_such_kernel  # type: ignore[attr-defined]  # noqa: B018


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As if no backend had been chosen yet."""
    monkeypatch.setattr(kernels, "_backend", None)
    monkeypatch.setattr(kernels, "_twin", None)
    monkeypatch.delenv("MINIGRAD_BACKEND", raising=False)
    return monkeypatch


def test_the_environment_chooses(unsettled: pytest.MonkeyPatch) -> None:
    unsettled.setenv("MINIGRAD_BACKEND", "numpy")
    assert mg.get_backend() == "numpy"
    assert kernels.softmax is reference.softmax


@pytest.mark.parametrize("value", [None, ""])
def test_numba_where_there_is_one(unsettled: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        unsettled.setenv("MINIGRAD_BACKEND", value)
    assert mg.get_backend() == ("numba" if "numba" in mg.available_backends() else "numpy")


@needs_numba
@pytest.mark.parametrize(("speed", "chosen"), [(1.49, "numba"), (1.5, "numba+blas")])
def test_blas_where_it_is_much_faster(
    unsettled: pytest.MonkeyPatch, speed: float, chosen: str
) -> None:
    from minigrad.kernels.compiled import measured, with_blas

    unsettled.setattr(measured, "blas_speed", lambda: speed)
    assert mg.choose_backend() == mg.get_backend() == chosen
    assert (kernels.mlp is with_blas.mlp) == (chosen == "numba+blas")
    assert kernels.softmax is with_blas.softmax


@needs_numba
@pytest.mark.parametrize("name", mg.available_backends())
def test_a_backend_that_was_asked_for_stays(unsettled: pytest.MonkeyPatch, name: str) -> None:
    from minigrad.kernels.compiled import measured

    unsettled.setattr(measured, "blas_speed", lambda: 9.0)
    unsettled.setenv("MINIGRAD_BACKEND", name)
    assert mg.choose_backend() == mg.choose_backend("numba") == name
    mg.set_backend("numba")
    assert mg.choose_backend() == mg.choose_backend("numpy") == "numba"


@needs_numba
@pytest.mark.parametrize("name", [*mg.available_backends(), "cupy"])
def test_a_run_goes_on_with_its_backend(unsettled: pytest.MonkeyPatch, name: str) -> None:
    from minigrad.kernels.compiled import measured

    unsettled.setattr(measured, "blas_speed", lambda: 9.0)
    assert mg.choose_backend(name) == ("numba+blas" if name == "cupy" else name)


@needs_numba
@pytest.mark.parametrize("damage", ["", "[" * 100_000, "[3]", "null", "not text"])
def test_speed_is_measured_once_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    from minigrad.kernels.compiled import measured

    monkeypatch.setattr("numba.config.DISABLE_JIT", 0)
    speeds = iter([2.5, 3.5])
    monkeypatch.setattr(measured, "_measured", lambda: next(speeds))
    monkeypatch.setattr(measured, "cache_directory", lambda function: str(tmp_path))
    if damage:
        (tmp_path / "blas.json").write_text(damage, "utf-16" if "text" in damage else "utf-8")
    assert measured.blas_speed() == measured.blas_speed() == 2.5
    assert os.listdir(tmp_path) == ["blas.json"]
    monkeypatch.setattr(threads, "_count", threads.get_num_threads() + 1)
    assert measured.blas_speed() == 3.5


@needs_numba
def test_speed_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from minigrad.kernels.compiled import measured

    monkeypatch.setattr("numba.config.DISABLE_JIT", 0)
    monkeypatch.setattr(measured, "_SECONDS", 1e-9)
    for place in (None, str(tmp_path / "missing")):
        monkeypatch.setattr(measured, "cache_directory", lambda function, place=place: place)
        assert 0 < measured.blas_speed() < 1e3


def test_unknown_backend_in_the_environment(unsettled: pytest.MonkeyPatch) -> None:
    unsettled.setenv("MINIGRAD_BACKEND", "cupy")
    with pytest.raises(ValueError, match=r"^backend is 'cupy'"):
        mg.softmax(np.zeros(3))


# -- without numba ---------------------------------------------------------------------------------


def test_importing_does_not_import_numba() -> None:
    code = """
import sys, minigrad, teenygpt_np, teenygpt_np.model.teenygpt
from minigrad.kernels import reference
print('numba' in sys.modules)
"""
    assert python(code) == "False"


HIDE = {
    "none in sys.modules": "sys.modules['numba'] = None",
    "not on the path": """
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "numba":
            raise ModuleNotFoundError(name)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else found(name, *rest)
sys.meta_path.insert(0, Hide())
""",
}
hidden = pytest.mark.parametrize("hide", HIDE.values(), ids=HIDE)


@hidden
def test_training_without_numba(hide: str) -> None:
    code = f"""
import sys
{hide}
import numpy as np
import minigrad as mg
from teenygpt_np import TeenyGPT

assert mg.available_backends() == ["numpy"]
rng = np.random.default_rng(0)
model = TeenyGPT(num_tokens=6, num_token_vals=5, num_emb=8, num_neurons=2, num_blocks=1, rng=rng)
x = rng.integers(1, 5, (4, 6))
optimizer = mg.optim.AdamW([p for _, p in model.named_parameters()], lr=0.01)
before = model.eval().loss(x).item()
for _ in range(3):
    optimizer.zero_grad()
    model.loss(x).backward()
    optimizer.step()
assert model.eval().loss(x).item() < before
print(mg.get_backend())
"""
    assert python(code) == "numpy"


@hidden
@pytest.mark.parametrize("ask", ["mg.set_backend('numba')", "mg.softmax([0.0])"])
def test_numba_wanted_but_not_installed(hide: str, ask: str) -> None:
    code = f"""
import sys
{hide}
import minigrad as mg
try:
    {ask}
except ImportError as error:
    print(error)
"""
    message = "backend 'numba' needs the package numba, which is not installed"
    assert python(code, MINIGRAD_BACKEND="numba" if "softmax" in ask else "") == message


def broken_numba(directory: Path) -> str:
    """A PYTHONPATH with a numba that cannot be imported, like one too old for its NumPy."""
    (directory / "numba").mkdir()
    (directory / "numba" / "__init__.py").write_text("raise ImportError('too old')\n", "utf-8")
    return os.pathsep.join([str(directory), str(ROOT)])


def test_numpy_kernels_where_numba_cannot_be_imported(tmp_path: Path) -> None:
    code = """if True:
    import warnings, minigrad as mg
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        print(mg.softmax([0.0, 0.0]).data, mg.get_backend(), *[w.message for w in seen])
    """
    told = python(code, PYTHONPATH=broken_numba(tmp_path))
    assert told == "[0.5 0.5] numpy using NumPy's kernels, as numba cannot be imported: too old"


def test_numba_that_is_asked_for_is_not_replaced(tmp_path: Path) -> None:
    code = """if True:
    import minigrad as mg
    try:
        mg.softmax([0.0, 0.0])
    except ImportError as error:
        print(error)
    """
    path = broken_numba(tmp_path)
    assert python(code, PYTHONPATH=path, MINIGRAD_BACKEND="numba") == "too old"


# -- the cache of compiled kernels -----------------------------------------------------------------

SOFTMAX = """
import numpy as np
from minigrad import kernels
kernels.set_backend("numba")
{meanwhile}
p = kernels.softmax(np.log(np.float32([[1, 2, 5]])), 1)
print(p.round(5).tolist() == np.float32([[0.125, 0.25, 0.625]]).tolist())
"""


def softmax(
    cache: Path, meanwhile: str = "", directory: Path | None = None, **environment: str
) -> None:
    code = SOFTMAX.format(meanwhile=meanwhile)
    assert python(code, directory, NUMBA_CACHE_DIR=str(cache), **environment) == "True"


def files(cache: Path, pattern: str) -> list[Path]:
    return sorted(cache.rglob(pattern))


@pytest.fixture(scope="module")
def filled_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with softmax in it: an index, .nbi, and machine code, .nbc."""
    cache = tmp_path_factory.mktemp("filled")
    softmax(cache)
    assert files(cache, "*.nbi")
    assert files(cache, "*.nbc")
    return cache


def copy_engine(directory: Path) -> Path:
    package = Path(mg.__file__).parent
    shutil.copytree(package, directory / "minigrad", ignore=shutil.ignore_patterns("__pycache__"))
    return directory / "minigrad" / "kernels" / "compiled"


@needs_numba
def test_nowhere_to_put_a_cache(tmp_path: Path) -> None:
    """Not in the directory asked for, not beside the source, not at home: files are in the way.

    Permissions would not keep the superuser out.
    """
    (tmp_path / "file").touch()
    (copy_engine(tmp_path) / "__pycache__").touch()
    below = str(tmp_path / "file" / "below")
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), below)
    softmax(Path(below), directory=tmp_path, **homes)


@needs_numba
def test_cache_that_goes_away(tmp_path: Path) -> None:
    """It is deleted after Numba has found a place for it and before it writes there."""
    meanwhile = f"""
import minigrad.kernels.compiled, pathlib, shutil
shutil.rmtree({str(tmp_path / "cache")!r})
pathlib.Path({str(tmp_path / "cache")!r}).touch()
"""
    softmax(tmp_path / "cache", meanwhile)


@needs_numba
@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_damaged_cache(filled_cache: Path, tmp_path: Path, pattern: str, damage: str) -> None:
    """The kernel is compiled again, and its cache repaired."""
    shutil.copytree(filled_cache, tmp_path, dirs_exist_ok=True)
    bad = {}
    for path in files(tmp_path, pattern):
        whole = path.read_bytes()
        bad[path] = whole[: len(whole) // 2] if damage == "cut" else b"\x00garbage" * 99
        path.write_bytes(bad[path])
    assert bad
    softmax(tmp_path)
    assert all(path.read_bytes() != content for path, content in bad.items())


@needs_numba
def test_cache_is_used(filled_cache: Path, tmp_path: Path) -> None:
    """No file of the cache is changed."""
    shutil.copytree(filled_cache, tmp_path, dirs_exist_ok=True)
    before = {path: path.read_bytes() for path in files(tmp_path, "*.nb?")}
    meanwhile = "from numba.core import compiler; del compiler.compile_extra"  # nothing to compile
    softmax(tmp_path, meanwhile)
    assert {path: path.read_bytes() for path in files(tmp_path, "*.nb?")} == before


@needs_numba
def test_cache_is_not_used_after_a_change_elsewhere(tmp_path: Path) -> None:
    """exp, which is in another file, is compiled into softmax."""
    cache, compiled = tmp_path / "cache", copy_engine(tmp_path)
    softmax(cache, directory=tmp_path)
    before = files(cache, "*softmax*.nbc")
    with (compiled / "exp.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    softmax(cache, directory=tmp_path)
    assert len(files(cache, "*softmax*.nbc")) > len(before) > 0


@needs_numba
def test_code_that_calls_what_is_missing_in_the_cache(tmp_path: Path) -> None:
    """Kernels call products by address: the linker would end a process that has none."""
    code = """
import numpy as np, minigrad as mg
print(mg.matmul(np.ones((20, 9)), np.ones((9, 2))).sum().item())
"""
    for _ in range(2):
        assert python(code, NUMBA_CACHE_DIR=str(tmp_path)) == "360.0"
        missing = files(tmp_path, "*set_product*")
        for path in missing:
            path.unlink()
        assert missing


SCATTER = """
import numpy as np
from minigrad.kernels import compiled
try:
    compiled.embedding_vjp(np.array([{id}]), np.ones((1, 1)), 4)
    print("fine")
except IndexError as error:
    print(error)
"""


@needs_numba
def test_bounds_are_checked_whatever_is_in_the_cache(tmp_path: Path) -> None:
    cache = str(tmp_path)
    assert python(SCATTER.format(id=3), NUMBA_CACHE_DIR=cache) == "fine"
    said = python(SCATTER.format(id=4), NUMBA_CACHE_DIR=cache, NUMBA_BOUNDSCHECK="1")
    assert "out of bounds" in said


@needs_numba
def test_without_compiling(tmp_path: Path) -> None:
    softmax(tmp_path, NUMBA_DISABLE_JIT="1")
    assert not files(tmp_path, "*.nb?")


@needs_numba
def test_twins_agree_without_compiling() -> None:
    """Tiles, exponentials and all: what is written for the compiler has a definition in Python."""
    code = """
import pytest
test = "tests/minigrad/kernels/test_kernels.py"
raise SystemExit(pytest.main([test, "-k", "at_every_size and 17"]))
"""
    assert "passed" in python(code, ROOT, NUMBA_DISABLE_JIT="1")


# -- an optimizer changes its parameters in place --------------------------------------------------


@pytest.mark.usefixtures("backend")
def test_adamw_steps_a_parameter_that_is_not_contiguous() -> None:
    """For example a transposed weight: it changes as its contiguous copy does."""
    weight = np.arange(1.0, 7.0).reshape(2, 3)
    params = [mg.Tensor(w, requires_grad=True) for w in (weight.T, weight.T.copy())]
    for param in params:
        (param * param).sum().backward()
    optim.AdamW(params, lr=0.1).step()
    assert np.all(params[1].data != weight.T)
    np.testing.assert_array_equal(params[0].data, params[1].data)


@needs_numba
def test_two_that_compile_at_once_take_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads the index before the other writes: in one file, one code would be lost."""
    from minigrad.kernels.compiled import jit

    files: Any = jit._Files
    monkeypatch.setattr(files, "_load_index", lambda self: {})
    for key in ("float32", "float64"):
        files(str(tmp_path), "kernel", 0).save(key, f"code for {key}")
    assert len(list(tmp_path.glob("*.nbc"))) == 2
