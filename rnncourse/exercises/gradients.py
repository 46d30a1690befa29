"""Exercises of chapter 3: vanishing and exploding gradients."""

import math

import numpy as np

from ..gradients import jacobians
from ..layers import initializers
from ..layers.rnn import RNN
from ..nonlinear import sigmoid
from ..validation import require_number, require_positive
from .definition import exercise, investigation

# ---------------------------------------------------------------- steps-until


def _factors(rng):
    """By hand; the factor of page 3.1; slow ones; and a limit that is a power of the factor."""
    yield 0.5, 0.3
    yield 0.54, 0.001
    yield 0.9, 0.01
    yield 0.99, 0.5
    yield 0.54, 1e-6
    yield 0.5, 0.25


@exercise(
    "steps-until",
    page="3-gradients/jacobians",
    cases=_factors,
    hints=(
        "After n steps factor**n is left. Which n do you look for?",
        "Count in a loop, or solve factor**n = limit for n with a logarithm.",
        "Multiply 1 by the factor again and again while the product is at least the limit, and "
        "count the multiplications.",
    ),
)
def steps_until(factor, limit):
    """Count the steps back after which a gradient has fallen below a limit.

    A gradient of length 1 is multiplied by factor, a number between 0 and 1, at each step back.
    Return the smallest whole number of steps after which its length is below limit, which is also
    between 0 and 1. By hand: with factor 0.5 and limit 0.3 the lengths are 0.5, 0.25, so it is 2.
    """
    steps, left = 0, 1.0
    while left >= limit:
        left *= factor
        steps += 1
    return steps


@steps_until.wrong
def rounded_down(factor, limit):
    """One step short: after this many steps the length is not below the limit yet. In a loop, the
    length begins at 1 and the count at 0; with logarithms, take the first whole number beyond."""
    return math.floor(round(math.log(limit) / math.log(factor), 9))


@steps_until.wrong
def not_below_yet(factor, limit):
    """Right, but for one case: where a whole number of steps meets the limit exactly. With factor
    0.5 and limit 0.25, two steps leave 0.25, which is not below 0.25; it takes a third."""
    return math.ceil(round(math.log(limit) / math.log(factor), 9))


@steps_until.wrong
def one_step_too_many(factor, limit):
    """One step too many: it is below the limit a step earlier. If you count in a loop, does the
    count begin at 0 and stop as soon as the length is below the limit?"""
    return steps_until.solution(factor, limit) + 1


@steps_until.wrong
def not_a_whole_number(factor, limit):
    """This is where the curve factor**n meets the limit, between two steps. A gradient goes back
    in whole steps: which is the first that lies beyond?"""
    return math.log(limit) / math.log(factor)


@steps_until.wrong
def the_same_loss_each_step(factor, limit):
    """You take the same amount away at each step, 1 − factor. A step back multiplies, so it takes
    less and less: after 0.5 comes 0.25, not 0."""
    return math.ceil((1 - limit) / (1 - factor))


@steps_until.wrong
def upside_down(factor, limit):
    """The ratio of the logarithms stands upside down. From factor**n = limit follows n log(factor)
    = log(limit), so n is log(limit) / log(factor)."""
    return math.ceil(math.log(factor) / math.log(limit))


@steps_until.wrong
def last_step_not_counted(factor, limit):
    """Too small: the step that brings the length below the limit counts too, and a length of
    exactly the limit is not below it. Try factor 0.5 and limit 0.25 by hand: 0.5, 0.25, 0.125."""
    return not_below_yet(factor, limit) - 1


@steps_until.wrong
def rounded_to_the_nearest(factor, limit):
    """You rounded to the nearest whole number, so it is sometimes a step short. The first whole
    step beyond the place where the curve meets the limit is the one."""
    return round(math.log(limit) / math.log(factor))


# ---------------------------------------------------------------- sigmoid-unit


def _sigmoid_states(rng):
    """States of one unit: by hand, then a weight below 0, then a large one."""
    yield 4.0, np.array([0.5, 0.8])
    for w, T in ((-2.5, 3), (6.0, 5)):
        yield w, rng.uniform(0.1, 0.9, T)


@exercise(
    "sigmoid-unit",
    page="3-gradients/jacobians",
    cases=_sigmoid_states,
    hints=(
        "First one step: what is ∂h_t/∂h_{t−1}? The chain rule gives a slope times a weight.",
        "The slope of the sigmoid at a is σ(a)(1 − σ(a)), and σ(a_t) is h_t, which you are given.",
        "Each of the T steps gives one factor, w h_t (1 − h_t); multiply them all.",
    ),
)
def sigmoid_unit(w, h):
    """Compute what one sigmoid unit leaves of a gradient.

    A single unit has the sigmoid in place of tanh: h_t = σ(w h_{t−1} + u x_t). Given w, a number,
    and h (T,), the states h_1 … h_T, return the number ∂h_T/∂h_0.
    By hand: with w = 4 and h = (0.5, 0.8) the factors are 1 and 0.64, and the result is 0.64.
    """
    return np.prod(w * h * (1 - h))


@sigmoid_unit.wrong
def slope_of_tanh(w, h):
    """1 − h² is the slope of tanh. This unit has the sigmoid, whose slope, written with its value
    h, is another."""
    return np.prod(w * (1 - h**2))


@sigmoid_unit.wrong
def sigmoid_twice(w, h):
    """You applied the sigmoid to h_t, but h_t is already the sigmoid of a_t. In σ(a)(1 − σ(a)),
    σ(a_t) is h_t itself."""
    return np.prod(w * sigmoid(h) * (1 - sigmoid(h)))


@sigmoid_unit.wrong
def powers_of_w(w, h):
    """This is w to the power T: what a linear unit leaves. The slope of the sigmoid belongs into
    each factor, and it is at most a quarter."""
    return w ** len(h)


@sigmoid_unit.wrong
def weight_once(w, h):
    """The slopes are right, but w stands in the product once. Every step back passes through the
    weight, so every factor holds a w."""
    return w * np.prod(h * (1 - h))


@sigmoid_unit.wrong
def without_the_weight(w, h):
    """These are the slopes alone. Inside the sigmoid h_{t−1} is multiplied by w, so each step back
    brings a factor w too."""
    return np.prod(h * (1 - h))


@sigmoid_unit.wrong
def without_the_first_step(w, h):
    """One factor is missing, that of step 1: this is ∂h_T/∂h_1. From h_T to h_0 there are T steps
    back."""
    return np.prod(w * h[1:] * (1 - h[1:]))


@sigmoid_unit.wrong
def sum_of_factors(w, h):
    """The factors are right, but they are added. Along one path the chain rule multiplies; only
    different paths are added."""
    return np.sum(w * h * (1 - h))


@sigmoid_unit.wrong
def last_factor_alone(w, h):
    """This is the factor of step T alone, ∂h_T/∂h_{T−1}. To reach h_0 the factors of all T steps
    are multiplied."""
    return w * h[-1] * (1 - h[-1])


