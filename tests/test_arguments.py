"""Every public function looks at the arrays that it is given, each by its name: lists are as good
as arrays; masked entries, tensors with a gradient, complex numbers and NaN are refused.
"""

import copy
import inspect

import numpy as np
import pytest
from helpers import assert_close, make_layer, make_model
from test_error_settings import public_functions

from rnncourse import (
    Embedding,
    bptt,
    check_gradients,
    clip_by_global_norm,
    clip_by_value,
    global_norm,
    interop,
    jacobians,
    log_softmax,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    squared_error,
)
from rnncourse.layers import layer as call

RNG = np.random.default_rng(0)
LAYERS = {kind: make_layer(kind, 2, 4, rng=RNG) for kind in ("RNN", "LSTM", "GRU", "GRU-before")}
LAYERS |= {kind: make_layer(kind, 2, 4, rng=RNG) for kind in ("stack", "bidirectional")}
EMBEDDING = Embedding(3, 2, rng=RNG)
X, H_0, LENGTHS = RNG.normal(size=(3, 2, 2)), RNG.normal(size=(2, 4)), np.array([3, 1])
LABELS, MASK = np.array([[0, 1], [1, 1], [0, 0]]), np.eye(3, 2) > 0
TARGETS = RNG.normal(size=(3, 2, 3))
REAL, COUNTED = make_model(2, 4, 3, RNG, loss="squared_error"), make_model(2, 4, 3, RNG)
FIRST, MANY = (make_model(2, 4, 2, RNG, arrangement=a) for a in ("one-to-many", "many-to-many"))
PARAMS = {name: W.copy() for name, W in REAL.params.items()}


def back(layer, x, dh, dstate=None, lengths=None):
    _, _, trace = layer.forward(x, None, lengths)
    return layer.backward(trace, dh, dstate)


def loaded(target, name, value):
    values = {n: W.copy() for n, W in target.params.items()}
    target = copy.deepcopy(target)
    target.load_params({**values, name: value})
    return dict(target.params)


def loaded_from_torch(layer, name, value):
    layer = copy.deepcopy(layer)
    interop.load_torch_state(layer, {**interop.torch_state(layer), name: value})
    return dict(layer.params)


def checked(dW):
    W = np.array([[1.0, 2.0]])
    return check_gradients(lambda: float(W.sum()), {"W": W}, {"W": dW}).errors


def sequence(function):
    """The functions of `bptt`, which take one sequence and the parameters by name."""
    others = {"x": X[:, 0], "targets": TARGETS[:, 0], "h0": H_0[0]}

    def f(**given):
        params = {n: given.pop(n, W) for n, W in PARAMS.items()}
        return function(params, **given)

    wanted = inspect.signature(function).parameters
    return f, {n: v for n, v in others.items() if n in wanted} | PARAMS


def by_path(params, x, targets, h0):
    return [p.value for p in bptt.paths("W_hh", 3, params, x, targets, h0)]


def truncated(params, x, targets, h0):
    return bptt.truncated_bptt(params, x, targets, every=1, back=2, h0=h0)


