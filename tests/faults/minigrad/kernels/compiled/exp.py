"""Seeded faults in `minigrad/kernels/compiled/exp.py`."""

FAULTS = [
    (
        "exp: the cubic term 0.1% off",
        "(TINY / math.factorial(k))",
        "(TINY / math.factorial(k) * (1 + (k == 3) / 1000))",
    ),
    ("exp2: the series without its last term", "c[3] - 7 / 128 * c[7]", "c[3]"),
    ("exp2: 0 already at -120", "f32(-150)", "f32(-120)"),
    ("exp: 0 already at -80", "f32(-104)", "f32(-80)"),
    ("exp: ln 2 with few digits", "math.log(2) - 0.693359375", "0"),
]
