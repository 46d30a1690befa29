"""What the LSTM alone promises; test_layers has what it shares with the other layers."""

import numpy as np
import pytest
from helpers import GATES, assert_close, composed_lstm, make_layer, make_state, plain_lstm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import LSTM, sigmoid
from rnncourse import equations as eq

X, STATE = np.ones((3, 2, 2)), np.ones((2, 4))


@st.composite
def runs(draw):
    """An LSTM with inputs, state, lengths (or None), and gradients from outside."""
    T, B = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    D, H = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    layer = make_layer("LSTM", D, H, rng=rng)
    lengths = rng.integers(1, T + 1, B) if draw(st.booleans()) else None
    x, dh = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H))
    return layer, x, make_state(layer, B, rng), lengths, dh, make_state(layer, B, rng)


# ---------------------------------------------------------------- the equations


@given(runs())
def test_every_step_is_the_six_equations(run):
    """Each gate with the weights that `gate` names, each sequence to its end."""
    layer, x, (h_0, c_0), lengths, _, _ = run
    h, (h_T, c_T), trace = layer.forward(x, (h_0, c_0), lengths)
    W = {q: tuple(layer.gate(q)[n] for n in ("W_xh", "W_hh", "b_h")) for q in GATES}
    for b in range(x.shape[1]):
        h_t, c_t = h_0[b], c_0[b]
        n = len(x) if lengths is None else lengths[b]
        for t in range(n):
            f, i = eq.forget_gate(x[t, b], h_t, *W["f"]), eq.input_gate(x[t, b], h_t, *W["i"])
            o, g = eq.output_gate(x[t, b], h_t, *W["o"]), eq.candidate(x[t, b], h_t, *W["g"])
            c_t = eq.cell_state(f, c_t, i, g)
            h_t = eq.lstm_hidden(o, c_t)
            seen = (trace.f, trace.i, trace.o, trace.g, trace.c, h)
            assert_close(tuple(a[t, b] for a in seen), (f, i, o, g, c_t, h_t))
        assert_close((h_T[b], c_T[b]), (h_t, c_t))


@pytest.mark.parametrize(("T", "B"), [(32, 31), (40, 1), (40, 40), (31, 2)])
def test_any_layout_of_the_weights_gives_the_same(rng, T, B):
    """Long sequences of few columns take the halved weights column by column."""
    layer = make_layer("LSTM", 2, 3, rng=rng)
    x, (h_0, c_0) = rng.normal(size=(T, B, 2)), make_state(layer, B, rng)
    h, state_T, trace = layer.forward(x, (h_0, c_0))
    expected = plain_lstm(layer.params, x, h_0, c_0)
    assert_close((h, *state_T), (expected["h"][1:], expected["h"][-1], expected["c"][-1]))
    for q in GATES:
        assert_close(getattr(trace, q), expected[q])


@given(runs())
def test_backward_is_the_equations_composed(run):
    layer, x, state, lengths, dh, (dh_T, dc_T) = run
    _, _, trace = layer.forward(x, state, lengths)
    dx, (dh_0, dc_0), grads = layer.backward(trace, dh, (dh_T, dc_T))
    total = {name: np.zeros(W.shape) for name, W in layer.params.items()}
    for b in range(x.shape[1]):
        n = len(x) if lengths is None else lengths[b]
        start = {"h": state[0][b], "c": state[1][b]}
        _, back = composed_lstm(layer.params, x[:n, b], start)
        above = [*dh[:n, b]]
        above[-1] = above[-1] + dh_T[b]
        for name, at, term in back(above, np.eye(len(dh_T[b])), dc_T[b]):
            if name in total:
                total[name][at] += term
            else:
                whole = {"x": dx[:, b], "h": dh_0[b], "c": dc_0[b]}[name]
                assert_close(whole[at], term)
    assert_close(grads, total)


def test_one_unit_by_hand(rng):
    layer = LSTM(1, 1, rng=rng)
    weights = {"i": (0.5, 0.1, -0.2), "f": (-0.3, 0.4, 1.0), "g": (0.8, -0.6, 0.1)}
    weights["o"] = (0.2, 0.7, 0.3)
    for q, numbers in weights.items():
        for W, number in zip(layer.gate(q).values(), numbers, strict=True):
            W[...] = number
    x, h_0, c_0 = 1.5, 0.25, -0.5
    a = {q: w_xh * x + w_hh * h_0 + b for q, (w_xh, w_hh, b) in weights.items()}
    f, i, o = (1 / (1 + np.exp(-a[q])) for q in "fio")
    c = f * c_0 + i * np.tanh(a["g"])
    h, (h_T, c_T), _ = layer.forward([[[x]]], ([[h_0]], [[c_0]]))
    assert_allclose([h.item(), h_T.item(), c_T.item()], [o * np.tanh(c)] * 2 + [c], rtol=1e-14)


