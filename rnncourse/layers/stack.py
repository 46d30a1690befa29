"""Layers on top of each other: the hidden states of one are the inputs of the next."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import Array, Params, copy_params
from .lstm import LSTM
from .rnn import RNN


class Stack:
    """Recurrent layers run one above the other, used as one layer.

    Its inputs are those of the first layer, its hidden states those of the last.

    Parameters
    ----------
    *layers : RNN or LSTM
        From the bottom up. Each one's input size is the hidden size of the one below; all have
        one dtype.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stack = Stack(LSTM(3, 5, rng=rng), LSTM(5, 4, rng=rng))
    >>> h, state_T, trace = stack.forward(np.ones((6, 2, 3)))
    >>> h.shape, sorted(stack.params)[:2]
    ((6, 2, 4), ['layer1.W_hh', 'layer1.W_xh'])
    """

    def __init__(self, *layers: RNN | LSTM) -> None:
        if not layers:
            raise ValueError("layers is empty, expected at least one RNN or LSTM")
        for n, layer in enumerate(layers, start=1):
            if not isinstance(layer, RNN | LSTM):
                raise TypeError(
                    f"layer {n} is {layer!r}, expected an RNN or LSTM; give layers one by one: "
                    "Stack(a, b)"
                )
            if any(layer is other for other in layers[: n - 1]):
                raise ValueError(f"layer {n} stands in the stack twice, expected layers of its own")
        for n, (below, above) in enumerate(pairwise(layers), start=2):
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
        parts = zip(self.layers, self._each("state", state), strict=True)
        for n, (layer, own) in enumerate(parts, start=1):
            with _in_layer(n):
                h, state_T, trace = layer.forward(h, own, lengths)
            states.append(state_T)
            traces.append(trace)
        return np.asarray(h), tuple(states), tuple(traces)

    def backward(
        self, trace: tuple[Any, ...], dh: ArrayLike, dstate_T: tuple[Any, ...] | None = None
    ) -> tuple[Array, tuple[Any, ...], dict[str, Array]]:
        """Backpropagate through every layer: the dx of one is the dh of the one below.

        Parameters
        ----------
        trace : tuple
            From `forward`.
        dh : (T, B, H)
        dstate_T : tuple, optional
            What reaches each layer's final state from outside.

        Returns
        -------
        dx : (T, B, D)
        dstate_0 : tuple of each layer's gradient for its initial state
        grads : dict by the names of `params`

        Raises
        ------
        TypeError, ValueError
            As for the layers; the message says in which one.
        """
        parts = zip(
            range(1, len(self.layers) + 1),
            self.layers,
            self._each("trace", trace),
            self._each("dstate_T", dstate_T),
            strict=True,
        )
        dstates, grads = [], []
        for n, layer, own, outer in reversed(list(parts)):
            with _in_layer(n):
                dh, dstate_0, own_grads = layer.backward(own, dh, outer)
            dstates.append(dstate_0)
            grads.append(own_grads)
        return np.asarray(dh), tuple(dstates[::-1]), self._named(grads[::-1])

    def _each(self, name: str, value: tuple[Any, ...] | None) -> tuple[Any, ...]:
        if value is None:
            return (None,) * len(self.layers)
        expected = f"expected {len(self.layers)}, one for each layer from the bottom up"
        if not isinstance(value, tuple | list):
            raise TypeError(f"{name} is {type(value).__name__}, {expected}")
        if len(value) != len(self.layers):
            raise ValueError(f"{name} has {len(value)} parts, {expected}")
        return tuple(value)


@contextmanager
def _in_layer(n: int) -> Iterator[None]:
    """Say in which layer an error arose."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (layer {n} of the stack)") from error
