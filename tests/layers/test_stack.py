"""Layers on top of each other; test_layers has what a stack shares with its layers."""

import numpy as np
import pytest
from helpers import (
    LAYERS,
    assert_close,
    complex_steps,
    make_layer,
    make_state,
    named,
    percent,
    plain_run,
)
from hypothesis import given
from hypothesis import strategies as st

from rnncourse import GRU, LSTM, RNN, Bidirectional, NotFiniteError, Stack

KINDS = st.lists(st.sampled_from([k for k in LAYERS if k != "mixed"]), min_size=1, max_size=3)
X = np.ones((3, 2, 2))


@st.composite
def stacks(draw):
    """A stack of one to three layers of any kind, with inputs, state and gradients from outside."""
    kinds = draw(KINDS)
    T, B = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    D, layers = int(rng.integers(1, 4)), []
    for kind in kinds:
        below = layers[-1].hidden_size if layers else D
        layers.append(make_layer(kind, below, int(rng.integers(1, 4)), rng=rng))
    stack = Stack(*layers)
    lengths = rng.integers(1, T + 1, B) if draw(st.booleans()) else None
    x, dh = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, stack.hidden_size))
    return stack, x, make_state(stack, B, rng), lengths, dh, make_state(stack, B, rng)


@given(stacks())
def test_a_stack_is_its_layers_run_by_hand(drawn):
    stack, x, state, lengths, dh, dstate_T = drawn
    assert (stack.input_size, stack.hidden_size) == (x.shape[2], dh.shape[2])
    assert stack.dtype == np.float64
    assert stack.causal == all(getattr(layer, "causal", True) for layer in stack.layers)
    assert stack.backward_size == getattr(stack.layers[-1], "backward_size", 0)
    h, state_T, trace = stack.forward(x, state, lengths)
    dx, dstate_0, grads = stack.backward(trace, dh, dstate_T)
    below, runs = x, []
    for layer, own in zip(stack.layers, state, strict=True):
        runs.append(layer.forward(below, own, lengths))
        below = runs[-1][0]
    assert_close((h, state_T), (below, tuple(r[1] for r in runs)), 0)
    above = dh
    for n in reversed(range(len(runs))):
        above, d0, own_grads = stack.layers[n].backward(runs[n][2], above, dstate_T[n])
        assert_close(dstate_0[n], d0, 0)
        for name, gradient in own_grads.items():
            assert_close(grads[f"layer{n + 1}.{name}"], gradient, 0)
    assert_close(dx, above, 0)
    assert set(grads) == set(stack.params)


@percent(40)
@given(stacks())
def test_gradients_of_any_stack_agree_with_complex_steps(drawn):
    stack, x, state, lengths, dh, dstate_T = drawn
    T, B, _ = x.shape
    ends = np.full(B, T) if lengths is None else lengths
    inside = (np.arange(T)[:, None] < ends)[:, :, None]
    outer = named(stack, dstate_T)

    def E(values):
        h, states = plain_run(stack, values, values["x"], lengths)
        at_end = sum((s[ends, np.arange(B)] * outer[n]).sum() for n, s in states.items())
        return (h * dh * inside).sum() + at_end

    _, _, trace = stack.forward(x, state, lengths)
    dx, dstate_0, grads = stack.backward(trace, dh, dstate_T)
    measured = complex_steps(E, {**stack.params, "x": x, **named(stack, state)})
    assert_close({**grads, "x": dx, **named(stack, dstate_0)}, measured)


def test_the_parameters_are_those_of_the_layers_by_number(rng):
    below, above = LSTM(2, 3, rng=rng), RNN(3, 4, rng=rng)
    stack = Stack(below, above)
    names = ("W_xh", "W_hh", "b_h")
    assert list(stack.params) == [f"layer{n}.{name}" for n in (1, 2) for name in names]
    for prefix, layer in (("layer1.", below), ("layer2.", above)):
        for name in names:
            stack.params[prefix + name][...] = 0.25
            assert_close(layer.params[name], np.full(layer.params[name].shape, 0.25), 0)
    stack.load_params({name: W + 1 for name, W in stack.params.items()})
    assert (below.params["W_hh"] == 1.25).all()
    assert (above.params["b_h"] == 1.25).all()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_stack_of_one_is_its_layer(rng, kind):
    layer, x, dh = make_layer(kind, rng=rng), rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, 4))
    state = make_state(layer, 3, rng)
    h, state_T, trace = layer.forward(x, state)
    h_1, (state_1,), traces = Stack(layer).forward(x, (state,))
    assert_close((h_1, state_1), (h, state_T), 0)
    dx, d0, grads = layer.backward(trace, dh, state)
    dx_1, (d0_1,), grads_1 = Stack(layer).backward(traces, dh, (state,))
    assert_close((dx_1, d0_1), (dx, d0), 0)
    assert_close(grads_1, {f"layer1.{name}": g for name, g in grads.items()}, 0)


