"""The gradient check finds what is wrong and says where; clipping by norm and by value."""

import numpy as np
import pytest
from helpers import make_problem
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import (
    check_gradients,
    clip_by_global_norm,
    clip_by_value,
    global_norm,
    jacobians,
)
from rnncourse.gradients.check import Entry, GradientReport

# ---------------------------------------------------------------- check_gradients


@pytest.fixture
def cubic():
    """E = Σ c W³ / 3 over two parameters: the loss, the parameters, the true gradients."""
    params = {"A": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([2.0])}

    def loss():
        return float((params["A"] ** 3).sum() / 3 + 5 * (params["b"] ** 3).sum() / 3)

    return loss, params, {"A": params["A"] ** 2, "b": 5 * params["b"] ** 2}


def test_right_gradients_pass_and_nothing_moves(cubic):
    loss, params, grads = cubic
    before = {name: W.copy() for name, W in params.items()}
    report = check_gradients(loss, params, grads)
    assert report.ok()
    assert 0 < report.max_error < 1e-9
    for name, W in params.items():
        assert_array_equal(W, before[name])


def test_relative_error_is_the_largest_difference_over_the_largest_entry(cubic):
    loss, params, grads = cubic
    grads["A"][0, 1] += 0.9  # the largest entry of A's gradient is 9
    report = check_gradients(loss, params, grads)
    assert_allclose(report.errors["A"], 0.1, rtol=1e-6)
    assert report.max_error == report.errors["A"]
    assert not report.ok()
    assert report.ok(0.11)
    worst = report.worst
    assert (worst.name, worst.index, worst.analytic) == ("A", (0, 1), 4.9)
    assert_allclose(worst.numeric, 4.0, rtol=1e-8)
    assert {type(worst.analytic), type(worst.numeric), type(report.max_error)} == {float}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("off", [0.9, -0.9])
def test_too_large_and_too_small_are_equally_wrong(cubic, sign, off):
    """Also where the gradient is negative: sizes are absolute."""
    loss, params, grads = cubic
    grads = {name: sign * g for name, g in grads.items()}
    grads["A"][0, 1] += off
    report = check_gradients(lambda: sign * loss(), params, grads)
    assert_allclose(report.errors["A"], 0.1, rtol=1e-6)
    assert report.worst.index == (0, 1)
    alone = {"b": np.array([sign * (2 + off)])}, {"b": np.array([sign * 2.0])}
    report = check_gradients(lambda: float(alone[1]["b"][0] ** 2) / 2, alone[1], alone[0])
    assert_allclose(report.errors["b"], abs(off) / max(2, 2 + off), rtol=1e-6)


def test_the_size_is_that_of_the_larger_side(cubic):
    loss, params, grads = cubic
    grads["b"] *= 10  # given 200, measured 20
    assert_allclose(check_gradients(loss, params, grads).errors["b"], 0.9, rtol=1e-6)


def test_the_report_prints_a_table(cubic):
    loss, params, grads = cubic
    grads["A"][0, 1] += 0.9
    report = check_gradients(loss, params, grads)
    assert repr(report) == str(report)
    lines = str(report).splitlines()
    assert lines[0] == "parameter  relative error   worst entry"
    assert lines[1] == "A                 1.0e-01   A[0, 1]: given 4.9, measured 4"
    assert lines[2].startswith("b ")
    assert "b[0]: given 20, measured 20" in lines[2]


def test_the_step_is_epsilon_to_both_sides():
    """For w³ the central difference is 3w² + ε²."""
    W = {"w": np.array([2.0])}
    report = check_gradients(lambda: float(W["w"][0] ** 3), W, {"w": np.array([12.0])}, epsilon=0.1)
    assert_allclose(report.worst.numeric, 12.01, rtol=1e-12)


def test_a_loss_may_return_the_same_array_each_time():
    W, E = {"w": np.array([2.0])}, np.empty(())

    def loss():
        E[...] = W["w"][0] ** 2
        return E

    assert check_gradients(loss, W, {"w": np.array([4.0])}).ok()


def test_a_gradient_of_zero_is_measured_against_the_floor():
    W = {"w": np.zeros(2)}
    given = {"w": np.array([0.0, 2e-4])}
    assert_allclose(check_gradients(lambda: 1.0, W, given).max_error, 0.2)
    assert_allclose(check_gradients(lambda: 1.0, W, given, floor=1e-2).max_error, 0.02)


def test_the_default_step_and_tolerance():
    """For w³ at 0 the central difference is ε², without rounding."""
    W = {"w": np.zeros(1)}
    report = check_gradients(lambda: float(W["w"][0] ** 3), W, {"w": np.zeros(1)})
    assert_allclose(report.worst.numeric, (1e-5) ** 2, rtol=1e-12)
    assert GradientReport({"w": 1e-7}, {}).ok()
    assert not GradientReport({"w": 1.01e-7}, {}).ok()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_counts_as_the_largest_error(cubic, bad):
    loss, params, grads = cubic
    grads["A"][1, 0] = bad
    report = check_gradients(loss, params, grads)
    assert report.max_error == np.inf
    assert report.worst.index == (1, 0)


