"""How layers are made, as plain data, and layers made from it again.

    {"kind": "Stack", "arguments": [{"kind": "GRU", "arguments": {"input_size": 3, …}}, …]}

A description holds what JSON can hold. A layer's kind is the name of its class, and its arguments
are those that make a layer of the same form: by name, or a list of them in order. The weights are
no part of it.
"""

import inspect
from collections.abc import Iterable, Mapping
from math import isfinite
from reprlib import repr as shortened
from typing import Any

import numpy as np

from . import layer as call
from .bidirectional import Bidirectional
from .embedding import Embedding
from .gru import GRU
from .layer import Layer
from .lstm import LSTM
from .rnn import RNN
from .stack import Stack

Description = dict[str, Any]
Kinds = Mapping[str, type[Any]]
OURS: Kinds = {c.__name__: c for c in (RNN, LSTM, GRU, Embedding, Stack, Bidirectional)}


# ---------------------------------------------------------------- from a layer


def describe(layer: Layer, *, complete: bool = False) -> Description:
    """Return how a layer is made, as data that JSON can hold.

    Of a layer that does not say so in `arguments` there is the dtype and the parameters' shapes.

    Parameters
    ----------
    layer : any layer
    complete : bool
        True if `build` must be able to make the layer again.

    Raises
    ------
    TypeError
        With `complete`: a layer does not say how it is made, or not in plain data.

    Examples
    --------
    >>> from rnncourse.layers.architecture import describe
    >>> describe(RNN(3, 4, rng=np.random.default_rng(0)))["arguments"]
    {'input_size': 3, 'hidden_size': 4, 'dtype': 'float64'}
    """
    kind = type(layer).__name__
    try:
        arguments = _arguments(layer)
        if isinstance(arguments, dict):
            plain: Any = {n: _plain(f"{kind}'s {n}", v, complete) for n, v in arguments.items()}
        else:
            plain = _plain(f"{kind}'s arguments", arguments, complete)
    except TypeError:
        if complete:
            raise
        shapes = {name: list(W.shape) for name, W in layer.params.items()}
        return {"kind": kind, "dtype": layer.dtype.name, "parameters": shapes}
    return {"kind": kind, "arguments": plain}


def _arguments(layer: Any) -> dict[str, Any] | list[Any]:
    """Return what makes a layer like `layer`; raise ``TypeError`` if it does not say so."""
    cls, kind = type(layer), type(layer).__name__
    if OURS.get(kind, cls) is not cls:
        raise TypeError(f"{kind} is a class of your own, expected a name that no layer here has")
    silent = None if hasattr(layer, "arguments") else "has no attribute `arguments`"
    if not silent and "arguments" not in getattr(layer, "__dict__", {}):
        takes, says = (_definer(cls, name) for name in ("__init__", "arguments"))
        if cls.__mro__.index(takes) < cls.__mro__.index(says):
            silent = f"has an __init__ of its own, but the `arguments` of {says.__name__}"
    if silent:
        raise TypeError(
            f"{kind} does not say how it is made: it {silent}; expected a dict of what makes "
            'another, without rng, such as {"input_size": 3, "hidden_size": 4}. The weights alone '
            "can be saved with numpy.savez(path, **model.params)"
        )
    arguments = layer.arguments
    if isinstance(arguments, tuple | list):
        arguments = list(arguments)
    elif not isinstance(arguments, dict) or not all(isinstance(n, str) for n in arguments):
        given = shortened(arguments)
        raise TypeError(f"{kind}.arguments is {given}, expected a dict by names, or a list")
    try:
        positional, by_name = _call(cls, arguments)
        inspect.signature(cls).bind(*positional, **by_name)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{kind}.arguments do not make a {kind}: {error}") from error
    return arguments


def _definer(cls: type, name: str) -> type:
    return next((c for c in cls.__mro__ if name in vars(c)), cls)


