"""The checks that every module shares. Where they are used, the modules' own tests say so."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rnncourse.validation import (
    NotFiniteError,
    boolean_array,
    copy_params,
    real_array,
    require_choice,
    require_finite,
    require_size,
    whole_numbers,
)


@pytest.mark.parametrize("given", [[1, 2], np.array([1, 2], np.int8), np.array([1, 2], ">f2")])
def test_numbers_of_any_width_become_the_wanted_float(given):
    for dtype in (np.float32, np.float64):
        array = real_array("x", given, (2,), dtype)
        assert_array_equal(array, [1, 2])
        assert array.dtype == np.dtype(dtype)


def test_letters_stand_for_any_size_from_one():
    assert real_array("x", np.ones((4, 2)), ("T", 2), float).shape == (4, 2)
    with pytest.raises(ValueError, match=r"^x has shape \(0, 2\), expected \(T, 2\) with T at le"):
        real_array("x", np.ones((0, 2)), ("T", 2), float)
    with pytest.raises(ValueError, match=r"^x has shape \(4,\), expected \(T, 2\)$"):
        real_array("x", np.ones(4), ("T", 2), float)
    with pytest.raises(ValueError, match=r"^x has shape \(4,\), expected \(3,\)$"):
        real_array("x", np.ones(4), (3,), float)


@pytest.mark.parametrize(
    "given", [1j, True, "1", b"1", None, {}, [1, None], np.array(1, "M8[s]"), np.array(1, "m8[s]")]
)
def test_what_is_no_real_number_is_refused(given):
    with pytest.raises(TypeError, match=r"x has dtype .*, expected real numbers"):
        real_array("x", given, (), float)
    with pytest.raises(TypeError, match=r"x has dtype .*, expected whole numbers"):
        whole_numbers("x", given, (), 0, 9)


def test_not_finite_numbers_are_counted_and_located():
    array = np.zeros((3, 4))
    require_finite("x", array)
    array[1, 2] = np.nan
    array[2, 0] = np.inf
    with pytest.raises(NotFiniteError, match=r"x .*: 2 of 12 entries, the first at index \(1, 2\)"):
        require_finite("x", array)
    array[1, 2] = -np.inf
    with pytest.raises(NotFiniteError, match="2 of 12"):
        require_finite("x", array)


def test_large_finite_numbers_are_finite():
    require_finite("x", np.full(10, 1e308))


def test_whole_numbers_keep_to_their_range():
    assert_array_equal(whole_numbers("n", [1, 3], (2,), 1, 3), [1, 3])
    with pytest.raises(ValueError, match=r"n holds 0 at index \(1,\), expected .* from 1 to 3"):
        whole_numbers("n", [1, 0], (2,), 1, 3)
    with pytest.raises(ValueError, match=r"n holds 4 at index \(0,\)"):
        whole_numbers("n", np.array([4, 1], np.uint8), (2,), 1, 3)


def test_masks_are_boolean():
    assert_array_equal(boolean_array("m", [True, False], (2,)), [True, False])
    with pytest.raises(TypeError, match="m has dtype int64, expected True and False"):
        boolean_array("m", [1, 0], (2,))


def test_sizes_are_python_integers():
    size = require_size("n", np.int32(3))
    assert (size, type(size)) == (3, int)


def test_choices_are_listed():
    assert require_choice("loss", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match="loss is 'c', expected one of 'a', 'b'"):
        require_choice("loss", "c", ("a", "b"))


def test_parameters_are_copied_all_or_none():
    params = {"A": np.zeros(2), "b": np.zeros(1, np.float32)}
    copy_params(params, {"A": [1, 2], "b": [3]})
    assert_array_equal(params["A"], [1, 2])
    assert params["b"].dtype == np.float32
    with pytest.raises(ValueError, match=r"parameters given are \['A'\], expected \['A', 'b'\]"):
        copy_params(params, {"A": [0, 0]})
    with pytest.raises(ValueError, match="b has shape"):
        copy_params(params, {"A": [0, 0], "b": [1, 2]})
    assert_array_equal(params["A"], [1, 2])
