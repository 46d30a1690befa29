"""What the RNN alone promises; test_layers has what it shares with the other layers."""

import numpy as np
import pytest
from helpers import make_layer
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import RNN

X, STATE = np.ones((3, 2, 2)), np.ones((2, 4))


def test_initial_weights_are_drawn_from_one_over_root_H(rng):
    layer = RNN(30, 25, rng=rng)
    for name in ("W_xh", "W_hh"):
        W = layer.params[name]
        assert W.min() < -0.19
        assert W.max() > 0.19
        assert np.abs(W).max() <= 0.2
        assert abs(W.mean()) < 0.02
    assert_array_equal(layer.params["b_h"], 0)


def test_a_bias_alone_by_hand(rng):
    layer = make_layer("RNN", rng=rng)
    layer.params["W_xh"][...] = 0
    layer.params["W_hh"][...] = 0
    layer.params["b_h"][:] = 0.5
    assert_allclose(layer.forward(np.ones((1, 1, 2)))[0], np.tanh(0.5))


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.ones((4, 2)), ValueError, r"state has shape \(4, 2\), expected \(2, 4\)"),
        (np.ones(4), ValueError, "state has shape"),
        (STATE * 1j, TypeError, "state has dtype complex128"),
        (STATE * np.nan, ValueError, "state contains NaN"),
        (STATE * np.inf, ValueError, "state contains NaN or infinity"),
    ],
)
def test_a_state_that_does_not_fit(rng, state, error, message):
    layer = make_layer("RNN", rng=rng)
    with pytest.raises(error, match=f"^{message}"):
        layer.forward(X, state)
    for lengths in (None, [3, 1]):
        _, _, trace = layer.forward(X, lengths=lengths)
        with pytest.raises(error, match=f"^d{message.replace('state', 'state_T')}"):
            layer.backward(trace, np.ones((3, 2, 4)), state)


def test_a_trace_of_another_layer_is_refused(rng):
    _, _, trace = make_layer("RNN", 2, 4, rng=rng).forward(X)
    with pytest.raises(ValueError, match=r"^trace comes from .*\(4, 7\) .*, expected \(5, 8\) and"):
        make_layer("RNN", 2, 5, rng=rng).backward(trace, np.ones((3, 2, 5)))


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
    with pytest.raises(error, match=f"^{message}"):
        RNN(**{"input_size": 2, "hidden_size": 3, "rng": rng, **arguments})