def test_a_sample_of_entries_is_drawn_without_repeats(cubic):
    _, params, grads = cubic
    moved = []

    def loss():
        moved.extend(np.argwhere(params["A"] != np.array([[1.0, -2.0], [0.5, 3.0]])).tolist())
        return 0.0

    check_gradients(loss, params, grads, max_entries=3, rng=np.random.default_rng(0))
    assert len(moved) == 2 * 3
    assert len({tuple(i) for i in moved}) == 3
    moved.clear()
    check_gradients(loss, params, grads, max_entries=4)  # all of them: no generator needed
    assert len(moved) == 2 * 4


def test_an_error_in_the_loss_puts_the_entry_back(cubic):
    _, params, grads = cubic
    before = params["A"].copy()
    with pytest.raises(ZeroDivisionError):
        check_gradients(lambda: 1 / 0, params, grads)
    assert_array_equal(params["A"], before)


def test_a_model_in_float64_passes_at_the_courses_tolerance(rng):
    p = make_problem(rng, T=12, B=4, H=8, ragged=True)
    grads = p.model.loss_and_gradients(**p.data).grads
    assert check_gradients(lambda: p.model.loss(**p.data), p.model.params, grads).ok(1e-7)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"params": {}, "grads": {}}, ValueError, "grads has .*, expected parameters"),
        (
            {"grads": {"A": np.ones((2, 2))}},
            ValueError,
            r"grads has \['A'\], expected \['A', 'b'\]",
        ),
        (
            {"grads": {n: np.ones(1) for n in "Abc"}},
            ValueError,
            r"grads has \['A', 'b', 'c'\], exp",
        ),
        ({"grads": {n: np.ones(1) for n in "Ac"}}, ValueError, r"grads has \['A', 'c'\], expected"),
        ({"grads": {"A": np.ones(4), "b": np.ones(1)}}, ValueError, "the gradient of A has shape"),
        ({"epsilon": 0}, ValueError, "epsilon is 0"),
        ({"max_entries": 0}, ValueError, "max_entries is 0"),
        ({"max_entries": 1}, ValueError, "rng is missing"),
        ({"max_entries": 1, "rng": 3}, TypeError, "rng is 3"),
    ],
)
def test_a_check_says_what_is_wrong(cubic, changed, error, message):
    loss, params, grads = cubic
    with pytest.raises(error, match=f"^{message}"):
        check_gradients(**{"loss": loss, "params": params, "grads": grads, **changed})


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex128"])
def test_only_float64_is_fine_enough_for_differences(cubic, dtype):
    loss, params, grads = cubic
    params["A"] = params["A"].astype(dtype)
    message = f"^A has dtype {dtype}, expected float64 for finite differences$"
    with pytest.raises(TypeError, match=message):
        check_gradients(loss, params, grads)


# ---------------------------------------------------------------- norms and clipping


def test_global_norm_takes_all_gradients_as_one_vector():
    assert global_norm({"a": np.array([[3.0, 0.0]]), "b": np.array([4.0])}) == 5.0
    assert global_norm({"a": np.array([3e30, 4e30], np.float32)}) == pytest.approx(5e30)
    assert type(global_norm({"a": np.ones(2, np.float32)})) is float


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_clipping_scales_all_gradients_by_one_factor_in_place(dtype):
    a, b = np.array([[3.0, 0.0]], dtype), np.array([4.0], dtype)
    grads = {"a": a, "b": b}
    assert clip_by_global_norm(grads, 2.5) == 5.0
    assert_allclose(a, [[1.5, 0.0]])
    assert_allclose(b, [2.0])
    assert grads["a"] is a
    assert a.dtype == dtype
    assert_allclose(global_norm(grads), 2.5)


