"""Seeded faults in `minigrad/kernels/compiled/exp.py`."""

FAULTS = [
    ("exp: the cubic term 0.1% off", "p = p * r + c3", "p = p * r + c3 * f32(1.001)"),
    ("exp: 0 already at -80", "f32(-104)", "f32(-80)"),
    ("exp: ln 2 with few digits", "math.log(2) - 0.693359375", "0"),
]
