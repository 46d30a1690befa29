"""Each equation of the course: its value, and its derivative measured by complex steps."""

import numpy as np
import pytest
from helpers import GATES, GRU_GATES, assert_close, complex_step
from numpy.testing import assert_allclose

from rnncourse import clip_by_global_norm, sigmoid, softmax
from rnncourse import equations as eq

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
    half_square = eq.squared_error(np.array([1.0, -2.0]), np.array([0.0, 1.0]))
    assert (half_square, type(half_square)) == (0.5 * (1 + 9), float)
    y = np.log([0.2, 0.3, 0.5]) + 7  # a shift changes nothing
    assert_allclose(eq.cross_entropy(y, 1), -np.log(0.3))
    assert type(eq.cross_entropy(y, 1)) is float


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


# ---------------------------------------------------------------- through many steps


def test_a_chain_of_jacobians_is_the_derivative_through_its_steps(rng, w):
    x, h_0 = rng.normal(size=(4, D)), w["h_prev"]

    def after(h, n):
        for x_t in x[:n]:
            h = np.tanh(w["W_hh"] @ h + w["W_xh"] @ x_t + w["b_h"])
        return h

    for n in range(1, 5):
        J = [eq.step_jacobian(after(h_0, t), w["W_hh"]) for t in range(n, 0, -1)]
        assert_close(eq.jacobian_product(J), complex_step(lambda h, n=n: after(h, n), h_0).T)


def test_the_norm_bound_is_never_below_the_norm_and_is_reached(rng):
    for _ in range(100):
        h, W = np.tanh(rng.normal(size=H)), rng.normal(size=(H, H))
        bound = eq.norm_bound(h, W)
        assert np.linalg.norm(eq.step_jacobian(h, W), 2) <= bound * (1 + 1e-12)
        largest = max(np.sqrt(np.linalg.eigvalsh(W.T @ W)))
        assert_allclose(bound, (1 - min(h**2)) * largest)
    assert type(bound) is float
    still = np.full(H, 0.5)
    assert_allclose(np.linalg.norm(eq.step_jacobian(still, W), 2), eq.norm_bound(still, W))


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipped_is_what_clipping_in_place_does(w, max_norm):
    g = w["W_hh"].copy()
    norm = clip_by_global_norm({"g": g}, max_norm)
    assert_close(eq.clipped(w["W_hh"], max_norm), g)
    assert_allclose(np.linalg.norm(g), min(norm, max_norm))


# ---------------------------------------------------------------- the LSTM


@pytest.fixture
def cell(rng):
    """One step of an LSTM, by name; the weights by gate."""
    one = {n: rng.normal(size=H) for n in ("h_prev", "c_prev", "delta_h", "delta_c_next")}
    one |= {"x": rng.normal(size=D), "f_next": rng.random(H)}
    one |= {f"W_xh_{q}": rng.normal(size=(H, D)) for q in GATES}
    one |= {f"W_hh_{q}": rng.normal(size=(H, H)) for q in GATES}
    one |= {f"b_h_{q}": rng.normal(size=H) for q in GATES}
    return one | {f"a_{q}": pre_activation(one, q) for q in GATES}


def pre_activation(v, q):
    return v[f"W_xh_{q}"] @ v["x"] + v[f"W_hh_{q}"] @ v["h_prev"] + v[f"b_h_{q}"]


def logistic(a):
    return 1 / (1 + np.exp(-a))


def cell_after(v, **changed):
    """c_t from the pre-activations a_q and c_{t-1}; real or complex."""
    v = {**v, **changed}
    return logistic(v["a_f"]) * v["c_prev"] + logistic(v["a_i"]) * np.tanh(v["a_g"])


GATE_FUNCTIONS = {
    "f": (eq.forget_gate, logistic),
    "i": (eq.input_gate, logistic),
    "o": (eq.output_gate, logistic),
    "g": (eq.candidate, np.tanh),
    "r": (eq.reset_gate, logistic),
    "z": (eq.update_gate, logistic),
}


@pytest.mark.parametrize("name", GATE_FUNCTIONS)
def test_a_gate_entry_by_entry(w, name):
    gate, squashed = GATE_FUNCTIONS[name]
    a = [
        sum(w["W_xh"][i, j] * w["x"][j] for j in range(D))
        + sum(w["W_hh"][i, j] * w["h_prev"][j] for j in range(H))
        + w["b_h"][i]
        for i in range(H)
    ]
    given = gate(w["x"], w["h_prev"], w["W_xh"], w["W_hh"], w["b_h"])
    assert_close(given, squashed(np.array(a)))


def test_cell_and_hidden_state_by_hand():
    f, c_prev, i, g, o = (np.array([v]) for v in (0.9, -2.0, 0.25, 0.8, 0.5))
    assert_allclose(eq.cell_state(f, c_prev, i, g), 0.9 * -2 + 0.25 * 0.8)
    assert_allclose(eq.lstm_hidden(o, c_prev), 0.5 * np.tanh(-2))


