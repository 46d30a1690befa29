"""Questions of chapter 2: paths, BPTT and its check, truncation, sunspots."""

import math
from functools import cache

import numpy as np

from ... import equations as eq
from ...data import datasets
from ...experiments import sunspots
from ...explorables import paths
from ...gradients import bptt
from ...gradients.example import H0, NET, TARGETS, X, truncation_error
from ...layers.readout import Readout
from ...layers.rnn import RNN
from ...model import Model
from ...training.fit import fit
from ...training.optim import Adam
from ...validation import Array
from ..questions import ANY, Picture, closest, question


@question(
    "older-paths",
    page="2-backpropagation/paths",
    shows=lambda: paths.Paths(error="E3", weight="W_xh", path=3),
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
    "total-by-hand",
    page="2-backpropagation/paths",
    replies={
        (11.9, 12.1): "h_2 = 2 w², and its slope is 4 w = 12: 6 from each of the two uses.",
        (5.9, 6.1): "That is one of the two uses. With h_1 held fixed, ∂⁺h_2/∂w = h_1 = 6.",
        (17.9, 18.1): "That is h_2 itself. How much does it change when w is moved a little?",
        (
            1.9,
            2.1,
        ): "That is ∂h_1/∂w = h_0. It still has to cross to h_2, and the newer use is added.",
        (7.9, 8.1): "The older use has to cross to h_2 first: it is multiplied by ∂h_2/∂h_1 = 3.",
        (2.9, 3.1): "That is ∂h_2/∂h_1, the factor between the two states.",
        ANY: "Two paths: h_1 for the newer use, and w · h_0 for the older one.",
    },
)
def total_by_hand() -> float:
    """What is the total derivative of h_2 if h_t = w h_{t−1}, w = 3 and h_0 = 2?"""

    def h_2(w: float) -> float:
        h = 2.0
        for _ in range(2):
            h = w * h
        return h

    return (h_2(3 + 1e-5) - h_2(3 - 1e-5)) / 2e-5


@question(
    "paths-to-readout",
    page="2-backpropagation/paths",
    replies={
        "1": "W_hy stands behind the state: it makes y_{n+2}, and no state depends on it.",
        "3": "So many lead to W_hh. Does any state remember that W_hy was used?",
        "6": "All three errors have six paths to W_hh. Here one error asks for another weight.",
    },
)
def paths_to_readout() -> str:
    """How many paths lead from E_{n+2} to W_hy?"""
    return str(len(bptt.paths("W_hy", 3, NET, X, TARGETS, H0)))


@question(
    "input-zero",
    page="2-backpropagation/paths",
    replies={
        "only the path to step n+1": "Its last factor has x_{n+1} in it. The older path passes by.",
        "that path and the older one": (
            "The older one crosses by Jacobians, and in these stands W_hh, not the input."
        ),
        "none of the three": "The immediate derivative of step n+1 is a slope times x_{n+1} = 0.",
    },
)
def input_zero() -> str:
    """Which of the three paths from E_{n+2} to W_xh carry nothing if x_{n+1} = 0?"""
    x = X.copy()
    x[1] = 0
    carry = [bool(p.value.any()) for p in bptt.paths("W_xh", 3, NET, x, TARGETS, H0)]
    names = {
        (True, False, True): "only the path to step n+1",
        (True, False, False): "that path and the older one",
        (True, True, True): "none of the three",
    }
    return names[carry[0], carry[1], carry[2]]


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


def with_slips(T: int) -> tuple[Array, dict[str, Array]]:
    """Return the gradient of W_hh over the first T steps, and what three slips make of it."""
    h, y = bptt.forward(NET, X[:T], H0)

    def gradient(later: bool = True, slope: bool = True, shift: int = 0) -> Array:
        total: Array = np.zeros((2, 2))
        carried: Array = np.zeros(2)
        for t in range(T, 0, -1):
            delta_h = NET["W_hy"].T @ (y[t - 1] - TARGETS[t - 1]) + later * carried
            delta_a = delta_h * (1 - slope * h[t] ** 2)
            total += np.outer(delta_a, h[t - 1 + shift])
            carried = NET["W_hh"].T @ delta_a
        return total

    return gradient(), {
        "1, later steps forgotten": gradient(later=False),
        "2, the slope forgotten": gradient(slope=False),
        "3, h_t for h_{t−1}": gradient(shift=1),
    }


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
    right, slips = with_slips(3)
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