# Each function, with the arrays that it takes by the names that its errors use for them.
FUNCTIONS = {
    "sigmoid": (sigmoid, {"z": X}),
    "softmax": (softmax, {"z": X}),
    "log_softmax": (log_softmax, {"z": X}),
    "squared_error": (squared_error, {"y": TARGETS, "targets": TARGETS + 1, "mask": MASK}),
    "softmax_cross_entropy": (
        softmax_cross_entropy,
        {"y": TARGETS, "targets": LABELS, "mask": MASK},
    ),
    "global_norm": (lambda W: global_norm({"W": W}), {"W": X}),
    "check_gradients": (checked, {"dW": np.ones((1, 2))}),
    "Readout.forward": (REAL.readout.forward, {"h": H_0}),
    "Readout.backward": (REAL.readout.backward, {"h": H_0, "dy": TARGETS[0]}),
    "Readout.load_params": (
        lambda W_hy: loaded(REAL.readout, "W_hy", W_hy),
        {"W_hy": PARAMS["W_hy"]},
    ),
    "Model.load_params": (lambda W_hh: loaded(REAL, "W_hh", W_hh), {"W_hh": PARAMS["W_hh"]}),
    "Model.predict": (REAL.predict, {"x": X, "state": H_0, "lengths": LENGTHS}),
    "Model.run": (REAL.run, {"x": X, "state": H_0, "lengths": LENGTHS}),
    "Model.generate": (
        lambda x, state: MANY.generate(x, 3, state=state),
        {"x": X, "state": H_0},
    ),
    "Model.predict, first": (lambda x: FIRST.predict(x, steps=2), {"x": X[0]}),
    "jacobians.singular_values": (jacobians.singular_values, {"W": X[0]}),
    "jacobians.spectral_radius": (jacobians.spectral_radius, {"W": X[0]}),
    "jacobians.step_jacobians": (
        lambda x, state: jacobians.step_jacobians(LAYERS["RNN"], x, state),
        {"x": X[:, 0], "state": H_0[:1]},
    ),
    "jacobians.products": (jacobians.products, {"jacobians": X}),
    "jacobians.norms_by_lag": (
        lambda x, state: jacobians.norms_by_lag(LAYERS["GRU"], x, state),
        {"x": X[:, 0], "state": H_0[:1]},
    ),
    "jacobians.bound_by_lag": (jacobians.bound_by_lag, {"jacobians": X}),
    "jacobians.norm_by_step": (lambda W: jacobians.norm_by_step({"W": W}), {"W": X}),
    "interop.load_torch_state": (
        lambda weight_hh_l0: loaded_from_torch(LAYERS["RNN"], "weight_hh_l0", weight_hh_l0),
        {"weight_hh_l0": LAYERS["RNN"].params["W_hh"]},
    ),
    "interop.load_torch_state, embedding": (
        lambda weight: loaded_from_torch(EMBEDDING, "weight", weight),
        {"weight": EMBEDDING.params["table"]},
    ),
    "bptt.forward": sequence(bptt.forward),
    "bptt.bptt": sequence(bptt.bptt),
    "bptt.truncated_bptt": sequence(truncated),
    "bptt.paths": sequence(by_path),
    "embedding.forward": (
        lambda x, lengths: EMBEDDING.forward(x, None, lengths)[0],
        {"x": LABELS, "lengths": LENGTHS},
    ),
    "embedding.run": (EMBEDDING.run, {"x": LABELS}),
    "embedding.step": (EMBEDDING.step, {"x_t": LABELS[0]}),
    "embedding.backward": (lambda dh: back(EMBEDDING, LABELS, dh), {"dh": X}),
}
for _model, _d in ((REAL, TARGETS), (COUNTED, LABELS)):
    _all = {"x": X, "targets": _d, "state": H_0, "lengths": LENGTHS, "mask": MASK}
    _loss = _model.loss_name
    FUNCTIONS[f"Model.loss, {_loss}"] = (_model.loss, _all)
    FUNCTIONS[f"Model.loss_and_gradients, {_loss}"] = (
        lambda m=_model, **given: m.loss_and_gradients(**given).grads,
        _all,
    )
    FUNCTIONS[f"Model.layer_signals, {_loss}"] = (_model.layer_signals, _all)
    FUNCTIONS[f"jacobians.gradient_by_step, {_loss}"] = (
        lambda m=_model, **given: jacobians.gradient_by_step(m, **given),
        _all,
    )
for _kind, _layer in LAYERS.items():
    _x = {"x": X, "lengths": LENGTHS}
    FUNCTIONS[f"{_kind}.forward"] = (lambda l=_layer, **given: l.forward(**given)[:2], _x)
    FUNCTIONS[f"{_kind}.run"] = (_layer.run, _x)
    FUNCTIONS[f"{_kind}.backward"] = (
        lambda dh, l=_layer: back(l, X, dh),
        {"dh": RNG.normal(size=(3, 2, _layer.hidden_size))},
    )
    FUNCTIONS[f"{_kind}.backward, ragged"] = (
        lambda dh, l=_layer: back(l, X, dh, None, LENGTHS),
        {"dh": RNG.normal(size=(3, 2, _layer.hidden_size))},
    )
    if _kind != "bidirectional":
        FUNCTIONS[f"{_kind}.step"] = (_layer.step, {"x_t": X[0]})
    if _kind in ("RNN", "GRU", "GRU-before"):
        FUNCTIONS[f"{_kind}.step, state"] = (
            lambda state, l=_layer: l.step(X[0], state),
            {"state": H_0},
        )
        FUNCTIONS[f"{_kind}.forward, state"] = (
            lambda state, l=_layer: l.forward(X, state)[0],
            {"state": H_0},
        )
        FUNCTIONS[f"{_kind}.backward, dstate_T"] = (
            lambda dstate_T, l=_layer: back(l, X, None, dstate_T),
            {"dstate_T": H_0},
        )
