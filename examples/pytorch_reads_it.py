"""An exported model in PyTorch: a module of a few lines gets the same scores.

Usage: python examples/pytorch_reads_it.py FILE [TEXT]

FILE is what `python -m teenygpt_np.export RUN --to safetensors` writes of a run of lines with
attention, as the presets make. Prints the nats of TEXT, by PyTorch and by this project. Needs torch
and safetensors (the extra `bench`).
"""

import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from teenygpt_np.model.building import build_model
from teenygpt_np.run_directory import described


class Block(nn.Module):
    """x = norm1(x + attention(x)); x = norm2(x + mlp(x))"""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.msha = nn.MultiheadAttention(width, heads, batch_first=True)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor, future: Tensor) -> Tensor:
        """future: (T, T), True where a token must not see another"""
        x = self.layer_norm1(x + self.msha(x, x, x, attn_mask=future, need_weights=False)[0])
        return self.layer_norm2(x + self.mlp(x))


class TeenyGPT(nn.Module):
    """Logits of each next token.    (B, t) ids -> (B, t, V)"""

    def __init__(self, tokens: int, values: int, width: int, heads: int, hidden: int, blocks: int):
        super().__init__()
        self.embedding = nn.Embedding(values, width)
        self.positional_embedding = nn.Embedding(tokens, width)
        self.transformer_blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(blocks))
        self.logits = nn.Sequential(nn.Linear(width, values))

    def forward(self, x: Tensor) -> Tensor:
        """Embed, mix and compute, then score."""
        h = self.embedding(x) + self.positional_embedding.weight[: x.shape[1]]
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        for block in self.transformer_blocks:
            h = block(h, future)
        return self.logits(h)


def main(file: str, text: str = "council approves tram line") -> None:
    """Load the file twice, score the text twice."""
    with safe_open(file, "pt") as opened:
        config, tokenizer = described(json.loads(opened.metadata()["teenygpt_np"]))
    ids = tokenizer.row(tokenizer.fold(text).text)[None].astype("int64")

    weights = load_file(file)
    hidden, width = weights["transformer_blocks.0.mlp.0.weight"].shape
    tokens, values = len(weights["positional_embedding.weight"]), tokenizer.num_token_vals
    model = TeenyGPT(tokens, values, width, config.num_heads, hidden, config.num_blocks)
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
