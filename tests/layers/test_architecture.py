"""Descriptions of layers: plain data, layers made from it again, and differences in words."""

import json

import numpy as np
import pytest
from helpers import LAYERS, make_layer, make_model
from hypothesis import given
from hypothesis import strategies as st

from rnncourse import GRU, LSTM, RNN, Bidirectional, Embedding, Stack
from rnncourse.layers import architecture
from rnncourse.layers.architecture import build, count_parameters, describe, difference, kinds

EVERY = (*LAYERS, "LSTMs", "embedding")
SIZES = st.integers(1, 4)


@st.composite
def layers(draw, D=None, dtype=None, levels=2):
    """Draw a layer, most often of layers inside layers."""
    rng = np.random.default_rng(0)
    D, H = D or draw(SIZES), draw(SIZES)
    dtype = dtype or draw(st.sampled_from([np.float32, np.float64]))
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU", "GRU-before", "Stack", "Bidirectional"]))
    if kind == "Stack" and levels:
        below = draw(layers(D, dtype, levels - 1))
        above = draw(st.lists(st.just(None), max_size=2))
        made = [below]
        for _ in above:
            made.append(draw(layers(made[-1].hidden_size, dtype, levels - 1)))
        return Stack(*made)
    if kind == "Bidirectional" and levels:
        return Bidirectional(*(draw(layers(D, dtype, 0)) for _ in range(2)))
    kind = kind if kind in ("RNN", "LSTM", "GRU", "GRU-before") else "GRU"
    return make_layer(kind, D, H, rng=rng, dtype=dtype)


def size(layer):
    return sum(W.size for W in layer.params.values())


# ---------------------------------------------------------------- from a layer, and to one


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (lambda **o: RNN(2, 3, **o), {"dtype": "float64"}),
        (lambda **o: LSTM(2, 3, forget_bias=4.0, **o), {"dtype": "float64"}),
        (lambda **o: LSTM(2, 3, dtype=np.float32, **o), {"dtype": "float32"}),
        (lambda **o: GRU(2, 3, **o), {"dtype": "float64", "reset": "after"}),
        (lambda **o: GRU(2, 3, reset="before", **o), {"dtype": "float64", "reset": "before"}),
        (lambda **o: Embedding(2, 3, dtype="f4", **o), {"dtype": "float32"}),
    ],
)
def test_a_layer_says_how_it_is_made(rng, layer, arguments):
    layer = layer(rng=rng)
    expected = {"input_size": 2, "hidden_size": 3} | arguments
    assert describe(layer) == {"kind": type(layer).__name__, "arguments": expected}
    again = type(layer)(**layer.arguments, rng=rng)
    assert describe(again) == describe(layer)


def test_layers_inside_layers(rng):
    below, above = Bidirectional(RNN(2, 3, rng=rng), GRU(2, 1, rng=rng)), LSTM(4, 2, rng=rng)
    both = {"layer": describe(below.forward_layer), "reverse_layer": describe(below.reverse_layer)}
    inside = [{"kind": "Bidirectional", "arguments": both}, describe(above)]
    assert describe(Stack(below, above)) == {"kind": "Stack", "arguments": inside}


@given(layer=layers())
def test_a_layer_is_made_again_from_its_description(layer):
    description = json.loads(json.dumps(describe(layer, complete=True)))
    assert description == describe(layer)
    again = build(description)
    assert type(again) is type(layer)
    assert describe(again) == description
    shapes = {name: (W.shape, W.dtype) for name, W in again.params.items()}
    assert shapes == {name: (W.shape, W.dtype) for name, W in layer.params.items()}


@given(layer=layers())
def test_parameters_are_counted_before_a_layer_is_made(layer):
    assert count_parameters(describe(layer)) == size(layer)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(("D", "H"), [(1, 1), (1, 4), (5, 2)])
def test_every_kind_is_counted(rng, kind, D, H):
    layer = make_layer(kind, D, H, rng=rng)
    assert count_parameters(describe(layer)) == size(layer) > 0


