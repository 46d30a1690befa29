"""Questions of chapter 1: the hidden state, lengths, one unit, digits."""

import math
from itertools import product

import numpy as np

from ... import equations as eq
from ...explorables import unit, unroll
from ...layers.readout import Readout
from ...layers.rnn import RNN
from ...model import Model
from ...training.fit import fit
from ...training.optim import Adam
from ...validation import Array
from ..questions import ANY, Picture, closest, question


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
    "lamp-at-1000",
    page="1-structure/memory",
    replies={
        "half of the time": (
            "So it would be with a window. This network holds the lamp itself, and hands it on."
        ),
        "nine times in ten": (
            "Small errors would have to pile up. But each tanh squeezes the states back to near ±1."
        ),
        "every time": "What one press does to the lamp is as true at step 1000 as at step 1.",
    },
)
def lamp_at_1000() -> str:
    """How often is a network that has learned the lamp's rule right at step 1000?"""
    rng = np.random.default_rng(0)
    rule = np.array([[2.0, -2, 4, -2], [2, -2, 4, -6]])  # the page's two units: W_hh, W_xh, b_h
    learned = rule * rng.uniform(0.97, 1.03, rule.shape)  # as training leaves it: not quite exact
    presses = rng.integers(2, size=(1000, 60))
    h = np.zeros((2, 60))
    for x_t in presses:
        h = np.tanh(learned @ np.vstack([h, [x_t, np.ones(60)]]))
    right = np.mean((h[0] - h[1] > 1) == presses.sum(axis=0) % 2)
    names = {1.0: "every time", 0.9: "nine times in ten", 0.5: "half of the time"}
    return names[closest(float(right), tuple(names))]


@question(
    "second-step-by-hand",
    page="1-structure/memory",
    replies={
        (0.44, 0.456): "The state 0.9640 of step 1 comes back with half its size: tanh 0.4820.",
        (0.475, 0.49): "That is the pre-activation a_2. One tanh more, and you have the state.",
        (0.955, 0.97): "That is h_1 = tanh 2. At step 2 it comes back through the weight 0.5.",
        (0.74, 0.752): "The state comes back with the weight W_hh = 0.5: half of 0.9640.",
        (0.755, 0.77): (
            "You handed on a_1 = 2. What comes back is the state, and the state is tanh 2 = 0.9640."
        ),
        (-0.01, 0.01): "The input is zero at step 2. But the state before it is not.",
        (0.99, 1.01): "Without any tanh it would be 0.5 · 2. Each state goes through one.",
        ANY: "Begin with h_1 = tanh 2 = 0.9640. It comes back with the weight 0.5.",
    },
)
def second_step_by_hand() -> float:
    """What is h_2 of one unit with W_xh = 1, W_hh = 0.5 and no bias, for the inputs 2 and 0?"""
    weights = {name: np.array([[w]]) for name, w in (("W_xh", 1.0), ("W_hh", 0.5), ("W_hy", 1.0))}
    h, _ = unroll.run({**weights, "b_h": np.zeros(1), "b_y": np.zeros(1)}, [2.0, 0.0])
    return float(h[2, 0])


@question(
    "swapped-inputs",
    page="1-structure/memory",
    replies={
        "Nothing: the weights are the same": (
            "They are. But the first input has been through W_hh and a tanh more than the second."
        ),
        "h_1 and h_2 change, h_3 does not": (
            "h_3 is made from h_2. If h_2 is another, so is what comes after it."
        ),
        "All three states change": (
            "h_2 is (0.22, 0.41) in the one order and (0.78, 0.31) in the other."
        ),
    },
)
def swapped_inputs() -> str:
    """What changes in the network computed by hand if its first two inputs swap places?"""
    first, second = (unroll.run(unroll.WEIGHTS, x)[0] for x in ([1, 0, -1], [0, 1, -1]))
    changed = np.abs(first - second).max(axis=1)[1:] > 1e-3
    if not changed.any():
        return "Nothing: the weights are the same"
    return "All three states change" if changed[2] else "h_1 and h_2 change, h_3 does not"


