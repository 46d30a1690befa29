"""The benchmarks measure what they say: one training step three times, and all its products."""

from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: `make torch` installs it")

import bench
import memory
import speed
from textbook import GRU_GATES, by_gate, textbook_gru

from rnncourse import GRU
from rnncourse.layers import gru, lstm, packed, rnn
from rnncourse.layers.packed import COLUMNS

each_kind = pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
SIZE = (5, 3, 2, 4)


@each_kind
def test_the_contestants_compute_the_same(kind):
    steps = speed.contestants(kind, SIZE)
    h, (dx, _, grads) = steps["ours"]()
    h_torch = steps["pytorch"]().detach().numpy()
    h_book, dx_book, grads_book = steps["textbook"]()
    assert h_book.dtype == np.float64
    assert h.dtype == h_torch.dtype == np.float32
    assert grads.keys() == grads_book.keys()
    for ours, theirs in [(h, h_torch), (h, h_book), (dx, dx_book)]:
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
    for name, value in grads_book.items():
        np.testing.assert_allclose(grads[name], value, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("size", [(1, 1, 1, 1), SIZE, (40, 2, 3, 5)], ids=str)
def test_the_textbook_gru_is_the_package_s_with_every_bias(size):
    T, B, D, H = size
    rng = np.random.default_rng(0)
    layer = GRU(D, H, rng=rng)
    for W in layer.params.values():  # b_h and b_hh_n start at 0
        W[...] = rng.normal(size=W.shape)
    x, dh = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H))
    h, _, trace = layer.forward(x)
    dx, _, grads = layer.backward(trace, dh)
    W = by_gate(dict(layer.params), np.dtype(np.float64), GRU_GATES)
    h_book, dx_book, grads_book = textbook_gru(W, x, dh)
    assert grads_book.keys() == grads.keys() == {"W_xh", "W_hh", "b_h", "b_hh_n"}
    for ours, theirs in [(h, h_book), (dx, dx_book), *((grads[k], grads_book[k]) for k in grads)]:
        np.testing.assert_allclose(theirs, ours, rtol=1e-10, atol=1e-12)


def products_of(step):
    """The sizes of all matrix products of a call, sorted; a stack of them counts one by one."""
    found, matmul = [], np.matmul

    def recorded(a, b, out=None):
        found.extend([(*a.shape, b.shape[-1])] * int(np.prod(b.shape[:-2], dtype=int)))
        return matmul(a, b, out=out)

    with ExitStack() as stack:
        for module in (np, packed, rnn, lstm, gru):
            if hasattr(module, "matmul"):
                stack.enter_context(patch.object(module, "matmul", recorded))
        step()
    return sorted(found)


@each_kind
@pytest.mark.parametrize("size", [SIZE, (7, COLUMNS // 3, 2, 2), (3, COLUMNS + 1, 1, 2)])
def test_the_floor_is_every_product_of_a_step(kind, size):
    """The sizes of the products that a step makes, and those of the floor, are the same."""
    ours = products_of(speed.contestants(kind, size)["ours"])
    assert len(ours) >= 2 * size[0]  # one forward and one back at each step
    assert products_of(speed.products(kind, size)) == ours


@each_kind
def test_a_row_has_its_ratios(kind, monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 3)
    monkeypatch.setattr(speed, "BLOCK", 1e-4)
    monkeypatch.setattr(speed, "REST", 0)
    row = speed.measure(kind, SIZE)
    assert all(row[key] > 0 for key in row if key != "size")
    assert set(row) >= {"ours_ms", "pytorch_ms", "textbook_ms", "products_ms", "ratio"}


def test_the_mean_of_ratios_is_geometric():
    assert speed.geometric_mean([0.5, 2.0]) == pytest.approx(1)


def test_each_part_runs_in_a_process_with_its_threads_fixed(tmp_path):
    file = tmp_path / "threads.py"
    file.write_text("import os\nprint('shown')\nprint(os.environ['OPENBLAS_NUM_THREADS'])\n")
    assert bench.run(3, file) == "3"


def test_the_spread_puts_runs_side_by_side():
    def one(layer, ratio):
        return {"layer": layer, "threads": 2, "ratio": ratio, "worst": 2 * ratio, "rows": []}

    runs = [[one("RNN", 0.5), one("LSTM", 1.0)], [one("RNN", 0.6), one("LSTM", 1.1)]]
    assert bench.spread(runs) == [
        {"layer": "RNN", "threads": 2, "ratio": [0.5, 0.6], "worst": [1.0, 1.2]},
        {"layer": "LSTM", "threads": 2, "ratio": [1.0, 1.1], "worst": [2.0, 2.2]},
    ]


def test_the_machine_is_described():
    described = bench.machine()
    assert {"processor", "cores", "numpy", "blas", "pytorch"} <= set(described)
    assert all(described.values())


@each_kind
def test_memory_and_lengths_are_measured(kind, monkeypatch):
    monkeypatch.setattr(memory, "LENGTHS", (5, 20))
    assert all(value > 0 for value in memory.time_by_length(kind).values())
    assert all(value > 0 for value in memory.truncated(kind).values())
    for who in ("ours", "torch"):
        value = memory.peak(who, kind, 200, 8, 2, 32)
        assert value is None or value >= 0