# ---------------------------------------------------------------- product-of-jacobians


def _states(rng, H, T):
    """Return states h_0 … h_T and recurrent weights."""
    return rng.uniform(-0.9, 0.9, (T + 1, H)), rng.normal(size=(H, H))


def _to_h_k(rng):
    yield np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]), np.array([[0.0, 1.0], [2.0, 0.0]]), 0
    for H, T, k in ((3, 5, 2), (2, 4, 3), (4, 3, 1), (3, 3, 3)):
        yield *_states(rng, H, T), k


@exercise(
    "product-of-jacobians",
    page="3-gradients/jacobians",
    cases=_to_h_k,
    hints=(
        "Write out the factors for T = 3 and k = 1: which steps are they of, and which is first?",
        "J_t = diag(1 − h_t²) W_hh: the slope of unit i multiplies row i of W_hh, as in "
        "(1 - h[t] ** 2)[:, None] * W_hh.",
        "Begin with np.eye(H). For t = T, T − 1, …, k + 1 put J_t to the right of what you have: "
        "product = product @ J_t.",
    ),
)
def product_of_jacobians(h, W_hh, k):
    """Compute ∂h_T/∂h_k from the states of a tanh network.

    Given h (T + 1, H), where h[t] is h_t and h[0] is h_0, W_hh (H, H), and a step k from 0 to T,
    return ∂h_T/∂h_k (H, H), J_T first. For k = T it is the identity.
    By hand: with h_1 = (0.5, 0), h_2 = (0, 0.5), W_hh = [[0, 1], [2, 0]] and k = 0, the Jacobians
    are J_1 = [[0, 0.75], [2, 0]] and J_2 = [[0, 1], [1.5, 0]]. Return [[2, 0], [0, 1.125]].
    """
    product = np.eye(len(W_hh))
    for t in range(len(h) - 1, k, -1):
        J_t = np.diag(1 - h[t] ** 2) @ W_hh
        product = product @ J_t
    return product


def _chained(steps, jacobian, H):
    product = np.eye(H)
    for t in steps:
        product = product @ jacobian(t)
    return product


@product_of_jacobians.wrong
def oldest_first(h, W_hh, k):
    """The factors stand in the wrong order, with the oldest on the left. A row ∂E_T/∂h_T meets J_T
    first, so J_T stands leftmost and J_{k+1} rightmost."""
    return _chained(range(k + 1, len(h)), lambda t: np.diag(1 - h[t] ** 2) @ W_hh, len(W_hh))


@product_of_jacobians.wrong
def one_factor_too_many(h, W_hh, k):
    """There is one factor too many: J_k leads from h_k to h_{k−1}, and you wanted to stop at h_k.
    The oldest factor is J_{k+1}."""
    steps = range(len(h) - 1, k - 1, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t] ** 2) @ W_hh, len(W_hh))


@product_of_jacobians.wrong
def one_factor_too_few(h, W_hh, k):
    """The oldest factor, J_{k+1}, is missing, so this is ∂h_T/∂h_{k+1}. Where does your loop end?
    Over a lag of T − k there are T − k factors."""
    steps = range(len(h) - 1, k + 1, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t] ** 2) @ W_hh, len(W_hh))


@product_of_jacobians.wrong
def without_the_newest(h, W_hh, k):
    """The newest factor, J_T, is missing, so this is ∂h_{T−1}/∂h_k. The last index of h is T: it
    has T + 1 rows."""
    steps = range(len(h) - 2, k, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t] ** 2) @ W_hh, len(W_hh))


@product_of_jacobians.wrong
def slopes_on_the_columns(h, W_hh, k):
    """The slopes multiply the columns of W_hh, as in W_hh diag(1 − h_t²). Slope i belongs to the
    unit that is read into, so it multiplies row i: (1 - h[t] ** 2)[:, None] * W_hh."""
    return _chained(range(len(h) - 1, k, -1), lambda t: W_hh * (1 - h[t] ** 2), len(W_hh))


@product_of_jacobians.wrong
def slopes_of_the_step_before(h, W_hh, k):
    """The slopes are those of h_{t−1}. J_t is the derivative of h_t = tanh(a_t), so its slope is
    taken at h_t."""
    steps = range(len(h) - 1, k, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t - 1] ** 2) @ W_hh, len(W_hh))


@product_of_jacobians.wrong
def weights_alone(h, W_hh, k):
    """This is a power of W_hh: the Jacobians of a linear network. The tanh adds its slopes, 1 −
    h_t², to every factor."""
    return _chained(range(len(h) - 1, k, -1), lambda t: W_hh, len(W_hh))


@product_of_jacobians.wrong
def entry_by_entry(h, W_hh, k):
    """Somewhere * stands in place of @: the Jacobians are multiplied entry by entry. Each of the
    middle units passes the gradient on, so their product is a matrix product."""
    product = np.ones_like(W_hh)
    for t in range(len(h) - 1, k, -1):
        product = product * (np.diag(1 - h[t] ** 2) @ W_hh)
    return product


@product_of_jacobians.wrong
def all_the_way(h, W_hh, k):
    """This goes all the way back to h_0. The product ends with J_{k+1}, which leads to h_k."""
    steps = range(len(h) - 1, 0, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t] ** 2) @ W_hh, len(W_hh))


@product_of_jacobians.wrong
def factor_where_none_is_due(h, W_hh, k):
    """Right, but for k = T. From h_T to itself there is no step and no factor: the product begins
    with the identity, not with J_T."""
    if k == len(h) - 1:
        return np.diag(1 - h[-1] ** 2) @ W_hh
    return product_of_jacobians.solution(h, W_hh, k)


@product_of_jacobians.wrong
def weights_transposed(h, W_hh, k):
    """W_hh is transposed in each factor. Going back with columns one writes W_hhᵀ diag(1 − h_t²);
    the Jacobian itself is diag(1 − h_t²) W_hh."""
    steps = range(len(h) - 1, k, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t] ** 2) @ W_hh.T, len(W_hh))


@product_of_jacobians.wrong
def slopes_on_the_diagonal_alone(h, W_hh, k):
    """np.diag(1 - h[t] ** 2) * W_hh multiplies entry by entry, and only the diagonal of W_hh is
    left. The product of the two matrices is np.diag(1 - h[t] ** 2) @ W_hh."""
    steps = range(len(h) - 1, k, -1)
    return _chained(steps, lambda t: np.diag(1 - h[t] ** 2) * W_hh, len(W_hh))


# ---------------------------------------------------------------- lengths-going-back


def _rows(rng):
    yield np.array([1.0]), np.array([[0.0], [0.5], [0.0]]), np.array([[2.0]])
    for H, T in ((3, 4), (2, 6), (4, 3)):
        h, W_hh = _states(rng, H, T)
        yield rng.normal(size=H), h, W_hh


