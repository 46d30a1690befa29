"""What it costs to go one step at a time, beside a bare loop in NumPy; and what a prediction keeps.

    python benchmarks/generation.py         with the threads that the environment sets

The bare loop is what one would write for oneself: one sequence as 1-D vectors, weights as named
arrays, no checks. Beside it run `layer.step`, a forward pass over a sequence of one step, and
`model.generate`, which has a bare loop of its own, with readout, softmax and draw. All run in turn
in one process, in short blocks, and the ratios are taken block by block. Tables go to the screen;
the last line is all numbers as JSON.
"""

import json
import time
import tracemalloc
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from textbook import Array, Weights, sigmoid

import rnncourse
from rnncourse import LSTM, Model, Readout

KINDS = ("RNN", "LSTM", "GRU")
HIDDEN, INPUTS = (64, 256), 64  # H; and D, which is O too
DTYPES = ("float64", "float32")
ROUNDS, STEPS = 25, 100  # blocks of each contestant, and steps in a block
PREDICTION = (20000, 4, 4, 100, 10)  # T, B, D, H, O of an LSTM, many-to-one
PREDICTION_ROUNDS = 3

Step = Callable[[Array, Any], tuple[Array, Any]]


def bare_step(kind: str, W: Weights) -> Step:
    """Return ``h_t, state = step(x_t, state)`` for x_t (D,); or (D, B), if biases are columns."""
    W_xh, W_hh, b_h = W["W_xh"], W["W_hh"], W["b_h"]
    H = W_hh.shape[1]

    def rnn(x_t: Array, h: Array) -> tuple[Array, Array]:
        h = np.tanh(W_hh @ h + W_xh @ x_t + b_h)
        return h, h

    def lstm(x_t: Array, state: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        h, c = state
        a = W_hh @ h + W_xh @ x_t + b_h
        i = sigmoid(a[:H])
        f = sigmoid(a[H : 2 * H])
        g = np.tanh(a[2 * H : 3 * H])
        o = sigmoid(a[3 * H :])
        c = f * c + i * g
        h = o * np.tanh(c)
        return h, (h, c)

    def gru(x_t: Array, h: Array) -> tuple[Array, Array]:
        from_x, from_h = W_xh @ x_t + b_h, W_hh @ h
        r = sigmoid(from_x[:H] + from_h[:H])
        z = sigmoid(from_x[H : 2 * H] + from_h[H : 2 * H])
        n = np.tanh(from_x[2 * H :] + r * (from_h[2 * H :] + W["b_hh_n"]))
        h = z * h + (1 - z) * n
        return h, h

    return {"RNN": rnn, "LSTM": lstm, "GRU": gru}[kind]


def bare_generate(
    step: Step, readout: Weights, x_t: Array, state: Any, steps: int, rng: np.random.Generator
) -> list[int]:
    """Read x_t (D,), then go on alone with readout, softmax and draw; return so many labels."""
    W_hy, b_y = readout["W_hy"], readout["b_y"]
    one_hot, labels = np.eye(len(b_y), dtype=b_y.dtype), []
    for _ in range(steps):
        h, state = step(x_t, state)
        y = W_hy @ h + b_y
        p = np.exp(y - y.max())
        p /= p.sum()
        label = min(int(np.searchsorted(p.cumsum(), rng.random(), side="right")), len(p) - 1)
        labels.append(label)
        x_t = one_hot[label]
    return labels


def zeros(kind: str, *shape: int, dtype: str) -> Any:
    """Return a state of zeros."""
    h = np.zeros(shape, dtype)
    return (h, h) if kind == "LSTM" else h


def contestants(kind: str, H: int, dtype: str) -> dict[str, Callable[[], object]]:
    """Return the five, each of which goes `STEPS` steps with the same weights and inputs."""
    rng = np.random.default_rng(0)
    layer = getattr(rnncourse, kind)(INPUTS, H, rng=rng, dtype=dtype)
    readout = Readout(H, INPUTS, rng=rng, dtype=dtype)
    model = Model(layer, readout)
    x = rng.normal(size=(STEPS, 1, INPUTS)).astype(dtype)
    bare = bare_step(kind, {name: W.copy() for name, W in layer.params.items()})
    W_readout = {name: W.copy() for name, W in readout.params.items()}

    def step() -> object:
        state = None
        for x_t in x:
            h, state = layer.step(x_t, state)
        return h

    def bare_loop() -> object:
        state = zeros(kind, H, dtype=dtype)
        for x_t in x[:, 0]:
            h, state = bare(x_t, state)
        return h

    def forward() -> object:
        state = None
        for x_t in x:
            h, state, _ = layer.forward(x_t[None], state)
        return h[0]

    def generate() -> object:
        return model.generate(x[:1], STEPS, rng=np.random.default_rng(1))[:, 0]

    def bare_generation() -> object:
        start, rng = zeros(kind, H, dtype=dtype), np.random.default_rng(1)
        return bare_generate(bare, W_readout, x[0, 0], start, STEPS, rng)

    return {
        "step": step,
        "bare": bare_loop,
        "forward": forward,
        "generate": generate,
        "bare_generate": bare_generation,
    }


def measure(kind: str, H: int, dtype: str) -> dict[str, Any]:
    """Return the microseconds of a step of each, and the ratios to the bare loops."""
    steps = contestants(kind, H, dtype)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for n in range(ROUNDS + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if n:  # the first warms up
                times[name].append(1e6 * (time.perf_counter() - begin) / STEPS)
    us = {name: np.array(values) for name, values in times.items()}
    return {
        "layer": kind,
        "H": H,
        "dtype": dtype,
        **{f"{name}_us": float(np.median(values)) for name, values in us.items()},
        "step_ratio": float(np.median(us["step"] / us["bare"])),
        "forward_ratio": float(np.median(us["forward"] / us["bare"])),
        "generate_ratio": float(np.median(us["generate"] / us["bare_generate"])),
    }


def prediction() -> list[dict[str, Any]]:
    """Return seconds and memory of one result for each sequence: three ways to get it."""
    T, B, D, H, O = PREDICTION
    rng = np.random.default_rng(0)
    x = rng.normal(size=(T, B, D))

    def model() -> Model:
        layer = LSTM(D, H, rng=np.random.default_rng(0))
        readout = Readout(H, O, rng=np.random.default_rng(1))
        return Model(layer, readout, arrangement="many-to-one")

    def forward(model: Model, x: Array) -> Array:
        return model.readout.forward(model.layer.forward(x)[0][-1])

    def bare(model: Model, x: Array) -> Array:
        W = dict(model.params)
        step = bare_step("LSTM", W | {"b_h": W["b_h"][:, None]})
        state = zeros("LSTM", H, B, dtype="float64")
        for x_t in x:
            h, state = step(x_t.T, state)
        return h.T @ W["W_hy"].T + W["b_y"]

    contestants: dict[str, Callable[[Model, Array], Array]] = {
        "predict": Model.predict,
        "forward": forward,
        "bare": bare,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for n in range(PREDICTION_ROUNDS + 1):
        for name, predict in contestants.items():
            fresh = model()  # no pass has left memory behind
            begin = time.perf_counter()
            predict(fresh, x if n else x[:2])  # the first loads what is loaded late
            seconds[name].append(time.perf_counter() - begin)
    found = []
    for name, predict in contestants.items():
        fresh = model()
        tracemalloc.start()
        start = tracemalloc.get_traced_memory()[0]
        result = predict(fresh, x)
        held, peak = (n - start for n in tracemalloc.get_traced_memory())
        tracemalloc.stop()
        ratios = np.divide(seconds[name][1:], seconds["bare"][1:])
        found.append(
            {
                "what": name,
                "seconds": float(np.median(seconds[name][1:])),
                "ratio": float(np.median(ratios)),
                "held_bytes": held - result.nbytes,
                "peak_mb": peak / 2**20,
                "result": result.tolist(),
            }
        )
    return found


def main() -> None:
    print(f"\nOne step at a time, B = 1, D = O = {INPUTS}: microseconds a step, and ratios")
    heads = ("layer", "H", "dtype", "step", "bare", "forward", "generate", "bare", "ratios")
    print("{:<5} {:>4} {:<8} {:>7} {:>7} {:>8} {:>9} {:>7}   {}".format(*heads))
    rows = []
    for kind, H, dtype in product(KINDS, HIDDEN, DTYPES):
        row = measure(kind, H, dtype)
        rows.append(row)
        print(
            f"{kind:<5} {H:>4} {dtype:<8} {row['step_us']:7.1f} {row['bare_us']:7.1f} "
            f"{row['forward_us']:8.1f} {row['generate_us']:9.1f} {row['bare_generate_us']:7.1f}   "
            f"step {row['step_ratio']:.2f}, forward {row['forward_ratio']:.2f}, "
            f"generate {row['generate_ratio']:.2f}",
            flush=True,
        )
    T, B, D, H, O = PREDICTION
    print(f"\nAn LSTM, many-to-one, T, B, D, H, O = {T}, {B}, {D}, {H}, {O}: {B * O} numbers")
    print(f"{'':<8} {'seconds':>8} {'/bare':>6} {'peak, MB':>9} {'still held, MB':>15}")
    predictions = prediction()
    for found in predictions:
        del found["result"]
        print(
            f"{found['what']:<8} {found['seconds']:8.2f} {found['ratio']:6.2f} "
            f"{found['peak_mb']:9.1f} {found['held_bytes'] / 2**20:15.3f}"
        )
    print(json.dumps({"steps": rows, "size": PREDICTION, "prediction": predictions}))


if __name__ == "__main__":
    main()
