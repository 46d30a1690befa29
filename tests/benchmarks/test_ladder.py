"""Every rung of `benchmarks/ladder.py` computes what `rnncourse.LSTM` computes."""

import ladder
import numpy as np
import pytest

from rnncourse import LSTM

NAMES = [name for name, _ in ladder.RUNGS]
SIZES = [(1, 1, 1, 1), (1, 1, 3, 4), (1, 5, 2, 3), (7, 1, 2, 5), (6, 4, 3, 5), (30, 40, 4, 8)]
SIZE = (6, 4, 3, 5)


def case(T, B, D, H):
    """Weights large enough to reach the curved parts of σ and tanh, inputs, incoming gradients."""
    rng = np.random.default_rng(T + 10 * B + 100 * D + 1000 * H)
    W = {"W_xh": (4 * H, D), "W_hh": (4 * H, H), "b_h": (4 * H,)}
    W = {name: rng.normal(size=shape) / np.sqrt(shape[-1]) for name, shape in W.items()}
    return W, rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H))


def reference(W, x, dh):
    lstm = LSTM(x.shape[2], dh.shape[2], rng=np.random.default_rng(0))
    lstm.load_params(W)
    h, _, trace = lstm.forward(x)
    dx, _, grads = lstm.backward(trace, dh)
    return h, dx, grads


def run(name, W, x, dh):
    step = ladder.make(name, W, *x.shape, dh.shape[2])
    return step(*(v.astype(ladder.dtype_of(name)) for v in (x, dh)))


def named(h, dx, grads):
    return {"h": h, "dx": dx, **grads}


def compare(name, actual, expected):
    """Errors are measured against the largest number of an array."""
    tolerance = 1e-12 if ladder.dtype_of(name) == np.float64 else 2e-5
    actual, expected = named(*actual), named(*expected)
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert actual[key].dtype == ladder.dtype_of(name), key
        assert actual[key].shape == value.shape, key
        error = np.abs(actual[key] - value).max()
        assert error <= tolerance * np.abs(value).max(), key


def test_only_the_first_rung_is_in_float64():
    assert NAMES[0] == "textbook"
    assert [ladder.dtype_of(name) for name in NAMES] == [np.float64] + 5 * [np.float32]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_package(name, size):
    W, x, dh = case(*size)
    compare(name, run(name, W, x, dh), reference(W, x, dh))


@pytest.mark.parametrize("order", ["figo", "ifog", "gfio", "ofgi"])
@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_gate_order_is_noticed(name, order):
    W, x, dh = case(*SIZE)
    rows = np.arange(4 * SIZE[-1]).reshape(4, -1)[["ifgo".index(q) for q in order]].ravel()
    wrong = {key: value[rows] for key, value in W.items()}
    h, dx, grads = run(name, wrong, x, dh)
    grads = {key: value[np.argsort(rows)] for key, value in grads.items()}
    with pytest.raises(AssertionError, match=r"^h\b"):
        compare(name, (h, dx, grads), reference(W, x, dh))


@pytest.mark.parametrize("key", ["h", "dx", "W_xh", "W_hh", "b_h"])
@pytest.mark.parametrize("name", NAMES)
def test_one_wrong_number_is_noticed(name, key):
    W, x, dh = case(*SIZE)
    actual = run(name, W, x, dh)
    value = named(*actual)[key]
    value[(-1,) * value.ndim] += 1e-4 * np.abs(value).max()
    with pytest.raises(AssertionError, match=rf"^{key}\b"):
        compare(name, actual, reference(W, x, dh))


@pytest.mark.parametrize("name", ["packed", "feature_major", "one_tanh"])
def test_a_fault_in_the_order_of_a_pass_is_noticed(name, monkeypatch):
    monkeypatch.setattr(ladder, "I_F_O_G", [0, 1, 2, 3])
    W, x, dh = case(*SIZE)
    with pytest.raises(AssertionError):
        compare(name, run(name, W, x, dh), reference(W, x, dh))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_alters_neither_its_inputs_nor_earlier_results(name):
    W, x, dh = case(*SIZE)
    x, dh = x.astype(ladder.dtype_of(name)), dh.astype(ladder.dtype_of(name))
    given = [v.copy() for v in (*W.values(), x, dh)]
    step = ladder.make(name, W, *SIZE)
    first = named(*step(x, dh))
    kept = {key: value.copy() for key, value in first.items()}
    step(-x, 2 * dh)
    again = named(*step(x, dh))
    for key, value in kept.items():
        np.testing.assert_array_equal(first[key], value)
        np.testing.assert_array_equal(again[key], value)
    for before, after in zip(given, (*W.values(), x, dh), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_unknown_rung_is_refused():
    with pytest.raises(ValueError, match="no rung is called 'rocket'"):
        ladder.make("rocket", case(*SIZE)[0], *SIZE)
