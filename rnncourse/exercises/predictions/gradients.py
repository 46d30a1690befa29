"""Questions of chapter 3: stalls, Jacobians, cliffs and starts."""

import math
from collections.abc import Sequence

import numpy as np

from ... import equations as eq
from ...data import tasks
from ...experiments import starts
from ...explorables import cliff, lag, unit
from ...gradients import jacobians
from ...gradients.check import clip_by_global_norm
from ...layers import initializers
from ...layers.readout import Readout
from ...layers.rnn import RNN
from ...model import Model
from ...validation import Array
from ..questions import ANY, Picture, closest, question
from .training import in_words, learned

# ---------------------------------------------------------------- learning that stalls


@question(
    "three-lags",
    page="3-gradients/stalls",
    replies={
        "30: close to 0, 60: close to 0": (
            "500 updates are ten times what the lag of 10 needed. But patience is not what is "
            "missing."
        ),
        "30: close to 0, 60: between": (
            "Longer words are harder, and sooner than that: at 30 only one of the two letters "
            "gets through."
        ),
        "30: between, 60: 1.386": (
            "0.693 at a lag of 30, where it knows one letter of the two, and 1.388 at 60, where "
            "it knows neither."
        ),
        "30: 1.386, 60: 1.386": (
            "At 60 it does guess. At 30 one of the two letters is near enough: which one?"
        ),
    },
)
def three_lags() -> str:
    """Where is the loss after 500 updates at a lag of 30, and at a lag of 60?"""
    # A lag counts as bridged where more than half of the saved runs bridged it; the second letter
    # has half the lag of the first.
    solved = starts.counts(starts.saved())["package"]
    lags = {12: 10, 24: 20, 36: 30, 50: 42, 72: 60}
    bridged = max(lags[length] for length, (right, runs) in solved.items() if right > runs / 2)
    loss = ("1.386", "between", "close to 0")  # by the number of letters known
    at = {lag: loss[sum(letter <= bridged for letter in (lag / 2, lag))] for lag in (30, 60)}
    return f"30: {at[30]}, 60: {at[60]}"


@question(
    "thirty-steps",
    page="3-gradients/stalls",
    replies={
        "about 0.05": (
            "That would be a loss of 6 percent with each step back. Here it is almost half."
        ),
        "about 10⁻³": (
            "That would be a loss of 17 percent with each step back. Here it is almost half."
        ),
        "less than 10⁻⁶": "Almost half of the length goes with each step: 2 · 10⁻⁹ is left.",
    },
)
def thirty_steps() -> str:
    """How long is the term of W_hh 30 steps before the answer?"""
    model, rng = starts.network(2, "package")
    x, labels = tasks.temporal_order(32, 36, rng=rng)
    length = jacobians.norm_by_step(jacobians.gradient_by_step(model, x, labels))[-31]
    if length < 1e-6:
        return "less than 10⁻⁶"
    return {0.05: "about 0.05", 1e-3: "about 10⁻³"}[closest(float(length), (0.05, 1e-3))]


@question(
    "five-starts",
    page="3-gradients/stalls",
    replies={
        "none, and one at a lag of 5": (
            "A lag of 5 is short for this network, and at 60 chance can help a start along."
        ),
        "one, and five at a lag of 5": "At 60 the other four were still guessing after 500.",
        "four, and five at a lag of 5": (
            "At a lag of 5, yes. At 60 hardly a trace of the gradient arrives, in most starts."
        ),
    },
)
def five_starts() -> str:
    """How many of five random starts learn a lag of 60, and how many one of 5?"""
    return f"{in_words(learned('long'))}, and {in_words(learned('short'))} at a lag of 5"


@question(
    "still-guessing",
    page="3-gradients/stalls",
    replies={
        "8": (
            "Then it would pay ln 8 = 2.079. What a guess costs depends on the number of "
            "answers: 1.386 was guessing among four."
        ),
        "4": "ln 4 = 1.386: it has learned to rule out half of the eight.",
        "2": "Between two answers it would pay ln 2 = 0.693.",
        "1": "Whoever knows the answer pays nothing: ln 1 = 0.",
    },
)
def still_guessing() -> str:
    """Among how many of eight answers does a network still guess whose loss rests at 1.386?"""
    cost = {n: eq.cross_entropy(np.zeros(n), 0) for n in (8, 4, 2, 1)}
    return str(min(cost, key=lambda n: abs(cost[n] - 1.386)))


