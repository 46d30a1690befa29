"""One unit, h ← tanh(w h + u x + b): its fixed points, its path and what it remembers."""

import math
from collections.abc import Callable
from itertools import pairwise

from ..validation import require_number
from .base import Explorable, Number

# Two pulses: up at steps 10 and 11, down at steps 25 and 26.
STEPS = 40
PULSES = [1.0 if t in (10, 11) else -1.0 if t in (25, 26) else 0.0 for t in range(1, STEPS + 1)]


def trajectory(w: float, u: float, b: float, h0: float) -> list[float]:
    """Return h_0 … h_40 of eq-one-unit with the input u x_t added, x_t from `PULSES`."""
    for name, value in {"w": w, "u": u, "b": b, "h0": h0}.items():
        require_number(name, value)
    h = [h0]
    for x_t in PULSES:
        h.append(math.tanh(w * h[-1] + u * x_t + b))
    return h


def _halve(low: float, high: float, above: Callable[[float], bool]) -> float:
    """Return the place between `low` and `high` where `above` changes its answer."""
    sign = above(low)
    for _ in range(60):
        middle = (low + high) / 2
        if above(middle) == sign:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def fixed_points(w: float, b: float) -> list[float]:
    """Return every h in (−1, 1) with h = tanh(w h + b), in ascending order: one to three.

    Between −1, the turning points of w h + b − artanh h at h = ±√(1 − 1/w), and 1, the gap
    tanh(w h + b) − h changes its sign at most once: halving each interval finds them all.
    """
    require_number("w", w)
    require_number("b", b)
    ends = [-1.0, 1.0]
    if w > 1:
        turn = math.sqrt(1 - 1 / w)
        ends = [-1.0, -turn, turn, 1.0]

    def above(h: float) -> bool:
        return math.tanh(w * h + b) - h > 0

    return [_halve(*pair, above) for pair in pairwise(ends) if above(pair[0]) != above(pair[1])]


def slope(w: float, h: float) -> float:
    """Return w (1 − h²), the slope of the map at its fixed point h: stable if |slope| < 1."""
    return w * (1 - h * h)


def cycle(w: float, b: float) -> tuple[float, ...]:
    """Return the two values between which h ← tanh(w h + b) ends up swinging, the larger first.

    Empty if there is no swing. There is one where the slope at the fixed point is below −1; then
    f(f(h)) − h changes its sign once between the fixed point and 1.
    """
    h = fixed_points(w, b)[0]
    if slope(w, h) >= -1:
        return ()

    def f(x: float) -> float:
        return math.tanh(w * x + b)

    high = _halve(h + 1e-6, 1.0, lambda x: f(f(x)) > x)
    return high, f(high)


class OneUnit(Explorable):
    """One unit h ← tanh(w h + u x + b): cobweb, state over time, fixed points for every w."""

    name = "unit"
    w = Number(2.0, -3.0, 3.0, 0.05)
    b = Number(0.0, -1.5, 1.5, 0.05)
    u = Number(2.0, 0.0, 3.0, 0.05)
    h0 = Number(-0.95, -1.0, 1.0, 0.05)
    steps = Number(40, 0, STEPS, 1)
