"""What the recurrent layers share: packed weights, packed columns, and the walk over the steps.

W = [W_hh | W_xh | b_h] acts on the packed column [h_{t-1}; x_t; 1], so that a step is one product
and the gradients of all weights are one product at the end. A batch is stored as columns: the
packed columns of a step have shape (H + D + 1, B), and a gate of all sequences is one contiguous
block (H, B).

A layer says in two short loops what a step computes, forward and back; what surrounds the loops is
here. Both ways go by blocks of steps. A pass with a trace is one block of T steps; `run`, which
keeps nothing, walks through small blocks in the same memory. On the way back, what needs no later
step is computed for a whole block at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..validation import (
    Array,
    Params,
    copy_params,
    float_dtype,
    has_form,
    incoming,
    real_array,
    require_finite,
    require_rng,
    require_size,
    require_trace,
    sequences,
)
from .buffers import Buffers

COLUMNS = 1024  # of a block on the way back; any number from 256 to 2048 is about as fast
COLUMNS_OF_A_RUN = 256  # of a block of `run`: small enough to stay in the processor's cache

State = TypeVar("State")
Trace = TypeVar("Trace", bound="PackedTrace")
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False, slots=True)
class PackedTrace:
    """What every layer keeps of a forward pass. No later call alters it while it is alive.

    Attributes
    ----------
    lengths : (B,) length of each sequence
    inside : (T, B) bool, True where step t belongs to sequence b; None if all have length T
    W : (R, H + D + 1) copy of the packed weights that the pass used
    columns : (T + 1, H + D + 1, B) packed columns; columns[t] is [h_t; x_{t+1}; 1], so columns[0]
        holds h_0
    """

    blocks: ClassVar[int] = 1

    lengths: NDArray[np.intp]
    inside: NDArray[np.bool_] | None
    W: Array
    columns: Array

    @property
    def size(self) -> tuple[int, int]:
        """T and B."""
        return len(self.columns) - 1, self.columns.shape[2]

    @property
    def states(self) -> tuple[Array, ...]:
        """The states from step 0 to step T as columns, each (T + 1, H, B): h, and c if any."""
        return (self.columns[:, : len(self.W) // self.blocks],)

    @property
    def h(self) -> Array:
        """Hidden states h_1 … h_T, (T, B, H), read-only; zeros past a sequence's length."""
        return self.shown(self.states[0][1:])

    def shown(self, columns: Array) -> Array:
        """Return columns (T, H, B) as (T, B, H), read-only; zeros past a sequence's length."""
        rows = cleared(columns.transpose(0, 2, 1).copy(), self.inside)
        rows.flags.writeable = False
        return rows


