"""The exported model in Python, equal to the C sources in every bit.

A mixer is a class here, a C file with its header in `csource/`, and a line in the table.
"""

from teenygpt_np.exporter.twin.attention import Attention
from teenygpt_np.exporter.twin.convolution import Convolution
from teenygpt_np.exporter.twin.linear_attention import LinearAttention
from teenygpt_np.exporter.twin.mamba import Mamba
from teenygpt_np.exporter.twin.mixer import MixerTwin
from teenygpt_np.exporter.twin.recurrent import GRU, RNN
from teenygpt_np.exporter.twin.retnet import Retention
from teenygpt_np.exporter.twin.rwkv import RWKV
from teenygpt_np.exporter.twin.s4 import S4

MIXER_TWINS: dict[str, type[MixerTwin]] = {
    "attention": Attention,
    "linear-attention": LinearAttention,
    "retnet": Retention,
    "rwkv": RWKV,
    "s4": S4,
    "mamba": Mamba,
    "rnn": RNN,
    "gru": GRU,
    "convolution": Convolution,
}
