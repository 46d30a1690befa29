"""Exercises of chapter 1: the structure of a recurrent network."""

import numpy as np

from .definition import exercise


def _steps(rng):
    """One step: first by hand, then D ≠ H, then D = H, where a transpose fits."""
    yield np.array([1.0]), np.array([0.5]), np.array([[1.0]]), np.array([[2.0]]), np.array([-1.0])
    for D, H in ((3, 2), (2, 2), (3, 3)):
        yield (
            rng.normal(size=D),
            rng.uniform(-0.9, 0.9, H),
            0.5 * rng.normal(size=(H, D)),
            0.5 * rng.normal(size=(H, H)),
            0.5 * rng.normal(size=H),
        )


@exercise(
    "hidden-step",
    page="1-structure/memory",
    cases=_steps,
    hints=(
        "Three terms are added before tanh: from the input, from the state before, and the bias.",
        "W_xh @ x_t has the shape (H,), and so has W_hh @ h_prev.",
        "np.tanh acts on each entry.",
    ),
)
def hidden_step(x_t, h_prev, W_xh, W_hh, b_h):
    """Compute the hidden state of one step.

    Given x_t (D,), h_prev = h_{t−1} (H,), W_xh (H, D), W_hh (H, H) and b_h (H,), return h_t (H,).
    By hand: with x_t = 1, h_{t−1} = 0.5, W_xh = 1, W_hh = 2 and b_h = −1, h_t = tanh(1) = 0.7616.
    """
    return np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)


@hidden_step.wrong
def without_the_past(x_t, h_prev, W_xh, W_hh, b_h):
    """The state before it does not enter: the sum lacks W_hh h_{t−1}."""
    return np.tanh(W_xh @ x_t + b_h)


@hidden_step.wrong
def without_tanh(x_t, h_prev, W_xh, W_hh, b_h):
    """This is the pre-activation a_t. The hidden state is its tanh."""
    return W_hh @ h_prev + W_xh @ x_t + b_h


@hidden_step.wrong
def without_bias(x_t, h_prev, W_xh, W_hh, b_h):
    """The bias b_h is missing from the sum."""
    return np.tanh(W_hh @ h_prev + W_xh @ x_t)


@hidden_step.wrong
def transposed(x_t, h_prev, W_xh, W_hh, b_h):
    """W_hh stands transposed, and the shapes do not show it. Row i of W_hh holds the weights into
    unit i, so the product is W_hh @ h_prev; h_prev @ W_hh is that with the transpose."""
    return np.tanh(h_prev @ W_hh + W_xh @ x_t + b_h)