@pytest.mark.parametrize(
    ("biases", "c_T", "h_T"),
    [
        ({"f": 50, "i": -50, "o": 50}, 0.7, np.tanh(0.7)),  # keeps, and shows
        ({"f": 50, "i": -50, "o": -50}, 0.7, 0.0),  # keeps, and hides
        ({"f": -50, "i": -50, "o": 50}, 0.0, 0.0),  # forgets
        ({"f": -50, "i": 50, "o": 50}, np.tanh(2), np.tanh(np.tanh(2))),  # replaces
        ({"f": 50, "i": 50, "o": 50}, 0.7 + 9 * np.tanh(2), np.tanh(0.7 + 9 * np.tanh(2))),  # adds
    ],
)
def test_what_each_gate_does_to_a_memory(rng, biases, c_T, h_T):
    layer = LSTM(2, 3, rng=rng)
    layer.load_params({name: 0 * W for name, W in layer.params.items()})
    for q, b in {**biases, "g": 2}.items():
        layer.gate(q)["b_h"][:] = b
    state = np.zeros((1, 3)), np.full((1, 3), 0.7)
    _, final, _ = layer.forward(rng.normal(size=(9, 1, 2)), state)
    assert_close(final, (np.full((1, 3), h_T), np.full((1, 3), c_T)))


# ---------------------------------------------------------------- gates by name


@given(runs())
def test_a_trace_shows_gates_and_cells_up_to_the_ends(run):
    layer, x, (h_0, c_0), lengths, _, _ = run
    _, _, trace = layer.forward(x, (h_0, c_0), lengths)
    expected = plain_lstm(layer.params, x, h_0, c_0)
    ends = np.full(x.shape[1], len(x)) if lengths is None else lengths
    past = np.arange(len(x))[:, None] >= ends
    for q in (*GATES, "c", "h"):
        shown = getattr(trace, q)
        steps = expected[q][1:] if q in "ch" else expected[q]
        assert_close(shown, np.where(past[..., None], 0, steps))
        assert_array_equal(shown[past], 0)
        assert (np.abs(shown) <= 1).all() or q == "c"
        assert (shown >= 0).all() or q in "gch"
        with pytest.raises(ValueError, match="read-only"):  # a write would be lost
            shown[...] = 99


def test_gate_views_write_through_to_the_stacked_weights(rng):
    layer = make_layer("LSTM", 2, 3, rng=rng)
    for q, rows in {"i": (0, 3), "f": (3, 6), "g": (6, 9), "o": (9, 12)}.items():
        before = {n: W.copy() for n, W in layer.params.items()}
        own = layer.gate(q)
        assert {n: W.shape for n, W in own.items()} == {"W_xh": (3, 2), "W_hh": (3, 3), "b_h": (3,)}
        for name, W in own.items():
            W += 1
            before[name][slice(*rows)] += 1
            with pytest.raises(TypeError, match="does not support item assignment"):
                own[name] = W
        assert_close(dict(layer.params), before, 0)


@pytest.mark.parametrize("name", ["c", "", "fi", "F"])
def test_there_are_four_gates(rng, name):
    message = f"^name is '{name}', expected one of 'i', 'f', 'g', 'o'"
    with pytest.raises(ValueError, match=message):
        LSTM(2, 3, rng=rng).gate(name)