for _name, _f in {
    "step": lambda s: LAYERS["LSTM"].step(X[0], s),
    "run": lambda s: LAYERS["LSTM"].run(X, s),
    "backward": lambda s: back(LAYERS["LSTM"], X, None, s),
}.items():
    _s = "dstate_T" if _name == "backward" else "state"
    FUNCTIONS[f"LSTM.{_name}, pair"] = (
        lambda f=_f, **given: f(tuple(given.values())),
        {f"{_s}'s h": H_0, f"{_s}'s c": H_0 + 1},
    )
EACH = [(name, argument) for name, (_, given) in FUNCTIONS.items() for argument in given]
each_array = pytest.mark.parametrize(("name", "argument"), EACH)


def with_argument(name, argument, change):
    function, given = FUNCTIONS[name]
    return settled(function(**{**given, argument: change(given[argument])}))


def unchanged(name):
    function, given = FUNCTIONS[name]
    return settled(function(**given))


def settled(result):
    """Return a result without what is None, the gradient of labels."""
    if isinstance(result, list | tuple):
        return tuple(settled(part) for part in result if part is not None)
    return result


def in_words(argument):
    return "the gradient of W" if argument == "dW" else argument


def masked_once(array):
    mask = np.zeros(array.shape, bool)
    mask.flat[-1] = True
    return np.ma.masked_array(array, mask)


def rows(array):
    return list(masked_once(array))


@each_array
def test_lists_are_as_good_as_arrays(name, argument):
    assert_close(with_argument(name, argument, np.ndarray.tolist), unchanged(name), 0)


@each_array
def test_masked_entries_are_refused(name, argument):
    message = rf"^{in_words(argument)} has 1 masked entry, expected .*: say with mask= .*lengths="
    for change in (masked_once, rows):
        with pytest.raises(ValueError, match=message):
            with_argument(name, argument, change)


@each_array
def test_a_masked_array_without_masked_entries_is_an_array(name, argument):
    found = with_argument(name, argument, np.ma.masked_array)
    assert_close(found, unchanged(name), 0)
    assert not holds_masked_arrays(found)


def holds_masked_arrays(result):
    if isinstance(result, dict | tuple):
        values = result.values() if isinstance(result, dict) else result
        return any(map(holds_masked_arrays, values))
    return isinstance(result, np.ma.MaskedArray)


@each_array
def test_what_is_no_number_is_refused_by_name(name, argument):
    own = in_words(argument)
    for bad, message in (
        (lambda a: a.astype(object), "has dtype object, expected"),
        (lambda a: a.astype(str), "has dtype <U"),
    ):
        with pytest.raises(TypeError, match=rf"^{own} {message}"):
            with_argument(name, argument, bad)
    if name != "sigmoid":
        with pytest.raises(TypeError, match=rf"^{own} has dtype complex128, expected"):
            with_argument(name, argument, lambda a: a * 1j)


@each_array
def test_nan_is_refused_by_name(name, argument):
    if name in ("global_norm", "check_gradients", "jacobians.norm_by_step"):
        return  # they say how large, or how wrong, a gradient is: NaN
    array = FUNCTIONS[name][1][argument]
    if array.dtype.kind == "f":
        with pytest.raises(ValueError, match=rf"^{in_words(argument)} contains NaN"):
            with_argument(name, argument, lambda a: a * np.nan)