@exercise(
    "lengths-going-back",
    page="3-gradients/stalls",
    cases=_rows,
    hints=(
        "You need no product of matrices: carry one vector back, a step at a time, and note its "
        "length at each state.",
        "With no error before step T, δ^h_{t−1} comes from δ^h_t alone: first through the tanh of "
        "step t, then through W_hh.",
        "δ^a_t = (1 − h_t²) ⊙ δ^h_t and δ^h_{t−1} = W_hhᵀ δ^a_t. Fill an array of T + 1 lengths "
        "from its end.",
    ),
)
def lengths_going_back(delta_h, h, W_hh):
    """Follow the length of a gradient from the last state to the first.

    The only error is at step T. Given delta_h = δ^h_T (H,), the states h (T + 1, H), where h[t]
    is h_t, and W_hh (H, H), return the lengths ‖δ^h_0‖, ‖δ^h_1‖, …, ‖δ^h_T‖, shape (T + 1,).
    By hand: one unit with W_hh = 2, h = (0, 0.5, 0) and δ^h_2 = 1 has δ^h_1 = 2 · 1 · 1 = 2 and
    δ^h_0 = 2 · 0.75 · 2 = 3. Return (3, 2, 1).
    """
    T = len(h) - 1
    lengths = np.zeros(T + 1)
    lengths[T] = np.linalg.norm(delta_h)
    for t in range(T, 0, -1):
        delta_a = (1 - h[t] ** 2) * delta_h
        delta_h = W_hh.T @ delta_a
        lengths[t - 1] = np.linalg.norm(delta_h)
    return lengths


def _lengths(delta_h, h, step):
    """Return the lengths, oldest first, where `step` carries δ^h_t to δ^h_{t−1}."""
    lengths = [np.linalg.norm(delta_h)]
    for t in range(len(h) - 1, 0, -1):
        delta_h = step(t, delta_h)
        lengths.insert(0, np.linalg.norm(delta_h))
    return np.array(lengths)


@lengths_going_back.wrong
def through_the_wrong_tanh(delta_h, h, W_hh):
    """The slopes are those of h_{t−1}. On its way from h_t to h_{t−1} a gradient passes the tanh
    that made h_t, so the slope is 1 − h_t²."""
    return _lengths(delta_h, h, lambda t, d: W_hh.T @ ((1 - h[t - 1] ** 2) * d))


@lengths_going_back.wrong
def without_slopes(delta_h, h, W_hh):
    """The slopes are missing: this is the way back through a linear network. Before W_hhᵀ, each
    entry is multiplied by 1 − h_t²."""
    return _lengths(delta_h, h, lambda t, d: W_hh.T @ d)


@lengths_going_back.wrong
def not_transposed(delta_h, h, W_hh):
    """W_hh is not transposed, and the shapes do not show it. Forward, W_hh @ h reads from a unit
    into others; back, W_hh.T collects what these others owe to it."""
    return _lengths(delta_h, h, lambda t, d: W_hh @ ((1 - h[t] ** 2) * d))


@lengths_going_back.wrong
def weights_before_slopes(delta_h, h, W_hh):
    """The two factors of a step have changed places: first W_hhᵀ, then the slopes 1 − h_t². Going
    back from h_t, the tanh is met first, and those slopes belong to the units of step t."""
    return _lengths(delta_h, h, lambda t, d: (1 - h[t] ** 2) * (W_hh.T @ d))


@lengths_going_back.wrong
def products_of_norms(delta_h, h, W_hh):
    """This is the bound, a product of norms ‖J_t‖. What is asked is the length of this very
    gradient; it may be far shorter."""
    return _lengths(
        np.linalg.norm(delta_h),
        h,
        lambda t, d: d * np.linalg.norm(np.diag(1 - h[t] ** 2) @ W_hh, 2),
    )


@lengths_going_back.wrong
def always_the_same_error(delta_h, h, W_hh):
    """Every entry starts anew from δ^h_T and goes back one step only. Carry on from what the step
    before has given: δ^h_{t−1} comes from δ^h_t."""
    one_step = [np.linalg.norm(W_hh.T @ ((1 - h_t**2) * delta_h)) for h_t in h[1:]]
    return np.array([*one_step, np.linalg.norm(delta_h)])


@lengths_going_back.wrong
def before_the_tanh(delta_h, h, W_hh):
    """From t = 1 on these are the lengths of δ^a_t, behind the tanh. What is asked is ‖δ^h_t‖,
    before the slopes 1 − h_t² have multiplied it."""
    lengths = np.zeros(len(h))
    for t in range(len(h) - 1, 0, -1):
        delta_a = (1 - h[t] ** 2) * delta_h
        lengths[t] = np.linalg.norm(delta_a)
        delta_h = W_hh.T @ delta_a
    lengths[0] = np.linalg.norm(delta_h)
    return lengths


@lengths_going_back.wrong
def vectors_themselves(delta_h, h, W_hh):
    """These are the vectors δ^h_t, and they are right. What is asked is the length of each: one
    number a step, np.linalg.norm."""
    rows = [delta_h]
    for t in range(len(h) - 1, 0, -1):
        rows.insert(0, W_hh.T @ ((1 - h[t] ** 2) * rows[0]))
    return np.array(rows)


# ---------------------------------------------------------------- bound-from-weights


def _bounds(rng):
    yield np.array([[0.0, 0.0], [0.5, -0.8], [0.6, -0.6]]), np.array([[0.0, 2.0], [1.0, 0.0]])
    for H, T in ((3, 4), (2, 3), (4, 5)):
        yield _states(rng, H, T)


@exercise(
    "bound-from-weights",
    page="3-gradients/foretell",
    cases=_bounds,
    hints=(
        "It is the second line of the bound: one factor for each step, m_t σ_max(W_hh).",
        "m_t is the largest slope of step t. The largest slope belongs to the state nearest to 0.",
        "np.linalg.norm(W_hh, 2) is σ_max, and (1 - h[t] ** 2).max() is m_t. Multiply over "
        "t = 1 … T; h_0 was given, no step has made it.",
    ),
)
def bound_from_weights(h, W_hh):
    """Compute how long a gradient can be at most, without a product of matrices.

    Given the states h (T + 1, H) of a tanh network, where h[t] is h_t, and W_hh (H, H), return the
    number ∏ m_t σ_max(W_hh) over t = 1 … T, with m_t the largest slope 1 − h_t[i]² of step t.
    By hand: with h_1 = (0.5, −0.8), h_2 = (0.6, −0.6) and W_hh = [[0, 2], [1, 0]], σ_max is 2, m_1
    is 0.75 and m_2 is 0.64. Return 1.5 · 1.28 = 1.92.
    """
    sigma = np.linalg.norm(W_hh, 2)
    return np.prod([np.max(1 - h_t**2) * sigma for h_t in h[1:]])


@bound_from_weights.wrong
def radius_for_norm(h, W_hh):
    """You took the spectral radius of W_hh. It rules the long run of powers, but a single step can
    stretch by more, up to σ_max, so this is no bound."""
    rho = np.abs(np.linalg.eigvals(W_hh)).max()
    return np.prod(np.max(1 - h[1:] ** 2, axis=1) * rho)


