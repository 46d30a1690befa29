"""What a layer is. `Stack`, `Bidirectional`, `Model` and the rest take anything that meets `Layer`.

They call a layer through the functions below, which say what is wrong when a layer does not keep to
the protocol, supply what it may leave out, and keep `numpy.seterr` from changing what it computes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from ..validation import Array, Params, float_dtype, numeric


class Layer(Protocol):
    """The protocol of a layer: `RNN`, `LSTM`, `GRU`, `Embedding`, `Stack` and `Bidirectional` meet
    it, and so may a class of your own. It need not inherit anything.

    A state is whatever one step hands to the next: an array whose first axis counts the sequences,
    or a tuple of states, as the pair (h, c). ``None`` stands for the state a layer starts from.

    A layer may also have

    run(x, state, lengths) -> h, state_T
        `forward` without a trace; if it is missing, `forward` is called and its trace dropped.
    step(x_t, state) -> h_t, state
        One step for x_t (B, D); if it is missing, `forward` is called on a sequence of one step.
    causal : bool
        False if a hidden state depends on later inputs. True if it is missing.
    backward_size : int
        How many of the hidden units, the last ones, read from the end: their last state is that of
        step 1. 0 if it is missing.
    takes_labels : bool
        True if the inputs are whole numbers (T, B) from 0 to input_size − 1. Such a layer returns
        None for dx. False if it is missing.
    arguments : dict by names, or tuple
        What makes a layer of the same form, without the rng: finite numbers, text, None, layers, or
        lists of these. If it is missing, `Model.save` cannot save the layer.
    """

    input_size: int
    hidden_size: int
    dtype: np.dtype

    @property
    def params(self) -> Params:
        """The parameters by name, as arrays that are written in place."""

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Array, Any, Any]:
        """Return h (T, B, H), zeros past a sequence's length, the final state, and a trace."""

    def backward(
        self, trace: Any, dh: Any = None, dstate_T: Any = None
    ) -> tuple[Any, Any, Mapping[str, Array]]:
        """Return the gradients for the inputs, the initial state and the parameters."""


def require_layer(name: str, value: Any) -> None:
    """Raise ``TypeError`` unless `value` has what a layer must have."""
    needed = ("input_size", "hidden_size", "dtype", "params", "forward", "backward")
    if isinstance(value, type) or any(not hasattr(value, member) for member in needed):
        missing = [member for member in needed if not hasattr(value, member)]
        given = "a class" if isinstance(value, type) else f"without {', '.join(missing)}"
        raise TypeError(f"{name} is {value!r}, {given}, expected a layer such as RNN or LSTM")
    float_dtype(value.dtype)


def share_parameters(layer: Layer, other: Layer) -> bool:
    """Return True if a parameter of one layer is also one of the other, or they are the same."""
    return layer is other or any(
        np.may_share_memory(W, V) for W in layer.params.values() for V in other.params.values()
    )


@contextmanager
def errors_named(where: str) -> Iterator[None]:
    """Say in which layer of several an error arose."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} ({where})") from error


def is_causal(layer: Layer) -> bool:
    """Return True if no hidden state depends on later inputs."""
    return bool(getattr(layer, "causal", True))


def require_causal(layer: Layer, purpose: str) -> None:
    """Raise ``ValueError`` for a layer that reads from the end, which cannot go step by step."""
    if not is_causal(layer):
        raise ValueError(
            f"layer is {layer!r}, which reads from the end: {purpose} goes step by step and needs "
            "a layer that reads in one direction"
        )


def backward_size(layer: Layer) -> int:
    """Return how many of the hidden units, the last ones, read from the end."""
    return int(getattr(layer, "backward_size", 0))


def takes_labels(layer: Layer) -> bool:
    """Return True if the inputs of a layer are whole numbers."""
    return bool(getattr(layer, "takes_labels", False))


@np.errstate(all="ignore")
def forward(layer: Layer, x: Any, state: Any, lengths: Any) -> tuple[Array, Any, Any]:
    """Call a layer's `forward`, and check what it returns."""
    result = _parts(layer, "forward", layer.forward(x, state, lengths), ("h", "state_T", "trace"))
    _require_states(layer, "forward", result[0], (*np.shape(x)[:2], layer.hidden_size))
    return result


@np.errstate(all="ignore")
def run(layer: Layer, x: Any, state: Any, lengths: Any) -> tuple[Array, Any]:
    """Call a layer's `run`, or `forward` if it has none, and check what it returns."""
    if not hasattr(layer, "run"):
        return forward(layer, x, state, lengths)[:2]
    result = _parts(layer, "run", layer.run(x, state, lengths), ("h", "state_T"))
    _require_states(layer, "run", result[0], (*np.shape(x)[:2], layer.hidden_size))
    return result


def step(layer: Layer, x_t: Any, state: Any) -> tuple[Array, Any]:
    """Call a layer's `step`, or `forward` if it has none, and check what it returns.

    It is called often, so whoever calls it sees to NumPy's error settings.
    """
    if not hasattr(layer, "step"):
        x_t = numeric("x_t", x_t, "iuf", "real numbers")
        h, state, _ = forward(layer, x_t[None], state, None)
        return h[0], state
    result = _parts(layer, "step", layer.step(x_t, state), ("h_t", "state"))
    _require_states(layer, "step", result[0], (len(x_t), layer.hidden_size))
    return result


@np.errstate(all="ignore")
def backward(
    layer: Layer, trace: Any, dh: Any, dstate_T: Any = None
) -> tuple[Any, Any, Mapping[str, Array]]:
    """Call a layer's `backward`, and check what it returns."""
    parts = ("dx", "dstate_0", "grads")
    dx, dstate_0, grads = _parts(layer, "backward", layer.backward(trace, dh, dstate_T), parts)
    if dh is not None and not takes_labels(layer):
        _require_states(layer, "backward", dx, (*np.shape(dh)[:2], layer.input_size), "dx")
    params = layer.params
    if not isinstance(grads, Mapping) or set(grads) != set(params):
        given = sorted(grads) if isinstance(grads, Mapping) else type(grads).__name__
        raise TypeError(_broken(layer, "backward", f"grads {given}", f"{sorted(params)}"))
    for name, W in params.items():
        if np.shape(grads[name]) != W.shape:
            given = f"the gradient of {name} with shape {np.shape(grads[name])}"
            raise ValueError(_broken(layer, "backward", given, f"{W.shape}"))
    return dx, dstate_0, grads


def _parts(layer: Layer, method: str, result: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(result, tuple) or len(result) != len(names):
        size = f" of {len(result)}" if isinstance(result, tuple) else ""
        given = f"a {type(result).__name__}{size}"
        raise TypeError(_broken(layer, method, given, f"a tuple ({', '.join(names)})"))
    return result


def _require_states(
    layer: Layer, method: str, states: Any, shape: tuple[int, ...], name: str = "h"
) -> None:
    if not isinstance(states, np.ndarray) or states.dtype.kind != "f":
        given = states.dtype if isinstance(states, np.ndarray) else type(states).__name__
        raise TypeError(_broken(layer, method, f"{name} as {given}", "an array of floats"))
    if states.shape != shape:
        raise ValueError(_broken(layer, method, f"{name} with shape {states.shape}", f"{shape}"))


def _broken(layer: Layer, method: str, given: str, expected: str) -> str:
    return f"{type(layer).__name__}.{method} returned {given}, expected {expected}"
