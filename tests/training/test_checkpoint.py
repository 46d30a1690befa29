"""Checkpoints: exact round trips, damaged and hostile files, interrupted saves."""

import io
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
from helpers import LAYERS, make_model
from numpy.testing import assert_array_equal

from rnncourse import (
    LSTM,
    RNN,
    SGD,
    Adam,
    History,
    Model,
    Readout,
    RMSprop,
    Stack,
    files,
    fit,
    load_checkpoint,
    save_checkpoint,
)
from rnncourse.model import MODEL_FORMAT


def save_arrays(path, arrays, header):
    files.save_arrays(path, arrays, header, format=MODEL_FORMAT)


def load_arrays(path):
    return files.load_arrays(path, MODEL_FORMAT)


@pytest.fixture
def run(rng, layer):
    """A model, optimizer, generator and history with something in each."""
    model, optimizer = make_model(2, 3, 2, rng, layer=layer), Adam()
    optimizer.step(model.params, {n: rng.normal(size=W.shape) for n, W in model.params.items()})
    history = History(loss=[0.5], validation_loss=[0.7], gradient_norm=[1.5], best_epoch=1)
    return model, optimizer, rng, history


@pytest.fixture
def layer():
    """The kind of layer of `run`: RNN, where a test does not say another."""
    return "RNN"


@pytest.fixture
def saved(run, tmp_path):
    """The path of a checkpoint of `run`."""
    model, optimizer, rng, history = run
    path = tmp_path / "run.npz"
    best = {n: W + 1 for n, W in model.params.items()}
    save_checkpoint(path, model, optimizer, rng=rng, history=history, best=best)
    return path


def everything(model, optimizer, rng):
    """All that a load could change, as comparable values."""
    return repr(
        [
            {n: W.tolist() for n, W in model.params.items()},
            {n: a.tolist() for n, a in optimizer.state().items()},
            rng.bit_generator.state,
        ]
    )


def fresh(seed=99, layer="RNN"):
    rng = np.random.default_rng(seed)
    return make_model(2, 3, 2, rng, layer=layer), Adam(), rng


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("layer", LAYERS)
def test_everything_comes_back_exactly(run, saved, layer):
    model, optimizer, rng, history = run
    other = fresh(layer=layer)
    assert everything(*other) != everything(model, optimizer, rng)
    history_2, best = load_checkpoint(saved, other[0], other[1], rng=other[2])
    assert everything(*other) == everything(model, optimizer, rng)
    assert history_2 == history
    for name, W in model.params.items():
        assert_array_equal(best[name], W + 1)


def test_an_optimizer_keeps_its_own_settings(saved):
    """It may go on with another learning rate."""
    model, _, rng = fresh()
    adam = Adam(0.5, beta1=0.25)
    load_checkpoint(saved, model, adam, rng=rng)
    assert (adam.steps, adam.learning_rate, adam.rate, adam.beta1) == (1, 0.5, 0.5, 0.25)


def test_a_checkpoint_of_version_0_1_is_read(run, tmp_path):
    """It named its model in words, kept no settings, and had its history as text."""
    model, adam, rng, _ = run
    arrays = {f"params/{n}": W for n, W in model.params.items()}
    arrays |= {f"best/{n}": W + 1 for n, W in model.params.items()}
    arrays |= {f"optimizer/{n}": a for n, a in adam.state().items()}
    history = {"loss": [0.5, 0.4, 0.3], "validation_loss": [0.7, 0.6], "gradient_norm": [1.5, 1, 2]}
    header = {
        "model": "RNN many-to-many cross_entropy mean float64",
        "optimizer": "Adam",
        "rng": rng.bit_generator.state,
        "history": {**history, "best_epoch": 3, "stopped": "3 epochs done"},
    }
    path = tmp_path / "old.npz"
    files.save_arrays(path, arrays, header, format="rnncourse checkpoint 1")
    other = fresh()
    read, best = load_checkpoint(path, other[0], other[1], rng=other[2])
    assert everything(*other) == everything(model, adam, rng)
    for name, W in model.params.items():
        assert_array_equal(best[name], W + 1)
    assert (read.loss, read.gradient_norm, read.best_epoch) == (history["loss"], [1.5, 1, 2], 3)
    assert_array_equal(read.validation_loss, [np.nan, 0.7, 0.6])
    assert read.stopped == "3 epochs done"
    x, targets = np.zeros((4, 1, 2)), np.zeros((4, 1), int)
    options = {"rng": other[2], "checkpoint": path, "resume": True, "progress": False}
    assert fit(other[0], x, targets, epochs=4, optimizer=other[1], **options).epochs == 4
    files.save_arrays(path, arrays, header, format="rnncourse checkpoint 1")
    lstm = make_model(2, 3, 2, rng, layer="LSTM")
    refused(path, "its model is RNN many.*, expected LSTM many", (lstm, Adam(), rng))
    bare = {"model": header["model"], "optimizer": None, "rng": None, "history": None}
    files.save_arrays(path, arrays, bare, format="rnncourse checkpoint 1")
    assert load_checkpoint(path, other[0])[0] == History()


