"""What the GRU alone promises, in both its forms; test_layers has what it shares."""

import numpy as np
import pytest
from helpers import (
    GRU_GATES,
    assert_close,
    composed_gru,
    make_layer,
    make_state,
    percent,
    plain_gru,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import GRU, NotFiniteError, sigmoid
from rnncourse import equations as eq
from rnncourse.layers import packed

FORMS = {"after": "GRU", "before": "GRU-before"}
X, STATE = np.ones((3, 2, 2)), np.ones((2, 4))
each_form = pytest.mark.parametrize("reset", FORMS)


@st.composite
def runs(draw, reset=None):
    """A GRU with inputs, state, lengths (or None), and gradients from outside."""
    reset = reset or draw(st.sampled_from(list(FORMS)))
    T, B = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    D, H = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    layer = make_layer(FORMS[reset], D, H, rng=rng)
    lengths = rng.integers(1, T + 1, B) if draw(st.booleans()) else None
    x, dh = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H))
    return layer, x, make_state(layer, B, rng), lengths, dh, make_state(layer, B, rng)


# ---------------------------------------------------------------- the equations


@each_form
@given(data=st.data())
def test_every_step_is_the_equations(reset, data):
    """Each gate with the weights that `gate` names, each sequence to its end."""
    layer, x, h_0, lengths, _, _ = data.draw(runs(reset))
    h, h_T, trace = layer.forward(x, h_0, lengths)
    W = {q: tuple(layer.gate(q)[n] for n in ("W_xh", "W_hh", "b_h")) for q in GRU_GATES}
    W_xh, W_hh, b_h = W["n"]
    for b in range(x.shape[1]):
        h_t = h_0[b]
        n = len(x) if lengths is None else lengths[b]
        for t in range(n):
            x_t = x[t, b]
            r, z = eq.reset_gate(x_t, h_t, *W["r"]), eq.update_gate(x_t, h_t, *W["z"])
            if reset == "after":
                u = eq.gru_state_share(h_t, W_hh, layer.params["b_hh_n"])
                c = eq.gru_candidate_after(x_t, u, r, W_xh, b_h)
            else:
                c = eq.gru_candidate(x_t, h_t, r, W_xh, W_hh, b_h)
            h_t = eq.gru_hidden(z, h_t, c)
            seen = (trace.r, trace.z, trace.n, h)
            assert_close(tuple(a[t, b] for a in seen), (r, z, c, h_t))
        assert_close(h_T[b], h_t)


@each_form
@pytest.mark.parametrize(("T", "B"), [(32, 31), (40, 1), (40, 40), (31, 2)])
def test_any_layout_of_the_weights_gives_the_same(rng, reset, T, B):
    """Long sequences of few columns take the state's weights column by column."""
    layer = make_layer(FORMS[reset], 2, 3, rng=rng)
    x, h_0 = rng.normal(size=(T, B, 2)), make_state(layer, B, rng)
    h, h_T, trace = layer.forward(x, h_0)
    expected = plain_gru(layer.params, x, h_0, reset)
    assert_close((h, h_T), (expected["h"][1:], expected["h"][-1]))
    for q in GRU_GATES:
        assert_close(getattr(trace, q), expected[q])
    by_columns = B < 32 <= T
    assert packed.for_products(trace.W_state, T, B).flags.f_contiguous == by_columns


@each_form
@given(data=st.data())
def test_backward_is_the_equations_composed(reset, data):
    layer, x, h_0, lengths, dh, dh_T = data.draw(runs(reset))
    _, _, trace = layer.forward(x, h_0, lengths)
    dx, dh_0, grads = layer.backward(trace, dh, dh_T)
    total = {name: np.zeros(W.shape) for name, W in layer.params.items()}
    total_dx, total_dh_0 = np.zeros(x.shape), np.zeros(h_0.shape)
    for b in range(x.shape[1]):
        n = len(x) if lengths is None else lengths[b]
        _, back = composed_gru(layer.params, x[:n, b], {"h": h_0[b]}, reset)
        above = [*dh[:n, b]]
        above[-1] = above[-1] + dh_T[b]
        for name, at, term in back(above, np.eye(len(dh_T[b]))):
            {**total, "x": total_dx[:, b], "h": total_dh_0[b]}[name][at] += term
    assert_close((dx, dh_0), (total_dx, total_dh_0))
    assert_close(grads, total)


