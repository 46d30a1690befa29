"""Questions of chapter 4, the cell, its way back and its relatives, and of the page on speed."""

import math

import numpy as np

from ... import equations as eq
from ...experiments import characters, forget_bias
from ...experiments.marked_numbers import marked_numbers
from ...explorables import activations, carousel, gates
from ...gradients import jacobians
from ...layers.gru import GRU
from ...layers.lstm import LSTM
from ...layers.readout import Readout
from ...model import Model
from ...nonlinear import sigmoid
from ...validation import Array
from ..questions import ANY, Picture, question
from .training import in_words, learned

# ---------------------------------------------------------------- write, hold, read


@question(
    "add-not-overwrite",
    page="4-lstm/cell",
    shows=lambda: gates.Gates(b_f=15.0, t=4),
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
    "step-by-hand",
    page="4-lstm/cell",
    replies={
        (1.495, 1.505): "0.9 · 2 is kept and 0.5 · (−0.6) comes in: 1.8 − 0.3.",
        (0.455, 0.465): "The gates have changed places: f_t belongs to c_{t−1}, and i_t to g_t.",
        (-0.105, -0.095): "A forget gate of 0.9 keeps nine tenths; it does not drop them.",
        (1.695, 1.705): "The old memory passes the forget gate too: 0.9 of it stays.",
        (1.195, 1.205): "The candidate passes the input gate: half of it comes in.",
        (2.095, 2.105): "The candidate is −0.6, so what comes in is taken away.",
        (0.9, 0.91): "That is tanh(c_t), on its way to h_t. The memory itself is asked for.",
        ANY: "Keep f_t of the old, 0.9 · 2, and add i_t of the new, 0.5 · (−0.6).",
    },
)
def step_by_hand() -> float:
    """What is c_t for f_t = 0.9, i_t = 0.5, g_t = −0.6 and c_{t−1} = 2?"""
    f_t, c_prev, i_t, g_t = (np.array([v]) for v in (0.9, 2.0, 0.5, -0.6))
    return float(eq.cell_state(f_t, c_prev, i_t, g_t)[0])


@question(
    "how-large",
    page="4-lstm/cell",
    replies={
        "c = 10, h = 10": "The state comes out of a tanh and a gate: it is never above 1.",
        "c = 10, h = 1": "Nothing squeezes the memory on the belt; the tanh comes when it is read.",
        "c = 1, h = 1": "Nothing squeezes the memory from step to step: ten ones add up.",
        "c = 1, h = 0.76": "That is so after the first step, with h = tanh(1). Nine more follow.",
    },
)
def how_large() -> str:
    """How large are c_10 and h_10 when all gates stand open and the candidate is 1?"""
    gate: Array = np.ones(1)
    c: Array = np.zeros(1)
    for _ in range(10):
        c = eq.cell_state(gate, c, gate, np.ones(1))
    h = eq.lstm_hidden(gate, c)
    return f"c = {round(c[0])}, h = {round(h[0], 2):g}"


@question(
    "read-again",
    page="4-lstm/cell",
    replies={
        "the number, each time": "Reading takes nothing out: it is 0.426 five times.",
        "the number, and then 0": "The output gate copies. What stands on the belt stays there.",
        "less each time": (
            "That would be a forget gate below 1. The signal to read opens it wide."
        ),
        "more each time": "For that something would have to come in. The input gate is shut.",
    },
)
def read_again() -> str:
    """What does the cell give out that has to write once and then read five times?"""
    trace = gates.run([0.5, 0, 0, 0, 0, 0], [1, -1, -1, -1, -1, -1], 5, -5, -5)
    first, second, *_, last = (now["h"] for now in trace[2:])
    if abs(last / first - 1) < 0.01:
        return "the number, each time"
    if second < 0.1 * first:
        return "the number, and then 0"
    return "less each time" if last < first else "more each time"