def _plain(name: str, value: Any, complete: bool) -> Any:
    """Return an argument as data that JSON can hold, and a layer as its description."""
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, own, complete) for own in value]
    try:
        call.require_layer(name, value)
    except TypeError as error:
        given = shortened(value)
        expected = "a finite number, text, None, a layer, or a list of these"
        raise TypeError(f"{name} is {given}, expected {expected}") from error
    return describe(value, complete=complete)


def _call(cls: type, arguments: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments in order and by name, with an rng for a class that takes one."""
    parameters = inspect.signature(cls).parameters.values()
    takes = any(p.name == "rng" or p.kind is p.VAR_KEYWORD for p in parameters)
    rng = {"rng": np.random.default_rng(0)} if takes else {}
    return ([], arguments | rng) if isinstance(arguments, dict) else (list(arguments), rng)


# ---------------------------------------------------------------- from a description


def kinds(layers: Iterable[type[Any]] = ()) -> Kinds:
    """Return the classes of layers by name: those of this package, and `layers`.

    Raises
    ------
    TypeError, ValueError
        What is given is no class, or has the name of another.
    """
    expected = "expected a list of classes, such as [Leaky]"
    if isinstance(layers, type) or not isinstance(layers, Iterable):
        raise TypeError(f"layers is {layers!r}, {expected}")
    known = dict(OURS)
    for cls in layers:
        if not isinstance(cls, type):
            raise TypeError(f"layers holds {cls!r}, {expected}")
        if known.setdefault(cls.__name__, cls) is not cls:
            raise ValueError(f"layers holds another {cls.__name__}, expected names that differ")
    return known


def build(description: Any, kinds: Kinds = OURS) -> Layer:
    """Return a layer made from a description. Its weights mean nothing yet.

    A class that takes an `rng`, or any argument by name, is given a new one. A description that
    nobody has checked may ask for any size: call `count_parameters` first.

    Parameters
    ----------
    description : from `describe`
    kinds : from `kinds`

    Raises
    ------
    TypeError, ValueError
        It is no description, the kind is not known, or the class does not take the arguments or
        makes another layer of them. Besides, whatever the class raises.
    """
    cls, arguments = _read(description, kinds)
    with call.errors_named(f"a {cls.__name__}"):
        made: Any
        if isinstance(arguments, dict):
            made = {name: _made(value, kinds) for name, value in arguments.items()}
        else:
            made = _made(arguments, kinds)
        positional, by_name = _call(cls, made)
        layer: Layer = cls(*positional, **by_name)
        call.require_layer("what is made", layer)
        # A reverse layer that is left out is a copy: with each level of it, twice as much memory.
        given, own = _count_layers(made), _count_layers(_arguments(layer))
        if own != given:
            raise ValueError(f"it is given {given} layers, expected the {own} that it is made of")
    return layer


def _made(value: Any, kinds: Kinds) -> Any:
    if isinstance(value, list):
        return [_made(own, kinds) for own in value]
    return build(value, kinds) if isinstance(value, dict) else value


def _count_layers(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return sum(map(_count_layers, value))
    return int(hasattr(value, "params"))


def count_parameters(description: Any, kinds: Kinds = OURS) -> int:
    """Return how many numbers the layers of a description would have, without making them.

    A class says it in `count_parameters`, given the arguments; one that does not counts as 0.
    """
    if isinstance(description, list):
        return sum(count_parameters(own, kinds) for own in description)
    if not isinstance(description, dict):
        return 0
    cls, arguments = _read(description, kinds)
    own = 0
    if hasattr(cls, "count_parameters"):
        with call.errors_named(f"a {cls.__name__}"):
            if not isinstance(arguments, dict):
                raise TypeError("its arguments are a list, expected a dict by names")
            own = cls.count_parameters(**arguments)
    inside = list(arguments.values()) if isinstance(arguments, dict) else arguments
    return own + count_parameters(inside, kinds)


def _read(description: Any, kinds: Kinds) -> tuple[type[Any], dict[str, Any] | list[Any]]:
    """Return the class and the arguments that a description names."""
    if not isinstance(description, dict) or "kind" not in description:
        raise ValueError(f"a layer is {shortened(description)}, expected its kind and arguments")
    kind, arguments = description["kind"], description.get("arguments")
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(
            f"a layer is of kind {shortened(kind)}, expected one of {', '.join(kinds)}; for a "
            "layer of your own give its class: layers=[…]"
        )
    if not isinstance(arguments, dict | list) or len(description) != 2:
        raise ValueError(
            f"a layer is {shortened(description)}, expected a kind and its arguments; for a "
            "checkpoint of a layer without them make the model, then load_checkpoint(path, model)"
        )
    return kinds[kind], arguments


# ---------------------------------------------------------------- two descriptions


def difference(given: Any, expected: Description) -> str:
    """Return in words the first thing in which two descriptions differ, or "" if nothing does.

    Parameters
    ----------
    given : of a layer or of a model; it may come from a file that nobody has checked
    expected : of a layer or of a model

    Examples
    --------
    >>> from rnncourse.layers.architecture import describe, difference
    >>> rng = np.random.default_rng(0)
    >>> one, other = Stack(RNN(3, 4, rng=rng)), Stack(RNN(3, 5, rng=rng))
    >>> difference(describe(one), describe(other))
    'layer 1 of the stack is RNN with hidden_size 4, expected hidden_size 5'
    """
    if given == expected:
        return ""
    if "kind" in expected:
        return _layers_differ("its layer", given, expected)
    if isinstance(given, dict):
        for name, wanted in expected.items():
            own = given.get(name)
            if own == wanted:
                continue
            if name == "layer":
                return _layers_differ("its layer", own, wanted)
            if isinstance(own, dict) and isinstance(wanted, dict):
                return _entries_differ(f"its {name} has", own, wanted)
            return f"its {name} is {_words(own)}, expected {_words(wanted)}"
        given = sorted(given)
    return f"its model is {shortened(given)}, expected {sorted(expected)}"


def _layers_differ(what: str, given: Any, expected: Description) -> str:
    """Say in what two layers differ; `what` names their place."""
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        return f"{what} is {shortened(given)}, expected {expected['kind']}"
    kind = given["kind"]
    if kind != expected["kind"]:
        return f"{what} is {_words(kind)}, expected {expected['kind']}"
    if set(given) != set(expected):
        return f"{what} is {kind} with {shortened(sorted(given))}, expected {sorted(expected)}"
    own, wanted = _entries(given), _entries(expected)
    place = f"the {kind.lower()}" + ("" if what == "its layer" else f" in {what}")
    for name, value in wanted.items():
        if isinstance(value, dict) and name in own and own[name] != value:
            return _layers_differ(f"{name} of {place}", own[name], value)
    return _entries_differ(f"{what} is {kind} with", own, wanted)


def _entries(description: Description) -> Description:
    """Return by name what a layer is made of, or of what shapes its parameters are."""
    arguments, shapes = description.get("arguments"), description.get("parameters")
    if isinstance(arguments, list):
        return {f"layer {n}": value for n, value in enumerate(arguments, 1)}
    if isinstance(arguments, dict):
        return arguments
    dtype = {"dtype": description.get("dtype")}
    if isinstance(shapes, dict):
        return dtype | {f"{name} of shape": shape for name, shape in shapes.items()}
    return dtype


def _entries_differ(what: str, own: Description, wanted: Description) -> str:
    for name, value in wanted.items():
        if name not in own:
            return f"{what} no {name}, expected {name} {_words(value)}"
        if own[name] != value:
            return f"{what} {name} {_words(own[name])}, expected {name} {_words(value)}"
    more = sorted(own.keys() - wanted.keys())
    return f"{what} {_words(more[0]) if more else 'other arguments'}, expected no such thing"


def _words(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("kind"), str):
        value = value["kind"]
    return value if isinstance(value, str) and len(value) < 40 else shortened(value)
