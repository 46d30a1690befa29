"""What the recurrent layers share: one packed matrix, its parts by name, and packed columns.

W = [W_hh | W_xh | b_h] acts on the packed column [h_{t-1}; x_t; 1], so that a step is one product
and the gradients of all weights are one product at the end. A batch is stored as columns: z[t]
has shape (H + D + 1, B), and a gate of all sequences is one contiguous block (H, B).

The way back goes by blocks of steps. What needs no later step is computed for a whole block at
once, in memory that every block uses again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..validation import (
    Array,
    Params,
    copy_params,
    float_dtype,
    require_finite,
    require_rng,
    require_size,
)
from .buffers import Buffers

COLUMNS = 1024  # of a block of steps; any number from 256 to 2048 is about as fast


@dataclass(frozen=True, eq=False, slots=True)
class PackedTrace:
    """What every layer keeps of a forward pass. No later call alters it while it is alive.

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
        rows = cleared(columns.transpose(0, 2, 1).copy(), self.inside)
        rows.flags.writeable = False
        return rows


class PackedLayer:
    """A layer whose parameters live side by side in one packed matrix of R = `blocks` · H rows."""

    blocks = 1
    # The views that a step needs, forward and back: see `Buffers`.
    _each_step: Callable[..., list[Any]]
    _each_step_back: Callable[..., list[Any]]

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
        # Apart, so that each finds memory of the size that it had the last time.
        self._for_traces = Buffers(self._each_step)
        self._for_the_way_back = Buffers(self._each_step_back)

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

    def _start(
        self, x: Array, h_0: Array, *shapes: tuple[int, ...]
    ) -> tuple[list[Array], list[Any]]:
        """Return what a forward pass needs: W (R, H + D + 1), a copy of the weights; z, with h_0,
        the inputs and the ones in place (the layer's loop fills in h_t); arrays of other shapes;
        and the views that each step needs.

        Raises
        ------
        NotFiniteError
            A weight that is not finite.
        """
        require_finite("the layer's packed weights [W_hh | W_xh | b_h]", self._W)
        (T, B, _), H = x.shape, self.hidden_size
        R, N = self._W.shape
        arrays, steps = self._for_traces.lend(self.dtype, (R, N), (T + 1, N, B), *shapes)
        W, z = arrays[:2]
        W[...] = self._W
        z[0, :H] = h_0.T
        z[:T, H:-1] = x.transpose(0, 2, 1)
        z[T, H:-1] = 0
        z[:, -1] = 1
        return arrays, steps

    def _states(self, z: Array, inside: NDArray[np.bool_] | None) -> Array:
        """Return h (T, B, H), never a view of z; raise if a state has overflowed."""
        h = z[1:, : self.hidden_size].transpose(0, 2, 1).copy()
        require_finite("h (inputs or weights are too large)", h)
        return cleared(h, inside)


class WayBack:
    """A backward pass by blocks of steps, and what it collects: dx (T, B, D) and dW.

    Parameters
    ----------
    trace : PackedTrace
    dh : (T, B, H) as the layer's `backward` checked it
    buffers : Buffers
    rows : the numbers of rows of the arrays that a layer needs for a block: first δ^h, last δ^a
    """

    def __init__(
        self, trace: PackedTrace, dh: Array, buffers: Buffers, rows: tuple[int, ...]
    ) -> None:
        T, B, H = dh.shape
        self.trace, self.dh, self.size = trace, dh, min(T, max(1, COLUMNS // B))
        self.W_xh = trace.W[:, H:-1]
        self.dx = np.empty((T, B, self.W_xh.shape[1]), dh.dtype)
        self.dW = np.empty_like(trace.W)
        shapes = [(self.size, n, B) for n in (*rows, *trace.W.shape)]
        arrays, self.each_step = buffers.lend(dh.dtype, *shapes, trace.W.shape)
        *self.arrays, self.for_delta_a, self.for_z, self.for_dW = arrays

    def blocks(self) -> Iterator[tuple[slice, list[Array], list[Any]]]:
        """Yield each block's steps, its arrays (K, rows, B), and the views of them that each step
        needs, the last step first; the last block first.

        δ^h starts as dh. When the layer asks for the next block, δ^a must be there.
        """
        for end in range(len(self.dh), 0, -self.size):
            steps = slice(max(0, end - self.size), end)
            n = end - steps.start
            arrays = [a[:n] for a in self.arrays]
            np.copyto(arrays[0], self.dh[steps].transpose(0, 2, 1))
            yield steps, arrays, self.each_step[n - 1 :: -1]
            # Σ_t δ^a_t [h_{t-1}; x_t; 1]ᵀ: the gradients of all parameters in one product.
            delta_a = _side_by_side(arrays[-1], self.for_delta_a)
            z = _side_by_side(self.trace.z[steps], self.for_z)
            if end == len(self.dh):
                np.matmul(delta_a, z.T, out=self.dW)
            else:
                self.dW += np.matmul(delta_a, z.T, out=self.for_dW)
            np.matmul(delta_a.T, self.W_xh, out=self.dx[steps].reshape(-1, self.W_xh.shape[1]))

    def endings(self) -> dict[int, NDArray[np.intp]]:
        """Return, by step (counted from 0), the sequences that end with it."""
        lengths = self.trace.lengths
        return {int(n) - 1: np.flatnonzero(lengths == n) for n in set(lengths)}


def _side_by_side(columns: Array, out: Array) -> Array:
    """Return the columns of K steps, (K, N, B), as one matrix (N, K · B)."""
    K, N, B = columns.shape
    if B == 1:
        return columns[:, :, 0].T
    matrix = out.reshape(-1)[: columns.size].reshape(N, K, B)
    np.copyto(matrix, columns.transpose(1, 0, 2))
    return matrix.reshape(N, K * B)


def cleared(rows: Array, inside: NDArray[np.bool_] | None) -> Array:
    """Return rows (T, B, H) with zeros past the sequences' ends, written in place."""
    if inside is not None:
        rows[~inside] = 0
    return rows
