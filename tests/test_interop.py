"""State dicts of torch.nn.RNN, as plain arrays (with PyTorch itself: test_torch)."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rnncourse import RNN
from rnncourse.interop import load_torch_state, torch_state


@pytest.fixture
def state(rng):
    shapes = {
        "weight_ih_l0": (3, 2),
        "weight_hh_l0": (3, 3),
        "bias_ih_l0": (3,),
        "bias_hh_l0": (3,),
    }
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def test_names_and_the_sum_of_the_biases(rng, state):
    layer = RNN(2, 3, rng=rng)
    load_torch_state(layer, state)
    assert_array_equal(layer.params["W_xh"], state["weight_ih_l0"])
    assert_array_equal(layer.params["W_hh"], state["weight_hh_l0"])
    assert_array_equal(layer.params["b_h"], state["bias_ih_l0"] + state["bias_hh_l0"])
    back = torch_state(layer)
    assert set(back) == set(state)
    assert_array_equal(back["weight_ih_l0"], state["weight_ih_l0"])
    assert_array_equal(back["weight_hh_l0"], state["weight_hh_l0"])
    assert_array_equal(back["bias_ih_l0"], layer.params["b_h"])
    assert_array_equal(back["bias_hh_l0"], 0)


def test_without_biases_b_h_is_zero(rng, state):
    layer = RNN(2, 3, rng=rng)
    layer.params["b_h"][:] = 1
    load_torch_state(layer, {n: a for n, a in state.items() if n.startswith("weight")})
    assert_array_equal(layer.params["b_h"], 0)


def test_the_state_is_a_copy(rng):
    layer = RNN(2, 3, rng=rng)
    before = layer.params["W_hh"].copy()
    for array in torch_state(layer).values():
        array[...] = 9
    assert_array_equal(layer.params["W_hh"], before)
    assert_array_equal(layer.params["b_h"], 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"weight_ih_l1": s["weight_hh_l0"]}, "state has .*weight_ih_l1.*, expected"),
        (lambda s: {n: a for n, a in s.items() if n != "bias_hh_l0"}, "1 layer, one direction"),
        (
            lambda s: s | {"weight_ih_l0": np.ones((4, 2))},
            r"weight_ih_l0 has shape \(4, 2\), expected \(3, 2\)",
        ),
        (lambda s: s | {"weight_hh_l0": np.full((3, 3), np.nan)}, "weight_hh_l0 contains NaN"),
        (lambda s: s | {"bias_ih_l0": np.ones(1)}, r"bias_ih_l0 has shape \(1,\)"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(rng, state, change, message):
    layer = RNN(2, 3, rng=rng)
    before = layer.params["W_xh"].copy()
    with pytest.raises(ValueError, match=message):
        load_torch_state(layer, change(state))
    assert_array_equal(layer.params["W_xh"], before)
