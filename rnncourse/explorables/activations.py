"""What a unit holds while a network reads a text, and how far back its gradient reaches."""

from typing import Any

import numpy as np

from ..experiments import characters
from ..layers.lstm import LSTM
from ..layers.readout import Readout
from ..layers.rnn import RNN
from ..model import Model
from ..nonlinear import softmax
from ..validation import Array, require_choice, whole_numbers
from .base import Choice, Explorable, Number, Truth

MAX_UNITS, MAX_LENGTH = 64, 400
# Of the network and the text of the experiment.
PRESETS: dict[str, dict[str, Any]] = {
    "quotation": {"unit": 7, "show": "c", "position": 40},
    "outside": {"unit": 7, "show": "c", "position": 62},
    "bracket": {"unit": 1, "show": "c", "position": 113},
}


def states(model: Model, x: Array) -> dict[str, Array]:
    """Return what the layer holds after each character (eq-hidden; eq-forget … eq-lstm-hidden).

    Parameters
    ----------
    model : Model with an RNN or LSTM
    x : (T, D), the text as `rnncourse.experiments.characters.one_hot` gives it, without the batch

    Returns
    -------
    dict with h (T, H), from −1 to 1, and for an LSTM c (T, H)
    """
    _, _, trace = model.layer.forward(x[:, None])
    return {part: getattr(trace, part)[:, 0] for part in "ch" if hasattr(trace, part)}


def gradient_back(model: Model, x: Array, position: int, unit: int, part: str) -> Array:
    """Return ‖∂v/∂x_k‖ for k = 1 … t, where v is entry `unit` of c_t or h_t (eq-lstm-delta-x).

    Parameters
    ----------
    model, x
        As for `states`.
    position : t, from 1 to T
    unit : from 1 to H
    part : "c" (LSTM only) or "h"

    Returns
    -------
    (t,) Euclidean norms, each of a vector with an entry for every character of the alphabet
    """
    layer = model.layer
    whole_numbers("position", position, (), 1, len(x))
    whole_numbers("unit", unit, (), 1, layer.hidden_size)
    require_choice("part", part, ("c", "h") if isinstance(layer, LSTM) else ("h",))
    h, state, trace = layer.forward(x[:position, None])
    this_unit = np.zeros((1, layer.hidden_size))
    this_unit[0, unit - 1] = 1
    if part == "c":
        dx, _, _ = layer.backward(trace, np.zeros_like(h), (np.zeros_like(state[0]), this_unit))
    else:
        dh = np.zeros_like(h)
        dh[-1] = this_unit
        dx, _, _ = layer.backward(trace, dh)
    return np.linalg.norm(dx[:, 0], axis=1)


def reach(norms: Array) -> int:
    """Return how many of the newest `norms`, oldest first, make up half of their sum or more."""
    newest_first = np.cumsum(norms[::-1])
    return int(np.searchsorted(newest_first, newest_first[-1] / 2) + 1) if norms.any() else 0


def probabilities(model: Model, x: Array) -> Array:
    """Return the probabilities of the next character after each one: softmax(y_t); (T, D).

    Parameters
    ----------
    model, x
        As for `states`.
    """
    return softmax(model.predict(x[:, None])[:, 0])


class _Index(Number):
    """A whole number from 1 to what the figure has of its kind: its units, its characters."""

    def validate(self, obj: Any, value: Any) -> float:
        """Return `value` as int; raise ``TraitError`` unless it is allowed."""
        own = Number(1, 1, obj.sizes[self.name], 1)
        own.name = self.name
        return own.validate(obj, value)


class _Part(Choice):
    """A part of the state that the figure's network has."""

    def validate(self, obj: Any, value: Any) -> str | float:
        """Return `value`; raise ``TraitError`` unless it is allowed."""
        own = Choice("h", obj.parts)
        own.name = self.name
        return own.validate(obj, value)


