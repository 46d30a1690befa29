"""Jacobians of the state, their products and norms, and the share of each step in the gradient."""

import numpy as np
import pytest
from helpers import (
    CAUSAL,
    assert_close,
    complex_step,
    make_layer,
    make_model,
    make_problem,
    make_state,
    mapped,
    named,
    percent,
    plain_run,
    problems,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import bptt, jacobians
from rnncourse import equations as eq
from rnncourse.validation import NotFiniteError

KINDS = (*CAUSAL, "LSTMs")
NON_NORMAL = np.array([[0.9, 5], [0, 0.9]])
each_layer = pytest.mark.parametrize("kind", KINDS)


def one_sequence(kind, rng, T=5, D=2, H=3, dtype=np.float64):
    layer = make_layer(kind, D, H, rng=rng, dtype=dtype)
    return layer, rng.normal(size=(T, D)), make_state(layer, 1, rng)


def flat(layer, state):
    """A state as one vector: h above c, the first layer above the second."""
    return np.concatenate([array[0] for array in named(layer, state).values()])


def plain_step(layer, x_t, s):
    """One step of the state vector, in plain loops; real or complex."""
    like = named(layer, make_state(layer, 1, np.random.default_rng(0)))
    ends = np.cumsum([a.shape[1] for a in like.values()])
    start = {n: a[None] for n, a in zip(like, np.split(s, ends[:-1]), strict=True)}
    _, run = plain_run(layer, {**layer.params, **start}, x_t[None, None])
    return np.concatenate([run[name][1, 0] for name in like])


# ---------------------------------------------------------------- Jacobians of the state


@each_layer
@given(seed=st.integers(0, 2**20), sizes=st.tuples(*[st.integers(1, 3)] * 3))
@percent(30)
def test_every_jacobian_is_the_derivative_of_its_step(kind, seed, sizes):
    layer, x, state = one_sequence(kind, np.random.default_rng(seed), *sizes)
    s = flat(layer, state)
    J = jacobians.step_jacobians(layer, x, state)
    assert (J.shape, J.dtype) == ((len(x), len(s), len(s)), np.float64)
    for J_t, x_t in zip(J, x, strict=True):
        assert_close(J_t, complex_step(lambda v, x_t=x_t: plain_step(layer, x_t, v), s).T)
        s = plain_step(layer, x_t, s)


@each_layer
def test_jacobians_agree_with_finite_differences(kind, rng):
    """Of the whole way from s_0 to s_T, by the layer's own forward pass."""
    layer, x, state = one_sequence(kind, rng)
    P = jacobians.products(jacobians.step_jacobians(layer, x, state))[-1]
    columns = []
    for array in named(layer, state).values():
        for k in range(array.size):
            here, ends = array[0, k], []
            for epsilon in (1e-5, -1e-5):
                array[0, k] = here + epsilon
                ends.append(flat(layer, layer.forward(x[:, None], state)[1]))
            array[0, k] = here
            columns.append((ends[0] - ends[1]) / 2e-5)
    assert_close(P, np.array(columns).T, 1e-8)


def test_for_an_rnn_they_are_the_equation(rng):
    layer, x, state = one_sequence("RNN", rng)
    h = layer.forward(x[:, None], state)[0][:, 0]
    expected = [eq.step_jacobian(h_t, layer.params["W_hh"]) for h_t in h]
    assert_close(jacobians.step_jacobians(layer, x, state), np.array(expected))


def test_for_an_lstm_the_cell_to_cell_block_is_the_direct_path(rng):
    """∂c_t/∂c_{t-1} with h_{t-1} held fixed is diag(f_t)."""
    layer, x, state = one_sequence("LSTM", rng, H=4)
    f = layer.forward(x[:, None], state)[2].f[:, 0]
    blocks = jacobians.step_jacobians(layer, x, state)[:, 4:, 4:]
    assert_close(blocks, np.array([eq.direct_path(f_t) for f_t in f]))


@each_layer
def test_without_a_state_it_starts_at_zero(kind, rng):
    layer, x, state = one_sequence(kind, rng)
    J = jacobians.step_jacobians(layer, x)
    assert_close(J, jacobians.step_jacobians(layer, x, mapped(np.zeros_like, state)), 0)
    assert np.abs(J - jacobians.step_jacobians(layer, x, state)).max() > 0.01


@each_layer
def test_float32_layers_give_float64_close_to_the_truth(kind):
    results = []
    for dtype in (np.float32, np.float64):
        drawn = one_sequence(kind, np.random.default_rng(3), dtype=dtype)
        results.append(jacobians.step_jacobians(*drawn))
    assert results[0].dtype == np.float64
    assert_close(*results, 1e-5)


# ---------------------------------------------------------------- products and norms


def test_products_are_printed_newest_first(rng):
    J = rng.normal(size=(4, 3, 3))
    P = jacobians.products(J)
    expected = [np.eye(3), J[3], J[3] @ J[2], J[3] @ J[2] @ J[1], J[3] @ J[2] @ J[1] @ J[0]]
    assert_close(P, np.array(expected))
    for lag in range(1, 5):
        assert_close(P[lag], eq.jacobian_product([J[t] for t in range(3, 3 - lag, -1)]))


@each_layer
@given(seed=st.integers(0, 2**20))
@percent(20)
def test_norms_by_lag_are_those_of_the_products_and_within_the_bound(kind, seed):
    layer, x, state = one_sequence(kind, np.random.default_rng(seed))
    J = jacobians.step_jacobians(layer, x, state)
    P, norms = jacobians.products(J), jacobians.norms_by_lag(layer, x, state)
    assert_close(norms, np.array([np.linalg.norm(p, 2) for p in P]))
    bound = jacobians.bound_by_lag(J)
    each = [np.linalg.norm(J_t, 2) for J_t in J]
    assert_close(bound, np.array([np.prod(each[len(J) - lag :]) for lag in range(len(J) + 1)]))
    assert (norms <= bound * (1 + 1e-12)).all()
    assert norms[0] == bound[0] == 1


@pytest.mark.parametrize("part", [slice(3), slice(3, None), slice(0, 6, 2)])
def test_a_part_of_the_state_is_a_block_of_the_product(rng, part):
    layer, x, state = one_sequence("LSTM", rng)
    P = jacobians.products(jacobians.step_jacobians(layer, x, state))
    blocks = [np.linalg.norm(p[part][:, part], 2) for p in P]
    assert_close(jacobians.norms_by_lag(layer, x, state, part=part), np.array(blocks))


def test_a_non_normal_matrix_grows_before_it_vanishes():
    assert_allclose(jacobians.spectral_radius(NON_NORMAL), 0.9, rtol=1e-7)
    powers = np.linalg.norm(jacobians.products([NON_NORMAL] * 50), 2, axis=(1, 2))
    assert [round(powers[k], 1) for k in (1, 5, 10, 50)] == [5.2, 16.4, 19.4, 1.4]
    assert_allclose(jacobians.bound_by_lag([NON_NORMAL] * 3), powers[1] ** np.arange(4))


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 5), (5, 2)])
def test_singular_values_are_the_roots_of_the_eigenvalues_of_WWT(rng, shape):
    W = rng.normal(size=shape)
    expected = np.sqrt(np.linalg.eigvalsh(W @ W.T)[::-1][: min(shape)])
    values = jacobians.singular_values(W)
    assert_close(values, expected)
    assert_close(values[0], np.linalg.norm(W, 2))


