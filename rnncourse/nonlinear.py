"""Sigmoid and softmax that cannot overflow."""

from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from .validation import Array, float_array, numeric, refuse, require_shape

LOGITS = "finite numbers, or -infinity for what is ruled out"


@np.errstate(all="ignore")
def sigmoid(z: ArrayLike) -> Array:
    """Logistic function σ(z) = 1 / (1 + e⁻ᶻ), elementwise, with values from 0 to 1.

    Written as ½ + ½ tanh(½z), which is the same function and cannot overflow. It is accurate to
    rounding at 1, so values below about 10⁻¹⁶ become 0.

    Parameters
    ----------
    z : numbers of any shape
        σ(−∞) is 0 and σ(∞) is 1. Complex numbers are taken too, so that a complex step through
        σ measures its derivative.

    Returns
    -------
    array of the shape of `z`
        float32 and complex numbers keep their dtype, all else becomes float64.

    Raises
    ------
    TypeError, ValueError
        What is no number (bool, text, objects); NaN; a masked entry.
    """
    array = numeric("z", z, "iufc", "real or complex numbers")
    array = array if array.dtype.kind == "c" else float_array("z", array)
    if np.isnan(array.sum()):  # it decides almost always
        refuse("z", "NaN", np.isnan(array), "numbers")
    return logistic(array)


@np.errstate(all="ignore")
def log_softmax(z: ArrayLike) -> Array:
    """Logarithm of `softmax` over the last axis; −∞ where the probability is 0.

    Subtracting the largest entry changes nothing in exact arithmetic and keeps every exponent
    at or below 0.

    Parameters, dtypes and errors are those of `softmax`.
    """
    return log_shares(_logits(z))


@np.errstate(all="ignore")
def softmax(z: ArrayLike) -> Array:
    """Probabilities e^{z_k} / Σ_j e^{z_j} over the last axis.

    Parameters
    ----------
    z : (..., O) real numbers
        O and the other axes at least 1. An entry of −∞ has the probability 0: so a choice is ruled
        out. At least one entry of each row must be finite.

    Returns
    -------
    (..., O), at least 0, each row summing to 1
        float32 stays float32, all else becomes float64.

    Raises
    ------
    TypeError
        What is no real number (bool, complex, text, objects).
    ValueError
        A single number; an empty axis; NaN; +∞; a row of −∞ only; a masked entry.
    """
    z = _logits(z)
    shares = np.exp(z - z.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def logistic(z: Array) -> Array:
    """σ(z) of what is known to be floats."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def log_shares(z: Array) -> Array:
    """log softmax(z) of what is known to be floats (..., O)."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _logits(z: ArrayLike) -> Array:
    array = float_array("z", z)
    require_shape("z", array, (*("N",) * (array.ndim - 1), "O"))
    if not isfinite(array.sum()):  # it decides almost always
        refuse("z", "NaN or infinity", np.isnan(array) | (array == np.inf), LOGITS)
        nothing_left = (array == -np.inf).all(axis=-1)
        refuse("z, by the largest entry of each row,", "-infinity", nothing_left, "finite numbers")
    return array
