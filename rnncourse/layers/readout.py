"""From hidden states to outputs, and from outputs to a loss.

    eq-output          y_t = W_hy h_t + b_y
    eq-squared-error   E_t = ½ ‖y_t − d_t‖²              δ^y_t = y_t − d_t
    eq-cross-entropy   E_t = −log softmax(y_t)[label]    δ^y_t = softmax(y_t) − onehot(label)

A loss is taken over *predictions*: one output vector of one sequence at one step.
"""

from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..nonlinear import log_shares
from ..validation import (
    Array,
    Params,
    boolean_array,
    copy_params,
    float_dtype,
    has_form,
    numeric,
    real_array,
    require_choice,
    require_finite,
    require_rng,
    require_shape,
    require_size,
    whole_numbers,
)

Reduction = Literal["mean", "sum"]


class Readout:
    """Linear layer from hidden states to outputs (eq-output).

    Parameters
    ----------
    hidden_size, output_size : int
        H and O, each at least 1.
    rng : numpy.random.Generator
        Draws W_hy uniformly from ±1/√H; b_y starts at 0.
    dtype : float64 (default) or float32
    """

    def __init__(
        self,
        hidden_size: int,
        output_size: int,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float64,
    ) -> None:
        H = self.hidden_size = require_size("hidden_size", hidden_size)
        O = self.output_size = require_size("output_size", output_size)
        self.dtype = float_dtype(dtype)
        bound = 1 / np.sqrt(H)
        W_hy = require_rng(rng).uniform(-bound, bound, (O, H)).astype(self.dtype)
        self._params = {"W_hy": W_hy, "b_y": np.zeros(O, self.dtype)}

    @property
    def params(self) -> Params:
        """W_hy (O, H) and b_y (O,) by name. Read-only mapping: write into its arrays."""
        return MappingProxyType(self._params)

    def __repr__(self) -> str:
        return f"Readout({self.hidden_size}, {self.output_size}, dtype={self.dtype})"

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` (W_hy, b_y) into the layer; nothing changes unless all fit."""
        copy_params(self.params, values)

    @np.errstate(all="ignore")
    def forward(self, h: Any) -> Array:
        """Return y = W_hy h + b_y for hidden states `h` of shape (..., H); y is (..., O)."""
        leading = h.shape[:-1] if isinstance(h, np.ndarray) else ()
        if not has_form(h, (*leading, self.hidden_size), self.dtype):
            h = _vectors("h", h, self.hidden_size, self.dtype)
        rows = np.dot(h.reshape(-1, self.hidden_size), self._params["W_hy"].T)
        rows += self._params["b_y"]
        y = rows.reshape(*h.shape[:-1], self.output_size)
        if not isfinite(np.vdot(y, y)):  # what is not finite shows here
            _vectors("h", h, self.hidden_size, self.dtype)
            for name, value in self.params.items():
                require_finite(name, value)
        return y

    @np.errstate(all="ignore")
    def backward(self, h: ArrayLike, dy: ArrayLike) -> tuple[Array, dict[str, Array]]:
        """Return (dE/dh, {W_hy: dE/dW_hy, b_y: dE/db_y}), summed over all leading axes.

        It uses the present W_hy: call it before the weights are updated.

        Parameters
        ----------
        h : (..., H) the states that `forward` was given
        dy : (..., O) δ^y = ∂E/∂y
        """
        h = _vectors("h", h, self.hidden_size, self.dtype)
        dy = real_array("dy", dy, (*h.shape[:-1], self.output_size), self.dtype)
        rows_h, rows_dy = h.reshape(-1, h.shape[-1]), dy.reshape(-1, dy.shape[-1])
        grads = {"W_hy": rows_dy.T @ rows_h, "b_y": rows_dy.sum(axis=0)}
        return dy @ self.params["W_hy"], grads


@np.errstate(all="ignore")
def squared_error(
    y: ArrayLike, targets: ArrayLike, mask: ArrayLike | None = None, reduction: Reduction = "mean"
) -> tuple[float, Array]:
    """Half the squared distance of outputs from targets (eq-squared-error).

    Summed over the O outputs of a prediction; over predictions, summed or averaged.
    (`torch.nn.MSELoss` has no ½ and averages over outputs too.)

    Parameters
    ----------
    y : (..., O) outputs
    targets : (..., O) targets d; may hold anything where `mask` is False
    mask : (...) bool, optional
        True for the predictions that count; all if left out.
    reduction : "mean" over the counted predictions, or "sum"

    Returns
    -------
    E : float; infinite if too large
    dy : (..., O)
        ∂E/∂y; zeros where `mask` is False.

    Raises
    ------
    TypeError, ValueError
        A wrong dtype or shape, NaN or infinity in `targets`, a mask that counts nothing.
    """
    y = _outputs(y)
    weight = _weights(y, mask, reduction)
    targets = numeric("targets", targets, "iuf", "real numbers")
    require_shape("targets", targets, y.shape)
    if mask is not None:
        targets = np.where(weight[..., None] > 0, targets, 0)
    difference = y - real_array("targets", targets, y.shape, y.dtype)
    dy = weight[..., None] * difference
    return 0.5 * float(np.sum(dy * difference)), dy


@np.errstate(all="ignore")
def softmax_cross_entropy(
    y: ArrayLike, targets: ArrayLike, mask: ArrayLike | None = None, reduction: Reduction = "mean"
) -> tuple[float, Array]:
    """Negative log-likelihood, in nats, of labels under softmax(y) (eq-cross-entropy).

    Parameters
    ----------
    y : (..., O) outputs (unnormalized log-probabilities)
    targets : (...) labels, whole numbers from 0 to O − 1; anything where `mask` is False
    mask : (...) bool, optional
        True for the predictions that count; all if left out.
    reduction : "mean" over the counted predictions, or "sum"

    Returns
    -------
    E : float; infinite if too large
    dy : (..., O)
        ∂E/∂y; zeros where `mask` is False.

    Raises
    ------
    TypeError, ValueError
        A wrong dtype or shape, a label outside 0..O−1, a mask that counts nothing.
    """
    y = _outputs(y)
    weight = _weights(y, mask, reduction)
    targets = numeric("targets", targets, "iu", "labels (whole numbers, not one-hot rows)")
    require_shape("targets", targets, weight.shape)
    if mask is not None:
        targets = np.where(weight > 0, targets, 0)
    labels = whole_numbers("targets", targets, y.shape[:-1], 0, y.shape[-1] - 1)
    log_p, at = log_shares(y), labels[..., None]
    dy = np.exp(log_p)
    # Where the label is nearly certain, p rounds to 1. What it lacks is the sum of the others: q.
    np.put_along_axis(dy, at, 0, axis=-1)
    q = dy.sum(axis=-1, keepdims=True)
    np.put_along_axis(dy, at, -q, axis=-1)  # p − 1 = −q
    chosen = np.take_along_axis(log_p, at, axis=-1)
    E = np.where(q < 0.5, -np.log1p(-np.minimum(q, 0.5)), -chosen)[..., 0]  # −log p = −log(1 − q)
    return float(np.sum(weight * np.where(weight > 0, E, 0))), weight[..., None] * dy


def _vectors(name: str, value: ArrayLike, size: int | str, dtype: DTypeLike) -> Array:
    """Return `value` as a finite array of vectors of one size, under any axes of size 1 or more."""
    array = numeric(name, value, "iuf", "real numbers")
    return real_array(name, array, (*("N",) * (array.ndim - 1), size), dtype)


def _outputs(y: ArrayLike) -> Array:
    """Check outputs (..., O) and keep their precision."""
    y = numeric("y", y, "iuf", "real numbers")
    return _vectors("y", y, "O", np.float32 if y.dtype == np.float32 else np.float64)


def _weights(y: Array, mask: ArrayLike | None, reduction: Reduction) -> NDArray[np.floating]:
    """Return the weight of each prediction in the loss: 0 where the mask is False."""
    require_choice("reduction", reduction, get_args(Reduction))
    if mask is None:
        counted = np.ones(y.shape[:-1], bool)
    else:
        counted = boolean_array("mask", mask, y.shape[:-1])
    if not counted.any():
        raise ValueError("mask counts no prediction, expected at least one True")
    return counted.astype(y.dtype) / (counted.sum(dtype=y.dtype) if reduction == "mean" else 1)