@question(
    "count-lstm-parameters",
    page="4-lstm/cell",
    replies={
        (72, 72): "Each of the four has 3 · 2 + 3 · 3 + 3 = 18 numbers.",
        (18, 18): "That is one gate of the four.",
        (54, 54): "That makes three gates. The candidate has weights of its own as well.",
        (60, 60): "The biases are missing: three for each of the four.",
        (84, 84): "You counted two biases a gate, as PyTorch has them. Ours is their sum.",
        (36, 36): "The recurrent weights are missing: 3 × 3 for each of the four.",
        ANY: "Count one gate first: W_xh is 3 × 2, W_hh is 3 × 3, the bias has 3. Times four.",
    },
)
def count_parameters() -> float:
    """How many parameters does an LSTM have with D = 2 and H = 3?"""
    return sum(W.size for W in LSTM(2, 3, rng=np.random.default_rng(0)).params.values())


# ---------------------------------------------------------------- a trained cell, watched


def ideal(
    wanted: str,
    at_mark: tuple[float, float],
    between: tuple[float, float] = (0, 1),
    read: float = 1,
) -> float:
    """Return the RMS of a cell that works its input and forget gates like this.

    Parameters
    ----------
    wanted : "last" or "sum" of the marked numbers
    at_mark, between : the input and the forget gate at a mark, and between marks
    read : the output gate between marks; at a mark it is open
    """
    x, last, marked = marked_numbers(200, 20, np.random.default_rng(0))
    v = x[..., 0]
    targets = last[..., 0] if wanted == "last" else np.cumsum(v * marked, axis=0)
    c, wrong = np.zeros(200), []
    for v_t, mark, d_t in zip(v, marked, targets, strict=True):
        i, f = (np.where(mark, *pair) for pair in zip(at_mark, between, strict=True))
        c = f * c + i * v_t
        wrong.append(np.where(mark, 1, read) * c - d_t)
    return float(np.sqrt(np.mean(np.square(wrong))))


@question(
    "be-the-cell",
    page="4-lstm/watched",
    replies={
        "write at a mark, then hold, and always read": (
            "At a mark the input gate opens and the forget gate shuts, and afterwards the other "
            "way around. The output gate stays open."
        ),
        "write at a mark, then hold, and read at marks": (
            "The number is wanted at every step, so the output gate may not shut between marks."
        ),
        "add at a mark, then hold, and always read": (
            "Then the old number stays in the sum. At a mark the forget gate has to shut."
        ),
        "write at every step, and always read": (
            "Then the last number comes out, marked or not. Between marks the input gate has "
            "to be shut."
        ),
    },
)
def be_the_cell() -> str:
    """How do you work the gates to give back the last marked number?"""
    ways = {
        "write at a mark, then hold, and always read": ideal("last", (1, 0)),
        "write at a mark, then hold, and read at marks": ideal("last", (1, 0), read=0),
        "add at a mark, then hold, and always read": ideal("last", (1, 1)),
        "write at every step, and always read": ideal("last", (1, 0), (1, 0)),
    }
    return min(ways, key=lambda way: ways[way])


@question(
    "outside-quotations",
    page="4-lstm/watched",
    shows=lambda: activations.Activations(**activations.PRESETS["outside"], gradient=True),
    replies={
        "farther": (
            "It would if it held something there. Outside there is nothing to hold: the unit is "
            "down."
        ),
        "as far": "Inside, unit 7 holds what was written at the opening. And outside?",
        "less far": "Half goes to the last 2 characters: outside, the unit holds nothing old.",
    },
)
def outside_quotations() -> str:
    """How far back does the gradient of unit 7 go outside a quotation, beside inside one?"""
    model, x = characters.saved().model(), characters.one_hot([characters.TEXT])[:, 0]
    inside, outside = (
        activations.reach(activations.gradient_back(model, x, position, 7, "c"))
        for position in (40, 62)
    )
    if outside == inside:
        return "as far"
    return "farther" if outside > inside else "less far"


