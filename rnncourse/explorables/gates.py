"""One LSTM cell, operation by operation: its gates are valves, and a signal works them."""

import numpy as np
from numpy.typing import ArrayLike

from .. import equations as eq
from ..validation import Array, real_array
from .base import Explorable, Number, Numbers

# Chapter 4, by hand: write, hold, read out, overwrite, forget. A sixth step reads what is left.
VALUES = [0.5, -1.0, 0.3, -0.8, 0.0, 0.6]
SIGNALS = [1.0, 0.0, -1.0, 1.0, 1.0, -1.0]
STEPS = len(VALUES)


def cell(b_f: float, b_i: float, b_o: float) -> dict[str, tuple[Array, Array, Array]]:
    """Return the weights of the cell made by hand, for x_t = (v_t, s_t) and these biases.

    Each gate has its W_xh (1, 2), W_hh (1, 1) and b_h (1,). In the chapter the biases are 5, −5
    and −5.
    """
    weights = {
        "f": ((0, -10), 0, b_f),
        "i": ((0, 10), 0, b_i),
        "o": ((0, -10), 0, b_o),
        "g": ((1, 0), 0.5, 0),
    }
    return {
        q: (np.array([W_xh], float), np.array([[W_hh]], float), np.array([b_h], float))
        for q, (W_xh, W_hh, b_h) in weights.items()
    }


def run(v: ArrayLike, s: ArrayLike, b_f: float, b_i: float, b_o: float) -> list[dict[str, float]]:
    """Return f, i, o, g, c and h of every step for x_t = (v_t, s_t), from c_0 = h_0 = 0.

    The equations are eq-forget, eq-input, eq-output-gate, eq-candidate, eq-cell and eq-lstm-hidden.
    `v` and `s` have one length T, entries from −1 to 1. Of the T + 1 entries returned, entry t
    belongs to step t; entry 0 has c and h alone. The gates f, i and o are from 0 to 1, g and h
    from −1 to 1.
    """
    v = real_array("v", v, ("T",), np.float64)
    s = real_array("s", s, v.shape, np.float64)
    W = cell(b_f, b_i, b_o)
    c: Array = np.zeros(1)
    h: Array = np.zeros(1)
    trace = [{"c": 0.0, "h": 0.0}]
    for x_t in np.column_stack([v, s]):
        f = eq.forget_gate(x_t, h, *W["f"])
        i = eq.input_gate(x_t, h, *W["i"])
        o = eq.output_gate(x_t, h, *W["o"])
        g = eq.candidate(x_t, h, *W["g"])
        c = eq.cell_state(f, c, i, g)
        h = eq.lstm_hidden(o, c)
        parts = zip("fiogch", (f, i, o, g, c, h), strict=True)
        trace.append({q: float(part[0]) for q, part in parts})
    return trace


def event(f: float, i: float, o: float, g: float, c_prev: float) -> str:
    """Return what a step does: forget, hold, read, write, add, mix or overwrite.

    `f`, `i` and `o` are from 0 to 1, `g` from −1 to 1, and `c_prev` is the memory before. A valve
    counts as open from ½ on, and content of less than 0.05 as nothing. Beside new content, the old
    counts as kept from f = 0.9 on, and as dropped up to f = 0.1.
    """
    if i < 0.5 or abs(i * g) < 0.05:
        return "forget" if f < 0.5 else "hold" if o < 0.5 else "read"
    if abs(c_prev) < 0.05:
        return "write"
    return "add" if f >= 0.9 else "mix" if f > 0.1 else "overwrite"


class Gates(Explorable):
    """One LSTM cell: step `t` of its sequence, up to operation `op` of six."""

    name = "gates"
    t = Number(1, 1, STEPS, 1)
    op = Number(6, 1, 6, 1)
    v = Numbers(VALUES, -1.0, 1.0, 0.1)
    s = Numbers(SIGNALS, -1.0, 1.0, 0.1)
    b_f = Number(5.0, -15.0, 15.0, 0.5)
    b_i = Number(-5.0, -15.0, 15.0, 0.5)
    b_o = Number(-5.0, -15.0, 15.0, 0.5)
