"""The batched layer: what it computes, its gradients, and what never changes the result."""

import numpy as np
import pytest
from helpers import assert_close, complex_step, plain_states
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import RNN, check_gradients


def make_layer(rng, D=2, H=4, dtype=np.float64):
    layer = RNN(D, H, rng=rng, dtype=dtype)
    layer.load_params({n: rng.normal(size=W.shape) for n, W in layer.params.items()})
    return layer


@st.composite
def layers(draw):
    """A layer with inputs, state, lengths (or None), and gradients from outside."""
    T, B = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    D, H = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    lengths = rng.integers(1, T + 1, B) if draw(st.booleans()) else None
    shapes = {"x": (T, B, D), "state": (B, H), "dh": (T, B, H), "dstate_T": (B, H)}
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()}
    return make_layer(rng, D, H), lengths, *arrays.values()


@given(layers())
def test_forward_follows_the_equation_to_the_end_of_each_sequence(drawn):
    layer, lengths, x, state, _, _ = drawn
    h, state_T, _ = layer.forward(x, state, lengths)
    expected = plain_states(layer.params, x, state)
    for b in range(x.shape[1]):
        n = len(x) if lengths is None else lengths[b]
        assert_close(h[:n, b], expected[1 : n + 1, b])
        assert_array_equal(h[n:, b], 0)
        assert_close(state_T[b], expected[n, b])


@given(layers())
def test_backward_agrees_with_complex_steps(drawn):
    """For E = Σ h ⊙ dh + Σ state_T ⊙ dstate_T the gradients at the layer's border are known."""
    layer, lengths, x, state, dh, dstate_T = drawn
    T, B, _ = x.shape
    ends = np.full(B, T) if lengths is None else lengths
    everything = {**layer.params, "x": x, "state": state}

    def E(name, value):
        v = {**everything, name: value}
        h = plain_states(v, v["x"], v["state"])[1:]
        inside = (np.arange(T)[:, None] < ends)[:, :, None]
        return (h * dh * inside).sum() + (h[ends - 1, np.arange(B)] * dstate_T).sum()

    _, _, trace = layer.forward(x, state, lengths)
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    for name, gradient in {**grads, "x": dx, "state": dstate_0}.items():
        measured = complex_step(lambda W, n=name: E(n, W), everything[name])
        assert_close(gradient, measured)


@given(layers())
def test_backward_agrees_with_finite_differences(drawn):
    layer, lengths, x, state, dh, dstate_T = drawn
    past = np.arange(len(x))[:, None] >= (len(x) if lengths is None else lengths)
    dh[np.broadcast_to(past, dh.shape[:2])] = 0

    def E():
        h, state_T, _ = layer.forward(x, state, lengths)
        return float((h * dh).sum() + (state_T * dstate_T).sum())

    _, _, trace = layer.forward(x, state, lengths)
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    report = check_gradients(
        E, {**layer.params, "x": x, "state": state}, {**grads, "x": dx, "state": dstate_0}
    )
    assert report.ok(1e-7), report


def test_without_a_state_the_layer_starts_at_zero(rng):
    layer, x = make_layer(rng), rng.normal(size=(3, 2, 2))
    h, state_T, trace = layer.forward(x)
    for given_, zero in zip((h, state_T), layer.forward(x, np.zeros((2, 4))), strict=False):
        assert_array_equal(given_, zero)
    # Nothing reaches the final state from outside unless it is said.
    without, with_zeros = (layer.backward(trace, h, d) for d in (None, np.zeros((2, 4))))
    assert_array_equal(without[1], with_zeros[1])


def test_initial_weights_are_drawn_from_one_over_root_H(rng):
    layer = RNN(30, 25, rng=rng)
    for name in ("W_xh", "W_hh"):
        W = layer.params[name]
        assert W.min() < -0.19
        assert W.max() > 0.19
        assert np.abs(W).max() <= 0.2
        assert abs(W.mean()) < 0.02
    assert_array_equal(layer.params["b_h"], 0)


def test_parameters_are_written_in_place_and_cannot_be_swapped(rng):
    layer, x = make_layer(rng), np.ones((1, 1, 2))
    layer.params["W_xh"][...] = 0
    layer.params["W_hh"][...] = 0
    layer.params["b_h"][:] = 0.5
    assert_allclose(layer.forward(x)[0], np.tanh(0.5))
    with pytest.raises(TypeError):
        layer.params["b_h"] = np.zeros(4)