@bound_from_weights.wrong
def frobenius_norm(h, W_hh):
    """np.linalg.norm(W_hh) of a matrix is the Frobenius norm, the root of the sum of all squares.
    It is a bound too, but a looser one; σ_max is np.linalg.norm(W_hh, 2)."""
    return np.prod(np.max(1 - h[1:] ** 2, axis=1) * np.linalg.norm(W_hh))


@bound_from_weights.wrong
def smallest_slopes(h, W_hh):
    """You took the smallest slope of each step, where the state is furthest from 0. A bound has to
    hold for the unit that passes most, the one with the largest slope."""
    return np.prod(np.min(1 - h[1:] ** 2, axis=1) * np.linalg.norm(W_hh, 2))


@bound_from_weights.wrong
def slope_at_the_largest_entry(h, W_hh):
    """The largest entry of h_t does not have the largest slope. The slope 1 − h² is largest for
    the entry nearest to 0, whatever its sign: take the maximum of the slopes, not of the states."""
    return np.prod((1 - np.max(h[1:], axis=1) ** 2) * np.linalg.norm(W_hh, 2))


@bound_from_weights.wrong
def mean_slopes(h, W_hh):
    """You took the mean slope of each step. Some gradients pass through the units with the larger
    slopes, and for these it is no bound: it takes the largest."""
    return np.prod(np.mean(1 - h[1:] ** 2, axis=1) * np.linalg.norm(W_hh, 2))


@bound_from_weights.wrong
def one_slope_for_all(h, W_hh):
    """One slope, the largest of all steps, stands in every factor. It is a bound, but each step
    has its own m_t, and using it makes the bound tighter."""
    return (np.max(1 - h[1:] ** 2) * np.linalg.norm(W_hh, 2)) ** (len(h) - 1)


@bound_from_weights.wrong
def sigma_once(h, W_hh):
    """The slopes are right, but σ_max enters once. W_hh stands in each of the T Jacobians, so each
    factor has its σ_max."""
    return np.prod(np.max(1 - h[1:] ** 2, axis=1)) * np.linalg.norm(W_hh, 2)


@bound_from_weights.wrong
def with_the_start(h, W_hh):
    """There is one factor too many, with the slope of h_0. The state h_0 was given, not computed
    by a tanh; the steps are t = 1 … T, h[1:]."""
    return np.prod(np.max(1 - h**2, axis=1) * np.linalg.norm(W_hh, 2))


@bound_from_weights.wrong
def first_line(h, W_hh):
    """This is the first line of the bound, the product of the norms ‖J_t‖. It is tighter, but it
    takes a norm at every step; the second line looks at W_hh once."""
    return np.prod([np.linalg.norm(np.diag(1 - h_t**2) @ W_hh, 2) for h_t in h[1:]])


@bound_from_weights.wrong
def states_one_step_early(h, W_hh):
    """The slopes are those of h_0 … h_{T−1}. The T steps make h_1 … h_T, and the slopes are taken
    there: h[1:]."""
    return np.prod(np.max(1 - h[:-1] ** 2, axis=1) * np.linalg.norm(W_hh, 2))


@bound_from_weights.wrong
def squared_singular_value(h, W_hh):
    """The root is missing: the eigenvalues of W_hhᵀ W_hh are the squares of the singular values."""
    return np.prod(np.max(1 - h[1:] ** 2, axis=1) * np.linalg.norm(W_hh, 2) ** 2)


@bound_from_weights.wrong
def largest_over_time(h, W_hh):
    """The maximum goes over the steps, for each unit. m_t is the largest slope among the units of
    one step: axis=1, since h has a row for each step."""
    return np.prod(np.max(1 - h[1:] ** 2, axis=0) * np.linalg.norm(W_hh, 2))


# ---------------------------------------------------------------- scale-to-radius


def _matrices(rng):
    """By hand: a rotation by 53 degrees times 5; then −0.9 leads; then random ones."""
    yield np.array([[3.0, -4.0], [4.0, 3.0]]), 1.0
    yield np.array([[0.4, 5.0], [0.0, -0.9]]), 1.2
    for H, rho in ((3, 0.7), (4, 1.5), (5, 0.95)):
        yield rng.normal(size=(H, H)), rho


@exercise(
    "scale-to-radius",
    page="3-gradients/foretell",
    cases=_matrices,
    hints=(
        "If W v = λ v, what are the eigenvalues of 2 W?",
        "np.linalg.eigvals(W) gives all eigenvalues, some of them complex. The spectral radius is "
        "the largest absolute value, which np.abs gives of complex numbers too.",
        "Multiply W by rho and divide by np.abs(np.linalg.eigvals(W)).max().",
    ),
)
def scale_to_radius(W, rho):
    """Multiply a matrix by a number so that it has a given spectral radius.

    Given W (H, H), whose spectral radius is not 0, and rho, a number above 0, return a new matrix
    (H, H), W times a positive number, whose spectral radius is rho.
    By hand: [[3, −4], [4, 3]] has the eigenvalues 3 ± 4i, of absolute value 5. For rho = 1 return
    [[0.6, −0.8], [0.8, 0.6]].
    """
    return W * rho / np.abs(np.linalg.eigvals(W)).max()


@scale_to_radius.wrong
def largest_real_part(W, rho):
    """You compared the eigenvalues by their real parts. For 3 ± 4i the real part is 3, but its
    absolute value is 5, and the absolute value is what grows with powers: take np.abs of the
    eigenvalues."""
    return W * rho / np.linalg.eigvals(W).real.max()


@scale_to_radius.wrong
def largest_absolute_real_part(W, rho):
    """The sign is dealt with, but you dropped the imaginary parts before taking the absolute value.
    The absolute value of 3 + 4i is 5; np.abs takes it if it gets the complex eigenvalues."""
    return W * rho / np.abs(np.linalg.eigvals(W).real).max()


@scale_to_radius.wrong
def first_eigenvalue(W, rho):
    """You took the first eigenvalue, but np.linalg.eigvals does not sort them. Take the absolute
    value of each, then the largest."""
    return W * rho / np.abs(np.linalg.eigvals(W)[0])


@scale_to_radius.wrong
def largest_singular_value(W, rho):
    """You divided by σ_max, the largest singular value. Then the norm of the matrix is rho, and
    its spectral radius is smaller, unless the matrix is normal."""
    return W * rho / np.linalg.norm(W, 2)


@scale_to_radius.wrong
def frobenius_for_radius(W, rho):
    """You divided by np.linalg.norm(W), the Frobenius norm. The spectral radius is about
    eigenvalues: np.linalg.eigvals."""
    return W * rho / np.linalg.norm(W)


@scale_to_radius.wrong
def largest_entry(W, rho):
    """You divided by the largest entry of W. Entries and eigenvalues are different things: how W
    acts when it is applied again and again is told by np.linalg.eigvals."""
    return W * rho / np.abs(W).max()