@each_form
def test_one_unit_by_hand(rng, reset):
    layer = GRU(1, 1, reset=reset, rng=rng)
    weights = {"r": (0.5, 0.1, -0.2), "z": (-0.3, 0.4, 1.0), "n": (0.8, -0.6, 0.1)}
    for q, numbers in weights.items():
        for W, number in zip(layer.gate(q).values(), numbers, strict=True):
            W[...] = number
    x, h_0, b_hh_n = 1.5, 0.25, 0.7
    r, z = (1 / (1 + np.exp(-(w * x + v * h_0 + b))) for w, v, b in (weights["r"], weights["z"]))
    if reset == "after":
        layer.params["b_hh_n"][:] = b_hh_n
        n = np.tanh(0.8 * x + 0.1 + r * (-0.6 * h_0 + b_hh_n))
    else:
        n = np.tanh(0.8 * x + 0.1 + -0.6 * (r * h_0))
    h, h_T, trace = layer.forward([[[x]]], [[h_0]])
    expected = z * h_0 + (1 - z) * n
    assert_allclose([h.item(), h_T.item()], expected, rtol=1e-14)
    assert_allclose([trace.r.item(), trace.z.item(), trace.n.item()], [r, z, n], rtol=1e-14)


@each_form
@pytest.mark.parametrize(
    ("biases", "h_T"),
    [
        ({"z": 50, "r": -50}, 0.7),  # keeps
        ({"z": 50, "r": 50}, 0.7),
        ({"z": -50, "r": -50}, np.tanh(2)),  # replaces, and forgets what was
    ],
)
def test_what_each_gate_does_to_a_memory(rng, reset, biases, h_T):
    layer = make_layer(FORMS[reset], 2, 3, rng=rng)
    layer.gate("n")["W_xh"][:] = 0
    for q, b in {**biases, "n": 2}.items():
        for name, W in layer.gate(q).items():
            W[...] = b if name == "b_h" else 0 if q != "n" else W
    _, final, _ = layer.forward(rng.normal(size=(9, 1, 2)), np.full((1, 3), 0.7))
    assert_close(final, np.full((1, 3), h_T))


def test_an_open_reset_gate_lets_the_state_into_the_candidate(rng):
    """With r = 1 and no b_hh,n the two forms are one, and a plain RNN when z = 0."""
    after, before = (make_layer(kind, 2, 3, rng=rng) for kind in FORMS.values())
    for q, b in (("r", 50), ("z", -50)):
        for name, W in after.gate(q).items():
            W[...] = b if name == "b_h" else 0
    after.params["b_hh_n"][:] = 0
    before.load_params({n: W for n, W in after.params.items() if n != "b_hh_n"})
    plain = make_layer("RNN", 2, 3, rng=rng)
    plain.load_params(after.gate("n"))
    x, h_0 = rng.normal(size=(5, 2, 2)), rng.normal(size=(2, 3))
    expected = plain.forward(x, h_0)[:2]
    assert_close(after.forward(x, h_0)[:2], expected)
    assert_close(before.forward(x, h_0)[:2], expected)


def test_the_two_forms_are_different_networks(rng):
    after, before = (make_layer(kind, 2, 3, rng=rng) for kind in FORMS.values())
    after.params["b_hh_n"][:] = 0
    before.load_params({n: W for n, W in after.params.items() if n != "b_hh_n"})
    x, h_0 = rng.normal(size=(5, 2, 2)), rng.normal(size=(2, 3))
    assert np.abs(after.forward(x, h_0)[0] - before.forward(x, h_0)[0]).max() > 0.01


# ---------------------------------------------------------------- gates by name


@given(runs())
def test_a_trace_shows_gates_up_to_the_ends(run):
    layer, x, h_0, lengths, _, _ = run
    _, _, trace = layer.forward(x, h_0, lengths)
    expected = plain_gru(layer.params, x, h_0, layer.reset)
    ends = np.full(x.shape[1], len(x)) if lengths is None else lengths
    past = np.arange(len(x))[:, None] >= ends
    for q in (*GRU_GATES, "h"):
        shown = getattr(trace, q)
        steps = expected[q][1:] if q == "h" else expected[q]
        assert_close(shown, np.where(past[..., None], 0, steps))
        assert_array_equal(shown[past], 0)
        assert (np.abs(shown) <= 1).all() or q == "h"
        assert (shown >= 0).all() or q in "nh"
        with pytest.raises(ValueError, match="read-only"):  # a write would be lost
            shown[...] = 99


