"""Compute with PyTorch what the tests compare with, and save it as torch.npz.

    python tests/reference/make_reference.py

The tests read the saved arrays on every run, and call the functions below where PyTorch is
installed. Everything is float64.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

FILE = Path(__file__).with_name("torch.npz")

# name: (T, B, D, H, O, ragged, loss, reduction)
CASES = {
    "many": (6, 4, 3, 5, 3, False, "cross_entropy", "mean"),
    "ragged": (7, 5, 2, 4, 3, True, "cross_entropy", "mean"),
    "ragged-squared": (5, 3, 2, 3, 2, True, "squared_error", "sum"),
    "one": (1, 1, 1, 1, 1, False, "squared_error", "mean"),
    "long": (40, 1, 1, 6, 2, False, "squared_error", "mean"),
}
OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {"lr": 0.1}),
    "RMSprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.8, "eps": 1e-6}),
    "Adam": (torch.optim.Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6}),
}


def case(name: str, seed: int) -> dict[str, NDArray]:
    """Draw weights and data for one of `CASES`."""
    T, B, D, H, O, ragged, loss, _ = CASES[name]
    rng = np.random.default_rng(seed)
    shapes = {"W_xh": (H, D), "W_hh": (H, H), "b_h": (H,), "W_hy": (O, H), "b_y": (O,)}
    shapes |= {"x": (T, B, D), "state": (B, H), "dstate_T": (B, H), "targets": (T, B, O)}
    drawn = {n: rng.normal(size=s) / (2 if n == "W_hh" else 1) for n, s in shapes.items()}
    if loss == "cross_entropy":
        drawn["targets"] = rng.integers(O, size=(T, B))
    drawn["lengths"] = rng.integers(1, T + 1, B) if ragged else np.full(B, T)
    return drawn


def run(given: dict[str, NDArray], loss: str, reduction: str) -> dict[str, NDArray]:
    """Return outputs of `torch.nn.RNN` and gradients of E = loss + Σ state_T ⊙ dstate_T."""
    T, _, D = given["x"].shape
    H = len(given["b_h"])
    leaf = {n: torch.tensor(given[n], requires_grad=True) for n in ("W_hy", "b_y", "x", "state")}
    rnn = torch.nn.RNN(D, H, dtype=torch.float64)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(torch.tensor(given["W_xh"]))
        rnn.weight_hh_l0.copy_(torch.tensor(given["W_hh"]))
        rnn.bias_ih_l0.copy_(torch.tensor(given["b_h"]))
        rnn.bias_hh_l0.zero_()
    lengths = torch.tensor(given["lengths"])
    packed = torch.nn.utils.rnn.pack_padded_sequence(leaf["x"], lengths, enforce_sorted=False)
    out, state_T = rnn(packed, leaf["state"][None])
    h, _ = torch.nn.utils.rnn.pad_packed_sequence(out, total_length=T)
    y = torch.nn.functional.linear(h, leaf["W_hy"], leaf["b_y"])
    inside = torch.arange(T)[:, None] < lengths
    targets = torch.tensor(given["targets"])
    if loss == "cross_entropy":
        E = torch.nn.functional.cross_entropy(y[inside], targets[inside], reduction=reduction)
    else:
        E = 0.5 * torch.nn.functional.mse_loss(y[inside], targets[inside], reduction="sum")
        E = E / inside.sum() if reduction == "mean" else E
    (E + (state_T[0] * torch.tensor(given["dstate_T"])).sum()).backward()
    gradients = {
        "W_xh": rnn.weight_ih_l0.grad,
        "W_hh": rnn.weight_hh_l0.grad,
        "b_h": rnn.bias_ih_l0.grad,
        **{n: w.grad for n, w in leaf.items()},
    }
    results = {"h": h, "state_T": state_T[0], "y": y, "E": E}
    results |= {f"d{n}": g for n, g in gradients.items()}
    return {n: r.detach().numpy() for n, r in results.items()}


def trajectory(name: str, W: NDArray, gradients: NDArray) -> NDArray:
    """Return the weights after each step of a PyTorch optimizer along given gradients."""
    kind, settings = OPTIMIZERS[name]
    w = torch.tensor(W, requires_grad=True)
    optimizer, after = kind([w], **settings), []
    for gradient in gradients:
        w.grad = torch.tensor(gradient)
        optimizer.step()
        after.append(w.detach().numpy().copy())
    return np.array(after)


def clipped(gradients: list[NDArray], max_norm: float) -> tuple[float, list[NDArray]]:
    """Return the global norm and the gradients that `clip_grad_norm_` leaves."""
    leaves = [torch.zeros(g.shape, dtype=torch.float64) for g in gradients]
    for leaf, g in zip(leaves, gradients, strict=True):
        leaf.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(leaves, max_norm)
    return float(norm), [leaf.grad.numpy() for leaf in leaves]


def main() -> None:
    arrays = {"torch_version": np.array(str(torch.__version__)), "seed": np.array(2024)}
    for i, name in enumerate(CASES):
        given = case(name, 2024 + i)
        results = run(given, *CASES[name][-2:])
        arrays |= {f"{name}/given/{n}": a for n, a in given.items()}
        arrays |= {f"{name}/torch/{n}": a for n, a in results.items()}
    rng = np.random.default_rng(2024)
    arrays["optim/W"] = rng.normal(size=(3, 2))
    # Sizes from tiny to huge, so that epsilon and the running means both show.
    arrays["optim/gradients"] = rng.normal(size=(12, 3, 2)) * 10.0 ** rng.integers(-6, 3, (3, 2))
    for name in OPTIMIZERS:
        path = trajectory(name, arrays["optim/W"], arrays["optim/gradients"])
        arrays[f"optim/{name}"] = path
    np.savez_compressed(FILE, **arrays)
    print(f"wrote {FILE.name}: {FILE.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
