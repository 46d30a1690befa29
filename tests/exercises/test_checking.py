"""The checker itself, on one exercise: whatever a learner writes, it says something of use."""

import os
import random
import time

import numpy as np
import pytest

from rnncourse import exercises
from rnncourse.exercises import checking, record, running
from rnncourse.exercises.comparing import difference, extent, in_one_call, location, relation
from rnncourse.exercises.definition import exercise, find
from rnncourse.exercises.running import run
from rnncourse.exercises.slips import slips

NAME = "hidden-step"


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("RNNCOURSE_PROGRESS", str(path))
    return path


def right(x_t, h_prev, W_xh, W_hh, b_h):
    return np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)


def raising(x_t, h_prev, W_xh, W_hh, b_h):
    y = W_hh @ h_prev
    return y @ W_xh @ x_t @ 3


def endless_recursion(x_t, h_prev, W_xh, W_hh, b_h):
    return endless_recursion(x_t, h_prev, W_xh, W_hh, b_h)


def in_place(x_t, h_prev, W_xh, W_hh, b_h):
    h_prev[:] = np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)
    return h_prev.copy()


def a_column(x_t, h_prev, W_xh, W_hh, b_h):
    return right(x_t, h_prev, W_xh, W_hh, b_h)[:, None]


def without_return(x_t, h_prev, W_xh, W_hh, b_h):
    np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)


def talkative(x_t, h_prev, W_xh, W_hh, b_h):
    print("h" * 1_000_000)
    return x_t


def leaving(x_t, h_prev, W_xh, W_hh, b_h):
    raise SystemExit


class Counting:
    calls = 0

    def __call__(self, *given):
        self.calls += 1
        return right(*given) * (1 if self.calls <= len(find(NAME).arguments()) else 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raising, "raised TypeError at line 3: return y @ W_xh @ x_t @ 3: unsupported"),
        (
            lambda *a: np.ones((1, 3)) @ a[1],
            "the two factors of a product do not fit: 3 columns meet 1 rows It was called",
        ),
        (endless_recursion, "calls itself without end"),
        (in_place, "changes h_prev in place"),
        (a_column, "not the shape"),
        (without_return, "returns None: is there a return"),
        (talkative, "It printed: hhhhh"),
        (leaving, "raised SystemExit"),
        (Counting(), "gives two results"),
        (lambda *a: -right(*a), "opposite sign"),
        (lambda *a: 3 * right(*a), "3 times the right one"),
        (lambda *a: np.full_like(a[1], np.nan), "NaN or infinity"),
        (lambda *a: (x for x in a), "is a generator"),
        (lambda *a: "h", "is a str"),
        (lambda *a: {"h": right(*a)}, "is a dict"),
        (lambda x_t: x_t, "TypeError"),
        (lambda *a: right(*a)[:-1], "shape (0,), expected an array of shape (1,)"),
        (0.5, "Give the function itself"),
        ("hidden_step", "Give the function itself"),
    ],
)
def test_what_went_wrong_is_said(answer, words):
    result = exercises.check(NAME, answer)
    assert result.status == "not yet"
    assert not result
    assert words in " ".join(result.told)
    assert len(repr(result)) < 1500


def test_right_is_right_in_every_way_of_writing():
    for answer in (right, lambda *a: list(right(*a)), lambda *a: right(*a).astype(np.float64)):
        result = exercises.check(NAME, answer)
        assert result, result
        assert repr(result) == "✓ hidden-step: correct"
    shared = exercises.check(NAME, lambda x, h, W, U, b: np.add(0, right(x, h, W, U, b), out=h) * 1)
    assert "in place" in shared.told[0]


def test_html_is_escaped_and_says_the_same():
    result = exercises.check(NAME, lambda *a: 1 / 0 if "<b>" else 0)
    assert "<b>" not in result._repr_html_()
    assert "&lt;b&gt;" in result._repr_html_()
    assert "not yet" in result._repr_html_()


def test_with_strict_it_raises_what_it_says():
    assert exercises.check(NAME, right, strict=True)
    with pytest.raises(AssertionError, match="lacks W_hh"):
        exercises.check(NAME, lambda x, h, W, U, b: np.tanh(W @ x + b), strict=True)


def test_an_unknown_exercise_offers_the_nearest():
    with pytest.raises(ValueError, match="no exercise 'hiden-step'; did you mean 'hidden-step'"):
        exercises.check("hiden-step", right)
    with pytest.raises(ValueError, match="step is 0"):
        exercises.hint(NAME, 0)


