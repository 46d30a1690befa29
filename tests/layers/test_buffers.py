"""Memory is used again, and never while anything still shows it."""

import copy
import gc
import pickle
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import (
    LAYERS,
    assert_close,
    make_layer,
    make_state,
    mapped,
    named,
    owners,
    traces,
    use_as_matmul,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from rnncourse import GRU, LSTM, RNN, Adam, Model, NotFiniteError, Readout, fit
from rnncourse.layers.buffers import IDLE, Buffers

each_layer = pytest.mark.parametrize("kind", LAYERS)
SINGLE = np.dtype(np.float32)


def no_views(*arrays):
    return []


def address(array):
    return array.__array_interface__["data"][0]


def idle_blocks(layer):
    return [
        block.memory
        for _, own in owners(layer)
        for buffers in (own._for_traces, own._for_the_way_back)
        for block in buffers._idle
    ]


# ---------------------------------------------------------------- lending


def test_arrays_have_the_shapes_asked_for_and_do_not_overlap():
    buffers = Buffers(no_views)
    shapes = [(3, 4), (2, 1, 5), (), (7,)]
    for dtype in (SINGLE, np.dtype(np.float64)):
        arrays = buffers.lend(dtype, *shapes)[0]
        assert [a.shape for a in arrays] == shapes
        assert {a.dtype for a in arrays} == {dtype}
        for n, a in enumerate(arrays):
            assert a.flags.c_contiguous
            assert a.flags.writeable
            a[...] = n
        for n, a in enumerate(arrays):
            assert_array_equal(a, n)


def test_memory_comes_back_when_the_last_array_is_gone():
    buffers = Buffers(no_views)
    a, b = buffers.lend(SINGLE, (3, 4), (5,))[0]
    place = address(a)
    assert buffers._idle == []
    del a
    assert buffers._idle == []  # b is of the same block
    del b
    assert [address(block.memory) for block in buffers._idle] == [place]
    (again,) = buffers.lend(SINGLE, (2, 2))[0]
    assert address(again) == place
    assert buffers._idle == []


@pytest.mark.parametrize(
    "show",
    [
        lambda a: a[0],
        lambda a: a[1:, ::2].T[0],
        lambda a: a.reshape(-1)[3:].reshape(3, 3).swapaxes(0, 1),
        lambda a: a.view(np.uint8),
        lambda a: np.broadcast_to(a[0], (9, 4)),
        lambda a: memoryview(a),
        lambda a: np.asarray(memoryview(a[2])),
        lambda a: iter(a),
        lambda a: {"deep": [a[1]]},
    ],
)
def test_whatever_shows_an_array_keeps_its_memory(show):
    buffers = Buffers(no_views)
    (a,) = buffers.lend(SINGLE, (3, 4))[0]
    place, shown = address(a), show(a)
    del a
    gc.collect()
    assert buffers._idle == []
    (other,) = buffers.lend(SINGLE, (3, 4))[0]
    assert address(other) != place
    del shown
    assert [address(block.memory) for block in buffers._idle] == [place]


def test_a_block_too_small_or_of_another_dtype_is_let_go():
    buffers = Buffers(no_views)
    buffers.lend(SINGLE, (4,))
    (large,) = buffers.lend(SINGLE, (100,))[0]
    assert buffers._idle == []
    del large
    (double,) = buffers.lend(np.dtype(np.float64), (2,))[0]
    assert double.dtype == np.float64
    assert buffers._idle == []


def test_few_blocks_are_kept():
    buffers = Buffers(no_views)
    lent = [buffers.lend(SINGLE, (10,))[0] for _ in range(5 * IDLE)]
    del lent
    assert len(buffers._idle) == IDLE


def test_no_block_is_lent_to_two_threads():
    """Each thread writes its own number and must find it again."""
    buffers, start = Buffers(no_views), threading.Barrier(8)

    def work(number):
        start.wait()
        for size in range(1, 400):
            (a,) = buffers.lend(SINGLE, (size % 7 + 60,))[0]
            a[...] = number
            (b,) = buffers.lend(SINGLE, (61,))[0]
            b[...] = -number
            if not ((a == number).all() and (b == -number).all()):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1, 9)))


# ---------------------------------------------------------------- layers


def a_pass(kind, T=4, B=3, seed=0):
    rng = np.random.default_rng(seed)
    layer = make_layer(kind, 2, 4, rng=rng)
    x, dh = rng.normal(size=(T, B, 2)), rng.normal(size=(T, B, 4))
    return layer, x, dh, make_state(layer, B, rng)


def results(layer, trace, dh, dstate_T=None):
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    return {"x": dx, **named(layer, dstate_0), **grads}


@each_layer
def test_a_second_step_takes_the_memory_of_the_first(kind):
    layer, x, dh, _ = a_pass(kind)
    for _ in range(2):
        h, _, trace = layer.forward(x)
        layer.backward(trace, dh)
        del trace
    places = sorted(map(address, idle_blocks(layer)))
    assert len(places) == 2 * len(owners(layer))
    for _ in range(3):
        layer.backward(layer.forward(x)[2], dh)
        assert sorted(map(address, idle_blocks(layer))) == places
    assert not any(np.shares_memory(h, block) for block in idle_blocks(layer))


