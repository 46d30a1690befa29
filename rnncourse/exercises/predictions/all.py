"""The questions of the boxes "Predict first", page by page, each with its computed key."""

import math
from collections.abc import Sequence

import numpy as np

from .. import equations as eq
from ..data import tasks
from ..experiments import starts
from ..explorables import carousel, cliff, gates, lag, paths, unit, unroll
from ..gradients import bptt, jacobians
from ..gradients.example import H0, NET, TARGETS, X
from ..nonlinear import sigmoid
from ..validation import Array
from .questions import QUESTIONS, question

__all__ = ["QUESTIONS"]


def nearest(value: float, choices: Sequence[float]) -> float:
    """Return the choice that lies nearest to `value`, as a factor."""
    return min(choices, key=lambda choice: abs(math.log(value / choice)))


# ---------------------------------------------------------------- 1 · Structure


@question(
    "friend",
    page="1-structure/memory",
    replies={
        "almost always": "She would need to know the lamp as it was before her window.",
        "nine times in ten": (
            "Ten steps sound like much. But what counts is every press, however old."
        ),
        "half of the time": "A single press out of her sight turns all her answers around.",
    },
)
def friend() -> str:
    """How often is she right who knows the last ten steps of a hundred?"""
    presses = np.random.default_rng(0).integers(2, size=(4000, 100))
    right = np.mean(presses.sum(axis=1) % 2 == presses[:, -10:].sum(axis=1) % 2)
    names = {1.0: "almost always", 0.9: "nine times in ten", 0.5: "half of the time"}
    return names[nearest(float(right), tuple(names))]


@question(
    "uses",
    page="1-structure/any-length",
    replies={
        "12 and 12": "W_hh, yes. But an output is made only where one is asked for.",
        "12 and 1": "Once at each step, and one readout at the end.",
        "1 and 1": "The folded drawing has each weight once. Unrolled, every step uses W_hh.",
    },
)
def uses() -> str:
    """How often does a many-to-one network with twelve inputs use W_hh, and how often W_hy?"""
    steps, _, first = unroll.arrange("many-to-one", 12)
    used = unroll.uses(steps, steps - first + 1)
    return f"{used['W_hh']} and {used['W_hy']}"


@question(
    "negative-weight",
    page="1-structure/one-unit",
    replies={
        "It fades to 0": "That is what a weight of 0.5 does. With −2, a small state grows.",
        "It stays near 0.96": "Its size does. But look at the sign: tanh(−2 · 0.96) is negative.",
        "It jumps between two values": "Each step turns the sign around: 0.96, −0.96, 0.96, …",
    },
)
def negative_weight() -> str:
    """Where does h = tanh(−2 h) go from 0.5?"""
    last, now = unit.trajectory(-2.0, 0.0, 0.0, 0.5)[-2:]
    if abs(now) < 0.1:
        return "It fades to 0"
    return "It stays near 0.96" if now * last > 0 else "It jumps between two values"


@question(
    "latch-ends",
    page="1-structure/one-unit",
    replies={
        "b = 0.1": (
            "That is a small push. The lower resting place moves up a little and is still there."
        ),
        "b = 0.5": "Between 0.53 and 0.54 it meets the empty circle, and both are gone.",
        "b = 1": "By then it has been gone for a while.",
    },
)
def latch_ends() -> str:
    """Near which bias does the lower resting place of w = 2 vanish?"""
    biases = np.arange(0, 1.2, 0.01)
    gone = next(b for b in biases if len(unit.fixed_points(2.0, float(b))) == 1)
    return f"b = {nearest(float(gone), (0.1, 0.5, 1)):g}"


# ---------------------------------------------------------------- 2 · The chain rule through time


@question(
    "older-paths",
    page="2-backpropagation/paths",
    replies={
        "The sum is positive too": (
            "So says the newest path. The two older ones disagree, and outweigh it."
        ),
        "The sum is negative": "The older paths add −0.26 and −0.31 to the +0.28.",
    },
)
def older_paths() -> str:
    """What sign has the derivative of E_3 by the lower weight of W_xh?"""
    found = paths.sweep(NET, X, "W_xh", (3,))
    total = sum(float(step.value[1, 0]) for step in found)
    return "The sum is positive too" if total > 0 else "The sum is negative"


@question(
    "crossing",
    page="2-backpropagation/bptt",
    replies={
        "1": "One comes from E_{n+2}. Is there no other error behind the crossing?",
        "2": "One comes from each later error. Add the two rows first, and multiply once.",
        "3": "Three paths start at each error that is two steps on. How many reach the oldest use?",
        "6": "Six is the number of all paths. Some of them end before they come to h_n.",
    },
)
def crossing() -> str:
    """How many of the six paths of three errors cross from h_{n+1} to h_n?"""
    every = [p for m in (1, 2, 3) for p in bptt.paths("W_hh", m, NET, X, TARGETS)]
    return str(sum(p.error_step >= 2 and p.use_step <= 1 for p in every))