@question(
    "back-to-front",
    page="3-gradients/stalls",
    replies={
        "It stays at about 60": (
            "The first letter is now read near the end. Which of the two has the longer way to "
            "the answer?"
        ),
        "It falls to about 40": (
            "The first letter now has a lag of some 10 steps, and the second one of some 40."
        ),
        "It falls to about 10": (
            "That is the lag of the first letter. The second stands near the middle from "
            "either side."
        ),
    },
)
def back_to_front() -> str:
    """What becomes of the longest lag when the words of 72 letters are read from back to front?"""
    x, _ = tasks.temporal_order(200, 72, rng=np.random.default_rng(0))
    letters = [tasks.TEMPORAL_ORDER_SYMBOLS.index(letter) for letter in "XY"]
    matters = x[::-1, :, letters].any(axis=2)
    lags = len(x) - 1 - matters.argmax(axis=0)  # of the letter that is read first
    longest = closest(float(lags.mean()), (60, 40, 10))
    return f"It {'stays at' if longest == 60 else 'falls to'} about {longest:g}"


@question(
    "below-a-thousandth",
    page="3-gradients/stalls",
    replies={
        (65.5, 67): "0.9 to the power 66 is 0.00096, and to the power 65 still 0.00106.",
        (65, 65.5): "One step more: 0.9 to the power 65 is 0.00106.",
        (9, 11): (
            "Ten steps would do if each took a tenth of the first length. It takes a tenth of "
            "what is left: 0.35 after ten."
        ),
        (-1e300, 65): "Not yet. Raise 0.9 to the power of your number: is it below 0.001?",
        ANY: "By then it is long below. What is the first power of 0.9 below 0.001?",
    },
)
def below_a_thousandth() -> float:
    """After how many steps is less than a thousandth left, if each leaves 0.9?"""
    return math.ceil(math.log(0.001) / math.log(0.9))


# ---------------------------------------------------------------- one step back, many times


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
    "two-signs",
    page="3-gradients/jacobians",
    replies={
        (0.805, 0.815): "Each factor is −1.2 · (1 − 0.25) = −0.9, and two of them make 0.81.",
        (-0.815, -0.805): "The size is right. But two factors of −0.9 have a positive product.",
        (-0.905, -0.895): "That is the factor of one step. The gradient goes back over two.",
        (1.43, 1.45): "That is w². The slopes 1 − h² are missing; each is 0.75.",
        (1.07, 1.09): "The slope is 1 − h², not 1 − h. At 0.5 and at −0.5 it is 0.75.",
        (0.085, 0.095): "The slope of tanh is 1 − h². You have multiplied by h² = 0.25.",
        (-1.85, -1.75): "The factors of the steps are multiplied, not added.",
        ANY: "A step back multiplies by w (1 − h²), here by −1.2 · 0.75. Take two of them.",
    },
)
def two_signs() -> float:
    """What is left over two steps with w = −1.2 and states of 0.5 and −0.5?"""
    states = np.array([0.5, -0.5])
    return float(np.prod(-1.2 * (1 - states**2)))


@question(
    "inputs-that-explode",
    page="3-gradients/jacobians",
    replies={
        "large ones": "They saturate the unit. Then the slope falls, and the factor with it.",
        "small ones": "They leave the slope at its largest, 1. The factor is then 0.95.",
        "ones that change their sign": (
            "They change the sign of the state. The factor holds only its square."
        ),
        "none": "The slope is at most 1, so no step has a factor above 0.95.",
    },
)
def inputs_that_explode() -> str:
    """Which inputs make the gradient of a unit with w = 0.95 explode?"""
    inputs = {
        "large ones": np.full(50, 3.0),
        "small ones": np.full(50, 0.01),
        "ones that change their sign": np.resize([1.0, -1.0], 50),
    }
    left = dict.fromkeys(inputs, 1.0)
    for name, x in inputs.items():
        h = 0.0
        for x_t in x:
            h = math.tanh(0.95 * h + x_t)
            left[name] *= 0.95 * (1 - h * h)
    most = max(left, key=lambda name: left[name])
    return most if left[most] > 1 else "none"


