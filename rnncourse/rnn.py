"""The tanh recurrent layer over a batch of sequences: forward and backward through time.

Equations (labels as in the book), for each step t and each sequence of the batch:

    eq-hidden      h_t   = tanh(W_hh h_{t-1} + W_xh x_t + b_h)
    eq-delta-h     δ^h_t = dh_t + W_hhᵀ δ^a_{t+1}
    eq-delta-a     δ^a_t = (1 − h_t²) ⊙ δ^h_t
    eq-bptt-sums   dW_hh = Σ δ^a_t h_{t-1}ᵀ,  dW_xh = Σ δ^a_t x_tᵀ,  db_h = Σ δ^a_t

The three parameters live side by side in one packed matrix W = [W_hh | W_xh | b_h] that acts on
the packed column [h_{t-1}; x_t; 1], so that a step is one product. Inside, a batch is stored as
columns: z[t] has shape (H + D + 1, B).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .validation import (
    Array,
    Params,
    batched,
    copy_params,
    float_dtype,
    incoming,
    real_array,
    require_finite,
    require_rng,
    require_size,
    require_trace,
    sequences,
)


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """What `RNN.backward` needs from a forward pass. It owns its arrays: no later call alters it.

    Attributes
    ----------
    W : (H, H + D + 1) copy of the packed weights that the pass used
    z : (T + 1, H + D + 1, B) packed columns; z[t] is [h_t; x_{t+1}; 1], so z[0] holds h_0
    lengths : (B,) length of each sequence
    inside : (T, B) bool, True where step t belongs to sequence b; None if all have length T
    """

    W: Array
    z: Array
    lengths: NDArray[np.intp]
    inside: NDArray[np.bool_] | None

    @property
    def h(self) -> Array:
        """Hidden states h_1 … h_T, (T, B, H), read-only; zeros past a sequence's length."""
        return batched(self.z[1:, : len(self.W)], self.inside)


