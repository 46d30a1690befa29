"""Agreement with PyTorch's numbers, saved by reference/make_reference.py: needs no PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from helpers import assert_close

from rnncourse import RNN, SGD, Adam, Model, Readout, RMSprop

FILE = Path(__file__).with_name("reference") / "torch.npz"
SAVED = np.load(FILE, allow_pickle=False)
# name: loss, reduction
CASES = {
    "many": ("cross_entropy", "mean"),
    "ragged": ("cross_entropy", "mean"),
    "ragged-squared": ("squared_error", "sum"),
    "one": ("squared_error", "mean"),
    "long": ("squared_error", "mean"),
}
OPTIMIZERS = {
    "SGD": SGD(0.1),
    "RMSprop": RMSprop(0.01, decay=0.8, epsilon=1e-6),
    "Adam": Adam(0.05, beta1=0.8, beta2=0.95, epsilon=1e-6),
}


def part(prefix):
    return {n.removeprefix(prefix): SAVED[n] for n in SAVED.files if n.startswith(prefix)}


def run(given, loss, reduction):
    """Return what reference/make_reference.py computes, with this package."""
    _, _, D = given["x"].shape
    O, H = given["W_hy"].shape
    rng = np.random.default_rng(0)
    model = Model(RNN(D, H, rng=rng), Readout(H, O, rng=rng), loss=loss, reduction=reduction)
    model.load_params({name: given[name] for name in model.params})
    options = {"state": given["state"], "lengths": given["lengths"]}
    h, state_T, trace = model.layer.forward(given["x"], **options)
    y = model.readout.forward(h)
    E, grads, state_T_2 = model.loss_and_gradients(given["x"], given["targets"], **options)
    assert_close(state_T_2, state_T)
    # The model gives no gradient for x and state, and takes none for state_T: add them.
    dh = np.zeros_like(h)
    dx, dstate, from_state = model.layer.backward(trace, dh, given["dstate_T"])
    dread = mean_or_sum(y, given, loss, reduction) @ given["W_hy"]
    dx_2, dstate_2, _ = model.layer.backward(trace, dread)
    total = {name: grads[name] + from_state.get(name, 0) for name in grads}
    total |= {"x": dx + dx_2, "state": dstate + dstate_2}
    return {"h": h, "state_T": state_T, "y": y, "E": E} | {f"d{n}": g for n, g in total.items()}


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
    assert FILE.stat().st_size < 100_000
    named = {n.split("/")[0] for n in SAVED.files if "/" in n}
    assert named == {*CASES, "optim"}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name):
    results = run(part(f"{name}/given/"), *CASES[name])
    assert_close(results, part(f"{name}/torch/"), 1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_steps(name):
    params, optimizer = {"W": SAVED["optim/W"].copy()}, OPTIMIZERS[name]
    for gradient, expected in zip(SAVED["optim/gradients"], SAVED[f"optim/{name}"], strict=True):
        optimizer.step(params, {"W": gradient})
        assert_close(params["W"], expected, 1e-12)
