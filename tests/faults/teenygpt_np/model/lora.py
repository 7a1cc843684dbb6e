"""Seeded faults in `teenygpt_np/model/lora.py`."""

FAULTS = [
    (
        "at_first: A starts at 0, too",
        "parameter((rank, inputs), uniform(rng, 1 / math.sqrt(inputs)), dtype)",
        "parameter((rank, inputs), np.zeros, dtype)",
    ),
    (
        "at_first: B starts by chance",
        "parameter((outputs, rank), np.zeros, dtype)",
        "parameter((outputs, rank), uniform(rng, 1), dtype)",
    ),
    (
        "thirds: the product is not scaled",
        "self.lora_B @ self.lora_A * self.scale",
        "self.lora_B @ self.lora_A",
    ),
    (
        "thirds: the scale does not know the rank",
        "self.scale = alpha / rank",
        "self.scale = alpha",
    ),
    ("only_what_is_chosen: nothing is frozen", "        freeze(model)\n", "        pass\n"),
    (
        "lora: the norm of the whole is that of each third",
        "np.split(whole, len(place.pairs)), place.pairs",
        "[whole] * len(place.pairs), place.pairs",
    ),
]
