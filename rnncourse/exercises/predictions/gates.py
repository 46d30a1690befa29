"""Questions of chapter 4: the cell, its way back and its relatives."""

import numpy as np

from ... import equations as eq
from ...explorables import carousel, gates
from ...nonlinear import sigmoid
from ..questions import question


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