@scale_to_radius.wrong
def not_divided(W, rho):
    """W is multiplied by rho, but its own radius is still in it. Divide by the spectral radius of
    W first; then the radius is 1, and times rho it is rho."""
    return W * rho


@scale_to_radius.wrong
def modulus_after_the_maximum(W, rho):
    """The maximum comes before the absolute value. NumPy then takes the eigenvalue furthest to the
    right, 0.4 rather than −0.9: first np.abs of all, then .max()."""
    return W * rho / np.abs(np.linalg.eigvals(W).max())


@scale_to_radius.wrong
def each_eigenvalue_by_itself(W, rho):
    """Every eigenvalue has the absolute value rho now. It was to be W times one number, which
    scales all eigenvalues alike and keeps the vectors."""
    values, vectors = np.linalg.eig(W)
    return (vectors * (values / np.abs(values) * rho) @ np.linalg.inv(vectors)).real


@scale_to_radius.wrong
def multiplied_by_both(W, rho):
    """W is multiplied by its spectral radius, where it should be divided by it. A large W has to be
    made smaller."""
    return W * rho * np.abs(np.linalg.eigvals(W)).max()


# ---------------------------------------------------------------- clip-together


def _gradients(rng):
    yield {"W_hh": np.array([[3.0]]), "b_h": np.array([4.0])}, 1.0
    for length, max_norm in ((8.0, 2.5), (1.5, 2.0), (0.6, 0.5), (0.02, 0.3)):
        g = {"W_xh": rng.normal(size=(2, 3)), "W_hh": rng.normal(size=(2, 2))}
        g["b_h"] = 0.2 * rng.normal(size=2)
        norm = np.sqrt(sum(np.sum(a**2) for a in g.values()))
        yield {name: length * a / norm for name, a in g.items()}, max_norm


@exercise(
    "clip-together",
    page="3-gradients/cliff",
    cases=_gradients,
    hints=(
        "How long is the one vector that holds the entries of all arrays?",
        "The squares of all entries of all arrays are added, and the root is taken once, at the "
        "end.",
        "factor = min(1, max_norm / norm), the same for every array: "
        "{name: factor * g for name, g in grads.items()}.",
    ),
)
def clip_together(grads, max_norm):
    """Clip the gradients of a network by their common norm.

    Given grads, a dict of arrays of any shapes, at least one entry not 0, and max_norm, a number
    above 0, return a new dict with the same names and shapes. All arrays count as one long vector.
    By hand: W_hh: [[3]] and b_h: [4] together have the length 5. With max_norm = 1 return W_hh:
    [[0.6]] and b_h: [0.8].
    """
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
    factor = min(1, max_norm / norm)
    return {name: factor * g for name, g in grads.items()}


def _times(grads, factor):
    return {name: factor * g for name, g in grads.items()}


def _norm(grads):
    return np.sqrt(sum(np.sum(g**2) for g in grads.values()))


@clip_together.wrong
def each_entry(grads, max_norm):
    """This is clipping by value: each entry is cut by itself. The direction turns, because large
    entries are cut and small ones are not. Multiply all entries by one factor."""
    return {name: np.clip(g, -max_norm, max_norm) for name, g in grads.items()}


@clip_together.wrong
def each_array(grads, max_norm):
    """Each array is clipped by its own norm. Then they shrink by different factors, and the step
    of the whole network turns. Compute one norm over all arrays first."""
    return {n: g * min(1, max_norm / np.linalg.norm(g)) for n, g in grads.items()}


@clip_together.wrong
def small_ones_grow(grads, max_norm):
    """Long gradients come out right, but short ones are made longer, up to max_norm. Clipping only
    ever shortens: the factor is at most 1."""
    return _times(grads, max_norm / _norm(grads))


@clip_together.wrong
def only_small_ones(grads, max_norm):
    """The comparison is the wrong way round: the short gradients are stretched to max_norm and the
    long ones left as they are."""
    return _times(grads, max(1, max_norm / _norm(grads)))


@clip_together.wrong
def squared_norm_compared(grads, max_norm):
    """The squared norm is compared with max_norm: the root is missing there. The gradients that
    are clipped get the right length, but it is not the right ones that are clipped."""
    norm = _norm(grads)
    return _times(grads, max_norm / norm if norm**2 > max_norm else 1)


@clip_together.wrong
def squared_norm_divided(grads, max_norm):
    """You use the sum of squares as if it were the norm: the root is missing. In the example it is
    25 where the length is 5."""
    return _times(grads, min(1, max_norm / _norm(grads) ** 2))


@clip_together.wrong
def norms_added(grads, max_norm):
    """The norms of the arrays are added. Lengths at right angles do not add: 3 and 4 make 5, not
    7. Add the squares, and take the root at the end."""
    return _times(grads, min(1, max_norm / sum(np.linalg.norm(g) for g in grads.values())))


@clip_together.wrong
def by_the_largest_entry(grads, max_norm):
    """The factor comes from the largest entry. The direction is kept, but the length is not
    bounded by max_norm: it is the root of the sum of all squares that has to be."""
    return _times(grads, min(1, max_norm / max(np.abs(g).max() for g in grads.values())))


@clip_together.wrong
def mean_square(grads, max_norm):
    """The squares are averaged over the entries. The norm is the root of their sum: a network with
    more weights has a longer gradient."""
    entries = sum(g.size for g in grads.values())
    return _times(grads, min(1, max_norm / (_norm(grads) / np.sqrt(entries))))


@clip_together.wrong
def sizes_added(grads, max_norm):
    """The absolute values of all entries are added. The length of a vector is the root of the sum
    of squares: 3 and 4 make 5, not 7."""
    return _times(grads, min(1, max_norm / sum(np.abs(g).sum() for g in grads.values())))


@clip_together.wrong
def last_array_alone(grads, max_norm):
    """The norm comes from the last array alone. Inside the loop, add to what was there: squares +=
    np.sum(g ** 2)."""
    return _times(grads, min(1, max_norm / np.linalg.norm(list(grads.values())[-1])))


# ---------------------------------------------------------------- where-it-broke


def _runs(rng):
    """By hand; no break; then breaks of one entry, of either kind, and numbers that are huge."""
    yield ([_update([[1.0]], [2.0]), _update([[3.0]], [np.inf])],)
    yield ([_update(rng.normal(size=(2, 2)), rng.normal(size=2)) for _ in range(3)],)
    run = [_update(rng.normal(size=(2, 2)), rng.normal(size=2)) for _ in range(5)]
    run[0]["W_hh"] *= 1e9
    run[2]["b_h"][1] = np.nan
    run[3]["W_hh"][0, 1] = np.inf
    run[4]["b_h"][:] = np.nan
    yield (run,)
    yield ([_update([[1e300, 1.0], [0.0, 2.0]], [1.0, 2.0]), _update(np.eye(2), [0.5, -np.inf])],)
    yield (
        [_update(np.eye(2), [1e308, 1e308]), _update([[0.0, np.nan], [1.0, 1.0]], [1.0, np.inf])],
    )


