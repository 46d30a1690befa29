"""A pass that keeps nothing, and one step at a time: the numbers of `forward`, and its errors."""

import copy
import tracemalloc

import numpy as np
import pytest
from helpers import CAUSAL, LAYERS, assert_close, make_layer, make_state, owners, percent
from hypothesis import given
from hypothesis import strategies as st
from layers.test_layers import make_run, runs
from layers.test_packed import with_columns
from numpy.testing import assert_array_equal

from rnncourse import Embedding, NotFiniteError, Stack

EACH = (*CAUSAL, "LSTMs")
PACKED = ("RNN", "LSTM", "GRU", "GRU-before")
X, X_T, STATE = np.ones((3, 2, 2)), np.ones((2, 2)), np.ones((2, 4))


# ---------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("kind", EACH)
@given(run=runs(ragged=False))
@percent(50)
def test_step_by_step_equals_forward(kind, run):
    r = run(kind)
    h, state_T, _ = r.forward()
    state = r.state
    for x_t, h_t in zip(r.x, h, strict=True):
        now, state = r.layer.step(x_t, state)
        assert_close(now, h_t)
    assert_close(state, state_T)
    zeros, _ = r.layer.step(r.x[0])
    assert_close(zeros, r.layer.forward(r.x[:1])[0][0])


@pytest.mark.parametrize("kind", [*LAYERS, "LSTMs"])
@given(run=runs(), columns=st.integers(1, 12))
@percent(50)
def test_a_run_equals_forward_whatever_its_blocks(kind, run, columns):
    r = run(kind)
    expected = r.forward()[:2]
    given_ = (r.x, r.state, r.lengths)
    result = with_columns(columns, lambda: r.layer.run(*given_), "COLUMNS_OF_A_RUN")
    assert_close(result, expected)
    assert_close(r.layer.run(r.x, None, r.lengths), r.layer.forward(r.x, None, r.lengths)[:2])


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(("T", "B"), [(600, 1), (70, 9), (9, 70), (3, 300)])
@pytest.mark.parametrize("ragged", [False, True])
def test_a_run_of_several_blocks_equals_forward(kind, T, B, ragged):
    r = make_run(kind, T, B, ragged=ragged)
    if ragged:
        r.lengths[0] = 1
    assert_close(r.layer.run(r.x, r.state, r.lengths), r.forward()[:2])


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("columns", [1, 6, 8])
def test_what_lies_past_an_end_does_not_matter_to_a_run(kind, columns):
    r = make_run(kind, T=5)
    r.lengths = np.array([5, 2, 1])
    expected = r.forward()[:2]
    r.x[np.arange(5)[:, None] >= r.lengths] = np.nan
    given_ = (r.x, r.state, r.lengths)
    h, state_T = with_columns(columns, lambda: r.layer.run(*given_), "COLUMNS_OF_A_RUN")
    assert_close((h, state_T), expected)
    assert_array_equal(h[np.arange(5)[:, None] >= r.lengths], 0)


@pytest.mark.parametrize("kind", EACH)
def test_float32_stays_float32(kind, rng):
    single = make_layer(kind, rng=np.random.default_rng(0), dtype=np.float32)
    double = make_layer(kind, rng=rng)
    double.load_params(single.params)
    x, results = rng.normal(size=(4, 3, 2)), []
    for layer in (single, double):
        h, state = layer.run(x)
        h_t, state = layer.step(x[0], state)
        leaves = flat(state)
        assert {a.dtype for a in (h, h_t, *leaves)} == {layer.dtype}
        results.append((h, h_t, *leaves))
    assert_close(results[0], results[1], 1e-5)


def flat(state):
    return [a for s in state for a in flat(s)] if isinstance(state, tuple) else [state]


# ---------------------------------------------------------------- nothing is kept or shared


@pytest.mark.parametrize("kind", EACH)
def test_nothing_is_shared_with_what_was_given_or_with_the_layer(kind, rng):
    layer = make_layer(kind, rng=rng)
    x, state = rng.normal(size=(3, 2, 2)), make_state(layer, 2, rng)
    before = copy.deepcopy((dict(layer.params), x, state))
    for results in (layer.run(x, state), layer.step(x[0], state)):
        arrays = [results[0], *flat(results[1])]
        theirs = [x, *flat(state), *layer.params.values()]
        for n, one in enumerate(arrays):
            assert one.flags.writeable
            for other in [*arrays[:n], *theirs]:
                assert not np.shares_memory(one, other)
            one[...] = 99
    assert_close((dict(layer.params), x, state), before, 0)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_run_leaves_no_memory_behind_and_disturbs_no_trace(kind):
    r = make_run(kind, T=30)
    fresh = copy.deepcopy(r.layer)
    fresh.run(r.x, r.state)
    assert all(own._for_traces._idle == [] for _, own in owners(fresh))
    _, _, trace = r.forward()
    expected = r.backward(trace)
    r.layer.run(2 * r.x, r.state)
    assert_close(r.backward(trace), expected, 0)


