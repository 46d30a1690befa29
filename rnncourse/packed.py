"""What the recurrent layers share: one packed matrix, its parts by name, and packed columns.

W = [W_hh | W_xh | b_h] acts on the packed column [h_{t-1}; x_t; 1], so that a step is one product
and the gradients of all weights are one product at the end. A batch is stored as columns: z[t]
has shape (H + D + 1, B).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .validation import (
    Array,
    Params,
    copy_params,
    float_dtype,
    require_finite,
    require_rng,
    require_size,
)


@dataclass(frozen=True, eq=False, slots=True)
class PackedTrace:
    """What every layer keeps of a forward pass. It owns its arrays: no later call alters it.

    Attributes
    ----------
    W : (R, H + D + 1) copy of the packed weights that the pass used
    z : (T + 1, H + D + 1, B) packed columns; z[t] is [h_t; x_{t+1}; 1], so z[0] holds h_0
    lengths : (B,) length of each sequence
    inside : (T, B) bool, True where step t belongs to sequence b; None if all have length T
    """

    W: Array
    z: Array
    lengths: NDArray[np.intp]
    inside: NDArray[np.bool_] | None

    def shown(self, columns: Array) -> Array:
        """Return columns (T, H, B) as (T, B, H), read-only; zeros past a sequence's length."""
        rows = batched(columns, self.inside)
        rows.flags.writeable = False
        return rows


class PackedLayer:
    """A layer whose parameters live side by side in one packed matrix of R = `blocks` · H rows."""

    blocks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float64,
    ) -> None:
        D = self.input_size = require_size("input_size", input_size)
        H = self.hidden_size = require_size("hidden_size", hidden_size)
        self.dtype = float_dtype(dtype)
        bound, rows = 1 / np.sqrt(H), self.blocks * H
        self._W = np.zeros((rows, H + D + 1), self.dtype)
        self._W[:, :-1] = require_rng(rng).uniform(-bound, bound, (rows, H + D))

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}({self.input_size}, {self.hidden_size}, dtype={self.dtype})"

    @property
    def params(self) -> Params:
        """W_xh (R, D), W_hh (R, H) and b_h (R,): views of the packed matrix, by name.

        R is H for an RNN. For an LSTM it is 4H, the gates stacked in the order i, f, g, o. The
        mapping is read-only; write into its arrays: ``layer.params["b_h"][:] = 0``, or
        ``for name, W in layer.params.items(): W -= 0.1 * grads[name]``.
        """
        return MappingProxyType(self._unpack(self._W))

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` (W_xh, W_hh, b_h) into the layer; nothing changes unless all fit."""
        copy_params(self.params, values)

    def _unpack(self, W: Array) -> dict[str, Array]:
        H = self.hidden_size
        return {"W_xh": W[:, H:-1], "W_hh": W[:, :H], "b_h": W[:, -1]}

    def _checked_weights(self) -> Array:
        """Return a copy of the packed weights for one pass; raise if one is not finite."""
        require_finite("the layer's packed weights [W_hh | W_xh | b_h]", self._W)
        return self._W.copy()

    def _columns(self, x: Array, h_0: Array) -> Array:
        """Return z with h_0, the inputs and the ones in place; a layer's loop fills in h_t."""
        (T, B, D), H = x.shape, self.hidden_size
        z = np.empty((T + 1, H + D + 1, B), self.dtype)
        z[0, :H] = h_0.T
        z[:T, H:-1] = x.transpose(0, 2, 1)
        z[T, H:-1] = 0
        z[:, -1] = 1
        return z

    def _states(self, z: Array, inside: NDArray[np.bool_] | None) -> Array:
        """Return h (T, B, H), never a view of z; raise if a state has overflowed."""
        h = z[1:, : self.hidden_size]
        require_finite("h (inputs or weights are too large)", h.transpose(0, 2, 1))
        return batched(h, inside)

    def _gradients(self, trace: PackedTrace, delta_a: Array) -> tuple[Array, dict[str, Array]]:
        """Return dE/dx_t (T, B, D) and the gradients of the parameters from δ^a_t (T, R, B)."""
        # Σ_t δ^a_t [h_{t-1}; x_t; 1]ᵀ: the gradients of all parameters in one product.
        dW = np.tensordot(delta_a, trace.z[:-1], axes=([0, 2], [0, 2]))
        W_xh = self._unpack(trace.W)["W_xh"]
        return np.ascontiguousarray((W_xh.T @ delta_a).transpose(0, 2, 1)), self._unpack(dW)


def batched(columns: Array, inside: NDArray[np.bool_] | None) -> Array:
    """Return columns (T, H, B) as a new array (T, B, H), cleared past the sequences' ends."""
    rows = columns.transpose(0, 2, 1).copy()
    if inside is not None:
        rows[~inside] = 0
    return rows