@each_array
def test_tensors_with_a_gradient_are_refused(name, argument):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    array = FUNCTIONS[name][1][argument]
    if array.dtype.kind != "f" or name.startswith("interop"):  # which reads weights
        return
    own = in_words(argument)
    with pytest.raises(TypeError, match=rf"^{own} requires a gradient.*{own}\.detach\(\)\.numpy"):
        with_argument(name, argument, lambda a: torch.tensor(a, requires_grad=True))
    assert_close(with_argument(name, argument, torch.tensor), unchanged(name), 0)
    with pytest.raises(TypeError, match=rf"^{own} cannot be read by NumPy \(.*BFloat16.*float\(\)"):
        with_argument(name, argument, lambda a: torch.tensor(a, dtype=torch.bfloat16))


def test_every_public_function_is_here():
    # What takes no arrays, or alters gradients in place, which is below.
    others = {f"initializers.{f}" for f in ("gaussian", "orthogonal", "identity")}
    others |= {"clip_by_global_norm", "clip_by_value", "bidirectional.step", "Model.save"}
    public = {name for name, _ in public_functions() if not name.startswith("equations.")}
    assert public - {name.split(",")[0] for name in FUNCTIONS} == others


# ---------------------------------------------------------------- what is altered in place


@pytest.mark.parametrize("clip", [clip_by_global_norm, clip_by_value])
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (masked_once(np.ones(2)), ValueError, "^b has 1 masked entry"),
        ([1.0], TypeError, "^b is list, expected a float array to change in place"),
        (np.ones(2, int), TypeError, "^b is int64"),
        (np.ones(2, complex), TypeError, "^b is complex128"),
    ],
)
def test_gradients_to_clip_are_refused_unchanged(clip, bad, error, message):
    grads = {"a": np.array([30.0, 40.0]), "b": bad}
    with pytest.raises(error, match=message):
        clip(grads, 1.0)
    assert_close(grads["a"], [30.0, 40.0], 0)
    with pytest.raises(TypeError, match=r"^grads is a list, expected a mapping of named arrays"):
        clip([np.ones(2)], 1.0)


@pytest.mark.parametrize(
    ("W", "error", "message"),
    [
        (masked_once(np.ones(2)), ValueError, "^W has 1 masked entry"),
        ([1.0], TypeError, "^W is a list, expected an array to move entries of"),
        (np.broadcast_to(1.0, 2), ValueError, "^W is read-only, .*expected a writable array"),
    ],
)
def test_parameters_to_check_are_refused(W, error, message):
    with pytest.raises(error, match=message):
        check_gradients(lambda: 0.0, {"W": W}, {"W": np.ones(2)})


@pytest.mark.parametrize("E", [1j, "1", None, True, np.ones(1)])
def test_a_loss_that_is_no_number_is_refused(E):
    W = np.ones(1)
    with pytest.raises((TypeError, ValueError), match=r"^what loss\(\) returns has "):
        check_gradients(lambda: E, {"W": W}, {"W": W})
    assert W == 1


class Bare:
    """A layer of one's own without `step`, which shows what it is given."""

    def __init__(self, layer):
        self.input_size, self.hidden_size, self.dtype = 2, 4, layer.dtype
        self.params, self.forward, self.backward = layer.params, layer.forward, layer.backward


def test_a_step_of_a_layer_without_step_looks_too():
    layer = Bare(LAYERS["RNN"])
    h_t, _ = call.step(layer, X[0].tolist(), None)
    assert_close(h_t, LAYERS["RNN"].step(X[0])[0])
    with pytest.raises(ValueError, match=r"^x_t has 1 masked entry"):
        call.step(layer, masked_once(X[0]), None)


# ---------------------------------------------------------------- the check itself


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ma.masked, "^z has 1 masked entry, expected"),
        ([1.0, np.ma.masked], "^z has 1 masked entry, expected"),
        ([[1.0, 2.0], (3.0, np.ma.masked)], "^z has 1 masked entry, expected"),
        (np.ma.masked_equal([[1.0], [-99.0], [-99.0]], -99.0), "^z has 2 masked entries, expected"),
        (np.ma.masked_all(3), "^z has 3 masked entries, expected"),
        (np.ma.masked_array(np.zeros(2, "f,i"), [(1, 0), (0, 0)]), "^z has 1 masked entry"),
    ],
)
def test_masks_are_found_anywhere(value, message):
    with pytest.raises(ValueError, match=message):
        sigmoid(value)