@pytest.mark.parametrize("cls", [RNN, LSTM, GRU, Embedding])
@pytest.mark.parametrize("size", ["3", 0, -1, 2.0, True, None, [3]])
def test_what_is_no_size_is_not_counted(cls, size):
    for sizes in ({"input_size": size, "hidden_size": 2}, {"input_size": 2, "hidden_size": size}):
        with pytest.raises((TypeError, ValueError), match=r"_size is .*, expected"):
            cls.count_parameters(**sizes)


@pytest.mark.parametrize("description", [None, 3, [], {}, "RNN", {"arguments": {}}])
def test_what_is_no_description_is_not_built(description):
    with pytest.raises(ValueError, match="expected its kind and arguments"):
        build(description)


# ---------------------------------------------------------------- a layer of one's own


class Plain(RNN):
    """A subclass that is made as an RNN is."""


class Scaled(RNN):
    """A subclass with an argument more, of which the arguments of an RNN know nothing."""

    def __init__(self, input_size, hidden_size, scale=1.0, *, rng, dtype=np.float64):
        super().__init__(input_size, hidden_size, rng=rng, dtype=dtype)
        self.scale = scale


class Said(Scaled):
    """The same, and it says so: `said`, or else what makes it again."""

    said = None

    @property
    def arguments(self):
        return self.said or (self.input_size, self.hidden_size, self.scale)


class Wrapped(RNN):
    """A subclass that hands on what it is given by name."""

    def __init__(self, *sizes, label="", **options):
        super().__init__(*sizes, **options)
        self.label = label

    @property
    def arguments(self):
        return {**super().arguments, "label": self.label}


def test_a_subclass_has_its_own_kind(rng):
    description = describe(Plain(2, 3, rng=rng), complete=True)
    assert description["kind"] == "Plain"
    assert type(build(description, kinds([Plain]))) is Plain
    with pytest.raises(ValueError, match=r"kind 'Plain', expected one of RNN, .* layers=\[…\]"):
        build(description)


def test_arguments_in_order(rng):
    layer = Said(2, 3, 0.1, rng=rng)
    description = json.loads(json.dumps(describe(layer, complete=True)))
    assert description == {"kind": "Said", "arguments": [2, 3, 0.1]}
    assert build(description, kinds([Said])).scale == 0.1


def test_a_class_that_hands_on_what_it_is_given_gets_an_rng_too(rng):
    layer = Wrapped(2, 3, label="a", rng=rng)
    description = describe(layer, complete=True)
    assert description["arguments"] == {**RNN(2, 3, rng=rng).arguments, "label": "a"}
    assert build(description, kinds([Wrapped])).label == "a"


def test_arguments_that_an_own_constructor_does_not_share_do_not_count(rng):
    layer = Scaled(2, 3, 0.1, rng=rng)
    shapes = {"W_xh": [3, 2], "W_hh": [3, 3], "b_h": [3]}
    assert describe(layer) == {"kind": "Scaled", "dtype": "float64", "parameters": shapes}
    expected = "Scaled does not say .* has an __init__ of its own, but the `arguments` of Packed"
    with pytest.raises(TypeError, match=expected):
        describe(layer, complete=True)
    with pytest.raises(TypeError, match="Scaled does not say"):
        describe(Stack(layer), complete=True)


