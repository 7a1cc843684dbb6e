"""Seeded faults in `minigrad/ops/elementwise.py`."""

FAULTS = [
    ("add: a dropped parent", "return dy, dy", "return dy, None"),
    ("subtract: a sign lost", "return dy, lambda: -dy", "return dy, dy"),
    (
        "multiply: a and b swapped",
        "return lambda: dy * b, lambda: dy * a",
        "return lambda: dy * a, lambda: dy * b",
    ),
    ("divide: a missing factor", "lambda: -dy * y / b", "lambda: -dy * y"),
    ("negative: a sign lost", "return (-dy,)", "return (dy,)"),
    (
        "power: the exponent 0.1% off",
        "dy * b * a ** (exponent - 1)",
        "dy * b * a ** (exponent * 0.999 - 1)",
    ),
    ("power: 0 times infinity at 0^0", "np.where(b == 0, 1, b)", "b"),
    ("power: y missing in db", "y * np.log(np.where(", "np.log(np.where("),
    ("power: 0 times -infinity in db", "constant = (a == 0) & (b >= 0)", "constant = a < a"),
    ("exp: 0.1% off", "(dy * y,)", "(dy * y * 1.001,)"),
    ("log: an eps against division by 0", "(dy / x,)", "(dy / (x + 1e-8),)"),
    ("sqrt: x for y", "dy / (2 * y)", "dy / (2 * x)"),
    ("abs: slope 1 at the kink", "dy * np.sign(x)", "dy * np.where(x < 0, -1, 1)"),
    ("tanh: x for y", "dy * (1 - y * y)", "dy * (1 - x * x)"),
    ("sigmoid: a missing factor", "dy * (z / (1 + z) ** 2)", "dy * (z / (1 + z))"),
    (
        "glu: the gradient of the first half only",
        "(kernels.glu_vjp(rows, as_rows(dy)).reshape(x.shape),)",
        "(kernels.glu_vjp(rows, as_rows(dy)).reshape(x.shape) * (np.arange(x.shape[-1]) < 2),)",
    ),
    (
        "softplus: its value for its slope",
        "kernels.softplus_vjp(x, dy)",
        "dy * kernels.softplus(x)",
    ),
    ("silu: its value for its slope", "kernels.silu_vjp(x, dy)", "dy * kernels.silu(x)"),
    ("sin: a sign too many", "(dy * np.cos(x),)", "(-dy * np.cos(x),)"),
    ("cos: a sign lost", "(-dy * np.sin(x),)", "(dy * np.sin(x),)"),
    (
        "erf: the factor of the normal density",
        "2 / math.sqrt(math.pi)",
        "1 / math.sqrt(math.pi)",
    ),
    (
        "extremes: relu, 0 times an infinite gradient",
        "np.where(y > 0, dy, y)",
        "dy * (y > 0)",
    ),
    ("relu: slope 1 at the kink", "(np.where(y > 0, dy, y),)", "(np.where(y >= 0, dy, y),)"),
    (
        "gelu: the other form's gradient",
        "kernels.gelu_vjp(x, dy, approximate)",
        'kernels.gelu_vjp(x, dy, "none")',
    ),
    (
        "maximum: of two that tie, each gets all",
        "half = np.where(tie, dy / 2, np",
        "half = np.where(tie, dy, np",
    ),
    (
        "maximum: of two that tie, the first gets all",
        "np.where(first, dy, half), lambda: np.where(second, dy, half)",
        "np.where(first | tie, dy, half), lambda: np.where(second, dy, 0)",
    ),
    ("minimum: the larger gets the gradient", "(a < b, a > b, a == b)", "(a > b, a < b, a == b)"),
    ("where: both get all", "np.where(condition, 0, dy)", "dy"),
    (
        "clip: nothing comes through where a bound holds",
        "y = x if low is None else maximum(x, low)",
        "y = x if low is None else where(x._data >= low._data, x, low.detach())",
    ),
    (
        "edges: the smaller gets all where one is NaN",
        "np.where(first | second, 0, np.nan)",
        "np.where(first | second, 0, 0)",
    ),
]
