"""The chain rule through time: each factor, each path, their sum, the recursion, truncation."""

import numpy as np
import pytest
from helpers import assert_close, complex_step, make_model, plain_states
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from rnncourse import bptt

WEIGHTS = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")


@st.composite
def sequences(draw, T=None):
    """Arguments of `bptt.bptt`: one sequence with a network for it."""
    T = draw(st.integers(1, 7)) if T is None else T
    D, H, O = (draw(st.integers(1, n)) for n in (3, 4, 3))
    loss = draw(st.sampled_from(tuple(bptt.ERRORS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    return make_sequence(rng, T, D, H, O, loss)


def make_sequence(rng, T=6, D=2, H=3, O=2, loss="squared_error"):
    return {
        "params": dict(make_model(D, H, O, rng).params),
        "x": rng.normal(size=(T, D)),
        "targets": rng.normal(size=(T, O)) if loss == "squared_error" else rng.integers(O, size=T),
        "h0": rng.normal(size=H),
        "loss": loss,
    }


def error_at(s, t, h_t, params=None):
    """E_t as a function of h_t, in plain complex-safe arithmetic."""
    W = params or s["params"]
    y, target = W["W_hy"] @ h_t + W["b_y"], s["targets"][t - 1]
    if s["loss"] == "squared_error":
        return ((y - target) ** 2).sum() / 2
    return np.log(np.exp(y).sum()) - y[target]


def step(s, t, h_prev, **changed):
    """h_t as a function of h_{t-1} and of the weights used at step t alone."""
    W = {**s["params"], **changed}
    return np.tanh(W["W_hh"] @ h_prev + W["W_xh"] @ s["x"][t - 1] + W["b_h"])


# ---------------------------------------------------------------- paths


@given(sequences(), st.sampled_from(["W_xh", "W_hh", "b_h"]), st.data())
def test_each_factor_of_each_path(s, weight, data):
    m = data.draw(st.integers(1, len(s["x"])))
    h = plain_states(s["params"], s["x"][:, None], s["h0"][None])[:, 0]
    found = bptt.paths(weight, m, **s)
    assert [p.use_step for p in found] == list(range(m, 0, -1))
    for p in found:
        k = p.use_step
        assert (p.weight, p.error_step, len(p.jacobians)) == (weight, m, m - k)
        assert_close(p.error_gradient, complex_step(lambda v: error_at(s, m, v), h[m]))
        for t, J in zip(range(m, k, -1), p.jacobians, strict=True):
            assert_close(J, complex_step(lambda v, t=t: step(s, t, v), h[t - 1]).T)
        immediate = complex_step(
            lambda W, k=k: step(s, k, h[k - 1], **{weight: W}), s["params"][weight]
        )
        assert_close(p.immediate, np.moveaxis(immediate, -1, 0))

        # The whole term: only step k uses the moved weight (a dummy copy of W).
        def through_k(W, k=k):
            v = step(s, k, h[k - 1], **{weight: W})
            for t in range(k + 1, m + 1):
                v = step(s, t, v)
            return error_at(s, m, v)

        assert_close(p.value, complex_step(through_k, s["params"][weight]))
        product = np.eye(len(s["h0"]))
        for J in p.jacobians:
            product = product @ J
        assert_close(p.carried, p.error_gradient @ product)


@pytest.mark.parametrize("weight", ["W_hy", "b_y"])
@given(sequences())
def test_readout_weights_reach_an_error_by_one_path(weight, s):
    m = len(s["x"])
    h, _ = bptt.forward(s["params"], s["x"], s["h0"])
    (path,) = bptt.paths(weight, m, **s)
    assert (path.error_step, path.use_step, path.jacobians) == (m, m, ())
    measured = complex_step(
        lambda W: error_at(s, m, h[m], {**s["params"], weight: W}), s["params"][weight]
    )
    assert_close(path.value, measured)


@given(sequences())
def test_the_sum_of_all_paths_is_the_gradient(s):
    """Paths, the recursion, the model and complex steps: four ways, one gradient."""
    E, grads = bptt.bptt(**s)
    T, H = len(s["x"]), len(s["h0"])
    D, O = s["x"].shape[1], len(s["params"]["b_y"])

    def total(params=s["params"], h0=s["h0"]):
        h = plain_states(params, s["x"][:, None], h0[None])[:, 0]
        return sum(error_at(s, t, h[t], params) for t in range(1, T + 1))

    model = make_model(D, H, O, np.random.default_rng(0), loss=s["loss"], reduction="sum")
    model.load_params(s["params"])
    found = model.loss_and_gradients(s["x"][:, None], s["targets"][:, None], state=s["h0"][None])
    assert_close(E, total())
    assert_close(found.E, E)
    for weight in WEIGHTS:
        terms = [p.value for m in range(1, T + 1) for p in bptt.paths(weight, m, **s)]
        assert len(terms) == (T if weight in ("W_hy", "b_y") else T * (T + 1) // 2)
        assert_close(sum(terms), grads[weight])
        assert_close(found.grads[weight], grads[weight])
        measured = complex_step(
            lambda W, n=weight: total(params={**s["params"], n: W}), s["params"][weight]
        )
        assert_close(grads[weight], measured)
    assert_close(grads["h0"], complex_step(lambda v: total(h0=v), s["h0"]))
    assert set(grads) == {*WEIGHTS, "h0"}


@pytest.mark.parametrize("loss", bptt.ERRORS)
def test_a_long_sequence_keeps_the_agreement(rng, loss):
    s = make_sequence(rng, T=60, loss=loss)
    _, grads = bptt.bptt(**s)
    for weight in WEIGHTS:
        terms = [p.value for m in range(1, 61) for p in bptt.paths(weight, m, **s)]
        assert_close(sum(terms), grads[weight])


def test_the_squared_error_and_a_state_of_zeros_are_the_defaults(rng):
    s = make_sequence(rng)
    full = {**s, "h0": np.zeros(3)}
    given = {"params": s["params"], "x": s["x"].tolist(), "targets": s["targets"].tolist()}
    for function, options in ((bptt.bptt, {}), (bptt.truncated_bptt, {"every": 2, "back": 3})):
        (E, grads), (E_full, grads_full) = (function(**a, **options) for a in (given, full))
        assert_close(E, E_full)
        assert_close(grads, grads_full)
    by_default, explicit = (bptt.paths("W_xh", 3, **a) for a in (given, full))
    assert_close([p.value for p in by_default], [p.value for p in explicit])


def test_forward_gives_all_states_and_outputs(rng):
    s = make_sequence(rng)
    W = s["params"]
    h, y = bptt.forward(W, s["x"], s["h0"])
    expected = plain_states(W, s["x"][:, None], s["h0"][None])[:, 0]
    assert_close(h, expected)
    assert_close(y, expected[1:] @ W["W_hy"].T + W["b_y"])
    assert_array_equal(bptt.forward(W, s["x"])[0][0], 0)


# ---------------------------------------------------------------- truncation


def kept_paths(s, weight, every, back):
    """Sum the terms that BPTT(back; every) keeps, one path at a time."""
    total = np.zeros_like(s["params"][weight])
    for m in range(1, len(s["x"]) + 1):
        first = (m - 1) // every * every + 1  # the first step of m's group
        reach = first - (back - every)
        total += sum(p.value for p in bptt.paths(weight, m, **s) if p.use_step >= reach)
    return total


@given(sequences(), st.integers(1, 8), st.integers(0, 8))
def test_truncation_keeps_the_paths_it_says(s, every, more):
    E, grads = bptt.truncated_bptt(**s, every=every, back=every + more)
    E_full, full = bptt.bptt(**s)
    assert E == E_full
    for weight in ("W_xh", "W_hh", "b_h"):
        assert_close(grads[weight], kept_paths(s, weight, every, every + more))
    for weight in ("W_hy", "b_y"):
        assert_close(grads[weight], full[weight])


@given(sequences(), st.integers(1, 8))
def test_one_step_at_a_time_keeps_lags_below_k(s, k):
    _, grads = bptt.truncated_bptt(**s, every=1, back=k)
    for weight in ("W_xh", "W_hh", "b_h"):
        terms = [
            p.value
            for m in range(1, len(s["x"]) + 1)
            for p in bptt.paths(weight, m, **s)
            if len(p.jacobians) < k
        ]
        assert_close(grads[weight], sum(terms))


@given(sequences(), st.integers(1, 8))
def test_equal_numbers_are_what_chunked_training_does(s, k):
    """Also where the last chunk is shorter than the others."""
    _, grads = bptt.truncated_bptt(**s, every=k, back=k)
    D, H, O = s["x"].shape[1], len(s["h0"]), len(s["params"]["b_y"])
    model = make_model(D, H, O, np.random.default_rng(0), loss=s["loss"], reduction="sum")
    model.load_params(s["params"])
    total, state = dict.fromkeys(WEIGHTS, 0), s["h0"][None]
    for t in range(0, len(s["x"]), k):
        chunk = slice(t, t + k)
        found = model.loss_and_gradients(
            s["x"][chunk, None], s["targets"][chunk, None], state=state
        )
        state = found.state_T
        total = {name: total[name] + found.grads[name] for name in WEIGHTS}
    assert_close({name: grads[name] for name in WEIGHTS}, total)


@given(sequences(T=6), st.integers(1, 6), st.integers(0, 6))
def test_the_initial_state_gets_what_reaches_it(s, every, more):
    """Errors of the groups that are sent back to step 1 reach h_0; the others do not."""
    _, grads = bptt.truncated_bptt(**s, every=every, back=every + more)
    # The path to h_0 is the path to b_h at step 1 with the immediate partial ∂h_1/∂h_0 = J_1.
    total = np.zeros_like(s["h0"])
    J_1 = complex_step(lambda v: step(s, 1, v), s["h0"]).T
    for m in range(1, 7):
        if (m - 1) // every * every <= more:
            total += bptt.paths("b_h", m, **s)[-1].carried @ J_1
    assert_close(grads["h0"], total)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((6, 5))}, ValueError, r"x has shape \(6, 5\), expected \(T, 2\)"),
        ({"x": np.ones((0, 2))}, ValueError, "x has shape .* T at least 1"),
        ({"x": np.ones((6, 2), complex)}, TypeError, "x has dtype complex128"),
        ({"x": np.full((6, 2), np.nan)}, ValueError, "x contains NaN"),
        ({"x": [[1, 2], [1]]}, TypeError, "x is not a regular array"),
        ({"x": 1.0}, ValueError, r"x has shape \(\)"),
        ({"h0": np.ones(2)}, ValueError, r"h0 has shape \(2,\), expected \(3,\)"),
        ({"targets": np.ones((5, 2))}, ValueError, r"targets has shape \(5, 2\)"),
        ({"targets": np.full((6, 2), np.inf)}, ValueError, "targets contains NaN or infinity"),
        ({"loss": "cross_entropy"}, TypeError, "targets has dtype float64, expected whole"),
        ({"loss": "cross_entropy", "targets": [2] * 6}, ValueError, "targets holds 2 .* 0 to 1"),
        ({"loss": "mse"}, ValueError, "loss is 'mse'"),
    ],
)
def test_arguments_that_do_not_fit(rng, arguments, error, message):
    s = make_sequence(rng) | arguments
    with pytest.raises(error, match=message):
        bptt.bptt(**s)
    with pytest.raises(error, match=message):
        bptt.paths("W_hh", 1, **s)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("W_hh", np.ones((3, 2)), ValueError, r"W_hh has shape \(3, 2\), expected \(3, 3\)"),
        ("W_xh", np.ones(3), ValueError, r"W_xh has shape \(3,\), expected \(H, D\)"),
        ("W_hy", np.ones((2, 4)), ValueError, r"W_hy has shape \(2, 4\), expected \(O, 3\)"),
        ("b_y", np.ones(3), ValueError, r"b_y has shape \(3,\), expected \(2,\)"),
        ("b_h", np.full(3, np.nan), ValueError, "b_h contains NaN"),
        ("b_h", np.ones(3, complex), TypeError, "b_h has dtype complex128"),
        ("W_hh", None, TypeError, "W_hh has dtype object"),
    ],
)
def test_weights_that_do_not_fit(rng, name, value, error, message):
    s = make_sequence(rng)
    s["params"][name] = value
    with pytest.raises(error, match=message):
        bptt.bptt(**s)


def test_what_else_does_not_fit(rng):
    s = make_sequence(rng)
    with pytest.raises(ValueError, match="weight is 'W', expected one of 'W_xh'"):
        bptt.paths("W", 1, **s)
    with pytest.raises(ValueError, match="error_step is 7, expected a step from 1 to T = 6"):
        bptt.paths("W_hh", 7, **s)
    with pytest.raises(ValueError, match="error_step is 0"):
        bptt.paths("W_hh", 0, **s)
    with pytest.raises(ValueError, match="back is 1, expected at least every = 2"):
        bptt.truncated_bptt(**s, every=2, back=1)
    with pytest.raises(ValueError, match="every is 0"):
        bptt.truncated_bptt(**s, every=0, back=1)
    del s["params"]["b_y"], s["params"]["W_xh"]
    with pytest.raises(ValueError, match="params lacks W_xh, b_y, expected W_xh, W_hh"):
        bptt.bptt(**s)
