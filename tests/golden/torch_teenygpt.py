"""teenyGPT in PyTorch: the model that the NumPy model is compared with.

Sizes and parameter names are the article's, so a `state_dict` fits both models unchanged.
Letters in shapes: B batch, T tokens, V token values, D embedding width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD = 0


class TransformerBlock(nn.Module):
    """x = norm1(x + attention(x)); x = norm2(x + mlp(x)).    x: (B, T, D) -> (B, T, D)"""

    def __init__(self, num_emb: int, num_neurons: int, num_heads: int) -> None:
        super().__init__()
        self.msha = nn.MultiheadAttention(num_emb, num_heads, batch_first=True)
        self.layer_norm1 = nn.LayerNorm(num_emb)
        self.mlp = nn.Sequential(
            nn.Linear(num_emb, num_neurons * num_emb),
            nn.GELU(),
            nn.Linear(num_neurons * num_emb, num_emb),
        )
        self.layer_norm2 = nn.LayerNorm(num_emb)

    def forward(self, x: Tensor, future: Tensor) -> Tensor:
        """future: (T, T), True where a query (row) must not see a key (column)."""
        attended, _ = self.msha(x, x, x, attn_mask=future, need_weights=False)
        x = self.layer_norm1(x + attended)
        return self.layer_norm2(x + self.mlp(x))


class TeenyGPT(nn.Module):
    """The article's model: post-norm blocks, learned positions, no norm before the logits.

    num_neurons: the width of the MLP, as a multiple of num_emb.
    """

    def __init__(
        self,
        num_tokens: int,
        num_token_vals: int,
        num_emb: int,
        num_neurons: int,
        num_heads: int = 2,
        dropout_prob: float = 0.1,
        num_blocks: int = 10,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_token_vals, num_emb)
        self.positional_embedding = nn.Embedding(num_tokens, num_emb)
        self.dropout = nn.Dropout(dropout_prob)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(num_emb, num_neurons, num_heads) for _ in range(num_blocks)
        )
        self.logits = nn.Sequential(nn.Linear(num_emb, num_token_vals))

    def log_probs(self, x: Tensor, temperature: float = 1.0) -> Tensor:
        """Log-probability of token t+1 given tokens 0..t, for every t.    x: (B, T) -> (B, T, V)"""
        num_tokens = x.shape[1]
        positions = torch.arange(num_tokens, device=x.device)
        future = torch.ones(num_tokens, num_tokens, dtype=torch.bool, device=x.device).triu(1)
        h = self.dropout(self.embedding(x) + self.positional_embedding(positions))
        for block in self.transformer_blocks:
            h = block(h, future)
        return F.log_softmax(self.logits(h) / temperature, dim=-1)

    def loss(self, x: Tensor, reduction: str = "mean", ignore_pads: bool = False) -> Tensor:
        """Negative log-likelihood of tokens 1..T-1, in nats.    x: (B, T) -> ()

        reduction: 'sum' over the batch, or 'mean': nats per row.
        ignore_pads: count a row up to and including its first pad, which is its end.
        """
        targets = x[:, 1:]
        predicted = self.log_probs(x)[:, :-1]
        nll = -predicted.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        if ignore_pads:
            is_pad = (targets == PAD).long()
            pads_before = is_pad.cumsum(1) - is_pad
            nll = torch.where(pads_before == 0, nll, 0.0)
        per_headline = nll.sum(1)
        if reduction == "sum":
            return per_headline.sum()
        if reduction == "mean":
            return per_headline.mean()
        raise ValueError(f"reduction is {reduction!r}, wanted 'sum' or 'mean'")

    @torch.no_grad()
    def top1(self, x: Tensor) -> Tensor:
        """The share of the T-1 next tokens that the argmax gets right.    x: (B, T) -> (B)"""
        guesses = self.log_probs(x)[:, :-1].argmax(-1)
        return (guesses == x[:, 1:]).double().mean(1)
