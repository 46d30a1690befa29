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
from textbook import by_gate, textbook_lstm, textbook_rnn

import rnncourse
from rnncourse import Adam, Model, Readout, fit

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

    loop = textbook_rnn if kind == "RNN" else textbook_lstm
    weights = W if kind == "RNN" else by_gate(W, np.dtype(np.float64))
    textbook = partial(loop, weights, x.astype(np.float64), dh.astype(np.float64))
    return {"ours": ours, "pytorch": pytorch, "textbook": textbook}


def products(kind: str, size: Size) -> Callable[[], object]:
    """Return the matrix products of our training step, and nothing else of it."""
    T, B, D, H = size
    R, N = (H if kind == "RNN" else 4 * H), H + D + 1
    rng = np.random.default_rng(0)
    W = rng.normal(size=(R, N)).astype(np.float32)
    z = rng.normal(size=(T, N, B)).astype(np.float32)
    a = rng.normal(size=(T, R, B)).astype(np.float32)
    for_h, for_a = np.empty((H, B), np.float32), np.empty((R, B), np.float32)
    columns = B * min(T, max(1, rnncourse.layers.packed.COLUMNS // B))
    blocks = np.full(-(-T * B // columns), columns)
    blocks[-1] = T * B - blocks[:-1].sum()
    a_block = rng.normal(size=(R, columns)).astype(np.float32)
    z_block = rng.normal(size=(N, columns)).astype(np.float32)

    def every_product() -> None:
        for z_t in z:
            np.matmul(W, z_t, out=for_a)
        for a_t in a:
            np.matmul(W[:, :H].T, a_t, out=for_h)
        for n in blocks:
            np.matmul(a_block[:, :n], z_block[:, :n].T)
            np.matmul(a_block[:, :n].T, W[:, H:-1])

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
