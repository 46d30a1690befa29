"""How much memory a training step takes, and how time and memory grow with the sequence.

    python benchmarks/memory.py peak ours LSTM 200 64 64 256       megabytes above the start
    python benchmarks/memory.py time LSTM                          microseconds for each step
    python benchmarks/memory.py truncated LSTM                     megabytes for each length

`bench.py` runs these, each in a process of its own.
"""

import sys
import time
import tracemalloc

import numpy as np

import rnncourse

LARGEST = ((200, 64, 64, 256), (100, 128, 64, 512), (784, 100, 1, 100))
LENGTHS = (100, 1000, 10000)


def peak(who: str, kind: str, T: int, B: int, D: int, H: int) -> float | None:
    """Return by how much the process grows in three training steps, in MB; None if not Linux."""
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(T, B, n)).astype(np.float32) for n in (D, H)]
    if who == "ours":

        def make(D: int, H: int) -> object:
            return getattr(rnncourse, kind)(D, H, rng=rng, dtype=np.float32)

        def step(layer: object, x: np.ndarray, dh: np.ndarray) -> object:
            h, _, trace = layer.forward(x)
            return h, layer.backward(trace, dh)
    else:
        import torch

        def make(D: int, H: int) -> object:
            return getattr(torch.nn, kind)(D, H)

        def step(module: object, x: np.ndarray, dh: np.ndarray) -> object:
            inputs = torch.from_numpy(x).requires_grad_()
            for parameter in module.parameters():
                parameter.grad = None
            h, _ = module(inputs)
            h.backward(torch.from_numpy(dh))
            return h, inputs.grad

    step(make(2, 2), *(np.ones((2, 2, 2), np.float32),) * 2)  # loads what is loaded late
    layer = make(D, H)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak starts again from here
        start = _status("VmRSS")
        for _ in range(3):
            step(layer, *data)
        return _status("VmHWM") - start
    except OSError:
        return None


def _status(key: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))


def time_by_length(kind: str) -> dict[int, float]:
    """Return the microseconds for each of T steps, B, D, H = 20, 8, 64: the lower quartile."""
    times: dict[int, list[float]] = {T: [] for T in LENGTHS}
    rng = np.random.default_rng(0)
    layer = getattr(rnncourse, kind)(8, 64, rng=rng, dtype=np.float32)
    data = {T: [rng.normal(size=(T, 20, n)).astype(np.float32) for n in (8, 64)] for T in LENGTHS}
    for _ in range(5):
        for T, (x, dh) in data.items():
            for n in range(1 + max(LENGTHS) // T):
                begin = time.perf_counter()
                layer.backward(layer.forward(x)[2], dh)
                if n:  # the first finds no memory of its size
                    times[T].append((time.perf_counter() - begin) / T * 1e6)
    return {T: float(np.quantile(values, 0.25)) for T, values in times.items()}


def truncated(kind: str) -> dict[int, float]:
    """Return the MB beyond its data that `fit` needs to train by chunks of 50 steps."""
    result = {}
    for T in LENGTHS:
        rng = np.random.default_rng(0)
        layer = getattr(rnncourse, kind)(8, 32, rng=rng, dtype=np.float32)
        readout = rnncourse.Readout(32, 4, rng=rng, dtype=np.float32)
        model = rnncourse.Model(layer, readout)
        x = rng.normal(size=(T, 8, 8)).astype(np.float32)
        labels = rng.integers(4, size=(T, 8))
        tracemalloc.start()
        rnncourse.fit(
            model,
            x,
            labels,
            epochs=1,
            optimizer=rnncourse.SGD(0.01),
            rng=rng,
            truncate=50,
            progress=False,
        )
        result[T] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    return result


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "peak":
        who, kind, *size = rest
        value = peak(who, kind, *map(int, size))
        print("not measured" if value is None else f"{value:.0f}")
    else:
        result = {"time": time_by_length, "truncated": truncated}[what](*rest)
        print(*(f"{value:.3f}" for value in result.values()))


if __name__ == "__main__":
    main()
