"""Exercises of chapter 1: the structure of a recurrent network."""

import numpy as np

from .. import equations as eq
from ..nonlinear import sigmoid
from ..validation import require_number
from .definition import exercise, investigation


def _weights(rng, D, H, O):
    """Return W_xh, W_hh, W_hy, b_h and b_y, none of them small."""
    W_xh, W_hh, W_hy = rng.normal(size=(H, D)), rng.normal(size=(H, H)), rng.normal(size=(O, H))
    return 0.5 * W_xh, 0.5 * W_hh, W_hy, 0.5 * rng.normal(size=H), rng.normal(size=O)


# ---------------------------------------------------------------- one step


def _steps(rng):
    """One step: first by hand, then D ≠ H, then D = H, where a transpose fits."""
    yield np.array([1.0]), np.array([0.5]), np.array([[1.0]]), np.array([[2.0]]), np.array([-1.0])
    for D, H in ((3, 2), (2, 2), (3, 3)):
        yield (
            rng.normal(size=D),
            rng.uniform(-0.9, 0.9, H),
            0.5 * rng.normal(size=(H, D)),
            0.5 * rng.normal(size=(H, H)),
            0.5 * rng.normal(size=H),
        )


@exercise(
    "hidden-step",
    page="1-structure/memory",
    cases=_steps,
    hints=(
        "Three terms are added before tanh: from the input, from the state before, and the bias.",
        "W_xh @ x_t has the shape (H,), and so has W_hh @ h_prev.",
        "np.tanh acts on each entry.",
    ),
)
def hidden_step(x_t, h_prev, W_xh, W_hh, b_h):
    """Compute the hidden state of one step.

    Given x_t (D,), h_prev = h_{t−1} (H,), W_xh (H, D), W_hh (H, H) and b_h (H,), return h_t (H,).
    By hand: with x_t = 1, h_{t−1} = 0.5, W_xh = 1, W_hh = 2 and b_h = −1, h_t = tanh(1) = 0.7616.
    """
    return np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)


@hidden_step.wrong
def without_the_past(x_t, h_prev, W_xh, W_hh, b_h):
    """The state before it does not enter: the sum lacks W_hh h_{t−1}."""
    return np.tanh(W_xh @ x_t + b_h)


@hidden_step.wrong
def without_tanh(x_t, h_prev, W_xh, W_hh, b_h):
    """This is the pre-activation a_t. The hidden state is its tanh."""
    return W_hh @ h_prev + W_xh @ x_t + b_h


@hidden_step.wrong
def without_bias(x_t, h_prev, W_xh, W_hh, b_h):
    """The bias b_h is missing from the sum."""
    return np.tanh(W_hh @ h_prev + W_xh @ x_t)


@hidden_step.wrong
def transposed(x_t, h_prev, W_xh, W_hh, b_h):
    """W_hh stands transposed, and the shapes do not show it. Row i of W_hh holds the weights into
    unit i, so the product is W_hh @ h_prev; h_prev @ W_hh is that with the transpose."""
    return np.tanh(h_prev @ W_hh + W_xh @ x_t + b_h)


@hidden_step.wrong
def matrices_swapped(x_t, h_prev, W_xh, W_hh, b_h):
    """The two matrices have changed places. Read their names from left to right: W_xh leads from x
    to h, so it multiplies x_t, and W_hh multiplies h_{t−1}. Where D = H the shapes do not show it.
    """
    return np.tanh(W_xh @ h_prev + W_hh @ x_t + b_h)


@hidden_step.wrong
def without_input(x_t, h_prev, W_xh, W_hh, b_h):
    """The input does not enter: the sum lacks W_xh x_t."""
    return np.tanh(W_hh @ h_prev + b_h)


@hidden_step.wrong
def entry_by_entry(x_t, h_prev, W_xh, W_hh, b_h):
    """With *, each entry of h_{t−1} scales a column of W_hh, and no sum is taken. A matrix times a
    vector is W_hh @ h_prev."""
    return np.tanh(W_hh * h_prev + W_xh @ x_t + b_h)


@hidden_step.wrong
def past_added_after_tanh(x_t, h_prev, W_xh, W_hh, b_h):
    """W_hh h_{t−1} is added after tanh, so nothing keeps the state between −1 and 1. Add all three
    terms first; tanh acts on their sum."""
    return np.tanh(W_xh @ x_t + b_h) + W_hh @ h_prev


@hidden_step.wrong
def a_tanh_for_each(x_t, h_prev, W_xh, W_hh, b_h):
    """Here each term has a tanh of its own. The terms are added first, and one tanh acts on the
    sum."""
    return np.tanh(W_hh @ h_prev) + np.tanh(W_xh @ x_t) + np.tanh(b_h)


@hidden_step.wrong
def a_tanh_for_each_product(x_t, h_prev, W_xh, W_hh, b_h):
    """Here each product has a tanh of its own, and the bias has none. The three terms are added
    first, and one tanh acts on the sum."""
    return np.tanh(W_hh @ h_prev) + np.tanh(W_xh @ x_t) + b_h


@hidden_step.wrong
def column_plus_vector(x_t, h_prev, W_xh, W_hh, b_h):
    """A column (H, 1) plus a vector (H,) is a matrix (H, H): NumPy adds each entry to each. Keep
    all vectors as (H,); W_hh @ h_prev is one."""
    return np.tanh((W_hh @ h_prev)[:, None] + (W_xh @ x_t)[:, None] + b_h)


@hidden_step.wrong
def sigmoid_for_tanh(x_t, h_prev, W_xh, W_hh, b_h):
    """The sum is right, but a sigmoid acts on it, and no state can be negative. The course's hidden
    units have tanh, which goes from −1 to 1."""
    return sigmoid(W_hh @ h_prev + W_xh @ x_t + b_h)


@hidden_step.wrong
def bias_added_after_tanh(x_t, h_prev, W_xh, W_hh, b_h):
    """The bias is added after tanh. It belongs to the sum on which tanh acts."""
    return np.tanh(W_hh @ h_prev + W_xh @ x_t) + b_h


# ---------------------------------------------------------------- a sequence, in pieces


def _pieces(rng):
    """A piece of a sequence: first by hand, then all sizes different, then D = H = O."""
    one = np.ones((1, 1))
    yield np.array([[1.0], [0.0]]), np.array([0.5]), one, 2 * one, 10 * one, -one[0], one[0]
    for T, D, H, O in ((4, 3, 2, 5), (3, 2, 4, 1), (5, 3, 3, 3)):
        W_xh, W_hh, W_hy, b_h, b_y = _weights(rng, D, H, O)
        yield rng.normal(size=(T, D)), rng.uniform(-0.9, 0.9, H), W_xh, W_hh, W_hy, b_h, b_y