@question(
    "delta-by-hand",
    page="2-backpropagation/bptt",
    replies={
        (0.69, 0.71): "0.1 from its own error, and 2 · 0.3 from the step after.",
        (0.89, 0.91): (
            "You sent δ^h_2 across. It passes the tanh first: δ^a_2 = (1 − 0.25) · 0.4 = 0.3."
        ),
        (0.59, 0.61): "That is what comes from step 2. The error of step 1 adds its own 0.1.",
        (0.39, 0.41): "Between the two steps stands the weight W_hh = 2.",
        (0.09, 0.11): "That is its own error only. Step 2 sends something back, too.",
        (0.49, 0.51): "The slope is 1 − h² = 0.75. It seems that you took 1 − h.",
        ANY: "First δ^a_2 = (1 − h_2²) δ^h_2. Then it comes back through W_hh, and 0.1 is added.",
    },
)
def delta_by_hand() -> float:
    """What is δ^h_1 of one unit with W_hh = 2, W_hy = 1, h_2 = 0.5, δ^y_1 = 0.1 and δ^y_2 = 0.4?"""
    W_hy, W_hh = np.array([[1.0]]), np.array([[2.0]])
    delta_h = eq.delta_h(np.array([0.4]), np.zeros(1), W_hy, W_hh)
    delta_a = eq.delta_a(delta_h, np.array([0.5]))
    return float(eq.delta_h(np.array([0.1]), delta_a, W_hy, W_hh)[0])


@question(
    "one-step-check",
    page="2-backpropagation/bptt",
    replies={
        "1, later steps forgotten": "With one step there is no later one. Check with two or more.",
        "2, the slope forgotten": "A single step has a slope, too. Without it the check fails.",
        "3, h_t for h_{t−1}": "The gradient of W_hh takes h_0 here. With h_1 it comes out wrong.",
        "none of them": "One of the three needs two steps to show. Which?",
    },
)
def one_step_check() -> str:
    """Which of the three slips does a check with a sequence of one step miss?"""
    right, slips = with_slips(1)
    missed = [name for name, wrong in slips.items() if np.allclose(wrong, right, rtol=1e-7)]
    return missed[0] if missed else "none of them"


@question(
    "zero-inputs",
    page="2-backpropagation/bptt",
    replies={
        "W_xh": "Every term of its sum has x_t in it. The states and errors are not zero.",
        "W_hh": "Its terms have h_{t−1} in them, and the states are not zero: h_0 is given.",
        "b_h": "Its terms are the signals δ^a_t alone, and there are still errors to send back.",
        "W_hy": "Its terms are δ^y_t h_tᵀ. Neither the outputs' errors nor the states are zero.",
    },
)
def zero_inputs() -> str:
    """Which gradient is zero if all inputs are zero?"""
    _, dW = bptt.bptt(NET, np.zeros_like(X), TARGETS, H0)
    (found,) = (name for name in ("W_xh", "W_hh", "b_h", "W_hy") if not dW[name].any())
    return found


def loss_by_bias() -> Picture:
    """Return the loss of the chapter's network over its output bias."""
    biases = np.round(np.arange(-1.4, 1.81, 0.02), 2)  # the point begins at 0.2
    _, y = bptt.forward(NET, X, H0)
    misses = y - TARGETS + (biases - NET["b_y"])  # (T, 1) and a number for each bias
    losses = np.round((misses**2 / 2).sum(axis=0), 2)
    return Picture(biases, losses, "the output bias", "the loss")


@question(
    "where-it-lands",
    page="2-backpropagation/bptt",
    picture=loss_by_bias,
    replies={
        (-1.0, -0.88): "0.2 − 0.5 · 2.28 = −0.94: past the lowest point, and still far better.",
        (-0.66, -0.46): (
            "There the loss is lowest. But the update sees no curve, only the slope at 0.2."
        ),
        (1.28, 1.4): "That is a step up the slope. The update subtracts.",
        (-1.2, -1.06): "That is the step, −1.14. It begins at 0.2.",
        (-1.4, -1.34): "Too far: the learning rate halves the slope, so the step is 1.14 long.",
        (0.18, 0.22): "There it begins. How far does it move, and to which side?",
        ANY: "Begin at 0.2, and subtract 0.5 times the slope 2.28.",
    },
)
def where_it_lands() -> float:
    """Where does an update of b_y alone land, from 0.2 with learning rate 0.5?"""
    _, dW = bptt.bptt(NET, X, TARGETS, H0)
    return float(eq.update(NET["b_y"], dW["b_y"], 0.5)[0])


