"""Agreement with PyTorch's numbers, saved by reference/make_reference.py: needs no PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from helpers import assert_close, part

from rnncourse import LSTM, RNN, SGD, Adam, Model, Readout, RMSprop, Stack

FILE = Path(__file__).with_name("reference") / "torch.npz"
SAVED = np.load(FILE, allow_pickle=False)
# name: layer, number of layers, loss, reduction
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
}
OPTIMIZERS = {
    "SGD": SGD(0.1),
    "RMSprop": RMSprop(0.01, decay=0.8, epsilon=1e-6),
    "Adam": Adam(0.05, beta1=0.8, beta2=0.95, epsilon=1e-6),
}


def saved(prefix):
    return part({n: SAVED[n] for n in SAVED.files if n.startswith(prefix)}, prefix)


def as_state(layer, layers, arrays):
    """A state of this package from arrays (layers, B, H): h, and c for an LSTM."""
    each = [tuple(a[k] for a in arrays) if layer == "LSTM" else arrays[0][k] for k in range(layers)]
    return tuple(each) if layers > 1 else each[0]


def as_arrays(layer, layers, state):
    """The inverse of `as_state`."""
    each = state if layers > 1 else (state,)
    if layer == "RNN":
        each = [(own,) for own in each]
    return dict(zip("hc", map(np.array, zip(*each, strict=True)), strict=False))


def run(given, layer, layers, loss, reduction):
    """Return what reference/make_reference.py computes, with this package."""
    _, _, D = given["x"].shape
    O, H = given["W_hy"].shape
    rng, kind = np.random.default_rng(0), {"RNN": RNN, "LSTM": LSTM}[layer]
    each = [kind(H if k else D, H, rng=rng) for k in range(layers)]
    recurrent = Stack(*each) if layers > 1 else each[0]
    model = Model(recurrent, Readout(H, O, rng=rng), loss=loss, reduction=reduction)
    model.load_params({name: given[name] for name in model.params})
    parts = "hc" if layer == "LSTM" else "h"
    start, outer = (
        as_state(layer, layers, [given[name.format(part)] for part in parts])
        for name in ("{}_0", "d{}_T")
    )
    options = {"state": start, "lengths": given["lengths"]}
    h, state_T, trace = recurrent.forward(given["x"], **options)
    y = model.readout.forward(h)
    E, grads, state_T_2 = model.loss_and_gradients(given["x"], given["targets"], **options)
    assert_close(state_T_2, state_T)
    # The model gives no gradient for x and state, and takes none for state_T: add them.
    dread = mean_or_sum(y, given, loss, reduction) @ given["W_hy"]
    dx, dstate, layer_grads = recurrent.backward(trace, dread, outer)
    _, _, without = recurrent.backward(trace, dread)
    assert_close(without, {name: grads[name] for name in without})
    results = {"h": h, "y": y, "E": E}
    results |= {f"{p}_T": a for p, a in as_arrays(layer, layers, state_T).items()}
    results |= {f"d{p}_0": a for p, a in as_arrays(layer, layers, dstate).items()}
    return results | {f"d{n}": g for n, g in {**grads, **layer_grads, "x": dx}.items()}


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
    assert FILE.stat().st_size < 120_000
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