def test_singular_values_and_spectral_radius_by_hand():
    assert_allclose(jacobians.singular_values([[0, -3], [2, 0]]), [3, 2])
    assert_allclose(jacobians.spectral_radius([[0, -3], [3, 0]]), 3)  # a turn: ±3i
    assert_allclose(jacobians.spectral_radius([[0.5, 9], [0, -2]]), 2)
    assert type(jacobians.spectral_radius([[1]])) is float


# ---------------------------------------------------------------- the gradient, step by step


@given(problems(kinds=CAUSAL))
def test_the_terms_of_the_steps_sum_to_the_gradient(p):
    grads = p.model.loss_and_gradients(**p.data, state=p.state).grads
    terms = jacobians.gradient_by_step(p.model, **p.data, state=p.state)
    T = len(p.inputs)
    for name, term in terms.items():
        assert (term.shape, term.dtype) == ((T, *p.model.params[name].shape), np.float64)
    assert_close(
        {n: a.sum(axis=0) for n, a in terms.items()}, {n: grads[n] for n in p.model.layer.params}
    )


@pytest.mark.parametrize("kind", CAUSAL)
def test_the_term_of_a_step_is_that_of_its_own_copy_of_the_weights(kind, rng):
    """A dummy copy of W at step k alone: its derivative is the term of step k."""
    layer, x, state = one_sequence(kind, rng, T=4)
    model = make_model(2, 3, 2, rng)
    model.layer = layer
    model.load_params({n: rng.normal(size=W.shape) for n, W in model.params.items()})
    labels = rng.integers(2, size=(4, 1))
    terms = jacobians.gradient_by_step(model, x[:, None], labels, state=state)
    W_hy, b_y = model.readout.params.values()

    def E(k, name, W):
        values, now, total = {**layer.params}, named(layer, state), 0
        for t in range(4):
            used = {**values, name: W} if t == k else values
            h, run = plain_run(layer, {**used, **now}, x[t][None, None])
            now = {n: s[1] for n, s in run.items()}
            y = W_hy @ h[0, 0] + b_y
            total += np.log(np.exp(y).sum()) - y[labels[t, 0]]
        return total / 4

    for name, W in layer.params.items():
        for k in range(4):
            measured = complex_step(lambda w, k=k, n=name: E(k, n, w), W)
            assert_close(terms[name][k], measured)