@question(
    "twenty-back",
    page="2-backpropagation/truncation",
    replies={
        "a tenth": "Five steps back it is less than that already. Here are twenty.",
        "a hundredth": "Ten steps back it is less than that already. And after ten more?",
        "a thousandth": "Fifteen steps back it is less than that already. Five more follow.",
        "even less": "One part in fifty thousand: every five steps back leave less than a tenth.",
    },
)
def twenty_back() -> str:
    """How long is the term of a use twenty steps back, compared with the whole gradient?"""
    x, d = np.tile(X, (10, 1)), np.tile(TARGETS, (10, 1))
    terms = [path.value for path in bptt.paths("W_hh", 30, NET, x, d, H0)]
    share = float(np.linalg.norm(terms[20]) / np.linalg.norm(sum(terms)))
    if share < 3e-4:
        return "even less"
    names = {0.1: "a tenth", 0.01: "a hundredth", 0.001: "a thousandth"}
    return names[closest(share, tuple(names))]


@question(
    "less-than-a-percent",
    page="2-backpropagation/truncation",
    replies={
        "all but remembers with chunks": (
            "Two of these three are off: one lost short paths (5.5 %), the other long ones (8 %)."
        ),
        "forgets, cut in both ways": (
            "In chunks it loses short paths too, those that cross a border: 5.5 %."
        ),
        "both networks with every=1": (
            "The network that remembers loses paths of ten Jacobians, and these carry much: 8 %."
        ),
        "only forgets with every=1": (
            "0.002 %. It keeps every short path, and loses long ones that carry next to nothing."
        ),
    },
)
def less_than_a_percent() -> str:
    """Which of the four truncated gradients are off by less than 1 %?"""
    fine = {
        (w, every) for w in (0.5, 1.1) for every in (1, 10) if truncation_error(every, 10, w) < 0.01
    }
    names = {
        "all but remembers with chunks": {(0.5, 1), (0.5, 10), (1.1, 1)},
        "forgets, cut in both ways": {(0.5, 1), (0.5, 10)},
        "both networks with every=1": {(0.5, 1), (1.1, 1)},
        "only forgets with every=1": {(0.5, 1)},
    }
    return next(name for name, gradients in names.items() if gradients == fine)


@question(
    "chunk-reach",
    page="2-backpropagation/truncation",
    replies={
        "1": "That is so for step 9, the first of its chunk. Step 10 has step 9 behind it.",
        "2": "Step 10 and step 9. There the chunk begins, and the derivative stops.",
        "4": "So far goes only the error of step 12, the last of the chunk.",
        "10": "So it is without truncation. Here the derivative stops where the chunk begins.",
    },
)
def chunk_reach() -> str:
    """How many uses of W_hh does the error of step 10 reach in chunks of 4?"""
    x, d = np.tile(X, (4, 1)), np.tile(TARGETS, (4, 1))
    _, y = bptt.forward(NET, x, H0)
    alone = y.copy()  # the targets are hit everywhere but at step 10
    alone[9] = d[9]
    _, dW = bptt.truncated_bptt(NET, x, alone, every=4, back=4, h0=H0)
    terms = [path.value for path in bptt.paths("W_hh", 10, NET, x, d, H0)]  # newest use first
    return str(next(k for k in range(1, 11) if np.allclose(sum(terms[:k]), dW["W_hh"])))


@question(
    "first-input-moved",
    page="2-backpropagation/truncation",
    replies={
        "y_1 alone": "y_2 is read from h_2, which is made from h_1. And so on.",
        "y_1 to y_10": "The derivative stops at the border of the chunk. The state does not.",
        "all thirty": "The state flows on uncut. What stops at a border is the derivative.",
    },
)
def first_input_moved() -> str:
    """Which outputs change with x_1 when thirty steps are cut in chunks of ten?"""
    x = np.tile(X, (10, 1))
    moved = x.copy()
    moved[0] += 0.5
    outputs = []
    for sequence in (x, moved):
        h, parts = H0, []
        for start in (0, 10, 20):  # chunk by chunk, the state handed on
            states, y = bptt.forward(NET, sequence[start : start + 10], h)
            h = states[-1]
            parts.append(y)
        outputs.append(np.concatenate(parts))
    changed = (outputs[0] != outputs[1]).sum()
    return {1: "y_1 alone", 10: "y_1 to y_10", 30: "all thirty"}[int(changed)]


@question(
    "five-or-ten-back",
    page="2-backpropagation/truncation",
    replies={
        "about half": "That would be so if each step back added as much as the one before.",
        "about a tenth": "Five Jacobians leave at most 0.45 to the power 5. What is that?",
        "a fiftieth or less": "Five more Jacobians leave at most 0.45 to the power 5, or 0.018.",
    },
)
def five_or_ten_back() -> str:
    """What is left of the error of truncation when errors go back ten steps, not five?"""
    left = truncation_error(1, 10, 0.5) / truncation_error(1, 5, 0.5)
    if left < 0.02:
        return "a fiftieth or less"
    return {0.5: "about half", 0.1: "about a tenth"}[closest(left, (0.5, 0.1))]