def test_a_model_alone(run, tmp_path):
    model, *_ = run
    save_checkpoint(str(tmp_path / "m"), model)  # the name is kept as it is
    assert os.listdir(tmp_path) == ["m"]
    other, *_ = fresh()
    assert load_checkpoint(str(tmp_path / "m"), other) == (History(), {})
    for name, W in model.params.items():
        assert_array_equal(other.params[name], W)


@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_every_kind_of_generator(run, tmp_path, kind):
    """Some keep arrays in their state."""
    rng, again = (np.random.Generator(getattr(np.random, kind)(s)) for s in (1, 2))
    rng.random(3)
    save_checkpoint(tmp_path / "c", run[0], rng=rng)
    load_checkpoint(tmp_path / "c", run[0], rng=again)
    assert_array_equal(rng.random(5), again.random(5))


def test_no_pickle_is_written(saved):
    with np.load(saved, allow_pickle=False) as file:
        assert all(file[name].dtype.kind in "fiu" for name in file.files)
    with pytest.raises(TypeError, match="a has dtype object, expected numbers"):
        save_arrays(saved, {"a": np.array([None])}, None)


# ---------------------------------------------------------------- files that do not fit


def refused(path, message, run=None):
    """Assert that the file is refused with its name and a reason, and that nothing changes."""
    target = run or fresh()
    before = everything(*target)
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(path, target[0], target[1], rng=target[2])
    assert path.name in str(caught.value)
    assert everything(*target) == before


@pytest.mark.slow
def test_a_file_cut_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for size in range(len(whole) - 1, -1, -23):
        saved.write_bytes(whole[:size])
        refused(saved, "is not a whole file of rnncourse")
    saved.write_bytes(b"")
    refused(saved, "is not a whole file of rnncourse")


@pytest.mark.slow
def test_damage_anywhere_is_refused_or_harmless(run, saved):
    """Flip bytes: either the file is refused or nothing that it holds has changed."""
    whole, target = bytearray(saved.read_bytes()), everything(*run[:3])
    rng = np.random.default_rng(0)
    refusals = 0
    for position in rng.integers(len(whole), size=300):
        damaged = whole.copy()
        damaged[position] ^= int(rng.integers(1, 256))
        saved.write_bytes(damaged)
        other = fresh()
        try:
            load_checkpoint(saved, other[0], other[1], rng=other[2])
        except ValueError:
            refusals += 1
        else:
            assert everything(*other) == target
    assert refusals > 100


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_garbage_is_refused(saved, rng, size):
    for _ in range(20):
        saved.write_bytes(rng.bytes(size))
        refused(saved, "is not a whole file of rnncourse")


class Payload:
    """Unpickled, it would set a variable."""

    def __reduce__(self):
        return exec, ("import sys; sys.payload_executed = True",)


@pytest.mark.parametrize("how", ["pickle", "array", "entry"])
def test_a_pickle_is_refused_and_never_executed(saved, how):
    hostile = np.array([Payload()], dtype=object)
    if how == "pickle":
        saved.write_bytes(pickle.dumps(Payload()))
    elif how == "array":
        with saved.open("wb") as file:
            np.save(file, hostile, allow_pickle=True)
    else:
        with np.load(saved, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        with saved.open("wb") as file:
            np.savez(file, **{**arrays, "params/W_hh": hostile})
    refused(saved, "is not a whole file of rnncourse")
    assert not hasattr(sys, "payload_executed")
    # The payload does work where it is let in.
    pickle.loads(pickle.dumps(Payload()))
    assert sys.payload_executed
    del sys.payload_executed


def write(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": np.ones(3)},
        {"": np.array("not json")},
        {"": np.array("[]")},
        {"": np.array("3")},
        {"": np.ones(3)},
        {"header": np.array(json.dumps({"format": "another 1", "header": {}}))},
        {"header": np.array(json.dumps({"format": "rnncourse checkpoint 1"}))},
        {"header": np.array(json.dumps({"format": "rnncourse model 3", "header": {}}))},
        {"header": np.array("[" * 100_000)},
    ],
)
def test_other_npz_files_are_refused(saved, arrays):
    write(saved, **arrays)
    refused(saved, "is not a whole file of rnncourse")