@pytest.mark.parametrize("max_norm", [5.0, 6.0])
def test_short_gradients_are_left_alone(max_norm):
    grads = {"a": np.array([3.0, 4.0])}
    assert clip_by_global_norm(grads, max_norm) == 5.0
    assert_array_equal(grads["a"], [3.0, 4.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_that_are_not_finite_are_refused_unchanged(bad):
    grads = {"a": np.array([3.0, 4.0]), "b": np.array([1.0, bad]), "c": np.array([bad])}
    message = f"^the global norm is {bad}: b, c is not finite, expected finite gradients$"
    with pytest.raises(FloatingPointError, match=message):
        clip_by_global_norm(grads, 1.0)
    assert_array_equal(grads["a"], [3.0, 4.0])


def test_a_norm_that_overflows_is_refused():
    message = "^the global norm is inf: the root of the squares is not finite, expected finite grad"
    with pytest.raises(FloatingPointError, match=message):
        clip_by_global_norm({"a": np.array([1.7e308, 1.7e308])}, 1.0)


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e-140, 1e-20, 1.0, 1e200, 1e307])
def test_a_norm_whose_squares_do_not_fit_is_right(scale):
    grads = {"a": scale * np.array([3.0]), "b": scale * np.array([[4.0], [12.0]])}
    assert_allclose(global_norm(grads), 13 * scale, rtol=1e-15)
    # Cut at a norm that needs a factor too small to be exact, if at any.
    norm = clip_by_global_norm(grads, 1e-5 if scale >= 1 else 6.5 * scale)
    assert_allclose(norm, 13 * scale, rtol=1e-15)
    if scale > 1e-200:
        assert_allclose(global_norm(grads), 1e-5 if scale >= 1 else 6.5 * scale, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_clipping_keeps_its_digits_in_a_narrow_dtype(dtype):
    """As one number of that dtype, the factor would have lost most of them, or be 0."""
    largest = np.finfo(dtype).max
    grads = {"a": np.array([largest, largest], dtype)}
    max_norm = float(np.finfo(dtype).tiny) * 4
    clip_by_global_norm(grads, max_norm)
    assert_allclose(global_norm(grads), max_norm, rtol=4 * np.finfo(dtype).eps)


def test_the_norms_of_a_step_whose_squares_do_not_fit_are_right():
    terms = {"a": np.array([[3e200], [3.0], [0.0]]), "b": np.array([4e200, 4.0, 0.0])}
    assert_allclose(jacobians.norm_by_step(terms), [5e200, 5.0, 0.0], rtol=1e-15)


@pytest.mark.parametrize("max_norm", [0, -1, np.inf, np.nan])
def test_the_largest_norm_must_be_a_number_above_zero(max_norm):
    with pytest.raises(ValueError, match=r"^max_norm is .*, expected a finite number above 0"):
        clip_by_global_norm({"a": np.ones(2)}, max_norm)


# ---------------------------------------------------------------- clipping by value


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_each_entry_is_cut_by_itself_in_place(dtype):
    a, b = np.array([[3.0, -0.5, -7.0]], dtype), np.array([2.0, 2.5, -2.0], dtype)
    grads = {"a": a, "b": b}
    cut = clip_by_value(grads, 2.0)
    assert (cut, type(cut)) == (3, int)  # an entry at the limit is not cut
    assert_array_equal(a, [[2, -0.5, -2]])
    assert_array_equal(b, [2, 2, -2])
    assert grads["a"] is a
    assert a.dtype == dtype
    assert clip_by_value(grads, 2.0) == 0


def test_cutting_entries_turns_the_step_and_one_factor_does_not():
    by_value, by_norm = np.array([1.0, 4.0]), np.array([1.0, 4.0])
    clip_by_value({"g": by_value}, 2.0)
    clip_by_global_norm({"g": by_norm}, 2.0)
    assert_allclose(by_value[1] / by_value[0], 2)
    assert_allclose(by_norm[1] / by_norm[0], 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_limit_mends_what_is_not_finite(bad):
    grads = {"a": np.array([3.0, 4.0]), "b": np.array([1.0, bad]), "c": np.array([bad])}
    with pytest.raises(FloatingPointError, match=r"^b, c is not finite, expected finite gradients"):
        clip_by_value(grads, 1.0)
    assert_array_equal(grads["a"], [3.0, 4.0])


@pytest.mark.parametrize("limit", [0, -1, np.inf, np.nan])
def test_the_limit_must_be_a_number_above_zero(limit):
    with pytest.raises(ValueError, match=r"^limit is .*, expected a finite number above 0"):
        clip_by_value({"a": np.ones(2)}, limit)


def test_a_limit_may_be_a_numpy_number():
    grads = {"a": np.array([0.5, -3.0], np.float32)}
    assert [clip_by_value(grads, np.float64(0.1)) for _ in range(2)] == [2, 0]


@pytest.mark.parametrize("clip", [clip_by_value, clip_by_global_norm])
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([3.0], TypeError, "b is list, expected a float array"),
        (None, TypeError, "b is NoneType, expected a float array"),
        (np.array([3]), TypeError, "b is int64, expected a float array"),
        (np.array([3j]), TypeError, "b is complex128, expected a float array"),
        (np.broadcast_to(3.0, 2), ValueError, "b is read-only, expected an array to change"),
    ],
)
def test_what_cannot_be_clipped_in_place_changes_nothing(clip, bad, error, message):
    grads = {"a": np.array([9.0, 9.0]), "b": bad}
    with pytest.raises(error, match=f"^{message}"):
        clip(grads, 1)
    assert_array_equal(grads["a"], 9)


def test_long_names_keep_the_table_in_line():
    entry = Entry("layer1.W_xh", (0,), 1.0, 1.0)
    report = GradientReport(
        {"layer1.W_xh": 1e-9, "b_y": 1e-9}, {"layer1.W_xh": entry, "b_y": entry}
    )
    columns = {line.index("e-09") for line in str(report).splitlines()[1:]}
    assert len(columns) == 1