def test_an_attribute_of_the_object_will_do(rng):
    layer = Scaled(2, 3, 0.1, rng=rng)
    cls = type("Slotted", (Scaled,), {"arguments": None})
    own = cls(2, 3, 0.1, rng=rng)
    own.arguments = {"input_size": 2, "hidden_size": 3, "scale": 0.1}
    assert describe(own, complete=True)["arguments"]["scale"] == 0.1
    assert "arguments" not in describe(layer)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((np.int64(2), np.float64(0.5), True), [2, 0.5, True]),
        ([np.float32(0.1), None, "a"], [float(np.float32(0.1)), None, "a"]),
        ((2, 3, ((1, 2), [np.dtype("f4")])), [2, 3, [[1, 2], ["float32"]]]),
    ],
)
def test_arguments_become_plain_data(rng, said, expected):
    layer = Said(2, 3, rng=rng)
    layer.said = said
    description = describe(layer, complete=True)
    assert description["arguments"] == expected
    assert json.loads(json.dumps(description)) == description


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (3, "Said.arguments is 3, expected a dict by names, or a list"),
        ("ab", "Said.arguments is 'ab', expected a dict by names"),
        ({1: 2}, "Said.arguments is {1: 2}, expected a dict by names"),
        ((2,), "Said.arguments do not make a Said: missing a required argument: 'hidden_size'"),
        ({"alpha": 1}, "Said.arguments do not make a Said"),
        ((2, 3, np.ones(2)), r"Said's arguments is array\(.*, expected a finite number, text"),
        ((2, 3, np.nan), "is nan, expected a finite number"),
        ((2, 3, np.inf), "is inf, expected a finite number"),
        ((2, 3, 1j), "is 1j, expected a finite number"),
        ((2, 3, {"a": 1}), "is {'a': 1}, expected a finite number"),
        ((2, 3, RNN), "expected a finite number, text, None, a layer"),
        (
            {"input_size": 2, "hidden_size": 3, "scale": {1, 2}},
            "Said's scale is {1, 2}",
        ),
    ],
)
def test_arguments_that_no_file_can_hold(rng, said, message):
    layer = Said(2, 3, rng=rng)
    layer.said = said
    with pytest.raises(TypeError, match=message):
        describe(layer, complete=True)
    assert "parameters" in describe(layer)


def test_a_class_that_makes_up_a_layer_is_refused(rng):
    description = describe(Bidirectional(RNN(2, 3, rng=rng)))
    del description["arguments"]["reverse_layer"]
    with pytest.raises(ValueError, match="it is given 1 layers, expected the 2"):
        build(description)


# ---------------------------------------------------------------- differences in words


@pytest.mark.parametrize(
    ("given_layer", "expected_layer", "words"),
    [
        ("RNN(2, 3)", "RNN(2, 3)", ""),
        ("LSTM(2, 3)", "RNN(2, 3)", "its layer is LSTM, expected RNN"),
        (
            "LSTM(2, 4)",
            "LSTM(2, 3)",
            "its layer is LSTM with hidden_size 4, expected hidden_size 3",
        ),
        ("RNN(1, 3)", "RNN(2, 3)", "its layer is RNN with input_size 1, expected input_size 2"),
        (
            "RNN(2, 3, dtype='f4')",
            "RNN(2, 3)",
            "its layer is RNN with dtype float32, expected dtype float64",
        ),
        (
            "GRU(2, 3, reset='before')",
            "GRU(2, 3)",
            "its layer is GRU with reset before, expected reset after",
        ),
        (
            "Stack(RNN(2, 3), LSTM(3, 4))",
            "Stack(RNN(2, 3), LSTM(3, 5))",
            "layer 2 of the stack is LSTM with hidden_size 4, expected hidden_size 5",
        ),
        (
            "Stack(RNN(2, 3), LSTM(3, 4))",
            "Stack(RNN(2, 3), GRU(3, 4))",
            "layer 2 of the stack is LSTM, expected GRU",
        ),
        (
            "Stack(RNN(2, 3))",
            "Stack(RNN(2, 3), RNN(3, 3))",
            "its layer is Stack with no layer 2, expected layer 2 RNN",
        ),
        (
            "Stack(RNN(2, 3), RNN(3, 3))",
            "Stack(RNN(2, 3))",
            "its layer is Stack with layer 2, expected no such thing",
        ),
        (
            "Stack(Stack(RNN(2, 3)))",
            "Stack(Stack(RNN(2, 4)))",
            "layer 1 of the stack in layer 1 of the stack is RNN with hidden_size 3, "
            "expected hidden_size 4",
        ),
        (
            "Bidirectional(RNN(2, 3), RNN(2, 3))",
            "Bidirectional(RNN(2, 3), RNN(2, 4))",
            "reverse_layer of the bidirectional is RNN with hidden_size 3, expected hidden_size 4",
        ),
        (
            "Stack(Scaled(2, 3))",
            "Stack(Scaled(2, 4))",
            "layer 1 of the stack is Scaled with W_xh of shape [3, 2], "
            "expected W_xh of shape [4, 2]",
        ),
        (
            "Scaled(2, 3, dtype='f4')",
            "Scaled(2, 3)",
            "its layer is Scaled with dtype float32, expected dtype float64",
        ),
    ],
)
def test_the_first_difference_is_put_into_words(rng, given_layer, expected_layer, words):
    classes = (RNN, LSTM, GRU, Scaled)
    make = {c.__name__: lambda *a, c=c, **o: c(*a, rng=rng, **o) for c in classes}
    make |= {"Stack": Stack, "Bidirectional": Bidirectional}
    one, other = (describe(eval(text, make)) for text in (given_layer, expected_layer))
    assert difference(one, other) == words


