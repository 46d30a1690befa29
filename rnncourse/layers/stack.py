"""Layers on top of each other: the hidden states of one are the inputs of the next."""

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import Array, Params, copy_params
from . import layer as call
from .layer import Layer


class Stack:
    """Layers run one above the other, used as one layer.

    Its inputs are those of the first layer, its hidden states those of the last.

    Parameters
    ----------
    *layers : any layers
        From the bottom up. Each one's input size is the hidden size of the one below; all have
        one dtype. Only the first may take labels, as an `Embedding` does.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stack = Stack(LSTM(3, 5, rng=rng), LSTM(5, 4, rng=rng))
    >>> h, state_T, trace = stack.forward(np.ones((6, 2, 3)))
    >>> h.shape, sorted(stack.params)[:2]
    ((6, 2, 4), ['layer1.W_hh', 'layer1.W_xh'])
    """

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise ValueError("layers is empty, expected at least one layer")
        for n, layer in enumerate(layers, start=1):
            if isinstance(layer, list | tuple):
                raise TypeError(
                    f"layer {n} is a {type(layer).__name__}, expected a layer; give layers one by "
                    "one: Stack(a, b)"
                )
            call.require_layer(f"layer {n}", layer)
            if any(call.share_parameters(layer, other) for other in layers[: n - 1]):
                raise ValueError(f"layer {n} stands in the stack twice, expected layers of its own")
        for n, (below, above) in enumerate(pairwise(layers), start=2):
            if call.takes_labels(above):
                raise ValueError(
                    f"layer {n} is {above!r}, which takes labels, expected it as layer 1"
                )
            if above.input_size != below.hidden_size:
                raise ValueError(
                    f"layer {n} has input_size {above.input_size}, expected {below.hidden_size}, "
                    f"the hidden_size of layer {n - 1}"
                )
            if above.dtype != below.dtype:
                raise ValueError(f"layer {n} has dtype {above.dtype}, expected {below.dtype}")
        self.layers = layers
        self.input_size, self.hidden_size = layers[0].input_size, layers[-1].hidden_size
        self.dtype = layers[0].dtype
        self.causal = all(map(call.is_causal, layers))
        self.backward_size = call.backward_size(layers[-1])
        self.takes_labels = call.takes_labels(layers[0])

    @property
    def arguments(self) -> tuple[Layer, ...]:
        """What makes a stack of the same form: its layers, from the bottom up."""
        return self.layers

    @property
    def params(self) -> Params:
        """The parameters of all layers, as layer1.W_xh and so on, counted from the bottom."""
        return MappingProxyType(self._named([layer.params for layer in self.layers]))

    def __repr__(self) -> str:
        return f"Stack({', '.join(map(repr, self.layers))})"

    def _named(self, each: list[Any]) -> dict[str, Array]:
        return {f"layer{n}.{name}": a for n, own in enumerate(each, 1) for name, a in own.items()}

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` into the layers; nothing changes unless every name and shape fits."""
        copy_params(self.params, values)

    def forward(
        self, x: ArrayLike, state: tuple[Any, ...] | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, tuple[Any, ...], tuple[Any, ...]]:
        """Run every layer over the states of the one below.

        Parameters
        ----------
        x : (T, B, D)
        state : tuple, optional
            One initial state for each layer, from the bottom up; zeros if left out.
        lengths : (B,) of whole numbers from 1 to T, optional

        Returns
        -------
        h : (T, B, H)
            Hidden states of the last layer; zeros past a sequence's length.
        state_T : tuple of each layer's final state
        trace : tuple of each layer's trace

        Raises
        ------
        TypeError, ValueError
            As for the layers; the message says in which one.
        """
        h, states, traces = x, [], []
        for n, layer, own in self._from_the_bottom(state):
            with call.errors_named(f"layer {n} of the stack"):
                h, state_T, trace = call.forward(layer, h, own, lengths)
            states.append(state_T)
            traces.append(trace)
        return np.asarray(h), tuple(states), tuple(traces)

    def run(
        self, x: ArrayLike, state: tuple[Any, ...] | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, tuple[Any, ...]]:
        """As `forward`, without a trace."""
        h, states = x, []
        for n, layer, own in self._from_the_bottom(state):
            with call.errors_named(f"layer {n} of the stack"):
                h, state_T = call.run(layer, h, own, lengths)
            states.append(state_T)
        return np.asarray(h), tuple(states)

    @np.errstate(all="ignore")
    def step(
        self, x_t: ArrayLike, state: tuple[Any, ...] | None = None
    ) -> tuple[Array, tuple[Any, ...]]:
        """Compute one step of every layer, and keep nothing.

        Parameters
        ----------
        x_t : (B, D)
        state : tuple, optional
            One state for each layer, from the bottom up; zeros if left out.

        Returns
        -------
        h_t : (B, H) of the last layer
        state : tuple of each layer's state
        """
        h_t, states = x_t, []
        for n, layer, own in self._from_the_bottom(state):
            with call.errors_named(f"layer {n} of the stack"):
                h_t, own = call.step(layer, h_t, own)
            states.append(own)
        return np.asarray(h_t), tuple(states)

    def backward(
        self,
        trace: tuple[Any, ...],
        dh: ArrayLike | None = None,
        dstate_T: tuple[Any, ...] | None = None,
    ) -> tuple[Array | None, tuple[Any, ...], dict[str, Array]]:
        """Backpropagate through every layer: the dx of one is the dh of the one below.

        Parameters
        ----------
        trace : tuple
            From `forward`.
        dh : (T, B, H), optional
        dstate_T : tuple, optional
            What reaches each layer's final state from outside.

        Returns
        -------
        dx : (T, B, D); None if the inputs are labels
        dstate_0 : tuple of each layer's gradient for its initial state
        grads : dict by the names of `params`

        Raises
        ------
        TypeError, ValueError
            As for the layers; the message says in which one.
        """
        parts = zip(
            self._from_the_bottom(dstate_T, "dstate_T"), self._each("trace", trace), strict=True
        )
        dstates, grads = [], []
        d: Any = dh
        for (n, layer, outer), own in reversed(list(parts)):
            with call.errors_named(f"layer {n} of the stack"):
                d, dstate_0, own_grads = call.backward(layer, own, d, outer)
            dstates.append(dstate_0)
            grads.append(own_grads)
        return d, tuple(dstates[::-1]), self._named(grads[::-1])

    def _from_the_bottom(
        self, state: tuple[Any, ...] | None, name: str = "state"
    ) -> list[tuple[int, Layer, Any]]:
        """Return each layer's number, the layer, and its own part of a state."""
        numbers = range(1, len(self.layers) + 1)
        return list(zip(numbers, self.layers, self._each(name, state), strict=True))

    def _each(self, name: str, value: tuple[Any, ...] | None) -> tuple[Any, ...]:
        if value is None:
            return (None,) * len(self.layers)
        expected = f"expected {len(self.layers)}, one for each layer from the bottom up"
        if not isinstance(value, tuple | list):
            raise TypeError(f"{name} is {type(value).__name__}, {expected}")
        if len(value) != len(self.layers):
            raise ValueError(f"{name} has {len(value)} parts, {expected}")
        return tuple(value)
