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

from ..validation import Array
from .packed import PackedLayer, PackedTrace, Shapes


@dataclass(frozen=True, eq=False, slots=True)
class Trace(PackedTrace):
    """What `RNN.backward` needs from a forward pass; see `PackedTrace`."""


@dataclass(eq=False, slots=True)
class Step:
    """What a step reads and writes: views of the arrays of a trace."""

    column: Array  # [h_{t-1}; x_t; 1]
    h: Array


@dataclass(eq=False, slots=True)
class StepBack:
    """What a step back reads and writes."""

    delta_h: Array
    delta_a: Array  # starts as 1 − h_t²


class RNN(PackedLayer[Array, Trace]):
    """Tanh recurrent layer. Its state is h, an array (B, H).

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

    torch_kind = "RNN"
    _trace = Trace

    @np.errstate(all="ignore")
    def step(self, x_t: ArrayLike, state: Array | None = None) -> tuple[Array, Array]:
        """Compute one step (eq-hidden); see `PackedLayer.step`."""
        x_t, h_prev = self._arguments_of_step(x_t, state)
        h_t = np.tanh(self._pre_activations(x_t, h_prev))
        return h_t, h_t.copy()

    @staticmethod
    def _each_step(W: Array, columns: Array) -> list[Step]:
        return list(map(Step, columns[:-1], columns[1:, : len(W)]))

    def _forward(self, trace: Trace, steps: list[Step]) -> None:
        for s in steps:
            np.matmul(trace.W, s.column, out=s.h)
            np.tanh(s.h, out=s.h)

    def _shapes_back(self, size: int, B: int) -> Shapes:
        return ((size, self.hidden_size, B),)

    @staticmethod
    def _each_step_back(delta_h: Array, delta_a: Array, *_: Array) -> list[StepBack]:
        return list(map(StepBack, delta_h, delta_a))

    def _backward(
        self,
        trace: Trace,
        block: slice,
        memory: list[Array],
        steps: list[StepBack],
        from_next: tuple[Array, ...],
    ) -> None:
        _, delta_a = memory
        (h,), (from_next_h,) = trace.states, from_next
        W_hhT, one = trace.W[:, : self.hidden_size].T, np.ones((), self.dtype)
        # What needs no later step, for the whole block: 1 − h_t².
        np.multiply(h[1:][block], h[1:][block], out=delta_a)
        np.subtract(one, delta_a, out=delta_a)
        for s in steps:
            np.add(s.delta_h, from_next_h, out=s.delta_h)
            np.multiply(s.delta_a, s.delta_h, out=s.delta_a)
            np.matmul(W_hhT, s.delta_a, out=from_next_h)
