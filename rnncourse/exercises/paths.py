"""Exercises of chapter 2: back-propagation through time, path by path."""

import numpy as np

from ..equations import immediate_W_hh
from ..gradients import bptt
from ..gradients.example import H0, NET, TARGETS, X, truncation_error
from ..validation import require_positive, require_size
from .definition import exercise, investigation

# ---------------------------------------------------------------- how many paths cross


def _lengths_and_steps(rng):
    yield 3, 2
    yield from ((5, 2), (7, 5), (6, 6), (4, 3))


@exercise(
    "crossing-paths",
    page="2-backpropagation/bptt",
    cases=_lengths_and_steps,
    hints=(
        "A path is given by its two ends: the step m of the error, and the step k of the use.",
        "To cross from h_t to h_{t−1}, it must start at m ≥ t and end at k ≤ t − 1.",
        "T − t + 1 errors lie at t or later, and each has a path to each of the t − 1 uses before.",
    ),
)
def crossings(T, t):
    """Count the paths that cross one arrow.

    The errors E_1 … E_T of a sequence of T steps send paths back to W_hh, each error one path to
    each use of the weight up to its own step. Given T and a step t from 2 to T, return how many of
    all these paths cross from h_t to h_{t−1}, and so multiply by J_t.
    By hand: with T = 3 and t = 2 there are 2, from E_2 and from E_3 to the use at step 1.
    """
    return (T - t + 1) * (t - 1)


@crossings.wrong
def without_the_own_error(T, t):
    """The error E_t is missing: it stands at h_t itself, and its paths to older uses cross too.
    The steps from t to T are T − t + 1, both ends counted."""
    return (T - t) * (t - 1)


@crossings.wrong
def with_the_use_at_t(T, t):
    """You count the use at step t as well. A path to it goes down at h_t, and never crosses to
    h_{t−1}: only the uses at steps 1 … t − 1 lie beyond the arrow."""
    return (T - t + 1) * t


@crossings.wrong
def one_arrow_on(T, t):
    """This counts the paths that cross from h_{t+1} to h_t, one arrow to the right. J_t belongs to
    the arrow from h_t to h_{t−1}."""
    return (T - t) * t


@crossings.wrong
def errors_only(T, t):
    """This is the number of errors whose paths cross. But each of them has a path of its own to
    each use of the weight beyond the arrow."""
    return T - t + 1


@crossings.wrong
def uses_only(T, t):
    """This is the number of uses beyond the arrow, so the paths of one error. Every error at step
    t or later sends paths there."""
    return t - 1


@crossings.wrong
def added(T, t):
    """You add errors and uses. Each of the errors meets each of the uses, so the two numbers are
    multiplied."""
    return (T - t + 1) + (t - 1)


@crossings.wrong
def all_paths(T, t):
    """This is the number of all paths of the sequence. Many of them are too short or too old to
    cross from h_t to h_{t−1}."""
    return T * (T + 1) / 2


@crossings.wrong
def all_older_uses(T, t):
    """You pair each error at step t or later with all uses older than that error. Only the uses at
    steps 1 … t − 1 lie beyond the arrow; the paths to newer ones end before it."""
    return sum(m - 1 for m in range(t, T + 1))


# ---------------------------------------------------------------- the immediate derivative


def _one_unit(rng):
    yield np.array([0.5, 0.0]), np.array([0.4, -0.8]), 0
    for H, i in ((2, 1), (3, 2), (4, 1)):
        yield rng.uniform(-0.9, 0.9, H), rng.uniform(-0.9, 0.9, H), i


@exercise(
    "immediate-partial",
    page="2-backpropagation/paths",
    cases=_one_unit,
    hints=(
        "Which entries of W_hh stand in the equation of unit i? All others get a zero.",
        "Only row i of W_hh feeds unit i, so only row i of the result is not zero.",
        "Row i is the slope of the tanh, 1 − h_t[i]², times what the row multiplies, h_{t−1}.",
    ),
)
def immediate_layer(h_t, h_prev, i):
    """Compute the immediate derivative of one unit with respect to W_hh.

    Given h_t (H,), h_prev = h_{t−1} (H,) and a unit i, counted from 0, return the matrix (H, H)
    whose entry [p, q] is ∂⁺h_t[i] / ∂W_hh[p, q]: only the use at step t counts, and h_{t−1} is
    held fixed.
    By hand: with h_t = (0.5, 0), h_{t−1} = (0.4, −0.8) and i = 0 it is [[0.3, −0.6], [0, 0]].
    """
    layer = np.zeros((len(h_t), len(h_t)))
    layer[i] = (1 - h_t[i] ** 2) * h_prev
    return layer


def _layer(row, i):
    """Return a square matrix of zeros with `row` as row i."""
    layer = np.zeros((len(row), len(row)))
    layer[i] = row
    return layer


@immediate_layer.wrong
def without_slope(h_t, h_prev, i):
    """The slope of the tanh is missing. The weight acts on a_t[i], and h_t[i] = tanh(a_t[i])
    changes by the factor 1 − h_t[i]² of that."""
    return _layer(h_prev, i)


@immediate_layer.wrong
def states_swapped(h_t, h_prev, i):
    """h_t and h_{t−1} have changed places. The slope belongs to the new state h_t; what the weight
    multiplies is the old one, h_{t−1}."""
    return _layer((1 - h_prev[i] ** 2) * h_t, i)


@immediate_layer.wrong
def slope_of_the_state_before(h_t, h_prev, i):
    """You take the slope at h_{t−1}. The tanh of step t gave h_t, so its slope is 1 − h_t[i]²."""
    return _layer((1 - h_prev[i] ** 2) * h_prev, i)


@immediate_layer.wrong
def new_state_twice(h_t, h_prev, i):
    """The slope is right, but the weight multiplies the state that it reads, h_{t−1}, not h_t."""
    return _layer((1 - h_t[i] ** 2) * h_t, i)


@immediate_layer.wrong
def slopes_of_all_units(h_t, h_prev, i):
    """Row i has the right place, but you multiply by the slopes of all units, entry by entry. Only
    the slope of unit i counts here: one number, 1 − h_t[i]²."""
    return _layer((1 - h_t**2) * h_prev, i)


@immediate_layer.wrong
def column(h_t, h_prev, i):
    """The numbers stand in column i, and belong in row i. Row i of W_hh holds the weights that feed
    unit i; column i holds those that read it."""
    return _layer((1 - h_t[i] ** 2) * h_prev, i).T


@immediate_layer.wrong
def rows_of_all_units(h_t, h_prev, i):
    """You fill every row. Row p of W_hh feeds unit p alone, and a change there leaves unit i as it
    is: in the layer of unit i all rows but row i are zero."""
    return np.outer(1 - h_t**2, h_prev)


@immediate_layer.wrong
def the_row_alone(h_t, h_prev, i):
    """This is the right row i. What is asked for is the whole layer (H, H): put the row into a
    matrix of zeros."""
    return (1 - h_t[i] ** 2) * h_prev


@immediate_layer.wrong
def same_row_everywhere(h_t, h_prev, i):
    """The row is right, but it stands in every row. Only row i of W_hh feeds unit i; in its layer
    all other rows are zero."""
    return np.tile((1 - h_t[i] ** 2) * h_prev, (len(h_t), 1))


@immediate_layer.wrong
def slopes_of_the_state_before(h_t, h_prev, i):
    """You multiply each entry of h_{t−1} by a slope of its own. There is one slope, that of unit i
    at step t: 1 − h_t[i]²."""
    return _layer((1 - h_prev**2) * h_prev, i)


# ---------------------------------------------------------------- δ^h from the step after it


def _step_back(rng):
    yield np.array([1.0]), np.array([2.0]), np.array([0.5]), np.array([[3.0]]), np.array([[-1.0]])
    for H, O in ((3, 2), (2, 2), (3, 3)):
        yield (
            rng.normal(size=O),
            rng.normal(size=H),
            rng.uniform(-0.9, 0.9, H),
            rng.normal(size=(O, H)),
            rng.normal(size=(H, H)),
        )


