"""One unit, h ← w σ(h) + b, whose error has a cliff: descent on it with and without clipping."""

import math

import numpy as np
from numpy.typing import ArrayLike

from .. import equations as eq
from ..nonlinear import sigmoid
from ..validation import Array, require_number, require_positive
from .base import Explorable, Number

STEPS = 50
UPDATES = 200
W = (3.9, 5.7)
B = (-2.95, -1.85)


def cliff(w: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Return the error of eq-cliff-error and its gradient.

    Parameters
    ----------
    w, b : numbers or arrays that broadcast to one shape (...)

    Returns
    -------
    E : (...), from 0 to 0.49
    gradient : (2, ...), dE/dw and dE/db by backpropagation through the 50 steps of eq-cliff-unit
    """
    w, b = np.broadcast_arrays(np.asarray(w, float), np.asarray(b, float))
    s = [sigmoid(np.full(w.shape, 0.5))]  # σ(h_0) … σ(h_50)
    for _ in range(STEPS):
        s.append(sigmoid(w * s[-1] + b))
    y = s.pop()
    delta = 2 * (y - 0.7) * y * (1 - y)  # dE/dh_50
    dw, db = np.zeros_like(y), np.zeros_like(y)
    for s_t in reversed(s):
        dw, db = dw + delta * s_t, db + delta
        delta = delta * w * s_t * (1 - s_t)  # dE/dh_t
    return (y - 0.7) ** 2, np.array([dw, db])


def descend(w: float, b: float, learning_rate: float, max_norm: float = math.inf) -> Array:
    """Return the path of gradient descent, clipped by eq-clip if `max_norm` is finite.

    Returns
    -------
    path : (201, 4), w, b, E and ‖g‖ (before clipping), at the start and after each update
    """
    require_positive("learning_rate", learning_rate)
    if max_norm != math.inf:
        require_positive("max_norm", max_norm)
    place, path = np.array([require_number("w", w), require_number("b", b)]), []
    for _ in range(UPDATES + 1):
        error, g = cliff(*place)
        norm = np.linalg.norm(g)
        path.append([*place, error, norm])
        if norm > 0:
            place = eq.update(place, eq.clipped(g, max_norm), learning_rate)
    return np.array(path)


def farthest(path: Array, k: int, learning_rate: float, max_norm: float = math.inf) -> float:
    """Return the length of the largest of the first `k` moves of `path`, 0 if there is none."""
    return float(learning_rate * np.minimum(path[:k, 3], max_norm).max(initial=0.0))


def border(start: ArrayLike, end: ArrayLike) -> Array:
    """Return where the line from `start`, a place (w, b) on the map, to `end` leaves the map.

    If `end` is on the map too, this is `end`.
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    part = 1.0
    for x, to, (low, high) in zip(start, end, (W, B), strict=True):
        if to != x:
            part = min(part, ((high if to > x else low) - x) / (to - x))
    return start + part * (end - start)


def contour(w: float, y: float) -> float:
    """Return the b at which σ(h_50) = `y`, to 10⁻⁶, by halving an interval.

    σ(h_50) grows with b. If it passes `y` outside the map, an end of the interval comes back,
    0.1 above or below the map.
    """
    low, high = B[0] - 0.1, B[1] + 0.1
    for _ in range(20):
        b = (low + high) / 2
        s = sigmoid(np.array(0.5))
        for _ in range(STEPS):
            s = sigmoid(w * s + b)
        if s < y:
            low = b
        else:
            high = b
    return (low + high) / 2


class Cliff(Explorable):
    """The error of one unit over w and b, and two descents on it: plain, and clipped by norm."""

    name = "cliff"
    w = Number(5.5, *W, 0.01)
    b = Number(-2.0, *B, 0.01)
    learning_rate = Number(0.5, 0.05, 1.0, 0.05)
    max_norm = Number(0.1, 0.01, 1.0, 0.01)
    updates = Number(0, 0, UPDATES, 1)