class Activations(Explorable):
    """A text, colored by what one unit holds after each character, with the gradient back.

    `unit` (from 1) is the unit that is looked at, `show` the part of its state, "c" or "h", and
    `position` (from 1) the character that was read last. With `gradient`, the bars show how far
    the gradient goes back from there.

    Parameters
    ----------
    model : Model, optional
        An RNN or LSTM of at most 64 units with a readout, trained to predict the next character:
        many-to-many, cross-entropy, inputs one-hot in the order of `alphabet`. Its weights are
        copied and rounded to float32. Left out, it is the network of
        `rnncourse.experiments.characters`.
    text : str, optional
        2 to 400 characters of the alphabet. A model of your own needs it.
    alphabet : str, optional
        The characters in the order of the model's inputs. A model of your own needs it.
    **values
        unit, show, position and gradient.

    Attributes
    ----------
    model : Model in float64, with exactly the weights that the page has
    text, alphabet : str
    x : (T, D), the text, one-hot

    Raises
    ------
    TypeError, ValueError
        A model, text or alphabet that does not fit.
    traitlets.TraitError
        As for every explorable.
    """

    name = "activations"
    unit = _Index(1, 1, MAX_UNITS, 1)
    show = _Part("c", ("c", "h"))
    position = _Index(1, 1, MAX_LENGTH, 1)
    gradient = Truth(False)

    def __init__(
        self,
        model: Model | None = None,
        text: str | None = None,
        alphabet: str | None = None,
        **values: Any,
    ) -> None:
        own = model is not None
        if model is None:
            if alphabet is not None:
                raise ValueError("alphabet is given without a model, expected both or none")
            model, alphabet = characters.saved().model(), characters.ALPHABET
            text = characters.TEXT if text is None else text
        self.model, self.alphabet = _rounded(model), _alphabet(alphabet, model)
        self.text = _text(text)
        self.x = characters.one_hot([self.text], self.alphabet)[:, 0]
        self.parts = ("c", "h") if isinstance(model.layer, LSTM) else ("h",)
        self.sizes = {"unit": model.layer.hidden_size, "position": len(self.text)}
        self.presets = {} if own or self.text != characters.TEXT else PRESETS
        first = super().defaults() | {"show": self.parts[0], "position": len(self.text)}
        self.first = first | self.presets.get("quotation", {})
        super().__init__(**self.first | values)

    def defaults(self) -> dict[str, Any]:
        """Return where this figure starts."""
        return self.first

    def spec(self) -> dict[str, Any]:
        """Return what the page must know, with the ranges that this figure has."""
        spec = super().spec()
        for key, size in self.sizes.items():
            spec["traits"][key]["high"] = size
        spec["traits"]["show"]["options"] = list(self.parts)
        if not self.presets:  # the catalogue describes another text
            del spec["words"]["still"]
        return spec

    def data(self) -> dict[str, Any]:
        """Return the text, the weights, and the examples that the buttons show."""
        return {
            "alphabet": self.alphabet,
            "text": self.text,
            "hidden": self.sizes["unit"],
            "lstm": self.parts[0] == "c",
            "weights": characters.pack(self.model.params),
            "presets": self.presets,
        }


def _rounded(model: Model) -> Model:
    """Return a copy of `model` in float64, its weights rounded to float32, after checking it."""
    if not isinstance(model, Model):
        raise TypeError(f"model is a {type(model).__name__}, expected a Model")
    layer, O = model.layer, model.readout.output_size
    if not isinstance(layer, RNN | LSTM):
        raise TypeError(f"model has a {type(layer).__name__}, expected an RNN or LSTM")
    kind = f"{model.arrangement} with {model.loss_name}"
    if kind != "many-to-many with cross_entropy":
        raise ValueError(f"model is {kind}, expected many-to-many with cross_entropy")
    D, H = layer.input_size, layer.hidden_size
    if D != O:
        raise ValueError(f"model has {D} inputs and {O} outputs, expected as many of both")
    if H > MAX_UNITS:
        raise ValueError(f"model has {H} units, expected at most {MAX_UNITS}")
    rng = np.random.default_rng(0)
    copy = Model(type(layer)(D, H, rng=rng), Readout(H, D, rng=rng))
    copy.load_params({name: W.astype(np.float32) for name, W in model.params.items()})
    return copy


def _alphabet(alphabet: str | None, model: Model) -> str:
    D = model.layer.input_size
    if not isinstance(alphabet, str):
        raise TypeError(f"alphabet is {alphabet!r}, expected the model's {D} characters as a str")
    if len(alphabet) != D:
        raise ValueError(f"alphabet has {len(alphabet)} characters, expected the model's {D}")
    if any("\ud800" <= c <= "\udfff" for c in alphabet):
        raise ValueError("alphabet has half of a surrogate pair, expected whole characters")
    if twice := sorted({c for c in alphabet if alphabet.count(c) > 1}):
        raise ValueError(f"alphabet has {twice[0]!r} twice, expected each character once")
    return alphabet


def _text(text: str | None) -> str:
    if not isinstance(text, str):
        raise TypeError(f"text is {text!r}, expected a str")
    if not 2 <= len(text) <= MAX_LENGTH:
        raise ValueError(f"text has {len(text)} characters, expected 2 to {MAX_LENGTH}")
    return text