def test_a_name_is_given_once():
    again = exercise(NAME, page="1-structure/memory", cases=lambda rng: [], hints=())
    with pytest.raises(ValueError, match="there is an exercise 'hidden-step' already"):
        again(right)


def test_numbers_are_told_as_people_write_them():
    assert difference(3.0, 2.0) == "the result is 3, expected 2"
    assert difference({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0}) == (
        "the result['b'] is 2, expected 3"
    )
    assert (
        difference(np.array([1e-6]), np.array([2e-6]))
        == "the result is [1.e-06], expected [2.e-06]"
    )
    assert difference(np.ones(2) * 1j, np.ones(2)) == (
        "the result is an array of complex128 of shape (2,), expected an array of shape (2,)"
    )
    assert difference([1, 2], (1.0, 2.5)) == "the result[1] is 2, expected 2.5"
    assert difference(np.arange(8), np.arange(8) + np.eye(8)[3]) == (
        "the result[3] is 3, expected 4 (1 of 8 entries differ)"
    )


RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
SQUARES, CUBES = [RNG.normal(size=(n, n)) for n in (3, 4)], [RNG.normal(size=(4, 3, 2))]
ROWS = [A, B]


@pytest.mark.parametrize(
    ("got", "right", "words"),
    [
        ([-a for a in ROWS], ROWS, "the opposite sign"),
        ([a.T for a in ROWS], ROWS, "right one transposed"),
        ([a[::-1] for a in ROWS], ROWS, "in reverse order"),
        ([np.roll(a, 1, axis=0) for a in ROWS], ROWS, "one place late: each row holds"),
        ([np.roll(a, -1, axis=0) for a in ROWS], ROWS, "one place early: each row holds"),
        ([0 * a + a[-1] for a in ROWS], ROWS, "Each row of your result is the last"),
        ([a.cumsum(axis=0) for a in ROWS], ROWS, "running sums"),
        (ROWS, [a.cumsum(axis=0) for a in ROWS], "sums of your result so far are the right"),
        ([a**2 for a in ROWS], ROWS, "square of every right number"),
        ([1 - a for a in ROWS], ROWS, "1 minus every right number"),
        ([np.floor(4 * a) for a in ROWS], [4 * a for a in ROWS], "is // written for /"),
        ([np.round(4 * a) for a in ROWS], [4 * a for a in ROWS], "rounded to whole numbers"),
        ([1 / a for a in ROWS], ROWS, "1 divided by every right number"),
        ([a[1:] for a in ROWS], ROWS, "the first row is missing"),
        ([a[:-1] for a in ROWS], ROWS, "the last row is missing"),
        ([a[-1] for a in ROWS], ROWS, "is the last row of the right one"),
        ([a[0] for a in ROWS], ROWS, "Does a return stand inside a loop?"),
        (ROWS, [a[-1] for a in ROWS], "The last entry of your result is right"),
        (ROWS, [a[1:] for a in ROWS], "one row too many, the first"),
        (ROWS, [a[:-1] for a in ROWS], "one row too many, the last"),
        ([a.mean(axis=0) for a in ROWS], ROWS, "mean of the right one over its axis 0"),
        (ROWS, [a.sum(axis=1) for a in ROWS], "sum of your result over its axis 1 is right"),
        (ROWS, [a.prod(axis=0) for a in ROWS], "product of your result over its axis 0 is right"),
        ([a.sum() for a in ROWS], ROWS, "sum of all right numbers"),
        ([a.diagonal() for a in SQUARES], SQUARES, "the diagonal of the right one"),
        ([a.transpose(2, 0, 1) for a in CUBES], CUBES, "axes of your result stand in another"),
        ([a[:, None] for a in A], list(A), "(H, 1) is a matrix"),
        ([a.ravel() for a in ROWS], ROWS, "not the shape"),
        ([a + 2 for a in ROWS], ROWS, "2 too large"),
        ([np.array(n - 1.0) for n in (3, 5)], [3, 5], "Every number of your result is 1 too small"),
        ([a[[1, 0, *range(2, len(a))]] for a in ROWS], ROWS, "right rows in another order"),
        ([np.abs(a) for a in ROWS], ROWS, "some have the wrong sign"),
        (
            [a + np.eye(*a.shape)[[0] + [3] * (len(a) - 1)] for a in ROWS],
            ROWS,
            "Only the first row",
        ),
        ([a + np.eye(len(a)) for a in SQUARES], SQUARES, "Only the diagonal"),
        ([a * (1 + np.eye(len(a))) for a in SQUARES], SQUARES, "Only the diagonal"),
        (
            [a * (2 - np.eye(len(a))) for a in SQUARES],
            SQUARES,
            "The diagonal of your result is right",
        ),
        ([(b, a) for a, b in (ROWS, SQUARES)], [tuple(ROWS), tuple(SQUARES)], "in another order"),
        (ROWS, [(1.0, a) for a in ROWS], "belongs into result[1] alone. Return all 2 values"),
        ([(1.0, a) for a in ROWS], ROWS, "Your result[1] is right; return it alone"),
        ([{"a": B, "b": A}], [{"a": A, "b": B}], "what stands under 'a' belongs under 'b'"),
        ([(A, -B)], [(A, B)], "The result[1] has the right size"),
        ([(-A, -B)], [(A, B)], "Each wrong part has the right size"),
        ([(A, 0 * A, A)], [(B, B, A)], "The result[0] is what belongs into the result[2]"),
        ([(3, "b_h")], [(2, "b_h")], ""),
        ([(2, "W_hh"), (3, "b_h")], [(2, "b_h"), (3, "W_hh")], ""),
        ([A + B[:4] ** 2], [A], ""),
        ([2.0], [1.0], ""),
    ],
)
def test_what_an_answer_has_to_do_with_the_right_one_is_said(got, right, words):
    told = relation(got, right) or location(got, right)
    assert words in told if words else told == "", told
    assert relation(right, right) == location(right, right) == ""


