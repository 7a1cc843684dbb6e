"""Seeded faults in `teenygpt_np/model/teenygpt.py`."""

FAULTS = [
    ("loss: a token is to predict itself", "return x[:, 1:]", "return x[:, :-1]"),
    ("loss: the mean over tokens", "losses / len(x)", "losses / targets.size"),
    ("loss: what counts is a token late", "counted[:, 1:], targets", "counted[:, :-1], targets"),
    ("part_by_part: every part stands at the beginning", "state.position += x.shape[1]", "pass"),
    ("muon: the output layer too", "output.muon = ()", "pass"),
    (
        "positions: learned where every mixer knows the order",
        '"none" if all(kind.knows_order for kind in kinds) else "waves"',
        '"waves"',
    ),
    (
        "positions: none where only some mixers know the order",
        "if all(kind.knows_order",
        "if any(kind.knows_order",
    ),
    (
        "sample: no longer than in training, learned positions or not",
        "self.num_tokens if self.positional_embedding else sys.maxsize",
        "self.num_tokens",
    ),
    (
        "part_by_part: positions of the next part begin anew",
        "np.arange(start, start + ",
        "np.arange(",
    ),
]
