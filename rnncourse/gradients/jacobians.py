"""How far a gradient reaches: Jacobians of the state, their products, and the share of each step.

One sequence. The state s_t is a single vector: h_t for an RNN or a GRU, [h_t; c_t] for an LSTM, and
the states of all layers, one below the other, for a Stack. Every function works for any `Layer`
that reads in one direction.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..layers import layer as call
from ..layers.layer import Layer
from ..model import Model
from ..validation import (
    Array,
    numeric,
    real_array,
    require_finite,
    require_mapping,
    require_shape,
    whole_numbers,
)
from .check import global_norm

# ---------------------------------------------------------------- a matrix


@np.errstate(all="ignore")
def singular_values(W: ArrayLike) -> Array:
    """Return the singular values of `W`, largest first: by how much W stretches a vector, at most
    (the first, the spectral norm ‖W‖₂) and at least (the last).

    Parameters
    ----------
    W : (M, N) of real numbers
    """
    return np.linalg.svd(real_array("W", W, ("M", "N"), np.float64), compute_uv=False)


@np.errstate(all="ignore")
def spectral_radius(W: ArrayLike) -> float:
    """Return the largest absolute value of an eigenvalue of `W`: how Wᵏ grows in the long run
    (eq-spectral-radius).

    Parameters
    ----------
    W : (H, H) of real numbers
    """
    W = real_array("W", W, ("H", "H"), np.float64)
    if W.shape[0] != W.shape[1]:
        raise ValueError(f"W has shape {W.shape}, expected a square matrix")
    return float(np.abs(np.linalg.eigvals(W)).max())


# ---------------------------------------------------------------- the state through time


@np.errstate(all="ignore")
def step_jacobians(layer: Layer, x: ArrayLike, state: Any = None) -> Array:
    """Return the Jacobian of every step, J_t = ∂s_t/∂s_{t-1} (eq-step-jacobian for an RNN).

    Measured by the layer's own backward pass: one step back for each entry of the state, all of
    them as one batch.

    Parameters
    ----------
    layer : any layer that reads in one direction
    x : (T, D); labels (T,) for a layer that takes them
        One sequence.
    state : initial state, optional
        As the layer takes it, for a batch of 1; zeros if left out.

    Returns
    -------
    (T, n, n) float64
        J_1 … J_T. The state has n numbers: H for an RNN, 2H for an LSTM (h first, then c). Entry
        [t - 1, j, k] is ∂s_t[j] / ∂s_{t-1}[k].

    Raises
    ------
    TypeError, ValueError
        A layer that reads from the end; a wrong dtype or shape; NaN or infinity in x, in the state
        or in a parameter.
    """
    call.require_layer("layer", layer)
    call.require_causal(layer, "step_jacobians")
    if call.takes_labels(layer):
        x = whole_numbers("x", x, ("T",), 0, layer.input_size - 1)
    else:
        x = real_array("x", x, ("T", layer.input_size), layer.dtype)
    _, like, _ = call.forward(layer, x[:1, None], state, None)  # shows what the state is made of
    n = _flat(like).shape[1]
    state = _repeated(state, n, like)
    each_entry = _split(np.eye(n, dtype=layer.dtype), like)
    jacobians = []
    for x_t in x:
        every = np.broadcast_to(x_t, (1, n, *x_t.shape))
        h, state, trace = call.forward(layer, every, state, None)
        _, rows, _ = call.backward(layer, trace, np.zeros_like(h), each_entry)
        jacobians.append(_flat(rows))
    return np.array(jacobians, np.float64)


@np.errstate(all="ignore")
def products(jacobians: ArrayLike) -> Array:
    """Return ∂s_T/∂s_{T-n} = J_T J_{T-1} ⋯ J_{T-n+1} for every lag n (eq-jacobian-product).

    Parameters
    ----------
    jacobians : (T, n, n)
        J_1 … J_T, oldest first, as `step_jacobians` returns them.
        (`rnncourse.equations.jacobian_product` takes them newest first, as the equation does.)

    Returns
    -------
    (T + 1, n, n) float64
        Entry [lag]; entry [0] is the identity.

    Raises
    ------
    NotFiniteError
        A product too large for float64.
    """
    jacobians = _square("jacobians", jacobians)
    P = [np.eye(jacobians.shape[1])]
    for J in jacobians[::-1]:
        P.append(P[-1] @ J)
    result = np.array(P)
    require_finite("the product of Jacobians, by lag,", result)
    return result


@np.errstate(all="ignore")
def norms_by_lag(
    layer: Layer, x: ArrayLike, state: Any = None, *, part: slice = slice(None)
) -> Array:
    """Return ‖∂s_T/∂s_{T-n}‖₂ for every lag n from 0 to T: how far a gradient reaches.

    Parameters
    ----------
    layer, x, state
        As for `step_jacobians`.
    part : slice
        The part of the state that is meant at both ends; all of it if left out. For an LSTM,
        ``slice(H)`` gives ‖∂h_T/∂h_{T-n}‖ and ``slice(H, None)`` gives ‖∂c_T/∂c_{T-n}‖.

    Returns
    -------
    (T + 1,) float64, the spectral norm for each lag; 1 at lag 0

    Raises
    ------
    TypeError, ValueError
        As for `step_jacobians`; a `part` that is no slice, or leaves nothing; a product too large
        for float64 (then `products` of fewer steps may do).
    """
    if not isinstance(part, slice):
        raise TypeError(f"part is {part!r}, expected a slice such as slice(H)")
    P = products(step_jacobians(layer, x, state))[:, part, part]
    if P.size == 0:
        raise ValueError(f"part is {part}, which leaves nothing of the state")
    return np.linalg.norm(P, 2, axis=(1, 2))


@np.errstate(all="ignore")
def bound_by_lag(jacobians: ArrayLike) -> Array:
    """Return ∏ ‖J_t‖₂ over the newest n steps, for every lag n (eq-norm-bound, first
    line).

    The norm of a product is at most the product of the norms, so this is never below
    `norms_by_lag`.

    Parameters
    ----------
    jacobians : (T, n, n)
        J_1 … J_T, oldest first.

    Returns
    -------
    (T + 1,) float64; 1 at lag 0

    Raises
    ------
    NotFiniteError
        A product too large for float64.
    """
    norms = np.linalg.norm(_square("jacobians", jacobians), 2, axis=(1, 2))
    result = np.cumprod([1.0, *norms[::-1]])
    require_finite("the product of norms, by lag,", result)
    return result


# ---------------------------------------------------------------- the gradient of a loss


@np.errstate(all="ignore")
def gradient_by_step(
    model: Model,
    x: ArrayLike,
    targets: ArrayLike,
    *,
    state: Any = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> dict[str, Array]:
    """Return each step's own term of the gradient of the loss: dE/dW = Σ_k (term of step k).

    The term of step k is what the use of W at step k contributes, δ^a_k h_{k-1}ᵀ for W_hh.

    Parameters
    ----------
    model : Model
    x, targets, state, lengths, mask
        As for `Model.loss_and_gradients`.

    Returns
    -------
    dict of (T, *W.shape) float64 arrays
        One for each parameter of the layer (not of the readout). Summed over the first axis, they
        are the gradients that `Model.loss_and_gradients` returns.

    Raises
    ------
    TypeError, ValueError
        As for `Model.loss_and_gradients`.
    """
    call.require_causal(model.layer, "gradient_by_step")
    x, dh = model.layer_signals(x, targets, state=state, lengths=lengths, mask=mask)
    traces = []
    for x_t in x:
        _, state, trace = call.forward(model.layer, x_t[None], state, None)
        traces.append(trace)
    terms: list[Mapping[str, Array]] = []
    dstate = None
    for trace, dh_t in zip(reversed(traces), dh[::-1], strict=True):
        _, dstate, grads = call.backward(model.layer, trace, dh_t[None], dstate)
        terms.append(grads)
    terms.reverse()
    return {name: np.array([g[name] for g in terms], np.float64) for name in terms[0]}


@np.errstate(all="ignore")
def norm_by_step(terms: Mapping[str, ArrayLike]) -> Array:
    """Return the Euclidean length of each step's term, all parameters as one vector.

    Parameters
    ----------
    terms : mapping of (T, ...) arrays
        From `gradient_by_step`, or some of its entries.

    Returns
    -------
    (T,) float64
        Infinite or NaN where a term is.

    Raises
    ------
    TypeError, ValueError
        No terms, no real numbers, a masked entry, or terms of different numbers of steps.
    """
    require_mapping("terms", terms)
    if not terms:
        raise ValueError("terms is empty, expected at least one array (T, ...)")
    arrays = {name: numeric(name, a, "iuf", "real numbers") for name, a in terms.items()}
    steps: list[int | str] = ["T"]
    for name, a in arrays.items():
        require_shape(name, a, (steps[-1], *a.shape[1:]))
        steps.append(len(a))
    each = ({n: a[t] for n, a in arrays.items()} for t in range(len(a)))
    return np.array([global_norm(step) for step in each])


# ---------------------------------------------------------------- states as vectors
# A state is an array (B, H), or a tuple of states.


def _flat(state: Any) -> Array:
    """Return a state as one array (B, n)."""
    arrays = _arrays(state)
    return np.concatenate(arrays, axis=1) if arrays else np.zeros((1, 0))


def _arrays(state: Any) -> list[Array]:
    return [a for s in state for a in _arrays(s)] if isinstance(state, tuple) else [state]


def _split(flat: Array, like: Any) -> Any:
    """Return the rows of (B, n) as a state of the structure of `like`: the inverse of `_flat`."""
    widths = [a.shape[1] for a in _arrays(like)]
    return _filled(iter(np.split(flat, np.cumsum(widths)[:-1], axis=1)), like)


def _filled(parts: Iterator[Array], like: Any) -> Any:
    """Return a state of the structure of `like`, of the arrays that come next."""
    if isinstance(like, tuple):
        return tuple(_filled(parts, part) for part in like)
    return next(parts)


def _repeated(state: Any, n: int, like: Any) -> Any:
    """Return a state of the structure of `like` for a batch of 1 as one for a batch of n."""
    if state is None:
        return None
    if isinstance(like, tuple):
        return tuple(_repeated(s, n, part) for s, part in zip(state, like, strict=True))
    return np.repeat(np.asarray(state), n, axis=0)


def _square(name: str, value: ArrayLike) -> Array:
    jacobians = real_array(name, value, ("T", "n", "n"), np.float64)
    if jacobians.shape[1] != jacobians.shape[2]:
        raise ValueError(f"{name} has shape {jacobians.shape}, expected square matrices")
    return jacobians