@question(
    "window-of-ten",
    page="1-structure/memory",
    replies={
        "Was the first step of the evening a press?": (
            "From step 11 on, the first step lies outside the window."
        ),
        "Were there more presses than pauses?": (
            "That counts the whole evening. One press out of sight can tip it."
        ),
        "Was one of the last five steps a press?": (
            "Five steps are all that it needs, and the window shows ten."
        ),
        "Is the number of presses divisible by three?": (
            "A count again, as with the lamp: a press out of sight turns the answer around."
        ),
    },
)
def window_of_ten() -> str:
    """Which question can a network with a window of ten steps answer all evening?"""
    evenings = np.array(list(product((0, 1), repeat=13)))
    window = evenings[:, -10:] @ 2 ** np.arange(10)
    count = evenings.sum(axis=1)
    answers = {
        "Was the first step of the evening a press?": evenings[:, 0],
        "Were there more presses than pauses?": count > 6,
        "Was one of the last five steps a press?": evenings[:, -5:].any(axis=1),
        "Is the number of presses divisible by three?": count % 3 == 0,
    }

    def certain(answer: Array) -> bool:
        """Whether each pattern in the window leaves one answer only."""
        share = np.bincount(window, answer) / np.bincount(window)
        return bool(np.all((share == 0) | (share == 1)))

    (found,) = (name for name, answer in answers.items() if certain(answer))
    return found


@question(
    "no-memory",
    page="1-structure/memory",
    replies={
        "W_xh": "Then no input comes in at all, not even the newest.",
        "W_hh": "Each state is then made from its own input alone: W_hh is all the memory.",
        "W_hy": "Then every output is b_y, whatever the state holds.",
        "b_h": "A bias shifts the states. What came before still passes through W_hh.",
    },
)
def no_memory() -> str:
    """Which array, set to zero, leaves outputs that know their own input and nothing older?"""

    def last(name: str, x: list[float]) -> float:
        cut = {**unroll.WEIGHTS, name: 0 * unroll.WEIGHTS[name]}
        return float(unroll.run(cut, x)[1][-1])

    (found,) = (
        name
        for name in ("W_xh", "W_hh", "W_hy", "b_h")
        if last(name, [1, 0, -1]) == last(name, [0, 1, -1]) != last(name, [1, 0, 1])
    )
    return found


@question(
    "uses",
    page="1-structure/any-length",
    shows=lambda: unroll.Unroll(arrangement="many-to-one", T=12, step=12),
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
    "count-parameters",
    page="1-structure/any-length",
    replies={
        (161.5, 162.5): "10 · (10 + 3 + 1) for the states and 2 · (10 + 1) for the outputs.",
        (139.5, 140.5): "Those are the parameters of the states. The readout has 22 more.",
        (149.5, 150.5): "All weights are there. The 10 + 2 biases are missing.",
        (151.5, 152.5): "Each of the ten units has a bias, too.",
        (159.5, 160.5): "Each of the two outputs has a bias, too.",
        (61.5, 62.5): "You left out W_hh, the 10 · 10 weights from state to state.",
        (1000, 1e300): "Did the 50 come in? No step has numbers of its own.",
        ANY: "Count row by row: what comes into one unit, and what into one output?",
    },
)
def count_parameters() -> float:
    """How many parameters has a network with D = 3, H = 10, O = 2, for sequences of 50 steps?"""
    rng = np.random.default_rng(0)
    return Model(RNN(3, 10, rng=rng), Readout(10, 2, rng=rng)).parameter_count


@question(
    "which-inputs",
    page="1-structure/any-length",
    replies={
        "the second word alone": "h_2 is made from h_1 too, and h_1 has read the first word.",
        "the first two words": "y_2 is read from h_2, and by then the network has read two words.",
        "all five words": "The arrows of the chain lead forward. Words 3 to 5 come after y_2.",
    },
)
def which_inputs() -> str:
    """Which of five words can change the second output of an aligned network?"""
    x = np.random.default_rng(0).normal(size=5)

    def second(x: Array) -> float:
        return float(unroll.run(unroll.WEIGHTS, x.tolist())[1][1])

    moved = [second(x + np.eye(5)[t]) != second(x) for t in range(5)]
    names = {1: "the second word alone", 2: "the first two words", 5: "all five words"}
    return names[sum(moved)]