@question(
    "sum-of-marks",
    page="4-lstm/watched",
    replies={
        "input gate open, forget gate open": "What is there stays, and the new number is added.",
        "input gate open, forget gate shut": (
            "That writes over the old sum. It was right as long as only the last number counted."
        ),
        "input gate shut, forget gate open": "That holds the sum. How does the new number get in?",
        "input gate shut, forget gate shut": "That drops all that was added up before.",
    },
)
def sum_of_marks() -> str:
    """What do the gates have to do at a mark when the sum of all marked numbers is wanted?"""
    words = {1: "open", 0: "shut"}
    ways = {
        f"input gate {words[i]}, forget gate {words[f]}": ideal("sum", (i, f))
        for i in (1, 0)
        for f in (1, 0)
    }
    return min(ways, key=lambda way: ways[way])


@question(
    "always-zero",
    page="4-lstm/watched",
    replies={
        (1.13, 1.18): "The mean of the squares is 4/3, and its root 1.155: twice 0.577.",
        (1.32, 1.35): "That is the mean of the squares. The RMS is its root.",
        (0.57, 0.59): "That is for numbers from −1 to 1. These are twice as large.",
        (0.99, 1.01): "That is the mean size. Squares give large numbers more weight.",
        (2.28, 2.34): "The squares are four times as large, and their root twice: 2 · 0.577.",
        (-0.01, 0.01): "The numbers cancel in the mean. Their squares do not.",
        ANY: "The mean of v² is a third of the largest v², 4/3. The RMS is its root.",
    },
)
def always_zero() -> float:
    """What RMS has the answer 0 for numbers drawn evenly from −2 to 2?"""
    v = np.linspace(-2, 2, 100_001)
    return float(np.sqrt(np.mean((0 - v) ** 2)))


@question(
    "half-of-a-hundred",
    page="4-lstm/watched",
    replies={
        (0.9926, 0.9936): "0.9931 to the power 100 is one half.",
        (0.9945, 0.9955): (
            "A hundred losses of half a percent would make a half if each were taken from the "
            "first memory. Each is taken from what is left, so 0.61 stays."
        ),
        (0.49, 0.51): "That keeps a half over one step, and 8 · 10⁻³¹ over a hundred.",
        (0.989, 0.991): "0.99 to the power 100 is 0.37. A little more is needed.",
        ANY: "The gate to the power 100 has to be one half. So it is the 100th root of one half.",
    },
)
def half_of_a_hundred() -> float:
    """Which forget gate keeps half of a memory over 100 steps?"""
    return math.exp(math.log(0.5) / 100)


# ---------------------------------------------------------------- the way back


@question(
    "mild-slip",
    page="4-lstm/way-back",
    replies={
        "the carry": "It brings in the later errors. Without it the gradient is off by 78 percent.",
        "the slope of the valves": (
            "A slope is ¼ at most, so without it the valves' gradients are far too long: off by "
            "82 percent."
        ),
        "the second tanh": "It is off by 8 percent: the memory stays small, and the slope near 1.",
    },
)
def mild_slip() -> str:
    """Which of three terms can be left out with the least harm?"""
    rng = np.random.default_rng(4)
    model = Model(LSTM(2, 3, rng=rng), Readout(3, 1, rng=rng), loss="squared_error")
    x, d = rng.normal(size=(6, 1, 2)), rng.normal(size=(6, 1, 1))
    h_0, c_0 = rng.normal(size=(2, 1, 3))
    h, _, trace = model.layer.forward(x, (h_0, c_0))
    f, i, o, g, c = (getattr(trace, q)[:, 0] for q in "fiogc")
    h, c = np.vstack([h_0, h[:, 0]]), np.vstack([c_0, c])
    W_hy, b_y = model.readout.params["W_hy"], model.readout.params["b_y"]
    W_hh = {q: model.layer.gate(q)["W_hh"] for q in "fiog"}

    def gradient(without: str = "") -> Array:
        """Return dE/dW_hh of the four gates, one below the other."""
        total, from_next, carry = np.zeros((12, 3)), np.zeros(3), np.zeros(3)
        for t in range(5, -1, -1):  # h and c have one entry more, the first state
            delta_h = W_hy.T @ (W_hy @ h[t + 1] + b_y - d[t, 0]) + from_next
            second = 1 if without == "the second tanh" else 1 - np.tanh(c[t + 1]) ** 2
            delta_c = delta_h * o[t] * second + (0 if without == "the carry" else carry)
            slopes = [
                1 if without == "the slope of the valves" else valve[t] * (1 - valve[t])
                for valve in (f, i, o)
            ]
            delta_a = {
                "f": delta_c * c[t] * slopes[0],
                "i": delta_c * g[t] * slopes[1],
                "o": delta_h * np.tanh(c[t + 1]) * slopes[2],
                "g": delta_c * i[t] * (1 - g[t] ** 2),
            }
            total += np.outer(np.concatenate(list(delta_a.values())), h[t])
            from_next = np.sum([W_hh[q].T @ delta_a[q] for q in "fiog"], axis=0)
            carry = f[t] * delta_c
        return total

    right = gradient()
    terms = ("the carry", "the slope of the valves", "the second tanh")
    off = {term: float(np.linalg.norm(gradient(term) - right)) for term in terms}
    return min(off, key=lambda term: off[term])


