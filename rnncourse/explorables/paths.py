"""Three steps of a small network: every path of the chain rule, and the recursion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import equations as eq
from ..gradients import bptt
from ..gradients.example import H0, NET, TARGETS
from ..validation import Array, require_choice, whole_numbers
from .base import Choice, Explorable, Number

# The errors that can be chosen, as the steps that count, newest first.
STEPS = {"E1": (1,), "E2": (2,), "E3": (3,), "E": (3, 2, 1)}
USED = ("W_hh", "W_xh")  # the weights that can be chosen
EPSILON = 1e-5


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the recursion.

    Attributes
    ----------
    t : int, the step
    delta_y : (O,) δ^y_t; zero if the error of this step does not count
    own, later : (H,) the two parts of δ^h_t, W_hyᵀ δ^y_t and W_hhᵀ δ^a_{t+1}
    delta_h, delta_a : (H,)
    value : the step's term of dE/dW, in the shape of W
    """

    t: int
    delta_y: Array
    own: Array
    later: Array
    delta_h: Array
    delta_a: Array
    value: Array


def walks(
    net: Mapping[str, Array], x: ArrayLike, weight: str, steps: Sequence[int]
) -> list[bptt.Path]:
    """Return every path from the errors of `steps` to a use of `weight` (eq-bptt-whh, eq-bptt-wxh).

    Parameters
    ----------
    net : mapping with the parameters of `bptt.forward`
    x : (T, D)
    weight : "W_hh" or "W_xh"
    steps : the error steps, from 1 to T; the paths come in their order, newest use first
    """
    return [path for m in steps for path in bptt.paths(weight, m, net, x, TARGETS, H0)]


def sweep(net: Mapping[str, Array], x: ArrayLike, weight: str, steps: Sequence[int]) -> list[Step]:
    """Return the steps of the recursion, newest first, for the sum of the errors of `steps`.

    By eq-delta-y, eq-delta-h, eq-delta-a and eq-bptt-sums. Parameters as for `walks`.
    """
    require_choice("weight", weight, USED)
    h, y = bptt.forward(net, x, H0)
    x = np.asarray(x, np.float64)
    whole_numbers("steps", steps, ("n",), 1, len(x))
    W_hh, W_hy = net["W_hh"], net["W_hy"]
    delta_a: Array = np.zeros(len(W_hh))
    nothing = np.zeros(len(W_hy))
    found = []
    for t in range(len(x), 0, -1):
        counts = t in steps
        delta_y = eq.delta_y_squared_error(y[t - 1], TARGETS[t - 1]) if counts else nothing
        own = eq.delta_h(delta_y, np.zeros_like(delta_a), W_hy, W_hh)
        later = eq.delta_h(nothing, delta_a, W_hy, W_hh)
        delta_h = eq.delta_h(delta_y, delta_a, W_hy, W_hh)
        delta_a = eq.delta_a(delta_h, h[t])
        if weight == "W_hh":
            value = eq.grad_W_hh(delta_a, h[t - 1])
        else:
            value = eq.grad_W_xh(delta_a, x[t - 1])
        found.append(Step(t, delta_y, own, later, delta_h, delta_a, value))
    return found


def measured(net: Mapping[str, Array], x: ArrayLike, weight: str, steps: Sequence[int]) -> Array:
    """Return the gradient of the sum of the errors of `steps` by eq-central-difference, ε = 10⁻⁵.

    Parameters as for `walks`. Its shape is that of `weight`.
    """

    def error(W: Array) -> float:
        _, y = bptt.forward({**net, weight: W}, x, H0)
        return sum(eq.squared_error(y[t - 1], TARGETS[t - 1]) for t in steps)

    W = net[require_choice("weight", weight, USED)]
    whole_numbers("steps", steps, ("n",), 1, len(np.asarray(x)))
    result = np.zeros_like(W)
    for index in np.ndindex(W.shape):
        bump = np.zeros_like(W)
        bump[index] = EPSILON
        result[index] = (error(W + bump) - error(W - bump)) / (2 * EPSILON)
    return result


class Paths(Explorable):
    """The gradient of an error over three steps: path by path, and by the recursion.

    `path` beyond the number of paths stands for the last one. `step` counts the twelve moves of
    the recursion: δ^y, δ^h, δ^a and the term, for steps 3, 2 and 1.
    """

    name = "paths"
    way = Choice("paths", ["paths", "recursion"])
    error = Choice("E3", ["E1", "E2", "E3", "E"])
    weight = Choice("W_hh", USED)
    x1 = Number(1.0, -2.0, 2.0, 0.1)
    x2 = Number(0.5, -2.0, 2.0, 0.1)
    x3 = Number(-0.5, -2.0, 2.0, 0.1)
    w11 = Number(0.6, -2.0, 2.0, 0.1)
    path = Number(3, 1, 6, 1)
    step = Number(1, 1, 12, 1)

    @property
    def net(self) -> dict[str, Array]:
        """The network's parameters, with `w11` in place."""
        W_hh = NET["W_hh"].copy()
        W_hh[1, 1] = self.w11
        return {**NET, "W_hh": W_hh}

    @property
    def x(self) -> Array:
        """The inputs; (3, 1)."""
        return np.array([[self.x1], [self.x2], [self.x3]])

    def data(self) -> dict[str, Any]:
        """Return the network for the page: the parameters, h0 and the targets d."""
        lists = {name: W.tolist() for name, W in NET.items()}
        return {**lists, "h0": H0.tolist(), "d": TARGETS.ravel().tolist()}