@question(
    "padding-read",
    page="1-structure/any-length",
    replies={
        "None: zeros add nothing to a state": (
            "W_xh · 0 adds nothing, true. But each step sends the state through W_hh and a tanh."
        ),
        "The three that are shorter": (
            "At the last step their states have been through W_hh once more for each zero."
        ),
        "All four, since one array holds them": (
            "A sequence of a batch knows nothing of the others. The first has six steps of its own."
        ),
    },
)
def padding_read() -> str:
    """Which answers change if the padding is zeros and `lengths` is left out?"""
    rng, lengths = np.random.default_rng(0), (6, 4, 2, 5)
    model = Model(RNN(3, 5, rng=rng), Readout(5, 2, rng=rng), arrangement="many-to-one")
    x = rng.normal(size=(6, 4, 3))
    for b, length in enumerate(lengths):
        x[length:, b] = 0
    off = np.abs(model.predict(x) - model.predict(x, lengths=lengths)).max(axis=1) > 1e-9
    if not off.any():
        return "None: zeros add nothing to a state"
    return "All four, since one array holds them" if off[0] else "The three that are shorter"


@question(
    "negative-weight",
    page="1-structure/one-unit",
    shows=lambda: unit.OneUnit(w=-2.0, u=0.0, h0=0.5),
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
    shows=lambda: unit.OneUnit(b=0.55, u=0.0),
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
    shows=lambda: unit.OneUnit(u=0.0, h0=0.5),
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


@question(
    "swings-and-fades",
    page="1-structure/one-unit",
    shows=lambda: unit.OneUnit(w=-0.5, u=0.0, h0=0.8),
    replies={
        "It latches": "It would need two places where it can rest. With w = −0.5 there is only 0.",
        "It oscillates forever": (
            "It does swing. But each state is less than half as large as the one before."
        ),
        "It forgets": "0.80, −0.38, 0.19, −0.09, …: the sign turns, and the size goes to 0.",
    },
)
def swings_and_fades() -> str:
    """What does a unit with w = −0.5 and b = 0 do that starts at 0.8?"""
    last, now = unit.trajectory(-0.5, 0.0, 0.0, 0.8)[-2:]
    if abs(now) < 0.01:
        return "It forgets"
    return "It latches" if now * last > 0 else "It oscillates forever"


@question(
    "what-is-left",
    page="1-structure/one-unit",
    replies={
        (0.025, 0.035): "The slope is w (1 − h*²) = 3 · (1 − 0.995²) = 0.03.",
        (0.0085, 0.0125): "That is 1 − h*², the slope of tanh. The weight 3 multiplies it.",
        (2.9, 3.1): "That is the slope at the origin. Here h* is 0.995, where tanh is nearly flat.",
        (0.9, 1.0): "That is the state itself. Ask for the slope there, w (1 − h*²).",
        (0.16, 0.17): "That was the unit with w = 2. Here w = 3, and h* = 0.995.",
        (0.014, 0.016): "Take h*², not h*: the slope of tanh is 1 − tanh².",
        ANY: "After one step a small distance is multiplied by the slope, w (1 − h*²).",
    },
)
def what_is_left() -> float:
    """By what is a small disturbance of the latched state of w = 3 multiplied in one step?"""
    latched = max(unit.fixed_points(3.0, 0.0))
    return (math.tanh(3 * (latched + 1e-6)) - latched) / 1e-6


@question(
    "weakest-pulse",
    page="1-structure/one-unit",
    shows=lambda: unit.OneUnit(w=2.0, u=2.0),
    replies={
        "0.5": "The state goes up to about −0.89 and comes back.",
        "1": (
            "It would be enough to lift the state itself. But it is added to w h = −1.92, "
            "inside the tanh."
        ),
        "1.5": "Close: −1.92 + 1.5 is still below 0, and the state falls back.",
        "2": "−1.92 + 2 is above 0. The state has crossed to the other side, and climbs to 0.96.",
    },
)
def weakest_pulse() -> str:
    """Which is the weakest pulse that turns a unit with w = 2 from −0.96 to 0.96?"""
    low, high = (unit.fixed_points(2.0, 0.0)[k] for k in (0, -1))

    def turned(pulse: float) -> bool:
        h = math.tanh(2 * low + pulse)
        for _ in range(100):
            h = math.tanh(2 * h)
        return abs(h - high) < 0.01

    return f"{min(pulse for pulse in (0.5, 1, 1.5, 2) if turned(pulse)):g}"


@question(
    "after-row-four",
    page="1-structure/digits",
    replies={
        "about a tenth": (
            "No better than chance: the readout has practiced on the states after row 8 only."
        ),
        "about half": (
            "Half of the digit has been read. But the readout has never met a state of row 4."
        ),
        "about nine tenths": (
            "So much can be found in the state, but not by a readout trained on last states only."
        ),
    },
)
def after_row_four() -> str:
    """What fraction does a reader trained to answer after row 8 name after row 4?"""
    rng = np.random.default_rng(0)
    shapes = rng.random((10, 8, 8))  # stand-ins for the digits: ten shapes, and noise on each
    labels = rng.integers(10, size=800)
    images = shapes[labels] + 0.3 * rng.normal(size=(800, 8, 8))
    rows = images.transpose(1, 0, 2)  # (T, B, D)
    model = Model(RNN(8, 32, rng=rng), Readout(32, 10, rng=rng), arrangement="many-to-one")
    fit(
        model,
        rows[:, :400],
        labels[:400],
        epochs=5,
        batch_size=50,
        clip_norm=1.0,
        optimizer=Adam(0.02),
        rng=rng,
        progress=False,
    )
    right = np.mean(model.predict(rows[:4, 400:]).argmax(axis=1) == labels[400:])
    names = {0.1: "about a tenth", 0.5: "about half", 0.9: "about nine tenths"}
    return names[closest(float(right), tuple(names))]


@question(
    "equal-outputs",
    page="1-structure/digits",
    replies={
        (1.09, 1.11): "Each class gets a third, and −ln(1/3) = ln 3 = 1.0986.",
        (0.32, 0.34): "That is the probability of each class. The error is its −ln.",
        (0.47, 0.485): "That is the logarithm to base ten. The cross-entropy takes ln.",
        (1.58, 1.59): "That is the logarithm to base two. The cross-entropy takes ln.",
        (-1.11, -1.09): "The size is right. With the minus before ln, an error is never negative.",
        (-0.01, 0.01): "Only an answer that gives the truth a probability of 1 has no error.",
        (3.9, 4.1): "The outputs are no probabilities yet. Softmax makes three thirds of them.",
        ANY: "What does softmax make of three equal outputs? The error is the −ln of one of them.",
    },
)
def equal_outputs() -> float:
    """What is the cross-entropy of the outputs (4, 4, 4)?"""
    return float(eq.cross_entropy(np.array([4.0, 4.0, 4.0]), 0))


@question(
    "sure-and-wrong",
    page="1-structure/digits",
    replies={
        "the first reader": (
            "It names nine digits of ten. But its one sure mistake costs −ln 0.0001 = 9.21."
        ),
        "the second reader": "0.92 a digit, against 1.02. It is always wrong, but never sure.",
        "neither, they are equal": "Add up: 9 · 0.105 + 9.21 for one, 10 · 0.916 for the other.",
    },
)
def sure_and_wrong() -> str:
    """Which loss is smaller: nine times 0.9 for the truth and once 0.0001, or ten times 0.4?"""
    first, second = (-np.log(p).mean() for p in (np.array([0.9] * 9 + [0.0001]), np.full(10, 0.4)))
    if math.isclose(first, second, rel_tol=0.01):
        return "neither, they are equal"
    return "the first reader" if first < second else "the second reader"


@question(
    "best-of-thirty",
    page="1-structure/digits",
    replies={
        "about 0.90": "That is what each is worth. But luck differs, and you kept the luckiest.",
        "about 0.93": "Three in a hundred by luck alone. On new images it falls back to 0.90.",
        "about 0.97": "Luck on 450 images is mostly one or two in a hundred, seldom seven.",
    },
)
def best_of_thirty() -> str:
    """What does the luckiest of thirty readers score that are all right in nine of ten cases?"""
    right = np.random.default_rng(0).binomial(450, 0.9, size=(1000, 30)) / 450
    names = {0.9: "about 0.90", 0.93: "about 0.93", 0.97: "about 0.97"}
    return names[closest(float(right.max(axis=1).mean()), tuple(names))]