def test_a_stack_may_stand_in_a_stack(rng):
    """Its numbers are those of the layers one by one; its names say where they are."""
    a, b, c = (make_layer(k, 3, 3, rng=rng) for k in ("LSTM", "bidirectional", "GRU"))
    nested, flat = Stack(a, Stack(b, c)), Stack(a, b, c)
    x, dh = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))
    state, outer = (make_state(flat, 2, rng) for _ in range(2))
    h, state_T, trace = flat.forward(x, state)
    h_2, state_2, trace_2 = nested.forward(x, (state[0], state[1:]))
    assert_close((h_2, state_2), (h, (state_T[0], state_T[1:])), 0)
    dx, d0, grads = flat.backward(trace, dh, outer)
    dx_2, d0_2, grads_2 = nested.backward(trace_2, dh, (outer[0], outer[1:]))
    assert_close((dx_2, d0_2), (dx, (d0[0], d0[1:])), 0)
    moved = {"layer2.": "layer2.layer1.", "layer3.": "layer2.layer2."}
    expected = {moved.get(n[:7], n[:7]) + n[7:]: g for n, g in grads.items()}
    assert_close(grads_2, expected, 0)
    assert list(nested.params) == list(expected)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "layers is empty, expected at least one layer"),
        ([(2, 3), (4, 3)], ValueError, "layer 2 has input_size 4, expected 3, the hidden_size of"),
        ([(2, 3), (3, 4), (3, 4)], ValueError, "layer 3 has input_size 3, expected 4, .* layer 2$"),
        ([(2, 3), None], TypeError, "layer 2 is None, without .*, expected a layer such"),
        ([3], TypeError, "layer 1 is 3, without input_size, .*, expected a layer"),
        ([(2, 3), (3, 4, np.float32)], ValueError, "layer 2 has dtype float32, expected float64"),
        ([LSTM], TypeError, "layer 1 is .*, a class, expected a layer such as RNN or LSTM"),
        ([(2, 3, np.float32), (3, 4)], ValueError, "layer 2 has dtype float64, expected float32"),
    ],
)
def test_a_stack_says_what_it_cannot_be_made_of(rng, layers, error, message):
    def layer(D, H, dtype=np.float64):
        return LSTM(D, H, rng=rng, dtype=dtype)

    with pytest.raises(error, match=f"^{message}"):
        Stack(*(layer(*sizes) if isinstance(sizes, tuple) else sizes for sizes in layers))


def test_a_stack_has_no_layer_twice(rng):
    a, b = RNN(3, 3, rng=rng), RNN(3, 3, rng=rng)
    with pytest.raises(ValueError, match=r"^layer 3 stands in the stack twice, expected layers of"):
        Stack(a, b, a)
    assert Stack(a, b).layers == (a, b)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.ones((2, 4)), TypeError, "state is ndarray, expected 2, one for each layer"),
        ((np.ones((2, 4)),), ValueError, "state has 1 parts, expected 2, one for each layer"),
        ((None,) * 3, ValueError, "state has 3 parts, expected 2, one for each layer"),
        ((np.ones((2, 5)), np.ones((2, 4))), TypeError, r"state is a ndarray, expected a pair"),
        (((np.ones((2, 5)),) * 2, np.ones((2, 3))), ValueError, r"state has shape \(2, 3\), exp"),
    ],
)
def test_a_state_that_does_not_fit(rng, state, error, message):
    stack = make_layer("stack", rng=rng)
    with pytest.raises(error, match=f"^{message}"):
        stack.forward(X, state)
    _, _, trace = stack.forward(X)
    with pytest.raises(error, match=f"^d{message.replace('state', 'state_T', 1)}"):
        stack.backward(trace, np.ones((3, 2, 4)), state)


def test_a_trace_of_another_stack_is_refused(rng):
    stack, dh = make_layer("stack", rng=rng), np.ones((3, 2, 4))
    _, _, trace = make_layer("stack", 2, 3, rng=rng).forward(X)
    with pytest.raises(ValueError, match=r"^trace comes from a layer with packed weights of shape"):
        stack.backward(trace, dh)
    with pytest.raises(ValueError, match=r"^trace has 1 parts, expected 2, one for each layer"):
        stack.backward(trace[:1], dh)


def test_an_error_says_in_which_layer(rng):
    stack = make_layer("stack", rng=rng)
    _, _, trace = stack.forward(X)
    with pytest.raises(
        ValueError, match=r"^state has shape \(2, 3\), .* \(layer 2 of the stack\)$"
    ):
        stack.forward(X, [None, np.ones((2, 3))])
    with pytest.raises(TypeError, match=r"expected a pair \(h, c\) \(layer 1 of the stack\)$"):
        stack.backward(trace, np.ones((3, 2, 4)), (np.ones((2, 5)), None))
    stack.params["layer2.W_hh"][0, 0] = np.nan
    with pytest.raises(NotFiniteError, match=r"\(layer 2 of the stack\)$"):
        stack.forward(X)


def test_it_shows_what_it_is_made_of(rng):
    stack = Stack(LSTM(2, 5, rng=rng), RNN(5, 4, rng=rng))
    assert repr(stack) == "Stack(LSTM(2, 5, dtype=float64), RNN(5, 4, dtype=float64))"
    with pytest.raises(
        TypeError, match=r"^layer 1 is a list, .*give layers one by one: Stack\(a, b\)"
    ):
        Stack([LSTM(2, 5, rng=rng)])


def test_no_layer_stands_twice_however_deep(rng):
    layer, other = RNN(3, 3, rng=rng), RNN(3, 3, rng=rng)
    for again in (Stack(other, layer), Stack(other, Stack(layer)), Bidirectional(layer, other)):
        with pytest.raises(ValueError, match=r"^layer 2 stands in the stack twice"):
            Stack(Stack(layer), again)
    Stack(layer, Stack(other))


def test_an_error_says_in_which_layer_of_which_it_arose(rng):
    deep = Stack(RNN(2, 3, rng=rng), Bidirectional(LSTM(3, 2, rng=rng), GRU(3, 2, rng=rng)))
    x, wrong = np.ones((3, 2, 2)), np.ones((2, 9))
    with pytest.raises(ValueError, match=r" \(the layer that reads in reverse\) \(layer 2 of the"):
        deep.forward(x, (None, (None, wrong)))
    with pytest.raises(TypeError, match=r" \(the layer that reads forward\) \(layer 2 of the"):
        deep.run(x, (None, (wrong, None)))
