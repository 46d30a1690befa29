"""The LSTM layer over a batch of sequences: forward and backward through time.

Equations (labels as in the book), for each step t, each sequence, and each gate q of f, i, o, g:

    eq-forget            f_t = σ(W_xh,f x_t + W_hh,f h_{t-1} + b_h,f)
    eq-input             i_t = σ(W_xh,i x_t + W_hh,i h_{t-1} + b_h,i)
    eq-output-gate       o_t = σ(W_xh,o x_t + W_hh,o h_{t-1} + b_h,o)
    eq-candidate         g_t = tanh(W_xh,g x_t + W_hh,g h_{t-1} + b_h,g)
    eq-cell              c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
    eq-lstm-hidden       h_t = o_t ⊙ tanh(c_t)

    eq-lstm-delta-h      δ^h_t  = dh_t + Σ_q W_hh,qᵀ δ^{a_q}_{t+1}
    eq-lstm-delta-c      δ^c_t  = δ^h_t ⊙ o_t ⊙ (1 − tanh² c_t) + f_{t+1} ⊙ δ^c_{t+1}
    eq-lstm-delta-gates  δ^{a_f} = δ^c ⊙ c_{t-1} ⊙ f(1−f)    δ^{a_i} = δ^c ⊙ g ⊙ i(1−i)
                         δ^{a_g} = δ^c ⊙ i ⊙ (1−g²)          δ^{a_o} = δ^h ⊙ tanh(c) ⊙ o(1−o)
    eq-lstm-sums         dW_hh,q = Σ δ^{a_q} h_{t-1}ᵀ,  dW_xh,q = Σ δ^{a_q} x_tᵀ,
                         db_h,q = Σ δ^{a_q}

The four gates are stacked in the order i, f, g, o, PyTorch's, into one packed matrix of 4H rows
(`rnncourse.layers.packed`), so that a step is one product. The page "How fast is it, and why" of
the book explains the rest of what is done for speed.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy import add, multiply, subtract, tanh
from numpy.typing import ArrayLike, DTypeLike

from ..validation import (
    Array,
    Params,
    incoming,
    real_array,
    require_choice,
    require_number,
    require_trace,
    sequences,
)
from .packed import PackedLayer, PackedTrace, WayBack

GATES = ("i", "f", "g", "o")  # as stacked in the weights
GATES_IN_PASS = ("i", "f", "o", "g")  # as stacked in a pass: the three sigmoids are neighbours
State = tuple[Array, Array]


@dataclass(frozen=True, eq=False, slots=True)
class Trace(PackedTrace):
    """What `LSTM.backward` needs from a forward pass, and every gate of it by name.

    Attributes
    ----------
    W, z, lengths, inside
        As for `PackedTrace`.
    gates : (T, 4, H, B) the values of i, f, o, g at each step
    products : (T, 2, H, B) i ⊙ g and f ⊙ c_{t-1}, whose sum is c_t
    tanh_c : (T, H, B) tanh(c_1) … tanh(c_T)
    """

    gates: Array
    products: Array
    tanh_c: Array

    @property
    def i(self) -> Array:
        """Input gate, (T, B, H), from 0 to 1, read-only; zeros past a sequence's length."""
        return self.shown(self.gates[:, 0])

    @property
    def f(self) -> Array:
        """Forget gate, as `i`."""
        return self.shown(self.gates[:, 1])

    @property
    def g(self) -> Array:
        """Candidate, as `i` but from −1 to 1."""
        return self.shown(self.gates[:, 3])

    @property
    def o(self) -> Array:
        """Output gate, as `i`."""
        return self.shown(self.gates[:, 2])

    @property
    def c(self) -> Array:
        """Cell states c_1 … c_T, as `i` but of any size."""
        return self.shown(self.products.sum(axis=1))

    @property
    def h(self) -> Array:
        """Hidden states h_1 … h_T, as `i` but from −1 to 1."""
        return self.shown(self.z[1:, : len(self.W) // 4])


class LSTM(PackedLayer):
    """Long short-term memory layer, without peepholes (Hochreiter and Schmidhuber, 1997, with the
    forget gate of Gers, Schmidhuber and Cummins, 2000).

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, each at least 1.
    rng : numpy.random.Generator
        Draws W_xh and W_hh uniformly from ±1/√H, the range `torch.nn.LSTM` uses. Biases start
        at 0, except the forget gate's.
    forget_bias : float
        Where b_h,f starts. At 1, the default, the forget gate starts near σ(1) = .73; a memory of
        n steps needs about ln n (Tallec and Ollivier, 2018). For a bias of its own for each unit
        write into it: ``lstm.gate("f")["b_h"][:] = np.log(rng.uniform(1, n, H))``.
    dtype : float64 (default) or float32

    Examples
    --------
    >>> lstm = LSTM(3, 4, rng=np.random.default_rng(0))
    >>> h, (h_T, c_T), trace = lstm.forward(np.ones((5, 2, 3)))
    >>> h.shape, h_T.shape, c_T.shape, trace.f.shape
    ((5, 2, 4), (2, 4), (2, 4), (5, 2, 4))
    """

    blocks = len(GATES)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rng: np.random.Generator,
        forget_bias: float = 1.0,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__(input_size, hidden_size, rng=rng, dtype=dtype)
        b_f = require_number("forget_bias", forget_bias)
        self.gate("f")["b_h"][:] = real_array("forget_bias", b_f, (), self.dtype)

    def gate(self, name: str) -> Params:
        """W_xh (H, D), W_hh (H, H) and b_h (H,) of one gate, "f", "i", "o" or "g", as views."""
        q = GATES.index(require_choice("name", name, GATES))
        H = self.hidden_size
        return MappingProxyType(self._unpack(self._W[q * H : (q + 1) * H]))

    @staticmethod
    def _each_step(
        W: Array, z: Array, gates: Array, products: Array, tanh_c: Array, W_halved: Array
    ) -> list[tuple[Array, ...]]:
        T, _, H, B = gates.shape
        a, each_gate = gates.reshape(T, 4 * H, B), gates.swapaxes(0, 1)
        ig, fc = products.swapaxes(0, 1)
        return list(
            zip(z[:-1], a, gates[:, :3], *each_gate, ig, fc, tanh_c, z[1:, :H], strict=True)
        )

    @staticmethod
    def _each_step_back(
        delta_h: Array, delta_c: Array, delta_a: Array, *_: Array
    ) -> list[tuple[Array, ...]]:
        each_gate = delta_a.reshape(len(delta_a), 4, *delta_h.shape[1:]).swapaxes(0, 1)
        return list(zip(delta_h, delta_c, delta_a, *each_gate, strict=True))

    def forward(
        self,
        x: ArrayLike,
        state: tuple[ArrayLike, ArrayLike] | None = None,
        lengths: ArrayLike | None = None,
    ) -> tuple[Array, State, Trace]:
        """Run the layer over every step (eq-forget … eq-lstm-hidden).

        Parameters
        ----------
        x : (T, B, D)
            Inputs; T and B at least 1. Steps past a sequence's length may hold anything.
        state : (h_0, c_0), each (B, H), optional
            Initial hidden state and cell state; zeros if left out.
        lengths : (B,) of whole numbers from 1 to T, optional
            Length of each sequence; T if left out.

        Returns
        -------
        h : (T, B, H)
            Hidden states h_1 … h_T; zeros past a sequence's length.
        state_T : (h_T, c_T), each (B, H)
            The state after each sequence's last step.
        trace : Trace
            For `backward`, and for looking inside: trace.f, .i, .o, .g, .c and .h.

        Raises
        ------
        TypeError, ValueError
            A wrong dtype or shape; T = 0; a length outside 1..T; NaN or infinity in x, in the
            state or in a parameter; numbers so large that a state overflows.
        """
        H = self.hidden_size
        x, lengths, inside = sequences(x, lengths, self.input_size, self.dtype)
        T, B, _ = x.shape
        h_0, c_0 = _pair("state", state, (B, H), self.dtype)

        shapes = (T, 4, H, B), (T, 2, H, B), (T, H, B), self._W.shape
        (W, z, gates, products, tanh_c, W_halved), steps = self._start(x, h_0, *shapes)
        if B < 32 <= T:  # a product with few columns is faster if W lies column by column
            W_halved = W_halved.reshape(W.shape[::-1]).T
        _halve(W, W_halved)
        c, half = c_0.T.copy(), np.full((), 0.5, self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported below
            # What is computed goes into the last argument.
            for z_t, a_t, sigmoids, i_t, f_t, o_t, g_t, ig_t, fc_t, tanh_c_t, h_t in steps:
                np.matmul(W_halved, z_t, out=a_t)  # a_t of four gates; of i, f and o half of it
                tanh(a_t, a_t)  # g_t is there; σ(a) = ½ + ½ tanh(½a)
                multiply(sigmoids, half, sigmoids)
                add(sigmoids, half, sigmoids)
                multiply(i_t, g_t, ig_t)
                multiply(f_t, c, fc_t)
                add(fc_t, ig_t, c)  # c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
                tanh(c, tanh_c_t)
                multiply(o_t, tanh_c_t, h_t)  # h_t = o_t ⊙ tanh(c_t)

        h = self._states(z, inside)
        last, every = lengths - 1, np.arange(B)
        state_T = h[last, every], products[last, :, :, every].sum(axis=1)
        return h, state_T, Trace(W, z, lengths, inside, gates, products, tanh_c)

    def backward(
        self,
        trace: Trace,
        dh: ArrayLike,
        dstate_T: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> tuple[Array, State, dict[str, Array]]:
        """Backpropagate through time (eq-lstm-delta-h … eq-lstm-sums).

        The gradients belong to the weights that the forward pass used, even if the layer's
        weights have changed since.

        Parameters
        ----------
        trace : Trace
            From `forward`.
        dh : (T, B, H)
            ∂E/∂h_t by every way that does not lead through step t + 1: W_hyᵀ δ^y_t for a readout.
            Entries past a sequence's length are ignored.
        dstate_T : (dh_T, dc_T), each (B, H), optional
            What reaches the final state from outside, as when chunks of a sequence are chained.

        Returns
        -------
        dx : (T, B, D)
            dE/dx_t; zeros past a sequence's length.
        dstate_0 : (dE/dh_0, dE/dc_0), each (B, H)
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
        dh_T, dc_T = (d.T for d in _pair("dstate_T", dstate_T, (B, H), self.dtype))
        W_hhT, one = trace.W[:, :H].T, np.ones((), self.dtype)
        way_back = WayBack(trace, dh, self._for_the_way_back, (H, H, 4 * H))
        endings = {} if dstate_T is None else way_back.endings()

        from_next = np.zeros((H, B), self.dtype)  # Σ_q W_hh,qᵀ δ^{a_q}_{t+1}
        carried = np.zeros((H, B), self.dtype)  # f_{t+1} ⊙ δ^c_{t+1}
        for steps, (_, delta_c, delta_a), each_step in way_back.blocks():
            h, tanh_c = trace.z[1:, :H][steps], trace.tanh_c[steps]
            gates, ig_fc = trace.gates[steps], trace.products[steps]
            i, f, o, g = gates.swapaxes(0, 1)
            delta = delta_a.reshape(-1, 4, H, B)
            delta_g, delta_o = delta[:, 2], delta[:, 3]
            # What needs no later step, for the whole block. Of what a gate s lets through,
            # ∂(s ⊙ v)/∂a_s = v ⊙ s(1 − s) = (s ⊙ v)(1 − s): the products are there already.
            subtract(one, gates[:, :2], delta[:, :2])
            multiply(delta[:, :2], ig_fc, delta[:, :2])  # ∂c_t/∂a_i and ∂c_t/∂a_f
            subtract(one, o, delta_o)
            multiply(delta_o, h, delta_o)  # ∂h_t/∂a_o
            multiply(ig_fc[:, 0], g, delta_g)
            subtract(i, delta_g, delta_g)  # ∂c_t/∂a_g = i(1 − g²)
            multiply(h, tanh_c, delta_c)
            subtract(o, delta_c, delta_c)  # ∂h_t/∂c_t = o(1 − tanh² c_t)
            for t, f_t, (dh_t, dc_t, da_t, da_i, da_f, da_g, da_o) in zip(
                reversed(range(T)[steps]), f[::-1], each_step, strict=True
            ):
                if t in endings:
                    from_next[:, endings[t]] = dh_T[:, endings[t]]
                    carried[:, endings[t]] = dc_T[:, endings[t]]
                add(dh_t, from_next, dh_t)  # δ^h_t
                multiply(dc_t, dh_t, dc_t)
                add(dc_t, carried, dc_t)  # δ^c_t = ∂h_t/∂c_t ⊙ δ^h_t + f_{t+1} ⊙ δ^c_{t+1}
                multiply(da_i, dc_t, da_i)  # δ^{a_i} = ∂c_t/∂a_i ⊙ δ^c_t, and so on
                multiply(da_f, dc_t, da_f)
                multiply(da_g, dc_t, da_g)
                multiply(da_o, dh_t, da_o)
                multiply(f_t, dc_t, carried)
                np.matmul(W_hhT, da_t, out=from_next)

        dstate_0 = np.ascontiguousarray(from_next.T), np.ascontiguousarray(carried.T)
        return way_back.dx, dstate_0, self._unpack(way_back.dW)


def _halve(W: Array, W_halved: Array) -> None:
    """Put the gates of W in the order of a pass, those of i, f and o halved: σ(a) = ½ + ½ tanh(½a),
    so one tanh then serves all four.
    """
    blocks = (4, len(W) // 4, W.shape[1])
    gates = dict(zip(GATES, W.reshape(blocks), strict=True))
    for q, rows in zip(GATES_IN_PASS, W_halved.reshape(blocks), strict=True):
        multiply(gates[q], 1 if q == "g" else 0.5, out=rows)


def _pair(
    name: str,
    value: tuple[ArrayLike, ArrayLike] | None,
    shape: tuple[int, int],
    dtype: np.dtype,
) -> State:
    """Return what belongs to h and what belongs to c, each of the given shape; zeros for None."""
    if value is None:
        return np.zeros(shape, dtype), np.zeros(shape, dtype)
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name} is a {type(value).__name__}, expected a pair (h, c)")
    if len(value) != 2:
        raise ValueError(f"{name} has {len(value)} parts, expected a pair (h, c)")
    h, c = value
    return real_array(f"{name}'s h", h, shape, dtype), real_array(f"{name}'s c", c, shape, dtype)