def test_an_npy_file_a_zip_of_text_and_a_folder_are_refused(saved, tmp_path):
    with saved.open("wb") as file:
        np.save(file, np.ones(3))
    refused(saved, "is not a whole file of rnncourse")
    with zipfile.ZipFile(saved, "w") as file:
        file.writestr("readme.txt", "hello")
    refused(saved, "is not a whole file of rnncourse")
    refused(tmp_path, "is not a whole file of rnncourse")
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "nothing", fresh()[0])


@pytest.mark.parametrize(
    "header", [None, [], {}, {"model": "RNN many-to-many cross_entropy float64"}]
)
def test_a_strange_header_is_refused(run, saved, header):
    arrays, _ = load_arrays(saved)
    save_arrays(saved, arrays, header)
    refused(saved, "does not fit")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"best_epoch": [1]}, "does not fit"),
        ({"rng": {"bit_generator": "PCG64"}}, "does not fit"),
        ({"rng": {"bit_generator": "MT19937"}}, "it holds no state of a PCG64 generator"),
        ({"rng": 3}, "does not fit"),
    ],
)
def test_a_header_with_a_strange_part_is_refused(run, saved, changed, message):
    arrays, header = load_arrays(saved)
    save_arrays(saved, arrays, header | {"training": header["training"] | changed})
    refused(saved, message)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("params/W_hh", np.ones((3, 2)), r"W_hh has shape \(3, 2\), expected \(3, 3\)"),
        ("params/W_hh", np.full((3, 3), np.nan), "W_hh contains NaN"),
        ("params/W_hh", None, "parameters given are"),
        ("optimizer/W_hh.speed", np.ones((3, 3)), "'W_hh.speed', expected entries of Adam"),
        ("optimizer/W_hh.mean", None, "W_hh"),
        ("optimizer/W_hh.mean", np.ones((2, 2)), r"W_hh.mean has shape \(2, 2\)"),
        ("optimizer/steps", None, "steps"),
        ("best/W_hh", np.ones((2, 2)), "W_hh has shape"),
        ("last/W_hh", np.ones((3, 3)), "parameters given are"),
        ("history/losses", np.ones(2), "losses"),
        ("history/loss", np.array("0.5"), "does not fit"),
        ("history/loss", np.ones((2, 2)), "does not fit"),
        ("extra/W_hh", np.ones((3, 3)), "it holds extra/W_hh, which no checkpoint has"),
    ],
)
def test_a_strange_array_is_refused(run, saved, name, value, message):
    arrays, header = load_arrays(saved)
    arrays[name] = value
    save_arrays(saved, {n: a for n, a in arrays.items() if a is not None}, header)
    refused(saved, message)