@question(
    "two-ways-back",
    page="4-lstm/way-back",
    replies={
        (0.575, 0.585): "0.5 · 0.8 · 1 comes by way of h_t, and 0.9 · 0.2 straight from c_{t+1}.",
        (0.395, 0.405): "That is what comes by way of h_t. The carry 0.9 · 0.2 is missing.",
        (0.495, 0.505): (
            "You took f_t for the carry. The memory goes from c_t to c_{t+1}, past f_{t+1}."
        ),
        (0.175, 0.185): "That is the carry alone. What comes by way of h_t is missing.",
        (0.675, 0.685): "The error of h_t passes the output gate on its way: 0.5 · 0.8.",
        (0.595, 0.605): "The carry passes a forget gate too: 0.9 · 0.2.",
        ANY: "Two ways lead on from c_t: by o_t and the tanh to h_t, and by f_{t+1} to c_{t+1}.",
    },
)
def two_ways_back() -> float:
    """What is δ^c_t with δ^h_t = 0.5, o_t = 0.8, c_t = 0, f_{t+1} = 0.9 and δ^c_{t+1} = 0.2?"""
    delta_h, o_t, c_t, f_next, delta_c_next = (np.array([v]) for v in (0.5, 0.8, 0.0, 0.9, 0.2))
    return float(eq.delta_c(delta_h, o_t, c_t, f_next, delta_c_next)[0])


@question(
    "gate-without-error",
    page="4-lstm/way-back",
    replies={
        "the forget gate": "It multiplies c_0, which is 0: whatever it does, c_1 stays the same.",
        "the input gate": "It multiplies the candidate g_1, and that is not 0.",
        "the output gate": "It multiplies tanh(c_1), which is not 0 once something is written.",
        "the candidate": "The input gate lets it in, so it counts for c_1.",
    },
)
def gate_without_error() -> str:
    """Which gate gets no error at the first step when c_0 = 0?"""
    f, i, o, g, c_0, delta = (np.array([v]) for v in (0.7, 0.6, 0.8, 0.5, 0.0, 1.0))
    c_1 = eq.cell_state(f, c_0, i, g)
    errors = {
        "the forget gate": eq.delta_a_f(delta, c_0, f),
        "the input gate": eq.delta_a_i(delta, g, i),
        "the output gate": eq.delta_a_o(delta, c_1, o),
        "the candidate": eq.delta_a_g(delta, i, g),
    }
    return min(errors, key=lambda gate: abs(errors[gate][0]))


@question(
    "wide-open-learns-slowly",
    page="4-lstm/way-back",
    replies={
        (12.5, 13): "The slopes are 0.5 · 0.5 = 0.25 and 0.98 · 0.02 = 0.0196.",
        (0.5, 0.52): "That is the ratio of the gates. The error has f (1 − f) in it, the slope.",
        (1.95, 1.97): (
            "That is how much farther the second gate is open. The error has the slope f (1 − f) "
            "in it, and that is small near 1."
        ),
        (24.5, 25.5): "You compared 1 − f. The slope of the sigmoid is f (1 − f).",
        (0.07, 0.085): "The other way around: the gate that is half open has the larger slope.",
        ANY: "Compare the slopes f (1 − f) of the two gates: 0.5 · 0.5 and 0.98 · 0.02.",
    },
)
def wide_open_learns_slowly() -> float:
    """How many times larger is the error for a_f of a gate at 0.5 than of one at 0.98?"""
    delta, c_prev = np.array([1.0]), np.array([1.0])
    half, wide = (eq.delta_a_f(delta, c_prev, np.array([f])) for f in (0.5, 0.98))
    return float(half[0] / wide[0])


