"""Who may import whom, and what every file promises: read from the source without running it."""

from __future__ import annotations

import ast
import itertools
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import TypeGuard

import pytest
from conftest import QUICK
from paths import ROOT

import minigrad as mg
from minigrad import ops, optim
from teenygpt_np.inspector import page

LINES = 500


def sources(*folders: str) -> list[str]:
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def tree_of(source: str) -> ast.Module:
    return ast.parse((ROOT / source).read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    """The full names of all imports: `import a.b` as a.b, `from a.b import c` as a.b.c.

    Imports in functions and under TYPE_CHECKING are included.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(name: str, *packages: str) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def imported_from_project(source: str) -> list[str]:
    return [name for name in imports(tree_of(source)) if within(name, "minigrad", "teenygpt_np")]


ENGINE, MODEL = sources("minigrad"), sources("teenygpt_np")
KERNELS, OPS = sources("minigrad/kernels"), sources("minigrad/ops")
COMPILED = sources("minigrad/kernels/compiled")
EVERYTHING = sources("minigrad", "teenygpt_np", "data", "benchmarks", "docs", "examples", "tests")

each = pytest.mark.parametrize


def test_there_is_something_to_read() -> None:
    assert len(COMPILED) > 5
    assert len(KERNELS) > len(COMPILED)
    assert len(OPS) > 3
    assert len(MODEL) > 10
    text = "import a, b.c as d\ndef f():\n    from e.f import g, h\n"
    assert list(imports(ast.parse(text))) == ["a", "b.c", "e.f.g", "e.f.h"]
    assert within("minigrad.ops.exp", "minigrad.ops")
    assert not within("minigrad.optim", "minigrad.op")


# -- who may import whom ---------------------------------------------------------------------------


@each("source", KERNELS)
def test_kernels_import_nothing_but_threads(source: str) -> None:
    for name in imported_from_project(source):
        assert within(name, "minigrad.threads", "minigrad.kernels")


@each("source", sorted(set(ENGINE) - set(COMPILED)))
def test_numba_and_its_kernels_are_imported_by_themselves_only(source: str) -> None:
    """So everything else works without Numba, and starts fast with it."""
    for name in imports(tree_of(source)):
        assert not within(name, "numba", "llvmlite", "minigrad.kernels.compiled")


@each("source", OPS)
def test_operations_import_kernels_and_tensor(source: str) -> None:
    for name in imported_from_project(source):
        # Only `kernels` as a whole: a kernel imported by name would not change with the backend.
        assert name == "minigrad.kernels" or within(
            name, "minigrad.differentiable", "minigrad.tape", "minigrad.tensor", "minigrad.ops"
        )


def test_the_tape_knows_no_kernel() -> None:
    """Nor anything else of the project; Tensor knows the tape and, for its operators, the rules."""
    assert imported_from_project("minigrad/tape.py") == []
    tree = tree_of("minigrad/tensor.py")
    known = imported_from_project("minigrad/tensor.py")
    assert {name for name in known if not within(name, "minigrad.tape")} == {"minigrad.ops"}
    assert list(imports(tree.body[-1])) == ["minigrad.ops"]  # the operators', so at the end


@each("source", ENGINE)
def test_the_engine_has_never_heard_of_language(source: str) -> None:
    for name in imports(tree_of(source)):
        assert not within(name, "teenygpt_np")


def test_threads_import_nothing_of_the_project() -> None:
    assert imported_from_project("minigrad/threads.py") == []


# What minigrad/__init__.py imports by name: its other submodules are attributes, but not public.
PUBLIC = {name.rpartition(".")[2] for name in imports(tree_of("minigrad/__init__.py"))}
PUBLIC.add("__version__")


def is_public_name(name: str) -> bool:
    """minigrad, minigrad.X, or minigrad.optim.X."""
    first, *rest = name.split(".")[1:] or ["optim"]
    if first == "optim" and len(rest) == 1:
        return not rest[0].startswith("_") and hasattr(optim, rest[0])
    return first in PUBLIC and not rest


# Kernels of the model's own are made of the parts of minigrad's.
OWN_KERNELS = [source for source in MODEL if source.endswith("_compiled.py")]


@each("source", MODEL)
def test_the_model_uses_public_names(source: str) -> None:
    tree = tree_of(source)
    for name in imports(tree):
        if source in OWN_KERNELS and within(name, "minigrad.kernels.compiled", "minigrad.threads"):
            continue
        assert not within(name, "minigrad") or is_public_name(name), name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner, name = node.value.id, node.attr
            assert owner != "mg" or name in PUBLIC, f"mg.{name}"
            private = name.startswith("_") and not name.startswith("__")
            assert not private or owner in ("self", "cls"), f"{owner}.{name}"


def test_the_model_s_own_kernels_are_imported_where_numba_is_in_use() -> None:
    """Only in functions, so that everything else works without Numba."""
    assert OWN_KERNELS
    for source in MODEL:
        for node in tree_of(source).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name in imports(node):
                    assert not within(name, *map(module_of, OWN_KERNELS)), source


def test_what_a_public_name_is() -> None:
    for name in ("minigrad", "minigrad.Tensor", "minigrad.optim", "minigrad.optim.AdamW"):
        assert is_public_name(name)
    for name in ("minigrad.kernels", "minigrad.tensor.Tensor", "minigrad.optim._check"):
        assert not is_public_name(name)


def module_of(source: str) -> str:
    return source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


# Each may import those before it. The model comes after sampling, which it uses.
ORDER = [f"teenygpt_np.{name}" for name in ("text", "sampling", "model", "training")]


@each("place", range(len(ORDER)))
def test_text_then_model_then_training(place: int) -> None:
    for source in filter(lambda s: within(module_of(s), ORDER[place]), MODEL):
        for name in imported_from_project(source):
            assert not within(name, *ORDER[place + 1 :]), source


INSPECTOR, EXPORTER = "teenygpt_np.inspector", "teenygpt_np.exporter"


@each("source", [s for s in MODEL if not within(module_of(s), INSPECTOR, f"{EXPORTER}.page")])
def test_only_commands_import_the_inspector(source: str) -> None:
    """And what makes another page. Training is handed what writes its own."""
    if "__main__" not in (ROOT / source).read_text(encoding="utf-8"):
        assert not [name for name in imported_from_project(source) if within(name, INSPECTOR)]


@each("source", [s for s in MODEL if within(module_of(s), "teenygpt_np.model.mixers")])
def test_a_mixer_imports_layers_and_what_they_are_made_of(source: str) -> None:
    for name in imported_from_project(source):
        parts = ("layers", "module", "mixers")
        assert within(name, "minigrad", *(f"teenygpt_np.model.{part}" for part in parts)), name


@each("source", [*ENGINE, *MODEL])
def test_nothing_imports_a_command_line(source: str) -> None:
    runnable = [s for s in MODEL if "__main__" in (ROOT / s).read_text(encoding="utf-8")]
    assert "teenygpt_np/train.py" in runnable
    for name in imported_from_project(source):
        assert not within(name, *map(module_of, runnable))


@each("package", ["minigrad", "teenygpt_np"])
def test_no_circle(package: str) -> None:
    """Except the one of Tensor and its operators. Imports inside functions count."""
    modules = {module_of(source): source for source in sources(package)}
    del modules[package]
    edges = {
        own: {m for n in imported_from_project(path) for m in modules if within(n, m)} - {own}
        for own, path in modules.items()
    }
    edges.get("minigrad.tensor", set()).discard("minigrad.ops")
    for name, parents in edges.items():  # a package is not the modules in it
        edges[name] = {p for p in parents if not within(name, p)}
    while ready := [name for name, needs in edges.items() if not needs & edges.keys()]:
        for name in ready:
            del edges[name]
    assert not edges, f"in a circle, or behind one: {sorted(edges)}"


# -- what every file promises ----------------------------------------------------------------------


@each("source", EVERYTHING)
def test_no_module_is_long(source: str) -> None:
    lines = len((ROOT / source).read_text(encoding="utf-8").splitlines())
    assert lines <= LINES


@each("entry", QUICK)
def test_what_is_quick_is_there(entry: str) -> None:
    file, _, test = entry.partition("::")
    [path] = (ROOT / "tests").rglob(f"{file}.py")
    assert f"def {test.partition('[')[0]}" in path.read_text(encoding="utf-8")


def is_public(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.ClassDef]:
    if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return False
    return "overload" not in map(ast.unparse, node.decorator_list)


@each("source", [*ENGINE, *MODEL, *sources("data", "benchmarks", "docs", "examples")])
def test_public_functions_and_classes_say_what_they_do(source: str) -> None:
    """Each has a docstring, whose first line is the equation or the deed."""
    tree = tree_of(source)
    nodes: list[ast.Module | ast.FunctionDef | ast.ClassDef] = [tree]
    for node in [*nodes, *filter(is_public, tree.body)]:
        text = ast.get_docstring(node, clean=False)
        assert text, getattr(node, "name", "the module")
        assert text.splitlines()[0].strip(), getattr(node, "name", "the module")


@each("source", EVERYTHING)
def test_text_files_name_their_encoding(source: str) -> None:
    """Without it the encoding is the system's, which differs on Windows."""
    # The position of the encoding among the arguments.
    place = {"open": 9, "read_text": 0, "write_text": 1}
    for node in ast.walk(tree_of(source)):
        if not isinstance(node, ast.Call):
            continue
        owner, _, name = ast.unparse(node.func).rpartition(".")
        if name in place and owner not in ("os", "archive", "webbrowser"):
            modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
            binary = name == "open" and any("b" in mode for mode in modes if isinstance(mode, str))
            named = "encoding" in [keyword.arg for keyword in node.keywords]
            assert named or binary or len(node.args) > place[name], ast.unparse(node)


@each("source", KERNELS)
def test_no_arithmetic_without_nan_and_infinity(source: str) -> None:
    """`fastmath=True`, and some of its flags, assume that there are none."""
    tree = tree_of(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "fastmath":
            assert not isinstance(node.value, ast.Constant), "which flags?"
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "fastmath":
                    assert not isinstance(value, ast.Constant), "which flags?"
        if isinstance(node, ast.Constant):
            assert node.value not in ("fast", "nnan", "ninf", "nsz", "arcp", "afn")


def test_every_operation_is_exported() -> None:
    for name in ops.__all__:
        assert getattr(mg, name) is getattr(ops, name)


def test_every_differentiable_function_is_an_operation() -> None:
    found = {
        node.name
        for node in itertools.chain.from_iterable(tree_of(source).body for source in OPS)
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d).startswith("differentiable") for d in node.decorator_list)
    }
    assert len(found) > 20
    assert {name for name in found if not name.startswith("_")} <= set(ops.__all__)


def test_the_wheel_holds_the_page_and_the_corpus() -> None:
    """The build takes all that a package's folder holds, except what .gitignore names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    included = {"data": "teenygpt_np/corpus"}
    assert wheel == {"packages": ["minigrad", "teenygpt_np"], "force-include": included}
    files = list((ROOT / "teenygpt_np" / "inspector" / "assets").iterdir())
    assert {path.name for path in files} == {*page._SCRIPTS, "page.html", "page.css"}
    splits = [ROOT / "data" / f"{name}.txt" for name in ("train", "val", "test")]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for path in [*files, *splits, ROOT / "data" / "entropy.json"]:
        assert path.is_file()
        parts = path.relative_to(ROOT).parts
        assert not any(fnmatch(part, line.rstrip("/")) for part in parts for line in ignored), path
