"""Encoder and decoder of torch.nn's layers, with our parameter names.

Letters in shapes: B batch, S tokens of a source, t of a target, D width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Our name of a part of a layer, and torch.nn's.
ENCODER = {
    "msha": "self_attn",
    "layer_norm1": "norm1",
    "mlp.0": "linear1",
    "mlp.2": "linear2",
    "layer_norm2": "norm2",
}
DECODER = ENCODER | {"multihead_attn": "multihead_attn", "layer_norm3": "norm3"}


def future(size: int) -> Tensor:
    """(t, t), True where a query (row) must not see a key (column)."""
    return torch.ones(size, size, dtype=torch.bool).triu(1)


def padding(lengths: Tensor, size: int) -> Tensor:
    """(B, S), True for padding."""
    return torch.arange(size) >= lengths[:, None]


class Layer(nn.Module):
    """One of torch.nn's layers, post-norm, with GELU and without dropout."""

    def __init__(self, kind: type[nn.Module], width: int, num_heads: int, hidden: int) -> None:
        super().__init__()
        settings = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": False}
        self.names = DECODER if kind is nn.TransformerDecoderLayer else ENCODER
        self.layer = kind(width, num_heads, hidden, **settings)

    def ours(self) -> dict[str, nn.Parameter]:
        """The parameters by our names."""
        parts = {theirs: ours for ours, theirs in self.names.items()}
        found = {}
        for name, parameter in self.layer.named_parameters():
            part, _, rest = name.partition(".")
            found[f"{parts[part]}.{rest}"] = parameter
        return found

    def forward(self, *inputs: Tensor, **masks: Tensor) -> Tensor:
        return self.layer(*inputs, **masks)


class EncoderDecoder(nn.Module):
    """The whole model, of these layers."""

    def __init__(
        self,
        num_tokens: int,
        num_token_vals: int,
        width: int,
        num_neurons: int,
        num_heads: int,
        num_blocks: int,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_token_vals, width)
        self.positional_embedding = nn.Embedding(num_tokens, width)
        sizes = width, num_heads, num_neurons * width
        self.encoder_blocks = nn.ModuleList(
            Layer(nn.TransformerEncoderLayer, *sizes) for _ in range(num_blocks)
        )
        self.decoder_blocks = nn.ModuleList(
            Layer(nn.TransformerDecoderLayer, *sizes) for _ in range(num_blocks)
        )
        self.logits = nn.Sequential(nn.Linear(width, num_token_vals))

    def ours(self) -> dict[str, nn.Parameter]:
        """The parameters by our names."""
        blocks = ("encoder_blocks", "decoder_blocks")
        found = {n: p for n, p in self.named_parameters() if not n.startswith(blocks)}
        for name in blocks:
            for i, layer in enumerate(getattr(self, name)):
                found |= {f"{name}.{i}.{n}": p for n, p in layer.ours().items()}
        return found

    def loss(self, source: Tensor, lengths: Tensor, target: Tensor, counted: Tensor) -> Tensor:
        """-ln p(target | source), of the tokens that count but the first, in nats per target."""
        x, masked = self._embedded(source), padding(lengths, source.shape[1])
        for layer in self.encoder_blocks:
            x = layer(x, src_key_padding_mask=masked)
        y = self._embedded(target[:, :-1])
        for layer in self.decoder_blocks:
            y = layer(y, x, tgt_mask=future(y.shape[1]), memory_key_padding_mask=masked)
        targets = target[:, 1:].masked_fill(~counted[:, 1:], -100)
        nll = F.cross_entropy(self.logits(y).flatten(0, 1), targets.flatten(), reduction="sum")
        return nll / len(target)

    def _embedded(self, ids: Tensor) -> Tensor:
        return self.embedding(ids) + self.positional_embedding(torch.arange(ids.shape[1]))
