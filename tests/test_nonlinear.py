"""Sigmoid and softmax: their definitions, and their behavior at the edges of floating point."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import log_softmax, sigmoid, softmax


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