# ---------------------------------------------------------------- what never changes the result


@given(layers(), st.sampled_from([np.nan, np.inf, 1e300, 7.0]))
def test_what_lies_past_the_end_of_a_sequence_does_not_matter(drawn, filler):
    layer, _, x, state, dh, dstate_T = drawn
    lengths = np.arange(x.shape[1]) % len(x) + 1
    past = np.arange(len(x))[:, None] >= lengths
    filled, dh_filled = x.copy(), dh.copy()
    filled[past], dh_filled[past] = filler, filler
    h, state_T, trace = layer.forward(x, state, lengths)
    h_2, state_T_2, trace_2 = layer.forward(filled, state, lengths)
    assert_array_equal(h, h_2)
    assert_array_equal(state_T, state_T_2)
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    dx_2, dstate_0_2, grads_2 = layer.backward(trace_2, dh_filled, dstate_T)
    assert_array_equal(dx, dx_2)
    assert_array_equal(dx[past], 0)
    assert_array_equal(dstate_0, dstate_0_2)
    for name in grads:
        assert_array_equal(grads[name], grads_2[name])


@given(layers())
def test_a_batch_equals_its_sequences_one_by_one(drawn):
    layer, lengths, x, state, dh, dstate_T = drawn
    T, B, _ = x.shape
    ends = [T] * B if lengths is None else lengths
    h, state_T, trace = layer.forward(x, state, lengths)
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    total = dict.fromkeys(grads, 0)
    for b, n in enumerate(ends):
        one = slice(b, b + 1)
        h_b, state_b, trace_b = layer.forward(x[:n, one], state[one])
        dx_b, dstate_b, grads_b = layer.backward(trace_b, dh[:n, one], dstate_T[one])
        assert_close(h[:n, one], h_b)
        assert_close(state_T[one], state_b)
        assert_close(dx[:n, one], dx_b)
        assert_close(dstate_0[one], dstate_b)
        total = {name: total[name] + grads_b[name] for name in grads}
    assert_close(grads, total)


@given(layers(), st.data())
def test_two_chunks_equal_one_pass_forward_and_backward(drawn, data):
    layer, _, x, state, dh, dstate_T = drawn
    cut = data.draw(st.integers(1, max(1, len(x) - 1)))
    h, state_T, trace = layer.forward(x, state)
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    h_1, carried, trace_1 = layer.forward(x[:cut], state)
    if cut < len(x):
        h_2, state_2, trace_2 = layer.forward(x[cut:], carried)
        dx_2, dcarried, grads_2 = layer.backward(trace_2, dh[cut:], dstate_T)
        dx_1, dstate_1, grads_1 = layer.backward(trace_1, dh[:cut], dcarried)
        assert_close(h, np.concatenate([h_1, h_2]))
        assert_close(state_T, state_2)
        assert_close(dx, np.concatenate([dx_1, dx_2]))
        assert_close(dstate_0, dstate_1)
        assert_close(grads, {n: grads_1[n] + grads_2[n] for n in grads})


@given(layers(), st.data())
def test_states_do_not_depend_on_later_inputs(drawn, data):
    layer, _, x, state, _, _ = drawn
    t = data.draw(st.integers(1, len(x)))
    changed = x.copy()
    changed[t:] += 1
    assert_array_equal(layer.forward(x, state)[0][:t], layer.forward(changed, state)[0][:t])


# ---------------------------------------------------------------- precision and ownership