def _states(x, h_0, W_xh, W_hh, b_h):
    """Return the states of a sequence that begins in the state h_0; (T, H)."""
    h = [h_0]
    for x_t in x:
        h.append(eq.hidden_state(x_t, h[-1], W_xh, W_hh, b_h))
    return np.array(h[1:])


@exercise(
    "read-a-piece",
    page="1-structure/one-unit",
    cases=_pieces,
    hints=(
        "Later steps see the past through the state alone. Which state must a second call get?",
        "Keep one variable h. It starts as h_0, and each pass of the loop replaces it.",
        "In the loop: h = np.tanh(W_hh @ h + W_xh @ x_t + b_h), then append W_hy @ h + b_y.",
    ),
)
def read_a_piece(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """Read one piece of a sequence, and hand on what the next piece needs.

    Given x (T, D), the state h_0 (H,) in which the piece begins, W_xh (H, D), W_hh (H, H),
    W_hy (O, H), b_h (H,) and b_y (O,), return the outputs y (T, O) and the state (H,) with which
    the next piece has to begin.
    By hand: with x = 1, 0, h_0 = 0.5, W_xh = 1, W_hh = 2, b_h = −1, W_hy = 10 and b_y = 1, the
    states are 0.7616 and 0.4802, so return the outputs 8.616 and 5.802 and the state 0.4802.
    """
    h, y = h_0, []
    for x_t in x:
        h = np.tanh(W_hh @ h + W_xh @ x_t + b_h)
        y.append(W_hy @ h + b_y)
    return np.array(y), h


@read_a_piece.wrong
def state_not_carried(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """Your first step is right, but every later step begins in h_0 again: the state is not carried.
    The new h must take the place of the old one before the next step."""
    h = np.array([np.tanh(W_hh @ h_0 + W_xh @ x_t + b_h) for x_t in x])
    return h @ W_hy.T + b_y, h[-1]


@read_a_piece.wrong
def begins_at_zero(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """h_0 is not used: the piece begins with a state of zeros. Then what was read before is lost,
    and a sequence in two pieces gives other outputs than the whole."""
    h = _states(x, 0 * h_0, W_xh, W_hh, b_h)
    return h @ W_hy.T + b_y, h[-1]


@read_a_piece.wrong
def output_of_the_state_before(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """The states are right, but each output is read one step too early, from h_{t−1}. The output
    y_t is read from h_t, which has seen x_t."""
    h = _states(x, h_0, W_xh, W_hh, b_h)
    return np.vstack([h_0, h[:-1]]) @ W_hy.T + b_y, h[-1]


@read_a_piece.wrong
def all_states_handed_on(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """The outputs are right. But you hand on all T states, and the next piece begins in one of
    them: the last, of shape (H,)."""
    h = _states(x, h_0, W_xh, W_hh, b_h)
    return h @ W_hy.T + b_y, h


@read_a_piece.wrong
def output_squeezed(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """The state is right, but a tanh stands around the output. The readout has none, y_t = W_hy h_t
    + b_y, so that an output may have any size."""
    h = _states(x, h_0, W_xh, W_hh, b_h)
    return np.tanh(h @ W_hy.T + b_y), h[-1]


@read_a_piece.wrong
def output_without_bias(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """The state is right, but the outputs lack the bias b_y."""
    h = _states(x, h_0, W_xh, W_hh, b_h)
    return h @ W_hy.T, h[-1]


@read_a_piece.wrong
def output_handed_on(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """The outputs are right, but what you hand on is the last output. The next step needs the state
    h_T, (H,): an output is only what was read from it."""
    y = _states(x, h_0, W_xh, W_hh, b_h) @ W_hy.T + b_y
    return y, y[-1]


@read_a_piece.wrong
def state_recurrence_transposed(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """W_hh stands transposed. For a column h the product is W_hh @ h; h @ W_hh is W_hhᵀ h, and W_hh
    is square, so no error shows it."""
    h = _states(x, h_0, W_xh, W_hh.T, b_h)
    return h @ W_hy.T + b_y, h[-1]


@read_a_piece.wrong
def ended_after_one_step(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """This is the output and the state of the first step: does your return stand inside the loop?
    It ends the function, so it belongs after the loop."""
    h = np.tanh(W_hh @ h_0 + W_xh @ x[0] + b_h)
    return W_hy @ h + b_y, h


@read_a_piece.wrong
def no_tanh_at_all(x, h_0, W_xh, W_hh, W_hy, b_h, b_y):
    """tanh is missing: this state is a sum, which may grow without limit."""
    h, y = h_0, []
    for x_t in x:
        h = W_hh @ h + W_xh @ x_t + b_h
        y.append(W_hy @ h + b_y)
    return np.array(y), h


# ---------------------------------------------------------------- counting


def _budgets(rng):
    """Numbers that one has room for, with D and O; some of them are used up to the last."""
    yield 28, 1, 1
    yield from ((budget, 2, 3) for budget in range(60, 90))  # where the mistakes part
    yield from ((11, 1, 1), (600, 30, 3), (300, 2, 30), (5322, 8, 10), (2000, 5, 20), (2000, 20, 5))


def _most(budget, count):
    """Return the largest H with count(H) ≤ budget."""
    H = 0
    while count(H + 1) <= budget:
        H += 1
    return H


@exercise(
    "most-units",
    page="1-structure/any-length",
    cases=_budgets,
    hints=(
        "How many parameters has a network with H units? Does that number grow with H?",
        "N = H (H + D + 1) + O (H + 1). Try H = 1, 2, 3, … as long as N is at most the budget.",
        "Start with H = 0, and while the count for H + 1 is at most the budget, add 1 to H.",
    ),
)
def most_units(budget, D, O):
    """Say how many hidden units a network can have if there is room for a budget of parameters.

    Given three whole numbers, the budget, D and O, return the largest whole number H such that a
    network with D inputs, H units and O outputs has at most that many parameters, biases counted.
    By hand: with a budget of 28 and D = O = 1 it is H = 3, which needs 3 · 5 + 1 · 4 = 19 numbers;
    H = 4 would need 4 · 6 + 1 · 5 = 29.
    """
    H = 0
    while (H + 1) * (H + 1 + D + 1) + O * (H + 2) <= budget:
        H += 1
    return H


@most_units.wrong
def the_first_too_many(budget, D, O):
    """This is the first H that does not fit, one too many. Return the one before it."""
    return most_units.solution(budget, D, O) + 1


@most_units.wrong
def strictly_below(budget, D, O):
    """A network that uses up the budget to the last number fits too: compare with ≤, not with <."""
    return _most(budget - 1, lambda H: H * (H + D + 1) + O * (H + 1))


@most_units.wrong
def no_biases(budget, D, O):
    """The biases are not counted. Each of the H units has one, and each of the O outputs."""
    return _most(budget, lambda H: H * (H + D) + O * H)


@most_units.wrong
def no_output_bias(budget, D, O):
    """b_y is not counted: each of the O outputs has a bias of its own, beside its H weights."""
    return _most(budget, lambda H: H * (H + D + 1) + O * H)


@most_units.wrong
def no_hidden_bias(budget, D, O):
    """b_h is not counted: each of the H units has a bias of its own, beside its H + D weights."""
    return _most(budget, lambda H: H * (H + D) + O * (H + 1))


@most_units.wrong
def no_readout(budget, D, O):
    """The readout is not counted: W_hy and b_y are O (H + 1) numbers more."""
    return _most(budget, lambda H: H * (H + D + 1))


@most_units.wrong
def one_recurrent_weight_each(budget, D, O):
    """You count one recurrent weight for each unit. But each unit leads back to itself and to all
    others: W_hh is H × H."""
    return _most(budget, lambda H: H * (1 + D + 1) + O * (H + 1))


@most_units.wrong
def not_whole(budget, D, O):
    """This solves the equation for H, and the result is not whole. There is no half of a unit:
    round down."""
    p = D + 1 + O
    return float(np.sqrt(p * p / 4 + budget - O) - p / 2)


@most_units.wrong
def two_biases_each(budget, D, O):
    """You count two biases for each unit, as PyTorch has them. In the course a unit has one."""
    return _most(budget, lambda H: H * (H + D + 2) + O * (H + 1))


@most_units.wrong
def rounded_to_the_nearest(budget, D, O):
    """You solve for H and round to the nearest whole number. Where that is up, the network needs
    more than the budget: round down."""
    return round(not_whole(budget, D, O))


# ---------------------------------------------------------------- pictures as sequences


def _pictures(rng):
    """Pictures: one by hand, then several of other sizes, then square ones, then B = T."""
    yield (np.arange(1.0, 9).reshape(1, 4, 2),)
    for B, R, C in ((3, 4, 2), (5, 6, 8), (3, 4, 4), (2, 4, 6)):
        yield (np.arange(1.0, B * R * C + 1).reshape(B, R, C),)


@exercise(
    "two-rows-a-step",
    page="1-structure/digits",
    cases=_pictures,
    hints=(
        "Which shape has the result? First the step, then the picture, then the entry.",
        "A reshape of each picture alone puts two rows, which follow one another, side by side.",
        "A reshape never moves an entry past another; to bring the step to the front, transpose.",
        "images.reshape(B, R // 2, 2 * C), and then exchange its first two axes.",
    ),
)
def two_rows_a_step(images):
    """Make a batch of sequences of pictures, for a network that reads two rows at each step.

    Given images (B, R, C), B pictures of R rows and C columns with an even R, return x
    (R/2, B, 2C): the first entry x[0, b] holds row 0 of picture b and after it row 1, x[1, b] holds
    rows 2 and 3, and so on.
    By hand: for one picture with the rows (1, 2), (3, 4), (5, 6) and (7, 8), x has the shape
    (2, 1, 4), with 1, 2, 3, 4 at the first step and 5, 6, 7, 8 at the second.
    """
    B, R, C = images.shape
    return images.reshape(B, R // 2, 2 * C).transpose(1, 0, 2)


@two_rows_a_step.wrong
def batch_first(images):
    """The rows are paired as they should be, but the batch comes first, (B, T, D). In the course
    the step does, (T, B, D), so that x[t] is what all pictures give the network at step t. Where
    B = T, nothing would warn you."""
    B, R, C = images.shape
    return images.reshape(B, R // 2, 2 * C)


@two_rows_a_step.wrong
def reshaped_across_pictures(images):
    """The shape is right, but the pictures are mixed: reshape keeps the entries in their order, and
    in that order the whole of picture 0 comes before picture 1. To bring the step before the batch,
    entries must move, and that takes a transpose."""
    B, R, C = images.shape
    return images.reshape(R // 2, B, 2 * C)


@two_rows_a_step.wrong
def columns_for_rows(images):
    """Here the network reads two columns at each step: the pictures are transposed. In images[b],
    the first axis goes from row to row."""
    B, R, C = images.shape
    return images.transpose(0, 2, 1).reshape(B, C // 2, 2 * R).transpose(1, 0, 2)


@two_rows_a_step.wrong
def entries_alternate(images):
    """The right two rows meet at each step, but their entries alternate. All of the upper row comes
    first, then all of the lower one."""
    upper, lower = images[:, 0::2], images[:, 1::2]
    return np.stack([upper, lower], axis=-1).reshape(*upper.shape[:2], -1).transpose(1, 0, 2)


@two_rows_a_step.wrong
def halves_side_by_side(images):
    """You put a row of the upper half beside one of the lower half. Those that belong together
    follow one another in the picture: rows 0 and 1, rows 2 and 3."""
    half = images.shape[1] // 2
    return np.concatenate([images[:, :half], images[:, half:]], axis=2).transpose(1, 0, 2)


@two_rows_a_step.wrong
def lower_row_first(images):
    """The two rows of each step have changed places: the upper one, with the even number, comes
    first."""
    return np.concatenate([images[:, 1::2], images[:, 0::2]], axis=2).transpose(1, 0, 2)


@two_rows_a_step.wrong
def rows_overlap(images):
    """Most rows stand here twice, once as the lower of two and once as the upper. Each step has to
    begin two rows below the one before it, so that every row is read once."""
    return np.concatenate([images[:, :-1], images[:, 1:]], axis=2).transpose(1, 0, 2)


@two_rows_a_step.wrong
def transposed_too_early(images):
    """The shape is right, but the pictures are mixed. After transpose the same row of all pictures
    comes first, and reshape then joins rows of two different pictures. Join the rows first, then
    bring the step to the front."""
    B, R, C = images.shape
    return images.transpose(1, 0, 2).reshape(R // 2, B, 2 * C)


@two_rows_a_step.wrong
def two_rows_apart(images):
    """The right two rows stand at each step, but as a matrix of 2 rows. A network reads a vector at
    each step: the two rows side by side, 2C numbers."""
    B, R, C = images.shape
    return images.reshape(B, R // 2, 2, C).transpose(1, 0, 2, 3)


# ---------------------------------------------------------------- how often it is right


def _answers(rng):
    """Outputs and labels: by hand, then T, B and O all different."""
    y = np.array([[[2.0, 1.0], [0.0, 3.0]], [[1.0, 0.0], [5.0, 2.0]]])
    yield y, np.array([0, 1])
    for T, B, O in ((4, 6, 3), (3, 10, 4), (5, 4, 4), (4, 4, 3)):
        yield rng.normal(size=(T, B, O)), rng.integers(0, O, B)


@exercise(
    "accuracy-by-step",
    page="1-structure/digits",
    cases=_answers,
    hints=(
        "The network names the label with the largest output. Over which axis is it the largest?",
        "y.argmax(axis=-1) has the shape (T, B): what is named at each step, for each sequence.",
        "Compare it with labels, and take the mean over the sequences, axis=1.",
    ),
)
def accuracy_by_step(y, labels):
    """Say how often a network is right if it is stopped after each step.

    Given outputs y (T, B, O) and one label for each sequence, labels (B,), return the fraction of
    the sequences that are named right, step by step, (T,).
    By hand: T = B = O = 2, and the labels are 0 and 1. At step 1 the outputs are (2, 1) and (0, 3),
    both right; at step 2 they are (1, 0) and (5, 2), and only the first is. The result is 1, 0.5.
    """
    return (y.argmax(axis=-1) == labels).mean(axis=1)


@accuracy_by_step.wrong
def one_number_for_all(y, labels):
    """This is one number, the mean over all steps. Keep the steps apart: take the mean over the
    sequences only."""
    return (y.argmax(axis=-1) == labels).mean()


@accuracy_by_step.wrong
def mean_over_the_steps(y, labels):
    """The mean is taken over the steps: for each sequence, how often it was named right on its way.
    Wanted is for each step the mean over the sequences, and their axis is 1."""
    return (y.argmax(axis=-1) == labels).mean(axis=0)


@accuracy_by_step.wrong
def counts(y, labels):
    """You count the right answers. A fraction is that count divided by B, so that batches of
    different sizes can be compared."""
    return (y.argmax(axis=-1) == labels).sum(axis=1)


@accuracy_by_step.wrong
def counted_over_the_steps(y, labels):
    """You divide by T, the number of steps. At one step there are B answers, one for each
    sequence."""
    return (y.argmax(axis=-1) == labels).sum(axis=1) / len(y)


@accuracy_by_step.wrong
def largest_over_the_sequences(y, labels):
    """argmax runs over the sequences here. The outputs of one answer stand along the last axis, and
    the largest of these O numbers names the label: axis=-1."""
    return (y.argmax(axis=1) == labels).mean(axis=1)


@accuracy_by_step.wrong
def labels_along_the_steps(y, labels):
    """The labels run along the steps here: label b is compared with what is named at step b. There
    is one label for each sequence, and (T, B) == (B,), without a transpose, compares them as it
    should."""
    return (y.argmax(axis=-1) == labels[:, None]).mean(axis=1)


@accuracy_by_step.wrong
def largest_value_for_its_place(y, labels):
    """You compare the largest output itself with the label. What names the label is the place where
    it stands: argmax, not max."""
    return (y.max(axis=-1) == labels).mean(axis=1)


@accuracy_by_step.wrong
def largest_over_the_steps(y, labels):
    """argmax runs over the steps here. The outputs of one answer stand along the last axis, and the
    largest of these O numbers names the label: axis=-1."""
    return (y.argmax(axis=0) == labels).mean(axis=1)


@accuracy_by_step.wrong
def one_label_for_each_step(y, labels):
    """labels[t] takes the label of sequence t for step t. The labels belong to the sequences:
    compare what is named at a step with all of labels."""
    right = [np.mean(y[t].argmax(axis=-1) == labels[t]) for t in range(len(y))]
    return np.array(right)


# ---------------------------------------------------------------- first read, then answer


def _readings(rng):
    """A sequence to read and a number of answers: by hand, then all sizes different, then D = O."""
    one = np.ones((1, 1))
    yield np.array([[1.0]]), 2, 0.5 * one, 2 * one, 10 * one, 0.5 * one[0], one[0]
    for T, steps, D, H, O in ((4, 3, 2, 5, 1), (5, 2, 3, 2, 4), (3, 4, 3, 3, 3)):
        W_xh, W_hh, W_hy, b_h, b_y = _weights(rng, D, H, O)
        yield rng.normal(size=(T, D)), steps, W_xh, W_hh, W_hy, b_h, b_y


def _read(x, W_xh, W_hh, b_h):
    """Return the last state of a sequence."""
    return _states(x, np.zeros(len(b_h)), W_xh, W_hh, b_h)[-1]


def _pauses(steps, W_xh):
    """Return a sequence of zeros."""
    return np.zeros((steps, W_xh.shape[1]))


@exercise(
    "read-then-answer",
    page="1-structure/any-length",
    cases=_readings,
    hints=(
        "Two loops, and one state that goes through both.",
        "In the second loop the input is zero. Which terms of the sum are left?",
        "Reading: h = tanh(W_hh h + W_xh x_t + b_h). Answering: h = tanh(W_hh h + b_h), and then "
        "y = W_hy h + b_y.",
    ),
)
def read_then_answer(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """Let one network read a whole sequence first, and then answer.

    Given x (T, D), a whole number of steps, W_xh (H, D), W_hh (H, H), W_hy (O, H), b_h (H,) and
    b_y (O,), return the outputs y (steps, O). The network begins with a state of zeros and reads
    T inputs; the outputs at these steps do not count. Then its input is zero, and it goes on for
    the given number of steps, whose outputs are the answer.
    By hand: with x = 1, two steps, W_xh = 0.5, W_hh = 2, b_h = 0.5, W_hy = 10 and b_y = 1, the
    state is tanh(1) = 0.7616 after reading, then 0.9656 and 0.9847: the answer is 10.656, 10.847.
    """
    h, y = np.zeros(len(b_h)), []
    for x_t in x:
        h = np.tanh(W_hh @ h + W_xh @ x_t + b_h)
    for _ in range(steps):
        h = np.tanh(W_hh @ h + b_h)
        y.append(W_hy @ h + b_y)
    return np.array(y)


@read_then_answer.wrong
def answers_from_nothing(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """The second part begins with a state of zeros, so the answer is the same whatever was read. It
    begins in the state in which the reading ends."""
    h = _states(_pauses(steps, W_xh), np.zeros(len(b_h)), W_xh, W_hh, b_h)
    return h @ W_hy.T + b_y


@read_then_answer.wrong
def no_bias_in_pauses(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """At the answering steps the bias b_h is missing. An input of zeros takes away W_xh x_t and
    nothing else: the bias is added at every step."""
    h = _states(_pauses(steps, W_xh), _read(x, W_xh, W_hh, b_h), W_xh, W_hh, 0 * b_h)
    return h @ W_hy.T + b_y


@read_then_answer.wrong
def answers_one_step_early(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """The answer comes one step early: your first output is that of the last step of reading. Move
    the state on first, then read the output."""
    h_T = _read(x, W_xh, W_hh, b_h)
    h = _states(_pauses(steps, W_xh), h_T, W_xh, W_hh, b_h)
    return np.vstack([h_T, h[:-1]]) @ W_hy.T + b_y


@read_then_answer.wrong
def outputs_while_reading(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """All T + steps outputs are here. Those of the reading do not count: return only the last ones,
    (steps, O)."""
    x = np.vstack([x, _pauses(steps, W_xh)])
    return _states(x, np.zeros(len(b_h)), W_xh, W_hh, b_h) @ W_hy.T + b_y


@read_then_answer.wrong
def aligned(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """These are the outputs of the reading, one for each input: the aligned arrangement. Here the
    answer begins only after x_T."""
    return _states(x, np.zeros(len(b_h)), W_xh, W_hh, b_h) @ W_hy.T + b_y


@read_then_answer.wrong
def the_same_answer_again(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """Every answer is the same, read from the state after the last input. A state moves on at each
    step, also when the input is zero."""
    y = W_hy @ _read(x, W_xh, W_hh, b_h) + b_y
    return np.array([y] * steps)


@read_then_answer.wrong
def last_input_goes_on(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """At the answering steps the last input x_T comes in again and again, perhaps because x_t is
    still there when the first loop has ended. After the reading the input is zero."""
    again = np.repeat(x[-1:], steps, axis=0)
    return _states(again, _read(x, W_xh, W_hh, b_h), W_xh, W_hh, b_h) @ W_hy.T + b_y


@read_then_answer.wrong
def output_fed_back(x, steps, W_xh, W_hh, W_hy, b_h, b_y):
    """You feed each output back as the next input, which a network that writes text does. Here the
    input after the reading is zero; and y has O numbers, an input D."""
    h = _read(x, W_xh, W_hh, b_h)
    y = [W_hy @ h + b_y]
    for _ in range(steps):
        h = np.tanh(W_hh @ h + W_xh @ y[-1] + b_h)
        y.append(W_hy @ h + b_y)
    return np.array(y[1:])


# ---------------------------------------------------------------- different lengths


def _batches(rng):
    """Batches with padding: by hand, then T, B, D and H all different, then D = H."""
    x = np.array([[[1.0], [1.0]], [[0.0], [9.0]]])
    yield x, np.array([2, 1]), np.ones((1, 1)), 2 * np.ones((1, 1)), np.zeros(1)
    for lengths, D, H in (([5, 2, 4, 1], 3, 2), ([2, 3], 5, 4), ([3, 1, 4], 2, 2), ([3, 1], 2, 2)):
        W_xh, W_hh, _, b_h, _ = _weights(rng, D, H, 1)
        x = rng.normal(size=(max(lengths), len(lengths), D))
        for b, length in enumerate(lengths):
            x[length:, b] = 9
        yield x, np.array(lengths), W_xh, W_hh, b_h


def _batch(x, W_xh, W_hh, b_h, keep):
    """Run a batch; after step t, keep(t, new, old) says with which states it goes on."""
    h = np.zeros((x.shape[1], len(b_h)))
    for t, x_t in enumerate(x):
        h = keep(t, np.tanh(h @ W_hh.T + x_t @ W_xh.T + b_h), h)
    return h


@exercise(
    "frozen-at-the-end",
    page="1-structure/any-length",
    cases=_batches,
    hints=(
        "What must happen to the state of a sequence at the steps after its end? Nothing.",
        "At step t, counted from 0, sequence b is still running if t < lengths[b].",
        "For a batch, h is (B, H), and a step is np.tanh(h @ W_hh.T + x[t] @ W_xh.T + b_h).",
        "np.where((t < lengths)[:, None], new, h) takes the new state where the sequence runs, and "
        "the old one where it has ended.",
    ),
)
def frozen_at_the_end(x, lengths, W_xh, W_hh, b_h):
    """Run a batch of sequences of different lengths, and return the state in which each one ends.

    Given x (T, B, D), whole numbers lengths (B,), W_xh (H, D), W_hh (H, H) and b_h (H,), return the
    states (B, H): row b is the state of sequence b after its own lengths[b] steps. Each begins with
    zeros. What stands in x after its end is padding and must not matter.
    By hand: with D = H = 1, W_xh = 1, W_hh = 2 and b_h = 0, the sequence 1, 0 of length 2 ends in
    tanh(2 · 0.7616) = 0.9093, and 1, 9 of length 1 ends in tanh(1) = 0.7616.
    """
    h = np.zeros((x.shape[1], len(b_h)))
    for t in range(len(x)):
        new = np.tanh(h @ W_hh.T + x[t] @ W_xh.T + b_h)
        h = np.where((t < lengths)[:, None], new, h)
    return h


@frozen_at_the_end.wrong
def padding_is_read(x, lengths, W_xh, W_hh, b_h):
    """The padding is read like any other input: these are the states after step T. The sequences of
    full length are right, the shorter ones run on past their end."""
    return _batch(x, W_xh, W_hh, b_h, lambda t, new, old: new)


@frozen_at_the_end.wrong
def padding_set_to_zero(x, lengths, W_xh, W_hh, b_h):
    """You set the padding to zero. But a pause is a step too: without input, W_hh and b_h still
    move the state. After its end a sequence has to keep the state that it has."""
    runs = np.arange(len(x))[:, None] < lengths
    return _batch(x * runs[..., None], W_xh, W_hh, b_h, lambda t, new, old: new)


@frozen_at_the_end.wrong
def state_set_to_zero(x, lengths, W_xh, W_hh, b_h):
    """The sequences that end early are left with a state of zeros: it is multiplied by 0 after the
    end. It should stay what it was when the sequence ended."""
    return _batch(x, W_xh, W_hh, b_h, lambda t, new, old: new * (t < lengths)[:, None])


@frozen_at_the_end.wrong
def one_step_too_many(x, lengths, W_xh, W_hh, b_h):
    """Each sequence that ends early reads one step of padding. Counted from 0, the steps of a
    sequence are 0, …, lengths[b] − 1, so it runs while t < lengths[b]."""
    return _batch(
        x, W_xh, W_hh, b_h, lambda t, new, old: np.where((t <= lengths)[:, None], new, old)
    )


@frozen_at_the_end.wrong
def one_step_too_few(x, lengths, W_xh, W_hh, b_h):
    """Each sequence stops one step before its end, and its last input is never read. Counted from
    0, that one is x[lengths[b] − 1, b]."""
    return _batch(
        x, W_xh, W_hh, b_h, lambda t, new, old: np.where((t < lengths - 1)[:, None], new, old)
    )


@frozen_at_the_end.wrong
def all_stop_with_the_shortest(x, lengths, W_xh, W_hh, b_h):
    """All sequences stop with the shortest. Each has to run to an end of its own."""
    return _batch(x[: lengths.min()], W_xh, W_hh, b_h, lambda t, new, old: new)


@frozen_at_the_end.wrong
def frozen_and_running_swapped(x, lengths, W_xh, W_hh, b_h):
    """The two sides have changed places: your states rest while the sequence runs, and move once it
    has ended. np.where(condition, a, b) takes a where the condition holds."""
    return _batch(
        x, W_xh, W_hh, b_h, lambda t, new, old: np.where((t >= lengths)[:, None], new, old)
    )


@frozen_at_the_end.wrong
def recurrence_transposed(x, lengths, W_xh, W_hh, b_h):
    """W_hh stands transposed. In a batch each state is a row, so W_hh h becomes h @ W_hh.T; W_hh is
    square, so h @ W_hh fits too, and is wrong."""
    return frozen_at_the_end.solution(x, lengths, W_xh, W_hh.T, b_h)


@frozen_at_the_end.wrong
def state_begins_again(x, lengths, W_xh, W_hh, b_h):
    """Each sequence ends with its own last input, but the state is not carried: every step begins
    with zeros. W_hh has to act on the state of the step before."""
    h = np.tanh(x @ W_xh.T + b_h)
    return h[lengths - 1, np.arange(len(lengths))]


@frozen_at_the_end.wrong
def mask_along_the_units(x, lengths, W_xh, W_hh, b_h):
    """Your condition has the shape (B,), and np.where lays it along the last axis of (B, H), the
    units. A column (B, 1) lays it along the sequences: (t < lengths)[:, None]."""
    return _batch(x, W_xh, W_hh, b_h, lambda t, new, old: np.where(t < lengths, new, old))


@frozen_at_the_end.wrong
def states_of_all_steps(x, lengths, W_xh, W_hh, b_h):
    """These are the states of all steps, (T, B, H). Of each sequence only the state in which it
    ends is wanted, (B, H)."""
    return np.array(
        [_batch(x[: t + 1], W_xh, W_hh, b_h, lambda t, new, old: new) for t in range(len(x))]
    )


@frozen_at_the_end.wrong
def ends_not_paired(x, lengths, W_xh, W_hh, b_h):
    """h[lengths − 1] takes the states of all B sequences at each of these steps, (B, B, H). Pair
    each step with its own sequence: h[lengths - 1, np.arange(B)]."""
    return states_of_all_steps(x, lengths, W_xh, W_hh, b_h)[lengths - 1]


# ---------------------------------------------------------------- the steps that count


def _errors(rng):
    """Errors and lengths: by hand, then T and B different, then T = B."""
    yield np.array([[1.0, 4.0], [3.0, 9.0]]), np.array([2, 1])
    for T, lengths in ((5, [2, 5, 4]), (4, [1, 3, 3, 2, 4]), (3, [1, 3, 2])):
        yield rng.uniform(0.1, 5, (T, len(lengths))), np.array(lengths)


def _running(E, lengths):
    """Return which steps count, (T, B)."""
    return np.arange(len(E))[:, None] < lengths


@exercise(
    "mean-of-what-counts",
    page="1-structure/any-length",
    cases=_errors,
    hints=(
        "How many of the T · B errors count? The lengths say it.",
        "A mask (T, B) is true where step t of sequence b counts: np.arange(T)[:, None] < lengths.",
        "Add up the errors where the mask is true, and divide by lengths.sum().",
    ),
)
def mean_of_what_counts(E, lengths):
    """Compute the mean error of a batch of sequences of different lengths.

    Given the errors E (T, B) of an answer at each step, and whole numbers lengths (B,), return one
    number, the mean over all steps that count: of sequence b, those are the first lengths[b].
    By hand: the errors 1, 3 of a sequence of length 2, and 4, 9 of one of length 1, where the 9
    stands in the padding, have the mean (1 + 3 + 4)/3 = 2.667.
    """
    counts = np.arange(len(E))[:, None] < lengths
    return np.sum(E * counts) / np.sum(counts)


@mean_of_what_counts.wrong
def padding_counts(E, lengths):
    """The padding counts like everything else. What stands after the end of a sequence must not
    change the loss."""
    return E.mean()


@mean_of_what_counts.wrong
def divided_by_all(E, lengths):
    """The right errors are added up, but you divide by T · B. Then padding still counts, as errors
    of zero, and a batch looks better the more padding it has. Divide by the number of steps that
    count."""
    return np.sum(E * _running(E, lengths)) / E.size


@mean_of_what_counts.wrong
def mean_of_means(E, lengths):
    """You take the mean of each sequence, and then the mean of these. So a step of a short sequence
    weighs more than one of a long sequence; here all steps that count weigh the same."""
    return np.mean(np.sum(E * _running(E, lengths), axis=0) / lengths)


@mean_of_what_counts.wrong
def a_sum(E, lengths):
    """This is the sum over the steps that count. Divide it by how many there are."""
    return np.sum(E * _running(E, lengths))


@mean_of_what_counts.wrong
def divided_by_sequences(E, lengths):
    """The right errors are added up, but you divide by B, the number of sequences. Wanted is the
    mean over steps: divide by how many of them count."""
    return np.sum(E * _running(E, lengths)) / len(lengths)


@mean_of_what_counts.wrong
def one_step_of_padding_counts(E, lengths):
    """One step of padding counts for each sequence that ends early. Counted from 0, the steps that
    count are 0, …, lengths[b] − 1: t < lengths[b], not t ≤ lengths[b]."""
    return np.mean(E[np.arange(len(E))[:, None] <= lengths])


@mean_of_what_counts.wrong
def last_steps_only(E, lengths):
    """This is the mean over the last step of each sequence, as in the many-to-one arrangement. Here
    there is an answer at each step, and all of them count."""
    return np.mean(E[lengths - 1, np.arange(len(lengths))])


@mean_of_what_counts.wrong
def one_mean_for_each_sequence(E, lengths):
    """This is one mean for each sequence, (B,). Wanted is one number for the whole batch."""
    return np.sum(E * _running(E, lengths), axis=0) / lengths


@mean_of_what_counts.wrong
def last_step_left_out(E, lengths):
    """The last step of each sequence is left out. Counted from 0, the steps that count are 0, …,
    lengths[b] − 1; the slice E[:lengths[b], b] holds just these."""
    counts = np.arange(len(E))[:, None] < lengths - 1
    return np.sum(E * counts) / np.sum(counts)


@mean_of_what_counts.wrong
def padding_added(E, lengths):
    """You divide by the right number, but what stands in the padding is added up too. Leave it out
    of the sum."""
    return E.sum() / lengths.sum()


@mean_of_what_counts.wrong
def mask_turned(E, lengths):
    """Your mask is (B, T), and E is (T, B): it fails where T ≠ B, and is wrong where T = B. The
    steps go down a column, np.arange(T)[:, None] < lengths."""
    counts = np.arange(len(E)) < lengths[:, None]
    return np.sum(E * counts) / np.sum(counts)


# ---------------------------------------------------------------- where a unit can rest


def _latching(rng):
    yield (2.0,)
    yield from ((1.25,), (4.0,), (9.0,))


@exercise(
    "bias-that-forgets",
    page="1-structure/one-unit",
    cases=_latching,
    hints=(
        "Where two resting places meet, one stable and one unstable, the slope is just 1.",
        "w (1 − h²) = 1 gives h². With b > 0 the lower place vanishes, so h is negative.",
        "That h is a fixed point, h = tanh(w h + b). Solve for b: artanh is the inverse of tanh, "
        "np.arctanh in NumPy.",
        "h = −√(1 − 1/w) and b = artanh(h) − w h.",
    ),
)
def bias_that_forgets(w):
    """Find the bias from which on a latching unit has only one place to rest.

    Given a weight w > 1, return the bias b > 0 at which the lower stable fixed point of
    h ← tanh(w h + b) meets the unstable one, and both disappear.
    A search on a grid is not exact enough: solve for b.
    By hand: for w = 2 they meet at h = −0.7071, and b = artanh(−0.7071) + 2 · 0.7071 = 0.5328.
    """
    h = -np.sqrt(1 - 1 / w)
    return np.arctanh(h) - w * h


@bias_that_forgets.wrong
def upper_place(w):
    """The size is right, but the sign is that of the bias at which the upper place vanishes. A
    positive bias takes away the lower one."""
    return -bias_that_forgets.solution(w)


@bias_that_forgets.wrong
def where_they_meet(w):
    """This is the state h at which they meet. The bias follows from it: h is a fixed point, so
    h = tanh(w h + b)."""
    return -np.sqrt(1 - 1 / w)


@bias_that_forgets.wrong
def root_forgotten(w):
    """w (1 − h²) = 1 gives h² = 1 − 1/w. You went on with that number as if it were h: its root is
    missing."""
    h = -(1 - 1 / w)
    return np.arctanh(h) - w * h


@bias_that_forgets.wrong
def tanh_for_its_inverse(w):
    """From h = tanh(w h + b) it follows that w h + b = artanh(h), the inverse of tanh. You took
    tanh(h) there."""
    h = -np.sqrt(1 - 1 / w)
    return np.tanh(h) - w * h


@bias_that_forgets.wrong
def without_the_squeeze(w):
    """The h is right, but then you solved h = w h + b: tanh is missing from the fixed point."""
    h = -np.sqrt(1 - 1 / w)
    return h - w * h


@bias_that_forgets.wrong
def weight_forgotten(w):
    """The h is right, but the fixed point has lost its weight: it is h = tanh(w h + b), not
    tanh(h + b)."""
    h = -np.sqrt(1 - 1 / w)
    return np.arctanh(h) - h


@bias_that_forgets.wrong
def signs_mixed(w):
    """Both terms have one sign here. As artanh(h) = w h + b, the term w h is taken away from
    artanh(h); h and artanh(h) are both negative."""
    h = -np.sqrt(1 - 1 / w)
    return -(np.arctanh(h) + w * h)


@bias_that_forgets.wrong
def arctan_for_artanh(w):
    """You took arctan, the inverse of tan. The inverse of tanh is artanh, np.arctanh in NumPy."""
    h = -np.sqrt(1 - 1 / w)
    return np.arctan(h) - w * h


@bias_that_forgets.wrong
def weight_squared(w):
    """Here h² = 1 − 1/w². The slope of tanh(w h + b) has the factor w once: w (1 − h²) = 1."""
    h = -np.sqrt(1 - 1 / w**2)
    return np.arctanh(h) - w * h


@bias_that_forgets.wrong
def artanh_only(w):
    """This is artanh(h), which is w h + b. Take w h away from it."""
    return np.arctanh(-np.sqrt(1 - 1 / w))


# ---------------------------------------------------------------- investigations


MOST = 1000  # in size, of a weight


def _values(answer, names):
    """Return the values of a tuple or a list; refuse one that has not a value for each name."""
    wanted = f"the {len(names)} values ({', '.join(names)})"
    if isinstance(answer, np.ndarray) and answer.ndim:
        answer = list(answer)
    if not isinstance(answer, (tuple, list)):
        raise ValueError(f"it is of type {type(answer).__name__}, expected {wanted}")
    if len(answer) != len(names):
        raise ValueError(f"it has {len(answer)} values, expected {wanted}")
    return answer


def _number(value, name):
    """Return a value as a float; say what is wrong if it is no number of a sensible size."""
    number = require_number(name, value)
    if abs(number) > MOST:
        raise ValueError(f"{name} is {number}, expected a number from −{MOST} to {MOST}")
    return number


def _matrix(value, name):
    """Return a value as a matrix of finite numbers; say what is wrong if it is none."""
    try:
        matrix = np.asarray(value, float)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise ValueError(f"{name} is of type {kind}, expected a matrix of numbers") from None
    if not (np.abs(matrix) <= MOST).all():
        raise ValueError(f"{name} holds NaN or a number that is larger than {MOST} in size")
    return matrix


QUIET = 50  # steps


def _runs(w, u, pulses):
    """Return the states of one unit, for pulses each of which 50 quiet steps follow."""
    x = np.zeros((len(pulses), 1 + QUIET))
    x[:, 0] = pulses
    h_0 = b_h = np.zeros(1)
    return _states(x.reshape(-1, 1), h_0, np.array([[u]]), np.array([[w]]), b_h)[:, 0]


@investigation(
    "a-bit-to-keep",
    page="1-structure/one-unit",
    answer=(2.0, 3.0),
    wrongs={
        "fades": (0.9, 3.0),
        "too_faint": (1.2, 2.0),
        "swings": (-2.0, 3.0),
        "too_deaf": (3.0, 2.0),
        "too_easily_turned": (2.0, 8.0),
        "writes_the_opposite": (2.0, -3.0),
    },
    hints=(
        "Begin with w. Which weights give two places to rest, and how far from 0 do they lie?",
        "A pulse has to carry the state across the unstable place at 0. From h* it starts with "
        "w h*, and u has to outweigh that; 0.3 u must not.",
        "For w = 2 the places are ±0.958, so u must lie above 2 · 0.958 = 1.92 and below 6.39.",
    ),
)
def a_bit_to_keep(answer):
    """Find two numbers (w, u) with which one unit, h_t = tanh(w h_{t−1} + u x_t), keeps a bit.

    A pulse x_t = 1 or −1 writes its own sign, whatever the state was before. After 50 quiet steps,
    with x_t = 0, the state still has that sign and is at least 0.8 in size. A weak pulse of 0.3 or
    −0.3 changes no bit: 50 quiet steps later it is still there. The unit begins at h_0 = 0.
    """
    w, u = map(_number, _values(answer, ("w", "u")), ("w", "u"))
    with_these = f"With w = {w:g} and u = {u:g}, "
    states = _runs(w, u, [1.0])
    first, before, last = states[0], states[-2], states[-1]
    if first <= 0:
        return (
            f"{with_these}a pulse of 1 makes the state {first:.3g}: it should write its own sign."
        )
    if before * last < 0:
        return (
            f"{with_these}the state goes from {before:.3f} to {last:.3f} in one quiet step: it "
            "swings from side to side. Which sign of w does that?"
        )
    if last < 0.8:
        return (
            f"{with_these}a pulse of 1 makes the state {first:.3f}, and 50 quiet steps later it is "
            f"{last:.3g}; wanted at least 0.8. Where can a unit with this w rest?"
        )
    over = _runs(w, u, [1.0, -1.0])[QUIET + 1 :]
    if over[-1] > -0.8:
        return (
            f"{with_these}the unit rests at {last:.3f}, and a pulse of −1 takes it only to "
            f"{over[0]:.3f}; 50 quiet steps later it is back at {over[-1]:.3f}. The new bit is not "
            "written: the pulse has to carry the state across 0."
        )
    weak = _runs(w, u, [1.0, -0.3])[QUIET + 1 :]
    if weak[-1] < 0.8:
        return (
            f"{with_these}the unit rests at {last:.3f}, and a weak pulse of −0.3 takes it to "
            f"{weak[0]:.3f}; 50 quiet steps later it is at {weak[-1]:.3f}. The bit is lost: a weak "
            "pulse must not carry the state across 0."
        )
    return ""


DELAY, ECHOED = 3, 100


@investigation(
    "echo",
    page="1-structure/any-length",
    answer=(
        np.array([[0.05], [0.0], [0.0], [0.0]]),
        np.eye(4, k=-1),
        np.array([[0.0, 0.0, 0.0, 20.0]]),
    ),
    wrongs={
        "each_to_itself": (
            np.array([[0.05], [0.0], [0.0], [0.0]]),
            np.eye(4),
            np.array([[20.0, 0.0, 0.0, 0.0]]),
        ),
        "the_wrong_way": (
            np.array([[0.05], [0.0], [0.0], [0.0]]),
            np.eye(4, k=1),
            np.array([[0.0, 0.0, 0.0, 20.0]]),
        ),
        "one_step_short": (
            np.array([[0.05], [0.0], [0.0]]),
            np.eye(3, k=-1),
            np.array([[0.0, 0.0, 20.0]]),
        ),
        "squeezed": (
            np.array([[1.0], [0.0], [0.0], [0.0]]),
            np.eye(4, k=-1),
            np.array([[0.0, 0.0, 0.0, 1.0]]),
        ),
        "too_quiet": (
            np.array([[0.05], [0.0], [0.0], [0.0]]),
            np.eye(4, k=-1),
            np.array([[0.0, 0.0, 0.0, 1.0]]),
        ),
    },
    hints=(
        "Let the units form a row. The first takes the input in, and at each step every unit takes "
        "over what its neighbor held.",
        "Row i of W_hh holds the weights into unit i. A 1 in row 2, column 1 hands the state of "
        "unit 1 on to unit 2. np.eye(4, k=-1) has ones just below its diagonal.",
        "x_t is in unit 1 at step t, and in unit 4 at step t + 3: read unit 4.",
        "tanh squeezes a number near 1, but hardly one near 0. Let the input in small, times 0.05, "
        "and make it large again at the readout, times 20.",
    ),
)
def echo(answer):
    """Find the weights of a network that says what it heard three steps ago, y_t = x_{t−3}.

    The answer is three arrays, (W_xh, W_hh, W_hy), with the shapes (H, 1), (H, H) and (1, H); you
    choose H, from 1 to 50. The biases are 0, and the network begins with zeros. It is run on 100
    inputs drawn evenly from −1 to 1. From step 4 on, no output may be more than 0.02 off.
    """
    names = "W_xh", "W_hh", "W_hy"
    W_xh, W_hh, W_hy = map(_matrix, _values(answer, names), names)
    H = W_xh.size
    if not 1 <= H <= 50:
        raise ValueError(f"W_xh has the shape {W_xh.shape}, expected (H, 1) with H from 1 to 50")
    for name, W, shape in (("W_xh", W_xh, (H, 1)), ("W_hh", W_hh, (H, H)), ("W_hy", W_hy, (1, H))):
        if W.shape != shape:
            raise ValueError(f"{name} has the shape {W.shape}, expected {shape}")
    x = np.random.default_rng(1).uniform(-1, 1, ECHOED)
    h = _states(x[:, None], np.zeros(H), W_xh, W_hh, np.zeros(H))
    y = (h @ W_hy.T)[:, 0]
    error = np.abs(y[DELAY:] - x[:-DELAY]).max()
    if error <= 0.02:
        return ""
    measured = f"The largest error is {error:.3g}; wanted at most 0.02."
    if np.ptp(y) < 1e-9:
        return f"{measured} All outputs are {y[0]:g}: nothing that comes in reaches the readout."
    alike = [np.corrcoef(y[9:], x[9 - k : ECHOED - k])[0, 1] for k in range(10)]
    k = int(np.nanargmax(np.abs(alike)))
    nearest = f"x_{{t−{k}}}" if k else "x_t"
    if abs(alike[k]) < 0.9:
        return (
            f"{measured} The output is no echo of any one input: {nearest} is the nearest, with a "
            f"correlation of {alike[k]:.2f}. Several inputs are mixed; does each unit hand on its "
            "state, keep nothing back, and get nothing back?"
        )
    if k != DELAY:
        return (
            f"{measured} Your network is an echo, but of {nearest} (correlation {alike[k]:.2f}), "
            f"not of x_{{t−{DELAY}}}. Each unit in the row adds one step."
        )
    past = x[9 - DELAY : ECHOED - DELAY]
    loud = float(y[9:] @ past / (past @ past))
    if abs(alike[k]) > 0.999 and abs(loud - 1) > 0.1:
        return (
            f"{measured} It is the right echo, times {loud:.3g}: what the input was scaled by on "
            "its way has to be undone at the readout."
        )
    return (
        f"{measured} It is an echo of the right input, but large inputs come back too small "
        f"(correlation {alike[k]:.4f}): tanh squeezes them. Where is tanh nearly a straight line?"
    )
