"""Questions of chapter 1: the hidden state, lengths, one unit."""

import numpy as np

from ...explorables import unit, unroll
from ..questions import Picture, closest, question


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
    return names[closest(float(right), tuple(names))]


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
    return f"b = {closest(float(gone), (0.1, 0.5, 1)):g}"


def one_step() -> Picture:
    """Return what becomes of a state in one step, for w = 2 and b = 0; dashed, what stays."""
    h = np.round(np.arange(0.1, 1.105, 0.01), 2)
    return Picture(h, np.tanh(2 * h), "the state before", "the state after", dashed=h)


@question(
    "where-it-stays",
    page="1-structure/one-unit",
    picture=one_step,
    replies={
        (0.94, 0.98): "It stays at 0.9575, because tanh(2 · 0.9575) = 0.9575.",
        (0.0, 0.94): "From there it still moves up: the state after is larger than the one before.",
        (0.98, 2.0): "From there it moves down: no tanh ever reaches 1.",
    },
)
def where_it_stays() -> float:
    """With w = 2 and b = 0, at which positive state does the unit stay?"""
    return max(unit.fixed_points(2.0, 0.0))
