"""Both ways by blocks of steps: its blocks, and that their size does not matter."""

import numpy as np
import pytest
from helpers import LAYERS, assert_close, complex_steps, make_layer, make_state, mapped, percent
from hypothesis import given
from hypothesis import strategies as st
from layers.test_layers import make_run, runs
from numpy.testing import assert_array_equal

from rnncourse import RNN
from rnncourse.layers import packed

each_layer = pytest.mark.parametrize("kind", LAYERS)


def with_columns(columns, function, name="COLUMNS"):
    """Call `function` while a block of steps has about so many columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, name, columns)
        return function()


@each_layer
@percent(50)
@given(run=runs(T=5), columns=st.integers(1, 12))
def test_blocks_of_any_size_agree_with_complex_steps(kind, run, columns):
    r = run(kind)
    assert_close(with_columns(columns, r.gradients), complex_steps(r.E, r.values))


@each_layer
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("columns", [1, 7, 8, 20, 100])
def test_the_size_of_a_block_does_not_matter(kind, ragged, columns):
    r = make_run(kind, T=23, B=4, D=3, H=5, ragged=ragged)
    _, _, trace = r.forward()
    whole = with_columns(23 * 4, lambda: r.backward(trace))
    assert_close(with_columns(columns, lambda: r.backward(trace)), whole)


BLOCKS = [
    (5, 2, 4, [(3, 5), (1, 3), (0, 1)]),  # the first steps are what is left over
    (4, 2, 4, [(2, 4), (0, 2)]),
    (3, 9, 4, [(2, 3), (1, 2), (0, 1)]),  # one step at least
    (3, 1, 100, [(0, 3)]),
]


@pytest.mark.parametrize(("T", "B", "columns", "expected"), BLOCKS)
def test_the_way_back_covers_every_step_once_from_the_end(
    rng, monkeypatch, T, B, columns, expected
):
    layer, found = RNN(2, 3, rng=rng), []
    h, _, trace = layer.forward(rng.normal(size=(T, B, 2)))
    backward = layer._backward

    def seen(trace, block, memory, steps, from_next):
        delta_h, delta_a = memory
        found.append((block.start, block.stop))
        assert len(delta_h) == len(delta_a) == len(steps) == block.stop - block.start
        assert_array_equal(delta_h, h[block].transpose(0, 2, 1))
        for s, delta_h_t, delta_a_t in zip(steps, delta_h[::-1], delta_a[::-1], strict=True):
            assert s.delta_h.ctypes.data == delta_h_t.ctypes.data
            assert s.delta_a.ctypes.data == delta_a_t.ctypes.data
        backward(trace, block, memory, steps, from_next)

    monkeypatch.setattr(layer, "_backward", seen)
    with_columns(columns, lambda: layer.backward(trace, h))
    assert found == expected


@pytest.mark.parametrize(
    ("T", "B", "columns", "expected"),
    [(5, 2, 4, [2, 2, 1]), (4, 2, 4, [2, 2]), (3, 9, 4, [1, 1, 1]), (3, 1, 100, [3])],
)
def test_a_run_covers_every_step_once_from_the_start(rng, monkeypatch, T, B, columns, expected):
    layer, x, found = RNN(2, 3, rng=rng), rng.normal(size=(T, B, 2)), []
    forward = layer._forward

    def seen(trace, steps):
        begin = sum(found)
        found.append(len(steps))
        here = x[begin : begin + len(steps)].transpose(0, 2, 1)
        assert_array_equal(trace.columns[: len(steps), 3:-1], here)
        assert len(trace.columns) == expected[0] + 1
        forward(trace, steps)

    monkeypatch.setattr(layer, "_forward", seen)
    with_columns(columns, lambda: layer.run(x), "COLUMNS_OF_A_RUN")
    assert found == expected


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "GRU-before"])
@pytest.mark.parametrize("columns", [1, 8, 100])
@pytest.mark.parametrize("lengths", [[3, 1, 3, 2], [4, 4, 4, 4], [1, 1, 1, 1], [5, 2, 1, 4]])
def test_what_reaches_a_final_state_enters_at_the_sequences_last_step(rng, kind, columns, lengths):
    """As if each sequence were run alone, and its last step were the last of all."""
    layer, x = make_layer(kind, rng=rng), rng.normal(size=(5, 4, 2))
    state, outer = make_state(layer, 4, rng), make_state(layer, 4, rng)

    def back(x, state, outer, lengths=None):
        _, _, trace = layer.forward(x, state, lengths)
        return layer.backward(trace, None, outer)

    dx, dstate_0, grads = with_columns(columns, lambda: back(x, state, outer, lengths))
    total = {name: np.zeros(W.shape) for name, W in layer.params.items()}
    for b, n in enumerate(lengths):

        def only(state, one=slice(b, b + 1)):
            return mapped(lambda s: s[one], state)

        dx_b, dstate_b, grads_b = back(x[:n, b : b + 1], only(state), only(outer))
        assert_close((dx[:n, b : b + 1], only(dstate_0)), (dx_b, dstate_b))
        assert_array_equal(dx[n:, b], 0)
        total = {name: total[name] + grads_b[name] for name in total}
    assert_close(grads, total)
