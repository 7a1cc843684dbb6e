"""The mixers, which move information between tokens: a kind is one file and one line in a table."""

from teenygpt_np.model.mixers.attention import CausalSelfAttention
from teenygpt_np.model.mixers.convolution import Convolution
from teenygpt_np.model.mixers.gru import GRU
from teenygpt_np.model.mixers.linear_attention import LinearAttention
from teenygpt_np.model.mixers.mamba import Mamba
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.mixers.retnet import Retention
from teenygpt_np.model.mixers.rnn import RNN
from teenygpt_np.model.mixers.rwkv import RWKV
from teenygpt_np.model.mixers.s4 import S4

MIXERS: dict[str, type[Mixer]] = {
    "attention": CausalSelfAttention,
    "linear-attention": LinearAttention,
    "retnet": Retention,
    "rwkv": RWKV,
    "s4": S4,
    "mamba": Mamba,
    "rnn": RNN,
    "gru": GRU,
    "convolution": Convolution,
}
