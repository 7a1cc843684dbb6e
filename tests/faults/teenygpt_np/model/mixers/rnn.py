"""Seeded faults in `teenygpt_np/model/mixers/rnn.py`."""

FAULTS = [
    (
        "shown: the state's gradient in the place of the state",
        "return node.value[0], node.grad[0]",
        "return node.grad[0], node.grad[0]",
    ),
]