def test_float32_stays_float32_and_close_to_float64(rng):
    double = make_layer(rng)
    single = RNN(2, 4, rng=rng, dtype=np.float32)
    single.load_params(double.params)
    x, state = rng.normal(size=(6, 3, 2)), rng.normal(size=(3, 4))
    dh, dstate_T = rng.normal(size=(6, 3, 4)), rng.normal(size=(3, 4))
    for lengths in (None, [6, 1, 4]):
        results = []
        for layer in (single, double):
            h, state_T, trace = layer.forward(x, state, lengths)
            dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
            results.append({"h": h, "T": state_T, "dx": dx, "d0": dstate_0, **grads})
        assert {a.dtype for a in results[0].values()} == {np.dtype(np.float32)}
        assert_close(results[0], results[1], 1e-5)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (1, 1, 2, 4), (1, 3, 2, 1), (4, 1, 1, 1), (5, 3, 2, 4)]
)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_trace_owns_its_numbers(rng, shape, ragged):
    """Nothing done after `forward` changes what `backward` returns."""
    T, B, D, H = shape
    layer = make_layer(rng, D, H)
    x, state = rng.normal(size=(T, B, D)), rng.normal(size=(B, H))
    dh, dstate_T = rng.normal(size=(T, B, H)), rng.normal(size=(B, H))
    lengths = np.full(B, T) if ragged else None
    h, state_T, trace = layer.forward(x, state, lengths)
    dh_before, dstate_before = dh.copy(), dstate_T.copy()
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    assert_array_equal(dh, dh_before)
    assert_array_equal(dstate_T, dstate_before)
    before = [dx.copy(), dstate_0.copy(), *(g.copy() for g in grads.values())]
    for mine in (x, state, h, state_T, dx, dstate_0, *grads.values()):
        mine[...] = 99
    if ragged:
        lengths[...] = 1
    for W in layer.params.values():
        W += 1
    layer.forward(np.ones((T, B, D)))
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    for now, then in zip([dx, dstate_0, *grads.values()], before, strict=True):
        assert_array_equal(now, then)


# ---------------------------------------------------------------- bad input

X, STATE = np.ones((3, 2, 2)), np.ones((2, 4))


def holding(array, value):
    array = array.copy()
    array.flat[-1] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((3, 2))}, ValueError, r"x has shape \(3, 2\), expected \(T, B, 2\)"),
        ({"x": np.ones((3, 2, 5))}, ValueError, r"x has shape \(3, 2, 5\), expected \(T, B, 2\)"),
        ({"x": np.ones((0, 2, 2))}, ValueError, r"x has shape \(0, 2, 2\).* T at least 1"),
        ({"x": np.ones((3, 0, 2))}, ValueError, r"x has shape \(3, 0, 2\).* B at least 1"),
        ({"x": np.ones((0, 2, 2)), "lengths": [1, 1]}, ValueError, "x has shape .* T at least 1"),
        ({"x": np.ones((3, 0, 2)), "lengths": []}, ValueError, "x has shape .* B at least 1"),
        ({"x": X * 1j}, TypeError, "x has dtype complex128, expected real numbers"),
        ({"x": X * 1j, "lengths": [1, 3]}, TypeError, "x has dtype complex128"),
        ({"x": X > 0}, TypeError, "x has dtype bool, expected real numbers"),
        ({"x": X > 0, "lengths": [1, 3]}, TypeError, "x has dtype bool"),
        ({"x": X.astype(str)}, TypeError, "x has dtype <U"),
        ({"x": X.astype(object)}, TypeError, "x has dtype object"),
        ({"x": None}, TypeError, "x has dtype object"),
        ({"x": [[[1, 2]], [[1]]]}, TypeError, "x is not a regular array"),
        ({"x": [[[1, 2]], [[1]]], "lengths": [2]}, TypeError, "x is not a regular array"),
        ({"x": holding(X, np.nan)}, ValueError, r"x contains NaN .* 1 of 12 .* \(2, 1, 1\)"),
        ({"x": holding(X, -np.inf)}, ValueError, "x contains NaN or infinity: 1 of 12"),
        ({"x": holding(X, np.nan), "lengths": [1, 3]}, ValueError, "x contains NaN or infinity"),
        ({"state": np.ones((4, 2))}, ValueError, r"state has shape \(4, 2\), expected \(2, 4\)"),
        ({"state": np.ones(4)}, ValueError, "state has shape"),
        ({"state": STATE * 1j}, TypeError, "state has dtype complex128"),
        ({"state": holding(STATE, np.nan)}, ValueError, "state contains NaN"),
        ({"lengths": [4, 1]}, ValueError, "lengths holds 4 at index .* from 1 to 3"),
        ({"lengths": [1, 0]}, ValueError, r"lengths holds 0 at index \(1,\), expected .* 1 to 3"),
        ({"lengths": [-1, 1]}, ValueError, "lengths holds -1"),
        ({"lengths": [1, 2, 3]}, ValueError, r"lengths has shape \(3,\), expected \(2,\)"),
        ({"lengths": 2}, ValueError, r"lengths has shape \(\)"),
        ({"lengths": [1.0, 2.0]}, TypeError, "lengths has dtype float64, expected whole numbers"),
        ({"lengths": [True, True]}, TypeError, "lengths has dtype bool"),
    ],
)
def test_forward_says_what_is_wrong(rng, arguments, error, message):
    with pytest.raises(error, match=message):
        make_layer(rng).forward(**{"x": X, **arguments})


