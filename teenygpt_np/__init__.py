"""teenyGPT: a small decoder transformer language model, trained and sampled with minigrad.

`TeenyGPT` is imported when it is first used, so that a command line can set the number of threads
before NumPy starts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teenygpt_np.model.teenygpt import TeenyGPT

__all__ = ["TeenyGPT"]


def __getattr__(name: str) -> Any:
    if name != "TeenyGPT":
        raise AttributeError(f"module 'teenygpt_np' has no attribute {name!r}")
    from teenygpt_np.model.teenygpt import TeenyGPT

    return TeenyGPT
