"""The way back by blocks of steps: its blocks, and that their size does not matter."""

import pytest
from helpers import LAYERS, assert_close, complex_steps, percent
from hypothesis import given
from hypothesis import strategies as st
from layers.test_layers import make_run, runs
from numpy.testing import assert_array_equal

from rnncourse import LSTM, RNN
from rnncourse.layers import packed

each_layer = pytest.mark.parametrize("kind", LAYERS)


def with_columns(columns, function):
    """Call `function` while a block of steps has about so many columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "COLUMNS", columns)
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


@pytest.mark.parametrize(
    ("T", "B", "columns", "expected"),
    [
        (5, 2, 4, [(3, 5), (1, 3), (0, 1)]),  # the first steps are what is left over
        (4, 2, 4, [(2, 4), (0, 2)]),
        (3, 9, 4, [(2, 3), (1, 2), (0, 1)]),  # one step at least
        (3, 1, 100, [(0, 3)]),
    ],
)
def test_blocks_cover_every_step_once_from_the_end(rng, T, B, columns, expected):
    layer = RNN(2, 3, rng=rng)
    h, _, trace = layer.forward(rng.normal(size=(T, B, 2)))

    def all_blocks():
        way_back = packed.WayBack(trace, h, layer._for_the_way_back, (3, 3))
        found = []
        for steps, (delta_h, delta_a), each_step in way_back.blocks():
            found.append((steps.start, steps.stop))
            assert len(delta_h) == len(delta_a) == len(each_step) == steps.stop - steps.start
            assert_array_equal(delta_h, h[steps].transpose(0, 2, 1))
            for (dh_t, da_t), dh_k, da_k in zip(
                each_step, delta_h[::-1], delta_a[::-1], strict=True
            ):
                assert dh_t.ctypes.data == dh_k.ctypes.data
                assert da_t.ctypes.data == da_k.ctypes.data
            delta_a[...] = 0
        return found

    assert with_columns(columns, all_blocks) == expected


@pytest.mark.parametrize("lengths", [[3, 1, 3, 2], [4, 4, 4, 4]])
def test_endings_name_the_sequences_that_end_with_a_step(rng, lengths):
    layer = LSTM(2, 3, rng=rng)
    h, _, trace = layer.forward(rng.normal(size=(4, 4, 2)), lengths=lengths)
    endings = packed.WayBack(trace, h, layer._for_the_way_back, (3, 3, 12)).endings()
    assert {(t, b) for t, found in endings.items() for b in found} == {
        (n - 1, b) for b, n in enumerate(lengths)
    }
