"""One network folded and unrolled: its states, its arrangements, how often each weight is used.

It is the network that chapter 1 computes by hand, with D = 1, H = 2 and O = 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import equations as eq
from ..validation import Array, real_array, require_choice, require_size
from .base import Choice, Explorable, Number, Numbers, Truth

WEIGHTS: dict[str, Array] = {
    "W_xh": np.array([[1.0], [0.5]]),
    "W_hh": np.array([[0.5, -0.4], [0.3, 0.8]]),
    "b_h": np.array([0.0, -0.1]),
    "W_hy": np.array([[1.0, -2.0]]),
    "b_y": np.array([0.3]),
}
X = [1, 0, -1, 1, 0, 0, -1, 0, 1, 1, 0, -1]  # the first three are those of the chapter
LONGEST = len(X)
ARRANGEMENTS = ("one-to-one", "one-to-many", "many-to-one", "aligned", "encoder-decoder")


def arrange(arrangement: str, T: int) -> tuple[int, int, int]:
    """Return (steps, inputs, first) of one of the `ARRANGEMENTS` over T ≥ 1 steps.

    Inputs enter at the steps 1 … `inputs`, zeros after that; outputs are read at the steps
    `first` … `steps`. One-to-one has one step whatever T is, the encoder-decoder at least two:
    one network with a mask, which reads in the first half and answers in the second.
    """
    require_choice("arrangement", arrangement, ARRANGEMENTS)
    two = max(require_size("T", T), 2)
    half = -(-two // 2)
    return {
        "one-to-one": (1, 1, 1),
        "one-to-many": (T, 1, 1),
        "many-to-one": (T, T, T),
        "aligned": (T, T, 1),
        "encoder-decoder": (two, half, half + 1),
    }[arrangement]


def run(weights: Mapping[str, Array], x: Sequence[float]) -> tuple[Array, Array]:
    """Return h_0 … h_T, (T + 1, H), by eq-hidden, and y_1 … y_T, (T,), by eq-output.

    `weights` are named as in `WEIGHTS`, with D = O = 1 and any H; h_0 = 0; `x` has T numbers.
    """
    W_xh, W_hh, b_h, W_hy, b_y = (weights[k] for k in ("W_xh", "W_hh", "b_h", "W_hy", "b_y"))
    h: list[Array] = [np.zeros(len(b_h))]
    for x_t in real_array("x", x, ("T",), np.float64):
        h.append(eq.hidden_state(np.array([x_t]), h[-1], W_xh, W_hh, b_h))
    return np.array(h), np.array([eq.output(h_t, W_hy, b_y)[0] for h_t in h[1:]])


def uses(steps: int, outputs: int) -> dict[str, int]:
    """Return at how many places of the unrolled network each weight and bias stands."""
    return {"W_xh": steps, "W_hh": steps, "b_h": steps, "W_hy": outputs, "b_y": outputs}


def parameter_count(weights: Mapping[str, Array]) -> int:
    """Return N of eq-parameter-count, by counting the numbers in `weights`: no T in it."""
    return sum(np.size(W) for W in weights.values())


def fixed_width(weights: Mapping[str, Array], inputs: int, outputs: int) -> int:
    """Return H (inputs · D + 1) + outputs · O (H + 1), with D, H, O those of `weights`.

    So many parameters has a network without cycles that takes all inputs at once, has one layer
    of H units and gives all outputs at once.
    """
    (H, D), O = weights["W_xh"].shape, len(weights["b_y"])
    return H * (inputs * D + 1) + outputs * O * (H + 1)


class Unroll(Explorable):
    """One network folded to its cycle and unrolled over T steps, in five arrangements.

    `x` holds x_1 … x_12, each −1, 0 or 1; the network reads as many as `arrange` says. `step` is
    the step that the folded drawing shows, and `weight` the matrix whose arrows are lit.
    """

    name = "unroll"
    arrangement = Choice("aligned", ARRANGEMENTS)
    T = Number(3, 1, LONGEST, 1)
    x = Numbers(X, -1, 1, 1)
    step = Number(2, 1, LONGEST, 1)
    weight = Choice("W_hh", ("W_xh", "W_hh", "W_hy"))
    fold = Truth(False)

    def data(self) -> dict[str, Any]:
        """Return the weights as lists, so that the page has them from here."""
        return {name: W.tolist() for name, W in WEIGHTS.items()}