@question(
    "saturated-row",
    page="3-gradients/jacobians",
    replies={
        "its first row": "The slope of unit 1 multiplies row 1. Row 2 has a slope of its own.",
        "its first column": (
            "Column 1 says what the old state of unit 1 does. The slope belongs to the new "
            "one, and so to a row."
        ),
        "all of it": "Unit 2 is not saturated. Its new state depends on both old ones.",
        "its first entry": "Entry [1, 1] is, but [1, 2] has the same slope in front.",
    },
)
def saturated_row() -> str:
    """What of J_t is practically zero when the first of two units is saturated?"""
    J = eq.step_jacobian(np.array([0.99999, 0.2]), np.array([[0.8, -0.3], [0.4, 0.6]]))
    zero = np.abs(J) < 1e-3
    if zero.all():
        return "all of it"
    if zero.sum() == 1:
        return "its first entry"
    return "its first row" if zero[0].all() else "its first column"


# ---------------------------------------------------------------- what W_hh foretells


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
    "which-shrink",
    page="3-gradients/foretell",
    replies={
        "at none": (
            "So say the weights alone, with ρ = 1.5. But large inputs saturate the units, and the "
            "slopes fall."
        ),
        "at 10 only": (
            "At 10 hardly anything is left. But at 1 the mean slope is down to 0.48 already."
        ),
        "at 1 and 10": "At 0.1 it still grows, about 20-fold. At 1 a fifth is left.",
        "at all three": "At 0.1 the mean slope is still 0.69, and 1.5 · 0.69 is above 1.",
    },
)
def which_shrink() -> str:
    """At which sizes of the inputs does a gradient shrink over 20 steps where ρ = 1.5?"""
    rng = np.random.default_rng(0)
    A = initializers.gaussian(50, rng=rng)
    W_hh = 1.5 * A / jacobians.spectral_radius(A)
    W_xh, x = rng.normal(size=(50, 10)) / np.sqrt(10), rng.normal(size=(50, 10))
    shrinks = []
    for scale in (0.1, 1.0, 10.0):
        layer = RNN(10, 50, rng=rng)
        layer.load_params({"W_xh": scale * W_xh, "W_hh": W_hh, "b_h": np.zeros(50)})
        h = layer.forward(x[:, None])[0][:, 0]
        back = eq.jacobian_product([eq.step_jacobian(h_t, W_hh) for h_t in h[:-21:-1]])
        shrinks.append(bool(np.linalg.norm(back, 2) < 1))
    return {
        (False, False, False): "at none",
        (False, False, True): "at 10 only",
        (False, True, True): "at 1 and 10",
        (True, True, True): "at all three",
    }[shrinks[0], shrinks[1], shrinks[2]]


@question(
    "noise-helps",
    page="3-gradients/foretell",
    shows=lambda: lag.GradientByLag(rho=0.9, scale=0.05, nonnormal=5.0, network=2),
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
    "sigma-alone",
    page="3-gradients/foretell",
    replies={
        "It explodes": (
            "One step can make it three times as long, and the next can lose it. Which number "
            "rules the long run?"
        ),
        "It vanishes": "It may. But where W_hh is 3 I, the gradient triples at every step.",
        "σ_max does not tell": (
            "Where W_hh is 3 I, it triples at every step. With a 3 in the upper right corner and "
            "zeros elsewhere it is gone after two."
        ),
    },
)
def sigma_alone() -> str:
    """What becomes of the gradient of a linear network over a long lag where σ_max = 3?"""
    outcomes = set()
    for W in (3 * np.eye(2), np.array([[0.0, 3.0], [0.0, 0.0]])):  # each has σ_max = 3
        left = np.linalg.norm(np.linalg.matrix_power(W, 50), 2)
        outcomes.add("It explodes" if left > 1 else "It vanishes")
    return outcomes.pop() if len(outcomes) == 1 else "σ_max does not tell"