@pytest.mark.parametrize("loss", bptt.ERRORS)
def test_for_an_rnn_the_terms_are_the_paths_that_use_the_weight_at_the_step(rng, loss):
    p = make_problem(rng, T=5, B=1, loss=loss, reduction="sum")
    terms = jacobians.gradient_by_step(p.model, **p.data, state=p.state)
    x, targets, h0 = p.x[:, 0], p.targets[:, 0], p.state[0]
    for weight in ("W_xh", "W_hh", "b_h"):
        expected = np.zeros_like(terms[weight])
        for m in range(1, 6):
            for path in bptt.paths(weight, m, p.model.params, x, targets, h0, loss):
                expected[path.use_step - 1] += path.value
        assert_close(terms[weight], expected)


def test_terms_of_a_float32_model_are_float64(rng):
    p = make_problem(rng, layer="LSTM", dtype=np.float32)
    terms = jacobians.gradient_by_step(p.model, **p.data, state=p.state)
    assert {a.dtype for a in terms.values()} == {np.dtype(np.float64)}


def test_steps_that_reach_no_error_have_no_term(rng):
    p = make_problem(rng, T=6, B=2, layer="LSTM")
    p.lengths, p.mask = np.array([6, 2]), np.zeros((6, 2), bool)
    p.mask[[3, 1], [0, 1]] = True  # the last error is at the fourth step
    norms = jacobians.norm_by_step(jacobians.gradient_by_step(p.model, **p.data))
    assert (norms[:4] > 0).all()
    assert_array_equal(norms[4:], 0)


def test_norm_by_step_takes_all_parameters_as_one_vector():
    terms = {"a": np.array([[[3.0, 0]], [[0, 0]]]), "b": np.array([[4.0], [-2.0]])}
    assert_array_equal(jacobians.norm_by_step(terms), [5, 2])
    assert_array_equal(jacobians.norm_by_step({"b": terms["b"]}), [4, 2])
    large = {"a": np.array([[3e30], [4e30]], np.float32)}
    assert_allclose(jacobians.norm_by_step(large), [3e30, 4e30], rtol=1e-6)


# ---------------------------------------------------------------- bad input

SQUARES = np.ones((3, 2, 2))


@pytest.mark.parametrize("function", [jacobians.products, jacobians.bound_by_lag])
@pytest.mark.parametrize(
    ("given_", "error", "message"),
    [
        (np.ones((2, 2)), ValueError, r"jacobians has shape \(2, 2\), expected \(T, n, n\)"),
        (np.ones((3, 2, 4)), ValueError, r"jacobians has shape \(3, 2, 4\), expected square"),
        (np.ones((3, 4, 2)), ValueError, r"jacobians has shape \(3, 4, 2\), expected square"),
        (np.ones((0, 2, 2)), ValueError, "jacobians has shape .* T at least 1"),
        (SQUARES * 1j, TypeError, "jacobians has dtype complex128"),
        (SQUARES * np.nan, ValueError, "jacobians contains NaN"),
        (SQUARES * 1e200, NotFiniteError, "the product of .*, by lag, contains NaN or infinity"),
    ],
)
def test_jacobians_that_do_not_fit(function, given_, error, message):
    with pytest.raises(error, match=f"^{message}"):
        function(given_)


