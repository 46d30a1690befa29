"""Each equation of the network and of its gradient as one function, as printed in the book.

One sequence, one step, no batch.

Vectors are 1-D arrays and stand for the columns of the text: ``W @ h`` is W h, ``W.T @ d`` is
Wᵀ d and ``np.outer(d, h)`` is d hᵀ. Sizes: D input, H hidden, O output. Each function names the
label of its equation in the book. The functions take arrays of floats, or of complex numbers where
the equation is analytic. They do not check their arguments, so that each one reads like the line
above it in the chapter; `rnncourse.bptt` and the layers, which compute the same, do.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from .nonlinear import log_softmax, sigmoid, softmax
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
    """eq-bptt-sums, the term of step t: δ^a_t h_{t-1}ᵀ; (H, H). Of a gate: eq-lstm-sums."""
    return np.outer(delta_a_t, h_prev)


def grad_W_xh(delta_a_t: Array, x_t: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^a_t x_tᵀ; (H, D). Of a gate: eq-lstm-sums."""
    return np.outer(delta_a_t, x_t)


def grad_b_h(delta_a_t: Array) -> Array:
    """eq-bptt-sums, the term of step t: δ^a_t; (H,). Of a gate: eq-lstm-sums."""
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


# ---------------------------------------------------------------- through many steps


def jacobian_product(jacobians: Sequence[Array]) -> Array:
    """eq-jacobian-product: ∂h_T/∂h_k = J_T J_{T-1} ⋯ J_{k+1}, given newest first; (H, H)."""
    return functools.reduce(np.matmul, jacobians)


def norm_bound(h_t: Array, W_hh: Array) -> float:
    """eq-norm-bound, last line, the factor of step t: max(1 − h_t²) σ_max(W_hh) ≥ ‖J_t‖₂."""
    return float(np.max(1 - h_t**2) * np.linalg.norm(W_hh, 2))


def clipped(dW: Array, max_norm: float) -> Array:
    """eq-clip: g ← g · min(1, max_norm / ‖g‖), for all gradients as one vector g ≠ 0."""
    return dW * min(1, max_norm / float(np.linalg.norm(dW)))


# ---------------------------------------------------------------- the LSTM, forward


def forget_gate(x_t: Array, h_prev: Array, W_xh_f: Array, W_hh_f: Array, b_h_f: Array) -> Array:
    """eq-forget: f_t = σ(W_xh,f x_t + W_hh,f h_{t-1} + b_h,f), 0 forgets, 1 keeps.

    Shapes: x_t (D,), h_prev (H,), W_xh_f (H, D), W_hh_f (H, H), b_h_f (H,); returns (H,).
    """
    return sigmoid(W_xh_f @ x_t + W_hh_f @ h_prev + b_h_f)


def input_gate(x_t: Array, h_prev: Array, W_xh_i: Array, W_hh_i: Array, b_h_i: Array) -> Array:
    """eq-input: i_t = σ(W_xh,i x_t + W_hh,i h_{t-1} + b_h,i), 0 ignores, 1 stores.

    Shapes: x_t (D,), h_prev (H,), W_xh_i (H, D), W_hh_i (H, H), b_h_i (H,); returns (H,).
    """
    return sigmoid(W_xh_i @ x_t + W_hh_i @ h_prev + b_h_i)


def output_gate(x_t: Array, h_prev: Array, W_xh_o: Array, W_hh_o: Array, b_h_o: Array) -> Array:
    """eq-output-gate: o_t = σ(W_xh,o x_t + W_hh,o h_{t-1} + b_h,o), 0 hides, 1 shows.

    Shapes: x_t (D,), h_prev (H,), W_xh_o (H, D), W_hh_o (H, H), b_h_o (H,); returns (H,).
    """
    return sigmoid(W_xh_o @ x_t + W_hh_o @ h_prev + b_h_o)


def candidate(x_t: Array, h_prev: Array, W_xh_g: Array, W_hh_g: Array, b_h_g: Array) -> Array:
    """eq-candidate: g_t = tanh(W_xh,g x_t + W_hh,g h_{t-1} + b_h,g), from −1 to 1.

    Shapes: x_t (D,), h_prev (H,), W_xh_g (H, D), W_hh_g (H, H), b_h_g (H,); returns (H,).
    """
    return np.tanh(W_xh_g @ x_t + W_hh_g @ h_prev + b_h_g)


def cell_state(f_t: Array, c_prev: Array, i_t: Array, g_t: Array) -> Array:
    """eq-cell: c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t; (H,)."""
    return f_t * c_prev + i_t * g_t


def lstm_hidden(o_t: Array, c_t: Array) -> Array:
    """eq-lstm-hidden: h_t = o_t ⊙ tanh(c_t); (H,)."""
    return o_t * np.tanh(c_t)


# ---------------------------------------------------------------- the LSTM, backward


