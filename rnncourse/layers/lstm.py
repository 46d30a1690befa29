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
from typing import Any, ClassVar

import numpy as np
from numpy import add, matmul, multiply, subtract, tanh
from numpy.typing import ArrayLike, DTypeLike

from ..nonlinear import logistic
from ..validation import Array, Params, real_array, require_choice, require_number
from .packed import PackedLayer, PackedTrace, Shapes, for_products, state_array

GATES = ("i", "f", "g", "o")  # as stacked in the weights
# As stacked in a pass, with c_{t-1} below them: the three sigmoids are neighbours, and so are
# i, f and g, c, whose product is i ⊙ g and f ⊙ c_{t-1}.
GATES_IN_PASS = ("o", "i", "f", "g")
State = tuple[Array, Array]


@dataclass(frozen=True, eq=False, slots=True)
class Trace(PackedTrace):
    """What `LSTM.backward` needs from a forward pass, and every gate of it by name.

    Attributes
    ----------
    lengths, inside, W, columns
        As for `PackedTrace`.
    gates : (T + 1, 5, H, B) the values of o, i, f, g at each step, and c_{t-1}
    products : (T, 2, H, B) i ⊙ g and f ⊙ c_{t-1}, whose sum is c_t
    tanh_c : (T, H, B) tanh(c_1) … tanh(c_T)
    W_halved : (4H, H + D + 1) the weights as the loop uses them
    """

    blocks: ClassVar[int] = len(GATES)

    gates: Array
    products: Array
    tanh_c: Array
    W_halved: Array

    @property
    def states(self) -> tuple[Array, ...]:
        """h and c from step 0 to step T as columns, each (T + 1, H, B)."""
        return self.columns[:, : len(self.W) // 4], self.gates[:, 4]

    @property
    def i(self) -> Array:
        """Input gate, (T, B, H), from 0 to 1, read-only; zeros past a sequence's length."""
        return self.shown(self.gates[:-1, 1])

    @property
    def f(self) -> Array:
        """Forget gate, as `i`."""
        return self.shown(self.gates[:-1, 2])

    @property
    def g(self) -> Array:
        """Candidate, as `i` but from −1 to 1."""
        return self.shown(self.gates[:-1, 3])

    @property
    def o(self) -> Array:
        """Output gate, as `i`."""
        return self.shown(self.gates[:-1, 0])

    @property
    def c(self) -> Array:
        """Cell states c_1 … c_T, as `i` but of any size."""
        return self.shown(self.gates[1:, 4])


@dataclass(eq=False, slots=True)
class Step:
    """What a step reads and writes: views of the arrays of a trace."""

    column: Array  # [h_{t-1}; x_t; 1]
    a: Array  # the pre-activations of o, i, f, g; then the gates
    oif: Array  # the gates that are sigmoids
    o: Array
    i_f: Array
    g_c: Array  # g_t and c_{t-1}
    products: Array  # i ⊙ g and f ⊙ c_{t-1}
    ig: Array
    fc: Array
    c: Array
    tanh_c: Array
    h: Array


@dataclass(eq=False, slots=True)
class StepBack:
    """What a step back reads and writes; each δ starts as what it is a multiple of."""

    delta_h: Array
    delta_c: Array  # starts as ∂h_t/∂c_t
    delta_a: Array  # of i, f, g, o
    delta_i: Array  # starts as ∂c_t/∂a_i, and so on
    delta_f: Array
    delta_g: Array
    delta_o: Array  # starts as ∂h_t/∂a_o


class LSTM(PackedLayer[State, Trace]):
    """Long short-term memory layer, without peepholes (Hochreiter and Schmidhuber, 1997, with the
    forget gate of Gers, Schmidhuber and Cummins, 2000). Its state is the pair (h, c).

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
    parts = 2
    torch_kind = "LSTM"
    _trace = Trace

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

    @property
    def arguments(self) -> dict[str, Any]:
        """What makes a layer of the same form; `forget_bias` only says where a weight starts."""
        return super().arguments

    def gate(self, name: str) -> Params:
        """W_xh (H, D), W_hh (H, H) and b_h (H,) of one gate, "f", "i", "o" or "g", as views."""
        return MappingProxyType(self._gate(GATES.index(require_choice("name", name, GATES))))

    @np.errstate(all="ignore")
    def step(self, x_t: ArrayLike, state: State | None = None) -> tuple[Array, State]:
        """Compute one step (eq-forget … eq-lstm-hidden); see `PackedLayer.step`."""
        x_t, h_prev, c_prev = self._arguments_of_step(x_t, state)
        a_t = self._pre_activations(x_t, h_prev).reshape(len(x_t), 4, -1)
        a_i, a_f, a_g, a_o = a_t.swapaxes(0, 1)
        c_t = logistic(a_f) * c_prev + logistic(a_i) * np.tanh(a_g)
        self._require_finite_step(c_t, {"state's c": c_prev})
        h_t = logistic(a_o) * np.tanh(c_t)
        return h_t, (h_t.copy(), c_t)

    # ------------------------------------------------------------ forward

    def _shapes(self, T: int, B: int) -> Shapes:
        H = self.hidden_size
        return (T + 1, 5, H, B), (T, 2, H, B), (T, H, B), self._W.shape

    @staticmethod
    def _each_step(
        W: Array, columns: Array, gates: Array, products: Array, tanh_c: Array, W_halved: Array
    ) -> list[Step]:
        T, _, H, B = products.shape
        now, c = gates[:-1], gates[1:, 4]
        a, ig, fc = now[:, :4].reshape(T, 4 * H, B), products[:, 0], products[:, 1]
        oif, o, i_f, g_c = now[:, :3], now[:, 0], now[:, 1:3], now[:, 3:]
        h = columns[1:, :H]
        return list(map(Step, columns[:-1], a, oif, o, i_f, g_c, products, ig, fc, c, tanh_c, h))

    def _prepare(self, trace: Trace) -> None:
        """Put the gates in the order of a pass, the sigmoids halved: σ(a) = ½ + ½ tanh(½a),
        so that one tanh serves all four.
        """
        H = self.hidden_size
        gates = dict(zip(GATES, trace.W.reshape(4, H, -1), strict=True))
        halved = for_products(trace.W_halved, *trace.size).reshape(4, H, -1)
        for q, rows in zip(GATES_IN_PASS, halved, strict=True):
            multiply(gates[q], 1 if q == "g" else 0.5, out=rows)

    def _forward(self, trace: Trace, steps: list[Step]) -> None:
        W_halved = for_products(trace.W_halved, *trace.size)
        half = np.full((), 0.5, self.dtype)
        for s in steps:  # what is computed goes into the last argument
            matmul(W_halved, s.column, s.a)  # a_t of four gates; of o, i and f half of it
            tanh(s.a, s.a)  # g_t is there; σ(a) = ½ + ½ tanh(½a)
            multiply(s.oif, half, s.oif)
            add(s.oif, half, s.oif)
            multiply(s.i_f, s.g_c, s.products)
            add(s.fc, s.ig, s.c)  # c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
            tanh(s.c, s.tanh_c)
            multiply(s.o, s.tanh_c, s.h)  # h_t = o_t ⊙ tanh(c_t)

    # ------------------------------------------------------------ backward

    def _shapes_back(self, size: int, B: int) -> Shapes:
        H = self.hidden_size
        return (size, H, B), (size, 4 * H, B)

    @staticmethod
    def _each_step_back(
        delta_h: Array, delta_c: Array, delta_a: Array, *_: Array
    ) -> list[StepBack]:
        each_gate = delta_a.reshape(len(delta_a), 4, *delta_h.shape[1:]).swapaxes(0, 1)
        return list(map(StepBack, delta_h, delta_c, delta_a, *each_gate))

    def _backward(
        self,
        trace: Trace,
        block: slice,
        memory: list[Array],
        steps: list[StepBack],
        from_next: tuple[Array, ...],
    ) -> None:
        from_next_h, carried = from_next  # Σ_q W_hh,qᵀ δ^{a_q}_{t+1}, and f_{t+1} ⊙ δ^c_{t+1}
        W_hhT, one = trace.W[:, : self.hidden_size].T, np.ones((), self.dtype)
        h, tanh_c, ig_fc = trace.states[0][1:][block], trace.tanh_c[block], trace.products[block]
        o, i, f, g, _ = trace.gates[block].swapaxes(0, 1)
        i_f = trace.gates[block, 1:3]
        _, delta_c, delta_a = memory
        delta = delta_a.reshape(len(delta_a), 4, *delta_c.shape[1:])
        delta_i_f, delta_g, delta_o = delta[:, :2], delta[:, 2], delta[:, 3]
        # What needs no later step, for the whole block. Of what a gate s lets through,
        # ∂(s ⊙ v)/∂a_s = v ⊙ s(1 − s) = (s ⊙ v)(1 − s): the products are there already.
        subtract(one, i_f, delta_i_f)
        multiply(delta_i_f, ig_fc, delta_i_f)  # ∂c_t/∂a_i and ∂c_t/∂a_f
        subtract(one, o, delta_o)
        multiply(delta_o, h, delta_o)  # ∂h_t/∂a_o
        multiply(ig_fc[:, 0], g, delta_g)
        subtract(i, delta_g, delta_g)  # ∂c_t/∂a_g = i(1 − g²)
        multiply(h, tanh_c, delta_c)
        subtract(o, delta_c, delta_c)  # ∂h_t/∂c_t = o(1 − tanh² c_t)
        if trace.inside is not None and carried.any():
            # Past a sequence's end, what reaches its final cell state waits as it is.
            inside = trace.inside[block, None]
            delta[:, :3] *= inside[:, None]
            f = np.where(inside, f, one)
        for s, f_t in zip(steps, f[::-1], strict=True):
            add(s.delta_h, from_next_h, s.delta_h)  # δ^h_t
            multiply(s.delta_c, s.delta_h, s.delta_c)
            add(s.delta_c, carried, s.delta_c)  # δ^c_t = ∂h_t/∂c_t ⊙ δ^h_t + f_{t+1} ⊙ δ^c_{t+1}
            multiply(s.delta_i, s.delta_c, s.delta_i)  # δ^{a_i} = ∂c_t/∂a_i ⊙ δ^c_t, and so on
            multiply(s.delta_f, s.delta_c, s.delta_f)
            multiply(s.delta_g, s.delta_c, s.delta_g)
            multiply(s.delta_o, s.delta_h, s.delta_o)
            multiply(f_t, s.delta_c, carried)
            matmul(W_hhT, s.delta_a, from_next_h)

    # ------------------------------------------------------------ states

    def _parts(self, name: str, state: object, B: int) -> tuple[Array, ...]:
        shape = (B, self.hidden_size)
        if state is None:
            return tuple(np.zeros((2, *shape), self.dtype))
        if not isinstance(state, tuple | list):
            raise TypeError(f"{name} is a {type(state).__name__}, expected a pair (h, c)")
        if len(state) != 2:
            raise ValueError(f"{name} has {len(state)} parts, expected a pair (h, c)")
        return tuple(
            state_array(f"{name}'s {part}", value, shape, self.dtype)
            for part, value in zip("hc", state, strict=True)
        )

    def _state(self, parts: tuple[Array, ...]) -> State:
        h, c = parts
        return h, c