@question(
    "halved-weights",
    page="3-gradients/foretell",
    replies={
        "It becomes half": "That is so for one step. Ten steps have ten factors of W.",
        "It becomes a twentieth": "Each step brings a factor of ½, and ten factors multiply.",
        "It becomes a thousandth": "Ten factors of ½ make 1/1024, whatever the matrix is.",
        "It depends on W": (
            "What ‖W¹⁰‖ is does depend on W. But the ½ can be taken out of every factor."
        ),
    },
)
def halved_weights() -> str:
    """What becomes of ‖W¹⁰‖ when every entry of W is halved?"""

    def norm(W: Array) -> float:
        return float(np.linalg.norm(np.linalg.matrix_power(W, 10), 2))

    matrices = np.eye(2), np.array([[0.9, 5.0], [0.0, 0.9]]), np.array([[0.8, -0.3], [0.4, 0.6]])
    ratios = [norm(W / 2) / norm(W) for W in matrices]
    if max(ratios) > 1.01 * min(ratios):
        return "It depends on W"
    return {
        0.5: "It becomes half",
        0.05: "It becomes a twentieth",
        0.001: "It becomes a thousandth",
    }[closest(ratios[0], (0.5, 0.05, 0.001))]


@question(
    "slopes-in-the-bound",
    page="3-gradients/foretell",
    replies={
        (0.34, 0.36): "A step leaves at most 0.75 · 1.2 = 0.9, and ten steps 0.9¹⁰ = 0.35.",
        (6.1, 6.3): "That is 1.2¹⁰. The slopes belong to the bound too: 0.75 at each step.",
        (0.055, 0.0575): "That is 0.75¹⁰, the slopes alone. Each step has W_hh in it as well.",
        (0.895, 0.905): "That is the bound of one step. Ten of them multiply.",
        (4.4, 4.7): "You took the slope 0.75 once. Each of the ten steps has one.",
        ANY: "A step has at most the factor m_t σ_max = 0.75 · 1.2. Take its tenth power.",
    },
)
def slopes_in_the_bound() -> float:
    """What is left at most after ten steps, with σ_max = 1.2 and slopes up to 0.75?"""
    W_hh = 1.2 * np.eye(2)
    h_t = np.sqrt([0.25, 0.5])  # slopes of 0.75 and 0.5
    return eq.norm_bound(h_t, W_hh) ** 10


# ---------------------------------------------------------------- when learning diverges


def thrown() -> tuple[float, int]:
    """Return the length of the figure's longest move, and the update that makes it."""
    path = cliff.descend(5.5, -2.0, 0.5)
    moved = [cliff.farthest(path, k, 0.5) for k in range(cliff.UPDATES + 1)]
    return moved[-1], moved.index(moved[-1])


@question(
    "throw",
    page="3-gradients/cliff",
    shows=lambda: cliff.Cliff(updates=thrown()[1]),
    replies={
        "0.2": "Ten times its longest move so far? The wall is far steeper than that.",
        "2": "The map is about two wide. It is thrown beyond the map.",
        "more than 200": "And where it lands the slope is zero, so it never comes back.",
    },
)
def throw() -> str:
    """How far does its largest move throw plain gradient descent?"""
    moved, _ = thrown()
    return "more than 200" if moved > 200 else f"{closest(moved, (0.2, 2)):g}"


