"""The network that chapter 2 works through by hand: H = 2, D = 1, O = 1, over three steps."""

import numpy as np

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