class RNN:
    """Tanh recurrent layer.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, each at least 1.
    rng : numpy.random.Generator
        Draws W_xh and W_hh uniformly from ±1/√H, the range `torch.nn.RNN` uses; b_h starts at 0.
    dtype : float64 (default) or float32

    Examples
    --------
    >>> rnn = RNN(3, 4, rng=np.random.default_rng(0))
    >>> h, h_T, trace = rnn.forward(np.ones((5, 2, 3)))
    >>> h.shape, h_T.shape
    ((5, 2, 4), (2, 4))
    """

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
        bound = 1 / np.sqrt(H)
        self._W = np.zeros((H, H + D + 1), self.dtype)
        self._W[:, :-1] = require_rng(rng).uniform(-bound, bound, (H, H + D))

    @property
    def params(self) -> Params:
        """W_xh (H, D), W_hh (H, H) and b_h (H,): views of the packed matrix, by name.

        The mapping is read-only; write into its arrays: ``rnn.params["b_h"][:] = 0``, or
        ``for name, W in rnn.params.items(): W -= 0.1 * grads[name]``.
        """
        return MappingProxyType(self._unpack(self._W))

    def __repr__(self) -> str:
        return f"RNN({self.input_size}, {self.hidden_size}, dtype={self.dtype})"

    def _unpack(self, W: Array) -> dict[str, Array]:
        H = self.hidden_size
        return {"W_xh": W[:, H:-1], "W_hh": W[:, :H], "b_h": W[:, -1]}

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` (W_xh, W_hh, b_h) into the layer; nothing changes unless all fit."""
        copy_params(self.params, values)

    def forward(
        self, x: ArrayLike, state: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, Array, Trace]:
        """Run the layer over every step (eq-hidden).

        Parameters
        ----------
        x : (T, B, D)
            Inputs; T and B at least 1. Steps past a sequence's length may hold anything.
        state : (B, H), optional
            Initial state h_0; zeros if left out.
        lengths : (B,) of whole numbers from 1 to T, optional
            Length of each sequence; T if left out.

        Returns
        -------
        h : (T, B, H)
            States h_1 … h_T; zeros past a sequence's length.
        state_T : (B, H)
            The state after each sequence's last step.
        trace : Trace
            For `backward`.

        Raises
        ------
        TypeError, ValueError
            A wrong dtype or shape; T = 0; a length outside 1..T; NaN or infinity in x, in the
            state or in a parameter; numbers so large that a state overflows.
        """
        H, D = self.hidden_size, self.input_size
        require_finite("the layer's packed weights [W_hh | W_xh | b_h]", self._W)
        x, lengths, inside = sequences(x, lengths, D, self.dtype)
        T, B, _ = x.shape

        z = np.empty((T + 1, H + D + 1, B), self.dtype)
        z[0, :H] = 0 if state is None else real_array("state", state, (B, H), self.dtype).T
        z[:T, H:-1] = x.transpose(0, 2, 1)
        z[T, H:-1] = 0
        z[:, -1] = 1
        W = self._W.copy()
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported below
            for t in range(T):
                h_t = z[t + 1, :H]
                np.matmul(W, z[t], out=h_t)
                np.tanh(h_t, out=h_t)

        h = z[1:, :H].transpose(0, 2, 1).copy()  # never a view of the trace
        require_finite("h (inputs or weights are too large)", h)
        state_T = h[lengths - 1, np.arange(B)]
        if inside is not None:
            h[~inside] = 0
        return h, state_T, Trace(W, z, lengths, inside)

    def backward(
        self, trace: Trace, dh: ArrayLike, dstate_T: ArrayLike | None = None
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Backpropagate through time (eq-delta-h, eq-delta-a, eq-bptt-sums).

        The gradients belong to the weights that the forward pass used, even if the layer's
        weights have changed since.

        Parameters
        ----------
        trace : Trace
            From `forward`.
        dh : (T, B, H)
            ∂E/∂h_t by every way that does not lead through h_{t+1}: W_hyᵀ δ^y_t for a readout.
            Entries past a sequence's length are ignored.
        dstate_T : (B, H), optional
            What reaches the final state from outside, as when chunks of a sequence are chained.

        Returns
        -------
        dx : (T, B, D)
            dE/dx_t; zeros past a sequence's length.
        dstate_0 : (B, H)
            dE/dh_0.
        grads : dict
            dE/dW_xh, dE/dW_hh and dE/db_h, summed over steps and batch, each in its parameter's
            shape.

        Raises
        ------
        TypeError, ValueError
            A trace of another kind of layer; a wrong dtype or shape, NaN or infinity in `dh` or
            `dstate_T`.
        """
        H, D = self.hidden_size, self.input_size
        require_trace(trace, Trace, self._W)
        W, z = trace.W, trace.z
        T, B = z.shape[0] - 1, z.shape[2]
        dh = incoming(dh, (T, B, H), trace.inside, self.dtype)
        if dstate_T is not None:
            dh = dh.copy()
            dh[trace.lengths - 1, np.arange(B)] += real_array(
                "dstate_T", dstate_T, (B, H), self.dtype
            )

        W_hhT = W[:, :H].T
        delta_a = np.empty((T, H, B), self.dtype)
        from_next = np.zeros((H, B), self.dtype)  # W_hhᵀ δ^a_{t+1}
        for t in reversed(range(T)):
            h_t = z[t + 1, :H]
            delta_h = dh[t].T + from_next
            np.multiply(1 - h_t * h_t, delta_h, out=delta_a[t])
            from_next = W_hhT @ delta_a[t]

        # Σ_t δ^a_t [h_{t-1}; x_t; 1]ᵀ: the gradients of all three parameters in one product.
        dW = np.tensordot(delta_a, z[:-1], axes=([0, 2], [0, 2]))
        dx = np.ascontiguousarray((W[:, H : H + D].T @ delta_a).transpose(0, 2, 1))
        return dx, np.ascontiguousarray(from_next.T), self._unpack(dW)
