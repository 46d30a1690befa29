"""The checks that every module shares. Where they are used, the modules' own tests say so."""

import copy
import io
import pickle

import numpy as np
import pytest
from helpers import LAYERS, make_model
from numpy.testing import assert_array_equal

from rnncourse.validation import (
    NotFiniteError,
    boolean_array,
    copy_params,
    incoming,
    real_array,
    require_choice,
    require_finite,
    require_fraction,
    require_number,
    require_positive,
    require_size,
    require_writable,
    sequences,
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


@pytest.mark.parametrize("value", [0, -3, 2.5, np.float32(0.5), np.int8(4)])
def test_a_number_is_any_finite_real(value):
    assert require_number("bias", value) == value
    assert type(require_number("bias", value)) is float


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0], np.ones(1)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"bias is .*, expected a number$"):
        require_number("bias", value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_is_finite(value):
    with pytest.raises(ValueError, match=f"bias is {value}, expected a finite number$"):
        require_number("bias", value)


def test_sequences_are_cleared_past_their_ends():
    given = np.arange(12.0).reshape(3, 2, 2)
    given[2, 0] = np.nan
    x, lengths, inside = sequences(given, [2, 3], 2, np.dtype(np.float32))
    assert_array_equal(x[2, 0], 0)
    assert_array_equal(np.delete(x.reshape(6, 2), 4, 0), np.delete(given.reshape(6, 2), 4, 0))
    assert x.dtype == np.float32
    assert_array_equal(lengths, [2, 3])
    assert_array_equal(inside, [[True, True], [True, True], [False, True]])
    assert np.isnan(given[2, 0]).all()  # the caller's own array is left alone


def test_sequences_of_one_length_need_no_mask():
    x, lengths, inside = sequences([[[1, 2], [3, 4]]], None, 2, np.dtype(float))
    assert_array_equal(x, [[[1, 2], [3, 4]]])
    assert_array_equal(lengths, [1, 1])
    assert inside is None
    assert x.dtype == np.float64


def test_incoming_are_cleared_past_the_ends():
    inside = np.array([[True, True], [False, True]])
    dh = np.array([[[1.0], [2.0]], [[np.inf], [4.0]]])
    cleared = incoming(dh, (2, 2, 1), inside, np.dtype(np.float32))
    assert_array_equal(cleared[..., 0], [[1, 2], [0, 4]])
    assert cleared.dtype == np.float32
    assert np.isinf(dh[1, 0])
    with pytest.raises(NotFiniteError, match=r"dh contains NaN or infinity: 1 of 4 .*\(1, 0, 0\)"):
        incoming(dh, (2, 2, 1), None, np.dtype(float))


@pytest.mark.parametrize("value", [None, 1, ["a"], np.array(["a", "b"])])
def test_a_choice_is_text(value):
    with pytest.raises(ValueError, match=r"^q is .*, expected one of 'a', 'b'"):
        require_choice("q", value, ("a", "b"))


@pytest.mark.parametrize("check", [require_number, require_positive, require_fraction])
def test_a_number_too_large_for_a_float_is_not_finite(check):
    with pytest.raises(ValueError, match=r"^n is 1000.*, expected a finite number"):
        check("n", 10**400)


# ---------------------------------------------------------------- weights that are read-only


def read_only(model, folder):
    """Return the model as a worker of joblib gets it: its arrays are mapped from files, to read."""
    files = iter(range(1000))

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if type(value) is not np.ndarray:
                return None
            path = folder / f"{next(files)}.npy"
            np.save(path, value)
            return path

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, path):
            return np.load(path, mmap_mode="r")

    memory = io.BytesIO()
    Pickler(memory).dump(model)
    memory.seek(0)
    return Unpickler(memory).load()


def assert_views_of_one_matrix(model):
    """What is written into a named weight changes what the layer computes, and nothing else."""
    x = np.ones((3, 2, 2))
    for name, W in model.params.items():
        before, y = {n: V.copy() for n, V in model.params.items()}, model.predict(x)
        W[...] += 0.5
        assert (model.predict(x) != y).any(), name
        moved = {n for n, V in model.params.items() if (V != before[n]).any()}
        assert moved == {name}


@pytest.mark.parametrize("kind", [*LAYERS, "LSTMs"])
def test_weights_that_are_read_only_are_named_and_a_copy_is_writable(rng, tmp_path, kind):
    original = make_model(2, 4, 3, rng, layer=kind)
    model = read_only(original, tmp_path)
    x, values = rng.normal(size=(3, 2, 2)), {n: W + 1 for n, W in original.params.items()}
    before = {n: W.copy() for n, W in model.params.items()}
    assert_array_equal(model.predict(x), original.predict(x))
    with pytest.raises(ValueError, match=r"^\S+ is read-only, .*expected a writable array; copy"):
        model.load_params(values)
    require_writable(original.params)
    for name in model.params:
        with pytest.raises(ValueError, match=f"^{name} is read-only"):
            require_writable({name: model.params[name]})
    copied = copy.deepcopy(model)
    require_writable(copied.params)
    copied.load_params(values)
    for n, W in copied.params.items():
        assert_array_equal(W, values[n])
        assert_array_equal(model.params[n], before[n])
    assert_views_of_one_matrix(copied)


def test_nothing_is_written_if_one_of_the_weights_is_read_only():
    params = {"A": np.zeros(2), "b": np.broadcast_to(0.0, 2)}
    with pytest.raises(ValueError, match=r"^b is read-only"):
        copy_params(params, {"A": np.ones(2), "b": np.ones(2)})
    assert_array_equal(params["A"], 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "stack", "bidirectional"])
def test_workers_of_joblib_get_weights_that_are_read_only(rng, kind):
    joblib = pytest.importorskip("joblib", exc_type=ImportError)
    model = make_model(2, 4, 3, rng, layer=kind)
    work = joblib.delayed(_in_a_worker)
    ((message, changed),) = joblib.Parallel(n_jobs=2, max_nbytes=1)([work(model)])
    assert "is read-only" in message
    assert changed


def _in_a_worker(model):
    """Return what loading weights into a model says, and whether it works with a copy."""
    values = {n: W + 1 for n, W in model.params.items()}
    try:
        model.load_params(values)
        message = "nothing"
    except ValueError as error:
        message = str(error)
    copied = copy.deepcopy(model)
    copied.load_params(values)
    assert_views_of_one_matrix(copied)
    return message, all((copied.params[n] != W).all() for n, W in model.params.items())


def test_what_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match=r"^values is a list, expected a mapping of named arrays"):
        copy_params({"A": np.zeros(2)}, [1, 2])
