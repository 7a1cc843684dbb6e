"""What mixes a block's tokens: each kind is one file here, and one line in this table."""

from teenygpt_np.model.mixers.attention import CausalSelfAttention
from teenygpt_np.model.mixers.mixer import Mixer

MIXERS: dict[str, type[Mixer]] = {
    "attention": CausalSelfAttention,
}