# ---------------------------------------------------------------- starting values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_weights_and_the_forget_bias(rng, dtype):
    layer = LSTM(30, 25, rng=rng, dtype=dtype)
    shapes = {n: W.shape for n, W in layer.params.items()}
    assert shapes == {"W_xh": (100, 30), "W_hh": (100, 25), "b_h": (100,)}
    for q in GATES:
        own = layer.gate(q)
        for name in ("W_xh", "W_hh"):
            assert own[name].min() < -0.19
            assert own[name].max() > 0.19
            assert np.abs(own[name]).max() <= 0.2 + 1e-7
            assert abs(own[name].mean()) < 0.02
        assert_array_equal(own["b_h"], 1 if q == "f" else 0)
    twin = LSTM(30, 25, rng=np.random.default_rng(7), forget_bias=-2.5, dtype=dtype)
    assert_array_equal(twin.gate("f")["b_h"], -2.5)
    assert_array_equal(np.delete(twin.params["b_h"], range(25, 50)), 0)
    assert_array_equal(twin.params["W_hh"], layer.params["W_hh"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size is 0, expected at least 1"),
        ({"hidden_size": -1}, ValueError, "hidden_size is -1"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size is 2.0, expected a whole number"),
        ({"input_size": True}, TypeError, "input_size is True"),
        ({"rng": 0}, TypeError, "rng is 0, expected a generator"),
        ({"dtype": np.float16}, TypeError, "dtype is float16, expected float32 or float64"),
        ({"forget_bias": "1"}, TypeError, "forget_bias is '1', expected a number"),
        ({"forget_bias": True}, TypeError, "forget_bias is True"),
        ({"forget_bias": np.nan}, ValueError, "forget_bias is nan, expected a finite number"),
    ],
)
def test_a_layer_says_what_it_cannot_be_made_of(rng, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        LSTM(**{"input_size": 2, "hidden_size": 3, "rng": rng, **arguments})


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("size", [1e6, 1e150])
def test_saturated_gates_neither_warn_nor_pass_gradients(rng, size):
    """A warning would fail this test."""
    layer = make_layer("LSTM", rng=rng)
    _, _, trace = layer.forward(size * rng.normal(size=(5, 3, 2)))
    for q in "ifo":
        assert set(np.unique(getattr(trace, q))) == {0.0, 1.0}
    assert set(np.unique(trace.g)) == {-1.0, 1.0}
    dx, (dh_0, dc_0), grads = layer.backward(trace, np.ones((5, 3, 4)))
    for zero in (dx, dh_0, *grads.values()):
        assert_array_equal(zero, 0)
    assert ((dc_0 == 0) | (trace.f[0] == 1)).all()  # the direct path alone stays open
    assert (dc_0 != 0).any()


def test_the_gates_are_the_courses_sigmoid_to_the_last_digits(rng):
    """Also where it is all but 0 or 1: no difference of large numbers."""
    layer = LSTM(1, 1, rng=rng)
    layer.load_params({"W_xh": np.ones((4, 1)), "W_hh": np.zeros((4, 1)), "b_h": np.zeros(4)})
    a = np.linspace(-40, 40, 81)
    _, _, trace = layer.forward(a[None, :, None])
    for q in "ifo":
        assert_allclose(getattr(trace, q)[0, :, 0], sigmoid(a), rtol=0, atol=1e-16)
    assert_allclose(trace.g[0, :, 0], np.tanh(a), rtol=0, atol=1e-16)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (STATE, TypeError, r"state is a ndarray, expected a pair \(h, c\)"),
        ((STATE,), ValueError, r"state has 1 parts, expected a pair \(h, c\)"),
        ([STATE, STATE, STATE], ValueError, r"state has 3 parts, expected a pair"),
        ((STATE, np.ones((1, 4))), ValueError, r"state's c has shape \(1, 4\), expected \(2, 4\)"),
        ((np.ones(4), STATE), ValueError, "state's h has shape"),
        ((STATE * 1j, STATE), TypeError, "state's h has dtype complex128"),
        ((STATE, STATE * np.nan), ValueError, "state's c contains NaN or infinity: 8 of 8"),
        ((STATE * np.inf, STATE), ValueError, "state's h contains NaN or infinity"),
    ],
)
def test_a_state_that_does_not_fit(rng, state, error, message):
    layer = make_layer("LSTM", rng=rng)
    with pytest.raises(error, match=f"^{message}"):
        layer.forward(X, state)
    for lengths in (None, [3, 1]):
        _, _, trace = layer.forward(X, lengths=lengths)
        with pytest.raises(error, match=f"^d{message.replace('state', 'state_T', 1)}"):
            layer.backward(trace, np.ones((3, 2, 4)), state)


def test_a_trace_of_another_layer_is_refused(rng):
    _, _, trace = make_layer("LSTM", 2, 4, rng=rng).forward(X)
    with pytest.raises(ValueError, match=r"^trace comes from .*\(16, 7\) .*, expected \(20, 8\)"):
        make_layer("LSTM", 2, 5, rng=rng).backward(trace, np.ones((3, 2, 5)))


def test_a_state_may_be_a_list(rng):
    layer = make_layer("LSTM", rng=rng)
    assert_close(layer.forward(X, [STATE, STATE])[0], layer.forward(X, (STATE, STATE))[0], 0)


def test_a_part_of_a_state_that_is_left_out_is_zero(rng):
    layer = make_layer("LSTM", rng=rng)
    for some, whole in (((STATE, None), (STATE, 0 * STATE)), ((None, STATE), (0 * STATE, STATE))):
        assert_close(layer.forward(X, some)[:2], layer.forward(X, whole)[:2], 0)
        _, _, trace = layer.forward(X)
        assert_close(layer.backward(trace, None, some), layer.backward(trace, None, whole), 0)


def test_a_forget_bias_outside_the_dtype_is_refused(rng):
    for value, message in ((1e39, "forget_bias contains NaN or"), (10**400, "forget_bias is 1000")):
        with pytest.raises(ValueError, match=f"^{message}"):
            LSTM(2, 2, rng=rng, forget_bias=value, dtype=np.float32)