def test_a_product_that_overflows_says_at_which_lag():
    with pytest.raises(
        NotFiniteError, match=r"^the product of Jacobians.* first at index \(2, 0, 0\)"
    ):
        jacobians.products(SQUARES * 1e200)
    with pytest.raises(NotFiniteError, match=r"^the product of norms.* first at index \(2,\)"):
        jacobians.bound_by_lag(np.concatenate([0 * SQUARES, SQUARES * 1e200]))


@pytest.mark.parametrize(
    ("function", "sizes"),
    [(jacobians.singular_values, r"\(M, N\)"), (jacobians.spectral_radius, r"\(H, H\)")],
)
@pytest.mark.parametrize(
    ("W", "error", "message"),
    [
        (np.ones(3), ValueError, r"W has shape \(3,\), expected SIZES"),
        (np.ones((0, 0)), ValueError, "W has shape .* expected SIZES with . at least 1"),
        (np.eye(2) * 1j, TypeError, "W has dtype complex128"),
        (np.eye(2) * np.nan, ValueError, "W contains NaN"),
    ],
)
def test_a_matrix_that_does_not_fit(function, sizes, W, error, message):
    with pytest.raises(error, match=f"^{message.replace('SIZES', sizes)}"):
        function(W)


def test_only_a_square_matrix_has_a_spectral_radius():
    for shape in ((2, 3), (3, 2)):
        message = rf"^W has shape \({shape[0]}, {shape[1]}\), expected a square matrix"
        with pytest.raises(ValueError, match=message):
            jacobians.spectral_radius(np.ones(shape))


@pytest.mark.parametrize("function", [jacobians.step_jacobians, jacobians.norms_by_lag])
def test_a_sequence_that_does_not_fit(rng, function):
    layer, x, state = one_sequence("LSTM", rng)
    for bad, message in (
        (x[:, None], r"x has shape \(5, 1, 2\), expected \(T, 2\)"),
        (x[:0], "x has shape .* T at least 1"),
        (x * np.nan, "x contains NaN"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            function(layer, bad, state)
    with pytest.raises(TypeError, match=r"state is a ndarray, expected a pair"):
        function(layer, x, state[0])
    two = mapped(lambda s: np.repeat(s, 2, axis=0), state)
    with pytest.raises(ValueError, match=r"state's h has shape \(2, 3\), expected \(1, 3\)"):
        function(layer, x, two)


def test_a_part_that_leaves_nothing(rng):
    layer, x, _ = one_sequence("RNN", rng)
    message = r"^part is slice\(3, None, None\), which leaves nothing of the state"
    with pytest.raises(ValueError, match=message):
        jacobians.norms_by_lag(layer, x, part=slice(3, None))


def test_a_gradient_by_step_says_what_is_wrong(rng):
    p = make_problem(rng)
    with pytest.raises(ValueError, match="lengths holds 9"):
        jacobians.gradient_by_step(p.model, p.x, p.targets, lengths=[1, 2, 9])
    with pytest.raises(ValueError, match="targets has shape"):
        jacobians.gradient_by_step(p.model, p.x, p.targets[:2])


@pytest.mark.parametrize("part", [None, 0, [0, 1], np.array([True, False])])
def test_a_part_is_a_slice(rng, part):
    with pytest.raises(TypeError, match=r"^part is .*, expected a slice such as slice\(H\)$"):
        jacobians.norms_by_lag(make_layer("LSTM", rng=rng), np.ones((3, 2)), part=part)


def test_a_layer_of_a_stack_may_start_from_zeros(rng):
    stack, x = make_layer("stack", rng=rng), rng.normal(size=(3, 2))
    top = rng.normal(size=(1, 4))
    zeros = np.zeros((1, 5)), np.zeros((1, 5))
    assert_close(
        jacobians.step_jacobians(stack, x, (None, top)),
        jacobians.step_jacobians(stack, x, (zeros, top)),
        0,
    )


def test_no_terms_have_no_length():
    with pytest.raises(ValueError, match=r"^terms is empty, expected at least one"):
        jacobians.norm_by_step({})
