"""Questions of chapter 2: paths, BPTT and its check."""

import numpy as np

from ... import equations as eq
from ...explorables import paths
from ...gradients import bptt
from ...gradients.example import H0, NET, TARGETS, X
from ...validation import Array
from ..questions import question


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