def years(first: int, last: int) -> Array:
    """Return the sunspot numbers of some years, divided by 100."""
    _, numbers = datasets.sunspots()
    found: Array = numbers[first - 1700 : last - 1699] / 100
    return found


def arv(told: Array, first: int, last: int) -> float:
    """Return the average relative variance of a forecast (eq-arv)."""
    return float(np.mean((told - years(first, last)) ** 2) / np.var(years(1700, 1920)))


@cache
def forecasts() -> dict[str, Array]:
    """Return what a network, trained in brief, and the autoregression say of 1921 to 1979."""
    series = years(1700, 1979)
    rng = np.random.default_rng(0)
    model = Model(RNN(1, 12, rng=rng), Readout(12, 1, rng=rng), loss="squared_error")
    x = series[:, None, None]
    fit(
        model,
        x[:220],
        x[1:221],
        epochs=50,  # a quarter of the page's passes, with steps twice as long
        truncate=22,
        clip_norm=1.0,
        optimizer=Adam(0.01),
        rng=rng,
        progress=False,
    )
    lags = np.array([[1, *series[i - 9 : i]] for i in range(9, 280)])
    weights, *_ = np.linalg.lstsq(lags[:212], series[9:221])  # up to 1920
    return {
        "the network": model.predict(x[:-1])[220:, 0, 0],
        "the autoregression": lags[212:] @ weights,
    }


@question(
    "who-wins",
    page="2-backpropagation/sunspots",
    replies={
        "the network, both times": (
            "It wins the first. But for such a peak, nothing has fixed what its units do."
        ),
        "the network, then the autoregression": (
            "0.11 against 0.16 on years like those before. Then the sun leaves the known range."
        ),
        "the autoregression, then the network": (
            "The other way around. On the highest peak it helps to go on in a straight line."
        ),
        "the autoregression, both times": (
            "It wins the second. On years like those of training, the network knows more."
        ),
    },
)
def who_wins() -> str:
    """Who forecasts 1921 to 1955 better, and who 1956 to 1979?"""
    told = forecasts()
    first = min(told, key=lambda name: arv(told[name][:35], 1921, 1955))
    then = min(told, key=lambda name: arv(told[name][35:], 1956, 1979))
    return f"{first}, both times" if first == then else f"{first}, then {then}"


@question(
    "half-off",
    page="2-backpropagation/sunspots",
    replies={
        (0.23, 0.27): "17 is half of 34, and the arv compares squares: 0.5² = 0.25.",
        (0.48, 0.52): "That compares 17 with 34. The arv compares their squares.",
        (
            1.9,
            2.1,
        ): "Turn it around: the error is measured in units of the spread. And both are squared.",
        (3.9, 4.1): "Turn it around: the squared error is divided by the variance.",
        (0.013, 0.016): "The variance is a square, 34². So the error has to be squared too.",
        ANY: "The squared error, 17², is divided by the variance, 34².",
    },
)
def half_off() -> float:
    """What is the arv of a forecast that is 17 off each year, with a standard deviation of 34?"""
    wrong = years(1921, 1955) + 0.17 * (-1.0) ** np.arange(35)
    return arv(wrong, 1921, 1955)


@question(
    "mean-of-training",
    page="2-backpropagation/sunspots",
    replies={
        "less than 1": "That would be a feat for a forecast that knows nothing of the year.",
        "exactly 1": "So it is on the training years. Later years have another mean and spread.",
        "more than 1": "About 3.7. From 1956 on the sun was far busier than before 1921.",
    },
)
def mean_of_training() -> str:
    """What does the mean of the training years score on 1956 to 1979?"""
    score = arv(np.full(24, years(1700, 1920).mean()), 1956, 1979)
    if math.isclose(score, 1, rel_tol=0.01):
        return "exactly 1"
    return "more than 1" if score > 1 else "less than 1"


@question(
    "three-averaged",
    page="2-backpropagation/sunspots",
    replies={
        "in none": "Where the three err to different sides, their errors cancel in part.",
        "in about half": "So it would be for one of the three, drawn by lot.",
        "in most": "One bad network spoils the mean forecast. But it spoils the mean score more.",
    },
)
def three_averaged() -> str:
    """In how many of thirty settings is the mean forecast worse than the mean of three scores?"""
    scores = sunspots.scores(sunspots.saved())
    worse = np.mean([score.arv > np.mean(score.single) for score in scores])
    if worse == 0:
        return "in none"
    return {0.5: "in about half", 0.9: "in most"}[closest(float(worse), (0.5, 0.9))]
