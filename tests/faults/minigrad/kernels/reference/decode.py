"""Seeded faults in `minigrad/kernels/reference/decode.py`."""

FAULTS = [
    (
        "decode: the position itself is not seen",
        "cache[..., : position + 1]",
        "cache[..., : max(position, 1)]",
    ),
    (
        "decode: keys for values",
        "qkv[:, 1, :, 0], qkv[:, 2, :, 0]",
        "qkv[:, 1, :, 0], qkv[:, 1, :, 0]",
    ),
]
