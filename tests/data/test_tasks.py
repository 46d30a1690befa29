"""The tasks, word for word as the literature defines them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import tasks


def seen(values):
    return set(np.unique(values).tolist())


# ---------------------------------------------------------------- temporal order


@pytest.mark.parametrize("length", [10, 15, 50, 100])
def test_temporal_order(rng, length):
    x, labels = tasks.temporal_order(4000, length, rng=rng)
    assert (x.shape, x.dtype) == ((length, 4000, 8), np.float64)
    assert (labels.shape, labels.dtype.kind) == ((4000,), "i")
    assert_array_equal(x.sum(axis=-1), 1)
    assert seen(x) == {0.0, 1.0}
    symbols = np.array(tasks.TEMPORAL_ORDER_SYMBOLS)[x.argmax(axis=-1)]
    assert (symbols[0] == "E").all()
    assert (symbols[-1] == "B").all()
    assert_array_equal(np.isin(symbols, ["E", "B"]).sum(axis=0), 2)
    # Two places hold X or Y, and they tell the label.
    marked = np.isin(symbols, ["X", "Y"])
    assert_array_equal(marked.sum(axis=0), 2)
    first, second = np.sort(marked.T.nonzero()[1].reshape(-1, 2)).T
    every = np.arange(4000)
    said = np.char.add(symbols[first, every], symbols[second, every])
    assert_array_equal(np.array(tasks.TEMPORAL_ORDER_CLASSES)[labels], said)
    # From 10 to 20 and from 50 to 60 percent of the length, both ends included.
    assert seen(first) == set(range(length // 10, length // 5 + 1))
    assert seen(second) == set(range(length // 2, length * 6 // 10 + 1))
    # Everything random is equally likely and independent: within five standard errors.
    assert_allclose(np.bincount(labels) / 4000, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 4000))
    between = symbols[1:-1][~marked[1:-1]]
    n = len(between)
    for symbol in "abcd":
        assert abs((between == symbol).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / n)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(4000)


def test_the_symbols_and_classes_in_their_order():
    assert tasks.TEMPORAL_ORDER_SYMBOLS == ("a", "b", "c", "d", "X", "Y", "E", "B")
    assert tasks.TEMPORAL_ORDER_CLASSES == ("XX", "XY", "YX", "YY")


# ---------------------------------------------------------------- adding


@pytest.mark.parametrize("length", [20, 29, 50, 100])
def test_adding(rng, length):
    x, targets, lengths = tasks.adding(6000, length, rng=rng)
    T = lengths.max()
    assert (x.shape, x.dtype) == ((T, 6000, 2), np.float64)
    assert (targets.shape, targets.dtype) == ((6000, 1), np.float64)
    assert (lengths.shape, lengths.dtype.kind) == ((6000,), "i")
    assert seen(lengths) == set(range(length, length + length // 10 + 1))
    past = np.arange(T)[:, None] >= lengths
    assert_array_equal(x[past], 0)
    numbers, markers = x[..., 0], x[..., 1]
    assert seen(markers) == {-1.0, 0.0, 1.0}
    every = np.arange(6000)
    # −1 at the first step and at the last, and nowhere else.
    assert (markers[0] == -1).all()
    assert (markers[lengths - 1, every] == -1).all()
    assert_array_equal((markers == -1).sum(axis=0), 2)
    # The places of the ones; a sequence with one of them had the other at the first step.
    places = [np.flatnonzero(column == 1) for column in markers.T]
    two = np.array([p for p in places if len(p) == 2])
    one = np.array([p[0] for p in places if len(p) == 1])
    assert len(two) + len(one) == 6000
    half = length // 2
    assert seen(two[:, 0]) == set(range(1, min(10, half - 1)))
    assert seen(two) == set(range(1, half))
    assert seen(one) == set(range(1, half))
    # X₁ is at the first step in a tenth of all sequences; X₂ in one of half − 1 of the others.
    share = 0.1 + 0.9 / (half - 1)
    assert abs(len(one) / 6000 - share) < 5 * np.sqrt(share / 6000)
    # X₂ is any other step of the first half, each equally likely: beyond ten it is alone there.
    if half > 10:
        share = (half - 10) / (half - 1)
        beyond = np.mean([p[-1] >= 10 for p in places])
        assert abs(beyond - share) < 5 * np.sqrt(share * (1 - share) / 6000)
    sums = [numbers[p, b].sum() for b, p in enumerate(places)]
    assert_allclose(targets[:, 0], 0.5 + np.array(sums) / 4, rtol=0, atol=1e-15)
    inside = numbers[~past]
    n = len(inside)
    assert (np.abs(inside) <= 1).all()
    for edge in (-0.999, -0.5, 0, 0.5, 0.999):
        below = (edge + 1) / 2
        assert abs((inside < edge).mean() - below) < 5 * np.sqrt(0.25 / n)
    assert inside.min() < -0.999
    assert inside.max() > 0.999


def test_one_sequence_of_adding_is_as_long_as_its_own_length():
    lengths = set()
    for seed in range(40):
        x, _, own = tasks.adding(1, 20, rng=np.random.default_rng(seed))
        assert len(x) == own[0]
        lengths.add(len(x))
    assert lengths == {20, 21, 22}


# ---------------------------------------------------------------- copying


@pytest.mark.parametrize("lag", [1, 2, 30])
def test_copy(rng, lag):
    x, labels = tasks.copy(500, lag, rng=rng)
    assert (x.shape, x.dtype) == ((lag + 20, 500, 10), np.float64)
    assert (labels.shape, labels.dtype.kind) == ((lag + 20, 500), "i")
    assert_array_equal(x.sum(axis=-1), 1)
    assert seen(x) == {0.0, 1.0}
    symbols = x.argmax(axis=-1)
    data, blanks, signal, answer = np.split(symbols, [10, 10 + lag - 1, 10 + lag])
    assert seen(data) == set(range(8))
    assert len(blanks) == lag - 1
    assert (blanks == 8).all()
    assert (signal == 9).all()
    assert answer.shape == (10, 500)
    assert (answer == 8).all()
    assert (labels[: 10 + lag] == 8).all()
    assert_array_equal(labels[10 + lag :], data)
    counts = np.bincount(data.ravel(), minlength=8) / data.size
    assert_allclose(counts, 1 / 8, atol=5 * np.sqrt(1 / 8 / data.size))


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: tasks.temporal_order(5, 20, rng=rng),
        lambda rng: tasks.adding(5, 20, rng=rng),
        lambda rng: tasks.copy(5, 20, rng=rng),
    ],
)
def test_the_generator_decides(draw):
    first, again = (draw(np.random.default_rng(1)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert_array_equal(one, other)
    rng = np.random.default_rng(1)
    assert_array_equal(draw(rng)[0], first[0])
    assert not np.array_equal(draw(rng)[0][:20], first[0][:20])  # fresh ones each time


@pytest.mark.parametrize(
    ("name", "size", "least"), [("temporal_order", "length", 10), ("adding", "length", 20)]
)
def test_the_shortest_sequences(rng, name, size, least):
    assert getattr(tasks, name)(3, least, rng=rng)[0].shape[0] >= least
    with pytest.raises(ValueError, match=f"^{size} is {least - 1}, expected at least {least}"):
        getattr(tasks, name)(3, least - 1, rng=rng)


@pytest.mark.parametrize("name", ["temporal_order", "adding", "copy"])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size is 0, expected at least 1"),
        ({"batch_size": 2.0}, TypeError, "batch_size is 2.0, expected a whole number"),
        ({"size": 0}, ValueError, "(length|lag) is 0, expected at least"),
        ({"size": 50.0}, TypeError, r"(length|lag) is 50.0, expected a whole number"),
        ({"rng": 1}, TypeError, "rng is 1, expected a generator"),
    ],
)
def test_a_task_says_what_is_wrong(rng, name, arguments, error, message):
    given = {"batch_size": 3, "size": 50, "rng": rng, **arguments}
    given["lag" if name == "copy" else "length"] = given.pop("size")
    with pytest.raises(error, match=f"^{message}"):
        getattr(tasks, name)(**given)
