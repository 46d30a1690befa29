"""Agreement with PyTorch's numbers, saved by reference/make_reference.py: needs no PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from helpers import assert_close, part

from rnncourse import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    Bidirectional,
    Embedding,
    Model,
    Readout,
    RMSprop,
    Stack,
)

FILE = Path(__file__).with_name("reference") / "torch.npz"
SAVED = np.load(FILE, allow_pickle=False)
# name: layer, number of layers, loss, reduction[, directions]
CASES = {
    "many": ("RNN", 1, "cross_entropy", "mean"),
    "ragged": ("RNN", 1, "cross_entropy", "mean"),
    "ragged-squared": ("RNN", 1, "squared_error", "sum"),
    "one": ("RNN", 1, "squared_error", "mean"),
    "long": ("RNN", 1, "squared_error", "mean"),
    "two": ("RNN", 2, "squared_error", "mean"),
    "lstm-many": ("LSTM", 1, "squared_error", "mean"),
    "lstm-ragged": ("LSTM", 1, "cross_entropy", "mean"),
    "lstm-one": ("LSTM", 1, "squared_error", "sum"),
    "lstm-long": ("LSTM", 1, "cross_entropy", "mean"),
    "lstm-two": ("LSTM", 2, "cross_entropy", "sum"),
    "gru-ragged": ("GRU", 1, "cross_entropy", "mean"),
    "lstm-both-ways": ("LSTM", 2, "squared_error", "mean", 2),
}
RECURRENT = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
OPTIMIZERS = {
    "SGD": SGD(0.1),
    "RMSprop": RMSprop(0.01, decay=0.8, epsilon=1e-6),
    "Adam": Adam(0.05, beta1=0.8, beta2=0.95, epsilon=1e-6),
}


def saved(prefix):
    return part({n: SAVED[n] for n in SAVED.files if n.startswith(prefix)}, prefix)


def build(layer, layers, directions, D, H, dtype=np.float64):
    """The layer of this package that is a PyTorch module with so many layers and directions."""

    def one(n):
        return RECURRENT[layer](n, H, rng=np.random.default_rng(0), dtype=dtype)

    def both(n):
        return Bidirectional(one(n), one(n)) if directions > 1 else one(n)

    each = [both(directions * H if k else D) for k in range(layers)]
    return Stack(*each) if layers > 1 else each[0]


def as_state(layer, layers, arrays, directions=1):
    """A state of this package from arrays (layers · directions, B, H): h, and c for an LSTM."""
    each = [tuple(parts) if layer == "LSTM" else parts[0] for parts in zip(*arrays, strict=True)]
    if directions > 1:
        each = list(zip(each[::2], each[1::2], strict=True))
    return tuple(each) if layers > 1 else each[0]


def as_arrays(layer, layers, state, directions=1):
    """The inverse of `as_state`."""
    each = state if layers > 1 else (state,)
    if directions > 1:
        each = [own for pair in each for own in pair]
    if layer != "LSTM":
        each = [(own,) for own in each]
    return dict(zip("hc", map(np.array, zip(*each, strict=True)), strict=False))


def run(given, layer, layers, loss, reduction, directions=1):
    """Return what reference/make_reference.py computes, with this package."""
    O, _ = given["W_hy"].shape
    D, H = given.get("table", given["x"]).shape[-1], given["h_0"].shape[-1]
    rng = np.random.default_rng(0)
    recurrent = build(layer, layers, directions, D, H)
    ours = {name: name for name in recurrent.params}
    parts = "hc" if layer == "LSTM" else "h"
    start, outer = (
        as_state(layer, layers, [given[name.format(part)] for part in parts], directions)
        for name in ("{}_0", "d{}_T")
    )
    if "table" in given:
        recurrent = Stack(Embedding(*given["table"].shape, rng=rng), recurrent)
        ours = {"layer1.table": "table", **{f"layer2.{name}": name for name in ours}}
        start, outer = ((), start), ((), outer)
    model = Model(recurrent, Readout(directions * H, O, rng=rng), loss=loss, reduction=reduction)
    model.load_params({name: given[ours.get(name, name)] for name in model.params})
    options = {"state": start, "lengths": given["lengths"]}
    h, state_T, trace = recurrent.forward(given["x"], **options)
    assert_close(recurrent.run(given["x"], **options), (h, state_T))
    y = model.readout.forward(h)
    found = model.loss_and_gradients(given["x"], given["targets"], **options)
    assert_close(found.state_T, state_T)
    # The model takes no gradient for state_T: add it.
    dread = mean_or_sum(y, given, loss, reduction) @ given["W_hy"]
    dx, dstate, layer_grads = recurrent.backward(trace, dread, outer)
    dx_without, dstate_without, without = recurrent.backward(trace, dread)
    assert_close(without, {name: found.grads[name] for name in without})
    assert_close(found.dstate_0, dstate_without)
    grads = {ours.get(n, n): g for n, g in {**found.grads, **layer_grads}.items()}
    if "table" in given:
        assert dx is found.dx is None
        state_T, dstate = state_T[1], dstate[1]
    else:
        assert_close(found.dx, dx_without)
        grads["x"] = dx
    results = {"h": h, "y": y, "E": found.E}
    results |= {f"{p}_T": a for p, a in as_arrays(layer, layers, state_T, directions).items()}
    results |= {f"d{p}_0": a for p, a in as_arrays(layer, layers, dstate, directions).items()}
    return results | {f"d{n}": g for n, g in grads.items()}


def mean_or_sum(y, given, loss, reduction):
    """δ^y, written out."""
    inside = np.arange(len(y))[:, None] < given["lengths"]
    if loss == "squared_error":
        dy = y - given["targets"]
    else:
        p = np.exp(y)
        dy = p / p.sum(-1, keepdims=True) - np.eye(y.shape[-1])[given["targets"]]
    return dy * inside[..., None] / (inside.sum() if reduction == "mean" else 1)


def test_the_file_says_where_it_comes_from():
    assert SAVED["torch_version"].item()[0].isdigit()
    assert SAVED["seed"] == 2024
    assert FILE.stat().st_size < 140_000
    named = {n.split("/")[0] for n in SAVED.files if "/" in n}
    assert named == {*CASES, "optim"}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name):
    results = run(saved(f"{name}/given/"), *CASES[name])
    assert_close(results, saved(f"{name}/torch/"), 1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_steps(name):
    params, optimizer = {"W": SAVED["optim/W"].copy()}, OPTIMIZERS[name]
    for gradient, expected in zip(SAVED["optim/gradients"], SAVED[f"optim/{name}"], strict=True):
        optimizer.step(params, {"W": gradient})
        assert_close(params["W"], expected, 1e-12)