def test_delta_h_of_an_lstm_gathers_five_ways_to_the_error(w, cell):
    """h_t acts on E through y_t and through the four pre-activations of step t + 1."""
    W_hh, delta = ({q: cell[f"{n}_{q}"] for q in GATES} for n in ("W_hh", "a"))

    def reached(h):
        return w["delta_y"] @ (w["W_hy"] @ h) + sum(delta[q] @ (W_hh[q] @ h) for q in GATES)

    given = eq.lstm_delta_h(w["delta_y"], delta, w["W_hy"], W_hh)
    assert_close(given, complex_step(reached, w["h_prev"]))
    alone = eq.lstm_delta_h(np.zeros(O), delta, w["W_hy"], W_hh)
    assert_close(eq.lstm_grad_h0(delta, W_hh), alone)


def test_delta_c_gathers_both_ways_to_the_error(cell):
    """c_t acts on E through h_t and, times f_{t+1}, through c_{t+1}."""
    o = logistic(cell["a_o"])

    def reached(c):
        return cell["delta_h"] @ (o * np.tanh(c)) + cell["delta_c_next"] @ (cell["f_next"] * c)

    c = cell["c_prev"]
    given = eq.delta_c(cell["delta_h"], o, c, cell["f_next"], cell["delta_c_next"])
    assert_close(given, complex_step(reached, c))
    alone = eq.delta_c(np.zeros(H), o, c, cell["f_next"], cell["delta_c_next"])
    assert_close(eq.lstm_grad_c0(cell["f_next"], cell["delta_c_next"]), alone)


def test_the_error_signals_of_the_gates_are_derivatives_of_the_step(cell):
    delta_c, delta_h, c = cell["delta_c_next"], cell["delta_h"], cell_after(cell)
    f, i, o = (logistic(cell[f"a_{q}"]) for q in "fio")
    g = np.tanh(cell["a_g"])
    through_c = {
        "f": eq.delta_a_f(delta_c, cell["c_prev"], f),
        "i": eq.delta_a_i(delta_c, g, i),
        "g": eq.delta_a_g(delta_c, i, g),
    }
    for q, given in through_c.items():
        name = f"a_{q}"
        measured = complex_step(lambda a, n=name: delta_c @ cell_after(cell, **{n: a}), cell[name])
        assert_close(given, measured)
    through_h = complex_step(lambda a: delta_h @ (logistic(a) * np.tanh(c)), cell["a_o"])
    assert_close(eq.delta_a_o(delta_h, c, o), through_h)


def test_the_terms_of_one_gate_are_derivatives_of_its_pre_activation(cell):
    deltas = {q: cell[f"a_{q}"] for q in GATES}

    def through(**changed):
        return sum(deltas[q] @ pre_activation({**cell, **changed}, q) for q in GATES)

    for q, delta in deltas.items():
        terms = {
            "W_hh": eq.grad_W_hh(delta, cell["h_prev"]),
            "W_xh": eq.grad_W_xh(delta, cell["x"]),
            "b_h": eq.grad_b_h(delta),
        }
        for name, given in terms.items():
            own = f"{name}_{q}"
            assert_close(given, complex_step(lambda W, n=own: through(**{n: W}), cell[own]))
    given = eq.lstm_grad_x(deltas, {q: cell[f"W_xh_{q}"] for q in GATES})
    assert_close(given, complex_step(lambda x: through(x=x), cell["x"]))


def test_the_direct_path_holds_the_hidden_state_fixed(cell):
    measured = complex_step(lambda c: cell_after(cell, c_prev=c), cell["c_prev"]).T
    assert_close(eq.direct_path(logistic(cell["a_f"])), measured)


@pytest.mark.parametrize("b_f", [-3.0, 0.0, 1.0, 5.0])
def test_after_the_half_life_half_is_left(b_f):
    n = eq.half_life(b_f)
    assert type(n) is float
    assert_allclose(sigmoid(np.array(b_f)) ** n, 0.5)
    assert_allclose(eq.half_life(0.0), 1)


# ---------------------------------------------------------------- the GRU


