"""State dicts of torch.nn.RNN and torch.nn.LSTM, as plain arrays (with PyTorch: test_torch)."""

import numpy as np
import pytest
from helpers import LAYERS, assert_close, make_layer, owners
from numpy.testing import assert_array_equal

from rnncourse.interop import load_torch_state, to_torch, torch_state

each_layer = pytest.mark.parametrize("kind", [*LAYERS, "LSTMs"])
# Rows of the weights of one layer, in units of H: an LSTM stacks four gates.
ROWS = {"RNN": 1, "LSTM": 4}


def draw_state(layer, rng):
    """A state dict of a module with the sizes of `layer`."""
    state = {}
    for k, (_, own) in enumerate(owners(layer)):
        D, H = own.input_size, own.hidden_size
        rows = H * ROWS[type(own).__name__]
        shapes = {"weight_ih": (rows, D), "weight_hh": (rows, H), "bias_ih": (rows,)}
        shapes["bias_hh"] = (rows,)
        state |= {f"{name}_l{k}": rng.normal(size=shape) for name, shape in shapes.items()}
    return state


def snapshot(layer):
    return {name: W.copy() for name, W in layer.params.items()}


@each_layer
def test_names_and_the_sum_of_the_biases(rng, kind):
    layer = make_layer(kind, rng=rng)
    state = draw_state(layer, rng)
    load_torch_state(layer, state)
    back = torch_state(layer)
    assert set(back) == set(state)
    for k, (_, own) in enumerate(owners(layer)):
        b_h = state[f"bias_ih_l{k}"] + state[f"bias_hh_l{k}"]
        assert_array_equal(own.params["W_xh"], state[f"weight_ih_l{k}"])
        assert_array_equal(own.params["W_hh"], state[f"weight_hh_l{k}"])
        assert_array_equal(own.params["b_h"], b_h)
        assert_array_equal(back[f"weight_ih_l{k}"], state[f"weight_ih_l{k}"])
        assert_array_equal(back[f"weight_hh_l{k}"], state[f"weight_hh_l{k}"])
        assert_array_equal(back[f"bias_ih_l{k}"], b_h)
        assert_array_equal(back[f"bias_hh_l{k}"], 0)


@each_layer
def test_without_biases_b_h_is_zero(rng, kind):
    layer = make_layer(kind, rng=rng)
    state = draw_state(layer, rng)
    load_torch_state(layer, {n: a for n, a in state.items() if n.startswith("weight")})
    for _, own in owners(layer):
        assert_array_equal(own.params["b_h"], 0)
        assert (own.params["W_hh"] != 0).all()


@each_layer
def test_the_state_is_a_copy(rng, kind):
    layer = make_layer(kind, rng=rng)
    before = snapshot(layer)
    for array in torch_state(layer).values():
        array[...] = 9
    assert_close(snapshot(layer), before, 0)


def replaced(name, change):
    return lambda state: {**state, name: change(state[name])}


def without(*names):
    return lambda state: {n: a for n, a in state.items() if n not in names}


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("RNN", lambda s: s | {"weight_ih_l1": 0}, "state has .*weight_ih_l1.*, expected"),
        ("RNN", without("bias_hh_l0"), "expected .*: 1 layer, one direction"),
        ("RNN", replaced("weight_ih_l0", lambda a: a[1:]), r"weight_ih_l0 has shape \(3, 2\), exp"),
        ("LSTM", replaced("weight_ih_l0", lambda a: a[:4]), r"\(4, 2\), expected \(16, 2\)"),
        ("LSTM", replaced("weight_hh_l0", lambda a: a * np.nan), "weight_hh_l0 contains NaN"),
        ("LSTM", replaced("bias_ih_l0", lambda a: a[:1]), r"bias_ih_l0 has shape \(1,\), expec"),
        ("LSTM", without("bias_ih_l0"), "1 layer, one direction"),
        ("stack", replaced("bias_hh_l1", lambda a: a[1:]), r"bias_hh_l1 has shape \(3,\), expec"),
        ("stack", replaced("weight_hh_l1", lambda a: a * np.inf), "weight_hh_l1 contains NaN or"),
        ("stack", without("bias_ih_l1", "bias_hh_l1"), "2 layers, one direction"),
        ("stack", lambda s: s | {"weight_ih_l0_reverse": 0}, "2 layers, one direction"),
        ("LSTMs", lambda s: s | {f"{n[:-1]}2": a for n, a in s.items()}, "2 layers, one direction"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(rng, kind, change, message):
    layer = make_layer(kind, rng=rng)
    before = snapshot(layer)
    with pytest.raises(ValueError, match=message):
        load_torch_state(layer, change(draw_state(layer, rng)))
    assert_close(snapshot(layer), before, 0)


def test_biases_whose_sum_overflows_change_nothing(rng):
    """Found after the weights of the layers below were read, and before one was written."""
    layer = make_layer("stack", rng=rng)
    before, state = snapshot(layer), draw_state(layer, rng)
    state["bias_ih_l1"][:] = state["bias_hh_l1"][:] = 1.7e308
    with pytest.raises(ValueError, match="b_h contains NaN or infinity"):
        load_torch_state(layer, state)
    assert_close(snapshot(layer), before, 0)


def test_a_module_is_not_its_state(rng):
    with pytest.raises(TypeError, match=r"state is a list, expected the mapping state_dict\(\)"):
        load_torch_state(make_layer("LSTM", rng=rng), [])


@pytest.mark.parametrize(
    "function", [torch_state, to_torch, lambda layer: load_torch_state(layer, {})]
)
def test_what_is_no_layer_is_refused(function):
    pytest.importorskip("torch", exc_type=ImportError)
    with pytest.raises(TypeError, match=r"^layer is None, expected an RNN, LSTM or Stack"):
        function(None)
