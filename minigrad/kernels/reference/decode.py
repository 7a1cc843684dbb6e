"""One position of a transformer."""

from __future__ import annotations

from minigrad.kernels.reference.array import Array
from minigrad.kernels.reference.attention import causal_attention
from minigrad.kernels.reference.layer_norm import layer_norm
from minigrad.kernels.reference.mlp import mlp


def decode(
    x: Array, blocks: tuple[Array, ...], keys: Array, values: Array, position: int, eps: float
) -> Array:
    """x = LayerNorm(x + Attention(x)), x = LayerNorm(x + MLP(x)), for one position, block by block.

    x: (B, D) -> (B, D). keys, values: (L, B, H, d, T), in which this position's are stored and
    those before it found. blocks, each with an axis for the L blocks in front:
        in_w (D, 3D), in_b (3D), out_w (D, D), out_b (D), norm1_w (D), norm1_b (D),
        w1 (D, N), b1 (N), w2 (N, D), b2 (D), norm2_w (D), norm2_b (D)
    """
    batch, heads, size, _ = keys.shape[1:]
    for *block, k, v in zip(*blocks, keys, values, strict=True):
        in_w, in_b, out_w, out_b, norm1_w, norm1_b, w1, b1, w2, b2, norm2_w, norm2_b = block
        qkv = (x @ in_w + in_b).reshape(batch, 3, heads, 1, size)
        k[..., position], v[..., position] = qkv[:, 1, :, 0], qkv[:, 2, :, 0]
        seen_k, seen_v = (cache[..., : position + 1].swapaxes(2, 3) for cache in (k, v))
        attended, _ = causal_attention(qkv[:, 0], seen_k, seen_v)
        x = layer_norm(x + attended.reshape(x.shape) @ out_w + out_b, norm1_w, norm1_b, eps)[0]
        x = layer_norm(x + mlp(x, w1.T, b1, w2.T, b2), norm2_w, norm2_b, eps)[0]
    return x
