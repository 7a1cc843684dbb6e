"""An operation of your own in a dozen lines, and its check; then a wrong one, which is found.

Usage: python examples/own_operation.py

softplus(x) = ln(1 + e^x) is a smooth max(x, 0). The check compares its gradient with differences of
function values at every entry. For the wrong one it prints the worst entry and both numbers.
"""

import numpy as np

import minigrad as mg


@mg.differentiable
def softplus(x, /):
    """y = ln(1 + e^x).    dx = dy / (1 + e^-x).    Keeps x."""

    def vjp(dy):
        return (dy / (1 + np.exp(-x)),)

    return np.logaddexp(0, x), vjp


@mg.differentiable
def softplus_with_a_slip(x, /):
    """y = ln(1 + e^x), but the vjp has x instead of -x."""

    def vjp(dy):
        return (dy / (1 + np.exp(x)),)

    return np.logaddexp(0, x), vjp


def main() -> None:
    """Check both at the same entries, then use the right one like any other operation."""
    x = np.array([[-2.0, 0.0, 1.5], [3.0, -0.5, 0.25]])
    for operation in (softplus, softplus_with_a_slip):
        found = mg.gradcheck(operation, [x])
        print(f"{operation.__name__}: {'right' if found.error < 1e-6 else found}")
    leaf = mg.Tensor(x, requires_grad=True)
    loss = (softplus(leaf) * [1.0, 10.0, 100.0]).sum()  # broadcasting is undone by the tape
    loss.backward()
    print(leaf.grad.round(2))


if __name__ == "__main__":
    main()
