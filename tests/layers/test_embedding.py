"""A table of vectors for whole numbers: what it computes, and what it refuses."""

import copy

import numpy as np
import pytest
from helpers import (
    assert_close,
    composed_gradients,
    make_layer,
    make_problem,
    make_state,
    measured_gradients,
    named,
    percent,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from rnncourse import GRU, RNN, Bidirectional, Embedding, Model, NotFiniteError, Readout, Stack

KINDS = ("RNN", "LSTM", "GRU", "GRU-before", "bidirectional")


@st.composite
def tables(draw):
    """An embedding with labels that repeat, lengths (or None), and a gradient for its vectors."""
    T, B, V, D = (draw(st.integers(1, n)) for n in (6, 3, 4, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    lengths = rng.integers(1, T + 1, B) if draw(st.booleans()) else None
    return (
        Embedding(V, D, rng=rng),
        rng.integers(V, size=(T, B)),
        lengths,
        rng.normal(size=(T, B, D)),
    )


def ends(x, lengths):
    return np.full(x.shape[1], len(x)) if lengths is None else lengths


@given(tables())
def test_a_vector_for_each_label_and_their_sum_on_the_way_back(drawn):
    layer, x, lengths, dh = drawn
    table, dtable = layer.params["table"], np.zeros(layer.params["table"].shape)
    e, state, trace = layer.forward(x, (), lengths)
    expected = np.zeros(e.shape)
    for b, n in enumerate(ends(x, lengths)):
        for t in range(n):
            expected[t, b] = table[x[t, b]]
            dtable[x[t, b]] += dh[t, b]
    assert state == ()
    assert_array_equal(e, expected)
    dx, dstate, grads = layer.backward(trace, dh, ())
    assert (dx, dstate) == (None, ())
    assert_close(grads, {"table": dtable})
    assert_close(layer.run(x, (), lengths), (e, ()), 0)
    assert_close(layer.backward(trace)[2], {"table": 0 * dtable}, 0)


@pytest.mark.parametrize("kind", KINDS)
@percent(50)
@given(drawn=tables(), H=st.integers(1, 4), seed=st.integers(0, 2**20))
def test_it_is_a_matrix_applied_to_one_hot_vectors(kind, drawn, H, seed):
    """W_xh table.T reads one-hot vectors as W_xh reads the table's rows."""
    embedding, x, lengths, _ = drawn
    rng, (V, D) = np.random.default_rng(seed), embedding.params["table"].shape
    layer, table = make_layer(kind, D, H, rng=rng), embedding.params["table"]
    wide = make_layer(kind, V, H, rng=rng)
    W_xh = [name for name in layer.params if name.endswith("W_xh")]
    wide.load_params({n: W @ table.T if n in W_xh else W for n, W in layer.params.items()})
    stack, one_hot = Stack(embedding, layer), np.eye(V)[x]
    state, outer = (make_state(layer, x.shape[1], rng) for _ in range(2))
    dh = rng.normal(size=(*x.shape, layer.hidden_size))
    h, state_T, trace = stack.forward(x, ((), state), lengths)
    h_wide, state_wide, trace_wide = wide.forward(one_hot, state, lengths)
    assert_close((h, state_T), (h_wide, ((), state_wide)))
    dx, dstate_0, grads = stack.backward(trace, dh, ((), outer))
    _, dstate_wide, grads_wide = wide.backward(trace_wide, dh, outer)
    assert dx is None
    assert_close(dstate_0, ((), dstate_wide))
    # From V = W_xh tableᵀ: dtable = dVᵀ W_xh, summed over all V, and dW_xh = dV table.
    dtable = sum(grads_wide[n].T @ layer.params[n] for n in W_xh)
    expected = {n: g @ table if n in W_xh else g for n, g in grads_wide.items()}
    expected = {f"layer2.{n}": g for n, g in expected.items()} | {"layer1.table": dtable}
    assert_close(grads, expected)


@percent(25)
@given(
    seed=st.integers(0, 2**20),
    ragged=st.booleans(),
    arrangement=st.sampled_from(["many-to-many", "many-to-one"]),
    loss=st.sampled_from(["squared_error", "cross_entropy"]),
)
def test_gradients_of_a_model_agree_with_complex_steps_and_the_equations(seed, **options):
    rng = np.random.default_rng(seed)
    p = make_problem(rng, layer="embedding", masked=True, **options)
    found = p.model.loss_and_gradients(**p.data, state=p.state)
    E, composed = composed_gradients(p)
    grads = {**found.grads, **named(p.model.layer, found.dstate_0)}
    assert found.dx is None
    assert_close(found.E, E)
    assert_close(grads, composed)
    assert_close(grads, measured_gradients(p))


def test_both_directions_may_have_a_table(rng):
    both = Bidirectional(Embedding(5, 3, rng=rng))
    for tied in ({}, {"lengths": [4, 2]}):
        x = rng.integers(5, size=(4, 2))
        e, state, trace = both.forward(x, **tied)
        assert state == ((), ())
        assert_array_equal(e[:, :, :3], e[:, :, 3:])
        dh = rng.normal(size=(4, 2, 6))
        dx, _, grads = both.backward(trace, dh)
        assert dx is None
        single = both.forward_layer.forward(x, **tied)[2]
        for name, half in (("forward", dh[:, :, :3]), ("reverse", dh[:, :, 3:])):
            dtable = both.forward_layer.backward(single, half)[2]["table"]
            assert_close(grads[f"{name}.table"], dtable)


# ---------------------------------------------------------------- ends, ownership, precision


@pytest.mark.parametrize("label", [-1, 99, 2**40])
def test_what_lies_past_the_end_of_a_sequence_does_not_matter(rng, label):
    stack = make_layer("embedding", 5, 4, rng=rng)
    x, lengths, dh = rng.integers(5, size=(4, 3)), [4, 1, 2], rng.normal(size=(4, 3, 4))
    h, state_T, trace = stack.forward(x, lengths=lengths)
    back = stack.backward(trace, dh)
    past = np.arange(4)[:, None] >= lengths
    x[past], dh[past] = label, np.nan
    h_2, state_2, trace_2 = stack.forward(x, lengths=lengths)
    assert_close((h_2, state_2), (h, state_T), 0)
    assert_close(stack.run(x, lengths=lengths), (h, state_T))
    _, _, grads = stack.backward(trace_2, dh)
    assert_close(grads, back[2], 0)


def test_a_label_that_only_stands_past_an_end_gets_no_gradient(rng):
    layer = Embedding(5, 3, rng=rng)
    _, _, trace = layer.forward([[1, 2], [3, 4]], lengths=[1, 2])
    _, _, grads = layer.backward(trace, np.ones((2, 2, 3)))
    assert_array_equal(grads["table"].any(axis=1), [False, True, True, False, True])


@pytest.mark.parametrize("lengths", [None, [3, 3]])
def test_a_trace_and_results_own_their_numbers(rng, lengths):
    layer, x = Embedding(5, 3, rng=rng), rng.integers(5, size=(3, 2))
    dh = rng.normal(size=(3, 2, 3))
    given_ = None if lengths is None else np.array(lengths)
    e, _, trace = layer.forward(x, None, given_)
    _, _, before = layer.backward(trace, dh)
    expected, table = before["table"].copy(), layer.params["table"].copy()
    for array in (x, e, before["table"]):
        array[...] = 0
    if given_ is not None:
        given_[...] = 1
    assert_array_equal(layer.params["table"], table)
    layer.params["table"][...] += 1
    assert_array_equal(layer.backward(trace, dh)[2]["table"], expected)


def test_float32_stays_float32(rng):
    single, double = Embedding(5, 3, rng=rng, dtype=np.float32), Embedding(5, 3, rng=rng)
    single.load_params(double.params)
    x, dh = rng.integers(5, size=(6, 4)), rng.normal(size=(6, 4, 3))
    results = []
    for layer in (single, double):
        e, _, trace = layer.forward(x)
        e_t, _ = layer.step(x[0])
        results.append((e, e_t, layer.backward(trace, dh)[2]["table"]))
    assert {a.dtype for a in results[0]} == {np.dtype(np.float32)}
    assert {a.dtype for a in results[1]} == {np.dtype(np.float64)}
    assert_close(results[0], results[1], 1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_labels_may_be_whole_numbers_of_any_width(rng, dtype):
    layer, x = Embedding(5, 3, rng=rng), rng.integers(5, size=(3, 2))
    for lengths in (None, [1, 3]):
        e = layer.forward(x.astype(dtype), lengths=lengths)[0]
        assert_array_equal(e, layer.forward(x.tolist(), lengths=lengths)[0])


def test_step_by_step_it_is_the_same(rng):
    layer, x = Embedding(5, 3, rng=rng), rng.integers(5, size=(4, 2))
    e, state = layer.forward(x)[0], None
    for t in range(4):
        e_t, state = layer.step(x[t], state)
        assert_array_equal(e_t, e[t])
        assert state == ()
        e_t[...] = 0  # a copy
    assert_array_equal(layer.forward(x)[0], e)


def test_the_table_is_drawn_from_the_standard_normal_distribution(rng):
    layer = Embedding(200, 50, rng=rng)
    table = layer.params["table"]
    assert (table.shape, table.dtype) == ((200, 50), np.dtype(np.float64))
    assert abs(table.mean()) < 0.05
    assert abs(table.std() - 1) < 0.05
    assert 3 < np.abs(table).max() < 6
    twin = copy.deepcopy(layer)
    twin.params["table"][...] = 0
    assert (table != 0).all()
    assert repr(layer) == "Embedding(200, 50, dtype=float64)"
    assert (layer.input_size, layer.hidden_size, layer.takes_labels) == (200, 50, True)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[0, 1], [5, 2]], ValueError, r"x holds 5 at index \(1, 0\), expected whole .* 0 to 4"),
        ([[0, -1]], ValueError, r"x holds -1 at index \(0, 1\)"),
        ([[0.0, 1.0]], TypeError, "x has dtype float64, expected whole numbers"),
        ([[True, False]], TypeError, "x has dtype bool, expected whole numbers"),
        ([["a", "b"]], TypeError, "x has dtype <U1"),
        ([[1], [1, 2]], TypeError, "x is not a regular array"),
        (None, TypeError, "x has dtype object"),
        ([0, 1], ValueError, r"x has shape \(2,\), expected \(T, B\)"),
        ([[[0, 1]]], ValueError, r"x has shape \(1, 1, 2\), expected \(T, B\)"),
        (np.zeros((0, 2), int), ValueError, r"x has shape \(0, 2\).* T at least 1"),
        (np.zeros((2, 0), int), ValueError, r"x has shape \(2, 0\).* B at least 1"),
    ],
)
def test_forward_and_run_say_what_is_wrong(rng, x, error, message):
    layer = Embedding(5, 3, rng=rng)
    for call in (layer.forward, layer.run, Stack(layer, RNN(3, 2, rng=rng)).forward):
        with pytest.raises(error, match=f"^{message}"):
            call(x)
        if np.ndim(np.asarray(x, dtype=object)) == 2 and np.size(x):
            with pytest.raises(error, match=f"^{message}"):
                call(x, lengths=[len(x)] * len(x[0]))


