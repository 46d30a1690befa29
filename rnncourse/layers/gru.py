"""The GRU layer over a batch of sequences: forward and backward through time.

Equations (labels as in the book), for each step t and each sequence:

    eq-gru-gates        r_t = σ(W_xh,r x_t + W_hh,r h_{t-1} + b_h,r)
                        z_t = σ(W_xh,z x_t + W_hh,z h_{t-1} + b_h,z)
    eq-gru-after        u_t = W_hh,n h_{t-1} + b_hh,n
                        n_t = tanh(W_xh,n x_t + b_h,n + r_t ⊙ u_t)
    eq-gru-hidden       h_t = z_t ⊙ h_{t-1} + (1 − z_t) ⊙ n_t

    eq-gru-delta-gates  δ^{a_n} = δ^h ⊙ (1−z) ⊙ (1−n²)    δ^{a_z} = δ^h ⊙ (h_{t-1}−n) ⊙ z(1−z)
                        δ^u = δ^{a_n} ⊙ r                 δ^{a_r} = δ^{a_n} ⊙ u ⊙ r(1−r)
    eq-gru-delta-h      δ^h_t = dh_t + z_{t+1} ⊙ δ^h_{t+1} + W_hh,rᵀ δ^{a_r}_{t+1}
                                + W_hh,zᵀ δ^{a_z}_{t+1} + W_hh,nᵀ δ^u_{t+1}
    eq-gru-sums         dW_hh,r = Σ δ^{a_r} h_{t-1}ᵀ, likewise z; dW_hh,n = Σ δ^u h_{t-1}ᵀ;
                        db_hh,n = Σ δ^u; dW_xh,q = Σ δ^{a_q} x_tᵀ, db_h,q = Σ δ^{a_q}

This is the form of PyTorch: the reset gate acts after the product. In the form of Cho et al.
(2014), ``reset="before"``, it acts before:

    eq-gru-candidate    n_t = tanh(W_xh,n x_t + b_h,n + W_hh,n (r_t ⊙ h_{t-1}))
    eq-gru-before       δ^s = W_hh,nᵀ δ^{a_n}, which reaches h_{t-1} as r ⊙ δ^s
                        δ^{a_r} = δ^s ⊙ h_{t-1} ⊙ r(1−r),  dW_hh,n = Σ δ^{a_n} (r_t ⊙ h_{t-1})ᵀ

Weights of one form do not fit the other. The gates are stacked in the order r, z, n, PyTorch's.
Unlike the LSTM's step, this one is not a single product: what the inputs contribute is computed
beforehand for all steps, because r_t stands between the two parts of n_t.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy import add, matmul, multiply, subtract, tanh
from numpy.typing import ArrayLike, DTypeLike

from ..nonlinear import logistic
from ..validation import Array, Params, require_choice, require_finite
from .packed import PackedLayer, PackedTrace, Shapes, add_product, for_products, side_by_side

GATES = ("r", "z", "n")  # as stacked in the weights; in a pass u, or r ⊙ h_{t-1}, comes first
Reset = Literal["after", "before"]


@dataclass(frozen=True, eq=False, slots=True)
class Trace(PackedTrace):
    """What `GRU.backward` needs from a forward pass, and every gate of it by name.

    Attributes
    ----------
    lengths, inside, W, columns
        As for `PackedTrace`.
    gates : (T, 4, H, B) at each step u, r, z, n; for reset="before" r ⊙ h_{t-1} in the place of u
    from_x : (T, 3, H, B) W_xh x_t + b_h of r, z (half of it) and n
    W_state : (3H, H) W_hh of n, r, z as the loop uses it
    W_input : (3H, D + 1) [W_xh | b_h] of r, z, n as the loop uses it
    """

    blocks: ClassVar[int] = len(GATES)

    gates: Array
    from_x: Array
    W_state: Array
    W_input: Array

    @property
    def r(self) -> Array:
        """Reset gate, (T, B, H), from 0 to 1, read-only; zeros past a sequence's length."""
        return self.shown(self.gates[:, 1])

    @property
    def z(self) -> Array:
        """Update gate, as `r`: at 1 the state stays."""
        return self.shown(self.gates[:, 2])

    @property
    def n(self) -> Array:
        """Candidate, as `r` but from −1 to 1."""
        return self.shown(self.gates[:, 3])


@dataclass(frozen=True, eq=False, slots=True)
class TraceBefore(Trace):
    """The same of a GRU with reset="before", whose weights mean something else."""