def test_a_layer_that_has_learnt_to_say_how_it_is_made(rng):
    """A file from before, and a class from after, or the other way round."""
    silent, says = describe(Scaled(2, 3, rng=rng)), describe(Said(2, 3, rng=rng))
    says["kind"] = "Scaled"
    keys = "['dtype', 'kind', 'parameters'], expected ['arguments', 'kind']"
    assert difference(silent, says) == f"its layer is Scaled with {keys}"
    assert difference(says, silent).startswith("its layer is Scaled with ['arguments', 'kind']")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ""),
        ({"H": 4}, "its layer is RNN with hidden_size 4, expected hidden_size 3"),
        ({"layer": "LSTM"}, "its layer is LSTM, expected RNN"),
        ({"O": 4}, "its readout has output_size 4, expected output_size 2"),
        ({"loss": "squared_error"}, "its loss is squared_error, expected cross_entropy"),
        ({"arrangement": "many-to-one"}, "its arrangement is many-to-one, expected many-to-many"),
        ({"reduction": "sum"}, "its reduction is sum, expected mean"),
        ({"dtype": np.float32}, "its layer is RNN with dtype float32, expected dtype float64"),
    ],
)
def test_models_are_compared_too(rng, options, words):
    expected = make_model(2, 3, 2, rng).description
    given_model = make_model(**{"D": 2, "H": 3, "O": 2, "rng": rng} | options).description
    assert difference(given_model, expected) == words


@given(one=layers(), other=layers())
def test_there_are_no_words_exactly_if_nothing_differs(one, other):
    one, other = describe(one), describe(other)
    assert (difference(one, other) == "") == (one == other)
    assert difference(one, json.loads(json.dumps(one))) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("Stack"),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["kind", "arguments", "parameters", "layer"]), inner)
    ),
    max_leaves=8,
)


@given(anything=JSON, whole=st.booleans())
def test_anything_can_be_compared(anything, whole):
    model = make_model(2, 3, 2, np.random.default_rng(0), layer="mixed").description
    for expected in (model, model["layer"]):
        words = difference({**expected, "layer": anything} if whole else anything, expected)
        assert words
        assert len(words) < 500


@given(anything=JSON)
def test_anything_is_built_or_refused(anything):
    description = {"kind": "Stack", "arguments": anything}
    for function in (build, count_parameters):
        try:
            result = function(description)
        except (TypeError, ValueError):
            continue
        assert function is count_parameters
        assert result == 0


def test_long_and_deep_values_are_shortened(rng):
    expected = describe(RNN(2, 3, rng=rng))
    deep = []
    for _ in range(900):
        deep = [deep]
    for value in ("x" * 10**6, deep, list(range(10**5))):
        for place in ("kind", "arguments"):
            words = difference({**expected, place: value}, expected)
            assert 0 < len(words) < 300
        inside = {**expected["arguments"], "hidden_size": value}
        assert 0 < len(difference({**expected, "arguments": inside}, expected)) < 300


def test_the_kinds_are_those_of_the_package():
    assert set(architecture.OURS) == {"RNN", "LSTM", "GRU", "Embedding", "Stack", "Bidirectional"}
    assert kinds() == architecture.OURS
    assert kinds([Plain, Plain, RNN]) == {**architecture.OURS, "Plain": Plain}
    assert "Plain" not in architecture.OURS
