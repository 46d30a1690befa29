"""Exercises of chapter 4: LSTM gates."""

import numpy as np

from ..layers.lstm import LSTM
from ..nonlinear import sigmoid
from ..validation import require_number
from .definition import exercise, investigation

# ---------------------------------------------------------------- the widest LSTM for a budget


def _budgets(rng):
    """By hand; a budget met exactly; one too small for any; and larger ones."""
    yield from (
        (1, 31),
        (1, 32),
        (1, 11),
        (2, 40),
        (5, 460),
        (8, 5248),
        (8, 5247),
        (3, 1000),
        (20, 10_000),
    )


@exercise(
    "widest-lstm",
    page="4-lstm/cell",
    cases=_budgets,
    hints=(
        "Write down the shapes of what one gate has, and count the numbers in them.",
        "A gate has H D + H² + H numbers, and there are four gates.",
        "Let H grow from 0 as long as 4 ((H + 1) D + (H + 1)² + (H + 1)) is at most N.",
    ),
)
def widest(D, N):
    """Find the widest LSTM for a budget.

    Given the number of inputs D and a budget of N parameters, return the greatest number of units H
    for which an LSTM has at most N parameters: four gates, each with W_xh,q, W_hh,q and a bias.
    Return 0 if not even one unit fits.
    By hand: with D = 1 one unit has 12 parameters and two have 32, so N = 31 allows H = 1.
    """
    H = 0
    while 4 * ((H + 1) * D + (H + 1) ** 2 + (H + 1)) <= N:
        H += 1
    return H


def _root(N, D, gates=4, biases=1):
    """Return the H, with its fraction, at which `gates` (H D + H² + biases H) is N."""
    p = (D + biases) / 2
    return -p + np.sqrt(p**2 + N / gates)


@widest.wrong
def of_an_rnn(D, N):
    """You count the parameters of an RNN. An LSTM has four gates, and each has weights and a bias
    of its own."""
    return int(_root(N, D, gates=1))


@widest.wrong
def three_gates(D, N):
    """You count three gates. The candidate g has weights of its own too, so there are four."""
    return int(_root(N, D, gates=3))


@widest.wrong
def no_biases(D, N):
    """The biases are missing: each gate has H of them, beside H D and H² weights."""
    return int(_root(N, D, biases=0))


@widest.wrong
def two_biases(D, N):
    """You count two biases a gate, as PyTorch has them. The course keeps one, their sum."""
    return int(_root(N, D, biases=2))


@widest.wrong
def one_too_many(D, N):
    """This is the first H that no longer fits. The one before it is asked for."""
    return widest.solution(D, N) + 1


@widest.wrong
def budget_not_used_up(D, N):
    """A budget may be used up: at most N parameters, so compare with <=."""
    return widest.solution(D, N - 1)


@widest.wrong
def not_whole(D, N):
    """You solve the equation for H, which gives a fraction. Units come whole: round down."""
    return _root(N, D)


@widest.wrong
def rounded(D, N):
    """You round to the nearest whole number. Rounding up exceeds the budget: round down."""
    return round(_root(N, D))


@widest.wrong
def one_recurrent_weight_a_unit(D, N):
    """Each unit has one recurrent weight here, H a gate. But every unit listens to all units, so
    W_hh,q has H² entries."""
    return int(N / (4 * (D + 2)))


# ---------------------------------------------------------------- the memory over a sequence


def _valves(rng):
    """Two steps by hand, then T and H different."""
    two = [np.array([a]).T for a in ([0.5, 0.5], [1.0, 0.0], [0.8, 0.9])]
    yield *two, np.ones(1)
    for T, H in ((4, 3), (5, 2), (3, 3)):
        f, i = rng.uniform(0.1, 0.9, (2, T, H))
        yield f, i, rng.uniform(-0.9, 0.9, (T, H)), rng.normal(size=H)


@exercise(
    "memory-trace",
    page="4-lstm/cell",
    cases=_valves,
    hints=(
        "The memory of one step is where the next step begins. Which variable carries it on?",
        "Before the loop set c_t = c_0. In the loop compute the new c_t from the c_t before.",
        "In the loop: c_t = f_t * c_t + i_t * g_t, then append c_t to a list.",
    ),
)
def memory_trace(f, i, g, c_0):
    """Follow the memory over a whole sequence.

    Given the gates f and i and the candidates g, each (T, H) with row 0 for step 1, and the first
    memory c_0 (H,), return the memories c_1 … c_T, (T, H).
    By hand: with H = 1, f = (0.5, 0.5), i = (1, 0), g = (0.8, 0.9) and c_0 = 1, the memories are
    1.3 and 0.65.
    """
    c_t, memories = c_0, []
    for f_t, i_t, g_t in zip(f, i, g, strict=True):
        c_t = f_t * c_t + i_t * g_t
        memories.append(c_t)
    return np.array(memories)


def _memories(f, i, g, c_0):
    """Return c_0 … c_T."""
    memories = [c_0]
    for f_t, i_t, g_t in zip(f, i, g, strict=True):
        memories.append(f_t * memories[-1] + i_t * g_t)
    return np.array(memories)


@memory_trace.wrong
def gates_swapped(f, i, g, c_0):
    """The two valves are swapped. The forget gate stands on the belt and multiplies the old
    memory; the input gate stands before the candidate."""
    return _memories(i, f, g, c_0)[1:]


@memory_trace.wrong
def begun_again(f, i, g, c_0):
    """Every step begins with c_0 again, so nothing that was written lasts. Step t begins with
    c_{t−1}, what the step before left."""
    return f * c_0 + i * g


@memory_trace.wrong
def squashed_each_time(f, i, g, c_0):
    """You return tanh(c_t) and hand it on. The memory itself is f_t c_{t−1} + i_t g_t; a tanh comes
    only when it is read, in h_t."""
    memories = []
    for f_t, i_t, g_t in zip(f, i, g, strict=True):
        c_0 = np.tanh(f_t * c_0 + i_t * g_t)
        memories.append(c_0)
    return np.array(memories)


@memory_trace.wrong
def read(f, i, g, c_0):
    """This is tanh(c_t), what the output gate reads. The memory itself is asked for."""
    return np.tanh(_memories(f, i, g, c_0)[1:])


@memory_trace.wrong
def coupled(f, i, g, c_0):
    """You let in 1 − f_t of the candidate, as coupled gates do. In the LSTM the input gate i_t is a
    gate of its own."""
    return _memories(f, 1 - f, g, c_0)[1:]


@memory_trace.wrong
def never_forgetting(f, i, g, c_0):
    """The forget gate does not act, so the memory only adds up. This is the cell of 1997; here f_t
    multiplies c_{t−1}."""
    return _memories(np.ones_like(f), i, g, c_0)[1:]


@memory_trace.wrong
def no_input_gate(f, i, g, c_0):
    """The candidate gets in whole. The input gate i_t must multiply g_t."""
    return _memories(f, np.ones_like(i), g, c_0)[1:]


@memory_trace.wrong
def from_zero(f, i, g, c_0):
    """The first step begins with 0, but it should begin with c_0, what the sequence before left."""
    return _memories(f, i, g, 0 * c_0)[1:]