@pytest.mark.parametrize("kind", LAYERS)
def test_no_number_of_a_run_is_used_before_it_is_written(kind, monkeypatch):
    r = make_run(kind, T=7, ragged=True)
    expected = r.layer.run(r.x, r.state, r.lengths)
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))
    given_ = (r.x, r.state, r.lengths)
    result = with_columns(6, lambda: r.layer.run(*given_), "COLUMNS_OF_A_RUN")
    assert_close(result, expected)


def held_and_peak(function):
    """Bytes that are held when `function` has returned, and at most while it ran."""
    tracemalloc.start()
    try:
        result = function()
        return result, *tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", PACKED)
def test_a_long_run_holds_no_more_than_its_result(kind, rng):
    T, H = 20_000, 8
    layer, x = make_layer(kind, 2, H, rng=rng), rng.normal(size=(T, 1, 2))
    layer.load_params({name: W / 4 for name, W in layer.params.items()})
    layer.run(x[:10])
    (h, _), held, peak = held_and_peak(lambda: layer.run(x))
    assert layer._for_traces._idle == []
    assert h.nbytes <= held < h.nbytes + 20_000
    # While it runs, besides the result: the blocks, and what checks the result for NaN.
    assert peak < 1.5 * h.nbytes + 300_000
    (_, _, trace), held_with_trace, _ = held_and_peak(lambda: layer.forward(x))
    assert held_with_trace > 2 * h.nbytes
    assert trace is not None


