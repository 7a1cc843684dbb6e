"""An exported model in PyTorch: a module of a few lines gets the same scores.

Usage: python examples/pytorch_reads_it.py FILE [TEXT]

FILE is what `python -m teenygpt_np.export RUN --to safetensors` writes of a run of lines with
attention, as the presets make. Prints the nats of TEXT, by PyTorch and by this project. Needs torch
and safetensors (the extra `bench`).
"""

import json
import sys

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from teenygpt_np.model.building import build_model
from teenygpt_np.run_directory import described


def turned(x: Tensor) -> Tensor:
    """Neighbouring entries as a point in the plane, turned by t a_i.    (B, H, T, d) -> the same"""
    angles = torch.outer(torch.arange(x.shape[2]), 10000 ** -torch.linspace(0, 1, x.shape[3] // 2))
    points = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(points * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


class Attention(nn.Module):
    """softmax(q k^T / sqrt(d), causal) v in each head"""

    def __init__(self, width: int, heads: int, rotary: bool) -> None:
        super().__init__()
        self.heads, self.rotary = heads, rotary
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project, mix, project."""
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in qkv)
        q, k = (turned(q), turned(k)) if self.rotary else (q, k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """x = norm1(x + attention(x)); x = norm2(x + mlp(x))"""

    def __init__(self, width: int, heads: int, hidden: int, rotary: bool) -> None:
        super().__init__()
        self.msha = Attention(width, heads, rotary)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Mix and compute."""
        x = self.layer_norm1(x + self.msha(x))
        return self.layer_norm2(x + self.mlp(x))


class TeenyGPT(nn.Module):
    """Logits of each next token.    (B, t) ids -> (B, t, V)"""

    def __init__(
        self,
        tokens: int,
        values: int,
        width: int,
        heads: int,
        hidden: int,
        blocks: int,
        rotary: bool,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(values, width)
        self.positional_embedding = None if rotary else nn.Embedding(tokens, width)
        self.transformer_blocks = nn.ModuleList(
            Block(width, heads, hidden, rotary) for _ in range(blocks)
        )
        self.logits = nn.Sequential(nn.Linear(width, values))

    def forward(self, x: Tensor) -> Tensor:
        """Embed, mix and compute, then score."""
        h = self.embedding(x)
        if self.positional_embedding is not None:
            h = h + self.positional_embedding.weight[: x.shape[1]]
        for block in self.transformer_blocks:
            h = block(h)
        return self.logits(h)


def main(file: str, text: str = "council approves tram line") -> None:
    """Load the file twice, score the text twice."""
    with safe_open(file, "pt") as opened:
        config, tokenizer = described(json.loads(opened.metadata()["teenygpt_np"]))
    ids = tokenizer.row(tokenizer.fold(text).text)[None].astype("int64")

    weights = load_file(file)
    hidden, width = weights["transformer_blocks.0.mlp.0.weight"].shape
    values, rotary = tokenizer.num_token_vals, config.positions == "rotary"
    sizes = config.num_tokens, values, width, config.num_heads, hidden, config.num_blocks
    model = TeenyGPT(*sizes, rotary)
    model.load_state_dict(weights)
    with torch.no_grad():
        scores = model(torch.from_numpy(ids[:, :-1]))
    nats = nn.functional.cross_entropy(scores[0], torch.from_numpy(ids[0, 1:]), reduction="sum")
    print(f"PyTorch:  {nats:.4f} nats")

    ours = build_model(config, values, None)
    ours.load_state_dict({name: array.numpy() for name, array in weights.items()})
    print(f"minigrad: {ours.eval().loss(ids).item():.4f} nats")


if __name__ == "__main__":
    main(*sys.argv[1:])
