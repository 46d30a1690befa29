"""Each equation of the course: its value, and its derivative measured by complex steps."""

import numpy as np
import pytest
from helpers import assert_close, complex_step
from numpy.testing import assert_allclose

from rnncourse import equations as eq
from rnncourse import softmax

D, H, O = 2, 4, 3


@pytest.fixture
def w(rng):
    """One step's numbers, by name."""
    shapes = {
        "W_xh": (H, D),
        "W_hh": (H, H),
        "b_h": (H,),
        "W_hy": (O, H),
        "b_y": (O,),
        "x": (D,),
        "h_prev": (H,),
        "y": (O,),
        "d": (O,),
        "delta_a": (H,),
        "delta_y": (O,),
        "delta_h": (H,),
    }
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def step(w, **changed):
    """h_t of eq-hidden, with some of its arguments replaced."""
    v = {**w, **changed}
    return eq.hidden_state(v["x"], v["h_prev"], v["W_xh"], v["W_hh"], v["b_h"])


def test_hidden_state_and_output_of_one_unit_by_hand():
    one = np.ones(1)
    h = eq.hidden_state(0.5 * one, -0.2 * one, np.array([[0.8]]), np.array([[0.5]]), 0.1 * one)
    assert_allclose(h, np.tanh(0.8 * 0.5 + 0.5 * -0.2 + 0.1))
    assert_allclose(eq.output(h, np.array([[2.0]]), 0.3 * one), 2 * h + 0.3)


def test_hidden_state_and_output_entry_by_entry(w):
    a = [
        sum(w["W_hh"][i, j] * w["h_prev"][j] for j in range(H))
        + sum(w["W_xh"][i, j] * w["x"][j] for j in range(D))
        + w["b_h"][i]
        for i in range(H)
    ]
    assert_close(step(w), np.tanh(a))
    y = [sum(w["W_hy"][i, j] * w["h_prev"][j] for j in range(H)) + w["b_y"][i] for i in range(O)]
    assert_close(eq.output(w["h_prev"], w["W_hy"], w["b_y"]), y)


def test_errors_by_hand():
    assert eq.squared_error(np.array([1.0, -2.0]), np.array([0.0, 1.0])) == 0.5 * (1 + 9)
    y = np.log([0.2, 0.3, 0.5]) + 7  # a shift changes nothing
    assert_allclose(eq.cross_entropy(y, 1), -np.log(0.3))


def test_update_goes_against_the_gradient():
    assert_allclose(eq.update(np.array([1.0, 2.0]), np.array([10.0, -10.0]), 0.1), [0.0, 3.0])


def test_delta_y_is_the_derivative_of_the_error(w):
    half_square = complex_step(lambda y: ((y - w["d"]) ** 2).sum() / 2, w["y"])
    assert_close(eq.delta_y_squared_error(w["y"], w["d"]), half_square)
    for label in range(O):
        nll = complex_step(lambda y, k=label: np.log(np.exp(y).sum()) - y[k], w["y"])
        assert_close(eq.delta_y_cross_entropy(w["y"], label), nll)
    assert_close(eq.delta_y_cross_entropy(w["y"], 0), softmax(w["y"]) - np.array([1, 0, 0]))


def test_step_jacobian_is_the_derivative_of_a_step(w):
    J = complex_step(lambda h: step(w, h_prev=h), w["h_prev"]).T
    assert_close(eq.step_jacobian(step(w), w["W_hh"]), J)


@pytest.mark.parametrize("name", ["W_hh", "W_xh", "b_h"])
def test_immediate_partials_hold_the_previous_state_fixed(w, name):
    h = step(w)
    given = {
        "W_hh": lambda: eq.immediate_W_hh(h, w["h_prev"]),
        "W_xh": lambda: eq.immediate_W_xh(h, w["x"]),
        "b_h": lambda: eq.immediate_b_h(h),
    }[name]()
    measured = complex_step(lambda W: step(w, **{name: W}), w[name])
    assert_close(given, np.moveaxis(measured, -1, 0))


def test_delta_h_gathers_both_ways_to_the_error(w):
    """h_t acts on E through y_t and through a_{t+1}; both are linear maps."""

    def reached(h):
        return w["delta_y"] @ (w["W_hy"] @ h) + w["delta_a"] @ (w["W_hh"] @ h)

    given = eq.delta_h(w["delta_y"], w["delta_a"], w["W_hy"], w["W_hh"])
    assert_close(given, complex_step(reached, w["h_prev"]))
    # At t = 0 the first way is missing.
    alone = eq.delta_h(np.zeros(O), w["delta_a"], w["W_hy"], w["W_hh"])
    assert_close(eq.grad_h0(w["delta_a"], w["W_hh"]), alone)


def test_delta_a_passes_through_tanh(w):
    a = w["h_prev"]
    measured = complex_step(lambda a: w["delta_h"] @ np.tanh(a), a)
    assert_close(eq.delta_a(w["delta_h"], np.tanh(a)), measured)


def test_the_terms_of_one_step_are_derivatives_of_the_pre_activation(w):
    """Each term is the derivative of δᵀ a_t (or δᵀ y_t), which is linear in each weight."""

    def through_a(**changed):
        v = {**w, **changed}
        return w["delta_a"] @ (v["W_hh"] @ v["h_prev"] + v["W_xh"] @ v["x"] + v["b_h"])

    def through_y(**changed):
        v = {**w, **changed}
        return w["delta_y"] @ (v["W_hy"] @ v["h_prev"] + v["b_y"])

    terms = {
        "W_hh": (eq.grad_W_hh(w["delta_a"], w["h_prev"]), through_a),
        "W_xh": (eq.grad_W_xh(w["delta_a"], w["x"]), through_a),
        "b_h": (eq.grad_b_h(w["delta_a"]), through_a),
        "x": (eq.grad_x(w["delta_a"], w["W_xh"]), through_a),
        "W_hy": (eq.grad_W_hy(w["delta_y"], w["h_prev"]), through_y),
        "b_y": (eq.grad_b_y(w["delta_y"]), through_y),
    }
    for name, (given, through) in terms.items():
        measured = complex_step(lambda W, n=name, f=through: f(**{n: W}), w[name])
        assert_close(given, measured)
