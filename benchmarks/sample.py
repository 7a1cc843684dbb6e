"""Sampling headlines: tokens/s, ours beside PyTorch's in two ways.

    python benchmarks/sample.py

With a cache: keys and values kept between tokens, written by hand below. As the article: the whole
prefix goes through the model again for every token, and so 4 headlines at once are enough.

Weights are random. In all of them a headline goes on to the end of the context: in ours the pad,
which would end it, is made impossible; PyTorch's ways go on after a pad, as the article's does.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import sides
from train_step import CONFIGURATIONS, SHORT, TOKEN_VALUES, Sizes

CLS = TOKEN_VALUES - 1
T = 150
MODELS = {
    "article, 4,284,061 parameters": CONFIGURATIONS["article"],
    "narrow, 213,277 parameters": (1, T, 64, 4, 4, 4),
}
AS_THE_ARTICLE = 4  # headlines at once


def ours(sizes: Sizes, headlines: int, budget: float) -> float:
    """Tokens/s of `TeenyGPT.sample`."""
    import numpy as np

    from teenygpt_np import TeenyGPT

    sides.use_threads()
    _, T, D, heads, num_neurons, blocks = sizes
    model = TeenyGPT(T, TOKEN_VALUES, D, num_neurons, heads, num_blocks=blocks, positions="learned")
    rng = np.random.default_rng(0)

    def draw() -> None:
        model.sample(headlines, prompt=[CLS], rng=rng)  # nothing ends one: all have T tokens

    return headlines * (T - 1) / sides.seconds(draw, budget)


def pytorch_model(sizes: Sizes) -> Any:
    """The model in PyTorch, in evaluation mode."""
    import torch

    sys.path.insert(0, str(sides.PEER))
    from torch_teenygpt import TeenyGPT

    torch.manual_seed(0)
    _, T, D, heads, num_neurons, blocks = sizes
    return TeenyGPT(T, TOKEN_VALUES, D, num_neurons, heads, num_blocks=blocks).eval()


def draw_with_cache(model: Any, headlines: int, num_tokens: int) -> Any:
    """Ids (B, T): one token at a time through the model, keys and values kept."""
    import torch
    import torch.nn.functional as F

    with torch.inference_mode():
        D, heads = model.embedding.weight.shape[1], model.transformer_blocks[0].msha.num_heads
        blocks = model.transformer_blocks
        caches = torch.empty(len(blocks), 2, headlines, heads, num_tokens, D // heads)
        ids = torch.full((headlines, num_tokens), CLS)
        for t in range(num_tokens - 1):
            h = model.embedding(ids[:, t]) + model.positional_embedding.weight[t]
            for block, (keys, values) in zip(blocks, caches, strict=True):
                attention = block.msha
                qkv = F.linear(h, attention.in_proj_weight, attention.in_proj_bias)
                q, keys[:, :, t], values[:, :, t] = qkv.view(headlines, 3, heads, -1).unbind(1)
                y = F.scaled_dot_product_attention(
                    q[:, :, None], keys[:, :, : t + 1], values[:, :, : t + 1]
                )
                h = block.layer_norm1(h + attention.out_proj(y.reshape(headlines, D)))
                h = block.layer_norm2(h + block.mlp(h))
            ids[:, t + 1] = torch.multinomial(model.logits(h).softmax(-1), 1)[:, 0]
        return ids


def draw_as_the_article(model: Any, headlines: int, num_tokens: int) -> Any:
    """Ids (B, T): the whole prefix through the model for every token."""
    import torch

    with torch.inference_mode():
        ids = torch.full((headlines, 1), CLS)
        while ids.shape[1] < num_tokens:
            p = model.log_probs(ids)[:, -1].exp()
            ids = torch.cat([ids, torch.multinomial(p, 1)], dim=1)
        return ids


def with_cache(sizes: Sizes, headlines: int, budget: float) -> float:
    """Tokens/s of PyTorch with a cache."""
    model, T = pytorch_model(sizes), sizes[1]
    taken = sides.seconds(lambda: draw_with_cache(model, headlines, T), budget)
    return headlines * (T - 1) / taken


def as_the_article(sizes: Sizes) -> float:
    """Tokens/s of PyTorch as the article does it, from one drawing, which takes long enough."""
    model, T = pytorch_model(sizes), sizes[1]
    draw_as_the_article(model, AS_THE_ARTICLE, 3)
    start = time.perf_counter()
    draw_as_the_article(model, AS_THE_ARTICLE, T)
    return AS_THE_ARTICLE * (T - 1) / (time.perf_counter() - start)


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=3, only=True)
    budget = 0 if args.short else 2
    rows = []
    for name, sizes in (SHORT if args.short else MODELS).items():
        for headlines in (64, 1):
            if args.only not in name:
                continue
            tasks: dict[str, sides.Task] = {"ours": (ours, sizes, headlines, budget)}
            if sides.HAS_PYTORCH:
                tasks["cache"] = (with_cache, sizes, headlines, budget)
                if headlines > 1:
                    tasks["article"] = (as_the_article, sizes)
            rates, memory = sides.alternate(f"{name}, {headlines} at once", tasks, args.rounds)
            rows.append(
                {
                    "model": name,
                    "at once": headlines,
                    "ours, tokens/s": sides.median(rates["ours"]),
                    "PyTorch with a cache": sides.median(rates.get("cache")),
                    "as the article, 4 at once": sides.median(rates.get("article")),
                    "ours / cache": sides.median_ratio(rates["ours"], rates.get("cache")),
                    "ours / article": sides.median_ratio(rates["ours"], rates.get("article")),
                    "ours, MB": memory["ours"],
                }
            )
    sides.report(args, sample=rows)


if __name__ == "__main__":
    main()