@dataclass(eq=False, slots=True)
class Step:
    """What a step reads and writes: views of the arrays of a trace."""

    h_prev: Array
    u_r_z: Array
    r_z: Array
    u: Array
    r: Array
    z: Array
    n: Array
    x_r_z: Array
    x_n: Array
    h: Array


@dataclass(eq=False, slots=True)
class StepBack:
    """What a step back reads and writes; each δ starts as what it is a multiple of."""

    delta_h: Array
    every: Array  # δ^{a_r}, δ^{a_z}, δ^u, δ^{a_n}, and z_t ⊙ δ^h_t
    r_z_u: Array
    r_z: Array
    r: Array
    z: Array
    u: Array
    n: Array
    kept: Array


class GRU(PackedLayer[Array, Trace]):
    """Gated recurrent unit (Cho et al., 2014). Its state is h, an array (B, H).

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, each at least 1.
    rng : numpy.random.Generator
        Draws W_xh and W_hh uniformly from ±1/√H, the range `torch.nn.GRU` uses; biases start at 0.
    reset : "after" (default) or "before"
        Where the reset gate acts on the state's share of the candidate: after the product,
        r_t ⊙ (W_hh,n h_{t-1} + b_hh,n), as in PyTorch, or before it, W_hh,n (r_t ⊙ h_{t-1}), as in
        Cho et al. (2014). The two are different networks: weights of one do not fit the other, and
        only the first has the bias b_hh,n.
    dtype : float64 (default) or float32

    Examples
    --------
    >>> gru = GRU(3, 4, rng=np.random.default_rng(0))
    >>> h, h_T, trace = gru.forward(np.ones((5, 2, 3)))
    >>> h.shape, h_T.shape, trace.z.shape
    ((5, 2, 4), (2, 4), (5, 2, 4))
    """

    blocks = len(GATES)
    _trace = Trace

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rng: np.random.Generator,
        reset: Reset = "after",
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__(input_size, hidden_size, rng=rng, dtype=dtype)
        self.reset = require_choice("reset", reset, get_args(Reset))
        self._trace = Trace if reset == "after" else TraceBefore
        self.torch_kind = "GRU" if reset == "after" else None
        self._b_hh_n = np.zeros(hidden_size, self.dtype)

    def __repr__(self) -> str:
        form = "" if self.reset == "after" else ", reset='before'"
        return f"GRU({self.input_size}, {self.hidden_size}{form}, dtype={self.dtype})"

    @property
    def arguments(self) -> dict[str, Any]:
        """What makes a layer of the same form, but for the rng."""
        return {**super().arguments, "reset": self.reset}

    @classmethod
    def count_parameters(cls, input_size: int, hidden_size: int, **options: Any) -> int:
        """Return how many trainable numbers a layer of these sizes has."""
        biases = hidden_size if options.get("reset", "after") == "after" else 0
        return super().count_parameters(input_size, hidden_size) + biases

    @property
    def params(self) -> Params:
        """W_xh (3H, D), W_hh (3H, H) and b_h (3H,), of r, z and n one below the other, and with
        reset="after" b_hh_n (H,), by name. The mapping is read-only; write into its arrays.
        """
        own = self._unpack(self._W)
        return MappingProxyType(own | {"b_hh_n": self._b_hh_n} if self.reset == "after" else own)

    def gate(self, name: str) -> Params:
        """W_xh (H, D), W_hh (H, H) and b_h (H,) of one gate, "r", "z" or "n", as views. The second
        bias of n is ``params["b_hh_n"]``.
        """
        return MappingProxyType(self._gate(GATES.index(require_choice("name", name, GATES))))

    @np.errstate(all="ignore")
    def step(self, x_t: ArrayLike, state: Array | None = None) -> tuple[Array, Array]:
        """Compute one step (eq-gru-gates, eq-gru-after or eq-gru-candidate, eq-gru-hidden); see
        `PackedLayer.step`.
        """
        x_t, h_prev = self._arguments_of_step(x_t, state)
        H, n, after = self.hidden_size, 2 * self.hidden_size, self.reset == "after"
        W_hh, W_xh, b_h = self._W[:, :H], self._W[:, H:-1], self._W[:, -1:]
        from_x = W_xh @ x_t.T + b_h
        from_h = (W_hh if after else W_hh[:n]) @ h_prev.T
        a_r_z = from_x[:n] + from_h[:n]
        r_t, z_t = logistic(a_r_z).reshape(2, H, -1)
        if after:
            u_t = from_h[n:] + self._b_hh_n[:, None]
            a_n = from_x[n:] + r_t * u_t
        else:
            a_n = from_x[n:] + W_hh[n:] @ (r_t * h_prev.T)
        for a_t in (a_r_z, a_n):
            self._require_finite_step(a_t.T, {"x_t": x_t, "state": h_prev})
        n_t = np.tanh(a_n)
        h_t = (z_t * h_prev.T + (1 - z_t) * n_t).T
        return h_t, h_t.copy()

    def _require_finite_weights(self) -> None:
        super()._require_finite_weights()
        require_finite("b_hh_n", self._b_hh_n)

    # ------------------------------------------------------------ forward

    def _shapes(self, T: int, B: int) -> Shapes:
        H, D = self.hidden_size, self.input_size
        return (T, 4, H, B), (T, 3, H, B), (3 * H, H), (3 * H, D + 1)

    @staticmethod
    def _each_step(
        W: Array, columns: Array, gates: Array, from_x: Array, W_state: Array, W_input: Array
    ) -> list[Step]:
        T, _, H, B = gates.shape
        u_r_z, r_z = gates[:, :3].reshape(T, 3 * H, B), gates[:, 1:3].reshape(T, 2 * H, B)
        x_r_z, x_n = from_x[:, :2].reshape(T, 2 * H, B), from_x[:, 2]
        h = columns[:, :H]
        return list(map(Step, h[:-1], u_r_z, r_z, *gates.swapaxes(0, 1), x_r_z, x_n, h[1:]))

    def _prepare(self, trace: Trace) -> None:
        """Put the weights in the order of a pass, r and z halved: σ(a) = ½ + ½ tanh(½a)."""
        H = self.hidden_size
        W_hh, W_input = trace.W[:, :H], trace.W[:, H:]
        W_state = for_products(trace.W_state, *trace.size)
        W_state[:H] = W_hh[2 * H :]
        multiply(W_hh[: 2 * H], 0.5, W_state[H:])
        trace.W_input[...] = W_input
        trace.W_input[: 2 * H] *= 0.5

    def _forward(self, trace: Trace, steps: list[Step]) -> None:
        H, K = self.hidden_size, len(steps)
        W_state, half = for_products(trace.W_state, *trace.size), np.full((), 0.5, self.dtype)
        W_n, W_r_z, b_hh_n = W_state[:H], W_state[H:], self._b_hh_n[:, None]
        matmul(trace.W_input, trace.columns[:K, H:], trace.from_x[:K].reshape(K, 3 * H, -1))
        after = self.reset == "after"
        for s in steps:  # what is computed goes into the last argument
            if after:
                matmul(W_state, s.h_prev, s.u_r_z)  # W_hh h_{t-1}; of r and z half of it
                add(s.u, b_hh_n, s.u)  # u_t is there
            else:
                matmul(W_r_z, s.h_prev, s.r_z)
            add(s.r_z, s.x_r_z, s.r_z)
            tanh(s.r_z, s.r_z)
            multiply(s.r_z, half, s.r_z)
            add(s.r_z, half, s.r_z)  # r_t and z_t are there; σ(a) = ½ + ½ tanh(½a)
            if after:
                multiply(s.r, s.u, s.n)
            else:
                multiply(s.r, s.h_prev, s.u)
                matmul(W_n, s.u, s.n)  # W_hh,n (r_t ⊙ h_{t-1})
            add(s.n, s.x_n, s.n)
            tanh(s.n, s.n)  # n_t is there
            subtract(s.h_prev, s.n, s.h)
            multiply(s.z, s.h, s.h)
            add(s.n, s.h, s.h)  # h_t = n_t + z_t ⊙ (h_{t-1} − n_t)

    # ------------------------------------------------------------ backward

    def _shapes_back(self, size: int, B: int) -> Shapes:
        return ((size, 5, self.hidden_size, B),)

    @staticmethod
    def _each_step_back(delta_h: Array, every: Array, *_: Array) -> list[StepBack]:
        K, _, H, B = every.shape
        r_z_u, r_z = every[:, :3].reshape(K, 3 * H, B), every[:, :2].reshape(K, 2 * H, B)
        return list(map(StepBack, delta_h, every, r_z_u, r_z, *every.swapaxes(0, 1)))

    def _backward(
        self,
        trace: Trace,
        block: slice,
        memory: list[Array],
        steps: list[StepBack],
        from_next: tuple[Array, ...],
    ) -> None:
        (from_next_h,), H = from_next, self.hidden_size
        W_hhT, one = trace.W[:, :H].T, np.ones((), self.dtype)
        h = trace.states[0][1:][block]
        u, r, z, n = trace.gates[block].swapaxes(0, 1)
        delta_r, delta_z, delta_u, delta_n, kept = memory[1].swapaxes(0, 1)
        # Everything that step t sends back is δ^h_t times what needs no later step: for the whole
        # block, these factors.
        subtract(one, z, delta_z)
        multiply(n, n, delta_n)
        subtract(one, delta_n, delta_n)
        multiply(delta_n, delta_z, delta_n)  # ∂h_t/∂a_n = (1 − z)(1 − n²)
        subtract(h, n, kept)
        multiply(delta_z, kept, delta_z)  # ∂h_t/∂a_z = (h_{t-1} − n) z(1 − z) = (h_t − n)(1 − z)
        np.copyto(kept, z)
        subtract(one, r, delta_r)
        if self.reset == "after":
            multiply(delta_n, r, delta_u)  # ∂h_t/∂u_t
            multiply(delta_r, u, delta_r)
            multiply(delta_r, delta_u, delta_r)  # ∂h_t/∂a_r = ∂h_t/∂a_n u r(1 − r)
            for s in steps:
                add(s.delta_h, from_next_h, s.delta_h)  # δ^h_t
                multiply(s.every, s.delta_h, s.every)  # δ^{a_r}, δ^{a_z}, δ^u, δ^{a_n}, z_t ⊙ δ^h_t
                matmul(W_hhT, s.r_z_u, from_next_h)
                add(from_next_h, s.kept, from_next_h)
        else:
            np.copyto(delta_u, r)  # ∂s_t/∂h_{t-1}, for s_t = r_t ⊙ h_{t-1}
            multiply(delta_r, u, delta_r)  # ∂s_t/∂a_r = h_{t-1} r(1 − r)
            delta_s = np.empty_like(from_next_h)
            for s in steps:
                add(s.delta_h, from_next_h, s.delta_h)  # δ^h_t
                for delta in (s.z, s.n, s.kept):
                    multiply(delta, s.delta_h, delta)
                matmul(W_hhT[:, 2 * H :], s.n, delta_s)  # δ^s_t = W_hh,nᵀ δ^{a_n}
                multiply(s.r, delta_s, s.r)  # δ^{a_r}
                multiply(s.u, delta_s, s.u)  # r_t ⊙ δ^s_t
                matmul(W_hhT[:, : 2 * H], s.r_z, from_next_h)
                add(from_next_h, s.u, from_next_h)
                add(from_next_h, s.kept, from_next_h)

    def _shapes_of_sums(self, size: int, B: int) -> Shapes:
        (R, N), H = self._W.shape, self.hidden_size
        return (size * 4 * H * B,), (size * (N + H) * B,), (R, N)

    def _new_gradients(self) -> Array:
        """Return memory for dW, and in a further column for db_hh,n."""
        R, N = self._W.shape
        return np.empty((R, N + 1), self.dtype)

    def _gradients(self, dW: Array) -> dict[str, Array]:
        own = self._unpack(dW[:, :-1])
        return own | {"b_hh_n": dW[2 * self.hidden_size :, -1]} if self.reset == "after" else own

    def _collect(
        self, trace: Trace, block: slice, every: Array, dW: Array, dx: Array, memory: list[Array]
    ) -> None:
        """As for `PackedLayer`, but what the candidate takes from the state has a δ, or a source,
        of its own: δ^u h_{t-1}ᵀ, or δ^{a_n} (r_t ⊙ h_{t-1})ᵀ.
        """
        (K, _, H, B), D = every.shape, self.input_size
        rows = memory[0][: K * 4 * H * B].reshape(4, H, K, B)
        for q, row in zip((0, 1, 3, 2), rows, strict=True):  # r, z, n, u
            np.copyto(row, every[:, q].swapaxes(0, 1))
        delta = rows.reshape(4 * H, K * B)
        r_z, n, r_z_n, u = delta[: 2 * H], delta[2 * H : 3 * H], delta[: 3 * H], delta[3 * H :]
        columns = side_by_side(trace.columns[block], memory[1])
        state, inputs = columns[:H], columns[H:]
        if self.reset == "before":
            u, state = n, side_by_side(trace.gates[block, 0], memory[1][columns.size :])
        last = block.stop == trace.size[0]
        add_product(r_z, columns.T, dW[: 2 * H, :-1], memory[2][: 2 * H], last)
        add_product(n, inputs.T, dW[2 * H :, H:-1], memory[2][2 * H :, H:], last)
        add_product(u, state.T, dW[2 * H :, :H], memory[2][2 * H :, :H], last)
        if last:
            dW[2 * H :, -1] = 0
        dW[2 * H :, -1] += u.sum(axis=1)
        np.matmul(r_z_n.T, trace.W[:, H:-1], out=dx.reshape(-1, D))
