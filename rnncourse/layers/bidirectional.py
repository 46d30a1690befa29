"""A layer that reads both ways: from the first step to the last, and from the last to the first.

    h_t = [forward h_t; reverse h_t], where the reverse layer reads x_n, x_{n-1}, …, x_1

Each sequence of a ragged batch is reversed within its own length n (Schuster and Paliwal, 1997).
"""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..validation import Array, Params, copy_params, numeric, require_shape
from . import layer as call
from .layer import Layer

State = tuple[Any, Any]


class Bidirectional:
    """Two layers side by side, one of which reads each sequence from its end.

    Its hidden states are those of both, side by side: first the units that read forward, then the
    units that read in reverse. At each step they know the whole sequence. Its state is the pair of
    the two layers' states; the reverse layer starts at the end of a sequence, and its final state
    is the one after step 1.

    Parameters
    ----------
    layer : any layer
        Reads forward.
    reverse_layer : any layer, optional
        Reads in reverse, with the same input size and dtype. Left out, it is a copy of `layer`:
        both start from the same weights and learn their own.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> both = Bidirectional(LSTM(3, 4, rng=rng), LSTM(3, 4, rng=rng))
    >>> h, ((h_n, c_n), (h_1, c_1)), trace = both.forward(np.ones((5, 2, 3)), lengths=[5, 2])
    >>> h.shape, bool((h[0, :, 4:] == h_1).all())
    ((5, 2, 8), True)
    """

    causal = False

    def __init__(self, layer: Layer, reverse_layer: Layer | None = None) -> None:
        call.require_layer("layer", layer)
        if reverse_layer is None:
            reverse_layer = copy.deepcopy(layer)
        call.require_layer("reverse_layer", reverse_layer)
        if call.share_parameters(layer, reverse_layer):
            raise ValueError("reverse_layer shares weights with layer, expected weights of its own")
        for name in ("input_size", "dtype"):
            ours, theirs = getattr(layer, name), getattr(reverse_layer, name)
            if ours != theirs:
                raise ValueError(f"reverse_layer has {name} {theirs}, expected {ours}")
        if call.takes_labels(layer) != call.takes_labels(reverse_layer):
            raise ValueError("one of the layers takes labels, expected both or none")
        for name, own in (("layer", layer), ("reverse_layer", reverse_layer)):
            if call.backward_size(own):
                raise ValueError(f"{name} is {own!r}, which reads both ways already")
        self.forward_layer, self.reverse_layer = layer, reverse_layer
        self.input_size, self.dtype = layer.input_size, layer.dtype
        self.backward_size = reverse_layer.hidden_size
        self.hidden_size = layer.hidden_size + self.backward_size
        self.takes_labels = call.takes_labels(layer)

    def __repr__(self) -> str:
        return f"Bidirectional({self.forward_layer!r}, {self.reverse_layer!r})"

    @property
    def arguments(self) -> dict[str, Layer]:
        """What makes a layer of the same form: the two layers."""
        return {"layer": self.forward_layer, "reverse_layer": self.reverse_layer}

    @property
    def params(self) -> Params:
        """The parameters of both layers, as forward.W_xh, reverse.W_xh and so on."""
        own = self._named(self.forward_layer.params, self.reverse_layer.params)
        return MappingProxyType(own)

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` into the layers; nothing changes unless every name and shape fits."""
        copy_params(self.params, values)

    def _named(
        self, forward: Mapping[str, Array], reverse: Mapping[str, Array]
    ) -> dict[str, Array]:
        named = {f"forward.{name}": a for name, a in forward.items()}
        return named | {f"reverse.{name}": a for name, a in reverse.items()}

    def forward(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, State, tuple[Any, Any, Any, Any]]:
        """Run both layers.

        Parameters
        ----------
        x : (T, B, D)
        state : pair, optional
            The initial state of each layer; zeros if left out.
        lengths : (B,) of whole numbers from 1 to T, optional

        Returns
        -------
        h : (T, B, H + H')
            The states of both, side by side; zeros past a sequence's length.
        state_T : pair of the layers' final states
        trace : for `backward`

        Raises
        ------
        TypeError, ValueError
            As for the layers; a state that is no pair.
        """
        first, second = _pair("state", state)
        with call.errors_named("the layer that reads forward"):
            h, state_n, trace = call.forward(self.forward_layer, x, first, lengths)
        turn = _order(len(h), lengths)
        back = _turned(x, turn)
        with call.errors_named("the layer that reads in reverse"):
            h_r, state_1, trace_r = call.forward(self.reverse_layer, back, second, lengths)
        both = np.concatenate([h, _turned(h_r, turn)], axis=2)
        return both, (state_n, state_1), (trace, trace_r, turn, both.shape)

    def run(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, State]:
        """As `forward`, without a trace."""
        first, second = _pair("state", state)
        with call.errors_named("the layer that reads forward"):
            h, state_n = call.run(self.forward_layer, x, first, lengths)
        turn = _order(len(h), lengths)
        with call.errors_named("the layer that reads in reverse"):
            h_r, state_1 = call.run(self.reverse_layer, _turned(x, turn), second, lengths)
        return np.concatenate([h, _turned(h_r, turn)], axis=2), (state_n, state_1)

    def step(self, x_t: ArrayLike, state: State | None = None) -> tuple[Array, State]:
        """Raise ``ValueError``: the reverse layer cannot know what comes after this step."""
        call.require_causal(self, "step")
        raise AssertionError("a bidirectional layer is never causal")

    @np.errstate(all="ignore")
    def backward(
        self,
        trace: tuple[Any, Any, Any, Any],
        dh: ArrayLike | None = None,
        dstate_T: State | None = None,
    ) -> tuple[Array | None, State, dict[str, Array]]:
        """Backpropagate through both layers.

        Parameters
        ----------
        trace : from `forward`
        dh : (T, B, H + H'), optional
        dstate_T : pair, optional
            What reaches each layer's final state from outside.

        Returns
        -------
        dx : (T, B, D), the sum of what both send back
        dstate_0 : pair of the gradients for the initial states
        grads : dict by the names of `params`
        """
        if not isinstance(trace, tuple) or len(trace) != 4:
            raise TypeError("trace is not what this layer's forward returned")
        trace_f, trace_r, turn, shape = trace
        outer_f, outer_r = _pair("dstate_T", dstate_T)
        dh_f = dh_r = None
        if dh is not None:
            dh, H = numeric("dh", dh, "iuf", "real numbers"), self.forward_layer.hidden_size
            require_shape("dh", dh, shape)
            dh_f, dh_r = dh[:, :, :H], _turned(dh[:, :, H:], turn)
        with call.errors_named("the layer that reads forward"):
            dx, dstate_n, grads = call.backward(self.forward_layer, trace_f, dh_f, outer_f)
        with call.errors_named("the layer that reads in reverse"):
            dx_r, dstate_1, grads_r = call.backward(self.reverse_layer, trace_r, dh_r, outer_r)
        if not self.takes_labels:
            dx = dx + _turned(dx_r, turn)
        return dx, (dstate_n, dstate_1), self._named(grads, grads_r)


def _pair(name: str, state: Any) -> tuple[Any, Any]:
    if state is None:
        return None, None
    expected = "expected a pair: forward's and reverse's state"
    if not isinstance(state, tuple | list):
        raise TypeError(f"{name} is a {type(state).__name__}, {expected}")
    if len(state) != 2:
        raise ValueError(f"{name} has {len(state)} parts, {expected}")
    return state[0], state[1]


def _order(T: int, lengths: ArrayLike | None) -> tuple[Any, ...]:
    """Return the index that turns each sequence around within its length; twice is as before."""
    if lengths is None:
        return (slice(None, None, -1),)
    n, t = np.asarray(lengths), np.arange(T)[:, None]
    return np.where(t < n, n - 1 - t, t), np.arange(len(n))


def _turned(rows: Any, turn: tuple[Any, ...]) -> NDArray:
    return np.asarray(rows)[turn]
