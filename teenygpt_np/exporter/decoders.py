"""Which models can be exported to a program that writes."""

from __future__ import annotations

from collections.abc import Collection

from teenygpt_np.errors import InputError
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.run_directory import TrainedRun


def decoder(run: TrainedRun, mixers: Collection[str]) -> TeenyGPT:
    """A run's model, if it writes texts and has none but these mixers.

    Raises InputError for any other, by what it has.
    """
    config = run.config
    if not isinstance(run.model, TeenyGPT) or config.objective == "masked":
        raise InputError(f"the run has learned {config.objective}, wanted one that writes texts")
    if lacking := [name for name in config.mixers if name not in mixers]:
        wanted = ", ".join(mixers)
        raise InputError(f"the run has the mixer {lacking[0]}, wanted {wanted} for this target")
    if config.experts > 1:
        raise InputError(f"the run has {config.experts} experts, wanted 1 for this target")
    return run.model
