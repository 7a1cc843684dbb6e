"""A trained model for other programs and machines: a target is a module and a line in a table."""

from typing import NamedTuple


class Target(NamedTuple):
    """What a model can be exported to, by the module of that name in this package.

    The module has `files(run, weights)`: the contents of all files, by their names.

    help: what is made    name: of the file, or of the directory with the files
    weights: how weights can be kept; the first is the default
    """

    help: str
    name: str
    weights: tuple[str, ...]


TARGETS = {
    "page": Target("a page for a browser, to write with the model", "page.html", ("int8",)),
    "safetensors": Target(
        "a file with all weights, for PyTorch and many others", "model.safetensors", ("float32",)
    ),
}