@pytest.mark.parametrize("lengths", [None, [3, 1]])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dh": np.ones((3, 2, 3))}, ValueError, r"dh has shape \(3, 2, 3\), expected \(3, 2, 4\)"),
        ({"dh": np.ones((1, 2, 4))}, ValueError, "dh has shape"),
        ({"dh": np.ones((3, 2, 4), bool)}, TypeError, "dh has dtype bool"),
        ({"dh": np.ones((3, 2, 4), complex)}, TypeError, "dh has dtype complex128"),
        ({"dh": [[1], [1, 2]]}, TypeError, "dh is not a regular array"),
        ({"dh": np.full((3, 2, 4), np.nan)}, ValueError, "dh contains NaN"),
        ({"dstate_T": np.ones((1, 4))}, ValueError, "dstate_T has shape"),
        ({"dstate_T": holding(STATE, np.inf)}, ValueError, "dstate_T contains NaN or infinity"),
    ],
)
def test_backward_says_what_is_wrong(rng, lengths, arguments, error, message):
    layer = make_layer(rng)
    _, _, trace = layer.forward(X, lengths=lengths)
    with pytest.raises(error, match=message):
        layer.backward(trace, **{"dh": np.ones((3, 2, 4)), **arguments})


def test_a_trace_of_another_layer_is_refused(rng):
    _, _, trace = make_layer(rng, 2, 4).forward(X)
    with pytest.raises(ValueError, match=r"trace comes from .*\(4, 7\), expected \(5, 8\)"):
        make_layer(rng, 2, 5).backward(trace, np.ones((3, 2, 5)))


@pytest.mark.parametrize("name", ["W_xh", "W_hh", "b_h"])
def test_weights_that_are_not_finite_are_found(rng, name):
    layer = make_layer(rng)
    layer.params[name].flat[0] = np.nan
    with pytest.raises(ValueError, match=r"weights .* contains NaN or infinity: 1 of 28"):
        layer.forward(X)


def test_values_too_large_for_the_dtype_are_infinite(rng):
    with pytest.raises(ValueError, match="x contains NaN or infinity"):
        make_layer(rng, dtype=np.float32).forward(1e300 * X)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size is 0, expected at least 1"),
        ({"hidden_size": -1}, ValueError, "hidden_size is -1"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size is 2.0, expected a whole number"),
        ({"hidden_size": True}, TypeError, "hidden_size is True"),
        ({"rng": 0}, TypeError, "rng is 0, expected a generator"),
        ({"dtype": np.float16}, TypeError, "dtype is float16, expected float32 or float64"),
        ({"dtype": int}, TypeError, "dtype is int64"),
    ],
)
def test_a_layer_says_what_it_cannot_be_made_of(rng, arguments, error, message):
    with pytest.raises(error, match=message):
        RNN(**{"input_size": 2, "hidden_size": 3, "rng": rng, **arguments})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("W_hh", np.ones((4, 3)), r"W_hh has shape \(4, 3\), expected \(4, 4\)"),
        ("b_h", np.full(4, np.nan), "b_h contains NaN"),
        ("b_y", np.ones(4), "parameters given are .* expected"),
    ],
)
def test_parameters_are_loaded_all_or_none(rng, name, value, message):
    layer = make_layer(rng)
    before = {n: W.copy() for n, W in layer.params.items()}
    with pytest.raises(ValueError, match=message):
        layer.load_params({**{n: W + 1 for n, W in before.items()}, name: value})
    for n, W in layer.params.items():
        assert_array_equal(W, before[n])
