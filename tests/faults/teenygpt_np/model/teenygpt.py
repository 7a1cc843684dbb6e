"""Seeded faults in `teenygpt_np/model/teenygpt.py`."""

FAULTS = [
    ("loss: a token is to predict itself", "return x[:, 1:]", "return x[:, :-1]"),
    ("loss: the mean over tokens", "losses / len(x)", "losses / targets.size"),
    ("loss: what counts is a token late", "counted[:, 1:], targets", "counted[:, :-1], targets"),
    ("part_by_part: every part stands at the beginning", "state.position += x.shape[1]", "pass"),
    ("muon: the output layer too", "output.muon = ()", "pass"),
    (
        "positions: learned where every mixer knows the order",
        'return "none"\n',
        'return "waves"\n',
    ),
    (
        "positions: none where only some mixers know the order",
        'else "waves"\n\n\ndef _next',
        'else "none"\n\n\ndef _next',
    ),
    (
        "sample: no longer than in training, learned positions or not",
        'sys.maxsize if self.positions == "none" else self.num_tokens',
        "self.num_tokens",
    ),
    (
        "positions: rotary where heads have an odd width",
        '"rotary" if head_width % 2 == 0 and',
        '"rotary" if',
    ),
    (
        "part_by_part: positions of the next part begin anew",
        "np.arange(start, start + ",
        "np.arange(",
    ),
]