# ---------------------------------------------------------------- the forget bias


ONE_SHUT = [0.05 if t == 20 else free for t, free in enumerate(carousel.FREE, start=1)]


@question(
    "one-gate-shut",
    page="4-lstm/forget-bias",
    shows=lambda: carousel.Carousel(b_f=3.0, gates=ONE_SHUT),
    replies={
        "as much": "That is so for the direct path alone. Other ways lead around the shut gate.",
        "less": "A third is left, where the direct path keeps a twentieth.",
        "nothing": "Some of it did pass through that gate.",
    },
)
def one_gate_shut() -> str:
    """What does the full derivative lose when one forget gate is held at 0.05?"""
    free, shut = carousel.curves(3.0, 1.0), carousel.curves(3.0, 1.0, ONE_SHUT)
    direct, full = (float(shut[path][0] / free[path][0]) for path in ("direct", "full"))
    return "nothing" if full > 0.95 else "less" if full > 2 * direct else "as much"


@question(
    "which-fail",
    page="4-lstm/forget-bias",
    replies={
        "bias 0, at each length": (
            "At length 20 even 0.5 to the power 17, 8 · 10⁻⁶, was enough. Look at the longer ones."
        ),
        "bias 0 at 50, biases 0 and 1 at 100": (
            "There σ(b_f)ⁿ is 10⁻¹² or less. And the rule's own bias does not always win."
        ),
        "biases 0, 1 and 3 at 100": "With 3 one percent is kept over 89 steps, and nine learn.",
        "bias 6, at each length": (
            "A gate that is wide open keeps everything. It costs some runs at 100, but not all."
        ),
    },
)
def which_fail() -> str:
    """Which three settings of length and bias fail from every seed?"""
    solved: dict[tuple[int, float], int] = {}
    for run in forget_bias.saved():
        setting = run.length, run.forget_bias
        solved[setting] = solved.get(setting, 0) + (run.updates is not None)
    failed = {setting for setting, runs in solved.items() if runs == 0}
    choices = {
        "bias 0, at each length": {(20, 0), (50, 0), (100, 0)},
        "bias 0 at 50, biases 0 and 1 at 100": {(50, 0), (100, 0), (100, 1)},
        "biases 0, 1 and 3 at 100": {(100, 0), (100, 1), (100, 3)},
        "bias 6, at each length": {(20, 6), (50, 6), (100, 6)},
    }
    return next(choice for choice, settings in choices.items() if settings == failed)


@question(
    "five-lstms",
    page="4-lstm/forget-bias",
    replies={
        "none with 1, five with 4": (
            "Over 60 steps the direct path keeps 7 · 10⁻⁹ with a bias of 1, and a third with 4."
        ),
        "one with 1, three with 4": (
            "Think of σ(b_f)ⁿ over 60 steps: it is 7 · 10⁻⁹ with a bias of 1, and 0.34 with 4."
        ),
        "five with 1, five with 4": "With 4, yes. With 1 the half-life is 2.2 steps.",
    },
)
def five_lstms() -> str:
    """How many of five starts learn a lag of 60 with a forget bias of 1, and how many with 4?"""
    return f"{in_words(learned('lstm'))} with 1, {in_words(learned('bias 4'))} with 4"


