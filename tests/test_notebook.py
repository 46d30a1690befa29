"""Numbers that a notebook prints alike on every processor."""

import numpy as np
import pytest

pytest.importorskip("IPython", reason="IPython is not installed")
from rnncourse.notebook import steady


def test_a_number_within_the_bound_is_shown_as_saved():
    assert steady(0.9711, 0.973, within=0.01) == 0.973
    assert steady(97, 98, within=1) == 98


@pytest.mark.parametrize("value", [0.9, 1.0, np.nan, np.inf])
def test_a_number_outside_shows_itself(value):
    assert np.array_equal(steady(value, 0.973, within=0.01), value, equal_nan=True)


def test_one_entry_outside_is_enough():
    shown = [0.1, 0.2, 0.3]
    assert steady(np.array([0.11, 0.21, 0.29]), shown, within=0.02) is shown
    mine = np.array([0.11, 0.25, 0.29])
    assert steady(mine, shown, within=0.02) is mine


def test_nothing_apart_is_allowed():
    assert steady(3, 3, within=0) == 3
    assert steady(4, 3, within=0) == 4


def test_numbers_without_a_sign_are_subtracted_as_numbers():
    assert steady(np.uint8(2), np.uint8(3), within=1) == 3


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("0.9", 0.9, 0.1), TypeError, "value"),
        ((0.9, None, 0.1), TypeError, "shown"),
        (
            ([1.0, 2.0], [1.0, 2.0, 3.0], 0.1),
            ValueError,
            r"shown has shape \(3,\), expected \(2,\)",
        ),
        ((0.9, 0.9, -0.1), ValueError, "within is -0.1"),
        ((0.9, 0.9, np.nan), ValueError, "within"),
        ((0.9, 0.9, True), TypeError, "within"),
    ],
)
def test_bad_input_is_named(arguments, error, text):
    with pytest.raises(error, match=text):
        steady(*arguments)
