"""Seeded faults in `teenygpt_np/model/encoder_decoder.py`."""

FAULTS = [
    (
        "encoder_decoder: the encoder sees only what came before",
        "h = block(h, lengths=lengths)",
        "h = block(h)",
    ),
    (
        "encoder_decoder: padding of the source is seen",
        "mg.attention(q, k, v, lengths=lengths)",
        "mg.attention(q, k, v)",
    ),
    (
        "encoder_decoder: queries of the source",
        "self.projected(x, slice(0, 1))",
        "self.projected(x, slice(1, 2))",
    ),
    ("encoder_decoder: keys for values", "return k, v", "return v, k"),
    (
        "encoder_decoder: the first block's keys in all",
        "memory.keys[i], memory.values[i]",
        "memory.keys[0], memory.values[i]",
    ),
    (
        "encoder_decoder: a residual connection lost",
        "self.layer_norm2(x + self.multihead_attn(",
        "self.layer_norm2(self.multihead_attn(",
    ),
    ("encoder_decoder: a norm used twice", "return self.layer_norm3(", "return self.layer_norm2("),
    ("encoder_decoder: positions begin anew in each part", "state.position += h.shape[1]", "pass"),
    (
        "encoder_decoder: padding of the target counts",
        "np.where(counted[:, 1:], next_tokens, _NOT_COUNTED)",
        "next_tokens",
    ),
    ("encoder_decoder: dropout while writing", "with self.evaluating():", "if True:"),
]