@pytest.mark.parametrize(
    ("x_t", "error", "message"),
    [
        ([5], ValueError, r"x_t holds 5 at index \(0,\), expected whole numbers from 0 to 4"),
        ([-1], ValueError, "x_t holds -1"),
        ([1.0], TypeError, "x_t has dtype float64, expected whole numbers"),
        ([True], TypeError, "x_t has dtype bool"),
        ([[1]], ValueError, r"x_t has shape \(1, 1\), expected \(B,\)"),
        (1, ValueError, r"x_t has shape \(\), expected \(B,\)"),
        (np.zeros(0, int), ValueError, "x_t has shape .* B at least 1"),
    ],
)
def test_a_step_says_what_is_wrong(rng, x_t, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Embedding(5, 3, rng=rng).step(x_t)


@pytest.mark.parametrize("lengths", [[3, 1], [0, 1], [1], 1, [1.0, 1.0]])
def test_lengths_that_do_not_fit(rng, lengths):
    with pytest.raises((ValueError, TypeError), match=r"^lengths (holds|has) "):
        Embedding(5, 3, rng=rng).forward([[1, 2], [3, 4]], lengths=lengths)


@pytest.mark.parametrize("state", [np.ones((2, 3)), (np.ones((2, 3)),), [], 0, np.zeros(0)])
def test_a_state_is_refused(rng, state):
    layer = Embedding(5, 3, rng=rng)
    _, _, trace = layer.forward([[1, 2]])
    message = r"is given, expected \(\) or None: an embedding has no state"
    for call in (
        lambda: layer.forward([[1, 2]], state),
        lambda: layer.run([[1, 2]], state),
        lambda: layer.step([1, 2], state),
    ):
        with pytest.raises(ValueError, match=f"^state {message}"):
            call()
    with pytest.raises(ValueError, match=f"^dstate_T {message}"):
        layer.backward(trace, None, state)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_table_that_is_not_finite_is_found_where_it_is_used(rng, value):
    layer = Embedding(5, 3, rng=rng)
    layer.params["table"][4, 1] = value
    message = r"^table contains NaN or infinity: 1 of 15 entries, the first at index \(4, 1\)"
    for call in (layer.forward, layer.run, lambda x: layer.step(x[0])):
        with pytest.raises(NotFiniteError, match=message):
            call([[1, 4]])


def test_large_numbers_whose_sum_overflows_are_no_error(rng):
    layer = Embedding(2, 3, rng=rng, dtype=np.float32)
    layer.params["table"][...] = 3e38
    assert_array_equal(layer.forward([[0, 1]])[0], np.full((1, 2, 3), 3e38, np.float32))


@pytest.mark.parametrize("lengths", [None, [2, 1]])
@pytest.mark.parametrize(
    ("dh", "error", "message"),
    [
        (np.ones((2, 2, 4)), ValueError, r"dh has shape \(2, 2, 4\), expected \(2, 2, 3\)"),
        (np.ones((2, 2, 3), bool), TypeError, "dh has dtype bool"),
        (np.full((2, 2, 3), np.nan), ValueError, "dh contains NaN"),
    ],
)
def test_backward_says_what_is_wrong(rng, lengths, dh, error, message):
    layer = Embedding(5, 3, rng=rng)
    _, _, trace = layer.forward([[1, 2], [3, 4]], lengths=lengths)
    with pytest.raises(error, match=f"^{message}"):
        layer.backward(trace, dh)


def test_a_trace_of_another_layer_is_refused(rng):
    other = RNN(2, 3, rng=rng).forward(np.ones((2, 2, 2)))[2]
    with pytest.raises(TypeError, match=r"^trace is a Trace, expected an embedding's Trace"):
        Embedding(5, 3, rng=rng).backward(other)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size is 0, expected at least 1"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size is 2.0, expected a whole number"),
        ({"rng": 0}, TypeError, "rng is 0, expected a generator"),
        ({"dtype": int}, TypeError, "dtype is int64"),
    ],
)
def test_a_layer_says_what_it_cannot_be_made_of(rng, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Embedding(**{"input_size": 2, "hidden_size": 3, "rng": rng, **arguments})


def test_the_table_is_loaded_if_it_fits(rng):
    layer = Embedding(2, 3, rng=rng)
    before = layer.params["table"].copy()
    with pytest.raises(ValueError, match=r"^table has shape \(3, 2\), expected \(2, 3\)"):
        layer.load_params({"table": np.ones((3, 2))})
    with pytest.raises(ValueError, match=r"^parameters given are"):
        layer.load_params({"weight": np.ones((2, 3))})
    assert_array_equal(layer.params["table"], before)
    layer.load_params({"table": np.ones((2, 3))})
    assert_array_equal(layer.params["table"], 1)
    with pytest.raises(TypeError, match="does not support item assignment"):
        layer.params["table"] = before


def test_it_stands_first_and_reads_no_zeros(rng):
    with pytest.raises(
        ValueError, match=r"^layer 2 is Embedding\(.*, which takes labels, expected"
    ):
        Stack(RNN(2, 5, rng=rng), Embedding(5, 3, rng=rng))
    stack = Stack(Embedding(5, 3, rng=rng), GRU(3, 4, rng=rng))
    with pytest.raises(ValueError, match=r"^arrangement is 'one-to-many', expected another"):
        Model(stack, Readout(4, 2, rng=rng), arrangement="one-to-many")


def test_a_trace_of_another_table_is_refused(rng):
    e, _, trace = Embedding(5, 3, rng=rng).forward([[4, 0]])
    message = r"^trace comes from a table of shape \(5, 3\), expected \(3, 3\)"
    with pytest.raises(ValueError, match=message):
        Embedding(3, 3, rng=rng).backward(trace, e)