@exercise(
    "one-step-back",
    page="2-backpropagation/bptt",
    cases=_step_back,
    hints=(
        "h_t acts on the loss in two ways: through y_t, and through h_{t+1}. Both signals are "
        "added.",
        "The way through h_{t+1} first goes back through its tanh: δ^a_{t+1} is "
        "(1 − h_{t+1}²) ⊙ δ^h_{t+1}.",
        "Then both go back through their weights, transposed: W_hy.T @ delta_y_t and "
        "W_hh.T @ delta_a_next.",
    ),
)
def step_back(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """Take the signal one step back in time, from δ^h_{t+1} to δ^h_t.

    Given delta_y_t = δ^y_t (O,), delta_h_next = δ^h_{t+1} (H,), h_next = h_{t+1} (H,), W_hy (O, H)
    and W_hh (H, H), return δ^h_t = dE/dh_t (H,), the total derivative.
    By hand: with δ^y_t = 1, δ^h_{t+1} = 2, h_{t+1} = 0.5, W_hy = 3 and W_hh = −1 it is 1.5.
    """
    delta_a_next = (1 - h_next**2) * delta_h_next
    return W_hy.T @ delta_y_t + W_hh.T @ delta_a_next


@step_back.wrong
def slope_dropped(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """The tanh of step t + 1 is missing: δ^h_{t+1} goes through its slope 1 − h_{t+1}² before it
    meets W_hh. Without it, nothing ever dampens the signal of a saturated unit."""
    return W_hy.T @ delta_y_t + W_hh.T @ delta_h_next


@step_back.wrong
def carried_dropped(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """Only the error of step t itself arrives. All later errors reach h_t too, through h_{t+1}:
    their signal is lost here, and with it all memory in the gradient."""
    return W_hy.T @ delta_y_t


@step_back.wrong
def own_error_dropped(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """The error of step t itself is missing: W_hyᵀ δ^y_t is added to what comes from later
    steps."""
    return W_hh.T @ ((1 - h_next**2) * delta_h_next)


@step_back.wrong
def W_hh_not_transposed(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """W_hh stands as in the forward pass, and the shapes do not show it. Backward, unit j gathers
    from all units that it feeds: column j of W_hh, so W_hh.T @ delta_a_next."""
    return W_hy.T @ delta_y_t + W_hh @ ((1 - h_next**2) * delta_h_next)


@step_back.wrong
def slope_after_the_weights(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """The slope 1 − h_{t+1}² comes after W_hhᵀ. Forward, h_t goes through W_hh and then the tanh;
    backward it is first the tanh, then W_hhᵀ."""
    return W_hy.T @ delta_y_t + (1 - h_next**2) * (W_hh.T @ delta_h_next)


@step_back.wrong
def jacobian_not_transposed(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """You multiply δ^h_{t+1} by J_{t+1} = diag(1 − h_{t+1}²) W_hh. A row stands left of J_{t+1}; a
    column takes the transpose, W_hhᵀ diag(1 − h_{t+1}²)."""
    return W_hy.T @ delta_y_t + (1 - h_next**2) * (W_hh @ delta_h_next)


@step_back.wrong
def W_hy_not_transposed(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """W_hy stands as in the forward pass. It leads from H units to O outputs; δ^y goes back from O
    to H, through W_hy.T. With O = H the shapes hide it."""
    return W_hy @ delta_y_t + W_hh.T @ ((1 - h_next**2) * delta_h_next)


@step_back.wrong
def slope_on_the_sum(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """The slope 1 − h_{t+1}² multiplies the whole sum. It belongs to δ^h_{t+1} alone: δ^y_t comes
    down at step t, and never goes through the tanh of step t + 1."""
    return (1 - h_next**2) * (W_hy.T @ delta_y_t + W_hh.T @ delta_h_next)


@step_back.wrong
def W_hh_missing(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """The signal of step t + 1 goes back through the tanh, but not through W_hh. Between h_t and
    a_{t+1} stand these weights: multiply by W_hh.T."""
    return W_hy.T @ delta_y_t + (1 - h_next**2) * delta_h_next


@step_back.wrong
def own_error_through_W_hh(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    """Your error of step t goes through the tanh and W_hh of step t + 1. δ^y_t comes down to h_t
    directly; only δ^h_{t+1} has that step to cross."""
    return W_hh.T @ ((1 - h_next**2) * (W_hy.T @ delta_y_t + delta_h_next))


# ---------------------------------------------------------------- a series to forecast


def _series(rng):
    yield np.array([1.0, 3.0, 5.0]), 2
    for N, n in ((7, 4), (12, 9), (9, 5)):
        yield rng.gamma(2.0, size=N) + 0.1 * np.arange(N), n


@exercise(
    "next-values",
    page="2-backpropagation/sunspots",
    cases=_series,
    hints=(
        "Two things to do: put the series on a scale, and pair each value with the next one.",
        "Mean and standard deviation may look at s[:n] only; then they scale the whole series.",
        "z[:-1] are all values that have a next one, and z[1:] are their next ones.",
    ),
)
def next_values(s, n):
    """Make inputs and targets for a forecast of the next value.

    Given a series s (N,) and the number n of its first values that may be used for training,
    standardize s: subtract the mean and divide by the standard deviation of the n training values.
    Return the pair x, d, (N − 1,) each: x[j] is a value and d[j] the one that follows it.
    By hand: with s = (1, 3, 5) and n = 2, mean 2 and standard deviation 1 give z = (−1, 1, 3), so
    x = (−1, 1) and d = (1, 3).
    """
    z = (s - np.mean(s[:n])) / np.std(s[:n])
    return z[:-1], z[1:]


@next_values.wrong
def looked_ahead(s, n):
    """Mean and standard deviation are those of the whole series. So the training data already know
    something of the test years, and a score on these no longer tells how you would do in life."""
    z = (s - np.mean(s)) / np.std(s)
    return z[:-1], z[1:]


@next_values.wrong
def not_shifted(s, n):
    """Inputs and targets are the same values. A network that repeats its input would be perfect;
    the target must be the value after it, z[1:]."""
    z = (s - np.mean(s[:n])) / np.std(s[:n])
    return z[:-1], z[:-1]


@next_values.wrong
def shifted_back(s, n):
    """The shift goes the wrong way: each target is the value before its input, which a network can
    know. Exchange z[:-1] and z[1:]."""
    z = (s - np.mean(s[:n])) / np.std(s[:n])
    return z[1:], z[:-1]


@next_values.wrong
def rolled(s, n):
    """np.roll wraps around: your last target is the first value of the series. The last value has
    no next one, so both arrays are one shorter than s."""
    z = (s - np.mean(s[:n])) / np.std(s[:n])
    return z, np.roll(z, -1)


@next_values.wrong
def by_the_variance(s, n):
    """You divide by the variance. The standard deviation is its root, and has the unit of s."""
    z = (s - np.mean(s[:n])) / np.var(s[:n])
    return z[:-1], z[1:]


@next_values.wrong
def centered_only(s, n):
    """The mean is gone, but you do not divide by the standard deviation of the training values."""
    z = s - np.mean(s[:n])
    return z[:-1], z[1:]


@next_values.wrong
def inputs_only(s, n):
    """The targets are still on the old scale. Inputs and targets are one series: standardize it
    first, then cut it."""
    return (s[:-1] - np.mean(s[:n])) / np.std(s[:n]), s[1:]


@next_values.wrong
def each_on_its_own_scale(s, n):
    """Inputs and targets are standardized apart, so one and the same year gets two different
    numbers. Standardize s once, then cut it."""
    x, d = s[:-1], s[1:]
    return (x - np.mean(x[:n])) / np.std(x[:n]), (d - np.mean(d[:n])) / np.std(d[:n])


@next_values.wrong
def sample_deviation(s, n):
    """Your standard deviation divides by n − 1 (ddof=1, as pandas does). Here it is the root of the
    mean square, np.std as it is."""
    z = (s - np.mean(s[:n])) / np.std(s[:n], ddof=1)
    return z[:-1], z[1:]


@next_values.wrong
def training_only(s, n):
    """You return the training values only. All N values are scaled and paired; only mean and
    standard deviation are limited to the first n."""
    z = (s[:n] - np.mean(s[:n])) / np.std(s[:n])
    return z[:-1], z[1:]


# ---------------------------------------------------------------- from state to state


def _chains(rng):
    yield np.array([[0.0], [0.5], [0.0]]), np.array([[2.0]]), 2, 0
    for T, H, t, k in ((4, 3, 4, 1), (4, 2, 3, 2), (5, 2, 4, 0), (3, 3, 2, 2)):
        yield rng.uniform(-0.9, 0.9, (T + 1, H)), rng.normal(size=(H, H)), t, k


@exercise(
    "from-state-to-state",
    page="2-backpropagation/paths",
    cases=_chains,
    hints=(
        "Which Jacobians lie on the way from h_k to h_t? Write them down for t = 3, k = 1.",
        "∂h_t/∂h_k = J_t J_{t−1} ⋯ J_{k+1}: the newest stands left, J_k is not among them.",
        "Start with np.eye(H). For s = k + 1, …, t put J_s to the left of what you have.",
    ),
)
def state_by_state(h, W_hh, t, k):
    """Compute how a state depends on an older one, ∂h_t/∂h_k.

    Given the states h (T + 1, H), where h[t] is h_t, W_hh (H, H) and two steps t ≥ k, return the
    matrix (H, H) whose entry [i, j] is ∂h_t[i] / ∂h_k[j]. For t = k it is the identity.
    By hand: with H = 1, h = (0, 0.5, 0), W_hh = 2, t = 2 and k = 0 it is 2 · 1.5 = 3.
    """
    product = np.eye(len(W_hh))
    for s in range(k + 1, t + 1):
        J_s = np.diag(1 - h[s] ** 2) @ W_hh
        product = J_s @ product
    return product


def _product(h, W_hh, steps):
    """Return the product of the Jacobians of `steps`, the first leftmost."""
    product = np.eye(len(W_hh))
    for s in steps:
        product = product @ (np.diag(1 - h[s] ** 2) @ W_hh)
    return product


@state_by_state.wrong
def reverse_order(h, W_hh, t, k):
    """These are the right Jacobians in the wrong order. A path is walked from the new state to the
    old one, so the newest, J_t, stands leftmost. With H = 1 the order does not matter."""
    return _product(h, W_hh, range(k + 1, t + 1))


@state_by_state.wrong
def subscripts_one_too_small(h, W_hh, t, k):
    """Your Jacobians are J_{t−1} … J_k, each one step too old. J_t = ∂h_t/∂h_{t−1} bears the number
    of the newer state, so the product runs from J_t to J_{k+1}."""
    return _product(h, W_hh, range(t - 1, k - 1, -1))


@state_by_state.wrong
def one_too_many(h, W_hh, t, k):
    """J_k is one factor too many: it would lead on to h_{k−1}. From h_k to h_t there are t − k
    steps, and the oldest of them is J_{k+1}."""
    return _product(h, W_hh, range(t, k - 1, -1))


@state_by_state.wrong
def oldest_missing(h, W_hh, t, k):
    """J_{k+1} is missing, so this is ∂h_t/∂h_{k+1}. From h_k to h_t there are t − k steps; look at
    the end of your range."""
    return _product(h, W_hh, range(t, k + 1, -1))


@state_by_state.wrong
def newest_missing(h, W_hh, t, k):
    """J_t is missing, so this is ∂h_{t−1}/∂h_k. A range ends before its second number: to reach
    step t it must be t + 1."""
    return _product(h, W_hh, range(t - 1, k, -1))


@state_by_state.wrong
def slopes_dropped(h, W_hh, t, k):
    """This is a power of W_hh: the slopes 1 − h_s² are missing. A network with tanh units lets less
    through wherever a state is far from 0."""
    return np.linalg.matrix_power(W_hh, t - k)


@state_by_state.wrong
def slopes_on_columns(h, W_hh, t, k):
    """Your slopes scale the columns of W_hh. (1 − h²) * W_hh multiplies column j by entry j; row i
    belongs to unit i: np.diag(1 − h²) @ W_hh, or (1 − h²)[:, None] * W_hh."""
    product = np.eye(len(W_hh))
    for s in range(t, k, -1):
        product = product @ ((1 - h[s] ** 2) * W_hh)
    return product


@state_by_state.wrong
def entry_by_entry(h, W_hh, t, k):
    """You multiply the Jacobians entry by entry, with *. The chain rule asks for matrix products,
    with @: unit i feels unit j through every unit in between."""
    product = np.eye(len(W_hh))
    for s in range(t, k, -1):
        product = product * (np.diag(1 - h[s] ** 2) @ W_hh)
    return product


@state_by_state.wrong
def last_step_alone(h, W_hh, t, k):
    """This is J_t alone, a single step back, whatever k is. Between h_k and h_t lie t − k steps,
    and each brings its Jacobian."""
    return _product(h, W_hh, [t])


@state_by_state.wrong
def no_identity(h, W_hh, t, k):
    """For t > k this is right. For t = k no step lies between, and the product of no factors is
    the identity; yours begins with J_t in any case. Begin with np.eye(H)."""
    return _product(h, W_hh, [t, *range(t - 1, k, -1)])


# ---------------------------------------------------------------- the total derivative


def _states(rng):
    yield np.array([[1.0], [0.5], [0.0]]), np.array([[2.0]])
    for T, H in ((2, 2), (4, 3), (3, 2)):
        yield rng.uniform(-0.9, 0.9, (T + 1, H)), rng.normal(size=(H, H))


@exercise(
    "total-derivative",
    page="2-backpropagation/paths",
    cases=_states,
    hints=(
        "Go forward in time. The total derivative of h_0 is zero; each step makes the next from "
        "it.",
        "∂h_t/∂W = ∂⁺h_t/∂W + J_t ∂h_{t−1}/∂W: in each step, one product and one sum.",
        "immediate_W_hh(h[t], h[t - 1]) from rnncourse.equations is the first part. J_t acts on "
        'the first axis: np.einsum("ij,jpq->ipq", J_t, total).',
    ),
)
def total_derivative(h, W_hh):
    """Compute the total derivative of the last state with respect to W_hh, going forward in time.

    Given the states h (T + 1, H), where h[t] is h_t, and W_hh (H, H), return the array (H, H, H)
    whose entry [i, p, q] is ∂h_T[i] / ∂W_hh[p, q], with every use of the weight counted. The given
    state h_0 does not depend on the weight.
    By hand: with H = 1, h = (1, 0.5, 0) and W_hh = 2, ∂h_1/∂W_hh = 0.75 and
    ∂h_2/∂W_hh = 0.5 + 2 · 0.75 = 2.
    """
    H = len(W_hh)
    total = np.zeros((H, H, H))
    for t in range(1, len(h)):
        slopes = np.diag(1 - h[t] ** 2)
        immediate = np.einsum("ip,q->ipq", slopes, h[t - 1])
        total = immediate + np.einsum("ij,jpq->ipq", slopes @ W_hh, total)
    return total


def _recursion(h, W_hh, step):
    """Return the last total, made by `step` from J_t, the immediate part and the total before."""
    total = np.zeros((len(W_hh),) * 3)
    for t in range(1, len(h)):
        J_t = np.diag(1 - h[t] ** 2) @ W_hh
        total = step(J_t, immediate_W_hh(h[t], h[t - 1]), total)
    return total


@total_derivative.wrong
def newest_path_only(h, W_hh):
    """This is the immediate derivative ∂⁺h_T/∂W_hh, the newest path alone. The weight has also
    changed h_{T−1}, which h_T reads: all older uses are missing."""
    return immediate_W_hh(h[-1], h[-2])


@total_derivative.wrong
def without_jacobians(h, W_hh):
    """You add the immediate derivatives as they are. An old use acts on h_T through all states in
    between: multiply the total by J_t at each step before you add."""
    return _recursion(h, W_hh, lambda J_t, immediate, total: immediate + total)


@total_derivative.wrong
def without_slope_on_the_way(h, W_hh):
    """On the way from state to state you multiply by W_hh alone. J_t = diag(1 − h_t²) W_hh has the
    slope of the tanh too."""
    return _recursion(
        h, W_hh, lambda J_t, immediate, total: immediate + np.tensordot(W_hh, total, axes=1)
    )


@total_derivative.wrong
def jacobian_of_the_step_before(h, W_hh):
    """Your Jacobian has the slope of h_{t−1}. The step from h_{t−1} to h_t is J_t, with the slope
    1 − h_t² of the newer state."""
    total = np.zeros((len(W_hh),) * 3)
    for t in range(1, len(h)):
        J = np.diag(1 - h[t - 1] ** 2) @ W_hh
        total = immediate_W_hh(h[t], h[t - 1]) + np.einsum("ij,jpq->ipq", J, total)
    return total


@total_derivative.wrong
def layer_by_layer(h, W_hh):
    """J_t @ total multiplies J_t into each layer apart, along the rows of the weight. It should mix
    the layers, the first axis: np.tensordot(J_t, total, axes=1) or np.einsum("ij,jpq->ipq", …)."""
    return _recursion(h, W_hh, lambda J_t, immediate, total: immediate + J_t @ total)


@total_derivative.wrong
def from_the_right(h, W_hh):
    """J_t stands to the right of the total and acts on its last axis, the column of the weight. It
    leads from state to state, so it acts on the first axis, from the left."""
    return _recursion(h, W_hh, lambda J_t, immediate, total: immediate + total @ J_t)


@total_derivative.wrong
def jacobian_transposed(h, W_hh):
    """J_t is transposed here. Entry [i, j] of J_t says how unit i now depends on unit j before, and
    the sum runs over j: "ij,jpq->ipq"."""
    return _recursion(
        h, W_hh, lambda J_t, immediate, total: immediate + np.tensordot(J_t.T, total, axes=1)
    )


@total_derivative.wrong
def immediate_carried_too(h, W_hh):
    """You multiply J_t into the sum, so also into the immediate derivative of step t. The use at
    step t acts on h_t directly; only the older uses go through J_t."""
    return _recursion(
        h, W_hh, lambda J_t, immediate, total: np.tensordot(J_t, immediate + total, axes=1)
    )


@total_derivative.wrong
def all_states_added(h, W_hh):
    """You add up the total derivatives of all states. What is asked for is that of the last state
    alone; the older ones are already in it."""
    found, total = [], np.zeros((len(W_hh),) * 3)
    for t in range(1, len(h)):
        J_t = np.diag(1 - h[t] ** 2) @ W_hh
        total = immediate_W_hh(h[t], h[t - 1]) + np.einsum("ij,jpq->ipq", J_t, total)
        found.append(total)
    return sum(found)


@total_derivative.wrong
def last_step_missing(h, W_hh):
    """This is the total derivative of h_{T−1}. h has T + 1 rows, so the last step is
    T = len(h) − 1, and range(1, len(h)) reaches it."""
    return total_derivative.solution(h[:-1], W_hh)


@total_derivative.wrong
def slopes_on_the_columns(h, W_hh):
    """(1 - h[t] ** 2) * W_hh scales the columns of W_hh. The slope of unit i belongs to row i:
    np.diag(1 - h[t] ** 2) @ W_hh."""
    total = np.zeros((len(W_hh),) * 3)
    for t in range(1, len(h)):
        J_t = (1 - h[t] ** 2) * W_hh
        total = immediate_W_hh(h[t], h[t - 1]) + np.einsum("ij,jpq->ipq", J_t, total)
    return total


@total_derivative.wrong
def oldest_path_only(h, W_hh):
    """Only the oldest path is here: the use at step 1, carried to the end. Add the immediate
    derivative of each later step on the way."""
    total = immediate_W_hh(h[1], h[0])
    for h_t in h[2:]:
        total = np.tensordot(np.diag(1 - h_t**2) @ W_hh, total, axes=1)
    return total


# ---------------------------------------------------------------- the whole backward pass


def _backward_cases(rng):
    yield (
        np.array([[1.0], [3.0]]),
        np.array([[1.0], [0.5], [0.0]]),
        np.array([[0.0], [1.0]]),
        np.array([[2.0]]),
        np.array([[1.0]]),
    )
    for T, D, H, O in ((4, 2, 3, 1), (3, 2, 2, 2), (5, 3, 3, 2)):
        yield (
            rng.normal(size=(T, D)),
            rng.uniform(-0.9, 0.9, (T + 1, H)),
            rng.normal(size=(T, O)),
            rng.normal(size=(H, H)),
            rng.normal(size=(O, H)),
        )


@exercise(
    "rnn-backward-pass",
    page="2-backpropagation/bptt",
    cases=_backward_cases,
    hints=(
        "One loop from t = T down to 1 is enough. Which one signal must it keep for the next turn?",
        "Keep δ^a_{t+1}, zeros at first. Each turn makes δ^h_t and δ^a_t from it, and adds one "
        "term to each gradient.",
        "Mind the places: h[t] is h_t, but x[t - 1] is x_t and delta_y[t - 1] is δ^y_t.",
        "delta_a = (1 - h[t] ** 2) * (W_hy.T @ delta_y[t - 1] + W_hh.T @ delta_a), then "
        "dW_hh += np.outer(delta_a, h[t - 1]), and likewise for W_xh and b_h.",
    ),
)
def backward(x, h, delta_y, W_hh, W_hy):
    """Write the whole backward pass of one sequence, in one loop.

    Given x (T, D), h (T + 1, H), delta_y (T, O), W_hh (H, H) and W_hy (O, H), where h[t] is h_t but
    x[t − 1] is x_t and delta_y[t − 1] is δ^y_t, return a dict with the gradients of
    E = E_1 + … + E_T: "W_hh" (H, H), "W_xh" (H, D) and "b_h" (H,).
    By hand: with x = (1, 3), h = (1, 0.5, 0), δ^y = (0, 1), W_hh = 2 and W_hy = 1 the signals are
    δ^a_2 = 1 and δ^a_1 = 1.5, and the gradients 2, 4.5 and 2.5.
    """
    dW_hh = np.zeros_like(W_hh)
    dW_xh = np.zeros((len(W_hh), x.shape[1]))
    db_h = np.zeros(len(W_hh))
    delta_a = np.zeros(len(W_hh))
    for t in range(len(x), 0, -1):
        delta_h = W_hy.T @ delta_y[t - 1] + W_hh.T @ delta_a
        delta_a = (1 - h[t] ** 2) * delta_h
        dW_hh += np.outer(delta_a, h[t - 1])
        dW_xh += np.outer(delta_a, x[t - 1])
        db_h += delta_a
    return {"W_hh": dW_hh, "W_xh": dW_xh, "b_h": db_h}


def _signals(h, delta_y, W_hh, W_hy):
    """Return the right δ^a_1 … δ^a_T, (T, H)."""
    found = [np.zeros(len(W_hh))]
    for t in range(len(delta_y), 0, -1):
        delta_h = W_hy.T @ delta_y[t - 1] + W_hh.T @ found[-1]
        found.append((1 - h[t] ** 2) * delta_h)
    return np.array(found[:0:-1])


def _sums(delta_a, x, h_prev):
    """Return the three gradients, from arrays with a row for each step."""
    return {"W_hh": delta_a.T @ h_prev, "W_xh": delta_a.T @ x, "b_h": delta_a.sum(axis=0)}


@backward.wrong
def new_state_in_the_sum(x, h, delta_y, W_hh, W_hy):
    """The gradient of W_hh pairs δ^a_t with h_t. At step t the weight multiplied the state before,
    so each term is δ^a_t h_{t−1}ᵀ: h[t - 1] in the code."""
    return _sums(_signals(h, delta_y, W_hh, W_hy), x, h[1:])


@backward.wrong
def mean_over_steps(x, h, delta_y, W_hh, W_hy):
    """You divide by T. That is the gradient of the mean error; here E is the sum of the errors, so
    the terms are added and not averaged."""
    sums = _sums(_signals(h, delta_y, W_hh, W_hy), x, h[:-1])
    return {name: total / len(x) for name, total in sums.items()}


@backward.wrong
def slopes_left_out(x, h, delta_y, W_hh, W_hy):
    """The slope 1 − h_t² is missing, so your δ^a_t is δ^h_t. The signal goes back through the tanh
    at every step before it reaches a weight."""
    return _sums(_signals(np.zeros_like(h), delta_y, W_hh, W_hy), x, h[:-1])


@backward.wrong
def overwritten(x, h, delta_y, W_hh, W_hy):
    """Only the term of step 1 is left, the oldest use: each turn of the loop overwrites the one
    before. Add with += in place of =."""
    return _sums(_signals(h, delta_y, W_hh, W_hy)[:1], x[:1], h[:1])


@backward.wrong
def first_step_missing(x, h, delta_y, W_hh, W_hy):
    """The term of step 1 is missing. A range ends before its second number: range(T, 0, -1) ends
    with 1, range(T, 1, -1) with 2."""
    return _sums(_signals(h, delta_y, W_hh, W_hy)[1:], x[1:], h[1:-1])


@backward.wrong
def no_later_errors(x, h, delta_y, W_hh, W_hy):
    """Nothing is carried from later steps: your δ^h_t lacks W_hhᵀ δ^a_{t+1}. Each error then
    reaches its own step alone, and the network cannot learn to remember."""
    delta_h = delta_y @ W_hy
    return _sums((1 - h[1:] ** 2) * delta_h, x, h[:-1])


@backward.wrong
def W_hh_as_in_the_forward_pass(x, h, delta_y, W_hh, W_hy):
    """On the way back W_hh must be transposed: W_hh.T @ delta_a. It is square, so no shape shows
    the slip."""
    return _sums(_signals(h, delta_y, W_hh.T, W_hy), x, h[:-1])


@backward.wrong
def delta_h_carried(x, h, delta_y, W_hh, W_hy):
    """You carry δ^h to the step before. What meets W_hhᵀ is δ^a_{t+1}, with the slope
    1 − h_{t+1}² already in it; otherwise the tanh is skipped on the way."""
    delta_h = np.zeros((len(x) + 1, len(W_hh)))
    for t in range(len(x), 0, -1):
        delta_h[t - 1] = W_hy.T @ delta_y[t - 1] + W_hh.T @ delta_h[t]
    return _sums((1 - h[1:] ** 2) * delta_h[:-1], x, h[:-1])


@backward.wrong
def slope_of_the_wrong_state(x, h, delta_y, W_hh, W_hy):
    """Your slope is 1 − h_{t−1}². The tanh of step t gave h_t, so δ^a_t = (1 − h_t²) ⊙ δ^h_t: h[t]
    in the code."""
    earlier = np.concatenate([h[:1], h[:-1]])
    return _sums(_signals(earlier, delta_y, W_hh, W_hy), x, h[:-1])


@backward.wrong
def states_one_place_early(x, h, delta_y, W_hh, W_hy):
    """All states are one place early. h has T + 1 rows and begins with h_0, so for the step with
    x[j] and delta_y[j] the new state is h[j + 1] and the old one h[j]. h[-1] is the last state, and
    no error says so."""
    earlier = np.concatenate([h[:1], h[:-1]])
    return _sums(_signals(earlier, delta_y, W_hh, W_hy), x, np.roll(h, 1, axis=0)[:-1])


@backward.wrong
def slope_on_own_error_only(x, h, delta_y, W_hh, W_hy):
    """The slope 1 − h_t² multiplies the error of step t alone. All that reaches h_t goes back
    through its tanh: add W_hhᵀ δ^a_{t+1} first, then multiply the sum."""
    delta_a = np.zeros((len(x) + 1, len(W_hh)))
    for t in range(len(x), 0, -1):
        own = (1 - h[t] ** 2) * (W_hy.T @ delta_y[t - 1])
        delta_a[t - 1] = own + W_hh.T @ delta_a[t]
    return _sums(delta_a[:-1], x, h[:-1])


@backward.wrong
def delta_h_in_the_sums(x, h, delta_y, W_hh, W_hy):
    """The signal is carried well, but your sums take δ^h_t. The weights act on a_t, before the
    tanh: each term is made of δ^a_t."""
    delta_a = _signals(h, delta_y, W_hh, W_hy)
    return _sums(delta_a / (1 - h[1:] ** 2), x, h[:-1])


# ---------------------------------------------------------------- finite differences


def _cubes(W):
    return float(np.sum(W**3))


def _waves(W):
    return float(np.sum(np.sin(W @ np.arange(1.0, W.shape[1] + 1))) + np.sum(W**3) / 2)


def _losses(rng):
    """Steps and weights are whole multiples of 1/1024, so that W + eps − eps is W exactly."""
    yield _cubes, np.array([[2.0]]), 0.5
    for shape, eps in (((2, 3), 1 / 8), ((3, 2), 1 / 64), ((2, 2), 1 / 1024)):
        yield _waves, np.round(1024 * rng.normal(size=shape)) / 1024, eps


@exercise(
    "finite-differences",
    page="2-backpropagation/bptt",
    cases=_losses,
    hints=(
        "Each entry is moved alone, once up and once down, while all others stay where they are.",
        "Work on a copy: moved = W.copy(). For p, q in np.ndindex(W.shape) you get each entry.",
        "(E(up) - E(down)) / (2 * eps), where up and down are fresh copies of W with entry [p, q] "
        "moved by eps and by −eps.",
    ),
)
def measured_gradient(E, W, eps):
    """Measure a gradient by central differences.

    Given a function E that returns the loss, a number, for a matrix of weights, the weights W
    (m, n) and a step eps, return the array (m, n) of the measured derivatives: entry [p, q] moves
    W[p, q] alone, by eps to either side. W must be as before when you are done.
    By hand: with E(W) = W³ for the one weight W = 2, and eps = 0.5, it is
    (2.5³ − 1.5³) / 1 = 12.25; the derivative itself is 12.
    """
    measured = np.zeros_like(W)
    for p, q in np.ndindex(W.shape):
        up, down = W.copy(), W.copy()
        up[p, q] += eps
        down[p, q] -= eps
        measured[p, q] = (E(up) - E(down)) / (2 * eps)
    return measured


def _entries(W, quotient):
    """Return the array of quotient(move), where `move` is a matrix with a 1 at that entry."""
    measured = np.zeros_like(W)
    for p, q in np.ndindex(W.shape):
        move = np.zeros_like(W)
        move[p, q] = 1.0
        measured[p, q] = quotient(move)
    return measured


@measured_gradient.wrong
def one_sided(E, W, eps):
    """You move each weight to one side only. The bend of the loss then leaves an error of order ε;
    looking to both sides cancels it, and what is left is of order ε²."""
    return _entries(W, lambda move: (E(W + eps * move) - E(W)) / eps)


@measured_gradient.wrong
def halved_and_multiplied(E, W, eps):
    """Your result is ε² times the derivative: / 2 * eps divides by 2 and then multiplies by ε.
    Set brackets, / (2 * eps)."""
    return _entries(W, lambda move: (E(W + eps * move) - E(W - eps * move)) / 2 * eps)


@measured_gradient.wrong
def not_divided(E, W, eps):
    """These are differences of the loss, not yet slopes. Divide by the length of the move, 2 ε."""
    return _entries(W, lambda move: E(W + eps * move) - E(W - eps * move))


@measured_gradient.wrong
def half_of_one_side(E, W, eps):
    """Your difference spans only one ε, but you divide by 2 ε. If you wrote moved = W: that makes
    no copy but a second name, so moving it back gave you E(W) in place of E(w − ε)."""
    return _entries(W, lambda move: (E(W + eps * move) - E(W)) / (2 * eps))


@measured_gradient.wrong
def left_moved(E, W, eps):
    """Each entry stays moved when the next one has its turn, and W is changed for whoever called
    you. Put the old number back, or work on a copy."""
    measured = np.zeros_like(W)
    for p, q in np.ndindex(W.shape):
        W[p, q] += eps
        above = E(W)
        W[p, q] -= 2 * eps
        measured[p, q] = (above - E(W)) / (2 * eps)
    return measured


@measured_gradient.wrong
def copy_left_moved(E, W, eps):
    """Your copy is made once, and each entry stays moved in it when the next one has its turn. Make
    a fresh copy for each entry, or move the entry back."""
    return left_moved(E, W.copy(), eps)


@measured_gradient.wrong
def all_at_once(E, W, eps):
    """W + eps moves all entries together, so every entry gets the sum of all derivatives. Move one
    entry at a time."""
    return np.full(W.shape, (E(W + eps) - E(W - eps)) / (2 * eps))


@measured_gradient.wrong
def one_number_for_all(E, W, eps):
    """W + eps moves all entries together, and gives one number, the sum of all derivatives. Move
    one entry at a time, and keep a number for each."""
    return (E(W + eps) - E(W - eps)) / (2 * eps)


@measured_gradient.wrong
def two_names_for_one_array(E, W, eps):
    """Every number is 0: both of your points are one and the same array. down = up, or up = W,
    makes a second name and no copy; W.copy() makes one."""
    return np.zeros_like(W)


# ---------------------------------------------------------------- a step for 32 bits


def _loss_32(W_hh):
    """Return the loss of the chapter's network, every number of it in 32 bits."""
    net = {name: W.astype(np.float32) for name, W in NET.items()}
    h_t, E = H0.astype(np.float32), np.float32(0)
    for x_t, d_t in zip(X.astype(np.float32), TARGETS.astype(np.float32), strict=True):
        h_t = np.tanh(W_hh @ h_t + net["W_xh"] @ x_t + net["b_h"])
        y_t = net["W_hy"] @ h_t + net["b_y"]
        E += np.sum((y_t - d_t) ** 2) / 2
    return E


@investigation(
    "step-for-32-bits",
    page="2-backpropagation/bptt",
    answer=5e-3,
    wrongs={"that_of_64_bits": 1e-5, "no_move_at_all": 1e-9, "too_large": 0.1},
    hints=(
        "Two errors pull in opposite directions: the bend, which grows as ε², and rounding. Which "
        "of the two has changed with 32 bits?",
        "Rounding leaves about 10⁻⁷ / ε now, where it was 10⁻¹⁶ / ε. The best ε is near the place "
        "where both errors are equal.",
        "ε² = 10⁻⁷ / ε gives ε³ = 10⁻⁷.",
    ),
)
def step_for_32_bits(eps):
    """Find a step ε with which a central difference works in 32-bit numbers.

    The loss of the network of this chapter is computed with 32-bit numbers throughout, about seven
    digits. Find an ε for which the central differences of its loss by W_hh are off by at most
    0.0001 of the largest entry of the gradient.
    """
    eps = require_positive("ε", eps)
    W_hh = NET["W_hh"].astype(np.float32)
    _, right = bptt.bptt(NET, X, TARGETS, H0)
    with np.errstate(all="ignore"):
        measured = np.zeros_like(NET["W_hh"])
        for p, q in np.ndindex(W_hh.shape):
            up, down = W_hh.copy(), W_hh.copy()
            up[p, q] += np.float32(eps)
            down[p, q] -= np.float32(eps)
            measured[p, q] = (float(_loss_32(up)) - float(_loss_32(down))) / (2 * eps)
        off = np.abs(measured - right["W_hh"]).max() / np.abs(right["W_hh"]).max()
    if off <= 1e-4:
        return ""
    said = f"With ε = {eps:.3g} the measured gradient is off by {off:.2g}; wanted at most 0.0001."
    if not measured.any():
        return f"{said} The loss does not move at all: to 32 bits the sum W + ε is W itself."
    if eps < float(np.finfo(np.float32).eps) ** (1 / 3):
        return f"{said} On this side rounding rules, an error that grows as ε shrinks."
    return f"{said} On this side the bend of the loss rules, an error that grows as ε²."


# ---------------------------------------------------------------- a unit that leaks


def _leaky_steps(rng):
    yield (
        np.array([1.0]),
        np.array([2.0]),
        np.array([0.5]),
        np.array([[1.0]]),
        np.array([[4.0]]),
        0.25,
    )
    for H, O, alpha in ((3, 2, 0.3), (2, 2, 0.8), (3, 1, 0.1)):
        yield (
            rng.normal(size=O),
            rng.normal(size=H),
            rng.uniform(-0.9, 0.9, H),
            rng.normal(size=(O, H)),
            rng.normal(size=(H, H)),
            alpha,
        )


@exercise(
    "leaky-step-back",
    page="2-backpropagation/bptt",
    cases=_leaky_steps,
    hints=(
        "In how many places of h_{t+1} = (1 − α) h_t + α u_{t+1} does h_t stand?",
        "In two: directly, with the factor 1 − α, and inside u_{t+1} = tanh(W_hh h_t + …).",
        "The direct way brings (1 − α) δ^h_{t+1}. On the other way δ^h_{t+1} meets α, then the "
        "slope 1 − u_{t+1}², then W_hhᵀ.",
    ),
)
def leaky_step_back(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """Derive one step back for a network whose units leak.

    A leaky unit keeps a part of its old state: u_t = tanh(W_hh h_{t−1} + W_xh x_t + b_h) and
    h_t = (1 − α) h_{t−1} + α u_t, with one number α from 0 to 1; y_t = W_hy h_t + b_y as before.
    Given delta_y_t = δ^y_t (O,), delta_h_next = δ^h_{t+1} (H,), u_next = u_{t+1} (H,), W_hy (O, H),
    W_hh (H, H) and alpha = α, return δ^h_t = dE/dh_t (H,).
    By hand: with δ^y_t = 1, δ^h_{t+1} = 2, u_{t+1} = 0.5, W_hy = 1, W_hh = 4 and α = 0.25 it is
    1 + 1.5 + 1.5 = 4.
    """
    delta_a_next = alpha * (1 - u_next**2) * delta_h_next
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next + W_hh.T @ delta_a_next


@leaky_step_back.wrong
def direct_way_missing(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """The direct way is missing: h_t also enters h_{t+1} without any tanh, with the factor 1 − α.
    That way is the point of a leaky unit; on it the signal lasts."""
    return W_hy.T @ delta_y_t + W_hh.T @ (alpha * (1 - u_next**2) * delta_h_next)


@leaky_step_back.wrong
def only_the_direct_way(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """Only the direct way is here. h_t also stands inside u_{t+1}, behind W_hh and the tanh, and
    acts on h_{t+1} from there."""
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next


@leaky_step_back.wrong
def as_if_it_did_not_leak(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """This is the step of a plain network, without α. A leaky unit has two ways back, weighted
    with 1 − α and α."""
    return W_hy.T @ delta_y_t + W_hh.T @ ((1 - u_next**2) * delta_h_next)


@leaky_step_back.wrong
def alpha_missing(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """The way through the tanh lacks the factor α: u_{t+1} enters h_{t+1} as α u_{t+1}."""
    through = W_hh.T @ ((1 - u_next**2) * delta_h_next)
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next + through


@leaky_step_back.wrong
def direct_way_not_weighted(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """The direct way lacks the factor 1 − α. Without it the state would add up for ever instead of
    leaking."""
    through = W_hh.T @ (alpha * (1 - u_next**2) * delta_h_next)
    return W_hy.T @ delta_y_t + delta_h_next + through


@leaky_step_back.wrong
def alphas_exchanged(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """α and 1 − α have changed places: the old state is kept with 1 − α, and what is new enters
    with α."""
    through = W_hh.T @ ((1 - alpha) * (1 - u_next**2) * delta_h_next)
    return W_hy.T @ delta_y_t + alpha * delta_h_next + through


@leaky_step_back.wrong
def no_slope(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """The slope 1 − u_{t+1}² is missing on the way through the tanh."""
    through = alpha * (W_hh.T @ delta_h_next)
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next + through


@leaky_step_back.wrong
def slope_on_both_ways(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """The slope 1 − u_{t+1}² is on both ways. The direct way passes no tanh: its factor is 1 − α
    and nothing else."""
    slope = 1 - u_next**2
    through = W_hh.T @ (alpha * slope * delta_h_next)
    return W_hy.T @ delta_y_t + (1 - alpha) * slope * delta_h_next + through


@leaky_step_back.wrong
def weights_on_both_ways(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """W_hhᵀ is on both ways. On the direct way each unit keeps its own old state, and no weight
    stands there."""
    both = (1 - alpha) * delta_h_next + alpha * (1 - u_next**2) * delta_h_next
    return W_hy.T @ delta_y_t + W_hh.T @ both


@leaky_step_back.wrong
def leaky_not_transposed(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """Both ways are there, but W_hh is not transposed. Backward, a unit gathers from those that it
    feeds: W_hh.T @ …"""
    through = W_hh @ (alpha * (1 - u_next**2) * delta_h_next)
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next + through


@leaky_step_back.wrong
def slope_after_W_hh(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """The slope comes after W_hhᵀ. Backward it is first the tanh of step t + 1, then W_hhᵀ."""
    through = alpha * (1 - u_next**2) * (W_hh.T @ delta_h_next)
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next + through


@leaky_step_back.wrong
def leaky_jacobian_not_transposed(delta_y_t, delta_h_next, u_next, W_hy, W_hh, alpha):
    """On the way through the tanh you multiply by diag(1 − u_{t+1}²) W_hh. A column goes back
    through the transpose: first the slope, then W_hh.T."""
    through = alpha * (1 - u_next**2) * (W_hh @ delta_h_next)
    return W_hy.T @ delta_y_t + (1 - alpha) * delta_h_next + through


# ---------------------------------------------------------------- truncation: what is kept


def _cuts(rng):
    yield 4, 2, 3
    yield from ((9, 3, 3), (9, 1, 3), (12, 3, 5), (6, 2, 6))


@exercise(
    "kept-paths",
    page="2-backpropagation/truncation",
    cases=_cuts,
    hints=(
        "Draw the triangle of the page for T = 4: a dot for each error m and each use k ≤ m.",
        "The errors of one group are sent back together, at the end of the group, and all stop at "
        "the same use.",
        "Of a group that ends at step e, the walk reaches back to step e − back + 1, or to 1 if "
        "that is less. Error m keeps the uses from there to m.",
    ),
)
def kept_paths(T, every, back):
    """Count the paths that truncated BPTT keeps.

    Each time `every` steps have passed, the errors of these steps are sent back through the last
    `back` steps. Given T, a multiple of `every`, and back ≥ every, return how many of the paths,
    from an error at step m to a use of W_hh at step k ≤ m, are kept.
    By hand: with T = 4, every = 2 and back = 3, after step 2 the errors E_1 and E_2 keep 1 + 2
    paths; after step 4 the walk goes back to step 2, and E_3 and E_4 keep 2 + 3. In all 8.
    """
    count = 0
    for end in range(every, T + 1, every):
        oldest = max(1, end - back + 1)
        for m in range(end - every + 1, end + 1):
            count += m - oldest + 1
    return count


def _kept(T, every, back):
    """Return the number of paths kept, also for a last group that is shorter."""
    ends = [(m - 1) // every * every + every for m in range(1, T + 1)]
    return sum(m - max(0, e - back) for m, e in zip(range(1, T + 1), ends, strict=True))


@kept_paths.wrong
def none_is_lost(T, every, back):
    """This is the number of all paths, as if nothing were cut."""
    return T * (T + 1) // 2


@kept_paths.wrong
def each_error_by_itself(T, every, back):
    """You send each error back through `back` steps of its own. Here the errors of a group start
    together, from the end of the group, so an early one of the group gets fewer steps."""
    return _kept(T, 1, back)


@kept_paths.wrong
def chunks_alone(T, every, back):
    """You stop each walk at the beginning of its own group. With back > every it goes on, into the
    steps of the group before."""
    return _kept(T, every, every)


@kept_paths.wrong
def one_step_too_far(T, every, back):
    """Your walks go one step too far. Back through `back` steps, beginning with the end of the
    group itself, means that `back` uses of the weight are reached."""
    return _kept(T, every, back + 1)


@kept_paths.wrong
def one_step_too_short(T, every, back):
    """Your walks stop one step too early. The step at the end of the group is the first of the
    `back` steps, so the last one is end − back + 1."""
    return _kept(T, every, back - 1)


@kept_paths.wrong
def beginning_ignored(T, every, back):
    """You let the first walks run on before step 1. The sequence begins there, so the walk of an
    early group is shorter: max(1, end − back + 1)."""
    return sum(m - ((m - 1) // every * every + every - back) for m in range(1, T + 1))


@kept_paths.wrong
def steps_walked(T, every, back):
    """You count the steps of the walks, and so the products. All errors of a group share one walk;
    each of them has paths of its own to the uses on it."""
    return sum(min(end, back) for end in range(every, T + 1, every))


@kept_paths.wrong
def as_many_for_each_error(T, every, back):
    """You give every error `back` paths. Only the last error of a group has so many; the others
    start later on the same walk, and the first groups have less past."""
    return T * back


@kept_paths.wrong
def one_use_too_many(T, every, back):
    """You count one use too many for each error. From the oldest use to m, both ends counted, there
    are m − oldest + 1 uses; if your oldest is end − back, it is one too old already."""
    return _kept(T, every, back) + T


# ---------------------------------------------------------------- truncation in chunks


def _sequences(rng):
    yield (
        np.array([[-1.0], [1.0]]),
        np.array([[1.0], [0.0]]),
        np.array([1.0]),
        np.array([[1.0]]),
        np.array([[1.0]]),
        1,
    )
    for T, D, H, k in ((6, 2, 3, 3), (7, 3, 2, 3), (5, 2, 2, 2)):
        yield (
            rng.normal(size=(T, D)),
            rng.normal(size=(T, H)),
            rng.uniform(-0.9, 0.9, H),
            0.7 * rng.normal(size=(H, D)),
            0.7 * rng.normal(size=(H, H)),
            k,
        )


@exercise(
    "chunked-gradient",
    page="2-backpropagation/truncation",
    cases=_sequences,
    hints=(
        "Two things cross the border of a chunk in BPTT: the state, forward, and the signal, "
        "backward. Only one of them is cut.",
        "You may run forward over the whole sequence first and keep h_0 … h_T: the state is never "
        "cut.",
        "Then for each chunk begin a sweep at its last step with delta_a = 0, end it at its first "
        "step, and add its terms to one sum.",
        "delta_a = (1 - h[t] ** 2) * (h[t] - d[t - 1] + W_hh.T @ delta_a) and "
        "dW_hh += np.outer(delta_a, h[t - 1]), for t from the end of the chunk down.",
    ),
)
def chunked_gradient(x, d, h0, W_xh, W_hh, k):
    """Write truncated BPTT in chunks of k steps: the state is carried on, the gradient is cut.

    The network is h_t = tanh(W_hh h_{t−1} + W_xh x_t), and its state is its output: E is the sum
    of E_t = ½ ‖h_t − d_t‖². Given x (T, D), d (T, H), h0 (H,), W_xh (H, D), W_hh (H, H) and k, sum
    over chunks of k steps (the last may be shorter) the gradient of W_hh that no signal from a
    later chunk enters; return it, (H, H).
    By hand: with x = (−1, 1), d = (1, 0), h_0 = 1, W_xh = W_hh = 1 the states are h_1 = 0 and
    h_2 = 0.7616. With k = 1 the gradient is −1; with k = 2 it would be −0.680.
    """
    h = [h0]
    for x_t in x:
        h.append(np.tanh(W_hh @ h[-1] + W_xh @ x_t))
    dW_hh = np.zeros_like(W_hh)
    for start in range(0, len(x), k):
        delta_a = np.zeros_like(h0)
        for t in range(min(start + k, len(x)), start, -1):
            delta_h = h[t] - d[t - 1] + W_hh.T @ delta_a
            delta_a = (1 - h[t] ** 2) * delta_h
            dW_hh += np.outer(delta_a, h[t - 1])
    return dW_hh


def _run(x, h0, W_xh, W_hh):
    """Return h_0 … h_T."""
    h = [h0]
    for x_t in x:
        h.append(np.tanh(W_hh @ h[-1] + W_xh @ x_t))
    return np.array(h)


def _swept(h, d, W_hh, last, first):
    """Return the terms of the gradient from step `last` back to `first`, added up."""
    dW_hh, delta_a = np.zeros_like(W_hh), np.zeros(len(W_hh))
    for t in range(last, first - 1, -1):
        delta_a = (1 - h[t] ** 2) * (h[t] - d[t - 1] + W_hh.T @ delta_a)
        dW_hh += np.outer(delta_a, h[t - 1])
    return dW_hh


def _chunks(T, k):
    """Return the first and the last step of each chunk."""
    return [(start + 1, min(start + k, T)) for start in range(0, T, k)]


@chunked_gradient.wrong
def not_cut(x, d, h0, W_xh, W_hh, k):
    """This is the full gradient: the signal crosses the borders. Begin each chunk, seen from its
    end, with delta_a = 0."""
    return _swept(_run(x, h0, W_xh, W_hh), d, W_hh, len(x), 1)


@chunked_gradient.wrong
def state_begins_anew(x, d, h0, W_xh, W_hh, k):
    """Each chunk begins again with h0, so the network forgets all that came before. Truncation cuts
    the gradient only: the last state of a chunk is the first of the next."""
    parts = [slice(first - 1, last) for first, last in _chunks(len(x), k)]
    return sum(
        _swept(_run(x[part], h0, W_xh, W_hh), d[part], W_hh, len(x[part]), 1) for part in parts
    )


@chunked_gradient.wrong
def state_set_to_zero(x, d, h0, W_xh, W_hh, k):
    """After the first chunk your state begins with zeros. Truncation cuts the gradient only: the
    last state of a chunk is the first of the next."""
    parts = [slice(first - 1, last) for first, last in _chunks(len(x), k)]
    starts = [h0 if part.start == 0 else np.zeros_like(h0) for part in parts]
    return sum(
        _swept(_run(x[part], h, W_xh, W_hh), d[part], W_hh, len(x[part]), 1)
        for part, h in zip(parts, starts, strict=True)
    )


@chunked_gradient.wrong
def each_error_k_steps(x, d, h0, W_xh, W_hh, k):
    """You send each error back through k steps of its own (every = 1, back = k). In chunks an error
    stops at the beginning of its chunk, however near that is."""
    h = _run(x, h0, W_xh, W_hh)
    total = np.zeros_like(W_hh)
    for m in range(1, len(x) + 1):
        delta_h = h[m] - d[m - 1]
        for t in range(m, max(0, m - k), -1):
            delta_a = (1 - h[t] ** 2) * delta_h
            total += np.outer(delta_a, h[t - 1])
            delta_h = W_hh.T @ delta_a
    return total


@chunked_gradient.wrong
def last_chunk_only(x, d, h0, W_xh, W_hh, k):
    """Only the last chunk is left. Make the sum before the loop over the chunks, not inside it, and
    add to it."""
    first, last = _chunks(len(x), k)[-1]
    return _swept(_run(x, h0, W_xh, W_hh), d, W_hh, last, first)


@chunked_gradient.wrong
def short_chunk_dropped(x, d, h0, W_xh, W_hh, k):
    """The last chunk is left out when it is shorter than k. Its errors count as well."""
    h = _run(x, h0, W_xh, W_hh)
    whole = [(first, last) for first, last in _chunks(len(x), k) if last - first + 1 == k]
    return sum(_swept(h, d, W_hh, last, first) for first, last in whole)


@chunked_gradient.wrong
def mean_over_chunks(x, d, h0, W_xh, W_hh, k):
    """You take the mean over the chunks. E is the sum of all errors, so the gradients of the chunks
    are added."""
    h, chunks = _run(x, h0, W_xh, W_hh), _chunks(len(x), k)
    return sum(_swept(h, d, W_hh, last, first) for first, last in chunks) / len(chunks)


@chunked_gradient.wrong
def error_at_the_end_only(x, d, h0, W_xh, W_hh, k):
    """Only the last error of each chunk is sent back. Every step has an error: add h_t − d_t at
    each step of the sweep."""
    h = _run(x, h0, W_xh, W_hh)
    silent = h[1:].copy()
    for _, last in _chunks(len(x), k):
        silent[last - 1] = d[last - 1]
    return sum(_swept(h, silent, W_hh, last, first) for first, last in _chunks(len(x), k))


@chunked_gradient.wrong
def without_tanh_slope(x, d, h0, W_xh, W_hh, k):
    """The slope 1 − h_t² is missing: δ^a_t is (1 − h_t²) ⊙ δ^h_t."""
    h = _run(x, h0, W_xh, W_hh)
    total = np.zeros_like(W_hh)
    for first, last in _chunks(len(x), k):
        delta = np.zeros_like(h0)
        for t in range(last, first - 1, -1):
            delta = h[t] - d[t - 1] + W_hh.T @ delta
            total += np.outer(delta, h[t - 1])
    return total


@chunked_gradient.wrong
def chunked_with_the_new_state(x, d, h0, W_xh, W_hh, k):
    """Your terms pair δ^a_t with h_t. The weight multiplied the state before: δ^a_t h_{t−1}ᵀ."""
    h = _run(x, h0, W_xh, W_hh)
    total = np.zeros_like(W_hh)
    for first, last in _chunks(len(x), k):
        delta_a = np.zeros_like(h0)
        for t in range(last, first - 1, -1):
            delta_a = (1 - h[t] ** 2) * (h[t] - d[t - 1] + W_hh.T @ delta_a)
            total += np.outer(delta_a, h[t])
    return total


@chunked_gradient.wrong
def chunked_not_transposed(x, d, h0, W_xh, W_hh, k):
    """On the way back W_hh must be transposed: W_hh.T @ delta_a. It is square, so no shape shows
    the slip."""
    h = _run(x, h0, W_xh, W_hh)
    return sum(_swept(h, d, W_hh.T, last, first) for first, last in _chunks(len(x), k))


@chunked_gradient.wrong
def targets_of_the_first_chunk(x, d, h0, W_xh, W_hh, k):
    """Every chunk is compared with the targets of the first. Inside a chunk t begins again at 1, so
    the target is d[start + t - 1]."""
    repeated = np.concatenate([d[:k]] * len(x))[: len(x)]
    return chunked_gradient.solution(x, repeated, h0, W_xh, W_hh, k)


# ---------------------------------------------------------------- a truncation that is cheap


@investigation(
    "cheap-truncation",
    page="2-backpropagation/truncation",
    answer=(10, 20),
    wrongs={"chunks": (20, 20), "every_step": (1, 20), "nothing_cut": (60, 60), "short": (2, 4)},
    hints=(
        "Which paths do chunks lose that hurt most? Where do they lie in a chunk?",
        "With back > every each walk goes on into the group before. How many Jacobians does the "
        "first error of a group still get?",
        "back = 2 · every costs two products a step, and every error is sent back through more "
        "than back / 2 steps. Try a few.",
    ),
)
def cheap_truncation(answer):
    """Find a truncation that is both cheap and close, the pair (every, back).

    The network of this chapter reads 60 steps of small random numbers, the first sequence of the
    page. Find whole numbers every and back such that the truncated gradient of W_hh is off by at
    most 1 % of the full one, with at most 2 products a step (back / every) and at most 20 states
    kept (back).
    """
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise TypeError("expected is a pair (every, back) of whole numbers, such as (5, 15)")
    every, back = (
        require_size(name, value) for name, value in zip(("every", "back"), answer, strict=True)
    )
    if back < every:
        raise ValueError(f"back is {back}, expected at least every = {every}")
    off = 100 * truncation_error(min(every, 60), min(back, 60))
    said = f"With every = {every} and back = {back} the gradient is {off:.2g} % off"
    if back > 20:
        return f"{said}, but {back} states must be kept; wanted at most 20."
    if back > 2 * every:
        return f"{said}, but it takes {back / every:.3g} products a step; wanted at most 2."
    if off > 1:
        return f"{said}; wanted at most 1 %."
    return ""
