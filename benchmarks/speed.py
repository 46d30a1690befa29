"""How long a training step takes: rnncourse, PyTorch and a textbook loop, side by side.

    python benchmarks/speed.py LSTM            one layer, with the threads that the environment sets

A training step is a forward and a backward pass of one layer in float32 (the textbook loop in
float64), without readout and update: h, dx and the gradients of all weights. The three run in turn
in one process, in short blocks, and the ratios are taken block by block, so that a machine whose
speed drifts slows all of them alike. `bench.py` runs this file once for each number of threads.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from textbook import GATES, GRU_GATES, by_gate, textbook_gru, textbook_lstm, textbook_rnn

import rnncourse
from rnncourse import Adam, Model, Readout, fit
from rnncourse.layers.packed import COLUMNS

# T, B, D, H: from one short sequence to a large batch.
GRID = (
    (25, 1, 64, 100),
    (100, 1, 64, 100),
    (100, 20, 2, 32),
    (100, 20, 8, 64),
    (100, 32, 32, 128),
    (100, 64, 2, 128),
    (50, 64, 64, 256),
    (200, 64, 64, 256),
    (100, 128, 64, 512),
    (784, 100, 1, 100),
)
ROUNDS, BLOCK = 9, 0.08  # rounds for each size, and seconds of one contestant in a round
REST = 0.05  # seconds until the threads of the one before have gone to sleep

Size = tuple[int, int, int, int]


def contestants(kind: str, size: Size) -> dict[str, Callable[[], object]]:
    """Return a training step of each, on the same weights and data."""
    T, B, D, H = size
    rng = np.random.default_rng(0)
    x = rng.normal(size=(T, B, D)).astype(np.float32)
    dh = rng.normal(size=(T, B, H)).astype(np.float32)
    layer = getattr(rnncourse, kind)(D, H, rng=rng, dtype=np.float32)
    module = rnncourse.interop.to_torch(layer)
    W = {name: value.astype(np.float64) for name, value in layer.params.items()}

    def ours() -> object:
        h, _, trace = layer.forward(x)
        return h, layer.backward(trace, dh)

    inputs, incoming = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dh)

    def pytorch() -> object:
        for parameter in (inputs, *module.parameters()):
            parameter.grad = None
        h, _ = module(inputs)
        h.backward(incoming)
        return h

    double = np.dtype(np.float64)
    textbook: Callable[[np.ndarray, np.ndarray], object]
    match kind:
        case "RNN":
            textbook = partial(textbook_rnn, W)
        case "LSTM":
            textbook = partial(textbook_lstm, by_gate(W, double, GATES))
        case "GRU":
            textbook = partial(textbook_gru, by_gate(W, double, GRU_GATES))
    in_double = partial(textbook, x.astype(double), dh.astype(double))
    return {"ours": ours, "pytorch": pytorch, "textbook": in_double}


def products(kind: str, size: Size) -> Callable[[], object]:
    """Return the matrix products of our training step, and nothing else of it.

    The operands lie in memory as in the layer. An RNN and an LSTM multiply the packed columns
    [h; x; 1] step by step. A GRU has the inputs' share, [W_xh | b_h] [x; 1], beforehand, and for
    the sums one block of rows more: δ^u, which meets the state, beside δ^{a_n}, which meets the
    inputs.
    """
    T, B, D, H = size
    gru = kind == "GRU"
    R, N = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind] * H, H + D + 1
    rng = np.random.default_rng(0)

    def filled(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    W, z, a = filled(R, N), filled(T, N, B), filled(T, R, B)
    by_columns = kind != "RNN" and B < 32 <= T
    W_forward = np.array(W[:, :H] if gru else W, order="F" if by_columns else "C")
    W_inputs, for_x = W[:, H:].copy(), np.empty((T, R, B), np.float32)
    for_h, for_a = np.empty((H, B), np.float32), np.empty((R, B), np.float32)
    columns = B * min(T, max(1, COLUMNS // B))
    blocks = np.full(-(-T * B // columns), columns)
    blocks[-1] = T * B - blocks[:-1].sum()
    a_blocks, z_blocks = filled(R + H, columns), filled(N, columns)

    def every_product() -> None:
        if gru:
            np.matmul(W_inputs, z[:, H:], out=for_x)
        for z_t in z[:, :H] if gru else z:
            np.matmul(W_forward, z_t, out=for_a)
        for a_t in a:
            np.matmul(W[:, :H].T, a_t, out=for_h)
        for n in blocks:
            a_block, z_block = a_blocks[:, :n], z_blocks[:, :n]
            if gru:
                np.matmul(a_block[: 2 * H], z_block.T)
                np.matmul(a_block[2 * H : R], z_block[H:].T)
                np.matmul(a_block[R:], z_block[:H].T)
            else:
                np.matmul(a_block[:R], z_block.T)
            np.matmul(a_block[:R].T, W[:, H:-1])

    return every_product


def block(step: Callable[[], object], seconds: float = BLOCK) -> float:
    """Return the median time of a step over a block of about so many seconds, at least one step."""
    time.sleep(REST)
    begin = time.perf_counter()
    step()  # wakes the threads
    times = [time.perf_counter() - begin]
    if times[0] < seconds:
        times = []
    while not times or sum(times) < seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def measure(kind: str, size: Size) -> dict[str, float | Size]:
    """Return the times of one size in milliseconds, and their ratios."""
    steps = contestants(kind, size)
    steps["products"] = products(kind, size)
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for n in range(ROUNDS):
        for name, step in steps.items():
            if name in ("ours", "pytorch") or n % 3 == 0:
                times[name].append(block(step))
    ours, pytorch = np.array(times["ours"]), np.array(times["pytorch"])
    row = {f"{name}_ms": 1e3 * float(np.median(values)) for name, values in times.items()}
    return {
        "size": size,
        **row,
        "ratio": float(np.median(ours / pytorch)),
        "textbook_ratio": float(np.median(np.array(times["textbook"]) / ours[::3])),
        "products_share": float(np.median(np.array(times["products"]) / ours[::3])),
    }


def share_of_fit(kind: str) -> dict[str, float | str]:
    """Return the share of `fit` (100, 32, 32, 128) that is spent inside forward and backward."""
    rng = np.random.default_rng(0)
    layer = getattr(rnncourse, kind)(32, 128, rng=rng, dtype=np.float32)
    readout = Readout(128, 10, rng=rng, dtype=np.float32)
    spent = {layer: 0.0, readout: 0.0}

    def timed(owner: object, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            begin = time.perf_counter()
            result = function(*arguments)
            spent[owner] += time.perf_counter() - begin
            return result

        return call

    for owner in spent:
        for name in ("forward", "backward"):
            setattr(owner, name, timed(owner, getattr(owner, name)))
    x = rng.normal(size=(100, 320, 32)).astype(np.float32)
    labels = rng.integers(10, size=(100, 320))
    options = {"batch_size": 32, "clip_norm": 1.0, "progress": False, "rng": rng}
    model = Model(layer, readout)
    fit(model, x, labels, epochs=1, optimizer=Adam(), **options)
    spent |= dict.fromkeys(spent, 0.0)
    begin = time.perf_counter()
    fit(model, x, labels, epochs=10, optimizer=Adam(), **options)
    total = time.perf_counter() - begin
    return {
        "layer": kind,
        "in_the_layer": spent[layer] / total,
        "in_layer_and_readout": sum(spent.values()) / total,
    }


def main() -> None:
    kind, threads = sys.argv[1], torch.get_num_threads()
    print(f"\n{kind}, {threads} thread{'s' * (threads > 1)}: milliseconds for a training step")
    heads = ("T, B, D, H", "ours", "PyTorch", "textbook", "ours/PyTorch", "products/ours")
    print("{:>20} {:>9} {:>9} {:>9} {:>13} {:>14}".format(*heads))
    rows = []
    for size in GRID:
        row = measure(kind, size)
        rows.append(row)
        print(
            f"{', '.join(map(str, size)):>20} {row['ours_ms']:9.2f} {row['pytorch_ms']:9.2f} "
            f"{row['textbook_ms']:9.2f} {row['ratio']:13.2f} {row['products_share']:13.0%}",
            flush=True,
        )
    ratios = [row["ratio"] for row in rows]
    result = {
        "layer": kind,
        "threads": threads,
        "rows": rows,
        "ratio": geometric_mean(ratios),
        "worst": max(ratios),
        "textbook_ratio": geometric_mean([row["textbook_ratio"] for row in rows]),
        "products_share": geometric_mean([row["products_share"] for row in rows]),
        "fit": share_of_fit(kind),
    }
    print(f"Matrix products, the floor, are {result['products_share']:.0%} of our time.")
    print(
        f"fit at (100, 32, 32, 128) spends {result['fit']['in_layer_and_readout']:.0%} of its time "
        f"in forward and backward ({result['fit']['in_the_layer']:.0%} in the layer)."
    )
    print(
        f"{kind} {threads} thread{'s' * (threads > 1)}: geometric mean of ours/PyTorch "
        f"{result['ratio']:.2f} (worst {result['worst']:.2f}), "
        f"textbook/ours {result['textbook_ratio']:.1f}",
        flush=True,
    )
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w") as file:
            json.dump(result, file)


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


if __name__ == "__main__":
    main()