def test_an_answer_is_compared_with_what_was_given():
    calls = [(a, 3.0 + len(a)) for a in ROWS]
    right = [a[0] ** 3 for a in ROWS]

    def told(got):
        return relation(got, right, calls, ("h", "n"))

    assert told([a[-1] for a in ROWS]) == "Your result is the last row of h, as it was given."
    pairs = list(zip(ROWS, right, strict=True))
    assert "divided by len(h): is a mean taken" in told([r / len(a) for a, r in pairs])
    assert "is len(h) - 1 times the right one: is a sum" in told(
        [r * (len(a) - 1) for a, r in pairs]
    )
    assert "is n times the right one: a factor" in told([r * (3 + len(a)) for a, r in pairs])


def radius(W, rho):
    return max(abs(np.linalg.eigvals(W)))


def only_the_newest(h, W_hh, k):
    for t in range(len(h) - 1, k, -1):
        return (1 - h[t] ** 2)[:, None] * W_hh
    return np.eye(len(W_hh))


def slope_without_a_square(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    return W_hy.T @ delta_y_t + W_hh.T @ (delta_h_next - h_next * delta_h_next)


def squares_before_the_sum(delta_y_t, delta_h_next, h_next, W_hy, W_hh):
    return (W_hy**2).T @ delta_y_t + W_hh.T @ (delta_h_next * h_next) ** 3


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("one-step-back", slope_without_a_square, "slip: 1 - h_next in place of 1 - h_next ** 2."),
        ("scale-to-radius", radius, "slip: it stops at np.abs(np.linalg.eigvals(W)).max()."),
        ("product-of-jacobians", only_the_newest, "slip: a return inside the loop."),
        (
            NAME,
            lambda x, h, W, U, b: np.tanh(W @ x + U @ h - b),
            "slip: …W_xh @ x_t - b_h) in place of …W_xh @ x_t + b_h).",
        ),
        ("one-step-back", squares_before_the_sum, ""),
    ],
)
def test_one_slip_in_the_solution_is_found(name, answer, words):
    told = " ".join(exercises.check(name, answer).told)
    assert words in told if words else "slip" not in told, told


def test_what_holds_in_one_call_alone_is_said():
    told = in_one_call(3 * A, A)
    assert told.startswith("In the call below, but not in all: every number of your result is 3")
    assert in_one_call(np.array([2.0, 0.0]), np.array([1.0, 0.0])) == ""  # by chance, perhaps
    assert in_one_call(A + B[:4] ** 2, A) == in_one_call(2, (1, "b_h")) == ""
    halved = find("chunked-gradient").solution
    said = exercises.check("chunked-gradient", lambda *a: halved(*a) * (1 if a[-1] < 3 else 0.5))
    assert "1/2 times the right one" in said.told[0]