@question(
    "worst-slip",
    page="2-backpropagation/bptt",
    replies={
        "1, later steps forgotten": "It comes second, with an error of 0.36.",
        "2, the slope forgotten": "The relative error is 0.46.",
        "3, h_t for h_{t−1}": "The mildest of the three, with 0.23: the states change slowly here.",
    },
)
def worst_slip() -> str:
    """Which of three slips does the most harm to the gradient of W_hh?"""
    h, y = bptt.forward(NET, X, H0)
    states = np.vstack([H0, h])
    W = NET

    def gradient(later: bool = True, slope: bool = True, shift: int = 0) -> Array:
        total: Array = np.zeros((2, 2))
        carried: Array = np.zeros(2)
        for t in (3, 2, 1):
            delta_h = W["W_hy"].T @ (y[t - 1] - TARGETS[t - 1]) + later * carried
            delta_a = delta_h * (1 - slope * states[t] ** 2)
            total += np.outer(delta_a, states[t - 1 + shift])
            carried = W["W_hh"].T @ delta_a
        return total

    right = gradient()
    slips = {
        "1, later steps forgotten": gradient(later=False),
        "2, the slope forgotten": gradient(slope=False),
        "3, h_t for h_{t−1}": gradient(shift=1),
    }
    size = {name: np.abs(wrong - right).max() for name, wrong in slips.items()}
    return max(size, key=lambda name: size[name])


@question(
    "best-rate",
    page="2-backpropagation/bptt",
    replies={
        "0.01": "It brings the loss down to 0.71, safely. One of the others does far better.",
        "0.1": "From 0.9046 to 0.0171 in a single update.",
        "1": (
            "It overshoots: the loss jumps to 9.08. The gradient knows nothing of where a "
            "long step lands."
        ),
    },
)
def best_rate() -> str:
    """Which learning rate brings the loss down the most in one update?"""
    _, dW = bptt.bptt(NET, X, TARGETS, H0)
    after = {}
    for rate in (0.01, 0.1, 1.0):
        moved = {name: eq.update(W, dW[name], rate) for name, W in NET.items()}
        after[rate], _ = bptt.bptt(moved, X, TARGETS, H0)
    return f"{min(after, key=lambda rate: after[rate]):g}"


# ---------------------------------------------------------------- 3 · Gradients


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
    return f"It grows first, to about {nearest(float(max(norms)), (5, 20)):g}"


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
    return "more than 200" if moved > 200 else f"{nearest(moved, (0.2, 2)):g}"


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
    return {0.5: "one half", 0.01: "a hundredth"}[nearest(ratio, (0.5, 0.01))]


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
    return {0.3: "about 30 %", 0.01: "about 1 %"}[nearest(float(left / whole), (0.3, 0.01))]


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
    return {1.0: "all of it", 0.1: "about a tenth"}[nearest(left, (1.0, 0.1))]


# ---------------------------------------------------------------- 4 · LSTM gates


@question(
    "add-not-overwrite",
    page="4-lstm/cell",
    replies={
        "the forget bias, up": (
            "From 5 to 15: the signal 1 takes 10 away, and the forget gate still opens."
        ),
        "the forget bias, down": "Then the gate shuts all the more, and the old number is lost.",
        "the input bias, up": (
            "The input gate is open at step 4 already. The old number is what gets lost."
        ),
        "the output bias, up": "The output gate decides what is read, not what is kept.",
    },
)
def add_not_overwrite() -> str:
    """Which bias makes step 4 add the new number to the old?"""
    start = {"b_f": 5.0, "b_i": -5.0, "b_o": 5.0}
    names = {"f": "the forget bias", "i": "the input bias", "o": "the output bias"}

    def added(q: str, by: float) -> float:
        trace = gates.run(gates.VALUES, gates.SIGNALS, **{**start, f"b_{q}": start[f"b_{q}"] + by})
        return min(
            trace[4]["f"], trace[4]["i"]
        )  # both open: what was there stays, and the new comes

    changes = [(q, by) for q in "fio" for by in (-10.0, 10.0)]
    q, by = max(changes, key=lambda change: added(*change))
    return f"{names[q]}, {'up' if by > 0 else 'down'}"


@question(
    "one-gate-shut",
    page="4-lstm/forget-bias",
    replies={
        "as much": "That is so for the direct path alone. Other ways lead around the shut gate.",
        "less": "A third is left, where the direct path keeps a twentieth.",
        "nothing": "Some of it did pass through that gate.",
    },
)
def one_gate_shut() -> str:
    """What does the full derivative lose when one forget gate is held at 0.05?"""
    held = [0.05 if t == 20 else free for t, free in enumerate(carousel.FREE, start=1)]
    free, shut = carousel.curves(3.0, 1.0), carousel.curves(3.0, 1.0, held)
    direct, full = (float(shut[path][0] / free[path][0]) for path in ("direct", "full"))
    return "nothing" if full > 0.95 else "less" if full > 2 * direct else "as much"


@question(
    "update-gate",
    page="4-lstm/relatives",
    replies={
        "the old state": "With z_t = 1 the unit holds. So z_t does the work of the forget gate.",
        "the candidate": "That is what −20 gives. At 20, z_t is 1 and 1 − z_t is 0.",
        "half of each": "For that z_t has to be one half, and its pre-activation 0.",
    },
)
def update_gate() -> str:
    """What is h_t of a GRU whose update gate has a bias of 20?"""
    h_t = eq.gru_hidden(sigmoid(np.array([20.0])), np.array([1.0]), np.array([0.0]))
    return {1.0: "the old state", 0.5: "half of each", 0.0: "the candidate"}[round(2 * h_t[0]) / 2]
