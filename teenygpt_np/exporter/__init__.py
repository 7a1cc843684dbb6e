"""A trained model for other programs and machines: a target is a module and a line in a table."""

from collections.abc import Mapping
from typing import NamedTuple


class Target(NamedTuple):
    """What a model can be exported to, by the module of that name in this package.

    The module has `files(run, weights, **settings)`: the contents of all files, by their names.
    If `tells`, it has `told(run, folder, weights, **settings)`, a line to print about them; folder
    is where run directories are.

    help: what is made    name: of the file, or of the directory with the files
    weights: how weights can be kept; the first is the default
    settings: the values of flags that only this target has, by their names
    built: what may be built of it, in its directory
    """

    help: str
    name: str
    weights: tuple[str, ...]
    settings: Mapping[str, tuple[str, ...]] = {}
    built: tuple[str, ...] = ()
    tells: bool = False


TARGETS = {
    "page": Target("a page for a browser, to write with the model", "page.html", ("int8",)),
    "safetensors": Target(
        "a file with all weights, for PyTorch and many others", "model.safetensors", ("float32",)
    ),
    "c": Target(
        "a directory with C99 sources, for a microcontroller",
        "c",
        ("float32", "int8", "ternary"),
        {"cache": ("float32", "float16", "int8")},
        ("teenygpt", "mps2-an385.elf", "rp2040.elf", "stm32f405.elf"),
        tells=True,
    ),
}

# What --help says of a target's own settings.
SETTINGS = {
    "cache": "how attention keeps keys and values (default: int8 with int8 weights, else float32)"
}