@pytest.mark.parametrize("kind", PACKED)
def test_many_steps_hold_no_more_than_one(kind, rng):
    layer, x_t = make_layer(kind, rng=rng), rng.normal(size=(2, 2))

    def steps(n):
        state = None
        for _ in range(n):
            _, state = layer.step(x_t, state)
        return state

    steps(10)
    held = [held_and_peak(lambda n=n: steps(n))[1] for n in (1, 1000)]
    assert held[1] < held[0] + 2000
    assert layer._for_traces._idle == layer._for_the_way_back._idle == []


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize(
    ("x_t", "error", "message"),
    [
        (np.ones((2, 3)), ValueError, r"x_t has shape \(2, 3\), expected \(B, 2\)"),
        (np.ones(2), ValueError, r"x_t has shape \(2,\), expected \(B, 2\)"),
        (np.ones((1, 2, 2)), ValueError, r"x_t has shape \(1, 2, 2\)"),
        (np.ones((0, 2)), ValueError, r"x_t has shape \(0, 2\).* B at least 1"),
        (X_T * 1j, TypeError, "x_t has dtype complex128, expected real numbers"),
        (X_T > 0, TypeError, "x_t has dtype bool"),
        (None, TypeError, "x_t has dtype object"),
        ([[1], [1, 2]], TypeError, "x_t is not a regular array"),
        (X_T * np.nan, ValueError, "x_t contains NaN or infinity: 4 of 4"),
        ([[1, 2], [3, np.nan]], ValueError, r"x_t contains NaN .* 1 of 4 .* index \(1, 1\)"),
        (np.array([[1, 2], [3, -np.inf]]), ValueError, r"x_t contains NaN .* 1 of 4 .* \(1, 1\)"),
    ],
)
def test_a_step_says_what_is_wrong_with_its_input(kind, rng, x_t, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make_layer(kind, rng=rng).step(x_t)


ONE_STATE = [
    (np.ones((3, 4)), ValueError, r"state has shape \(3, 4\), expected \(2, 4\)"),
    (np.ones(4), ValueError, r"state has shape \(4,\), expected \(2, 4\)"),
    (STATE * 1j, TypeError, "state has dtype complex128"),
    (STATE * np.nan, ValueError, "state contains NaN or infinity: 8 of 8"),
    ((STATE, STATE), TypeError, r"state is a tuple of 2, expected one array \(B, H\), the h of "),
    ((), TypeError, "state is a tuple of 0, expected one array"),
]
A_PAIR = [
    (STATE, TypeError, r"state is a ndarray, expected a pair \(h, c\)"),
    ((STATE,), ValueError, r"state has 1 parts, expected a pair \(h, c\)"),
    ((STATE, np.ones((3, 4))), ValueError, r"state's c has shape \(3, 4\), expected \(2, 4\)"),
    ((np.ones((3, 4)), STATE), ValueError, r"state's h has shape \(3, 4\), expected \(2, 4\)"),
    ((STATE, STATE * np.inf), ValueError, "state('s c)? contains NaN or infinity: 8 of 8"),
    ((STATE * np.nan, STATE), ValueError, "state('s h)? contains NaN or infinity: 8 of 8"),
    ((STATE > 0, STATE), TypeError, "state's h has dtype bool"),
]
STATES = [(kind, *case) for kind in ("RNN", "GRU", "GRU-before") for case in ONE_STATE]
STATES += [("LSTM", *case) for case in A_PAIR]
STATES += [
    ("stack", STATE, TypeError, "state is ndarray, expected 2, one for each layer"),
    ("stack", (None,), ValueError, "state has 1 parts, expected 2"),
    ("stack", (None, np.ones((3, 4))), ValueError, r"state has shape \(3, 4\), .* \(layer 2 of"),
]


@pytest.mark.parametrize(("kind", "state", "error", "message"), STATES)
def test_a_state_that_does_not_fit(kind, rng, state, error, message):
    layer = make_layer(kind, rng=rng)
    for call in (lambda: layer.step(X_T, state), lambda: layer.run(X, state)):
        with pytest.raises(error, match=f"^{message}"):
            call()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((3, 2, 5))}, ValueError, r"x has shape \(3, 2, 5\), expected \(T, B, 2\)"),
        ({"x": X_T}, ValueError, r"x has shape \(2, 2\), expected \(T, B, 2\)"),
        ({"x": np.ones((0, 2, 2))}, ValueError, r"x has shape \(0, 2, 2\).* T at least 1"),
        ({"x": X > 0}, TypeError, "x has dtype bool, expected real numbers"),
        ({"x": X * np.nan}, ValueError, "x contains NaN or infinity: 12 of 12"),
        ({"lengths": [4, 1]}, ValueError, "lengths holds 4 at index .* from 1 to 3"),
        ({"lengths": [1.0, 2.0]}, TypeError, "lengths has dtype float64, expected whole numbers"),
    ],
)
def test_a_run_says_what_is_wrong(kind, rng, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make_layer(kind, rng=rng).run(**{"x": X, **arguments})


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ones", [True, False])
def test_a_weight_that_is_not_finite_is_found_by_a_step_and_a_run(kind, rng, value, ones):
    """Whatever it is multiplied by, and without a warning."""
    for name in make_layer(kind, rng=rng).params:
        layer = make_layer(kind, rng=rng)
        layer.params[name].flat[-1] = value
        x = X if ones else 0 * X
        own = "b_hh_n" if name.endswith("b_hh_n") else "the layer's packed weights .*"
        for call in (lambda x=x, own=layer: own.step(x[0]), lambda x=x, own=layer: own.run(x)):
            with pytest.raises(NotFiniteError, match=rf"^{own} contains NaN or inf.*: 1 of \d+"):
                call()


@pytest.mark.parametrize("kind", PACKED)
def test_what_overflows_in_a_step_is_reported_and_does_not_warn(kind, rng):
    layer = make_layer(kind, rng=rng)
    for W in layer.params.values():
        W[...] = 1e200
    with pytest.raises(NotFiniteError, match=r"^a_t \(inputs or weights are too large\) contains"):
        layer.step(1e200 * X_T)


def test_a_stack_steps_over_labels(rng):
    stack = make_layer("embedding", 5, 4, rng=rng)
    x = rng.integers(5, size=(6, 3))
    h, state_T, _ = stack.forward(x)
    assert_close(stack.run(x), (h, state_T))
    state = None
    for x_t, h_t in zip(x, h, strict=True):
        now, state = stack.step(x_t, state)
        assert_close(now, h_t)
    assert_close(state, state_T)
    alone = Stack(Embedding(5, 3, rng=rng))
    assert_close(alone.step(x[0]), (alone.forward(x)[0][0], ((),)), 0)