@each_form
def test_gate_views_write_through_to_the_stacked_weights(rng, reset):
    layer = make_layer(FORMS[reset], 2, 3, rng=rng)
    for q, rows in {"r": (0, 3), "z": (3, 6), "n": (6, 9)}.items():
        before = {n: W.copy() for n, W in layer.params.items()}
        own = layer.gate(q)
        assert {n: W.shape for n, W in own.items()} == {"W_xh": (3, 2), "W_hh": (3, 3), "b_h": (3,)}
        for name, W in own.items():
            W += 1
            before[name][slice(*rows)] += 1
            with pytest.raises(TypeError, match="does not support item assignment"):
                own[name] = W
        assert_close(dict(layer.params), before, 0)


@pytest.mark.parametrize("name", ["u", "", "rz", "R", "h"])
def test_there_are_three_gates(rng, name):
    with pytest.raises(ValueError, match=f"^name is '{name}', expected one of 'r', 'z', 'n'"):
        GRU(2, 3, rng=rng).gate(name)


# ---------------------------------------------------------------- starting values


@each_form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_weights(rng, reset, dtype):
    layer = GRU(30, 25, rng=rng, reset=reset, dtype=dtype)
    shapes = {n: W.shape for n, W in layer.params.items()}
    expected = {"W_xh": (75, 30), "W_hh": (75, 25), "b_h": (75,)}
    assert shapes == expected | ({"b_hh_n": (25,)} if reset == "after" else {})
    assert {W.dtype for W in layer.params.values()} == {np.dtype(dtype)}
    for q in GRU_GATES:
        own = layer.gate(q)
        for name in ("W_xh", "W_hh"):
            assert own[name].min() < -0.19
            assert own[name].max() > 0.19
            assert np.abs(own[name]).max() <= 0.2 + 1e-7
            assert abs(own[name].mean()) < 0.02
    for name in {"b_h", "b_hh_n"} & set(layer.params):
        assert_array_equal(layer.params[name], 0)


