"""The tanh recurrent layer over a batch of sequences: forward and backward through time.

Equations (labels as in the book), for each step t and each sequence of the batch:

    eq-hidden      h_t   = tanh(W_hh h_{t-1} + W_xh x_t + b_h)
    eq-delta-h     δ^h_t = dh_t + W_hhᵀ δ^a_{t+1}
    eq-delta-a     δ^a_t = (1 − h_t²) ⊙ δ^h_t
    eq-bptt-sums   dW_hh = Σ δ^a_t h_{t-1}ᵀ,  dW_xh = Σ δ^a_t x_tᵀ,  db_h = Σ δ^a_t

The three parameters live side by side in one packed matrix (`rnncourse.layers.packed`), so that a
step is one product.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..validation import Array, incoming, real_array, require_trace, sequences
from .packed import PackedLayer, PackedTrace, WayBack


@dataclass(frozen=True, eq=False, slots=True)
class Trace(PackedTrace):
    """What `RNN.backward` needs from a forward pass; see `PackedTrace`."""

    @property
    def h(self) -> Array:
        """Hidden states h_1 … h_T, (T, B, H), read-only; zeros past a sequence's length."""
        return self.shown(self.z[1:, : len(self.W)])


class RNN(PackedLayer):
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

    @staticmethod
    def _each_step(W: Array, z: Array) -> list[tuple[Array, ...]]:
        return list(zip(z[:-1], z[1:, : len(W)], strict=True))

    @staticmethod
    def _each_step_back(delta_h: Array, delta_a: Array, *_: Array) -> list[tuple[Array, ...]]:
        return list(zip(delta_h, delta_a, strict=True))

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
        H = self.hidden_size
        x, lengths, inside = sequences(x, lengths, self.input_size, self.dtype)
        B = x.shape[1]
        h_0 = _state("state", state, (B, H), self.dtype)

        (W, z), steps = self._start(x, h_0)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported below
            for z_t, h_t in steps:  # z_t is [h_{t-1}; x_t; 1]
                np.matmul(W, z_t, out=h_t)
                np.tanh(h_t, out=h_t)

        h = self._states(z, inside)
        state_T = h[lengths - 1, np.arange(B)]
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
        H = self.hidden_size
        require_trace(trace, Trace, self._W)
        T, B = len(trace.z) - 1, trace.z.shape[2]
        dh = incoming(dh, (T, B, H), trace.inside, self.dtype)
        dh_T = _state("dstate_T", dstate_T, (B, H), self.dtype).T
        W_hhT, one = trace.W[:, :H].T, np.ones((), self.dtype)
        way_back = WayBack(trace, dh, self._for_the_way_back, (H, H))
        endings = {} if dstate_T is None else way_back.endings()

        from_next = np.zeros((H, B), self.dtype)  # W_hhᵀ δ^a_{t+1}
        for steps, (_, delta_a), each_step in way_back.blocks():
            # What needs no later step, for the whole block: 1 − h_t².
            h = trace.z[1:, :H][steps]
            np.multiply(h, h, out=delta_a)
            np.subtract(one, delta_a, out=delta_a)
            for t, (delta_h_t, delta_a_t) in zip(reversed(range(T)[steps]), each_step, strict=True):
                if t in endings:
                    from_next[:, endings[t]] = dh_T[:, endings[t]]
                np.add(delta_h_t, from_next, out=delta_h_t)
                np.multiply(delta_a_t, delta_h_t, out=delta_a_t)
                np.matmul(W_hhT, delta_a_t, out=from_next)

        return way_back.dx, np.ascontiguousarray(from_next.T), self._unpack(way_back.dW)


def _state(name: str, value: ArrayLike | None, shape: tuple[int, int], dtype: np.dtype) -> Array:
    """Return a state, or a gradient for it, of the given shape; zeros for None."""
    return np.zeros(shape, dtype) if value is None else real_array(name, value, shape, dtype)
