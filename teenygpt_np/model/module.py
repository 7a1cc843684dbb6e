"""Module, the base class of all layers: it holds parameters and other modules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Self, TypeAlias

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor

Generator: TypeAlias = np.random.Generator
_shapes_only: ContextVar[bool] = ContextVar("shapes_only", default=False)


class Module:
    """Holds parameters: its own Tensors, and those of the Modules in it.

    Tensors and Modules are found in attributes, and in lists, tuples and dicts there, nested too.
    A parameter's name is the path to it: attribute names, positions and keys, joined by dots. A
    parameter with several paths, as in two tied layers, is listed once, by the first.
    """

    training = True
    forward: Callable[..., Tensor]
    muon: Collection[str] = ()  # names of its own matrices that Muon may train
    no_decay: Collection[str] = ()  # names of its own parameters without weight decay

    def __call__(self, *inputs: Any, **settings: Any) -> Tensor:
        """Run `forward`, which each kind of Module defines, in a scope that names it to a trace."""
        with mg.scope(self):
            return self.forward(*inputs, **settings)

    def _held(self) -> Iterator[tuple[str, Any]]:
        """(path, Tensor or Module) of everything that this module's attributes hold."""
        return _inside(vars(self))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly in this one, members of lists included."""
        return ((name, value) for name, value in self._held() if isinstance(value, Module))

    def named_parameters(
        self, prefix: str = "", seen: set[int] | None = None
    ) -> Iterator[tuple[str, Tensor]]:
        """(name, parameter): first its own, then those of each module in it.

        seen: Python's ids of the parameters already listed, which are not listed again
        """
        seen = set() if seen is None else seen
        children = []
        for name, value in self._held():
            if isinstance(value, Module):
                children.append((name, value))
            elif id(value) not in seen:
                seen.add(id(value))
                yield prefix + name, value
        for name, child in children:
            yield from child.named_parameters(f"{prefix}{name}.", seen)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(name, module) of all modules in this one; each comes before the modules in it."""
        for name, child in self.named_children():
            yield prefix + name, child
            yield from child.named_modules(f"{prefix}{name}.")

    def marked(self, mark: str, prefix: str = "") -> Iterator[str]:
        """The names of all parameters listed in the attribute `mark`, 'muon' or 'no_decay'."""
        yield from (prefix + name for name in getattr(self, mark))
        for name, child in self.named_children():
            yield from child.marked(mark, f"{prefix}{name}.")

    def parameters(self) -> list[Tensor]:
        """All parameters, in the order of `named_parameters`."""
        return [parameter for _, parameter in self.named_parameters()]

    def num_parameters(self) -> int:
        """The number of entries in all parameters."""
        return sum(parameter.size for parameter in self.parameters())

    def zero_grad(self) -> None:
        """Set every parameter's gradient to None."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode, in which dropout is on. Returns the module itself."""
        self.training = mode
        for _, child in self.named_children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode, in which dropout is off. Returns the module itself."""
        return self.train(False)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode inside the `with` block; after it, the mode from before."""
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter, by name."""
        return {name: parameter.numpy() for name, parameter in self.named_parameters()}

    def merged_state(self) -> dict[str, Array]:
        """The parameters by name, with what LoRA adds to them: those of a model without it."""
        return self.state_dict()

    def effective_state(self) -> dict[str, Array]:
        """The parameters by name as they are used: a plain model with them has the same scores."""
        return self.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set every parameter, by name. If anything does not fit, none is changed.

        Raises ValueError naming what is missing, unknown or of another shape.
        """
        parameters = dict(self.named_parameters())
        missing, unknown = parameters.keys() - state.keys(), state.keys() - parameters.keys()
        if missing or unknown:
            raise ValueError(f"missing: {sorted(missing)}, unknown: {sorted(unknown)}")
        arrays = {name: np.asarray(state[name]) for name in parameters}
        for name, parameter in parameters.items():
            if arrays[name].shape != parameter.shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, wanted {parameter.shape}")
            if arrays[name].dtype.kind not in "biuf":
                raise ValueError(f"{name} holds {arrays[name].dtype}, wanted real numbers")
        for name, parameter in parameters.items():
            parameter.data = arrays[name]


@contextlib.contextmanager
def replaced(places: Sequence[tuple[Module, str]], weights: Sequence[Tensor]) -> Iterator[None]:
    """Modules have other weights in these attributes inside the `with` block."""
    own = [getattr(module, attribute) for module, attribute in places]
    try:
        for (module, attribute), weight in zip(places, weights, strict=True):
            setattr(module, attribute, weight)
        yield
    finally:
        for (module, attribute), weight in zip(places, own, strict=True):
            setattr(module, attribute, weight)


def _inside(held: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, Tensor or Module) of everything in a list, tuple or dict, nested ones included."""
    for key, value in held.items() if isinstance(held, dict) else enumerate(held):
        if isinstance(value, (Tensor, Module)):
            yield f"{prefix}{key}", value
        elif isinstance(value, (list, tuple, dict)):
            yield from _inside(value, f"{prefix}{key}.")


def check_sizes(**sizes: int) -> None:
    """Raise ValueError for a size of a model that is below 1, by its name."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}, wanted at least 1")


def parameter(shape: tuple[int, ...], values: Callable[[Any], Array], dtype: Any) -> Tensor:
    """A Tensor to be learned.    values: a function from the shape to the initial values"""
    if _shapes_only.get():
        tensor = mg.broadcast_to(Tensor(np.zeros((), dtype)), shape)
        tensor.requires_grad = True
        return tensor
    return Tensor(values(shape).astype(dtype or np.float32), requires_grad=True)


def uniform(rng: Generator, bound: float) -> Callable[[Any], Array]:
    """A function from a shape to numbers drawn uniformly from -bound..bound."""
    return lambda shape: rng.uniform(-bound, bound, shape)


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Parameters made in this `with` block have a shape, but take no memory and no time.

    So the parameters of a model can be counted before there is memory for it. All entries are 0.
    """
    token = _shapes_only.set(True)
    try:
        yield
    finally:
        _shapes_only.reset(token)