def test_only_the_form_of_pytorch_has_a_second_bias(rng):
    after, before = GRU(2, 3, rng=rng), GRU(2, 3, reset="before", rng=rng)
    assert (after.reset, before.reset) == ("after", "before")
    assert set(after.params) - set(before.params) == {"b_hh_n"}
    with pytest.raises(ValueError, match=r"^parameters given are .*'b_hh_n'"):
        before.load_params(dict(after.params))
    with pytest.raises(ValueError, match=r"^parameters given are .* expected .*'b_hh_n'"):
        after.load_params(dict(before.params))
    assert (repr(after), repr(before)) == (
        "GRU(2, 3, dtype=float64)",
        "GRU(2, 3, reset='before', dtype=float64)",
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size is 0, expected at least 1"),
        ({"hidden_size": -1}, ValueError, "hidden_size is -1"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size is 2.0, expected a whole number"),
        ({"input_size": True}, TypeError, "input_size is True"),
        ({"rng": 0}, TypeError, "rng is 0, expected a generator"),
        ({"dtype": np.float16}, TypeError, "dtype is float16, expected float32 or float64"),
        ({"reset": "between"}, ValueError, "reset is 'between', expected one of 'after', 'before'"),
        ({"reset": None}, ValueError, "reset is None, expected one of"),
        ({"reset": True}, ValueError, "reset is True, expected one of"),
    ],
)
def test_a_layer_says_what_it_cannot_be_made_of(rng, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        GRU(**{"input_size": 2, "hidden_size": 3, "rng": rng, **arguments})


# ---------------------------------------------------------------- edges


@each_form
@pytest.mark.parametrize("size", [1e6, 1e150])
def test_saturated_gates_neither_warn_nor_pass_gradients(rng, reset, size):
    """A warning would fail this test."""
    layer = make_layer(FORMS[reset], rng=rng)
    _, _, trace = layer.forward(size * rng.normal(size=(5, 3, 2)))
    for q in "rz":
        assert set(np.unique(getattr(trace, q))) == {0.0, 1.0}
    assert set(np.unique(trace.n)) == {-1.0, 1.0}
    dx, dh_0, grads = layer.backward(trace, np.ones((5, 3, 4)))
    for zero in (dx, *grads.values()):
        assert_array_equal(zero, 0)
    # The direct path alone stays open: each step that keeps, to the first that does not.
    assert_array_equal(dh_0, np.cumprod(trace.z, axis=0).sum(axis=0))
    assert (dh_0 != 0).any()


@each_form
def test_the_gates_are_the_courses_sigmoid_to_the_last_digits(rng, reset):
    """Also where it is all but 0 or 1: no difference of large numbers."""
    layer = GRU(1, 1, reset=reset, rng=rng)
    for name, W in layer.params.items():
        W[...] = name == "W_xh"
    a = np.linspace(-40, 40, 81)
    _, _, trace = layer.forward(a[None, :, None])
    for q in "rz":
        assert_allclose(getattr(trace, q)[0, :, 0], sigmoid(a), rtol=0, atol=1e-16)
    assert_allclose(trace.n[0, :, 0], np.tanh(a), rtol=0, atol=1e-16)


@each_form
@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.ones((4, 2)), ValueError, r"state has shape \(4, 2\), expected \(2, 4\)"),
        (np.ones(4), ValueError, "state has shape"),
        (STATE * 1j, TypeError, "state has dtype complex128"),
        (STATE * np.nan, ValueError, "state contains NaN"),
        (STATE * np.inf, ValueError, "state contains NaN or infinity"),
        (
            (STATE, STATE),
            TypeError,
            r"state is a tuple of 2, expected one array \(B, H\), the h of G",
        ),
        ((STATE,), TypeError, "state is a tuple of 1, expected one array"),
    ],
)
def test_a_state_that_does_not_fit(rng, reset, state, error, message):
    layer = make_layer(FORMS[reset], rng=rng)
    with pytest.raises(error, match=f"^{message}"):
        layer.forward(X, state)
    for lengths in (None, [3, 1]):
        _, _, trace = layer.forward(X, lengths=lengths)
        with pytest.raises(error, match=f"^d{message.replace('state', 'state_T', 1)}"):
            layer.backward(trace, np.ones((3, 2, 4)), state)


def test_a_trace_of_another_layer_is_refused(rng):
    _, _, trace = make_layer("GRU", 2, 4, rng=rng).forward(X)
    with pytest.raises(ValueError, match=r"^trace comes from .*\(12, 7\) .*, expected \(15, 8\)"):
        make_layer("GRU", 2, 5, rng=rng).backward(trace, np.ones((3, 2, 5)))


@each_form
@percent(30)
@given(data=st.data())
def test_the_gradients_are_those_of_the_weights_that_the_pass_used(reset, data):
    layer, x, h_0, lengths, dh, dh_T = data.draw(runs(reset))
    _, _, trace = layer.forward(x, h_0, lengths)
    before = layer.backward(trace, dh, dh_T)
    for W in layer.params.values():
        W *= -2
    assert_close(layer.backward(trace, dh, dh_T), before, 0)


def test_a_second_bias_that_is_not_finite_is_found(rng):
    for value in (np.nan, np.inf):
        layer = make_layer("GRU", rng=rng)
        layer.params["b_hh_n"][2] = value
        for call in (layer.forward, layer.run, lambda x, own=layer: own.step(x[0])):
            with pytest.raises(NotFiniteError, match=r"^b_hh_n contains NaN .* index \(2,\)"):
                call(X)


def test_a_trace_of_the_other_form_is_refused(rng):
    """The shapes are the same, but the gradients would be wrong."""
    forms = [GRU(2, 4, rng=rng, reset=reset) for reset in ("after", "before")]
    for layer, other in (forms, forms[::-1]):
        h, _, trace = other.forward(np.ones((3, 2, 2)))
        with pytest.raises(TypeError, match=r"^trace is a rnncourse\.layers\.gru\.Trace\w*, expe"):
            layer.backward(trace, h)
