"""Sequence tasks that need a long memory, as the literature defines them.

Each function draws fresh sequences, so a network trained on them cannot learn them by heart. All
arrays are float64 and time-major.
"""

import numpy as np
from numpy.typing import NDArray

from ..validation import Array, require_rng, require_size

TEMPORAL_ORDER_SYMBOLS = ("a", "b", "c", "d", "X", "Y", "E", "B")
TEMPORAL_ORDER_CLASSES = ("XX", "XY", "YX", "YY")


def temporal_order(
    batch_size: int, length: int, *, rng: np.random.Generator
) -> tuple[Array, NDArray[np.intp]]:
    """In which order did two symbols come? (Hochreiter and Schmidhuber, 1997, experiment 6a.)

    A sequence begins with E and ends with B. Between them stand random distractors a, b, c, d,
    except at two places: one between 10 and 20 percent of the length and one between 50 and 60
    percent, each holding X or Y. The label says which: XX, XY, YX or YY. The network answers
    after B, so it has to hold the first symbol for about 80 to 90 percent of the length.

    Parameters
    ----------
    batch_size : int
        B, at least 1.
    length : int
        T, at least 10. The paper draws it from 100 to 110 anew for each sequence; here it is the
        same for all, and the places go along with it.
    rng : numpy.random.Generator

    Returns
    -------
    x : (T, B, 8) float64
        One-hot; the eight symbols in the order of `TEMPORAL_ORDER_SYMBOLS`.
    labels : (B,) int from 0 to 3
        In the order of `TEMPORAL_ORDER_CLASSES`.
    """
    B, T = require_size("batch_size", batch_size), require_size("length", length, 10)
    require_rng(rng)
    symbols = rng.integers(0, 4, (T, B))
    symbols[0], symbols[-1] = 6, 7
    first = rng.integers(T // 10, T // 5, B, endpoint=True)
    second = rng.integers(T // 2, 6 * T // 10, B, endpoint=True)
    first_is_Y, second_is_Y = rng.integers(0, 2, (2, B))
    every = np.arange(B)
    symbols[first, every] = 4 + first_is_Y
    symbols[second, every] = 4 + second_is_Y
    return np.eye(8)[symbols], 2 * first_is_Y + second_is_Y


def adding(
    batch_size: int, length: int, *, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.intp]]:
    """What is the sum of two marked numbers? (Hochreiter and Schmidhuber, 1997, experiment 4.)

    Each input is a pair: a number drawn evenly from −1 to 1, and a marker. Two numbers X₁ and X₂
    have the marker 1: X₁ is one of the first ten, X₂ one of the others of the first half. All
    other markers are 0, except that the first and the last step always have −1; an X at the first
    step counts as 0. The target, read after the last step, is ½ + (X₁ + X₂)/4, from 0 to 1. The
    paper counts a sequence as solved if the output is less than .04 away.

    Parameters
    ----------
    batch_size : int
        B, at least 1.
    length : int
        The least length, at least 20. Each sequence is up to a tenth longer, at random.
    rng : numpy.random.Generator

    Returns
    -------
    x : (T, B, 2) float64
        Number and marker; T is the longest length that was drawn. Zeros past a sequence's length.
    targets : (B, 1) float64
    lengths : (B,) int from `length` to 1.1 · `length`
    """
    B, least = require_size("batch_size", batch_size), require_size("length", length, 20)
    lengths = require_rng(rng).integers(least, least + least // 10, B, endpoint=True)
    T, every = int(lengths.max()), np.arange(B)
    first = rng.integers(0, 10, B)
    second = rng.integers(0, least // 2 - 1, B)
    second += second >= first  # any step of the first half but the one already marked
    markers = np.zeros((T, B))
    markers[first, every] = markers[second, every] = 1
    markers[0] = markers[lengths - 1, every] = -1
    numbers = rng.uniform(-1, 1, (T, B))
    x = np.stack([numbers, markers], axis=-1)
    x[np.arange(T)[:, None] >= lengths] = 0
    return x, (0.5 + np.sum(numbers * (markers == 1), axis=0) / 4)[:, None], lengths


def copy(batch_size: int, lag: int, *, rng: np.random.Generator) -> tuple[Array, NDArray[np.intp]]:
    """Repeat ten symbols after a lag (Arjovsky, Shah and Bengio, 2016, section 4.1).

    Ten random symbols of 0 … 7 come first, then lag − 1 blanks (8), the signal to repeat (9), and
    ten blanks. The output wanted is blank until the signal has come, then the ten symbols in
    their order. A network without memory can do no better than an error of 10 ln 8 / (lag + 20)
    a step.

    Parameters
    ----------
    batch_size : int
        B, at least 1.
    lag : int
        At least 1.
    rng : numpy.random.Generator

    Returns
    -------
    x : (lag + 20, B, 10) float64
        One-hot.
    labels : (lag + 20, B) int from 0 to 8
        One for every step.
    """
    B, lag = require_size("batch_size", batch_size), require_size("lag", lag)
    data = require_rng(rng).integers(0, 8, (10, B))
    symbols = np.full((lag + 20, B), 8)
    labels = symbols.copy()
    symbols[:10] = labels[-10:] = data
    symbols[9 + lag] = 9
    return np.eye(10)[symbols], labels