def test_the_memory_of_a_part_of_the_model_is_refused(run, saved):
    arrays, header = load_arrays(saved)
    part = {name: a for name, a in arrays.items() if not name.startswith("optimizer/W_hh")}
    save_arrays(saved, part, header)
    refused(saved, r"its optimizer state is of \['W_hy', 'W_xh', 'b_h', 'b_y'\]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"H": 4}, "its layer is RNN with hidden_size 3, expected hidden_size 4"),
        ({"D": 3}, "its layer is RNN with input_size 2, expected input_size 3"),
        ({"O": 3}, "its readout has output_size 2, expected output_size 3"),
        ({"dtype": np.float32}, "its layer is RNN with dtype float64, expected dtype float32"),
        ({"loss": "squared_error"}, "its loss is cross_entropy, expected squared_error"),
        ({"arrangement": "many-to-one"}, "its arrangement is many-to-many, expected many-to-one"),
        ({"reduction": "sum"}, "its reduction is mean, expected sum"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(saved, options, message):
    model = make_model(**{"D": 2, "H": 3, "O": 2, "rng": np.random.default_rng(1), **options})
    refused(saved, message, (model, Adam(), np.random.default_rng(2)))


def test_a_checkpoint_of_another_kind_of_layer_is_refused(saved, rng):
    class Other(RNN):
        pass

    model = Model(Other(2, 3, rng=rng), Readout(3, 2, rng=rng))
    refused(saved, "its layer is RNN, expected Other", (model, Adam(), rng))


def test_layers_of_other_kinds_or_in_another_order_are_refused(tmp_path, rng):
    layers = {
        "RNN": RNN(3, 3, rng=rng),
        "LSTM": LSTM(3, 3, rng=rng),
        "Stack of one": Stack(LSTM(3, 3, rng=rng)),
        "RNN below": Stack(RNN(3, 3, rng=rng), LSTM(3, 3, rng=rng)),
        "LSTM below": Stack(LSTM(3, 3, rng=rng), RNN(3, 3, rng=rng)),
    }
    models = {name: Model(layer, Readout(3, 2, rng=rng)) for name, layer in layers.items()}
    for one, model in models.items():
        save_checkpoint(tmp_path / "c", model, Adam(), rng=rng)
        for other, target in models.items():
            if other != one:
                refused(tmp_path / "c", "does not fit", (target, Adam(), rng))


@pytest.mark.parametrize("optimizer", [SGD(0.1), RMSprop()])
def test_a_checkpoint_of_another_optimizer_is_refused(saved, optimizer):
    model, _, rng = fresh()
    refused(saved, "its optimizer is Adam, expected", (model, optimizer, rng))


def test_half_a_state_of_a_generator_changes_nothing(run, saved):
    """This kind takes over the first part of its state before it misses the second."""
    model, optimizer, _, _ = run
    rng, other = (np.random.Generator(np.random.MT19937(seed)) for seed in (1, 2))
    save_checkpoint(saved, model, optimizer, rng=rng)
    arrays, header = load_arrays(saved)
    del header["training"]["rng"]["state"]["pos"]
    save_arrays(saved, arrays, header)
    refused(saved, "does not fit", (*fresh()[:2], other))


def test_what_was_not_saved_cannot_be_loaded(run, saved):
    save_checkpoint(saved, run[0])
    refused(saved, "its optimizer is None, expected Adam")
    model, _, rng = fresh()
    with pytest.raises(ValueError, match="it holds no state of a PCG64 generator"):
        load_checkpoint(saved, model, rng=rng)


# ---------------------------------------------------------------- interrupted saves


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("moment", ["savez", "fsync", "replace"])
def test_an_interrupted_save_leaves_the_old_file_whole(run, saved, monkeypatch, moment, error):
    before, files = saved.read_bytes(), os.listdir(saved.parent)

    def fail(*arguments, **_):
        if isinstance(arguments[0], io.IOBase):  # half a file is there already
            arguments[0].write(before[: len(before) // 2])
        raise error

    monkeypatch.setattr(np if moment == "savez" else os, moment, fail)
    run[0].params["b_h"][:] = 0
    with pytest.raises(type(error)):
        save_checkpoint(saved, run[0])
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == files


def test_an_interrupt_right_after_the_replacement_is_passed_on(run, saved, monkeypatch):
    def replace(source, target, replace=os.replace):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    run[0].params["b_h"][:] = 0.25
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(saved, run[0])
    assert_array_equal(load_arrays(saved)[0]["params/b_h"], 0.25)
    assert os.listdir(saved.parent) == [saved.name]


def test_two_processes_that_save_at_once_do_not_meet(run, saved, monkeypatch):
    """A second one saves while the first has written its file and not yet moved it."""

    def replace(source, target, replace=os.replace):
        if os.getpid() > 0:
            monkeypatch.setattr(os, "getpid", lambda: 0)
            save_checkpoint(saved, fresh()[0])
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace)
    save_checkpoint(saved, run[0])
    assert_array_equal(load_arrays(saved)[0]["params/W_hh"], run[0].params["W_hh"])
    assert os.listdir(saved.parent) == [saved.name]


def test_a_save_replaces_the_old_file_and_leaves_no_other(run, saved):
    run[0].params["b_h"][:] = 0.25
    save_checkpoint(saved, run[0])
    assert os.listdir(saved.parent) == [saved.name]
    other, *_ = fresh()
    load_checkpoint(saved, other)
    assert_array_equal(other.params["b_h"], 0.25)


def test_a_file_that_may_not_be_read_is_not_called_damaged(saved, monkeypatch):
    def denied(*_):
        raise PermissionError("no permission")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(PermissionError, match="no permission"):
        load_checkpoint(saved, fresh()[0])


def test_a_folder_that_does_not_exist(run, tmp_path):
    with pytest.raises(FileNotFoundError):
        save_checkpoint(tmp_path / "no" / "run.npz", run[0])
