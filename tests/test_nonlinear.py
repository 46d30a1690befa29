"""Sigmoid and softmax: their definitions, and their behavior at the edges of floating point."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import NotFiniteError, log_softmax, sigmoid, softmax


def test_sigmoid_is_the_logistic_function(rng):
    z = rng.normal(size=(3, 4)) * 5
    assert_allclose(sigmoid(z), 1 / (1 + np.exp(-z)), rtol=1e-12)


def test_softmax_is_the_share_of_each_exponential(rng):
    z = rng.normal(size=(2, 3, 4))
    shares = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    assert_allclose(softmax(z), shares, rtol=1e-12)
    assert_allclose(log_softmax(z), np.log(shares), rtol=1e-12)


def test_large_inputs_neither_overflow_nor_lose_digits():
    assert_array_equal(sigmoid(np.array([-1e4, 0, 1e4])), [0, 0.5, 1])
    z = np.array([[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]])
    assert_allclose(softmax(z), [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-12)
    assert_allclose(log_softmax(z)[0], [-np.log(2), -np.log(2), -2e4 - np.log(2)], rtol=1e-12)


@pytest.mark.parametrize("f", [sigmoid, softmax, log_softmax])
def test_precision_is_kept(f):
    assert f(np.ones((2, 3), np.float32)).dtype == np.float32


# ---------------------------------------------------------------- what is taken


@pytest.mark.parametrize("f", [sigmoid, softmax, log_softmax])
@pytest.mark.parametrize(
    "z", [[[3, 1], [0, 2]], np.array([[3, 1], [0, 2]], np.uint8), np.array([[3, 1], [0, 2]], ">f2")]
)
def test_numbers_of_any_width_are_computed_in_float64(f, z):
    expected = f(np.array([[3.0, 1.0], [0.0, 2.0]]))
    assert_array_equal(f(z), expected)
    assert f(z).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_many_probabilities_sum_to_one(dtype):
    for z in (np.zeros(70_000), np.linspace(-10, 5, 70_000)):
        p = softmax(z.astype(dtype))
        assert_allclose(p.sum(), 1, rtol=4 * np.finfo(p.dtype).eps)


def test_what_is_ruled_out_has_no_probability():
    z = np.array([[-np.inf, 0.0, np.log(3)], [1e300, -np.inf, -np.inf]])
    assert_allclose(softmax(z), [[0, 0.25, 0.75], [1, 0, 0]], rtol=1e-15)
    expected = [[-np.inf, np.log(0.25), np.log(0.75)], [0, -np.inf, -np.inf]]
    assert_allclose(log_softmax(z), expected, rtol=1e-15)


def test_sigmoid_takes_infinity_and_single_numbers():
    assert_array_equal(sigmoid([-np.inf, np.inf]), [0, 1])
    assert sigmoid(0) == 0.5
    assert sigmoid(np.zeros((0, 2))).shape == (0, 2)


def test_a_complex_step_through_sigmoid_is_its_derivative(rng):
    z = rng.normal(size=5)
    s = sigmoid(z)
    assert_allclose(sigmoid(z + 1e-30j).imag / 1e-30, s * (1 - s), rtol=1e-12)
    assert sigmoid(np.ones(2, np.complex64)).dtype == np.complex64


@pytest.mark.parametrize("f", [softmax, log_softmax])
@pytest.mark.parametrize(
    ("z", "error", "message"),
    [
        (1.0, ValueError, r"z has shape \(\), expected \(O,\)"),
        ([], ValueError, r"z has shape \(0,\), expected \(O,\) with O at least 1"),
        (np.ones((3, 0)), ValueError, r"z has shape \(3, 0\), expected \(N, O\) with O at least"),
        (np.ones((0, 3)), ValueError, r"z has shape \(0, 3\), expected \(N, O\) with N at least"),
        ([[1, np.nan]], NotFiniteError, r"z contains NaN or infinity: 1 of 2 .* index \(0, 1\); e"),
        ([np.inf, 1], NotFiniteError, r"z contains .* or -infinity for what is ruled out"),
        ([[0, 0], [-np.inf] * 2], NotFiniteError, r"z, by the largest entry of each row, contains"),
        ([True, False], TypeError, "z has dtype bool, expected real numbers"),
        ([1j, 2], TypeError, "z has dtype complex128"),
        (["1"], TypeError, "z has dtype <U1"),
        ([None], TypeError, "z has dtype object"),
        ([[1], [1, 2]], TypeError, "z is not a regular array"),
    ],
)
def test_softmax_says_what_is_wrong(f, z, error, message):
    with pytest.raises(error, match=f"^{message}"):
        f(z)


@pytest.mark.parametrize(
    ("z", "error", "message"),
    [
        ([1, np.nan], NotFiniteError, r"z contains NaN: 1 of 2 entries, the first at index \(1,\)"),
        ([1j * np.nan], NotFiniteError, "z contains NaN"),
        (True, TypeError, "z has dtype bool, expected real or complex numbers"),
        ("1", TypeError, "z has dtype <U1"),
        ([None], TypeError, "z has dtype object"),
    ],
)
def test_sigmoid_says_what_is_wrong(z, error, message):
    with pytest.raises(error, match=f"^{message}"):
        sigmoid(z)
