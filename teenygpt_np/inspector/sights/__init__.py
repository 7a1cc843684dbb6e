"""What is shown of a text, by what the model was trained for: a kind is one file and one line."""

from pathlib import Path

from teenygpt_np.errors import InputError
from teenygpt_np.inspector.sights.labels import LabelsSight
from teenygpt_np.inspector.sights.masked import JointSight, MaskedSight
from teenygpt_np.inspector.sights.next_token import NextTokenSight
from teenygpt_np.inspector.sights.pairs import PairsSight
from teenygpt_np.inspector.sights.sight import Prediction, Sight
from teenygpt_np.run_directory import SAMPLES, TrainedRun

SIGHTS: dict[str, type[Sight]] = {
    "next": NextTokenSight,
    "masked": MaskedSight,
    "joint": JointSight,
    "pairs": PairsSight,
    "labels": LabelsSight,
    "preferences": NextTokenSight,
}


def sight_of(run: TrainedRun, text: str) -> Sight:
    """A text as the run's model reads it. Raises InputError for one that it cannot read."""
    return SIGHTS[run.config.objective].of(run, text)


def usual_text(run: TrainedRun, directory: Path) -> str:
    """A text of the samples that the run wrote last. Raises InputError if it wrote none."""
    kind = SIGHTS[run.config.objective]
    for path in sorted((directory / SAMPLES).glob("epoch_*.txt"), reverse=True):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if (text := kind.usual(lines)) is not None:
            return text
    raise InputError(f"{directory} has no samples; wanted --text with a text to inspect")


__all__ = ["SIGHTS", "Prediction", "Sight", "sight_of", "usual_text"]
