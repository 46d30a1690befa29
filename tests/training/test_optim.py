"""Update rules against their published formulas (and against PyTorch in test_reference)."""

import numpy as np
import pytest
from helpers import assert_close
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import SGD, Adam, RMSprop

KINDS = [lambda: SGD(0.1), lambda: RMSprop(0.1, decay=0.7), lambda: Adam(0.1, 0.6, 0.8)]


def follow(optimizer, W, gradients):
    """Return the weights after each step."""
    params, after = {"W": W.copy()}, []
    for gradient in gradients:
        optimizer.step(params, {"W": gradient})
        after.append(params["W"].copy())
    return np.array(after)


@pytest.fixture
def task(rng):
    return rng.normal(size=(3, 2)), rng.normal(size=(6, 3, 2))


def test_sgd_is_the_update_equation(task):
    W, gradients = task
    assert_close(follow(SGD(0.1), W, gradients), W - 0.1 * np.cumsum(gradients, axis=0))


def test_rmsprop_divides_by_the_running_root_mean_square(task):
    W, gradients = task
    v, expected = 0, []
    for g in gradients:
        v = 0.7 * v + 0.3 * g**2
        W = W - 0.1 * g / (np.sqrt(v) + 1e-3)
        expected.append(W)
    assert_close(follow(RMSprop(0.1, decay=0.7, epsilon=1e-3), task[0], gradients), expected)


def test_adam_is_algorithm_1(task):
    W, gradients = task
    m = v = 0
    expected = []
    for t, g in enumerate(gradients, 1):
        m = 0.6 * m + 0.4 * g
        v = 0.8 * v + 0.2 * g**2
        W = W - 0.1 * (m / (1 - 0.6**t)) / (np.sqrt(v / (1 - 0.8**t)) + 1e-3)
        expected.append(W)
    assert_close(follow(Adam(0.1, 0.6, 0.8, epsilon=1e-3), task[0], gradients), expected)


def test_defaults_are_those_of_the_sources():
    adam, rmsprop = Adam(), RMSprop()
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert (rmsprop.learning_rate, rmsprop.decay, rmsprop.epsilon) == (1e-3, 0.9, 1e-8)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    for g in (1e-4, 1.0, -1e4):
        W = follow(Adam(0.01), np.zeros(1), [np.array([g])])
        assert_allclose(W, -0.01 * np.sign(g), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_state_goes_on_exactly(kind, task):
    W, gradients = task
    whole = follow(kind(), W, gradients)
    first = kind()
    half = follow(first, W, gradients[:3])
    state = first.state()
    follow(first, W, gradients)  # must not reach into the state that was returned
    second = kind()
    second.load_state(state)
    assert_array_equal(follow(second, half[-1], gradients[3:]), whole[3:])
    third = kind()
    third.load_state(state)  # nor may a loaded state be moved by its first user
    assert_array_equal(follow(third, half[-1], gradients[3:]), whole[3:])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_may_be_lists(kind, task):
    W, gradients = task
    given = follow(kind(), W, gradients.tolist())
    assert_array_equal(given, follow(kind(), W, gradients))


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_do_not_disturb_each_other(kind, task):
    """Each moves as it would alone, before and after its memory is saved."""
    W, gradients = task
    params, optimizer = {"W": W.copy(), "layer.W": 2 * W[0]}, kind()
    for gradient in gradients:
        optimizer.step(params, {"W": gradient, "layer.W": -gradient[1]})
        state, optimizer = optimizer.state(), kind()
        optimizer.load_state(state)
    assert_array_equal(params["W"], follow(kind(), W, gradients)[-1])
    assert_array_equal(params["layer.W"], follow(kind(), 2 * W[0], -gradients[:, 1])[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32_and_gradients_are_not_touched(kind):
    W, g = np.ones((2, 2), np.float32), np.full((2, 2), 0.5, np.float32)
    optimizer = kind()
    for _ in range(2):
        optimizer.step({"W": W}, {"W": g})
    assert W.dtype == np.float32
    assert_array_equal(g, 0.5)
    memory = [a for name, a in optimizer.state().items() if name != "steps"]
    assert {a.dtype for a in memory} <= {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", KINDS)
def test_numpys_error_settings_do_not_stop_a_step(kind):
    """The square of a small gradient falls below the smallest number: that is no error."""
    small = np.full(2, 1e-40, np.float32)
    with np.errstate(all="raise"):
        W = np.zeros(2, np.float32)
        kind().step({"W": W}, {"W": small})
        with pytest.raises(FloatingPointError):
            np.float32(0.1) * small  # as it would, unprotected
    assert np.isfinite(W).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("grads", "message"),
    [
        ({"A": np.ones(2)}, r"grads has \['A'\], expected \['A', 'b'\]"),
        (
            {"A": np.ones(2), "b": np.ones(1)},
            r"the gradient of b has shape \(1,\), expected \(3,\)",
        ),
    ],
)
def test_gradients_that_do_not_fit_change_nothing(kind, grads, message):
    params, optimizer = {"A": np.ones(2), "b": np.ones(3)}, kind()
    with pytest.raises(ValueError, match=message):
        optimizer.step(params, grads)
    assert_array_equal(params["A"], 1)
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD(0), ValueError, "learning_rate is 0, expected a finite number above 0"),
        (lambda: SGD(np.nan), ValueError, "learning_rate is nan"),
        (lambda: SGD("fast"), TypeError, "learning_rate is 'fast'"),
        (lambda: SGD(True), TypeError, "learning_rate is True"),
        (lambda: RMSprop(decay=1), ValueError, "decay is 1, expected a number from 0 to below 1"),
        (lambda: RMSprop(epsilon=0), ValueError, "epsilon is 0"),
        (lambda: Adam(beta1=-0.1), ValueError, "beta1 is -0.1"),
        (lambda: Adam(beta2=1.0), ValueError, "beta2 is 1.0"),
        (lambda: Adam(beta2="x"), TypeError, "beta2 is 'x'"),
        (lambda: Adam(epsilon=-1), ValueError, "epsilon is -1"),
    ],
)
def test_settings_that_make_no_sense(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_edges_of_the_settings():
    g = [np.array([2.0])]
    assert_allclose(follow(RMSprop(1.0, decay=0), np.zeros(1), g), -1)
    assert_allclose(follow(Adam(1.0, beta1=0, beta2=0), np.zeros(1), g), -1)


def test_a_state_of_another_rule_is_refused(task):
    adam, sgd = Adam(), SGD(0.1)
    follow(adam, *task)
    with pytest.raises(ValueError, match=r"state holds 'W.mean', expected entries of SGD: none"):
        sgd.load_state(adam.state())
    with pytest.raises(ValueError, match=r"'W.mean', expected entries of RMSprop: mean_square"):
        RMSprop().load_state(adam.state())
    assert sgd.steps == 0
    half = {name: a for name, a in adam.state().items() if name != "W.mean"}
    with pytest.raises(ValueError, match="state holds no mean of W"):
        Adam().load_state(half)
