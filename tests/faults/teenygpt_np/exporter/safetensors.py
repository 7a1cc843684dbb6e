"""Seeded faults in `teenygpt_np/exporter/safetensors.py`."""

FAULTS = [
    ("safetensors: a gap between two arrays is read over", "if start != end or", "if"),
    ("safetensors: arrays begin anywhere", "-len(text) % 8", "0"),
    ("safetensors: what is behind the arrays is read over", "if end != len(data):", "if False:"),
    (
        "safetensors: a transposed array as it lies in memory",
        "np.ascontiguousarray(array, _DTYPES[dtype])",
        "array.T",
    ),
    ("safetensors: LoRA's part is lost", "run.model.effective_state()", "run.model.state_dict()"),
]