def _update(W_hh, b_h):
    return {"W_hh": np.array(W_hh), "b_h": np.array(b_h)}


@exercise(
    "where-it-broke",
    page="3-gradients/cliff",
    cases=_runs,
    hints=(
        "Two loops: over the updates, and inside, over the names. What ends the search?",
        "np.isfinite(g) is true for each entry that is neither NaN nor infinite.",
        "Return from within the loops at the first array for which np.isfinite(g).all() does not "
        'hold, and (0, "") behind them.',
    ),
)
def where_it_broke(updates):
    """Say at which update a gradient was no longer finite, and which.

    Given updates, a list with a dict of gradients (name to array) for each update, return the
    number of the first update, counted from 1, in which an entry is NaN or infinite, and the name
    of the first such array in its dict. If all entries are finite, return 0 and the empty text.
    By hand: of {W_hh: [[1]], b_h: [2]} and {W_hh: [[3]], b_h: [inf]} the second is broken, at b_h.
    Return (2, "b_h").
    """
    for k, grads in enumerate(updates, start=1):
        for name, g in grads.items():
            if not np.isfinite(g).all():
                return k, name
    return 0, ""


def _first_broken(updates, broken, start=1):
    for k, grads in enumerate(updates, start=start):
        for name, g in grads.items():
            if broken(g):
                return k, name
    return 0, ""


@where_it_broke.wrong
def infinity_overlooked(updates):
    """You look for NaN alone. Infinity breaks a run just as well, and usually comes first: np.isnan
    is not true of it, np.isfinite is false for both."""
    return _first_broken(updates, lambda g: np.isnan(g).any())


@where_it_broke.wrong
def nan_overlooked(updates):
    """You look for infinity alone. NaN, which comes of inf − inf or 0 · inf, is not infinite:
    np.isfinite is false for both."""
    return _first_broken(updates, lambda g: np.isinf(g).any())


@where_it_broke.wrong
def nothing_found(updates):
    """Nothing is ever found. NaN equals nothing, not even np.nan: ask np.isfinite. Or does
    return 0, "" stand inside the loops, where it ends the search at the first good array?"""
    return 0, ""


@where_it_broke.wrong
def updates_from_zero(updates):
    """The right place, but the updates are counted from 0. Here the first update has the number 1,
    and 0 means that nothing broke."""
    return _first_broken(updates, lambda g: not np.isfinite(g).all(), start=0)


@where_it_broke.wrong
def latest_break(updates):
    """This is the last broken array. What caused the trouble is the first: once found, return at
    once."""
    found = 0, ""
    for k, grads in enumerate(updates, start=1):
        for name, g in grads.items():
            if not np.isfinite(g).all():
                found = k, name
    return found


@where_it_broke.wrong
def last_name_of_the_update(updates):
    """The update is right, but of its broken arrays you name the last. Return as soon as one is
    found, from within both loops."""
    for k, grads in enumerate(updates, start=1):
        names = [name for name, g in grads.items() if not np.isfinite(g).all()]
        if names:
            return k, names[-1]
    return 0, ""


@where_it_broke.wrong
def names_before_updates(updates):
    """The outer loop goes over the names, so a late break in W_hh is found before an early one in
    b_h. Go update by update."""
    for name in updates[0]:
        for k, grads in enumerate(updates, start=1):
            if not np.isfinite(grads[name]).all():
                return k, name
    return 0, ""


@where_it_broke.wrong
def only_if_all_are_broken(updates):
    """An array counts for you only if every entry is broken. One entry is enough to spoil the
    weights: not np.isfinite(g).all(), which is (~np.isfinite(g)).any()."""
    return _first_broken(updates, lambda g: not np.isfinite(g).any())


@where_it_broke.wrong
def by_the_norm(updates):
    """You ask whether the norm is finite. An entry of 1e300 is finite, but its square is not, so
    you stop too early. Ask the entries themselves."""
    return _first_broken(updates, lambda g: not np.isfinite(np.sum(g**2)))


# ---------------------------------------------------------------- orthogonal-start


def _random(rng):
    yield (np.array([[3.0, 1.0], [4.0, 2.0]]),)
    for H in (3, 4, 5):
        yield (rng.normal(size=(H, H)),)


@exercise(
    "orthogonal-start",
    page="3-gradients/starts",
    cases=_random,
    hints=(
        "Go from the left. The first column only needs the right length.",
        "The part of a column a along a column q of length 1 is (q · a) q. Take it away for each "
        "q that you already have; what is left is at right angles to all of them.",
        "np.linalg.qr(A) does the same, but may turn a column round. Its second matrix, R, has the "
        "lengths on its diagonal; where one is negative, that column of Q has to change its sign.",
    ),
)
def orthogonal_start(A):
    """Make an orthogonal matrix from a random one, column by column.

    Given A (H, H) with independent columns, return Q (H, H) with QᵀQ = I. Column j of Q is column
    j of A, minus its parts along the columns of Q before it, and scaled to length 1.
    By hand: for A = [[3, 1], [4, 2]], the first column is (0.6, 0.8). The second, (1, 2), has the
    part 2.2 along it; what is left is (−0.32, 0.24), of length 0.4. So return
    [[0.6, −0.8], [0.8, 0.6]].
    """
    Q = np.zeros_like(A)
    for j in range(len(A)):
        left = A[:, j] - Q[:, :j] @ (Q[:, :j].T @ A[:, j])
        Q[:, j] = left / np.linalg.norm(left)
    return Q


@orthogonal_start.wrong
def signs_left_to_qr(A):
    """It is orthogonal, but some columns point the other way: np.linalg.qr does not care for the
    signs. Multiply each column by the sign of R on the diagonal, so that all draws are equally
    likely."""
    return np.linalg.qr(A)[0]


@orthogonal_start.wrong
def signs_on_the_rows(A):
    """The signs of R's diagonal multiply the rows of Q. They belong to its columns: Q times the
    vector of signs does that, signs[:, None] * Q does not."""
    Q, R = np.linalg.qr(A)
    return np.sign(np.diag(R))[:, None] * Q


@orthogonal_start.wrong
def lengths_alone(A):
    """The columns have length 1, but they are not at right angles to each other. Before you scale
    a column, take away its parts along the columns before it."""
    return A / np.linalg.norm(A, axis=0)


@orthogonal_start.wrong
def only_the_column_before(A):
    """From the third column on something is left: you take away the part along the column just
    before, but there are others. Every earlier column of Q counts."""
    Q = A / np.linalg.norm(A, axis=0)
    for j in range(1, len(A)):
        left = A[:, j] - Q[:, j - 1] * (Q[:, j - 1] @ A[:, j])
        Q[:, j] = left / np.linalg.norm(left)
    return Q


@orthogonal_start.wrong
def along_columns_of_A(A):
    """You take away the parts along the earlier columns of A, scaled to length 1. These are not at
    right angles, so a part is taken twice; use the columns of Q that are already made."""
    unit = A / np.linalg.norm(A, axis=0)
    Q = np.zeros_like(A)
    for j in range(len(A)):
        left = A[:, j] - unit[:, :j] @ (unit[:, :j].T @ A[:, j])
        Q[:, j] = left / np.linalg.norm(left)
    return Q


