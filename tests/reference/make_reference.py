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

# name: (T, B, D, H, O, ragged), (layer, number of layers, loss, reduction[, directions])
CASES = {
    "many": ((6, 4, 3, 5, 3, False), ("RNN", 1, "cross_entropy", "mean")),
    "ragged": ((7, 5, 2, 4, 3, True), ("RNN", 1, "cross_entropy", "mean")),
    "ragged-squared": ((5, 3, 2, 3, 2, True), ("RNN", 1, "squared_error", "sum")),
    "one": ((1, 1, 1, 1, 1, False), ("RNN", 1, "squared_error", "mean")),
    "long": ((40, 1, 1, 6, 2, False), ("RNN", 1, "squared_error", "mean")),
    "two": ((5, 3, 2, 4, 2, True), ("RNN", 2, "squared_error", "mean")),
    "lstm-many": ((6, 4, 3, 5, 3, False), ("LSTM", 1, "squared_error", "mean")),
    "lstm-ragged": ((7, 5, 2, 4, 3, True), ("LSTM", 1, "cross_entropy", "mean")),
    "lstm-one": ((1, 1, 1, 1, 1, False), ("LSTM", 1, "squared_error", "sum")),
    "lstm-long": ((60, 1, 1, 6, 2, False), ("LSTM", 1, "cross_entropy", "mean")),
    "lstm-two": ((6, 4, 2, 3, 3, True), ("LSTM", 2, "cross_entropy", "sum")),
    "gru-ragged": ((7, 5, 2, 4, 3, True), ("GRU", 1, "cross_entropy", "mean")),
    "lstm-both-ways": ((6, 4, 2, 3, 2, True), ("LSTM", 2, "squared_error", "mean", 2)),
}
OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {"lr": 0.1}),
    "RMSprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.8, "eps": 1e-6}),
    "Adam": (torch.optim.Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6}),
}


def prefixes(layers: int, directions: int) -> list[tuple[str, str]]:
    """Return how our names of each part begin, and how PyTorch's end, in PyTorch's order."""
    return [
        (
            (f"layer{k + 1}." if layers > 1 else "")
            + (f"{'reverse' if reverse else 'forward'}." if directions > 1 else ""),
            f"_l{k}{'_reverse' if reverse else ''}",
        )
        for k in range(layers)
        for reverse in range(directions)
    ]


def shapes(
    T: int, B: int, D: int, H: int, O: int, layer: str, layers: int, directions: int = 1
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight and array by name; W_xh etc. are layer1.W_xh in a stack,
    and forward.W_xh in a layer of two directions.
    """
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[layer] * H
    result: dict[str, tuple[int, ...]] = {}
    for prefix, suffix in prefixes(layers, directions):
        result[f"{prefix}W_xh"] = (rows, D if suffix.startswith("_l0") else directions * H)
        result[f"{prefix}W_hh"] = (rows, H)
        result[f"{prefix}b_h"] = (rows,)
        if layer == "GRU":
            result[f"{prefix}b_hh_n"] = (H,)
    result |= {"W_hy": (O, directions * H), "b_y": (O,), "x": (T, B, D), "targets": (T, B, O)}
    # Initial states, and what reaches the final ones from outside.
    for part in "hc" if layer == "LSTM" else "h":
        result |= dict.fromkeys((f"{part}_0", f"d{part}_T"), (layers * directions, B, H))
    return result


def case(name: str, seed: int) -> dict[str, NDArray]:
    """Draw weights and data for one of `CASES`."""
    (T, B, D, H, O, ragged), (layer, layers, loss, _, *directions) = CASES[name]
    rng = np.random.default_rng(seed)
    drawn = {
        n: rng.normal(size=s) / (2 if n.endswith("W_hh") else 1)
        for n, s in shapes(T, B, D, H, O, layer, layers, *directions).items()
    }
    if loss == "cross_entropy":
        drawn["targets"] = rng.integers(O, size=(T, B))
    drawn["lengths"] = rng.integers(1, T + 1, B) if ragged else np.full(B, T)
    return drawn


def run(
    given: dict[str, NDArray],
    layer: str,
    layers: int,
    loss: str,
    reduction: str,
    directions: int = 1,
) -> dict[str, NDArray]:
    """Return outputs of `torch.nn.RNN`, `LSTM` or `GRU`, and gradients of E = loss + Σ s_T ⊙ ds_T.

    s_T stands for every final state. With a "table" the inputs are labels for `torch.nn.Embedding`.
    """
    T, H = len(given["x"]), given["h_0"].shape[-1]
    parts = "hc" if layer == "LSTM" else "h"
    inputs = "table" if "table" in given else "x"
    leaf = {
        n: torch.tensor(given[n], requires_grad=True)
        for n in ("W_hy", "b_y", inputs, *(f"{part}_0" for part in parts))
    }
    x = leaf[inputs]
    if inputs == "table":
        x = torch.nn.functional.embedding(torch.tensor(given["x"]), x)
    rnn = getattr(torch.nn, layer)(
        x.shape[-1], H, num_layers=layers, bidirectional=directions > 1, dtype=torch.float64
    )
    weights, second_biases = {}, {}
    for prefix, suffix in prefixes(layers, directions):
        weights[f"{prefix}W_xh"] = getattr(rnn, f"weight_ih{suffix}")
        weights[f"{prefix}W_hh"] = getattr(rnn, f"weight_hh{suffix}")
        weights[f"{prefix}b_h"] = getattr(rnn, f"bias_ih{suffix}")
        second = getattr(rnn, f"bias_hh{suffix}")
        with torch.no_grad():
            second.zero_()
            if layer == "GRU":
                second[2 * H :] = torch.tensor(given[f"{prefix}b_hh_n"])
                second_biases[f"{prefix}b_hh_n"] = second
    with torch.no_grad():
        for n, w in weights.items():
            w.copy_(torch.tensor(given[n]))
    lengths = torch.tensor(given["lengths"])
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    start = (leaf["h_0"], leaf["c_0"]) if layer == "LSTM" else leaf["h_0"]
    out, end = rnn(packed, start)
    final = dict(zip(parts, end if layer == "LSTM" else (end,), strict=True))
    h, _ = torch.nn.utils.rnn.pad_packed_sequence(out, total_length=T)
    y = torch.nn.functional.linear(h, leaf["W_hy"], leaf["b_y"])
    inside = torch.arange(T)[:, None] < lengths
    targets = torch.tensor(given["targets"])
    if loss == "cross_entropy":
        E = torch.nn.functional.cross_entropy(y[inside], targets[inside], reduction=reduction)
    else:
        E = 0.5 * torch.nn.functional.mse_loss(y[inside], targets[inside], reduction="sum")
        E = E / inside.sum() if reduction == "mean" else E
    outer = sum((s * torch.tensor(given[f"d{part}_T"])).sum() for part, s in final.items())
    (E + outer).backward()
    results = {"h": h, "y": y, "E": E, **{f"{part}_T": s for part, s in final.items()}}
    results |= {f"d{n}": w.grad for n, w in {**weights, **leaf}.items()}
    results |= {f"d{n}": second.grad[2 * H :] for n, second in second_biases.items()}
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
        results = run(given, *CASES[name][1])
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
