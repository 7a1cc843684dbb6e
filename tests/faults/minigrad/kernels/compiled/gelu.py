"""Seeded faults in `minigrad/kernels/compiled/gelu.py`."""

FAULTS = [
    ("erf: compiled, its complement", "y[i] = math.erf(x[i])", "y[i] = math.erfc(x[i])"),
    (
        "gelu: compiled, e^(-x^2) for e^(-x^2/2)",
        "x.dtype.type(-FAR)) * normal_cdf(a, normal_density(a))",
        "x.dtype.type(-FAR)) * normal_cdf(a, normal_density(a * x.dtype.type(1.4142135)))",
    ),
    (
        "gelu_vjp: compiled, x p(x) without the x",
        "density) + near * density",
        "density) + density",
    ),
    ("normal_density: the square rounded twice", "+ rate_low * square", "+ 0 * square"),
    ("normal_density: the last power forgotten", "p = c6 * f + c5", "p = c5"),
    ("gelu_vjp: compiled, tanh form, 1 - t for 1 - t^2", "(one - t * t)", "(one - t)"),
    (
        "gelu: compiled, tanh form, the cubic is missing",
        "(a + kind(TANH_CUBIC) * a * a * a)",
        "a",
    ),
    (
        "edges: compiled, minus infinity times 0",
        "y[i] = max(a, x.dtype.type(-FAR)) *",
        "y[i] = a *",
    ),
]