@orthogonal_start.wrong
def not_scaled(A):
    """The columns are at right angles, but they do not have length 1. Such a matrix stretches some
    vectors and shrinks others: divide each column by its length."""
    Q, R = np.linalg.qr(A)
    return Q * np.diag(R)


@orthogonal_start.wrong
def row_by_row(A):
    """You went through the rows of A. That gives an orthogonal matrix too, but another one than
    asked; here the columns are made one after the other: A[:, j]."""
    return orthogonal_start.solution(A.T).T


@orthogonal_start.wrong
def scaled_at_the_end(A):
    """You scale the columns at the end, but (q · a) q is the part along q only if q has length 1.
    Scale each column before the next one uses it, or divide by q · q."""
    Q = A.copy()
    for j in range(len(A)):
        Q[:, j] = A[:, j] - Q[:, :j] @ (Q[:, :j].T @ A[:, j])
    return Q / np.linalg.norm(Q, axis=0)


@orthogonal_start.wrong
def part_without_direction(A):
    """You take away the number q · a from every entry. The part along q is a vector, that number
    times q."""
    Q = np.zeros_like(A)
    for j in range(len(A)):
        left = A[:, j] - (Q[:, :j].T @ A[:, j]).sum()
        Q[:, j] = left / np.linalg.norm(left)
    return Q


@orthogonal_start.wrong
def squared_lengths_divide(A):
    """What is left of a column is divided by the square of its length. For length 1, divide by the
    length: np.linalg.norm, or the root of left @ left."""
    Q = np.zeros_like(A)
    for j in range(len(A)):
        left = A[:, j] - Q[:, :j] @ (Q[:, :j].T @ A[:, j])
        Q[:, j] = left / (left @ left)
    return Q


@orthogonal_start.wrong
def times_columns_of_A(A):
    """The number q · a is right, but it multiplies the earlier column of A. The part along q is
    that number times q itself."""
    Q = np.zeros_like(A)
    for j in range(len(A)):
        left = A[:, j]
        for i in range(j):
            left = left - (Q[:, i] @ left) * A[:, i]
        Q[:, j] = left / np.linalg.norm(left)
    return Q


# ---------------------------------------------------------------- leaky-jacobian


def _leaky_steps(rng):
    one = np.array([[1.0]])
    yield np.array([0.0]), np.array([0.5]), one, 2 * one, np.array([-1.0]), 0.1
    for D, H, alpha in ((3, 2, 0.3), (2, 3, 0.8), (4, 4, 0.25)):
        yield (
            rng.normal(size=D),
            rng.uniform(-0.9, 0.9, H),
            rng.normal(size=(H, D)),
            rng.normal(size=(H, H)),
            rng.normal(size=H),
            alpha,
        )


@exercise(
    "leaky-jacobian",
    page="3-gradients/starts",
    cases=_leaky_steps,
    hints=(
        "h_{t−1} stands in two places of the equation. Differentiate each and add.",
        "The first place gives (1 − α) I: each unit keeps a part of its own state, so only the "
        "diagonal is touched. For the second, the tanh has the value tanh(a_t), which is not h_t.",
        "J_t = (1 − α) I + α diag(1 − tanh²(a_t)) W_hh, with a_t = W_hh h_{t−1} + W_xh x_t + b_h.",
    ),
)
def leaky_jacobian(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """Derive the Jacobian of a leaky network.

    A leaky unit keeps the part 1 − α of its state and takes the part α from tanh:
    h_t = (1 − α) h_{t−1} + α tanh(a_t), with a_t = W_hh h_{t−1} + W_xh x_t + b_h. Given x_t (D,),
    h_prev = h_{t−1} (H,), W_xh (H, D), W_hh (H, H), b_h (H,) and alpha = α between 0 and 1, return
    J_t = ∂h_t/∂h_{t−1} (H, H).
    By hand: one unit with x_t = 0, h_{t−1} = 0.5, W_xh = 1, W_hh = 2, b_h = −1 and α = 0.1 has
    a_t = 0, where the slope of the tanh is 1. So J_t = 0.9 + 0.1 · 1 · 2 = 1.1.
    """
    a_t = W_hh @ h_prev + W_xh @ x_t + b_h
    slope = 1 - np.tanh(a_t) ** 2
    return (1 - alpha) * np.eye(len(h_prev)) + alpha * np.diag(slope) @ W_hh


def _tanh_a(x_t, h_prev, W_xh, W_hh, b_h):
    return np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)