def test_without_its_source_a_solution_has_no_slips(monkeypatch):
    task = find(NAME)
    assert len(list(slips(task))) > 20
    code: dict = {"np": np}
    exec("def hidden_step(x_t, h_prev, W_xh, W_hh, b_h):\n    return x_t", code)
    monkeypatch.setattr(task, "solution", code["hidden_step"])
    assert list(slips(task)) == []


def test_the_search_for_a_slip_ends(monkeypatch):
    monkeypatch.setattr(checking, "PATIENCE", 0.0)
    told = exercises.check("one-step-back", slope_without_a_square).told
    assert "slip" not in " ".join(told)


def test_how_far_an_answer_is_right_is_said():
    assert extent([(A, B), (A, A)], [(A, A), (A, A)]) == "Right in every call: result[0]."
    assert extent([A, B], [A, A]) == "It is right in 1 of 2 calls, but not in all."
    assert "one unit alone" in extent([A, A], [A, B], [(np.ones((3, 1)),), (np.ones((3, 2)),)])
    assert extent([A], [B]) == ""


def test_a_last_digit_is_no_change():
    def there_and_back(W):
        W += 1e-3
        W -= 2e-3
        W += 1e-3
        return W.sum()

    (outcome,), _ = run(there_and_back, [(np.array([0.1, 0.7, 1 / 3]),)], 60)
    assert outcome.changed == ()


# ---------------------------------------------------------------- what a function may not do


def forever():
    while True:
        pass


def stubborn():
    for _ in range(40):
        try:
            time.sleep(0.05)
        except BaseException:
            continue


def test_a_function_without_end_is_stopped(monkeypatch):
    monkeypatch.setattr(running, "GRACE", 60.0)
    with pytest.raises(TimeoutError, match=r"^$"):
        run(forever, [()], 0.05)
    monkeypatch.setattr(running, "GRACE", 0.05)
    with pytest.raises(TimeoutError, match="restart the kernel"):
        run(stubborn, [()], 0.05)
    task = find(NAME)
    monkeypatch.setattr(running, "GRACE", 60.0)
    monkeypatch.setattr(task, "seconds", 0.05)
    result = exercises.check(NAME, lambda *a: forever())
    assert "had not come back after 0.05 seconds" in result.told[0]


def test_nothing_is_left_behind(capsys):
    def greedy(a):
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        np.seterr(all="raise")
        print("much")
        a += 1
        return a

    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    given = np.zeros(2)
    (outcome,), printed = run(greedy, [(given,)], 60)
    drawn = np.random.random(), random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    assert drawn == (np.random.random(), random.random())  # noqa: NPY002
    assert np.geterr()["over"] != "raise"
    assert printed == "much\n"
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(given, 0)
    np.testing.assert_array_equal(outcome.value, 1)
    assert outcome.changed == (0,)
    assert outcome.aliased


# ---------------------------------------------------------------- progress


def test_what_is_done_is_kept_and_stays_done(file):
    exercises.check(NAME, lambda *a: ...)
    assert not file.exists()
    exercises.check(NAME, lambda *a: 1)
    assert record.done() == {NAME: "not yet"}
    assert f"✗ {NAME}" in repr(exercises.progress())
    exercises.check(NAME, right)
    exercises.check(NAME, lambda *a: 1)
    assert record.done() == {NAME: "correct"}
    assert f"✓ {NAME}" in repr(exercises.progress())
    assert repr(exercises.progress()).startswith("1 of ")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"hidden-step": "perfect"}', "\x00"])
def test_a_damaged_file_is_kept_aside_and_said_so(file, damage):
    file.write_text(damage)
    with pytest.warns(UserWarning, match="was damaged: it is kept as"):
        result = exercises.check(NAME, right)
    assert result
    assert file.with_name("progress.json.damaged").read_text() == damage
    assert record.done() == {NAME: "correct"}


def test_without_a_place_it_works_all_the_same(file, monkeypatch, tmp_path):
    monkeypatch.setenv("RNNCOURSE_PROGRESS", str(tmp_path / "no" / "folder" / "file.json"))
    with pytest.warns(UserWarning, match="cannot be kept"):
        assert exercises.check(NAME, right)
    monkeypatch.setenv("RNNCOURSE_PROGRESS", "")
    assert exercises.check(NAME, right)
    assert record.done() == {}
    monkeypatch.delenv("RNNCOURSE_PROGRESS")
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    monkeypatch.setenv("USERPROFILE", os.fspath(tmp_path))
    assert exercises.check(NAME, right)
    assert (tmp_path / ".rnncourse-exercises.json").is_file()
    assert record.done() == {NAME: "correct"}
