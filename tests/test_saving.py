"""`Model.save` and `Model.load`: round trips, layers of your own, damaged and hostile files."""

import copy
import io
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import ARRANGEMENTS, LAYERS, LOSSES, make_model, make_problem, problems
from hypothesis import given
from numpy.testing import assert_array_equal

from rnncourse import (
    GRU,
    LSTM,
    RNN,
    Adam,
    Bidirectional,
    Embedding,
    Model,
    NotFiniteError,
    Readout,
    Stack,
    fit,
)
from rnncourse.files import load_arrays, save_arrays
from rnncourse.model import MODEL_FORMAT

EVERY = (*LAYERS, "LSTMs", "embedding")


class Scaled:
    """A layer of one's own: α times the states of an RNN."""

    def __init__(self, input_size, hidden_size, *, alpha, rng):
        self.rnn, self.alpha = RNN(input_size, hidden_size, rng=rng), alpha
        self.input_size, self.hidden_size = input_size, hidden_size
        self.dtype, self.params = self.rnn.dtype, self.rnn.params

    def forward(self, x, state=None, lengths=None):
        h, state_T, trace = self.rnn.forward(x, state, lengths)
        return self.alpha * h, state_T, trace

    def backward(self, trace, dh=None, dstate_T=None):
        return self.rnn.backward(trace, None if dh is None else self.alpha * dh, dstate_T)


class Leaky(Scaled):
    """The same, and it says how it is made."""

    @property
    def arguments(self):
        return {"input_size": self.input_size, "hidden_size": self.hidden_size, "alpha": self.alpha}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.fixture
def model(rng):
    """A model with a layer inside a layer."""
    return make_model(2, 3, 2, rng, layer="mixed")


@pytest.fixture
def saved(model, path):
    model.save(path)
    return path


def kinds(layer):
    """Return the classes of a layer and of those inside it, in their structure."""
    if isinstance(layer, Stack):
        return Stack, *map(kinds, layer.layers)
    if isinstance(layer, Bidirectional):
        return Bidirectional, kinds(layer.forward_layer), kinds(layer.reverse_layer)
    return type(layer), layer.input_size, layer.hidden_size, getattr(layer, "reset", None)


def assert_same_model(one, other):
    assert other.description == one.description
    assert kinds(other.layer) == kinds(one.layer)
    assert other.params.keys() == one.params.keys()
    for name, W in one.params.items():
        assert other.params[name].dtype == W.dtype
        assert other.params[name].tobytes() == W.tobytes()


def assert_same_results(one, other, p):
    x, state = p.x, p.state
    if one.arrangement == "one-to-many":
        assert_array_equal(one.predict(x, steps=4), other.predict(x, steps=4))
    else:
        y, y_again = (m.predict(x, state=state, lengths=p.lengths) for m in (one, other))
        assert_array_equal(y, y_again)
    first, second = (m.loss_and_gradients(**p.data, state=state) for m in (one, other))
    assert first.E == second.E == other.loss(**p.data, state=state)
    assert first.grads.keys() == second.grads.keys()
    for name, grad in first.grads.items():
        assert_array_equal(grad, second.grads[name])
    assert_array_equal(first.dx, second.dx)


# ---------------------------------------------------------------- round trips


