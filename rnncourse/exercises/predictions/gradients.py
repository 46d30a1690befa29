"""Questions of chapter 3: Jacobians, cliffs and starts."""

import math
from collections.abc import Sequence

import numpy as np

from ...data import tasks
from ...experiments import starts
from ...explorables import cliff, lag, unit
from ...gradients import jacobians
from ..questions import closest, question


@question(
    "fifty-steps",
    page="3-gradients/jacobians",
    replies={
        "2": "A factor of 100? A single step already makes 1.3 / 0.7 = 1.86.",
        "5": "Ten steps make a factor of 490. Fifty make that to the power of five.",
        "13": (
            "Each step makes 1.3 / 0.7 = 1.86, and fifty of them more than ten to the thirteenth."
        ),
        "50": "That would be a factor of ten at each step.",
    },
)
def fifty_steps() -> str:
    """How many powers of ten lie between 0.7⁵⁰ and 1.3⁵⁰?"""
    return str(round(50 * math.log10(1.3 / 0.7)))


@question(
    "large-inputs",
    page="3-gradients/jacobians",
    replies={
        "It grows above 2.2782": (
            "The weight is the same. Where do large inputs put the state, and how steep is "
            "tanh there?"
        ),
        "It shrinks": "To 0.0480. Near ±1 tanh is flat, and its slope takes the factor with it.",
        "It stays the same": "It would if the slope did not depend on the state. It is 1 − h².",
    },
)
def large_inputs() -> str:
    """What becomes of ∂h_3/∂h_0 when the inputs are three times as large?"""

    def derivative(x: Sequence[float]) -> float:
        h, product = 0.0, 1.0
        for x_t in x:
            h = math.tanh(1.5 * h + x_t)
            product *= 1.5 * (1 - h * h)
        return product

    small, large = derivative([0.5, -1, 0.2]), derivative([1.5, -3, 0.6])
    if abs(large / small - 1) < 0.01:
        return "It stays the same"
    return "It grows above 2.2782" if large > small else "It shrinks"


@question(
    "transient",
    page="3-gradients/foretell",
    replies={
        "It falls from the start": (
            "It would if W were normal, like a diagonal matrix. The 5 in the corner is not "
            "on the diagonal."
        ),
        "It grows first, to about 5": "After one step it is at 5 already. And after two?",
        "It grows first, to about 20": (
            "To 19.4, at n = 9 and 10. The factor n wins at first, the power in the end."
        ),
        "It grows forever": "The corner is 5n · 0.9^{n−1}. In the end the power wins.",
    },
)
def transient() -> str:
    """What does ‖Wⁿ‖ do for n from 1 to 50?"""
    W = np.array([[0.9, 5.0], [0.0, 0.9]])
    norms = [np.linalg.norm(np.linalg.matrix_power(W, n), 2) for n in range(1, 51)]
    top = int(np.argmax(norms))
    if top in (0, len(norms) - 1):
        return "It grows forever" if top else "It falls from the start"
    return f"It grows first, to about {closest(float(max(norms)), (5, 20)):g}"


@question(
    "noise-helps",
    page="3-gradients/foretell",
    replies={
        "It falls": (
            "The slopes do fall, to 0.46 in the mean. But they also break a balance among "
            "the large entries."
        ),
        "It stays about the same": (
            "A mean slope of 0.46 is no small change. It moves by several powers of ten."
        ),
        "It rises": (
            "To 20,000. The slopes differ from unit to unit, and the large entries no "
            "longer cancel."
        ),
    },
)
def noise_helps() -> str:
    """What does the norm at lag 50 of network 2 do when inputs come in?"""
    still, pushed = (float(lag.measure(0.9, scale, 5.0, 2).norms[50]) for scale in (0.0, 0.05))
    if 0.3 < pushed / still < 3:
        return "It stays about the same"
    return "It rises" if pushed > still else "It falls"