@leaky_jacobian.wrong
def slope_at_h(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """You wrote the slope as 1 − h_t². That holds where h_t is tanh(a_t), but here h_t is a
    mixture. The slope is 1 − tanh²(a_t)."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    h_t = (1 - alpha) * h_prev + alpha * tanh_a
    return (1 - alpha) * np.eye(len(h_prev)) + alpha * np.diag(1 - h_t**2) @ W_hh


@leaky_jacobian.wrong
def slope_at_h_prev(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """You took the slope at h_{t−1}. The tanh of this step acts on a_t, so its slope is 1 −
    tanh²(a_t)."""
    return (1 - alpha) * np.eye(len(h_prev)) + alpha * np.diag(1 - h_prev**2) @ W_hh


@leaky_jacobian.wrong
def slope_of_the_pre_activation(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """You squared a_t itself. The slope of tanh, written with its value, is 1 − tanh²(a_t): the
    tanh comes before the square."""
    a_t = W_hh @ h_prev + W_xh @ x_t + b_h
    return (1 - alpha) * np.eye(len(h_prev)) + alpha * np.diag(1 - a_t**2) @ W_hh


@leaky_jacobian.wrong
def without_the_direct_path(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """Only the way through the tanh is there. h_{t−1} also reaches h_t directly, by (1 − α)
    h_{t−1}: that term has a derivative too, and it is the one that helps."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return alpha * np.diag(1 - tanh_a**2) @ W_hh


@leaky_jacobian.wrong
def without_the_leak(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """This is the Jacobian of the plain network, diag(1 − tanh²(a_t)) W_hh. In the leaky one, h_t
    has two terms, weighted with 1 − α and α."""
    return np.diag(1 - _tanh_a(x_t, h_prev, W_xh, W_hh, b_h) ** 2) @ W_hh


@leaky_jacobian.wrong
def added_to_every_entry(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """1 − α is added to every entry of the matrix. Unit i keeps a part of its own state, not of
    the others', so 1 − α belongs on the diagonal: (1 - alpha) * np.eye(H)."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return (1 - alpha) + alpha * np.diag(1 - tanh_a**2) @ W_hh


@leaky_jacobian.wrong
def slopes_of_columns(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """The slopes multiply the columns of W_hh. Slope i belongs to the unit that is read into, so
    it multiplies row i: diag(slope) @ W_hh, or slope[:, None] * W_hh."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return (1 - alpha) * np.eye(len(h_prev)) + alpha * W_hh * (1 - tanh_a**2)


@leaky_jacobian.wrong
def parts_swapped(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """α and 1 − α have changed places. The part 1 − α is what a unit keeps, so it multiplies I; α
    multiplies what comes through the tanh."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return alpha * np.eye(len(h_prev)) + (1 - alpha) * np.diag(1 - tanh_a**2) @ W_hh


@leaky_jacobian.wrong
def alpha_forgotten(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """The direct path is right, but the way through the tanh has lost its factor α."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return (1 - alpha) * np.eye(len(h_prev)) + np.diag(1 - tanh_a**2) @ W_hh


@leaky_jacobian.wrong
def keeps_everything(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """The direct path has the factor 1, but a leaky unit keeps only the part 1 − α of its state.
    A factor of exactly 1 will be the idea of chapter 4."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return np.eye(len(h_prev)) + alpha * np.diag(1 - tanh_a**2) @ W_hh


@leaky_jacobian.wrong
def slope_forgotten(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """The slope of the tanh is missing, as if h_t were (1 − α) h_{t−1} + α a_t. Each row of W_hh is
    multiplied by 1 − tanh²(a_t) of its unit."""
    return (1 - alpha) * np.eye(len(h_prev)) + alpha * W_hh


@leaky_jacobian.wrong
def leak_inside(x_t, h_prev, W_xh, W_hh, b_h, alpha):
    """W_hh multiplies the direct path too. (1 − α) h_{t−1} does not pass through the weights; its
    derivative is (1 − α) I, without W_hh."""
    tanh_a = _tanh_a(x_t, h_prev, W_xh, W_hh, b_h)
    return np.diag((1 - alpha) + alpha * (1 - tanh_a**2)) @ W_hh


# ---------------------------------------------------------------- input-scale


def norm_over_40_steps(scale):
    """Return ‖∂h_40/∂h_0‖ of a network of 20 units with ρ(W_hh) = 1.5 and inputs of size `scale`.

    All of the network and of the inputs is fixed by one seed.
    """
    rng = np.random.default_rng(2)
    layer = RNN(3, 20, rng=rng)
    W_hh = initializers.gaussian(20, rng=rng)
    W_hh *= 1.5 / jacobians.spectral_radius(W_hh)
    W_xh, x = rng.normal(size=(20, 3)), rng.normal(size=(40, 3))
    layer.load_params({"W_xh": scale * W_xh, "W_hh": W_hh, "b_h": np.zeros(20)})
    return float(jacobians.norms_by_lag(layer, x)[40])


@investigation(
    "input-scale",
    page="3-gradients/foretell",
    answer=0.2,
    wrongs={"inputs_of_size_1": 1.0, "no_input": 0.0, "large_inputs": 3.0, "tiny_inputs": 1e-3},
    hints=(
        "Saturation shrinks a gradient. Without any input this one explodes; so where is the "
        "border?",
        "At size 1 it has vanished, at 0.001 it explodes. Try sizes between, and watch the norm "
        "that check tells you.",
        "Halve the interval in powers of ten: 0.03, then 0.17 or so.",
    ),
)
def input_scale(scale):
    """Find an input size at which the gradient of this network neither vanishes nor explodes.

    The network has 20 tanh units and a random W_hh with spectral radius 1.5; it reads 40 random
    inputs, all multiplied by one number from 0 on, the scale. With scale 1 the gradient vanishes.
    Give a scale at which the norm of ∂h_40/∂h_0 is at least 0.1 and at most 10.
    """
    scale = require_number("the scale", scale)
    if scale < 0:
        raise ValueError(f"the scale is {scale:g}, expected a number from 0 on")
    if scale > 1e6:
        raise ValueError(f"the scale is {scale:g}, expected a number below a million")
    norm = norm_over_40_steps(scale)
    if norm < 0.1:
        return (
            f"With the scale {scale:g} the norm over 40 steps is {norm:.0e}; wanted at least 0.1. "
            "The inputs saturate the units, and flat slopes shrink the gradient."
        )
    if norm > 10:
        return (
            f"With the scale {scale:g} the norm over 40 steps is {norm:.0e}; wanted at most 10. "
            "The states stay near 0, where the slopes are close to 1 and the radius of 1.5 rules."
        )
    return ""


# ---------------------------------------------------------------- clipping-limit


def descend_the_cliff(max_norm):
    """Return the error and the largest move after 200 clipped updates on the cliff of page 3.4.

    The unit is that of eq-cliff-unit. It starts at w = 5.4, b = −2.9; the learning rate is 0.2.
    """
    w, b, largest = 5.4, -2.9, 0.0
    for _ in range(200):
        _, dw, db = _cliff(w, b)
        norm = math.hypot(dw, db)
        step = 0.2 * min(1, max_norm / norm) if norm else 0.0
        w, b = w - step * dw, b - step * db
        largest = max(largest, step * norm)
    return _cliff(w, b)[0], largest


def _cliff(w, b):
    """Return E of eq-cliff-error, dE/dw and dE/db, by backpropagation through the 50 steps."""
    s, h = [], 0.5
    for _ in range(51):
        s.append(0.5 + 0.5 * math.tanh(0.5 * h))  # σ(h_0) … σ(h_50)
        h = w * s[-1] + b
    y = s.pop()
    delta_h, dw, db = 2 * (y - 0.7) * y * (1 - y), 0.0, 0.0
    for s_t in reversed(s):
        dw, db = dw + delta_h * s_t, db + delta_h
        delta_h *= w * s_t * (1 - s_t)
    return (y - 0.7) ** 2, dw, db


@investigation(
    "clipping-limit",
    page="3-gradients/cliff",
    answer=0.5,
    wrongs={"hardly_a_limit": 100.0, "too_tight": 0.01, "none_at_all": 1e300},
    hints=(
        "No move is longer than the learning rate, 0.2, times the limit. How far may 200 moves "
        "lead at most?",
        "Too loose, and one move throws the unit off the map. Too tight, and it does not arrive.",
        "Try powers of ten between 0.01 and 100, and read the largest move that check tells you.",
    ),
)
def clipping_limit(max_norm):
    """Find a limit for clipping by norm that brings this descent to the valley in 200 updates.

    It is the one unit with the cliff of page 3.4, started at w = 5.4 and b = −2.9, below the wall,
    where the error is 0.39. The learning rate is 0.2. Give a max_norm with which the error after
    200 updates is at most 0.005.
    """
    max_norm = require_positive("max_norm", max_norm)
    error, largest = descend_the_cliff(max_norm)
    if error <= 0.005:
        return ""
    told = (
        f"With max_norm = {max_norm:g} the error after 200 updates is {error:.3f}; wanted at most "
        f"0.005. The largest move was {largest:.2g} long: "
    )
    if largest > 1:
        return told + "the wall has thrown the unit off, where the slope is flat."
    return told + "it is tame, but too slow or too short to settle in the valley."