@memory_trace.wrong
def candidates_weighed_after(f, i, g, c_0):
    """Your forget gate acts on the new part too. First the old memory is multiplied by f_t, then
    i_t g_t is added whole."""
    memories = []
    for f_t, i_t, g_t in zip(f, i, g, strict=True):
        c_0 = f_t * (c_0 + i_t * g_t)
        memories.append(c_0)
    return np.array(memories)


@memory_trace.wrong
def tanh_of_g(f, i, g, c_0):
    """You put g through tanh. The candidate has been through its tanh already; it enters as it
    is."""
    return _memories(f, i, np.tanh(g), c_0)[1:]


# ---------------------------------------------------------------- one step, from stacked weights


def _stacked_steps(rng):
    """One step by hand, then D ≠ H, then D = H."""
    W_xh = np.array([[0.0], [0.0], [1.0], [0.0]])
    yield np.array([0.5]), np.zeros(1), np.ones(1), W_xh, np.zeros((4, 1)), np.zeros(4)
    for D, H in ((3, 2), (2, 3), (2, 2)):
        yield (
            rng.normal(size=D),
            rng.uniform(-0.9, 0.9, H),
            rng.normal(size=H),
            rng.normal(size=(4 * H, D)),
            rng.normal(size=(4 * H, H)),
            rng.normal(size=4 * H),
        )


@exercise(
    "lstm-step",
    page="4-lstm/cell",
    cases=_stacked_steps,
    hints=(
        "One product serves all four gates: first compute the 4H pre-activations together.",
        "Cut them into four parts of H numbers: the first are i's, then f's, g's and o's. "
        "np.split(a, 4) does it.",
        "Three parts go through σ, g's goes through tanh. Then c_t, and h_t from the new c_t.",
        "a_i, a_f, a_g, a_o = np.split(W_xh @ x_t + W_hh @ h_prev + b_h, 4)",
    ),
)
def lstm_step(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """Take one step of an LSTM whose gates are stacked, as in PyTorch.

    Given x_t (D,), h_prev and c_prev (H,), and W_xh (4H, D), W_hh (4H, H) and b_h (4H,), whose rows
    are those of i, then f, then g, then o, return the pair h_t, c_t, each (H,).
    By hand: with D = H = 1, x_t = 0.5, h_{t−1} = 0, c_{t−1} = 1, W_xh = (0, 0, 1, 0) and all other
    weights and biases 0, c_t = 0.5 + 0.5 tanh(0.5) = 0.7311 and h_t = 0.5 tanh(c_t) = 0.3119.
    """

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    a_i, a_f, a_g, a_o = np.split(W_xh @ x_t + W_hh @ h_prev + b_h, 4)
    c_t = sigmoid(a_f) * c_prev + sigmoid(a_i) * np.tanh(a_g)
    return sigmoid(a_o) * np.tanh(c_t), c_t


def _stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h, order="ifgo"):
    """Return c_t and the four gates, read in another order if need be."""
    a = dict(zip(order, np.split(W_xh @ x_t + W_hh @ h_prev + b_h, 4), strict=True))
    now = {q: sigmoid(a[q]) for q in "ifo"} | {"g": np.tanh(a["g"])}
    return now["f"] * c_prev + now["i"] * now["g"], now, a


def _read(c_t, now):
    return now["o"] * np.tanh(c_t), c_t


@lstm_step.wrong
def as_presented(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """You read the rows in the order f, i, o, g, in which the page presents the gates. In memory
    they are stacked i, f, g, o, and no shape tells you so."""
    return _read(*_stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h, "fiog")[:2])


@lstm_step.wrong
def gates_first(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """You read the rows in the order i, f, o, g, the three sigmoids first. Here g stands third
    and o last."""
    return _read(*_stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h, "ifog")[:2])


@lstm_step.wrong
def forget_first(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """The input and the forget gate are swapped. Either the rows are read in the order f, i, g,
    o, or the sum is i c_{t−1} + f g: the rows are i, f, g, o, and f multiplies the old memory."""
    return _read(*_stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h, "figo")[:2])


@lstm_step.wrong
def sigmoid_for_g(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """Your candidate goes through σ. It is content and no valve: it must be able to be negative, so
    it has a tanh."""
    _, now, a = _stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h)
    return _read(now["f"] * c_prev + now["i"] * sigmoid(a["g"]), now)


@lstm_step.wrong
def no_second_tanh(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """c_t is right. In h_t the memory goes through tanh before the output gate scales it; without
    it h_t can leave the range from −1 to 1."""
    c_t, now, _ = _stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h)
    return now["o"] * c_t, c_t


@lstm_step.wrong
def reads_old_memory(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """c_t is right, but h_t reads the old memory c_{t−1}. What is written in a step is already
    seen in its h_t."""
    c_t, now, _ = _stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h)
    return now["o"] * np.tanh(c_prev), c_t