@given(p=problems())
def test_a_model_comes_back_exactly(p, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round_trip.npz"
    p.model.save(path)
    again = Model.load(path)
    assert_same_model(p.model, again)
    assert_same_results(p.model, again, p)


@pytest.mark.parametrize("layer", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_layer_and_dtype_comes_back(path, rng, layer, dtype):
    p = make_problem(rng, layer=layer, dtype=dtype, ragged=True, masked=True)
    p.model.save(path)
    again = Model.load(path)
    assert again.layer.dtype == dtype
    assert_same_model(p.model, again)
    assert_same_results(p.model, again, p)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_arrangement_loss_and_reduction_comes_back(path, rng, arrangement, loss, reduction):
    p = make_problem(rng, arrangement=arrangement, loss=loss, reduction=reduction)
    p.model.save(path)
    again = Model.load(path)
    assert (again.arrangement, again.loss_name, again.reduction) == (arrangement, loss, reduction)
    assert_same_results(p.model, again, p)


def test_layers_inside_layers_inside_layers(path, rng):
    inner = Stack(Embedding(5, 3, rng=rng), GRU(3, 2, reset="before", rng=rng))
    other = Stack(Embedding(5, 4, rng=rng), LSTM(4, 3, forget_bias=-2, rng=rng))
    layer = Stack(Bidirectional(inner, other), Stack(Stack(GRU(5, 4, rng=rng))))
    model = Model(layer, Readout(4, 2, rng=rng), arrangement="many-to-one")
    model.save(path)
    assert_same_model(model, Model.load(path))


@pytest.mark.parametrize("layer", EVERY)
def test_a_loaded_model_trains_as_the_original_does(path, rng, layer):
    p = make_problem(rng, layer=layer, B=6)
    p.model.save(path)
    runs = []
    for model in (p.model, Model.load(path)):
        options = {"optimizer": Adam(0.01), "rng": np.random.default_rng(3), "progress": False}
        history = fit(model, p.x, p.targets, epochs=2, batch_size=2, **options)
        runs.append((history.loss, {n: W.tolist() for n, W in model.params.items()}))
    assert runs[0] == runs[1]
    assert runs[0][1] != {n: W.tolist() for n, W in Model.load(path).params.items()}


def test_two_loads_share_nothing(saved):
    one, other = Model.load(saved), Model.load(saved)
    for name, W in one.params.items():
        assert_array_equal(W, other.params[name])
        assert not np.shares_memory(W, other.params[name])


def test_a_tower_of_fifty_stacks_comes_back(path, rng):
    layer = RNN(2, 3, rng=rng)
    for _ in range(50):
        layer = Stack(layer)
    model = Model(layer, Readout(3, 2, rng=rng))
    model.save(path)
    assert_same_model(model, Model.load(path))


def test_weights_of_a_machine_with_the_other_byte_order_fit(model, saved):
    arrays, header = load_arrays(saved, MODEL_FORMAT)
    swapped = {n: a.astype(a.dtype.newbyteorder("S")) for n, a in arrays.items()}
    save_arrays(saved, swapped, header, format=MODEL_FORMAT)
    assert_same_model(model, Model.load(saved))


def test_a_model_of_ones_own_class_comes_back_as_one(saved):
    class Named(Model):
        pass

    assert type(Named.load(saved)) is Named


# ---------------------------------------------------------------- the file


def test_a_file_holds_plain_arrays_and_says_what_they_are(model, saved):
    with np.load(saved, allow_pickle=False) as file:
        names, header = set(file.files), json.loads(file["header"].tobytes())
        assert all(file[name].dtype.kind in "fu" for name in names)
    assert names == {"header"} | {f"params/{name}" for name in model.params}
    described = {"model": model.description, "training": None}
    assert header == {"format": "rnncourse model 2", "header": described}


def test_a_model_is_read_from_a_checkpoint(model, saved):
    arrays, header = load_arrays(saved, MODEL_FORMAT)
    for prefix in ("best", "last", "optimizer", "history"):
        arrays |= {f"{prefix}/{n}": np.full(3, 9) for n in (*model.params, "loss")}
    training = {"optimizer": "Adam", "rng": None, "best_epoch": 3}
    save_arrays(saved, arrays, header | {"training": training}, format=MODEL_FORMAT)
    assert_same_model(model, Model.load(saved))


@pytest.mark.parametrize("name", ["model.npz", "model", "model.1", "[m].npz"])
@pytest.mark.parametrize("kind", [str, Path])
def test_the_name_of_a_file_is_kept(model, tmp_path, name, kind):
    path = kind(tmp_path / name)
    model.save(path)
    model.save(path)
    assert os.listdir(tmp_path) == [name]
    assert_same_model(model, Model.load(path))


def test_a_link_stays_a_link(model, tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.npz"
    link.symlink_to(tmp_path / "real" / "model.npz")
    model.save(link)
    assert link.is_symlink()
    assert_same_model(model, Model.load(tmp_path / "real" / "model.npz"))
    assert_same_model(model, Model.load(link))


def test_places_where_no_file_can_be(model, tmp_path):
    with pytest.raises(IsADirectoryError, match="a folder, expected a file"):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a file in a folder that exists"):
        model.save(tmp_path / "no" / "model.npz")
    with pytest.raises(TypeError, match="expected a path"):
        model.save(os.fsencode(tmp_path / "model.npz"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("moment", ["savez", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(model, saved, monkeypatch, moment):
    before = saved.read_bytes()

    def full(*arguments, **_):
        if isinstance(arguments[0], io.IOBase):
            arguments[0].write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np if moment == "savez" else os, moment, full)
    with pytest.raises(OSError, match="No space left"):
        model.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["layer2.forward.W_hh", "b_y"])
def test_what_could_not_be_loaded_is_not_saved(model, saved, name, value):
    before = saved.read_bytes()
    model.params[name][-1] = value
    with pytest.raises(NotFiniteError, match=f"^{name} contains NaN or infinity"):
        model.save(saved)
    assert saved.read_bytes() == before


def test_a_missing_file_and_one_that_may_not_be_read(saved, monkeypatch):
    with pytest.raises(FileNotFoundError):
        Model.load(saved.parent / "nothing.npz")

    def denied(*_):
        raise PermissionError("no permission")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(PermissionError, match="no permission"):
        Model.load(saved)


# ---------------------------------------------------------------- layers of one's own


@pytest.mark.parametrize(
    "around", [lambda own, rng: own, lambda own, rng: Stack(own, GRU(3, 3, rng=rng))]
)
def test_a_layer_of_ones_own_comes_back_with_its_class(path, rng, around):
    layer = around(Leaky(2, 3, alpha=0.3, rng=rng), rng)
    model = Model(layer, Readout(3, 2, rng=rng))
    model.save(path)
    again = Model.load(path, layers=[Leaky])
    assert_same_model(model, again)
    x = rng.normal(size=(4, 2, 2))
    assert_array_equal(again.predict(x), model.predict(x))
    fit(
        again,
        x,
        np.zeros((4, 2), int),
        epochs=1,
        batch_size=2,
        optimizer=Adam(),
        rng=rng,
        progress=False,
    )
    refused(path, "a layer is of kind 'Leaky', expected one of RNN, .*layers=", layers=[Scaled])


def test_a_layer_that_does_not_say_how_it_is_made_is_not_saved(path, rng):
    own = Scaled(2, 3, alpha=0.3, rng=rng)
    model = Model(Stack(own, RNN(3, 3, rng=rng)), Readout(3, 2, rng=rng))
    with pytest.raises(TypeError, match="Scaled does not say how it is made") as caught:
        model.save(path)
    assert "no attribute `arguments`" in str(caught.value)
    assert "numpy.savez(path, **model.params)" in str(caught.value)
    assert not path.exists()
    assert model.description["layer"]["arguments"][0] == {  # which a checkpoint needs
        "kind": "Scaled",
        "dtype": "float64",
        "parameters": {"W_xh": [3, 2], "W_hh": [3, 3], "b_h": [3]},
    }


def test_a_checkpoint_of_a_layer_that_does_not_say_how_it_is_made(path, rng):
    model = Model(Scaled(2, 3, alpha=0.3, rng=rng), Readout(3, 2, rng=rng))
    arrays = {f"params/{name}": W for name, W in model.params.items()}
    header = {"model": model.description, "training": {}}
    save_arrays(path, arrays, header, format=MODEL_FORMAT)
    refused(path, r"load_checkpoint\(path, model\)", layers=[Scaled])


class Doubled(RNN):
    """A subclass whose weights mean something else."""

    def forward(self, x, state=None, lengths=None):
        return super().forward(2 * np.asarray(x), state, lengths)


def test_a_subclass_is_not_taken_for_ours(path, rng):
    model = Model(Doubled(2, 3, rng=rng), Readout(3, 2, rng=rng))
    model.save(path)
    refused(path, "a layer is of kind 'Doubled'")
    assert type(Model.load(path, layers=[Doubled]).layer) is Doubled


def test_a_class_with_the_name_of_ours_is_not_taken_for_ours(path, rng):
    impostor = type("RNN", (Doubled,), {})
    model = Model(impostor(2, 3, rng=rng), Readout(3, 2, rng=rng))
    with pytest.raises(TypeError, match="RNN is a class of your own, expected a name that no"):
        model.save(path)
    with pytest.raises(ValueError, match="layers holds another RNN, expected names that differ"):
        Model.load(path, layers=[impostor])


def test_the_classes_that_are_given_must_be_classes(saved, rng):
    for layers in (Leaky, 3, [Leaky(2, 3, alpha=1, rng=rng)], ["Leaky"]):
        with pytest.raises(TypeError, match=r"layers (is|holds) .*, expected a list of classes"):
            Model.load(saved, layers=layers)


def test_a_class_that_fails_is_named(path, rng):
    Model(Leaky(2, 3, alpha=0.3, rng=rng), Readout(3, 2, rng=rng)).save(path)

    def failing(error):
        def fail(self, input_size, hidden_size, *, alpha, rng):
            raise error

        return type("Leaky", (Leaky,), {"__init__": fail})

    refused(path, "no such thing", layers=[failing(RuntimeError("no such thing"))])
    refused(path, r"bad \(a Leaky\)", layers=[failing(ValueError("bad"))])
    refused(path, "what is made is 3", layers=[type("Leaky", (), {"__new__": lambda *_, **__: 3})])


# ---------------------------------------------------------------- damaged and hostile files


def refused(path, message, **options):
    """Assert that a file is refused, with its name and the reason."""
    with pytest.raises(ValueError, match=message) as caught:
        Model.load(path, **options)
    assert path.name in str(caught.value)
    assert len(str(caught.value)) < 1000


def rewrite(path, change, **arrays):
    """Write a file again, its description changed by `change`, and some of its arrays."""
    held, header = load_arrays(path, MODEL_FORMAT)
    described = copy.deepcopy(header["model"])
    changed = change(described) if change else None
    model = described if changed is None else changed
    held |= {f"params/{name}": value for name, value in arrays.items()}
    held = {name: value for name, value in held.items() if value is not None}
    save_arrays(path, held, header | {"model": model}, format=MODEL_FORMAT)


def test_a_file_cut_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for size in [*range(len(whole) - 1, 0, -53), 1, 0]:
        saved.write_bytes(whole[:size])
        refused(saved, "is not a whole file of rnncourse")


def test_damage_anywhere_is_refused_or_harmless(model, saved):
    whole, rng, refusals = bytearray(saved.read_bytes()), np.random.default_rng(0), 0
    for position in rng.integers(len(whole), size=300):
        damaged = whole.copy()
        damaged[position] ^= int(rng.integers(1, 256))
        saved.write_bytes(damaged)
        try:
            again = Model.load(saved)
        except ValueError:
            refusals += 1
        else:
            assert_same_model(model, again)
    assert refusals > 100


class Payload:
    """Unpickled, it would set a variable."""

    def __reduce__(self):
        return exec, ("import sys; sys.model_payload = True",)


@pytest.mark.parametrize("how", ["pickle", "array", "weights", "header"])
def test_a_pickle_is_refused_and_never_executed(saved, how):
    hostile = np.array([Payload()], dtype=object)
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    name = {"weights": "params/W_hy", "header": "header"}.get(how)
    with saved.open("wb") as file:
        if how == "pickle":
            pickle.dump(Payload(), file)
        elif how == "array":
            np.save(file, hostile, allow_pickle=True)
        else:
            np.savez(file, **{**arrays, name: hostile})
    refused(saved, "is not a whole file of rnncourse")
    assert not hasattr(sys, "model_payload")
    pickle.loads(pickle.dumps(Payload()))  # it does work where it is let in
    assert sys.model_payload
    del sys.model_payload


def test_a_checkpoint_of_version_0_1_is_refused_with_what_to_do(model, path):
    arrays = {f"params/{name}": W for name, W in model.params.items()}
    kind = "Stack many-to-many cross_entropy mean float64"
    header = {"model": kind, "optimizer": None, "rng": None, "history": None}
    save_arrays(path, arrays, header, format="rnncourse checkpoint 1")
    refused(path, rf"version 0\.1 \({kind}\).*make the model.*load_checkpoint\(path, model\)")


@pytest.mark.parametrize(
    "header", [None, [], 3, {}, {"model": None}, {"model": []}, {"model": {}}, {"model": {"a": 1}}]
)
def test_a_strange_header_is_refused(saved, header):
    arrays, _ = load_arrays(saved, MODEL_FORMAT)
    save_arrays(saved, arrays, header, format=MODEL_FORMAT)
    refused(saved, "its model is .*, expected")


def put(*where, to):
    """Return a change of a description: the entry at this place is `to`."""

    def change(described):
        inside = described
        for key in where[:-1]:
            inside = inside[key]
        inside[where[-1]] = to

    return change


GRU_PLACE = ("layer", "arguments", 0, "arguments")
REVERSE = ("layer", "arguments", 1, "arguments", "reverse_layer")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("extra", to=1), "its model is .*, expected"),
        (put("layer", to=None), "a layer is None, expected its kind and arguments"),
        (put("layer", to="RNN"), "a layer is 'RNN', expected its kind"),
        (put("layer", "kind", to="Leaky"), "of kind 'Leaky', expected one of RNN, LSTM"),
        (put("layer", "kind", to="object"), "of kind 'object', expected one of"),
        (put("layer", "kind", to=["Stack"]), r"of kind \['Stack'\], expected one of"),
        (put("layer", "kind", to="x" * 10**5), "of kind 'x+...x+', expected one of"),
        (put("layer", "arguments", to=3), "expected a kind and its arguments"),
        (put("layer", "arguments", to=[]), "layers is empty"),
        (put("layer", "arguments", to=[3]), "expected a layer"),
        (put("layer", "arguments", to=[[3]]), "expected a layer"),
        (put("layer", "arguments", to={"layers": []}), "unexpected keyword argument 'layers'"),
        (put(*GRU_PLACE, to=[2, 2]), "arguments are a list, expected a dict"),
        (put(*GRU_PLACE, to={}), r"missing .* 'input_size' and 'hidden_size' \(a GRU\)"),
        (put(*GRU_PLACE, "rng", to=1), "GRU"),
        (put(*GRU_PLACE, "forget_bias", to=1), "unexpected keyword argument 'forget_bias'"),
        (put(*GRU_PLACE, "hidden_size", to="2"), "hidden_size is '2', expected a whole number"),
        (put(*GRU_PLACE, "hidden_size", to="2" * 10**5), "hidden_size is '2+"),
        (put(*GRU_PLACE, "hidden_size", to=2.0), "hidden_size is 2.0, expected a whole number"),
        (put(*GRU_PLACE, "hidden_size", to=True), "hidden_size is True, expected a whole number"),
        (put(*GRU_PLACE, "hidden_size", to=0), "hidden_size is 0, expected at least 1"),
        (put(*GRU_PLACE, "hidden_size", to=-(10**12)), "expected at least 1"),
        (put(*GRU_PLACE, "hidden_size", to=1), "expected|shape"),
        (put(*GRU_PLACE, "input_size", to=1), r"layer1.W_xh has shape \(6, 2\), expected \(6, 1\)"),
        (put(*GRU_PLACE, "reset", to="never"), "reset is 'never', expected one of"),
        (put(*GRU_PLACE, "reset", to=None), "reset is None, expected one of"),
        (put(*GRU_PLACE, "reset", to="before"), "parameters given are .*, expected"),
        (put(*GRU_PLACE, "dtype", to="object"), "dtype is object, expected float32 or float64"),
        (put(*GRU_PLACE, "dtype", to="float32"), "layer 2 has dtype float64, expected float32"),
        (put(*GRU_PLACE, "dtype", to=None), "dtype None, expected dtype float64"),
        (put(*GRU_PLACE, "dtype", to="no dtype"), "no dtype"),
        (put(*REVERSE, to=None), "it is given 1 layers, expected the 2"),
        (put(*REVERSE[:-1], to={}), r"missing .* 'layer' \(a Bidirectional\)"),
        (put("readout", to=[3, 2]), "its readout is .*, expected two sizes"),
        (put("readout", "hidden_size", to=4), "readout has hidden_size 4|parameters"),
        (put("readout", "output_size", to=1), "W_hy has shape"),
        (put("readout", "output_size", to="2"), "output_size is '2', expected a whole number"),
        (put("dtype", to="float32"), "readout has dtype float32, expected float64"),
        (put("dtype", to="int8"), "dtype is int8, expected float32 or float64"),
        (put("loss", to="hinge"), "loss is 'hinge', expected one of"),
        (put("loss", to=["squared_error"]), "loss is .*, expected one of"),
        (put("arrangement", to="many"), "arrangement is 'many', expected one of"),
        (put("reduction", to={}), "reduction is {}, expected one of"),
    ],
)
def test_a_strange_description_is_refused(saved, change, message):
    rewrite(saved, change)
    refused(saved, message)


HUGE = 10**12


@pytest.mark.parametrize(
    "change",
    [
        put(*GRU_PLACE, "hidden_size", to=HUGE),
        put(*GRU_PLACE, "hidden_size", to=10**400),
        put(*GRU_PLACE, "input_size", to=HUGE),
        put(*GRU_PLACE, "hidden_size", to=30_000),  # 22 GB: some machines would try
        put("readout", "output_size", to=HUGE),
        put("readout", "hidden_size", to=HUGE),
        put(
            "layer",
            to={
                "kind": "Embedding",
                "arguments": {"input_size": HUGE, "hidden_size": HUGE, "dtype": "float64"},
            },
        ),
    ],
)
def test_sizes_that_the_file_does_not_have_are_refused_before_memory_is_asked_for(
    saved, change, monkeypatch
):
    rewrite(saved, change)
    for cls in (GRU, LSTM, Embedding, Readout):
        monkeypatch.setattr(cls, "__init__", lambda *_, **__: pytest.fail("a layer is made"))
    refused(saved, r"it needs \d+ parameters, expected the 92 of its|…$")


def test_many_layers_that_are_each_as_large_as_the_file_are_refused(path, rng):
    """Each would be allowed alone."""
    model = Model(Stack(RNN(40, 40, rng=rng)), Readout(40, 2, rng=rng))
    model.save(path)
    rewrite(path, lambda d: d["layer"]["arguments"].extend(d["layer"]["arguments"] * 99))
    refused(path, "it needs 324082 parameters, expected the 3322 of its")


@pytest.mark.parametrize("left_out", [{}, {"reverse_layer": None}])
def test_copies_within_copies_are_refused(path, rng, left_out):
    """A reverse layer that is left out is a copy: 40 levels of it would be 2⁴⁰ layers."""
    Model(RNN(1, 1, rng=rng), Readout(1, 1, rng=rng)).save(path)
    one = {"input_size": 2, "hidden_size": 1, "dtype": "float64"}
    layer = {"kind": "RNN", "arguments": one | {"input_size": 1}}
    for _ in range(40):
        both = {"kind": "Bidirectional", "arguments": {"layer": layer} | left_out}
        layer = {"kind": "Stack", "arguments": [both, {"kind": "RNN", "arguments": one}]}
    rewrite(path, put("layer", to=layer), more=np.zeros(1000))
    refused(path, "it is given 1 layers, expected the 2 that it is made of")


@pytest.mark.parametrize("depth", [200, 400, 900, 10_000])
def test_layers_nested_too_deep_are_refused(saved, depth):
    arrays, header = load_arrays(saved, MODEL_FORMAT)
    text = json.dumps({"format": MODEL_FORMAT, "header": header})
    layer = json.dumps(header["model"]["layer"])
    deep = '{"kind": "Stack", "arguments": [' * depth + layer + "]}" * depth
    assert layer in text
    with saved.open("wb") as file:
        header = np.frombuffer(text.replace(layer, deep).encode(), np.uint8)
        np.savez(file, header=header, **arrays)
    refused(saved, "nested too deep|RecursionError|parameters given are")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("b_y", None, r"it needs 92 parameters, expected the 90 of its \['W_hy'"),
        ("more", np.ones(3), r"parameters given are .*more.*, expected"),
        ("b_y", np.ones(3), r"b_y has shape \(3,\), expected \(2,\)"),
        ("b_y", np.ones((2, 1)), r"b_y has shape \(2, 1\), expected \(2,\)"),
        ("b_y", np.array([0, np.nan]), "b_y contains NaN"),
        ("b_y", np.array([0, -np.inf]), "b_y contains NaN or infinity"),
        ("b_y", np.ones(2, np.float32), "b_y has dtype float32, expected float64"),
        ("b_y", np.ones(2, int), "b_y has dtype int64, expected float64"),
        ("b_y", np.ones(2, complex), "b_y has dtype complex128, expected float64"),
        ("b_y", np.array(["a", "b"]), "b_y has dtype <U1, expected float64"),
        ("b_y", np.zeros(2, "f8,f8"), "b_y has dtype .*, expected float64"),
    ],
)
def test_a_strange_array_is_refused(saved, name, value, message):
    rewrite(saved, None, **{name: value})
    refused(saved, message)
