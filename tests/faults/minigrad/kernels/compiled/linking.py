"""Seeded faults in `minigrad/kernels/compiled/linking.py`."""

FAULTS = [
    (
        "code_that_calls: what is called is not linked before code is loaded",
        "encode() in code:",
        "encode() == code:",
    ),
]