def test_gru_candidate_and_hidden_state_entry_by_entry(rng, w):
    r, z, n = rng.random(H), rng.random(H), rng.normal(size=H)
    a = [
        sum(w["W_xh"][i, j] * w["x"][j] for j in range(D))
        + sum(w["W_hh"][i, j] * r[j] * w["h_prev"][j] for j in range(H))
        + w["b_h"][i]
        for i in range(H)
    ]
    given = eq.gru_candidate(w["x"], w["h_prev"], r, w["W_xh"], w["W_hh"], w["b_h"])
    assert_close(given, np.tanh(a))
    u = [
        sum(w["W_hh"][i, j] * w["h_prev"][j] for j in range(H)) + w["delta_h"][i] for i in range(H)
    ]
    assert_close(eq.gru_state_share(w["h_prev"], w["W_hh"], w["delta_h"]), np.array(u))
    a = [
        sum(w["W_xh"][i, j] * w["x"][j] for j in range(D)) + w["b_h"][i] + r[i] * u[i]
        for i in range(H)
    ]
    given = eq.gru_candidate_after(w["x"], np.array(u), r, w["W_xh"], w["b_h"])
    assert_close(given, np.tanh(a))
    mixed = [z[i] * w["h_prev"][i] + (1 - z[i]) * n[i] for i in range(H)]
    assert_close(eq.gru_hidden(z, w["h_prev"], n), np.array(mixed))


@pytest.fixture
def unit(rng):
    """One step of a GRU, by name: the weights by gate, and what the gates let through."""
    one = {n: rng.normal(size=H) for n in ("h_prev", "delta_h", "b_hh_n")}
    one["x"] = rng.normal(size=D)
    for q in GRU_GATES:
        one[f"W_xh_{q}"], one[f"W_hh_{q}"] = rng.normal(size=(H, D)), rng.normal(size=(H, H))
        one[f"b_h_{q}"] = rng.normal(size=H)
    return one


def gru_step(v, reset, **changed):
    """h_t, and all that leads to it, by name; what is in `changed` is held; real or complex."""
    v = {**v, **changed}

    def seen(name, value):
        v.setdefault(name, value)
        return v[name]

    for q in "rz":
        seen(q, logistic(seen(f"a_{q}", pre_activation(v, q))))
    from_x = v["W_xh_n"] @ v["x"] + v["b_h_n"]
    if reset == "after":
        share = v["r"] * seen("u", v["W_hh_n"] @ v["h_prev"] + v["b_hh_n"])
    else:
        share = v["W_hh_n"] @ seen("s", v["r"] * v["h_prev"])
    n = seen("n", np.tanh(seen("a_n", from_x + share)))
    return v | {"h": v["z"] * v["h_prev"] + (1 - v["z"]) * n}


def gru_signals(unit, reset):
    """Every error signal of a step from equations.py, by what it is the derivative for."""
    v, delta_h = gru_step(unit, reset), unit["delta_h"]
    signals = {
        "a_n": eq.gru_delta_a_n(delta_h, v["z"], v["n"]),
        "a_z": eq.gru_delta_a_z(delta_h, v["h_prev"], v["n"], v["z"]),
    }
    if reset == "after":
        signals["u"] = eq.gru_delta_u(signals["a_n"], v["r"])
        signals["a_r"] = eq.gru_delta_a_r_after(signals["a_n"], v["u"], v["r"])
    else:
        signals["s"] = eq.gru_delta_s(signals["a_n"], v["W_hh_n"])
        signals["a_r"] = eq.gru_delta_a_r(signals["s"], v["h_prev"], v["r"])
    return v, signals


@pytest.mark.parametrize("reset", ["after", "before"])
def test_the_error_signals_of_a_gru_are_derivatives_of_its_step(unit, reset):
    v, signals = gru_signals(unit, reset)
    for name, given in signals.items():
        # h_{t-1} acts on h_t by other ways besides: here only what is named moves.
        measured = complex_step(
            lambda a, n=name: unit["delta_h"] @ gru_step(unit, reset, **{n: a})["h"], v[name]
        )
        assert_close(given, measured)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_what_a_gru_sends_back_is_the_derivative_for_the_state_before(unit, reset):
    v, signals = gru_signals(unit, reset)
    W_hh = {q: unit[f"W_hh_{q}"] for q in GRU_GATES}
    delta = {"r": signals["a_r"], "z": signals["a_z"]}
    if reset == "after":
        delta["n"] = signals["u"]
        given = eq.gru_from_next_after(unit["delta_h"], v["z"], delta, W_hh)
    else:
        given = eq.gru_from_next(unit["delta_h"], v["z"], v["r"], signals["s"], delta, W_hh)
    measured = complex_step(
        lambda h: unit["delta_h"] @ gru_step(unit, reset, h_prev=h)["h"], unit["h_prev"]
    )
    assert_close(given, measured)


def test_delta_h_of_a_gru_gathers_both_ways_to_the_error(w):
    given = eq.gru_delta_h(w["delta_y"], w["delta_h"], w["W_hy"])
    expected = [
        sum(w["W_hy"][k, i] * w["delta_y"][k] for k in range(O)) + w["delta_h"][i] for i in range(H)
    ]
    assert_close(given, np.array(expected))


@pytest.mark.parametrize(
    ("b_f", "steps"), [(40.0, np.log(2) * np.exp(40)), (-800.0, np.log(2) / 800)]
)
def test_a_half_life_holds_for_any_bias(b_f, steps):
    assert_close(eq.half_life(b_f) / steps, 1.0)
