"""Seeded faults in `teenygpt_np/model/mixers/attention.py`."""

FAULTS = [
    (
        "attention: q and k swapped",
        "return mg.causal_attention(q, k, v)",
        "return mg.causal_attention(k, q, v)",
    ),
    (
        "padding: an encoder sees its pads",
        "mg.attention(q, k, v, lengths=lengths)",
        "mg.attention(q, k, v)",
    ),
    (
        "parts: keys for values",
        "self._kept[1, :, :, start : self._length] = v",
        "self._kept[1, :, :, start : self._length] = k",
    ),
    (
        "parts: what was kept is lost when it is extended",
        "np.concatenate([self._kept, np.empty_like(self._kept)], axis=3)",
        "np.concatenate([np.zeros_like(self._kept), self._kept], axis=3)",
    ),
    (
        "muon: the projections to q, k and v are left out",
        'muon: Collection[str] = ("in_proj_weight",)',
        "muon: Collection[str] = ()",
    ),
    (
        "sights: an encoder's weights are those of a decoder",
        "np.tril(allowed) if causal else allowed",
        "np.tril(allowed)",
    ),
    (
        "rotary: v is turned, too",
        "start) for part in parts[:2])",
        "start) for part in parts)",
    ),
    (
        "parts: what is written is turned as if it was the first",
        "start = 0 if state is None else len(state)",
        "start = 0",
    ),
]
