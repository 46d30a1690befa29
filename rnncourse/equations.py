"""Each equation of the network and of its gradient as one function, as printed in the book.

One sequence, one step, no batch.

Vectors are 1-D arrays and stand for the columns of the text: ``W @ h`` is W h, ``W.T @ d`` is
Wᵀ d and ``np.outer(d, h)`` is d hᵀ. Sizes: D input, H hidden, O output. Each function names the
label of its equation in the book. The functions do not check their arguments, so that each one
reads like the line above it in the chapter; `rnncourse.rnn` and `rnncourse.readout` do.
"""

import numpy as np

from .nonlinear import log_softmax, softmax
from .validation import Array

# ---------------------------------------------------------------- forward


def hidden_state(x_t: Array, h_prev: Array, W_xh: Array, W_hh: Array, b_h: Array) -> Array:
    """eq-hidden: h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h).

    Shapes: x_t (D,), h_prev (H,), W_xh (H, D), W_hh (H, H), b_h (H,); returns (H,).
    """
    return np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)


def output(h_t: Array, W_hy: Array, b_y: Array) -> Array:
    """eq-output: y_t = W_hy h_t + b_y.

    Shapes: h_t (H,), W_hy (O, H), b_y (O,); returns (O,).
    """
    return W_hy @ h_t + b_y


def squared_error(y_t: Array, d_t: Array) -> float:
    """eq-squared-error: E_t = ½ ‖y_t − d_t‖², for an output y_t and its target d_t, both (O,)."""
    return 0.5 * float(np.sum((y_t - d_t) ** 2))


def cross_entropy(y_t: Array, label: int) -> float:
    """eq-cross-entropy: E_t = −log softmax(y_t)[label], in nats, for y_t (O,)."""
    return -float(log_softmax(y_t)[label])


# ---------------------------------------------------------------- learning


def update(W: Array, dW: Array, learning_rate: float) -> Array:
    """eq-update: W ← W − learning_rate · ∂E/∂W. `W` and `dW` have one shape."""
    return W - learning_rate * dW


# ---------------------------------------------------------------- the chain rule, factor by factor


def delta_y_squared_error(y_t: Array, d_t: Array) -> Array:
    """eq-delta-y: δ^y_t = ∂E_t/∂y_t = y_t − d_t for the squared error; (O,)."""
    return y_t - d_t


def delta_y_cross_entropy(y_t: Array, label: int) -> Array:
    """eq-delta-y: δ^y_t = softmax(y_t) − onehot(label) for the cross-entropy; (O,)."""
    return softmax(y_t) - np.eye(len(y_t))[label]


def step_jacobian(h_t: Array, W_hh: Array) -> Array:
    """eq-step-jacobian: J_t = ∂h_t/∂h_{t-1} = diag(1 − h_t²) W_hh; (H, H)."""
    return np.diag(1 - h_t**2) @ W_hh


def immediate_W_hh(h_t: Array, h_prev: Array) -> Array:
    """eq-immediate: ∂⁺h_t/∂W_hh with h_{t-1} held fixed; (H, H, H).

    Entry [i, p, q] is (1 − h_t[i]²) h_{t-1}[q] where i = p, and 0 elsewhere.
    """
    return np.einsum("ip,q->ipq", np.diag(1 - h_t**2), h_prev)


def immediate_W_xh(h_t: Array, x_t: Array) -> Array:
    """eq-immediate: ∂⁺h_t/∂W_xh with h_{t-1} held fixed; (H, H, D)."""
    return np.einsum("ip,q->ipq", np.diag(1 - h_t**2), x_t)


def immediate_b_h(h_t: Array) -> Array:
    """eq-immediate: ∂⁺h_t/∂b_h = diag(1 − h_t²) with h_{t-1} held fixed; (H, H)."""
    return np.diag(1 - h_t**2)


# ---------------------------------------------------------------- the recursion


def delta_h(delta_y_t: Array, delta_a_next: Array, W_hy: Array, W_hh: Array) -> Array:
    """eq-delta-h: δ^h_t = W_hyᵀ δ^y_t + W_hhᵀ δ^a_{t+1}, the total derivative dE/dh_t; (H,)."""
    return W_hy.T @ delta_y_t + W_hh.T @ delta_a_next


def delta_a(delta_h_t: Array, h_t: Array) -> Array:
    """eq-delta-a: δ^a_t = (1 − h_t²) ⊙ δ^h_t, for the pre-activation a_t; (H,)."""
    return (1 - h_t**2) * delta_h_t


def grad_W_hh(delta_a_t: Array, h_prev: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^a_t h_{t-1}ᵀ; (H, H)."""
    return np.outer(delta_a_t, h_prev)


def grad_W_xh(delta_a_t: Array, x_t: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^a_t x_tᵀ; (H, D)."""
    return np.outer(delta_a_t, x_t)


def grad_b_h(delta_a_t: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^a_t; (H,)."""
    return delta_a_t


def grad_W_hy(delta_y_t: Array, h_t: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^y_t h_tᵀ; (O, H)."""
    return np.outer(delta_y_t, h_t)


def grad_b_y(delta_y_t: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^y_t; (O,)."""
    return delta_y_t


def grad_x(delta_a_t: Array, W_xh: Array) -> Array:
    """eq-delta-x: dE/dx_t = W_xhᵀ δ^a_t; (D,)."""
    return W_xh.T @ delta_a_t


def grad_h0(delta_a_1: Array, W_hh: Array) -> Array:
    """eq-delta-x: dE/dh_0 = W_hhᵀ δ^a_1, eq-delta-h at t = 0, where no output is read; (H,)."""
    return W_hh.T @ delta_a_1