@lstm_step.wrong
def interleaved(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """You take every fourth number for a gate. The gates stand one after the other, H rows each, so
    the first H numbers are i's. With reshape it is (4, H), not (H, 4)."""
    rows = np.arange(4 * len(h_prev)).reshape(-1, 4).T.ravel()
    return _read(*_stepped(x_t, h_prev, c_prev, W_xh[rows], W_hh[rows], b_h[rows])[:2])


@lstm_step.wrong
def no_bias(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """The bias b_h does not enter the pre-activations."""
    return _read(*_stepped(x_t, h_prev, c_prev, W_xh, W_hh, 0 * b_h)[:2])


@lstm_step.wrong
def no_past(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """The gates see only the input. They look at h_{t−1} as well: the sum lacks W_hh h_{t−1}."""
    return _read(*_stepped(x_t, 0 * h_prev, c_prev, W_xh, W_hh, b_h)[:2])


@lstm_step.wrong
def squashed_memory(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """The c_t that you return has gone through tanh. The tanh belongs to h_t alone; the memory is
    handed on as it is."""
    h_t, c_t = _read(*_stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h)[:2])
    return h_t, np.tanh(c_t)


@lstm_step.wrong
def h_on_the_belt(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """Your forget gate multiplies h_{t−1}. On the belt rides the memory: it is f_t c_{t−1} that is
    kept."""
    _, now, _ = _stepped(x_t, h_prev, c_prev, W_xh, W_hh, b_h)
    return _read(now["f"] * h_prev + now["i"] * now["g"], now)


# ---------------------------------------------------------------- a latch, by hand


OPEN = [0, 0, 0, 0, 10]
SHUT = [0, 0, 0, 0, -10]
LATCH = {
    "f": [-20, -20, 0, 0, 10],
    "i": [20, 20, 0, 0, -10],
    "o": OPEN,
    "g": [3, -3, 0, 0, 0],
}


def _latch_weights(answer):
    """Return W_xh (3), W_hh and b_h of each gate, or say what is wrong with them."""
    if not isinstance(answer, dict) or set(answer) != set("fiog"):
        raise TypeError('expected a dict with the keys "f", "i", "o" and "g"')
    rows = {}
    for q in "fiog":
        try:
            rows[q] = np.asarray(answer[q], float)
        except (TypeError, ValueError):
            raise TypeError(f"expected five numbers for {q!r}") from None
        if rows[q].shape != (5,) or not np.isfinite(rows[q]).all():
            raise ValueError(f"expected five finite numbers for {q!r}")
    return rows


@investigation(
    "latch",
    page="4-lstm/cell",
    answer=LATCH,
    wrongs={
        "noise let in": {**LATCH, "i": OPEN, "g": [3, -3, 3, 0, 0]},
        "never written": {**LATCH, "i": SHUT},
        "old memory kept": {**LATCH, "f": OPEN},
        "memory dropped": {**LATCH, "f": SHUT},
        "never read": {**LATCH, "o": SHUT},
        "soft valves": {**LATCH, "f": [-4, -4, 0, 0, 2], "i": [4, 4, 0, 0, -2]},
        "one sign for both": {**LATCH, "g": [3, 3, 0, 0, 0]},
    },
    hints=(
        "Say in words what each valve should do at step 1, and what at all later steps.",
        "At step 1 one of X and Y is 1, later neither is. So a valve with 20 for both and the "
        "bias −10 is open at step 1 and shut later.",
        "The input gate opens at step 1 alone, the forget gate shuts at step 1 alone, and the "
        "output gate is always open. The candidate is positive for X and negative for Y.",
    ),
)
def latch(answer):
    """Set the weights of a one-unit LSTM by hand so that it keeps the first symbol for 100 steps.

    The input is x_t = (X, Y, noise). At step 1 either X or Y is 1 and the other 0; at all later
    steps both are 0. The noise is a random number from −1 to 1 at every step. The memory is not
    empty at the start: c_0 is −1, 0 or 1. After X, h_100 must be at least 0.5, and after Y at
    most −0.5. Give a dict with five numbers for each of "f", "i", "o" and "g": the weights of X,
    Y and the noise, that of h_{t−1}, and the bias.
    """
    rows = _latch_weights(answer)
    lstm = LSTM(3, 1, rng=np.random.default_rng(0))
    for q, row in rows.items():
        gate = lstm.gate(q)
        gate["W_xh"][:], gate["W_hh"][:], gate["b_h"][:] = row[:3], row[3], row[4]
    x = np.zeros((100, 6, 3))
    x[0, :3, 0] = x[0, 3:, 1] = 1
    x[:, :, 2] = _noise(100, 6)
    c_0 = np.array([-1.0, 0.0, 1.0] * 2)[:, None]
    _, _, trace = lstm.forward(x, (np.zeros((6, 1)), c_0))
    signs = np.array([1, 1, 1, -1, -1, -1])
    worst = int(np.argmin(signs * trace.h[-1, :, 0]))
    if signs[worst] * trace.h[-1, worst, 0] >= 0.5:
        return ""
    symbol, wanted = ("X", "at least 0.5") if signs[worst] > 0 else ("Y", "at most −0.5")
    return (
        f"After {symbol}, with c_0 = {c_0[worst, 0]:g}, h_100 is {trace.h[-1, worst, 0]:z.2f}; "
        f"wanted {wanted}. {_where_to_look(trace, worst, signs[worst])}"
    )


def _where_to_look(trace, run, sign):
    """Say which of write, hold and read fails first in a run that should end at `sign`."""
    f, i, o, g, c = (getattr(trace, q)[:, run, 0] for q in "fiogc")
    if sign * c[0] < np.arctanh(0.5):
        return (
            f"Look at step 1: f = {f[0]:.2f}, i = {i[0]:.2f} and g = {g[0]:z.2f} "
            f"make c_1 = {c[0]:z.2f}."
        )
    if sign * c[-1] < np.arctanh(0.5):
        return (
            f"c_1 is {c[0]:.2f}, as it should be, but c_100 is {c[-1]:z.2f}. Look at the steps "
            f"after the first: on average f = {f[1:].mean():.3f} and i = {i[1:].mean():.3f}."
        )
    return f"The memory is right, c_100 = {c[-1]:.2f}. Look at how it is read: o = {o[-1]:.2f}."


# ---------------------------------------------------------------- gate errors, to be repaired


def _gates_of_a_step(rng):
    """One step by hand, then larger ones."""
    yield tuple(np.array([a]) for a in (1.0, 0.5, 1.0, 0.75, 0.5, 0.5, 0.5, 0.5))
    for H in (3, 2):
        f, i, o = rng.uniform(0.1, 0.9, (3, H))
        delta_h, delta_c, c_prev, g = rng.normal(size=(4, H))
        g = np.tanh(g)
        yield delta_h, delta_c, c_prev, f * c_prev + i * g, f, i, o, g


@exercise(
    "repair-gates",
    page="4-lstm/way-back",
    cases=_gates_of_a_step,
    hints=(
        "Ask for each gate: which variable does it go into, what is it multiplied with there, and "
        "is it a sigmoid or a tanh?",
        "One line has the wrong error, one the wrong partner, and one the wrong slope.",
        "o goes into h_t, not into c_t. f is multiplied with the memory before the step. g is a "
        "tanh.",
    ),
)
def gate_errors(delta_h, delta_c, c_prev, c, f, i, o, g):
    """Repair the errors of the four gates.

    Given the errors δ^h and δ^c of a step, c_prev = c_{t−1}, c = c_t and the gates, each (H,),
    return a dict of δ^{a_q}, (H,), for "f", "i", "o" and "g". This code runs without complaint,
    but three of its lines are wrong:
        "f": delta_c * c * f * (1 - f)
        "i": delta_c * g * i * (1 - i)
        "o": delta_c * np.tanh(c) * o * (1 - o)
        "g": delta_c * i * g * (1 - g)
    By hand: with δ^h = 1, δ^c = 0.5, c_{t−1} = 1, c_t = 0.75 and all gates 0.5, the errors are
    f 0.125, i 0.0625, o 0.25 tanh(0.75) = 0.1588 and g 0.1875.
    """
    return {
        "f": delta_c * c_prev * f * (1 - f),
        "i": delta_c * g * i * (1 - i),
        "o": delta_h * np.tanh(c) * o * (1 - o),
        "g": delta_c * i * (1 - g**2),
    }


def _broken(lines, delta_h, delta_c, c_prev, c, f, i, o, g):
    """Return the errors with these lines as they were."""
    right = gate_errors.solution(delta_h, delta_c, c_prev, c, f, i, o, g)
    left = {
        "f": delta_c * c * f * (1 - f),
        "o": delta_c * np.tanh(c) * o * (1 - o),
        "g": delta_c * i * g * (1 - g),
    }
    return right | {q: left[q] for q in lines}


@gate_errors.wrong
def as_given(*step):
    """This is the code as it was given, with all three slips. Begin with o: into which variable
    does the output gate go?"""
    return _broken("fog", *step)


@gate_errors.wrong
def f_left(*step):
    """Two are repaired, one slip is left, in f. In c_t = f ⊙ c_{t−1} + i ⊙ g, what is f multiplied
    with?"""
    return _broken("f", *step)


@gate_errors.wrong
def o_left(*step):
    """Two are repaired, one slip is left, in o. The output gate goes into h_t = o ⊙ tanh(c_t), so
    which error reaches it?"""
    return _broken("o", *step)


@gate_errors.wrong
def g_left(*step):
    """Two are repaired, one slip is left, in g. The candidate is a tanh; what is the slope of tanh,
    read off its value?"""
    return _broken("g", *step)


@gate_errors.wrong
def f_and_o_left(*step):
    """g is repaired. Two slips are left: one has the wrong error, one the wrong partner. Look at
    o and f."""
    return _broken("fo", *step)


@gate_errors.wrong
def f_and_g_left(*step):
    """o is repaired. Two slips are left: one has the wrong partner, one the wrong slope. Look at
    f and g."""
    return _broken("fg", *step)


@gate_errors.wrong
def o_and_g_left(*step):
    """f is repaired. Two slips are left: one has the wrong error, one the wrong slope. Look at
    o and g."""
    return _broken("og", *step)


@gate_errors.wrong
def no_tanh_at_o(delta_h, delta_c, c_prev, c, f, i, o, g):
    """f, i and g are right. In o you took the tanh away; but o is multiplied with tanh(c_t) in
    h_t, so tanh(c_t) is its partner."""
    right = gate_errors.solution(delta_h, delta_c, c_prev, c, f, i, o, g)
    return right | {"o": delta_h * c * o * (1 - o)}


@gate_errors.wrong
def h_for_all(delta_h, delta_c, c_prev, c, f, i, o, g):
    """You gave δ^h to all four. Only o goes into h_t; f, i and g go into c_t, so δ^c reaches
    them."""
    return gate_errors.solution(delta_h, delta_h, c_prev, c, f, i, o, g)


@gate_errors.wrong
def squared_everywhere(delta_h, delta_c, c_prev, c, f, i, o, g):
    """Now the valves have the slope 1 − value², that of tanh. It belongs to g alone; f, i and o are
    sigmoids, with slope q (1 − q)."""
    return {
        "f": delta_c * c_prev * (1 - f**2),
        "i": delta_c * g * (1 - i**2),
        "o": delta_h * np.tanh(c) * (1 - o**2),
        "g": delta_c * i * (1 - g**2),
    }


# ---------------------------------------------------------------- the errors along the belt


def _readings(rng):
    """Two steps by hand, then T and H different."""
    yield (
        np.ones((2, 1)),
        np.array([[0.9], [0.8]]),
        np.full((2, 1), 0.5),
        np.zeros((2, 1)),
    )
    for T, H in ((4, 3), (5, 2), (3, 3)):
        f, o = rng.uniform(0.1, 0.9, (2, T, H))
        yield rng.normal(size=(T, H)), f, o, rng.normal(size=(T, H))


@exercise(
    "memory-errors",
    page="4-lstm/way-back",
    cases=_readings,
    hints=(
        "Where does c_t go? Into h_t, and straight on into c_{t+1}. Each gives a term.",
        "The second term needs δ^c of the next step, so walk from the last step to the first. "
        "After the last step there is nothing to carry.",
        "Keep carry, which begins at 0. At each step delta_c = first term + carry, and then carry "
        "= f_t ⊙ delta_c for the step before.",
    ),
)
def memory_errors(delta_h, f, o, c):
    """Carry the errors back along the memory.

    Given the total errors δ^h, the gates f and o and the memories c, each (T, H) with row 0 for
    step 1, return δ^c for all steps, (T, H). Nothing comes after step T.
    By hand: with T = 2, H = 1, δ^h = (1, 1), f = (0.9, 0.8), o = (0.5, 0.5) and c = (0, 0), δ^c is
    0.9 and 0.5.
    """
    delta_c = np.zeros_like(c)
    carry = np.zeros_like(c[0])
    for t in range(len(c) - 1, -1, -1):
        delta_c[t] = delta_h[t] * o[t] * (1 - np.tanh(c[t]) ** 2) + carry
        carry = f[t] * delta_c[t]
    return delta_c


def _carried_back(first, f_next):
    """Add to each row of `first` what the row after it, scaled by `f_next`, carries back."""
    delta_c = first.copy()
    for t in range(len(first) - 2, -1, -1):
        delta_c[t] += f_next[t] * delta_c[t + 1]
    return delta_c


def _by_way_of_h(delta_h, o, c):
    return delta_h * o * (1 - np.tanh(c) ** 2)


@memory_errors.wrong
def no_carry(delta_h, f, o, c):
    """Only the errors that come by way of h_t are here. c_t also goes straight on into c_{t+1}: the
    carry f_{t+1} ⊙ δ^c_{t+1} is missing, and with it the long memory."""
    return _by_way_of_h(delta_h, o, c)


@memory_errors.wrong
def own_gate(delta_h, f, o, c):
    """The carry has the forget gate of step t. c_t meets the gate of the next step, f_{t+1}, on its
    way into c_{t+1}."""
    return _carried_back(_by_way_of_h(delta_h, o, c), f[:-1])


@memory_errors.wrong
def no_slope(delta_h, f, o, c):
    """The slope of the second tanh is missing: h_t reads c_t through a tanh, with slope
    1 − tanh² c_t."""
    return _carried_back(delta_h * o, f[1:])


@memory_errors.wrong
def no_output_gate(delta_h, f, o, c):
    """The output gate is missing in the first term. Where it is shut, h_t hides c_t, and no error
    comes back that way."""
    return _carried_back(delta_h * (1 - np.tanh(c) ** 2), f[1:])


@memory_errors.wrong
def slope_of_c(delta_h, f, o, c):
    """Your slope is 1 − c_t². The slope of tanh is 1 minus the square of its value, and here the
    value is tanh(c_t)."""
    return _carried_back(delta_h * o * (1 - c**2), f[1:])


@memory_errors.wrong
def slope_of_h(delta_h, f, o, c):
    """Your slope is 1 − h_t², as in an RNN. In the LSTM h_t is o_t ⊙ tanh(c_t); the slope of the
    tanh alone is 1 − tanh² c_t."""
    return _carried_back(delta_h * o * (1 - (o * np.tanh(c)) ** 2), f[1:])


@memory_errors.wrong
def no_forget_gate(delta_h, f, o, c):
    """The carry passes whole. On its way from c_{t+1} back to c_t the error meets the forget gate
    f_{t+1}."""
    return _carried_back(_by_way_of_h(delta_h, o, c), np.ones_like(f))


@memory_errors.wrong
def forward_in_time(delta_h, f, o, c):
    """Your errors run from the first step to the last. An error runs against the arrows: δ^c_t
    needs δ^c_{t+1}, so begin at step T."""
    delta_c = _by_way_of_h(delta_h, o, c)
    for t in range(1, len(c)):
        delta_c[t] += f[t] * delta_c[t - 1]
    return delta_c


@memory_errors.wrong
def delta_h_carried(delta_h, f, o, c):
    """You carry δ^h_{t+1} back. On the belt it is the error of the memory that is carried,
    δ^c_{t+1}."""
    delta_c = _by_way_of_h(delta_h, o, c)
    delta_c[:-1] += f[1:] * delta_h[1:]
    return delta_c


@memory_errors.wrong
def carried_through_the_valve(delta_h, f, o, c):
    """You send the carry through the output gate and the tanh too. It goes straight along the belt:
    add it after those factors."""
    delta_c = np.zeros_like(c)
    carry = np.zeros_like(c[0])
    for t in range(len(c) - 1, -1, -1):
        delta_c[t] = (delta_h[t] + carry) * o[t] * (1 - np.tanh(c[t]) ** 2)
        carry = f[t] * delta_c[t]
    return delta_c


# ---------------------------------------------------------------- the whole way back

ORDERS = ("fiog", "ifog")  # in which gates are stacked by mistake


def _runs(rng):
    """One step by hand, then T ≥ 3 and D ≠ H, then D = H."""
    half = np.array([[0.0], [0.5]])
    yield (
        np.ones((4, 1)),
        np.array([[0.0], [2.0]]),
        np.array([[1.0], [0.5 * np.tanh(0.75)]]),
        np.array([[1.0], [0.75]]),
        {q: half.copy() for q in "ifgo"},
        np.array([[0.0], [1.0]]),
    )
    for T, D, H in ((3, 3, 2), (4, 2, 2)):
        x, delta_out = rng.normal(size=(T + 1, D)), rng.normal(size=(T + 1, H))
        x[0] = delta_out[0] = 0
        W_xh, W_hh = rng.normal(size=(4 * H, D)), rng.normal(size=(4 * H, H))
        h, c = rng.uniform(-0.9, 0.9, (T + 1, H)), rng.normal(size=(T + 1, H))
        gates = {q: np.zeros((T + 1, H)) for q in "ifgo"}
        for t in range(1, T + 1):
            c[t], now, _ = _stepped(x[t], h[t - 1], c[t - 1], W_xh, W_hh, np.zeros(4 * H))
            h[t], _ = _read(c[t], now)
            for q in "ifgo":
                gates[q][t] = now[q]
        yield W_hh, x, h, c, gates, delta_out


@exercise(
    "lstm-backward",
    page="4-lstm/way-back",
    cases=_runs,
    hints=(
        "Walk from step T to step 1. From step to step you hand on two things: the errors δ^a of "
        "the stacked gates, and the carry f ⊙ δ^c along the belt. Both begin at 0.",
        "At each step: δ^h = delta_out[t] + W_hhᵀ δ^a of the step after; one product sums over "
        "the four gates, since they are stacked. Then δ^c, then the four δ^{a_q}.",
        "Stack them in the order of the rows: np.concatenate([for i, for f, for g, for o]).",
        "Add np.outer(delta_a, x[t]) to dW_xh, np.outer(delta_a, h[t − 1]) to dW_hh, and delta_a "
        "to db_h.",
    ),
)
def lstm_backward(W_hh, x, h, c, gates, delta_out):
    """Write the LSTM's backward pass, with the gates stacked.

    Row t of each array is for step t, from 0 to T. Given W_hh (4H, H) with the rows of i, f, g, o
    in this order, x (T + 1, D), h and c (T + 1, H), a dict of the gates "i", "f", "g", "o", each
    (T + 1, H), and delta_out (T + 1, H), the errors W_hyᵀ δ^y_t that enter from the outputs,
    return dW_xh (4H, D), dW_hh (4H, H) and db_h (4H,). Row 0 is used of h and c alone.
    By hand: with T = D = H = 1, x_1 = 2, h_0 = c_0 = 1, c_1 = 0.75, all gates 0.5 and delta_out =
    1, db_h = (0.0373, 0.0746, 0.1119, 0.1588), dW_hh is the same and dW_xh twice as much.
    """
    dW_xh = np.zeros((len(W_hh), x.shape[1]))
    dW_hh, db_h = np.zeros_like(W_hh), np.zeros(len(W_hh))
    delta_a, carry = np.zeros(len(W_hh)), np.zeros_like(c[0])
    for t in range(len(x) - 1, 0, -1):
        i, f, g, o = (gates[q][t] for q in "ifgo")
        delta_h = delta_out[t] + W_hh.T @ delta_a
        delta_c = delta_h * o * (1 - np.tanh(c[t]) ** 2) + carry
        delta_a_i = delta_c * g * i * (1 - i)
        delta_a_f = delta_c * c[t - 1] * f * (1 - f)
        delta_a_g = delta_c * i * (1 - g**2)
        delta_a_o = delta_h * np.tanh(c[t]) * o * (1 - o)
        delta_a = np.concatenate([delta_a_i, delta_a_f, delta_a_g, delta_a_o])
        carry = f * delta_c
        dW_xh += np.outer(delta_a, x[t])
        dW_hh += np.outer(delta_a, h[t - 1])
        db_h += delta_a
    return dW_xh, dW_hh, db_h


def _walked_back(slip, W_hh, x, h, c, gates, delta_out):
    """Return (δ^a, x_t, h_{t−1}) for each step, the last first, with one slip on the way."""
    T = len(x) - 1
    delta_a, carry, terms = np.zeros(len(W_hh)), 0, []
    for t in range(T, 0, -1):
        i, f, g, o = (gates[q][t] for q in "ifgo")
        tanh_c = np.tanh(c[t])
        read = {"no second tanh": o, "1 - c²": o * (1 - c[t] ** 2)}.get(slip, o * (1 - tanh_c**2))
        blocks = zip(np.split(W_hh, 4), np.split(delta_a, 4), strict=True)
        untransposed = sum(W @ a for W, a in blocks)
        by_gates = {"no W_hh": 0, "untransposed": untransposed}.get(slip, W_hh.T @ delta_a)
        delta_h = delta_out[t] + by_gates
        delta_c = delta_h * read + (f * carry if slip == "own f" else carry)
        parts = {
            "i": delta_c * g * i * (1 - i),
            "f": delta_c * (c[t] if slip == "c_t" else c[t - 1]) * f * (1 - f),
            "g": delta_c * i * (g * (1 - g) if slip == "σ at g" else 1 - g**2),
            "o": (delta_c if slip == "delta_c" else delta_h) * tanh_c * o * (1 - o),
        }
        delta_a = np.concatenate([parts[q] for q in (slip if slip in ORDERS else "ifgo")])
        carry = {"no carry": 0 * f, "own f": delta_c}.get(slip, f * delta_c)
        terms.append((delta_a, x[t], h[t] if slip == "h_t" else h[t - 1]))
    return terms


def _sums(terms):
    return (
        sum(np.outer(a, x_t) for a, x_t, _ in terms),
        sum(np.outer(a, h_prev) for a, _, h_prev in terms),
        sum(a for a, _, _ in terms),
    )


@lstm_backward.wrong
def carry_dropped(*run):
    """The carry is missing: δ^c_t lacks f_{t+1} ⊙ δ^c_{t+1}, the error that comes back along the
    belt. It is the reason why one builds an LSTM."""
    return _sums(_walked_back("no carry", *run))


@lstm_backward.wrong
def outputs_only(*run):
    """δ^h_t holds only what enters from the outputs. h_t also works the four gates of the next
    step: add W_hhᵀ δ^a_{t+1}."""
    return _sums(_walked_back("no W_hh", *run))


@lstm_backward.wrong
def own_forget(*run):
    """The carry has the forget gate of its own step, f_t. From c_{t+1} back to c_t the error meets
    f_{t+1}; so keep f_t ⊙ δ^c_t for the step before."""
    return _sums(_walked_back("own f", *run))


@lstm_backward.wrong
def oldest_only(*run):
    """These are the terms of step 1 alone: each step overwrites what was there. Add with +=."""
    return _sums(_walked_back("", *run)[-1:])


@lstm_backward.wrong
def h_of_this_step(*run):
    """dW_hh has h_t for h_{t−1}; the rest is right. W_hh multiplies the state before the step, so
    that is its partner."""
    return _sums(_walked_back("h_t", *run))


@lstm_backward.wrong
def c_of_this_step(*run):
    """The forget gate's error has c_t for its partner. The forget gate multiplies the memory
    before the step, c_{t−1}."""
    return _sums(_walked_back("c_t", *run))


@lstm_backward.wrong
def order_of_the_page(*run):
    """Your gradients are stacked f, i, o, g, the order in which the page presents the gates. The
    rows of W_hh are i, f, g, o; else each gate is updated with another's gradient."""
    blocks = (np.split(part, 4) for part in _sums(_walked_back("", *run)))
    return tuple(np.concatenate([f, i, o, g]) for i, f, g, o in blocks)


@lstm_backward.wrong
def no_slope_of_reading(*run):
    """The second tanh is missing: h_t reads c_t through a tanh, so 1 − tanh² c_t belongs in
    δ^c_t."""
    return _sums(_walked_back("no second tanh", *run))


@lstm_backward.wrong
def delta_c_at_o(*run):
    """The output gate's error has δ^c_t. The output gate goes into h_t, so δ^h_t reaches it."""
    return _sums(_walked_back("delta_c", *run))


@lstm_backward.wrong
def blocks_not_transposed(*run):
    """On the way back each gate's block of W_hh stands without its transpose. Row j of it holds the
    weights into unit j; the error goes back out along them, so it is W_hhᵀ δ^a."""
    return _sums(_walked_back("untransposed", *run))


@lstm_backward.wrong
def slope_without_tanh(*run):
    """In δ^c_t your slope is 1 − c_t². The slope of tanh is 1 minus the square of its value,
    1 − tanh² c_t."""
    return _sums(_walked_back("1 - c²", *run))


@lstm_backward.wrong
def sigmoid_slope_at_g(*run):
    """The candidate's error has the slope g (1 − g) of a sigmoid. g is a tanh, so it is 1 − g²."""
    return _sums(_walked_back("σ at g", *run))


@lstm_backward.wrong
def stacked_otherwise(*run):
    """You stack the errors f, i, o, g, in the order of the page, also before W_hhᵀ. The rows of
    W_hh are i, f, g, o, so each error meets another gate's weights."""
    return _sums(_walked_back("fiog", *run))


@lstm_backward.wrong
def sigmoids_first(*run):
    """You stack the errors i, f, o, g. The rows of W_hh are i, f, g, o: g stands third."""
    return _sums(_walked_back("ifog", *run))


@lstm_backward.wrong
def first_step_not_walked(*run):
    """Your loop ends before step 1. Its terms belong to the sums too, with h_0 and c_0:
    range(T, 0, −1) reaches 1."""
    terms = _walked_back("", *run)
    return tuple(a - b for a, b in zip(_sums(terms), _sums(terms[-1:]), strict=True))


# ---------------------------------------------------------------- what is left of each write


def _valves_of_two(rng):
    """Three steps by hand, then T and H different."""
    yield np.array([[0.9], [0.5], [0.8]]), np.array([[1.0], [0.25], [1.0]])
    for T, H in ((4, 3), (5, 2), (3, 3)):
        yield tuple(rng.uniform(0.1, 0.9, (2, T, H)))


@exercise(
    "what-is-left",
    page="4-lstm/forget-bias",
    cases=_valves_of_two,
    hints=(
        "Write out c_3 with c_2 and c_1 put in. Which gates has g_1 passed?",
        "g_k passes the input valve of its own step, and then the forget valves of all later "
        "steps, k + 1 to T. Its own forget valve acts on what was there before.",
        "Walk from the last step to the first. Keep the product of the forget gates met so far; "
        "it begins at 1.",
    ),
)
def what_is_left(f, i):
    """Find how much of each candidate is left in the last memory.

    Given the gates f and i, each (T, H) with row 0 for step 1, return the shares s, (T, H), with
    which the candidates enter the last memory, if c_0 = 0: c_T = s_1 ⊙ g_1 + … + s_T ⊙ g_T.
    By hand: with H = 1, f = (0.9, 0.5, 0.8) and i = (1, 0.25, 1), the shares are 0.4, 0.2 and 1.
    """
    left, shares = np.ones_like(f[0]), np.zeros_like(i)
    for k in range(len(f) - 1, -1, -1):
        shares[k] = i[k] * left
        left = left * f[k]
    return shares


def _later(f):
    """Return in row k the product of all later rows of f."""
    return np.array([np.prod(f[k + 1 :], axis=0) for k in range(len(f))])


@what_is_left.wrong
def own_forget_gate(f, i):
    """One forget gate too many: step k's own. It acts on c_{k−1}, before g_k is added; g_k first
    meets f_{k+1}."""
    return i * f * _later(f)


@what_is_left.wrong
def from_the_front(f, i):
    """Your product runs over the gates from step 1 to k. But what is written at step k meets only
    the gates that come after it, k + 1 to T."""
    return i * np.cumprod(f, axis=0)


@what_is_left.wrong
def only_forget_gates(f, i):
    """The input gate is missing: only i_k g_k gets onto the belt at step k."""
    return _later(f)


@what_is_left.wrong
def all_input_gates(f, i):
    """You multiply by the input gates of later steps too. They let in later candidates; g_k passes
    the input valve once, at its own step."""
    return i * _later(f) * _later(i)


@what_is_left.wrong
def last_gate_not_met(f, i):
    """Your product ends one step early: the forget gate of step T is missing. It acts on c_{T−1},
    with all that was written before."""
    return i * np.concatenate([_later(f[:-1]), np.ones_like(f[:1])])


@what_is_left.wrong
def units_multiplied(f, i):
    """Your product runs over the units too. Each unit has a belt of its own: np.prod(…, axis=0)."""
    return i * np.array([np.prod(f[k + 1 :]) for k in range(len(f))])[:, None]


@what_is_left.wrong
def gates_before(f, i):
    """Your product runs over the forget gates before step k. What is written at step k meets only
    those that come after it, k + 1 to T."""
    return i * np.cumprod(np.concatenate([np.ones_like(f[:1]), f[:-1]]), axis=0)


# ---------------------------------------------------------------- the bias that keeps a share


def _lags(rng):
    """Two steps by hand, then others."""
    yield from ((2, 0.64), (1, 0.5), (60, 0.5), (100, 0.1), (7, 0.9))


@exercise(
    "bias-to-keep",
    page="4-lstm/forget-bias",
    cases=_lags,
    hints=(
        "First find the gate, then the bias that makes it.",
        "The gate s must meet sⁿ = p, so s is the n-th root of p.",
        "σ(b) = s, solved for b, is b = ln(s / (1 − s)).",
    ),
)
def bias_to_keep(n, p):
    """Find the forget bias that keeps a share p over n steps.

    Given the lag n and the share p, between 0 and 1, return the bias b_f for which a forget gate of
    σ(b_f) at every step leaves the share p of a memory after n steps.
    By hand: with n = 2 and p = 0.64 the gate is 0.8, since 0.8 · 0.8 = 0.64, and b_f = ln(0.8 /
    0.2) = 1.3863.
    """
    s = p ** (1 / n)
    return np.log(s / (1 - s))


@bias_to_keep.wrong
def the_gate(n, p):
    """This is the gate σ(b_f), and it is right. One step is left: the bias that makes this gate."""
    return p ** (1 / n)


@bias_to_keep.wrong
def sigmoid_of_the_gate(n, p):
    """You put the gate into σ once more. The way from the gate to the bias is the inverse of σ."""
    return 1 / (1 + np.exp(-(p ** (1 / n))))


@bias_to_keep.wrong
def rule_of_thumb(n, p):
    """This is the rule of thumb, ln n. It keeps about 0.37 over n steps; here p is to be kept."""
    return np.log(n)


@bias_to_keep.wrong
def divided_by_n(n, p):
    """You take p / n for the gate. Over n steps the gate multiplies n times, so it is the n-th root
    of p."""
    return np.log(p / n / (1 - p / n))


@bias_to_keep.wrong
def equal_losses(n, p):
    """You take 1 − (1 − p) / n for the gate, as if every step lost the same amount. Every step
    keeps the same share of what is left, so the gate is the n-th root of p."""
    s = 1 - (1 - p) / n
    return np.log(s / (1 - s))


@bias_to_keep.wrong
def powered(n, p):
    """You take pⁿ for the gate. It is the other way around: the gate to the power n is p."""
    return np.log(p**n / (1 - p**n))


@bias_to_keep.wrong
def log_of_the_gate(n, p):
    """This is ln of the gate, which is negative. The inverse of σ is ln(s / (1 − s))."""
    return np.log(p) / n


@bias_to_keep.wrong
def large_bias(n, p):
    """You take σ(b)ⁿ for exp(−n e^{−b}), as page 4.4 does. That is close where b is large, but
    here b may be small: solve σ(b)ⁿ = p itself."""
    return np.log(n / -np.log(p))


# ---------------------------------------------------------------- keep, and yet forget


def _noise(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape)


@investigation(
    "keep-and-forget",
    page="4-lstm/forget-bias",
    answer=5.8,
    wrongs={"the gate": 0.99, "ln 60": 4.09, "without noise": 4.45, "nothing forgotten": 9.0},
    hints=(
        "First forget the noise: which bias keeps one half over 60 steps? Try it and read what is "
        "measured.",
        "A gate that is sometimes a little more open and sometimes a little less loses more in "
        "the less open steps than it gains in the others. So the bias must be larger than without "
        "noise.",
        "Go up from 4.5 in steps of 0.3.",
    ),
)
def keep_and_forget(answer):
    """Find a forget bias b_f that keeps for 60 steps, and yet forgets over 2000.

    The cell has one unit. Its forget gate hears noise: f_t = σ(b_f + 2 v_t), where each v_t is a
    random number from −1 to 1. At least 0.5 of a memory must be left after 60 steps, and at most
    0.01 after 2000. What is left is the product of the gates, measured on the package's LSTM.
    """
    lstm = LSTM(1, 1, rng=np.random.default_rng(0), forget_bias=require_number("b_f", answer))
    for part in ("W_xh", "W_hh"):
        lstm.params[part][:] = 0
    lstm.gate("f")["W_xh"][:] = 2
    _, _, trace = lstm.forward(_noise(2000, 1, 1))
    kept = np.cumprod(trace.f[:, 0, 0])
    if kept[59] < 0.5:
        return f"With {answer:g} there is {kept[59]:.2g} left after 60 steps; wanted at least 0.5."
    if kept[1999] > 0.01:
        return (
            f"With {answer:g} there is {kept[59]:.2f} left after 60 steps, as wanted, but still "
            f"{kept[1999]:.2g} after 2000; wanted at most 0.01."
        )
    return ""


# ---------------------------------------------------------------- the update gate, turned round


def _update_gates(rng):
    """One unit by hand, then D ≠ H, then D = H."""
    yield np.array([[1.0]]), np.array([[2.0]]), np.array([-3.0])
    for D, H in ((3, 2), (2, 2)):
        yield rng.normal(size=(H, D)), rng.normal(size=(H, H)), rng.normal(size=H)


@exercise(
    "turned-gate",
    page="4-lstm/relatives",
    cases=_update_gates,
    hints=(
        "The two networks are equal if the new gate is 1 minus the old one, for every input.",
        "Compare 1 − σ(a) with σ(−a): put a few numbers in, or draw σ.",
        "So the pre-activation must change its sign, whatever x_t and h_{t−1} are.",
    ),
)
def turned(W_xh_z, W_hh_z, b_h_z):
    """Translate a GRU that was trained with its update gate the other way round.

    In it, h_t = (1 − z_t) ⊙ h_{t−1} + z_t ⊙ n_t, while the course writes
    h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ n_t. Given W_xh_z (H, D), W_hh_z (H, H) and b_h_z (H,) of its
    update gate, return the three for the course's form, so that every h_t stays as it was.
    By hand: with D = H = 1 the numbers 1, 2 and −3 become −1, −2 and 3. For x_t = h_{t−1} = 1 the
    gate is σ(0) = 0.5 in both. For x_t = 0 and h_{t−1} = 1 it is σ(−1) in one and σ(1) in
    the other.
    """
    return -W_xh_z, -W_hh_z, -b_h_z


@turned.wrong
def as_it_was(W_xh_z, W_hh_z, b_h_z):
    """Nothing is changed: where the other network holds, this one would overwrite. Its gate
    should be 1 − z_t."""
    return W_xh_z, W_hh_z, b_h_z


@turned.wrong
def bias_alone(W_xh_z, W_hh_z, b_h_z):
    """The bias is turned and the weights are not. That is right only where x_t and h_{t−1} are 0;
    the whole pre-activation must change its sign."""
    return W_xh_z, W_hh_z, -b_h_z


@turned.wrong
def weights_alone(W_xh_z, W_hh_z, b_h_z):
    """The weights are turned and the bias is not. The bias is part of the pre-activation, and all
    of it must change its sign."""
    return -W_xh_z, -W_hh_z, b_h_z


@turned.wrong
def recurrent_kept(W_xh_z, W_hh_z, b_h_z):
    """W_hh_z keeps its sign. The gate listens to h_{t−1} too, and that part must turn as well."""
    return -W_xh_z, W_hh_z, -b_h_z


@turned.wrong
def one_minus_each(W_xh_z, W_hh_z, b_h_z):
    """You take 1 minus every weight. It is the gate that becomes 1 − z_t, after the sigmoid: which
    pre-activation makes it?"""
    return 1 - W_xh_z, 1 - W_hh_z, 1 - b_h_z


# ---------------------------------------------------------------- the way back of the GRU


def _gru_steps(rng):
    """One unit by hand, then larger ones."""
    one = np.ones(1)
    W_hh = {"r": np.array([[2.0]]), "z": np.array([[4.0]]), "n": np.array([[2.0]])}
    yield one, one, one / 2, one / 2, 0 * one, W_hh
    for H in (3, 2):
        delta_h = rng.normal(size=H)
        h_prev, n = rng.uniform(-0.9, 0.9, (2, H))
        r, z = rng.uniform(0.1, 0.9, (2, H))
        yield delta_h, h_prev, r, z, n, {q: rng.normal(size=(H, H)) for q in "rzn"}


@exercise(
    "gru-backward",
    page="4-lstm/relatives",
    cases=_gru_steps,
    hints=(
        "Where does each variable go? z and n go into h_t. r goes into s = r ⊙ h_{t−1}, and s "
        "goes into a_n = W_hh,n s + …. h_{t−1} goes into four places.",
        "In h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n, the factor of n is 1 − z, and that of z is h_{t−1} − "
        "n.",
        "Then δ^s = W_hh,nᵀ δ^{a_n}, and r is multiplied with h_{t−1} in s.",
        "h_{t−1}: straight on z ⊙ δ^h, by s r ⊙ δ^s, and by the gates W_hh,rᵀ δ^{a_r} + W_hh,zᵀ "
        "δ^{a_z}.",
    ),
)
def gru_backward(delta_h, h_prev, r, z, n, W_hh):
    """Derive the GRU's backward step.

    The step is h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n with n = tanh(W_xh,n x_t + W_hh,n s + b_h,n) and
    s = r ⊙ h_{t−1}; r and z are sigmoids of x_t and h_{t−1}. Given δ^h_t, h_prev = h_{t−1}, r, z
    and n, each (H,), and a dict W_hh of "r", "z" and "n", each (H, H), return a dict of δ^{a_r},
    δ^{a_z} and δ^{a_n} with the keys "r", "z", "n", and the error that this step sends back to
    h_{t−1}, (H,).
    By hand: with H = 1, δ^h = 1, h_{t−1} = 1, r = z = 0.5, n = 0 and W_hh 2 for r, 4 for z and 2
    for n, the errors are 0.25 for r, 0.25 for z and 0.5 for n, and 2.5 goes back to h_{t−1}.
    """
    delta_a_n = delta_h * (1 - z) * (1 - n**2)
    delta_a_z = delta_h * (h_prev - n) * z * (1 - z)
    delta_s = W_hh["n"].T @ delta_a_n
    delta_a_r = delta_s * h_prev * r * (1 - r)
    to_h_prev = z * delta_h + r * delta_s
    to_h_prev = to_h_prev + W_hh["r"].T @ delta_a_r + W_hh["z"].T @ delta_a_z
    return {"r": delta_a_r, "z": delta_a_z, "n": delta_a_n}, to_h_prev


def _gru_back(slip, delta_h, h_prev, r, z, n, W_hh):
    """Go one step back, with one slip on the way."""
    W = {q: W_hh[q].T for q in "rzn"} if slip == "not transposed" else W_hh
    slope_r, slope_z = (1 if slip == "no slope" else q * (1 - q) for q in (r, z))
    slope_n = 1 if slip == "no slope of n" else 1 - n**2
    by_n = {"no 1 - z": 1, "z": z}.get(slip, 1 - z)
    by_z = {"sign": n - h_prev, "h alone": h_prev}.get(slip, h_prev - n)
    a = {"n": delta_h * by_n * slope_n, "z": delta_h * by_z * slope_z}
    delta_s = W["n"].T @ a["n"]
    a["r"] = delta_s * h_prev * slope_r
    ways = {"straight": z * delta_h, "n": (1 if slip == "no r" else r) * delta_s}
    if slip == "after":
        a["r"] = a["n"] * (W["n"] @ h_prev) * slope_r
        ways["n"] = W["n"].T @ (r * a["n"])
    ways |= {"r": W["r"].T @ a["r"], "z": W["z"].T @ a["z"]}
    gone = slip.removeprefix("without ").split() if slip.startswith("without ") else []
    return a, np.sum([way for name, way in ways.items() if name not in gone], axis=0)


@gru_backward.wrong
def sign_of_z(*step):
    """The sign of δ^{a_z} is turned. h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n: if z grows, h_t gains
    h_{t−1} and loses n, so its factor is h_{t−1} − n."""
    return _gru_back("sign", *step)


@gru_backward.wrong
def z_once(*step):
    """δ^{a_z} counts one of two places. z stands in h_t twice: before h_{t−1}, and with a minus
    before n."""
    return _gru_back("h alone", *step)


@gru_backward.wrong
def whole_to_n(*step):
    """δ^{a_n} lacks the factor 1 − z, with which n goes into h_t."""
    return _gru_back("no 1 - z", *step)


@gru_backward.wrong
def z_at_n(*step):
    """δ^{a_n} has the factor z. In the course's form z keeps the old state, and the candidate n
    goes into h_t with 1 − z."""
    return _gru_back("z", *step)


@gru_backward.wrong
def gate_turned(delta_h, h_prev, r, z, n, W_hh):
    """You derived h_t = (1 − z_t) ⊙ h_{t−1} + z_t ⊙ n_t, as some papers write it. In the course z
    and 1 − z stand the other way round: where z is 1, the old state is kept."""
    a, back = gru_backward.solution(delta_h, h_prev, r, 1 - z, n, W_hh)
    return a | {"z": -a["z"]}, back - 2 * W_hh["z"].T @ a["z"]


@gru_backward.wrong
def no_slope_of_n(*step):
    """δ^{a_n} lacks the slope 1 − n² of the candidate's tanh."""
    return _gru_back("no slope of n", *step)


@gru_backward.wrong
def no_slopes_of_gates(*step):
    """δ^{a_r} and δ^{a_z} lack the slopes of the sigmoids, r (1 − r) and z (1 − z)."""
    return _gru_back("no slope", *step)


@gru_backward.wrong
def reset_after(*step):
    """You derived PyTorch's form, where the reset gate acts after the product with W_hh,n. Here
    s = r ⊙ h_{t−1} is made first, and W_hh,n multiplies s."""
    return _gru_back("after", *step)


@gru_backward.wrong
def reset_forgotten(*step):
    """The gates' errors are right. On the way back through s the reset gate is forgotten: it is
    r ⊙ δ^s that reaches h_{t−1}."""
    return _gru_back("no r", *step)


@gru_backward.wrong
def not_straight(*step):
    """The gates' errors are right. But h_{t−1} also goes straight on into h_t: z ⊙ δ^h is
    missing, the way that makes a GRU remember."""
    return _gru_back("without straight", *step)


@gru_backward.wrong
def not_by_the_gates(*step):
    """The gates' errors are right. But h_{t−1} also works the two gates: W_hh,rᵀ δ^{a_r} and
    W_hh,zᵀ δ^{a_z} are missing."""
    return _gru_back("without r z", *step)


@gru_backward.wrong
def not_by_the_candidate(*step):
    """The gates' errors are right. But h_{t−1} also goes into the candidate, by s: r ⊙ δ^s is
    missing."""
    return _gru_back("without n", *step)


@gru_backward.wrong
def untransposed(*step):
    """Your W_hh stand without their transposes, and the shapes do not show it. Forward it is
    W @ h, so back it is W.T @ δ."""
    return _gru_back("not transposed", *step)