def lstm_delta_h(
    delta_y_t: Array, delta_a_next: Mapping[str, Array], W_hy: Array, W_hh: Mapping[str, Array]
) -> Array:
    """eq-lstm-delta-h: δ^h_t = W_hyᵀ δ^y_t + Σ_q W_hh,qᵀ δ^{a_q}_{t+1}, q = f, i, o, g; (H,).

    `W_hh` and `delta_a_next` map a gate's letter to its weights and to its error signal.
    """
    from_next = [W_hh[q].T @ delta_a_next[q] for q in "fiog"]
    return W_hy.T @ delta_y_t + np.sum(from_next, axis=0)


def delta_c(delta_h_t: Array, o_t: Array, c_t: Array, f_next: Array, delta_c_next: Array) -> Array:
    """eq-lstm-delta-c: δ^c_t = δ^h_t ⊙ o_t ⊙ (1 − tanh² c_t) + f_{t+1} ⊙ δ^c_{t+1}; (H,)."""
    return delta_h_t * o_t * (1 - np.tanh(c_t) ** 2) + f_next * delta_c_next


def delta_a_f(delta_c_t: Array, c_prev: Array, f_t: Array) -> Array:
    """eq-lstm-delta-gates: δ^{a_f}_t = δ^c_t ⊙ c_{t-1} ⊙ f_t (1 − f_t); (H,)."""
    return delta_c_t * c_prev * f_t * (1 - f_t)


def delta_a_i(delta_c_t: Array, g_t: Array, i_t: Array) -> Array:
    """eq-lstm-delta-gates: δ^{a_i}_t = δ^c_t ⊙ g_t ⊙ i_t (1 − i_t); (H,)."""
    return delta_c_t * g_t * i_t * (1 - i_t)


def delta_a_o(delta_h_t: Array, c_t: Array, o_t: Array) -> Array:
    """eq-lstm-delta-gates: δ^{a_o}_t = δ^h_t ⊙ tanh(c_t) ⊙ o_t (1 − o_t); (H,)."""
    return delta_h_t * np.tanh(c_t) * o_t * (1 - o_t)


def delta_a_g(delta_c_t: Array, i_t: Array, g_t: Array) -> Array:
    """eq-lstm-delta-gates: δ^{a_g}_t = δ^c_t ⊙ i_t ⊙ (1 − g_t²); (H,)."""
    return delta_c_t * i_t * (1 - g_t**2)


def lstm_grad_x(delta_a_t: Mapping[str, Array], W_xh: Mapping[str, Array]) -> Array:
    """eq-lstm-delta-x: dE/dx_t = Σ_q W_xh,qᵀ δ^{a_q}_t, q = f, i, o, g; (D,)."""
    return np.sum([W_xh[q].T @ delta_a_t[q] for q in "fiog"], axis=0)


def lstm_grad_h0(delta_a_1: Mapping[str, Array], W_hh: Mapping[str, Array]) -> Array:
    """eq-lstm-delta-x: dE/dh_0 = Σ_q W_hh,qᵀ δ^{a_q}_1, eq-lstm-delta-h at t = 0; (H,)."""
    return np.sum([W_hh[q].T @ delta_a_1[q] for q in "fiog"], axis=0)


def lstm_grad_c0(f_1: Array, delta_c_1: Array) -> Array:
    """eq-lstm-delta-x: dE/dc_0 = f_1 ⊙ δ^c_1, eq-lstm-delta-c at t = 0; (H,)."""
    return f_1 * delta_c_1


def direct_path(f_t: Array) -> Array:
    """eq-direct-path: ∂⁺c_t/∂c_{t-1} = diag(f_t), with h_{t-1} held fixed; (H, H)."""
    return np.diag(f_t)


def half_life(b_f: float) -> float:
    """eq-half-life: n = ln ½ / ln σ(b_f), the steps after which σ(b_f)ⁿ = ½."""
    return float(np.log(2) / np.logaddexp(0, -b_f))  # −ln σ(b) = ln(1 + e⁻ᵇ)


# ---------------------------------------------------------------- the GRU, forward


def reset_gate(x_t: Array, h_prev: Array, W_xh_r: Array, W_hh_r: Array, b_h_r: Array) -> Array:
    """eq-gru-gates: r_t = σ(W_xh,r x_t + W_hh,r h_{t-1} + b_h,r).

    Shapes: x_t (D,), h_prev (H,), W_xh_r (H, D), W_hh_r (H, H), b_h_r (H,); returns (H,).
    """
    return sigmoid(W_xh_r @ x_t + W_hh_r @ h_prev + b_h_r)


def update_gate(x_t: Array, h_prev: Array, W_xh_z: Array, W_hh_z: Array, b_h_z: Array) -> Array:
    """eq-gru-gates: z_t = σ(W_xh,z x_t + W_hh,z h_{t-1} + b_h,z).

    Shapes: x_t (D,), h_prev (H,), W_xh_z (H, D), W_hh_z (H, H), b_h_z (H,); returns (H,).
    """
    return sigmoid(W_xh_z @ x_t + W_hh_z @ h_prev + b_h_z)


def gru_state_share(h_prev: Array, W_hh_n: Array, b_hh_n: Array) -> Array:
    """eq-gru-after, first line: u_t = W_hh,n h_{t-1} + b_hh,n, what the state has to say; (H,)."""
    return W_hh_n @ h_prev + b_hh_n