@question(
    "half-life-of-a-gate",
    page="4-lstm/forget-bias",
    replies={
        (6.5, 7): "ln ½ / ln 0.9 = 6.6: each step takes a tenth of what is left.",
        (4.9, 5.1): (
            "Five steps would do if each took a tenth of the first memory. It takes a tenth of "
            "what is left: 0.59 after five."
        ),
        (9.5, 10.5): "After ten steps 0.35 is left, about 1/e. Half is reached earlier.",
        (2.15, 2.3): "That is the half-life at a bias of 1, with a gate of 0.73.",
        (1.95, 2.1): "That is for a bias of 0.9. Here the gate itself is 0.9.",
        ANY: "Solve 0.9ⁿ = ½, with logarithms or by trying: 0.9⁵ is 0.59, and 0.9¹⁰ is 0.35.",
    },
)
def half_life_of_a_gate() -> float:
    """What is the half-life of a memory whose forget gate stays at 0.9?"""
    return eq.half_life(math.log(0.9 / (1 - 0.9)))  # the bias whose sigmoid is 0.9


@question(
    "ten-times-the-lag",
    page="4-lstm/forget-bias",
    replies={
        (2.2, 2.4): "The rule is ln n, and ln(10 n) = ln n + ln 10.",
        (26.5, 30.5): (
            "30 would be far too much. The bias is the logarithm of the lag, so ten times the lag "
            "adds ln 10."
        ),
        (9.5, 10.5): "The 10 multiplies the lag. Its logarithm is added to the bias.",
        (5.2, 5.4): "That is the new bias itself. It was 3 before.",
        (0.9, 1.1): "That is the logarithm to base 10. The rule has the natural one.",
        ANY: "The rule starts at ln n. How much larger is ln(10 n)?",
    },
)
def ten_times_the_lag() -> float:
    """By how much must the bias rise from 3 to keep as much over ten times the lag?"""
    gate = float(sigmoid(np.array(3.0))) ** 0.1  # ten steps of it keep what one step kept
    return math.log(gate / (1 - gate)) - 3


@question(
    "held-at-one",
    page="4-lstm/forget-bias",
    shows=lambda: carousel.Carousel(gates=[1.0] * carousel.STEPS),
    replies={
        "No, a gate is 1 at most": "That is true of the direct path. Other paths add to it.",
        "Yes, by the indirect paths": (
            "In the figure's network they take it to 10.5, and to 1606 with the recurrent "
            "weights eight times as large."
        ),
        "No, the gradient is clipped": "Clipping comes later: it shortens what has been found.",
        "Yes, by the direct path": "Forty factors of 1 make 1. The direct path cannot grow.",
    },
)
def held_at_one() -> str:
    """Can the full derivative grow above 1 when all forget gates are held at 1?"""
    layer = carousel.lstm(1.0, 1.0, gate=1.0)
    full = carousel.reach(jacobians.step_jacobians(layer, carousel.X), carousel.UNITS)
    direct = carousel.direct(np.ones((carousel.STEPS, carousel.UNITS)))
    if direct[0] > 1:
        return "Yes, by the direct path"
    return "Yes, by the indirect paths" if full[0] > 1 else "No, a gate is 1 at most"


def kept() -> Picture:
    """Return what the direct path keeps over 30 steps, by the forget bias."""
    b_f = np.round(np.arange(0, 8.05, 0.1), 1)
    left = (sigmoid(b_f) ** 30).round(3)
    return Picture(b_f, left, "forget bias", "part kept over 30 steps")


@question(
    "rule-for-thirty",
    page="4-lstm/forget-bias",
    picture=kept,
    replies={
        (3.25, 3.55): "ln 30 = 3.4, and the direct path keeps about 1/e there, 0.37.",
        (-1.0, 3.25): (
            "Less than a third of the gradient is kept here. For a lag of n the rule says ln n."
        ),
        ANY: (
            "More is kept here, but the rule stops earlier, at ln n. A gate that is wide open may "
            "be slow to let go."
        ),
    },
)
def rule_for_thirty() -> float:
    """Where does the rule of thumb start the forget bias for a lag of 30?"""
    b_f = kept().x
    return float(b_f[np.abs(b_f - math.log(30)).argmin()])


# ---------------------------------------------------------------- relatives


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


