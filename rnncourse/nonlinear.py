"""Sigmoid and softmax that cannot overflow."""

import numpy as np

from .validation import Array


def sigmoid(z: Array) -> Array:
    """Logistic function σ(z) = 1 / (1 + e⁻ᶻ), elementwise, with values from 0 to 1.

    Written as ½ + ½ tanh(½z), which is the same function and cannot overflow. It is accurate to
    rounding at 1, so values below about 10⁻¹⁶ become 0.

    Parameters
    ----------
    z : array of any shape, float
    """
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def log_softmax(z: Array) -> Array:
    """Logarithm of `softmax` over the last axis.

    Subtracting the largest entry changes nothing in exact arithmetic and keeps every exponent
    at or below 0.

    Parameters
    ----------
    z : (..., O) float
    """
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(z: Array) -> Array:
    """Probabilities e^{z_k} / Σ_j e^{z_j} over the last axis.

    Parameters
    ----------
    z : (..., O) float

    Returns
    -------
    (..., O) float, at least 0, each row summing to 1
    """
    return np.exp(log_softmax(z))
