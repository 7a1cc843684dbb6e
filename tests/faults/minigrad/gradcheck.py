"""Seeded faults in `minigrad/gradcheck.py`."""

FAULTS = [
    ("gradcheck: a cotangent of ones", "rng.standard_normal(y.shape)", "np.ones(y.shape)"),
    ("gradcheck: absolute", "abs(analytic), abs(numeric))", "abs(analytic * numeric))"),
    ("gradcheck: nan is no error", "if not error <= worst.error:", "if error > worst.error:"),
    ("gradcheck: entries are not put back", "point[index] = x\n    return", "return"),
    (
        "gradcheck: only the first input",
        "for i, x in enumerate(points) for",
        "for i, x in enumerate(points[:1]) for",
    ),
    ("gradcheck: a difference to one side", "point[index] = x - h", "point[index] = x"),
    ("edges: a check is always true", "return self.error <= self.tolerance", "return True"),
]
