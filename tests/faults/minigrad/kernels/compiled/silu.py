"""Seeded faults in `minigrad/kernels/compiled/silu.py`."""

FAULTS = [
    ("silu: compiled, as if x were above 0", "(z if x < 0 else one)", "one"),
    ("silu_vjp: compiled, the slope of s is missing", "(s * (one + x[i] * (one - s)))", "s"),
    ("glu: compiled, the gate's half is gated", "a[e] * sigmoid(b[e])", "b[e] * sigmoid(a[e])"),
    ("glu_vjp: compiled, no slope of s", "(z / ((one + z) * (one + z)))", "sigmoid(b[e])"),
    ("softplus: compiled, too few terms", "_TERMS = 17", "_TERMS = 5"),
    ("softplus_vjp: compiled, of -x", "dy[i] * sigmoid(x[i])", "dy[i] * sigmoid(-x[i])"),
]