def gru_candidate_after(x_t: Array, u_t: Array, r_t: Array, W_xh_n: Array, b_h_n: Array) -> Array:
    """eq-gru-after: n_t = tanh(W_xh,n x_t + b_h,n + r_t ⊙ u_t); (H,).

    As in `torch.nn.GRU`, r_t acts after the product with W_hh,n.
    """
    return np.tanh(W_xh_n @ x_t + b_h_n + r_t * u_t)


def gru_candidate(
    x_t: Array, h_prev: Array, r_t: Array, W_xh_n: Array, W_hh_n: Array, b_h_n: Array
) -> Array:
    """eq-gru-candidate: n_t = tanh(W_xh,n x_t + b_h,n + W_hh,n (r_t ⊙ h_{t-1})); (H,).

    As in Cho et al. (2014), r_t acts before the product. The weights of `gru_candidate_after` do
    not fit here.
    """
    return np.tanh(W_xh_n @ x_t + W_hh_n @ (r_t * h_prev) + b_h_n)


def gru_hidden(z_t: Array, h_prev: Array, n_t: Array) -> Array:
    """eq-gru-hidden: h_t = z_t ⊙ h_{t-1} + (1 − z_t) ⊙ n_t; (H,)."""
    return z_t * h_prev + (1 - z_t) * n_t


# ---------------------------------------------------------------- the GRU, backward


def gru_delta_a_n(delta_h_t: Array, z_t: Array, n_t: Array) -> Array:
    """eq-gru-delta-gates: δ^{a_n}_t = δ^h_t ⊙ (1 − z_t) ⊙ (1 − n_t²); (H,)."""
    return delta_h_t * (1 - z_t) * (1 - n_t**2)


def gru_delta_a_z(delta_h_t: Array, h_prev: Array, n_t: Array, z_t: Array) -> Array:
    """eq-gru-delta-gates: δ^{a_z}_t = δ^h_t ⊙ (h_{t-1} − n_t) ⊙ z_t (1 − z_t); (H,)."""
    return delta_h_t * (h_prev - n_t) * z_t * (1 - z_t)


def gru_delta_u(delta_a_n_t: Array, r_t: Array) -> Array:
    """eq-gru-delta-gates: δ^u_t = δ^{a_n}_t ⊙ r_t; (H,)."""
    return delta_a_n_t * r_t


def gru_delta_a_r_after(delta_a_n_t: Array, u_t: Array, r_t: Array) -> Array:
    """eq-gru-delta-gates: δ^{a_r}_t = δ^{a_n}_t ⊙ u_t ⊙ r_t (1 − r_t); (H,)."""
    return delta_a_n_t * u_t * r_t * (1 - r_t)


def gru_delta_s(delta_a_n_t: Array, W_hh_n: Array) -> Array:
    """eq-gru-before: δ^s_t = W_hh,nᵀ δ^{a_n}_t, for s_t = r_t ⊙ h_{t-1}; (H,)."""
    return W_hh_n.T @ delta_a_n_t


def gru_delta_a_r(delta_s_t: Array, h_prev: Array, r_t: Array) -> Array:
    """eq-gru-before: δ^{a_r}_t = δ^s_t ⊙ h_{t-1} ⊙ r_t (1 − r_t); (H,)."""
    return delta_s_t * h_prev * r_t * (1 - r_t)


def gru_delta_h(delta_y_t: Array, from_next: Array, W_hy: Array) -> Array:
    """eq-gru-delta-h: δ^h_t = W_hyᵀ δ^y_t + what step t + 1 sends back; (H,)."""
    return W_hy.T @ delta_y_t + from_next


def gru_from_next_after(
    delta_h_next: Array,
    z_next: Array,
    delta_next: Mapping[str, Array],
    W_hh: Mapping[str, Array],
) -> Array:
    """eq-gru-delta-h: z ⊙ δ^h + W_hh,rᵀ δ^{a_r} + W_hh,zᵀ δ^{a_z} + W_hh,nᵀ δ^u, t + 1; (H,).

    `delta_next` maps r, z and n to δ^{a_r}, δ^{a_z} and δ^u; `W_hh` maps them to their weights.
    """
    return z_next * delta_h_next + np.sum([W_hh[q].T @ delta_next[q] for q in "rzn"], axis=0)


def gru_from_next(
    delta_h_next: Array,
    z_next: Array,
    r_next: Array,
    delta_s_next: Array,
    delta_a_next: Mapping[str, Array],
    W_hh: Mapping[str, Array],
) -> Array:
    """eq-gru-before: z ⊙ δ^h + W_hh,rᵀ δ^{a_r} + W_hh,zᵀ δ^{a_z} + r ⊙ δ^s, t + 1; (H,)."""
    from_gates = np.sum([W_hh[q].T @ delta_a_next[q] for q in "rz"], axis=0)
    return z_next * delta_h_next + from_gates + r_next * delta_s_next


# ---------------------------------------------------------------- small numbers
# Underflow is no error in any equation, whatever `numpy.seterr` says.

for _name, _function in list(globals().items()):
    if getattr(_function, "__module__", None) == __name__:
        globals()[_name] = np.errstate(all="ignore")(_function)
