"""The chain rule through time, for one sequence, in the open.

Three ways to the same gradients, all composed of the functions in `rnncourse.equations`:

    paths            every path of the chain rule as its own term, with each factor
    bptt             the recursion that sums all paths in one sweep back
    truncated_bptt   the recursion cut off after a number of steps

Steps are numbered 1 … T as in the text; `h[0]` is the initial state h_0. The loss is the SUM of
the errors, E = Σ_t E_t. For batches and speed see `rnncourse.model`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import equations as eq
from ..validation import (
    Array,
    real_array,
    require_choice,
    require_finite,
    require_mapping,
    require_size,
    whole_numbers,
)

WEIGHTS = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")
ERRORS: dict[str, tuple[Callable[..., float], Callable[..., Array]]] = {
    "squared_error": (eq.squared_error, eq.delta_y_squared_error),
    "cross_entropy": (eq.cross_entropy, eq.delta_y_cross_entropy),
}


@np.errstate(all="ignore")
def forward(
    params: Mapping[str, Array], x: ArrayLike, h0: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Run the network over one sequence (eq-hidden, eq-output).

    Parameters
    ----------
    params : mapping with W_xh (H, D), W_hh (H, H), b_h (H,), W_hy (O, H) and b_y (O,)
    x : (T, D)
    h0 : (H,), optional
        Initial state; zeros if left out.

    Returns
    -------
    h : (T + 1, H) with h[0] = h_0
    y : (T, O), where y[t - 1] is y_t

    Raises
    ------
    TypeError, ValueError
        A missing parameter, a wrong shape or dtype, NaN or infinity; numbers so large that a state
        or an output overflows.
    """
    W_xh, W_hh, b_h, W_hy, b_y = _parameters(params)
    H, D = W_xh.shape
    x = real_array("x", x, ("T", D), np.float64)
    h = [np.zeros(H) if h0 is None else real_array("h0", h0, (H,), np.float64)]
    for x_t in x:
        h.append(eq.hidden_state(x_t, h[-1], W_xh, W_hh, b_h))
    y = [eq.output(h_t, W_hy, b_y) for h_t in h[1:]]
    require_finite("h (inputs or weights are too large)", np.array(h))
    require_finite("y (states or weights are too large)", np.array(y))
    return np.array(h), np.array(y)


@np.errstate(all="ignore")
def bptt(
    params: Mapping[str, Array],
    x: ArrayLike,
    targets: ArrayLike,
    h0: ArrayLike | None = None,
    loss: str = "squared_error",
) -> tuple[float, dict[str, Array]]:
    """Backpropagation through time: one sweep forward, one sweep back, over all T steps.

    Parameters
    ----------
    params, x, h0
        As for `forward`.
    targets : (T, O) for the squared error, (T,) labels for the cross-entropy
    loss : "squared_error" or "cross_entropy"

    Returns
    -------
    E : float, the sum of the errors over the steps
    grads : dict of dE/dW in the shapes of `params`, and dE/dh_0 under the name "h0"
        What is too large for float64 is infinite or NaN, which `global_norm` shows.

    Raises
    ------
    TypeError, ValueError
        As for `forward`; targets that do not fit the loss.
    """
    x = real_array("x", x, ("T", "D"), np.float64)
    T = len(x)
    return truncated_bptt(params, x, targets, every=T, back=T, h0=h0, loss=loss)


@np.errstate(all="ignore")
def truncated_bptt(
    params: Mapping[str, Array],
    x: ArrayLike,
    targets: ArrayLike,
    *,
    every: int,
    back: int,
    h0: ArrayLike | None = None,
    loss: str = "squared_error",
) -> tuple[float, dict[str, Array]]:
    """Truncated backpropagation through time, BPTT(back; every).

    After each `every` steps, the errors of those steps are propagated back through the last
    `back` steps and no further; a last group with fewer steps goes as far back before its first
    step as the others. ``every=1, back=k`` keeps exactly the paths with fewer than k
    Jacobians; ``every=k, back=k`` is what a chunked training loop does; with both equal to T
    nothing is lost.

    Parameters
    ----------
    params, x, targets, h0, loss
        As for `bptt`.
    every : int from 1
    back : int, at least `every`

    Returns
    -------
    E, grads
        As for `bptt`.

    References
    ----------
    Williams and Peng (1990), who write BPTT(h; h') for back = h, every = h'.
    """
    if require_size("back", back) < require_size("every", every):
        raise ValueError(f"back is {back}, expected at least every = {every}")
    error, delta_error = ERRORS[require_choice("loss", loss, tuple(ERRORS))]
    weights = _parameters(params)
    _, W_hh, b_h, W_hy, _ = weights
    h, y = forward(params, x, h0)
    x = np.asarray(x, np.float64)
    T, O = y.shape
    d = _targets(targets, T, O, loss)

    E = sum((error(y[t - 1], d[t - 1]) for t in range(1, T + 1)), start=0.0)
    grads: dict[str, Array] = {n: np.zeros_like(W) for n, W in zip(WEIGHTS, weights, strict=True)}
    grads["h0"] = np.zeros_like(h[0])
    for start in range(0, T, every):
        end = min(start + every, T)  # the errors of steps start + 1 … end
        stop = max(0, start + every - back)  # are sent back through steps end … stop + 1
        delta_a = np.zeros_like(b_h)
        for t in range(end, stop, -1):
            delta_y = delta_error(y[t - 1], d[t - 1]) if t > start else np.zeros(O)
            delta_h = eq.delta_h(delta_y, delta_a, W_hy, W_hh)
            delta_a = eq.delta_a(delta_h, h[t])
            grads["W_hy"] += eq.grad_W_hy(delta_y, h[t])
            grads["b_y"] += eq.grad_b_y(delta_y)
            grads["W_hh"] += eq.grad_W_hh(delta_a, h[t - 1])
            grads["W_xh"] += eq.grad_W_xh(delta_a, x[t - 1])
            grads["b_h"] += eq.grad_b_h(delta_a)
        if stop == 0:
            grads["h0"] += eq.grad_h0(delta_a, W_hh)
    return E, grads


