"""What a type checker knows: a model's layer, its options, and that layers meet the protocol."""

from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api", reason="mypy is not installed")

RIGHT = """
import numpy as np
from rnncourse import GRU, LSTM, RNN, Bidirectional, Embedding, Layer, Model, Readout, Stack

rng = np.random.default_rng(0)
model = Model(LSTM(3, 4, rng=rng), Readout(4, 2, rng=rng), loss="squared_error")
b_f: np.ndarray = model.layer.gate("f")["b_h"]
h, (h_T, c_T), trace = model.layer.forward(np.ones((5, 2, 3)))
f: np.ndarray = trace.f
E: float = model.loss_and_gradients(np.ones((5, 2, 3)), np.ones((5, 2, 2))).E
layers: list[Layer] = [RNN(3, 4, rng=rng), GRU(3, 4, rng=rng), LSTM(3, 4, rng=rng)]
layers += [Embedding(3, 4, rng=rng), Stack(*layers), Bidirectional(layers[0])]
"""
WRONG = {
    'Model(RNN(3, 4, rng=rng), Readout(4, 2, rng=rng)).layer.gate("f")': "attr-defined",
    'Model(RNN(3, 4, rng=rng), Readout(4, 2, rng=rng), loss="hinge")': "arg-type",
    'Model(RNN(3, 4, rng=rng), Readout(4, 2, rng=rng), arrangement="many")': "arg-type",
    'GRU(3, 4, rng=rng, reset="never")': "arg-type",
    "Stack(RNN(3, 4, rng=rng), 3)": "arg-type",
    "GRU(3, 4, rng=rng).forward(np.ones((5, 2, 3)))[2].f": "attr-defined",
}


def test_a_type_checker_tells_right_from_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    file = tmp_path / "use.py"
    file.write_text(RIGHT + "\n".join(WRONG) + "\n", encoding="utf-8")
    report, trouble, _ = api.run(["--config-file", "pyproject.toml", str(file)])
    assert not trouble
    errors = [
        line.rpartition("[")[2].rstrip("]") for line in report.splitlines() if "error:" in line
    ]
    assert errors == list(WRONG.values()), report
