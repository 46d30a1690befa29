"""The network that chapter 2 works through by hand: H = 2, D = 1, O = 1, over three steps."""

from functools import cache

import numpy as np

from . import bptt

NET = {
    "W_xh": np.array([[0.5], [-0.4]]),
    "W_hh": np.array([[0.8, -0.3], [0.4, 0.6]]),
    "b_h": np.array([0.1, 0.0]),
    "W_hy": np.array([[0.9, -0.7]]),
    "b_y": np.array([0.2]),
}
H0 = np.array([0.2, -0.1])
X = np.array([[1.0], [0.5], [-0.5]])
TARGETS = np.array([[0.5], [0.2], [-0.6]])


@cache
def truncation_error(every: int, back: int, strength: float = 1.0) -> float:
    """Return how far off the truncated gradient of W_hh is on one sequence of 60 steps.

    Parameters
    ----------
    every, back : as in `bptt.truncated_bptt`
    strength : what W_hh is multiplied by

    Returns
    -------
    float
        The length of the difference from the full gradient, divided by that of the full gradient.
    """
    rng = np.random.default_rng(0)
    W = {**NET, "W_hh": strength * NET["W_hh"]}
    x, d = 0.3 * rng.normal(size=(60, 1)), rng.normal(size=(60, 1))
    full = bptt.bptt(W, x, d, H0)[1]["W_hh"]
    cut = bptt.truncated_bptt(W, x, d, every=every, back=back, h0=H0)[1]["W_hh"]
    return float(np.linalg.norm(cut - full) / np.linalg.norm(full))
