"""What a model can be trained for: an objective is one file and one line in a table."""

from teenygpt_np.config import Config
from teenygpt_np.text.tokenizer import Tokenizer
from teenygpt_np.training.objectives.labels import Labels
from teenygpt_np.training.objectives.masked import Joint, MaskedTokens
from teenygpt_np.training.objectives.next_token import NextToken
from teenygpt_np.training.objectives.objective import Loss, Objective
from teenygpt_np.training.objectives.pairs import PairsObjective
from teenygpt_np.training.objectives.preferences import PreferencesObjective

OBJECTIVES: dict[str, type[Objective]] = {
    "next": NextToken,
    "masked": MaskedTokens,
    "joint": Joint,
    "pairs": PairsObjective,
    "labels": Labels,
    "preferences": PreferencesObjective,
}


def objective_of(config: Config, tokenizer: Tokenizer) -> Objective:
    """What a run with these settings is trained for."""
    return OBJECTIVES[config.objective](config, tokenizer)


__all__ = ["OBJECTIVES", "Loss", "Objective", "objective_of"]