@each_layer
@given(data=st.data())
def test_old_numbers_in_the_memory_do_not_matter(kind, data):
    """Passes of changing sizes, over memory that was filled with NaN in between."""
    layer = a_pass(kind)[0]
    for seed in range(data.draw(st.integers(2, 4))):
        T, B = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
        _, x, dh, state = a_pass(kind, T, B, seed)
        lengths = np.random.default_rng(seed).integers(1, T + 1, B)
        lengths = data.draw(st.sampled_from([None, lengths]))
        h, state_T, trace = layer.forward(x, state, lengths)
        back = results(layer, trace, dh, state)
        fresh = copy.deepcopy(layer)
        h_2, state_2, trace_2 = fresh.forward(x, state, lengths)
        assert_close((h, state_T), (h_2, state_2), 0)
        assert_close(back, results(fresh, trace_2, dh, state), 0)
        del trace
        for block in idle_blocks(layer):
            block[...] = np.nan


@each_layer
def test_two_traces_are_alive_side_by_side(kind):
    layer, x, dh, state = a_pass(kind)
    _, _, one = layer.forward(x, state)
    expected = results(layer, one, dh)
    _, _, two = layer.forward(-x)
    other = results(layer, two, dh)
    for _ in range(3):  # in any order, and with passes in between
        assert_close(results(layer, one, dh), expected, 0)
        layer.forward(3 * x)
        assert_close(results(layer, two, dh), other, 0)


@each_layer
def test_an_array_of_a_trace_outlives_the_trace(kind):
    layer, x, dh, _ = a_pass(kind)
    _, _, trace = layer.forward(x)
    kept = [part[1:] for own in traces(trace) for part in (own.columns, own.h, own.W)]
    before = [part.copy() for part in kept]
    del trace
    for k in range(4):
        layer.backward(layer.forward(k * x)[2], dh)
    assert_close(tuple(kept), tuple(before), 0)


@each_layer
def test_results_belong_to_the_caller(kind):
    layer, x, dh, state = a_pass(kind)
    h, state_T, trace = layer.forward(x, state)
    mine = {"out": h, **{f"{n}_T": s for n, s in named(layer, state_T).items()}}
    mine |= results(layer, trace, dh, state)
    del trace
    before = {name: array.copy() for name, array in mine.items()}
    for block in idle_blocks(layer):
        block[...] = np.nan
    layer.backward(layer.forward(2 * x)[2], -dh)
    assert_close(mine, before, 0)


@each_layer
def test_an_error_in_between_leaves_other_traces_as_they_are(kind, monkeypatch):
    layer, x, dh, state = a_pass(kind)
    _, _, trace = layer.forward(x, state)
    expected = results(layer, trace, dh)
    matmul, calls = np.matmul, []

    def fails(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return matmul(*arguments, **options)

    with monkeypatch.context() as patched:
        use_as_matmul(patched, fails)
        with pytest.raises(KeyboardInterrupt):
            layer.forward(5 * x)
        assert_close(results(layer, trace, dh), expected, 0)
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            layer.backward(trace, dh)
    with pytest.raises(NotFiniteError):
        layer.forward(x * np.nan)
    with pytest.raises(NotFiniteError):
        layer.backward(trace, dh * np.nan)
    assert_close(results(layer, trace, dh), expected, 0)
    assert_close(results(layer, layer.forward(x, state)[2], dh), expected, 0)


@pytest.mark.slow
@each_layer
def test_threads_with_a_model_each_or_one_for_all(kind):
    layer, x, dh, state = a_pass(kind, T=6)
    inputs = [(k + 1) * x / 4 for k in range(4)]
    expected = [results(layer, layer.forward(x_k, state)[2], dh) for x_k in inputs]

    def work(k, own):
        for _ in range(30):
            _, _, trace = own.forward(inputs[k], state)
            assert_close(results(own, trace, dh), expected[k], 0)
        return True

    for own in ([copy.deepcopy(layer) for _ in inputs], [layer] * 4):
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(4), own))


@each_layer
def test_a_copy_of_a_layer_has_memory_of_its_own(kind):
    layer, x, dh, _ = a_pass(kind)
    expected = results(layer, layer.forward(x)[2], dh)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert idle_blocks(twin) == []
        assert_close(results(twin, twin.forward(x)[2], dh), expected, 0)
        for mine in idle_blocks(layer):
            assert not any(np.shares_memory(mine, theirs) for theirs in idle_blocks(twin))


# ---------------------------------------------------------------- memory that does not grow


def test_a_layer_keeps_no_more_than_its_largest_pass_needs():
    layer, *_ = a_pass("LSTM")
    sizes = []
    for T in (3, 50, 4, 50, 7):
        _, x, dh, _ = a_pass("LSTM", T)
        layer.backward(layer.forward(x)[2], dh)
        sizes.append(sum(block.nbytes for block in idle_blocks(layer)))
    assert sizes[0] < sizes[1] == sizes[2] == sizes[3] == sizes[4]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_truncated_training_needs_no_more_memory_for_longer_sequences(kind):
    def peak(T, truncate):
        rng = np.random.default_rng(0)
        layer = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}[kind](4, 16, rng=rng, dtype=np.float32)
        model = Model(layer, Readout(16, 3, rng=rng, dtype=np.float32))
        x, labels = rng.normal(size=(T, 8, 4)).astype(np.float32), rng.integers(3, size=(T, 8))
        tracemalloc.start()
        try:
            fit(model, x, labels, epochs=1, optimizer=Adam(), rng=rng, truncate=truncate,
                progress=False)  # fmt: skip
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(1000, 20) < 1.25 * peak(100, 20)  # a history of 50 updates, not of 5
    assert peak(1000, None) > 3 * peak(100, None)


def test_a_trace_is_not_kept_alive_by_its_layer():
    layer = LSTM(2, 3, rng=np.random.default_rng(0))
    _, _, trace = layer.forward(np.ones((4, 2, 2)))
    blocks = mapped(address, tuple(idle_blocks(layer)))
    assert blocks == ()
    del trace
    assert len(idle_blocks(layer)) == 1