@question(
    "throw",
    page="3-gradients/cliff",
    replies={
        "0.2": "Ten times its longest move so far? The wall is far steeper than that.",
        "2": "The map is about two wide. It is thrown beyond the map.",
        "more than 200": "And where it lands the slope is zero, so it never comes back.",
    },
)
def throw() -> str:
    """How far does its largest move throw plain gradient descent?"""
    moved = cliff.farthest(cliff.descend(5.5, -2.0, 0.5), cliff.UPDATES, 0.5)
    return "more than 200" if moved > 200 else f"{closest(moved, (0.2, 2)):g}"


@question(
    "package-start",
    page="3-gradients/starts",
    replies={
        "one half": (
            "The radius enters with the power 30. What is 0.58 to the power 2, and to the power 30?"
        ),
        "a hundredth": "That would be a radius of 0.86.",
        "less than a thousandth": "0.58 to the power 30 is 8 · 10^-8.",
    },
)
def package_start() -> str:
    """What is left after 30 steps of the package's start, beside the Gaussian one?"""
    left = {}
    for name in ("package", "Gaussian"):
        norms = []
        for seed in range(3):
            model, rng = starts.network(seed, name)
            x, _ = tasks.temporal_order(1, 40, rng=rng)
            norms.append(jacobians.norms_by_lag(model.layer, x[:, 0])[30])
        left[name] = float(np.median(norms))
    ratio = left["package"] / left["Gaussian"]
    if ratio < 0.001:
        return "less than a thousandth"
    return {0.5: "one half", 0.01: "a hundredth"}[closest(ratio, (0.5, 0.01))]


@question(
    "orthogonal-start",
    page="3-gradients/starts",
    replies={
        "1": "That is the package's start. The orthogonal one keeps every length at first.",
        "5": "It does better than that.",
        "9": "Nine of ten. But twelve more steps are too many: at a lag of 42 it is one of ten.",
    },
)
def orthogonal_start() -> str:
    """How many of ten runs does the orthogonal start solve at a lag of about 30?"""
    return str(starts.counts(starts.saved())["orthogonal"][36][0])


@question(
    "truncated-weights",
    page="3-gradients/starts",
    replies={
        "about 30 %": "The letters X and Y stand before the last fifteen steps, in every word.",
        "about 1 %": "Truncation does not weaken what is older. It leaves it out.",
        "exactly nothing": (
            "However long this network trains, these weights stay as they were drawn."
        ),
    },
)
def truncated_weights() -> str:
    """What part of the gradient of the weights from X and Y is left by truncation to 15 steps?"""
    model, rng = starts.network(0, "orthogonal")
    x, labels = tasks.temporal_order(32, 50, rng=rng)
    terms = jacobians.gradient_by_step(model, x, labels)["W_xh"]
    letters = [tasks.TEMPORAL_ORDER_SYMBOLS.index(letter) for letter in "XY"]
    whole, left = (np.linalg.norm(part.sum(axis=0)[:, letters]) for part in (terms, terms[-15:]))
    if left == 0:
        return "exactly nothing"
    return {0.3: "about 30 %", 0.01: "about 1 %"}[closest(float(left / whole), (0.3, 0.01))]


@question(
    "price-of-holding",
    page="3-gradients/starts",
    replies={
        "all of it": "The state stays. But what becomes of a small disturbance of it?",
        "about a tenth": "The factor of one step is 0.166, and there are twenty steps.",
        "practically nothing": "0.166 to the power 20 is 3 · 10^-16.",
    },
)
def price_of_holding() -> str:
    """What is left of a gradient after 20 steps of a unit that holds with w = 2?"""
    h = unit.fixed_points(2.0, 0.0)[-1]
    left = unit.slope(2.0, h) ** 20
    if left < 1e-6:
        return "practically nothing"
    return {1.0: "all of it", 0.1: "about a tenth"}[closest(left, (1.0, 0.1))]
