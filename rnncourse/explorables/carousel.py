"""The constant error carousel: what the direct path keeps of a gradient, and all paths together.

One LSTM with H = 4 units reads T = 40 inputs. Its forget gates can be held at values of one's own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..gradients import jacobians as jac
from ..layers.lstm import GATES, LSTM
from ..layers.rnn import RNN
from ..validation import Array, real_array
from .base import Explorable, Number, Numbers

STEPS, INPUTS, UNITS = 40, 2, 4
FREE = [-1.0] * STEPS  # no forget gate is held

# A random start as the package draws it, and a chosen one: with forget bias 3 and recurrent weights
# eight times as large, its full derivative grows to 1000 in 40 steps; most others stay below 100.
_rng = np.random.default_rng(51)
_start = LSTM(INPUTS, UNITS, rng=_rng)
W_XH = {q: np.round(_start.gate(q)["W_xh"], 4) for q in GATES}
W_HH = {q: np.round(_start.gate(q)["W_hh"], 4) for q in GATES}
X = np.round(_rng.normal(0, 0.5, (STEPS, INPUTS)), 4)


def lstm(b_f: float, gain: float, gate: float = -1.0) -> LSTM:
    """Return the LSTM with forget bias `b_f` and recurrent weights `gain` times those drawn.

    A `gate` from 0 to 1 holds the forget gates of all units there: they get no weights, and the
    bias that gives this value. Below 0 they are free.
    """
    layer = LSTM(INPUTS, UNITS, rng=np.random.default_rng(0), forget_bias=b_f)
    for q in GATES:
        layer.gate(q)["W_xh"][:] = W_XH[q]
        layer.gate(q)["W_hh"][:] = gain * W_HH[q]
    if gate >= 0:
        with np.errstate(divide="ignore"):  # artanh(±1); σ(±40) is 0 or 1 to the last bit
            bias = np.clip(2 * np.arctanh(2 * gate - 1), -40, 40)
        for name, value in {"W_xh": 0.0, "W_hh": 0.0, "b_h": bias}.items():
            layer.gate("f")[name][:] = value
    return layer


def rnn(gain: float) -> RNN:
    """Return the plain RNN with the weights of the LSTM's candidate g."""
    layer = RNN(INPUTS, UNITS, rng=np.random.default_rng(0))
    layer.params["W_xh"][:] = W_XH["g"]
    layer.params["W_hh"][:] = gain * W_HH["g"]
    return layer


def forward(b_f: float, gain: float, gates: Sequence[float]) -> dict[str, Array]:
    """Return f, i, o, g, c and h of every step, from zeros, each (T, H).

    Parameters
    ----------
    b_f, gain
        As for `lstm`.
    gates : T numbers up to 1
        Where to hold the forget gates at each step; below 0 they are free.
    """
    return _run(b_f, gain, gates)[0]


def step_jacobians(b_f: float, gain: float, gates: Sequence[float]) -> Array:
    """Return J_t = ∂(h_t; c_t)/∂(h_{t-1}; c_{t-1}) for every step, (T, 2H, 2H).

    A gate that is held does not depend on h_{t-1}: nothing passes through its weights.
    """
    return _run(b_f, gain, gates)[1]


def _run(b_f: float, gain: float, gates: Sequence[float]) -> tuple[dict[str, Array], Array]:
    gates = real_array("gates", gates, (STEPS,), np.float64).tolist()
    if max(gates) > 1:
        raise ValueError(f"gates holds {max(gates)}, expected numbers up to 1")
    state, traces, jacobians = None, [], []
    for x_t, gate in zip(X[:, None], gates, strict=True):
        layer = lstm(b_f, gain, gate)
        jacobians.append(jac.step_jacobians(layer, x_t, state)[0])
        _, state, trace = layer.forward(x_t[None], state)
        traces.append(trace)
    values = {name: np.array([getattr(t, name)[0, 0] for t in traces]) for name in "fiogch"}
    return values, np.array(jacobians)


def reach(jacobians: Array, size: int) -> Array:
    """Return ‖J_T ⋯ J_{t+1}‖₂ for t = 0 … T, of the last `size` rows and columns; (T + 1,)."""
    return np.linalg.norm(jac.products(jacobians)[::-1, -size:, -size:], 2, axis=(1, 2))


def direct(f: Array) -> Array:
    """Return ‖diag(f_T ⊙ ⋯ ⊙ f_{t+1})‖₂ for t = 0 … T (eq-direct-product); (T + 1,).

    The norm of a diagonal matrix is its largest entry: the unit that keeps most.
    """
    return np.append(np.cumprod(f[::-1], axis=0)[::-1].max(axis=1), 1.0)


def curves(b_f: float, gain: float, gates: Sequence[float] = FREE) -> dict[str, Array]:
    """Return what reaches step t = 0 … T from step T, each (T + 1,): the spectral norms of the

    - "direct" path alone, eq-direct-product,
    - "full" derivative ∂c_T/∂c_t with h_t held fixed,
    - "rnn", ∂h_T/∂h_t of the plain RNN, eq-jacobian-product.
    """
    values, jacobians = _run(b_f, gain, gates)
    return {
        "direct": direct(values["f"]),
        "full": reach(jacobians, UNITS),
        "rnn": jac.norms_by_lag(rnn(gain), X)[::-1],
    }


class Carousel(Explorable):
    """The gradient that goes back over 40 steps: direct path, all paths, and a plain RNN.

    `gates` holds the forget gates of all units, step by step; an entry below 0 leaves them free.
    """

    name = "carousel"
    b_f = Number(1.0, -2.0, 6.0, 0.1)
    gain = Number(1.0, 0.0, 8.0, 0.1)
    gates = Numbers(FREE, -1.0, 1.0, 0.01)
    step = Number(20, 1, STEPS, 1)

    def data(self) -> dict[str, Any]:
        """Return the inputs and the weights."""
        weights = {"W_xh": W_XH, "W_hh": W_HH}
        return {
            "x": X.tolist(),
            **{name: {q: W[q].tolist() for q in GATES} for name, W in weights.items()},
        }