class PackedLayer(Generic[State, Trace]):
    """A layer whose parameters live side by side in one packed matrix of R = `blocks` · H rows.

    A layer adds `_trace`, the class of its traces; `_shapes`, what a trace of T steps holds;
    `_each_step`, the views of it that a step needs; `_forward`, the loop; and the same for the way
    back.
    """

    blocks: ClassVar[int] = 1
    parts: ClassVar[int] = 1  # of a state: h alone, or h and c
    torch_kind: str | None = None  # the module of `torch.nn` that computes the same
    _trace: type[Trace]
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
    def arguments(self) -> dict[str, Any]:
        """What makes a layer of the same form, but for the rng."""
        sizes = {"input_size": self.input_size, "hidden_size": self.hidden_size}
        return {**sizes, "dtype": self.dtype.name}

    @classmethod
    def count_parameters(cls, input_size: int, hidden_size: int, **options: Any) -> int:
        """Return how many trainable numbers a layer of these sizes has."""
        D, H = require_size("input_size", input_size), require_size("hidden_size", hidden_size)
        return cls.blocks * H * (H + D + 1)

    # ------------------------------------------------------------ parameters

    @property
    def params(self) -> Params:
        """W_xh (R, D), W_hh (R, H) and b_h (R,): views of the packed matrix, by name.

        R is H for an RNN. For an LSTM it is 4H, the gates stacked in the order i, f, g, o; for a
        GRU 3H, in the order r, z, n. The mapping is read-only; write into its arrays:
        ``layer.params["b_h"][:] = 0``, or
        ``for name, W in layer.params.items(): W -= 0.1 * grads[name]``.
        """
        return MappingProxyType(self._unpack(self._W))

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values`, by the names of `params`; nothing changes unless all fit."""
        copy_params(self.params, values)

    def _unpack(self, W: Array) -> dict[str, Array]:
        H = self.hidden_size
        return {"W_xh": W[:, H:-1], "W_hh": W[:, :H], "b_h": W[:, -1]}

    def _gate(self, index: int) -> dict[str, Array]:
        """Return W_xh (H, D), W_hh (H, H) and b_h (H,) of one gate, as views."""
        H = self.hidden_size
        return self._unpack(self._W[index * H : (index + 1) * H])

    def _require_finite_weights(self) -> None:
        require_finite("the layer's packed weights [W_hh | W_xh | b_h]", self._W)

    # ------------------------------------------------------------ forward

    @np.errstate(all="ignore")
    def forward(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, State, Trace]:
        """Run the layer over every step, and keep what `backward` needs.

        Parameters
        ----------
        x : (T, B, D)
            Inputs; T and B at least 1. Steps past a sequence's length may hold anything.
        state : optional
            Initial state: h_0 (B, H), and for an LSTM the pair (h_0, c_0); zeros if left out.
        lengths : (B,) of whole numbers from 1 to T, optional
            Length of each sequence; T if left out.

        Returns
        -------
        h : (T, B, H)
            Hidden states h_1 … h_T; zeros past a sequence's length.
        state_T : as `state`
            The state after each sequence's last step.
        trace : Trace
            For `backward`, and for looking inside: every gate by its name.

        Raises
        ------
        TypeError, ValueError
            A wrong dtype or shape; T = 0; a length outside 1..T; NaN or infinity in x, in the
            state or in a parameter; numbers so large that a state overflows; a masked entry of a
            NumPy masked array, or a tensor that requires a gradient: both would be lost.
        """
        x, lengths, inside = sequences(x, lengths, self.input_size, self.dtype)
        start = self._parts("state", state, x.shape[1])
        trace, steps = self._ready(len(x), lengths, inside, self._for_traces)
        h, state_T = self._walk(trace, steps, x, start, lengths, inside)
        return h, state_T, trace

    @np.errstate(all="ignore")
    def run(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, State]:
        """Run the layer over every step and keep nothing: `forward` without its trace.

        Arguments, results and errors are those of `forward`.
        """
        x, lengths, inside = sequences(x, lengths, self.input_size, self.dtype)
        T, B, _ = x.shape
        start = self._parts("state", state, B)
        size = min(T, max(1, COLUMNS_OF_A_RUN // B))
        trace, steps = self._ready(size, lengths, None, Buffers(self._each_step))
        return self._walk(trace, steps, x, start, lengths, inside)

    def step(self, x_t: ArrayLike, state: State | None = None) -> tuple[Array, State]:
        """Compute one step, as its equations are printed, and keep nothing.

        For a loop of one's own: ``h_t, state = layer.step(x_t, state)``.

        Parameters
        ----------
        x_t : (B, D)
            The input of this step.
        state : optional
            The state before it, as for `forward`; zeros if left out.

        Returns
        -------
        h_t : (B, H)
        state : the state after it, to be handed to the next step

        Raises
        ------
        TypeError, ValueError
            As for `forward`.
        """
        raise NotImplementedError

    def _ready(
        self,
        size: int,
        lengths: NDArray[np.intp],
        inside: NDArray[np.bool_] | None,
        memory: Buffers,
    ) -> tuple[Trace, list[Any]]:
        """Return a trace of `size` steps, with the weights in place, and the views of its steps."""
        self._require_finite_weights()
        B = len(lengths)
        R, N = self._W.shape
        shapes = (R, N), (size + 1, N, B), *self._shapes(size, B)
        arrays, steps = memory.lend(self.dtype, *shapes)
        trace = self._trace(lengths, inside, *arrays)
        trace.W[...] = self._W
        trace.columns[:, -1] = 1
        return trace, steps

    def _walk(
        self,
        trace: Trace,
        steps: list[Any],
        x: Array,
        start: tuple[Array, ...],
        lengths: NDArray[np.intp],
        inside: NDArray[np.bool_] | None,
    ) -> tuple[Array, State]:
        """Run over x by blocks of as many steps as the trace has; return h and the final state."""
        (T, B, _), H = x.shape, self.hidden_size
        h = np.empty((T, B, H), self.dtype)
        final = tuple(np.empty((B, H), self.dtype) for _ in start)
        for part, part_0 in zip(trace.states, start, strict=True):
            part[0] = part_0.T
        self._prepare(trace)
        for begin in range(0, T, len(steps)):
            n = min(len(steps), T - begin)
            trace.columns[:n, H:-1] = x[begin : begin + n].transpose(0, 2, 1)
            self._forward(trace, steps[:n])
            h[begin : begin + n] = trace.states[0][1 : n + 1].transpose(0, 2, 1)
            for part, part_T in zip(trace.states, final, strict=True):
                if inside is None:
                    part_T[...] = part[n].T
                else:
                    ends = np.flatnonzero((begin < lengths) & (lengths <= begin + n))
                    part_T[ends] = part[lengths[ends] - begin, :, ends]
                if begin + n < T:
                    part[0] = part[n]
        trace.columns[n, H:-1] = 0
        require_finite("h (inputs or weights are too large)", h)
        return cleared(h, inside), self._state(final)

    def _shapes(self, T: int, B: int) -> Shapes:
        """Return the shapes of a trace's arrays after W and the packed columns."""
        return ()

    def _prepare(self, trace: Trace) -> None:
        """Put the weights of a trace in the form in which the loop uses them."""

    def _forward(self, trace: Trace, steps: list[Any]) -> None:
        """Fill in what these steps compute: equation by equation, each into memory of its own."""
        raise NotImplementedError

    # ------------------------------------------------------------ backward

    @np.errstate(all="ignore")
    def backward(
        self, trace: Trace, dh: ArrayLike | None = None, dstate_T: State | None = None
    ) -> tuple[Array, State, dict[str, Array]]:
        """Backpropagate through time.

        The gradients belong to the weights that the forward pass used, even if the layer's
        weights have changed since.

        Parameters
        ----------
        trace : Trace
            From `forward`.
        dh : (T, B, H), optional
            ∂E/∂h_t by every way that does not lead through step t + 1: W_hyᵀ δ^y_t for a readout.
            Entries past a sequence's length are ignored; zeros if left out.
        dstate_T : as the state, optional
            What reaches the final state from outside, as when chunks of a sequence are chained.

        Returns
        -------
        dx : (T, B, D)
            dE/dx_t; zeros past a sequence's length.
        dstate_0 : as the state
            dE/dh_0, and for an LSTM the pair (dE/dh_0, dE/dc_0).
        grads : dict
            The gradient of each parameter, summed over steps and batch, in its parameter's shape.
            A gradient too large for the dtype is infinite or NaN, which `global_norm` shows.

        Raises
        ------
        TypeError, ValueError
            A trace of another kind of layer; a wrong dtype or shape, NaN or infinity in `dh` or
            `dstate_T`.
        """
        H = self.hidden_size
        require_trace(trace, self._trace, self._W)
        T, B = trace.size
        outer, *outer_rest = self._parts("dstate_T", dstate_T, B)
        if dh is None:
            dh = np.zeros((T, B, H), self.dtype)
        else:
            dh = incoming(dh, (T, B, H), trace.inside, self.dtype)
        if dstate_T is not None:
            dh = dh.copy()
            dh[trace.lengths - 1, np.arange(B)] += outer

        size = min(T, max(1, COLUMNS // B))
        shapes = (size, H, B), *self._shapes_back(size, B), *self._shapes_of_sums(size, B)
        memory, steps = self._for_the_way_back.lend(self.dtype, *shapes)
        sums, own = memory[-3:], memory[:-3]
        # What step t + 1 sends back to the state after step t: to h_t, and for an LSTM to c_t.
        from_next = np.zeros((H, B), self.dtype), *(d.T.copy() for d in outer_rest)
        dW, dx = self._new_gradients(), np.empty((T, B, self.input_size), self.dtype)
        for end in range(T, 0, -size):
            block = slice(max(0, end - size), end)
            n = end - block.start
            delta_h, *others = (array[:n] for array in own)
            np.copyto(delta_h, dh[block].transpose(0, 2, 1))
            self._backward(trace, block, [delta_h, *others], steps[n - 1 :: -1], from_next)
            self._collect(trace, block, others[-1], dW, dx[block], sums)
        dstate_0 = tuple(np.ascontiguousarray(d.T) for d in from_next)
        return dx, self._state(dstate_0), self._gradients(dW)

    def _shapes_back(self, size: int, B: int) -> Shapes:
        """Return the shapes of what `_backward` needs for a block, after δ^h; δ^a is the last."""
        raise NotImplementedError

    def _backward(
        self,
        trace: Trace,
        block: slice,
        memory: list[Array],
        steps: list[Any],
        from_next: tuple[Array, ...],
    ) -> None:
        """Go back through a block of steps: fill its δ^a, and bring `from_next` to its beginning.

        δ^h starts as dh. `steps` are the views of the memory that each step needs, the last step
        first.
        """
        raise NotImplementedError

    def _shapes_of_sums(self, size: int, B: int) -> Shapes:
        R, N = self._W.shape
        return (size * R * B,), (size * N * B,), (R, N)

    def _collect(
        self, trace: Trace, block: slice, delta_a: Array, dW: Array, dx: Array, memory: list[Array]
    ) -> None:
        """Put in place a block's dx, W_xhᵀ δ^a_t, and its share of the gradients of all
        parameters, Σ_t δ^a_t [h_{t-1}; x_t; 1]ᵀ: one product each.
        """
        delta_a = side_by_side(delta_a, memory[0])
        columns = side_by_side(trace.columns[block], memory[1])
        last = block.stop == trace.size[0]
        add_product(delta_a, columns.T, dW, memory[2], last)
        np.matmul(delta_a.T, trace.W[:, self.hidden_size : -1], out=dx.reshape(-1, dx.shape[-1]))

    def _new_gradients(self) -> Array:
        """Return memory for the gradients of all parameters."""
        return np.empty_like(self._W)

    def _gradients(self, dW: Array) -> dict[str, Array]:
        """Return the gradients by name."""
        return self._unpack(dW)

    # ------------------------------------------------------------ one step

    def _arguments_of_step(self, x_t: Any, state: Any) -> tuple[Array, ...]:
        """Return what `step` is given: x_t (B, D), h_{t-1} (B, H), and c_{t-1} if any.

        A step should cost little more than its equations. So what has the right form is taken as it
        is; whether it is finite shows in what is computed from it: see `_require_finite_step`.
        """
        D, H, dtype = self.input_size, self.hidden_size, self.dtype
        if not has_form(x_t, (*getattr(x_t, "shape", ())[:1], D), dtype):
            x_t = real_array("x_t", x_t, ("B", D), dtype)
        B = len(x_t)
        parts = state if self.parts > 1 else (state,)
        fits = isinstance(parts, tuple) and len(parts) == self.parts
        if not fits or not all(has_form(part, (B, H), dtype) for part in parts):
            parts = self._parts("state", state, B)
        return x_t, *parts

    def _pre_activations(self, x_t: Array, h_prev: Array) -> Array:
        """Return a_t = W_hh h_{t-1} + W_xh x_t + b_h of each sequence, (B, R)."""
        H = self.hidden_size
        rows = np.ones((len(x_t), self._W.shape[1]), self.dtype)  # [h_{t-1}; x_t; 1]
        rows[:, :H], rows[:, H:-1] = h_prev, x_t
        a_t = np.dot(rows, self._W.T)
        h = "state" if self.parts == 1 else "state's h"
        self._require_finite_step(a_t, {"x_t": x_t, h: h_prev})
        return a_t

    def _require_finite_step(self, computed: Array, given: Mapping[str, Array]) -> None:
        """Raise unless what a step has computed is finite; then so are its inputs and weights.

        The sum of squares decides almost always; `numpy.vdot` is fast and gives no warning.
        """
        if not isfinite(np.vdot(computed, computed)):
            for name, array in given.items():
                require_finite(name, array)
            self._require_finite_weights()
            require_finite("a_t (inputs or weights are too large)", computed)

    # ------------------------------------------------------------ states

    def _parts(self, name: str, state: Any, B: int) -> tuple[Array, ...]:
        """Return the arrays of a state, or of a gradient for it, each (B, H); zeros for None."""
        if isinstance(state, tuple):
            raise TypeError(
                f"{name} is a tuple of {len(state)}, expected one array (B, H), the h of {self!r}"
            )
        return (state_array(name, state, (B, self.hidden_size), self.dtype),)

    def _state(self, parts: tuple[Array, ...]) -> State:
        """Return the state that `_parts` took apart."""
        return cast(State, parts[0])


def state_array(
    name: str, value: ArrayLike | None, shape: tuple[int, int], dtype: np.dtype
) -> Array:
    """Return a state, or a gradient for it, of the given shape; zeros for None."""
    return np.zeros(shape, dtype) if value is None else real_array(name, value, shape, dtype)


def for_products(W: Array, T: int, B: int) -> Array:
    """Return weights, or the memory for them, in the layout that suits T products with B columns:
    for long sequences of few columns, W column by column.
    """
    return W.reshape(W.shape[::-1]).T if B < 32 <= T else W


def side_by_side(columns: Array, memory: Array) -> Array:
    """Return the columns of K steps, (K, N, B), as one matrix (N, K · B)."""
    K, N, B = columns.shape
    if B == 1:
        return columns[:, :, 0].T
    matrix = memory[: columns.size].reshape(N, K, B)
    np.copyto(matrix, columns.transpose(1, 0, 2))
    return matrix.reshape(N, K * B)


def add_product(a: Array, b: Array, total: Array, memory: Array, first: bool) -> None:
    """Add a @ b to `total`, or let it be the first to be written there."""
    if first:
        np.matmul(a, b, out=total)
    else:
        total += np.matmul(a, b, out=memory)


def cleared(rows: Array, inside: NDArray[np.bool_] | None) -> Array:
    """Return rows (T, B, H) with zeros past the sequences' ends, written in place."""
    if inside is not None:
        rows[~inside] = 0
    return rows
