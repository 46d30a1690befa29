"""The readout and the two losses."""

import numpy as np
import pytest
from helpers import assert_close, complex_step
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import (
    NotFiniteError,
    Readout,
    check_gradients,
    softmax_cross_entropy,
    squared_error,
)

LOSSES = [squared_error, softmax_cross_entropy]


def make_readout(rng, H=4, O=3, dtype=np.float64):
    readout = Readout(H, O, rng=rng, dtype=dtype)
    readout.load_params({n: rng.normal(size=W.shape) for n, W in readout.params.items()})
    return readout


def targets_for(loss, y, rng):
    if loss is squared_error:
        return rng.normal(size=y.shape)
    return rng.integers(y.shape[-1], size=y.shape[:-1])


@st.composite
def outputs(draw):
    """(rng, y) with 0 to 3 leading axes and from 1 output."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    leading = draw(st.lists(st.integers(1, 3), max_size=3))
    return rng, rng.normal(size=(*leading, draw(st.integers(1, 4)))) * 3


@given(outputs(), st.integers(1, 4))
def test_readout_is_linear_and_so_is_its_gradient(drawn, H):
    rng, dy = drawn
    readout, h = make_readout(rng, H, dy.shape[-1]), rng.normal(size=(*dy.shape[:-1], H))
    W = readout.params
    y = readout.forward(h)
    for at in np.ndindex(dy.shape[:-1]):
        assert_close(y[at], W["W_hy"] @ h[at] + W["b_y"])
    dh, grads = readout.backward(h, dy)

    def E(h=h, W_hy=W["W_hy"], b_y=W["b_y"]):
        return (np.einsum("oh,...h->...o", W_hy, h) + b_y).ravel() @ dy.ravel()

    assert_close(dh, complex_step(lambda v: E(h=v), h))
    for name, gradient in grads.items():
        assert_close(gradient, complex_step(lambda v, n=name: E(**{n: v}), W[name]))


@given(outputs(), st.sampled_from(LOSSES), st.booleans(), st.sampled_from(["mean", "sum"]))
def test_losses_and_their_gradients(drawn, loss, masked, reduction):
    rng, y = drawn
    targets = targets_for(loss, y, rng)
    mask = np.ones(y.shape[:-1], bool)
    if masked:
        mask = np.array(rng.random(y.shape[:-1]) < 0.5)
        mask.flat[0] = True
    each = list(np.ndindex(y.shape[:-1]))
    size = mask.sum() if reduction == "mean" else 1

    def plain(y):
        total = 0
        for at in each:
            if mask[at] and loss is squared_error:
                total += ((y[at] - targets[at]) ** 2).sum() / 2
            elif mask[at]:
                total += np.log(np.exp(y[at]).sum()) - y[at][targets[at]]
        return total / size

    E, dy = loss(y, targets, mask if masked else None, reduction)
    assert_close(E, plain(y))
    assert_close(dy, complex_step(plain, y))
    report = check_gradients(
        lambda: loss(y, targets, mask if masked else None, reduction)[0], {"y": y}, {"y": dy}
    )
    assert report.ok(1e-7), report


def test_losses_by_hand():
    y, d = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.0, 0.0], [3.0, 1.0]])
    assert squared_error(y, d)[0] == (0.5 * 5 + 0.5 * 16) / 2
    assert squared_error(y, d, reduction="sum")[0] == 0.5 * 5 + 0.5 * 16
    assert squared_error(y, d, mask=[False, True])[0] == 0.5 * 16
    E, dy = softmax_cross_entropy(np.log([[0.1, 0.9], [0.5, 0.5]]), [0, 1])
    assert_allclose(E, -(np.log(0.1) + np.log(0.5)) / 2)
    assert_allclose(dy, [[-0.45, 0.45], [0.25, -0.25]])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("O", [1, 4])
def test_what_the_mask_hides_does_not_matter(rng, loss, O):
    y = rng.normal(size=(3, 2, O))
    targets, mask = targets_for(loss, y, rng), np.array([[1, 0], [0, 1], [1, 1]], bool)
    hidden = targets.copy()
    hidden[~mask] = np.nan if loss is squared_error else -99
    E, dy = loss(y, targets, mask)
    E_hidden, dy_hidden = loss(y, hidden, mask)
    assert E == E_hidden
    assert_array_equal(dy, dy_hidden)
    assert_array_equal(dy[~mask], 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_take_lists(rng, loss):
    y = rng.normal(size=(3, 2, 4))
    targets, mask = targets_for(loss, y, rng), rng.random((3, 2)) < 0.5
    E, dy = loss(y.tolist(), targets.tolist(), mask.tolist())
    E_arrays, dy_arrays = loss(y, targets, mask)
    assert E == E_arrays
    assert_array_equal(dy, dy_arrays)


def test_cross_entropy_of_extreme_outputs():
    y = np.array([[1e4, 0.0], [1e4, 0.0]])
    E, dy = softmax_cross_entropy(y, [0, 1], reduction="sum")
    assert E == 1e4
    assert_array_equal(dy, [[0, 0], [1, -1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("others", [1, 3])
def test_cross_entropy_is_exact_where_the_label_is_nearly_certain(dtype, others):
    """For y = [d, 0, …] E is log(1 + n e⁻ᵈ), and δ^y −q and e⁻ᵈ p, however small they are."""
    for d in (0, 0.5, 1, 8, 16, 30, 40, 80):
        y = np.array([d] + others * [0], dtype)
        E, dy = softmax_cross_entropy(y, 0)
        odds = others * np.exp(-np.float64(d))
        rtol = (8 + d) * np.finfo(dtype).eps  # −d is rounded before it becomes an exponent
        assert_allclose(E, np.log1p(odds), rtol=rtol)
        assert_allclose(dy[0], -odds / (1 + odds), rtol=rtol)
        assert_allclose(dy[1:], odds / others / (1 + odds), rtol=rtol)
    assert np.copysign(1, softmax_cross_entropy([1e4, 0], 0)[0]) == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_stays_float32(rng, loss):
    readout = make_readout(rng, dtype=np.float32)
    h = rng.normal(size=(5, 2, 4))
    y = readout.forward(h)
    E, dy = loss(y, targets_for(loss, y, np.random.default_rng(1)))
    dh, grads = readout.backward(h, dy)
    assert isinstance(E, float)
    assert {a.dtype for a in (y, dy, dh, *grads.values())} == {np.dtype(np.float32)}
    E_64, dy_64 = loss(y.astype(float), targets_for(loss, y, np.random.default_rng(1)))
    assert_allclose(E, E_64, rtol=1e-5)
    assert_close(dy, dy_64, 1e-5)


def test_initial_weights_are_drawn_from_one_over_root_H(rng):
    W = Readout(25, 200, rng=rng).params
    assert 0.199 < np.abs(W["W_hy"]).max() <= 0.2
    assert abs(W["W_hy"].mean()) < 0.01
    assert_array_equal(W["b_y"], 0)


def test_parameters_are_loaded_all_or_none(rng):
    readout = Readout(2, 1, rng=rng)
    readout.load_params({"W_hy": [[1, 2]], "b_y": [3]})
    assert_array_equal(readout.params["W_hy"], [[1, 2]])
    with pytest.raises(ValueError, match=r"b_y has shape \(2,\), expected \(1,\)"):
        readout.load_params({"W_hy": [[0, 0]], "b_y": [0, 0]})
    assert_array_equal(readout.params["W_hy"], [[1, 2]])


# ---------------------------------------------------------------- bad input

H = np.ones((3, 2, 4))
Y = np.ones((3, 2, 3))
BAD_STATES = [
    (np.ones((3, 2, 5)), ValueError, r"h has shape \(3, 2, 5\), expected \(N, N, 4\)"),
    (np.ones((0, 2, 4)), ValueError, r"h has shape \(0, 2, 4\).* at least 1"),
    (1.0, ValueError, "h has shape"),
    (H > 0, TypeError, "h has dtype bool"),
    ([[1], [1, 2]], TypeError, "h is not a regular array"),
    (H * np.nan, ValueError, "h contains NaN"),
]


@pytest.mark.parametrize(("h", "error", "message"), BAD_STATES)
def test_readout_says_what_is_wrong_with_h(rng, h, error, message):
    with pytest.raises(error, match=message):
        make_readout(rng).forward(h)
    with pytest.raises(error, match=message):
        make_readout(rng).backward(h, Y)


def test_readout_says_what_else_is_wrong(rng):
    readout = make_readout(rng)
    with pytest.raises(ValueError, match=r"dy has shape \(1, 2, 3\), expected \(3, 2, 3\)"):
        readout.backward(H, Y[:1])
    with pytest.raises(ValueError, match="dy contains NaN"):
        readout.backward(H, Y * np.nan)
    readout.params["W_hy"][1, 2] = np.inf
    with pytest.raises(ValueError, match=r"W_hy contains NaN .* \(1, 2\)"):
        readout.forward(H)
    with pytest.raises(ValueError, match="output_size is 0"):
        Readout(4, 0, rng=rng)
    with pytest.raises(ValueError, match="hidden_size is 0"):
        Readout(0, 4, rng=rng)
    with pytest.raises(TypeError, match="dtype is complex128"):
        Readout(4, 4, rng=rng, dtype=complex)
    with pytest.raises(TypeError, match="rng is None"):
        Readout(4, 4, rng=None)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["W_hy", "b_y"])
def test_a_parameter_that_is_not_finite_is_found_and_does_not_warn(rng, name, value):
    readout = make_readout(rng)
    readout.params[name].flat[-1] = value
    for h in (H, -H, 0 * H):
        with pytest.raises(NotFiniteError, match=rf"^{name} contains NaN or infinity: 1 of \d+"):
            readout.forward(h)
    if name == "W_hy":
        readout.params[name].flat[-2] = -value
        with pytest.raises(NotFiniteError, match=r"^W_hy contains NaN or infinity: 2 of 12"):
            readout.forward(H)


def test_outputs_too_large_for_the_dtype_are_infinite_and_do_not_warn(rng):
    readout = make_readout(rng)
    readout.params["W_hy"][...] = 1e308
    assert_array_equal(readout.forward(H), np.inf)


LABELS = np.zeros((3, 2), int)


@pytest.mark.parametrize("mask", [None, np.ones((3, 2), bool)])
@pytest.mark.parametrize(
    ("loss", "targets", "error", "message"),
    [
        (squared_error, Y[:1], ValueError, r"targets has shape \(1, 2, 3\), expected \(3, 2, 3\)"),
        (squared_error, Y > 0, TypeError, "targets has dtype bool"),
        (squared_error, Y * 1j, TypeError, "targets has dtype complex128"),
        (squared_error, Y * np.inf, ValueError, "targets contains NaN or infinity"),
        (squared_error, [[1], [1, 2]], TypeError, "targets is not a regular array"),
        (softmax_cross_entropy, LABELS.T, ValueError, r"targets has shape \(2, 3\)"),
        (softmax_cross_entropy, LABELS + 3, ValueError, r"targets holds 3 .* from 0 to 2"),
        (softmax_cross_entropy, LABELS - 1, ValueError, "targets holds -1"),
        (softmax_cross_entropy, LABELS * 1.0, TypeError, "targets has dtype float64"),
        (softmax_cross_entropy, LABELS > 0, TypeError, "targets has dtype bool"),
        (softmax_cross_entropy, [[1], [1, 2]], TypeError, "targets is not a regular array"),
    ],
)
def test_losses_say_what_is_wrong_with_targets(mask, loss, targets, error, message):
    with pytest.raises(error, match=message):
        loss(Y, targets, mask)


@pytest.mark.parametrize(("loss", "targets"), [(squared_error, Y), (softmax_cross_entropy, LABELS)])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": Y * np.nan}, ValueError, "y contains NaN"),
        ({"y": Y * 1j}, TypeError, "y has dtype complex128"),
        ({"y": Y[:, :0]}, ValueError, "y has shape"),
        ({"mask": np.ones((3, 2))}, TypeError, "mask has dtype float64, expected True and False"),
        ({"mask": np.ones((1, 2), bool)}, ValueError, r"mask has shape \(1, 2\)"),
        ({"mask": np.zeros((3, 2), bool)}, ValueError, "mask counts no prediction"),
        ({"reduction": "none"}, ValueError, "reduction is 'none', expected one of 'mean', 'sum'"),
    ],
)
def test_losses_say_what_else_is_wrong(loss, targets, arguments, error, message):
    arguments = {"y": Y, **arguments}
    with pytest.raises(error, match=message):
        loss(arguments.pop("y"), targets, **arguments)


def test_an_extreme_output_under_the_mask_does_not_matter():
    y = np.array([[1.0, 2.0], [-1e308, 1e308]])
    expected = softmax_cross_entropy(y[:1], [0])
    with np.errstate(over="ignore"):
        E, dy = softmax_cross_entropy(y, [0, 0], [True, False])
    assert expected[0] == E
    assert_array_equal(dy, [expected[1][0], [0, 0]])