@dataclass(frozen=True, eq=False)
class Path:
    """One path of the chain rule: from the error E_m back to the use of a weight at step k.

    The path's term is the product of its factors, read from left to right:

        ∂E_m/∂h_m · J_m · J_{m−1} ⋯ J_{k+1} · ∂⁺h_k/∂W

    Attributes
    ----------
    weight : name of the weight W
    error_step, use_step : m and k, with k from 1 to m
    error_gradient : (H,) the row ∂E_m/∂h_m; for W_hy and b_y the row ∂E_m/∂y_m, (O,)
    jacobians : tuple of (H, H), J_m first and J_{k+1} last; empty when k = m
    immediate : (H, *W.shape) the immediate partial ∂⁺h_k/∂W; for W_hy and b_y ∂⁺y_m/∂W
    """

    weight: str
    error_step: int
    use_step: int
    error_gradient: Array
    jacobians: tuple[Array, ...]
    immediate: Array

    @property
    @np.errstate(all="ignore")
    def carried(self) -> Array:
        """The row ∂E_m/∂h_k along this path, ∂E_m/∂h_m · J_m ⋯ J_{k+1}; (H,)."""
        row = self.error_gradient
        for J in self.jacobians:
            row = row @ J
        return row

    @property
    @np.errstate(all="ignore")
    def value(self) -> Array:
        """The path's term of ∂E_m/∂W, in the shape of W."""
        return np.tensordot(self.carried, self.immediate, axes=1)


@np.errstate(all="ignore")
def paths(
    weight: str,
    error_step: int,
    params: Mapping[str, Array],
    x: ArrayLike,
    targets: ArrayLike,
    h0: ArrayLike | None = None,
    loss: str = "squared_error",
) -> list[Path]:
    """Return every path from E_m (m = `error_step`) back to a use of `weight`, newest use first.

    Their values sum to ∂E_m/∂W (eq-bptt-whh, eq-bptt-wxh). W_hh, W_xh and b_h are used at each
    step, which gives m paths; W_hy and b_y reach E_m by one.

    Parameters
    ----------
    weight : "W_hh", "W_xh", "b_h", "W_hy" or "b_y"
    error_step : int from 1 to T
    params, x, targets, h0, loss
        As for `bptt`.
    """
    require_choice("weight", weight, WEIGHTS)
    _, delta_error = ERRORS[require_choice("loss", loss, tuple(ERRORS))]
    h, y = forward(params, x, h0)
    x = np.asarray(x, np.float64)
    T, O = y.shape
    d = _targets(targets, T, O, loss)
    m = require_size("error_step", error_step)
    if m > T:
        raise ValueError(f"error_step is {m}, expected a step from 1 to T = {T}")

    dE_dy = delta_error(y[m - 1], d[m - 1])
    if weight in ("W_hy", "b_y"):
        immediate = np.eye(O) if weight == "b_y" else np.einsum("ip,q->ipq", np.eye(O), h[m])
        return [Path(weight, m, m, dE_dy, (), immediate)]

    _, W_hh, _, W_hy, _ = _parameters(params)
    dE_dh = dE_dy @ W_hy
    J = {t: eq.step_jacobian(h[t], W_hh) for t in range(2, m + 1)}

    def immediate_partial(k: int) -> Array:
        if weight == "W_hh":
            return eq.immediate_W_hh(h[k], h[k - 1])
        if weight == "W_xh":
            return eq.immediate_W_xh(h[k], x[k - 1])
        return eq.immediate_b_h(h[k])

    return [
        Path(weight, m, k, dE_dh, tuple(J[t] for t in range(m, k, -1)), immediate_partial(k))
        for k in range(m, 0, -1)
    ]


def _parameters(params: Mapping[str, Array]) -> tuple[Array, Array, Array, Array, Array]:
    """Return the parameters, in the order of `WEIGHTS`, in float64 if they fit together."""
    require_mapping("params", params)
    missing = [name for name in WEIGHTS if name not in params]
    if missing:
        raise ValueError(f"params lacks {', '.join(missing)}, expected {', '.join(WEIGHTS)}")

    def array(name: str, shape: tuple[int | str, ...]) -> Array:
        return real_array(name, params[name], shape, np.float64)

    W_xh = array("W_xh", ("H", "D"))
    H = len(W_xh)
    W_hh, b_h, W_hy = array("W_hh", (H, H)), array("b_h", (H,)), array("W_hy", ("O", H))
    return W_xh, W_hh, b_h, W_hy, array("b_y", (len(W_hy),))


def _targets(targets: ArrayLike, T: int, O: int, loss: str) -> NDArray:
    if loss == "cross_entropy":
        return whole_numbers("targets", targets, (T,), 0, O - 1)
    return real_array("targets", targets, (T, O), np.float64)