@question(
    "clipped-run",
    page="3-gradients/cliff",
    replies={
        "0.3 and 0.02": "It is never thrown off. At update 44 the loss is 0.27.",
        "1.2 and 1.0": (
            "Clipping slows it little: four in five of these 120 gradients are shorter than the "
            "limit."
        ),
        "2.3 both times": (
            "The words and the first weights are the same, but no step is longer than 0.2 now. "
            "Before, one was 1.5 long."
        ),
    },
)
def clipped_run() -> str:
    """What is the loss of the clipped run at updates 44 and 120?"""
    rng = np.random.default_rng(1)
    layer, readout = RNN(8, 16, rng=rng), Readout(16, 4, rng=rng)
    layer.params["W_hh"][:] = initializers.orthogonal(16, gain=1.2, rng=rng)
    model = Model(layer, readout, arrangement="many-to-one")
    for _ in range(44):  # the loss there tells the three apart
        x, labels = tasks.temporal_order(32, 12, rng=rng)
        found = model.loss_and_gradients(x, labels)
        clip_by_global_norm(found.grads, 1.0)
        for name, W in model.params.items():
            W -= 0.2 * found.grads[name]
    return {0.3: "0.3 and 0.02", 1.2: "1.2 and 1.0", 2.3: "2.3 both times"}[
        closest(found.E, (0.3, 1.2, 2.3))
    ]


def cut() -> Picture:
    """Return the error of the one-unit network over b, at w = 4.3."""
    b = np.round(np.arange(-2.6, -1.995, 0.005), 3)
    return Picture(b, cliff.cliff(4.3, b)[0].round(3), "b", "error E")


@question(
    "longest-move",
    page="3-gradients/cliff",
    picture=cut,
    replies={
        (-2.206, -2.169): (
            "On the wall the gradient is up to 24 long, and a move is in proportion to the "
            "gradient."
        ),
        (-3.0, -2.206): (
            "Here the error is large, but the curve is nearly level: a move is in proportion to "
            "the slope, not to the error."
        ),
        ANY: "Here the error is small and the curve nearly level. Where is it steepest?",
    },
)
def longest_move() -> float:
    """From which b does gradient descent make the longest move?"""
    b = cut().x
    return float(b[np.hypot(*cliff.cliff(4.3, b)[1]).argmax()])


@question(
    "clipped-entry",
    page="3-gradients/cliff",
    replies={
        (0.915, 0.93): "The whole gradient has the length 13, so every entry is divided by 13.",
        (0.995, 1.005): (
            "That is clipping by value, or of each array alone. All entries count as one vector, "
            "of length 13."
        ),
        (0.62, 0.64): "You divided by 3 + 4 + 12. A length is the root of the sum of squares, 13.",
        (2.3, 2.5): "You divided by 5, the length of (3, 4). The 12 belongs to the vector too.",
        (11.9, 12.1): "It would stay if the whole gradient were no longer than 1. It is 13 long.",
        ANY: "First the length of (3, 4, 12), then divide 12 by it.",
    },
)
def clipped_entry() -> float:
    """What becomes of the 12 in (3, 4, 12) when it is clipped by norm to 1?"""
    return float(eq.clipped(np.array([3.0, 4.0, 12.0]), max_norm=1.0)[2])


@question(
    "clip-the-vanished",
    page="3-gradients/cliff",
    replies={
        "It becomes 1": "Clipping never lengthens: the factor is at most 1.",
        "It stays as it is": "It is shorter than the limit, so the factor is 1.",
        "It becomes 0": "Short gradients are not cut off. Only long ones are shortened.",
    },
)
def clip_the_vanished() -> str:
    """What becomes of a gradient of length 10⁻⁹ that is clipped to 1?"""
    length = float(np.linalg.norm(eq.clipped(1e-9 * np.array([0.6, 0.8]), max_norm=1.0)))
    if length == 0:
        return "It becomes 0"
    return {1.0: "It becomes 1", 1e-9: "It stays as it is"}[closest(length, (1.0, 1e-9))]


# ---------------------------------------------------------------- good starts


@question(
    "package-start",
    page="3-gradients/starts",
    replies={
        "one half": (
            "The radius enters with the power 30. What is 0.58 to the power 2, and to the power 30?"
        ),
        "a hundredth": "That would be a radius of 0.86.",
        "less than a thousandth": "0.58 to the power 30 is 8 · 10⁻⁸.",
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
        "5": (
            "The Gaussian start solves three. One that keeps every length does better than five."
        ),
        "9": "Nine of ten. But twelve more steps are too many: at a lag of 42 it is one of ten.",
    },
)
def orthogonal_start() -> str:
    """How many of ten runs does the orthogonal start solve at a lag of about 30?"""
    return str(starts.counts(starts.saved())["orthogonal"][36][0])