@question(
    "gru-by-hand",
    page="4-lstm/relatives",
    replies={
        (0.095, 0.105): "0.75 · 0.4 is kept and 0.25 · (−0.8) comes in: 0.3 − 0.2.",
        (-0.505, -0.495): (
            "Here z_t belongs to the old state and 1 − z_t to the new. Some papers write it the "
            "other way around."
        ),
        (
            -0.305,
            -0.295,
        ): "You took three quarters of the new as well. It gets 1 − z_t, one quarter.",
        (0.495, 0.505): "The candidate is −0.8, so its quarter is taken away.",
        ANY: "z_t of the old and 1 − z_t of the new: 0.75 · 0.4 + 0.25 · (−0.8).",
    },
)
def gru_by_hand() -> float:
    """What is h_t with z_t = 0.75, h_{t−1} = 0.4 and n_t = −0.8?"""
    z_t, h_prev, n_t = (np.array([v]) for v in (0.75, 0.4, -0.8))
    return float(eq.gru_hidden(z_t, h_prev, n_t)[0])


@question(
    "reset-while-holding",
    page="4-lstm/relatives",
    replies={
        "0, it is reset": (
            "The reset gate hides the old state from the candidate. It erases nothing."
        ),
        "h_{t−1}, unchanged": "The candidate has forgotten all, but with z_t = 1 it is not let in.",
        "n_t, all new": "For that z_t has to be 0. At 1 the unit holds.",
        "half of each": "That would be z_t = 0.5. The reset gate does not mix.",
    },
)
def reset_while_holding() -> str:
    """What is h_t of a GRU with r_t = 0 and z_t = 1?"""
    one, h_prev = np.ones(1), np.array([0.4])
    n_t = eq.gru_candidate(one, h_prev, 0 * one, np.eye(1), np.eye(1), np.zeros(1))
    h_t = eq.gru_hidden(one, h_prev, n_t)
    results = {
        "0, it is reset": 0 * one,
        "h_{t−1}, unchanged": h_prev,
        "n_t, all new": n_t,
        "half of each": (h_prev + n_t) / 2,
    }
    return min(results, key=lambda name: abs(results[name][0] - h_t[0]))


@question(
    "dialect",
    page="4-lstm/relatives",
    replies={
        "before the product": "That form has 3 (3 · 4 + 4² + 4) = 96 parameters.",
        "after the product": "It has one bias more, b_hh,n with 4 numbers: 96 + 4.",
        "neither of the two": "Count again: three gates with 3 · 4 + 4² + 4 = 32 each, and then?",
    },
)
def dialect() -> str:
    """Which form of the GRU has 100 parameters with D = 3 and H = 4?"""
    rng = np.random.default_rng(0)
    for form in ("before", "after"):
        gru = GRU(3, 4, rng=rng, reset="before" if form == "before" else "after")
        if sum(W.size for W in gru.params.values()) == 100:
            return f"{form} the product"
    return "neither of the two"


# ---------------------------------------------------------------- speed


@question(
    "bytes-and-calls",
    page="speed",
    replies={
        "float32: the larger batch, packing: one sequence": (
            "Bytes are most of the cost at the large size, and calls where there is least to "
            "compute in each."
        ),
        "float32: one sequence, packing: the larger batch": (
            "The other way around. With one sequence there is little to move, and a call costs "
            "the same for either format."
        ),
        "the larger batch for both": (
            "For float32, yes. But a step has as many calls at any size: where do they weigh most?"
        ),
        "one sequence for both": (
            "For packing, yes. But float32 halves the bytes: at which size do they weigh most?"
        ),
    },
)
def bytes_and_calls() -> str:
    """At which size should float32 help most, and at which packing?"""
    sizes = {
        "one sequence": (1, 64, 100),
        "the small batch": (20, 8, 64),
        "the larger batch": (64, 64, 256),
    }
    moved, work = {}, {}
    for name, (B, D, H) in sizes.items():
        weights, columns = 4 * H * (D + H + 1), B * (D + 4 * H + 2 * H)
        moved[name] = weights + columns  # numbers that a step reads and writes
        work[name] = 4 * H * B * (3 * H + 3 * D + 2)  # multiply-adds of a step, eq-work
    halved = max(moved, key=lambda name: moved[name])
    packed = min(work, key=lambda name: work[name])  # the calls of a step are as many at each size
    if halved == packed:
        return f"{halved} for both"
    return f"float32: {halved}, packing: {packed}"