@question(
    "five-rotations",
    page="3-gradients/starts",
    replies={
        "one": "That is the start of page 3.1. Now far more of the gradient arrives at the start.",
        "three": "A rotation does still better here: each draw of it is much like another.",
        "five": "All five learn it, after 20 to 100 updates.",
    },
)
def five_rotations() -> str:
    """How many of five starts bridge a lag of 60 if W_hh starts as a random rotation?"""
    return in_words(learned("orthogonal"))


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
        "practically nothing": "0.166 to the power 20 is 3 · 10⁻¹⁶.",
    },
)
def price_of_holding() -> str:
    """What is left of a gradient after 20 steps of a unit that holds with w = 2?"""
    h = unit.fixed_points(2.0, 0.0)[-1]
    left = unit.slope(2.0, h) ** 20
    if left < 1e-6:
        return "practically nothing"
    return {1.0: "all of it", 0.1: "about a tenth"}[closest(left, (1.0, 0.1))]


@question(
    "even-draws",
    page="3-gradients/starts",
    replies={
        (0.17, 0.176): "The standard deviation is then 0.173/√3 = 0.1, which is 1/√100.",
        (0.095, 0.105): (
            "That is the package's start, with the standard deviation 0.058 and a radius of 0.58."
        ),
        (0.057, 0.0585): "You divided by √3. The interval must be wider than its deviation.",
        (1.7, 1.76): "√3 is right for one unit. With 100 the deviation has to be 1/√100 = 0.1.",
        ANY: "Even draws from ±a have the standard deviation a/√3. It has to be 1/√100.",
    },
)
def even_draws() -> float:
    """For which a do even draws from −a to a give 100 units a spectral radius of about 1?"""
    deviation = float(np.std(np.linspace(-1, 1, 100_001)))  # of even draws from ±1
    return 1 / math.sqrt(100) / deviation


@question(
    "orthogonal-and-slopes",
    page="3-gradients/starts",
    replies={
        (0.055, 0.058): "Each step keeps the length and then multiplies it by 0.75.",
        (0.99, 1.01): "W_hh keeps the length. The slopes of the tanh do not: they are 0.75.",
        (0.74, 0.76): "That is one step. There are ten of them.",
        (0.0009, 0.001): "The slope at 0.5 is 1 − 0.25 = 0.75, not 0.5.",
        ANY: "W_hh changes no length, and each slope is 1 − 0.5². Ten steps multiply.",
    },
)
def orthogonal_and_slopes() -> float:
    """What part of a gradient is left after ten steps with states of ±0.5?"""
    W_hh = initializers.orthogonal(4, rng=np.random.default_rng(0))
    J = [eq.step_jacobian(np.array([0.5, -0.5, 0.5, 0.5]), W_hh)] * 10
    return float(np.linalg.norm(eq.jacobian_product(J), 2))


@question(
    "truncated-letter",
    page="3-gradients/starts",
    replies={
        "of both": "The first one stands some 20 steps before the answer, beyond the 15.",
        "of the second alone": "Its lag is some 10 steps. That of the first is some 20.",
        "of the first alone": "The older a letter, the farther its gradient has to go.",
        "of neither": "For 50 letters, yes. Here the second stands 10 steps before the answer.",
    },
)
def truncated_letter() -> str:
    """Of which letters does a gradient tell that goes 15 steps back in words of 24 letters?"""
    x, _ = tasks.temporal_order(100, 24, rng=np.random.default_rng(0))
    letters = [tasks.TEMPORAL_ORDER_SYMBOLS.index(letter) for letter in "XY"]
    seen = x[-15:, :, letters].any(axis=2).sum(axis=0)  # of the two, in each word
    oldest = x[:-15, :, letters].any(axis=2).sum(axis=0)
    if (seen == 2).all():
        return "of both"
    if (seen == 0).all():
        return "of neither"
    # The last in a word is the second; it is among the last fifteen wherever one is.
    return "of the second alone" if ((seen == 1) & (oldest == 1)).all() else "of the first alone"
