"""The bare loops of `benchmarks/generation.py` compute what the package computes."""

import json

import generation
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import rnncourse

each_kind = pytest.mark.parametrize("kind", generation.KINDS)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(generation, "STEPS", 20)
    monkeypatch.setattr(generation, "ROUNDS", 2)
    monkeypatch.setattr(generation, "HIDDEN", (5, 7))
    monkeypatch.setattr(generation, "PREDICTION", (300, 2, 3, 6, 4))


@each_kind
@pytest.mark.parametrize("B", [None, 3])
def test_the_bare_step_is_the_layer_s(kind, B):
    D, H = 3, 6
    rng = np.random.default_rng(0)
    layer = getattr(rnncourse, kind)(D, H, rng=rng)
    for W in layer.params.values():
        W[...] = rng.normal(size=W.shape)
    if B is None:
        weights = dict(layer.params)
        state_bare = generation.zeros(kind, H, dtype="float64")
    else:  # the batch as columns
        weights = {k: W[:, None] if W.ndim == 1 else W for k, W in layer.params.items()}
        state_bare = generation.zeros(kind, H, B, dtype="float64")
    bare, state = generation.bare_step(kind, weights), None
    for x_t in rng.normal(size=(15, B or 1, D)):
        h, state = layer.step(x_t, state)
        h_bare, state_bare = bare(x_t[0] if B is None else x_t.T, state_bare)
        assert_allclose(np.atleast_2d(h_bare.T), h, rtol=0, atol=1e-12)


@each_kind
@pytest.mark.parametrize("dtype", generation.DTYPES)
def test_the_contestants_compute_the_same(kind, dtype, tiny):
    found = {name: run() for name, run in generation.contestants(kind, 6, dtype).items()}
    atol = 1e-12 if dtype == "float64" else 1e-5
    for name in ("step", "forward"):
        assert found[name].dtype == found["bare"].dtype == dtype
        assert_allclose(found[name][0], found["bare"], rtol=0, atol=atol)
    assert len(set(found["bare_generate"])) > 5  # labels are drawn, not always the same
    if dtype == "float64":  # in float32 a draw may fall on the other side of a rounded border
        assert_array_equal(found["generate"], found["bare_generate"])


@each_kind
def test_a_row_has_its_times_and_ratios(kind, tiny):
    row = generation.measure(kind, 6, "float32")
    names = ("step", "bare", "forward", "generate", "bare_generate")
    assert {f"{name}_us" for name in names} <= set(row)
    assert all(value > 0 for key, value in row.items() if key.endswith(("_us", "_ratio")))


def test_the_predictions_are_the_same_and_only_a_forward_pass_leaves_memory(tiny):
    predict, forward, bare = generation.prediction()
    assert [p["what"] for p in (predict, forward, bare)] == ["predict", "forward", "bare"]
    for found in (forward, bare):
        assert_allclose(found["result"], predict["result"], rtol=0, atol=1e-12)
    # The trace of 300 steps with 6 units: far above what Python itself may keep.
    assert forward["held_bytes"] > 200_000
    assert max(predict["held_bytes"], bare["held_bytes"]) < 50_000


def test_the_last_line_is_every_number(tiny, capsys):
    generation.main()
    *tables, last = capsys.readouterr().out.strip().split("\n")
    result = json.loads(last)
    kinds, sizes, dtypes = generation.KINDS, generation.HIDDEN, generation.DTYPES
    assert len(result["steps"]) == len(kinds) * len(sizes) * len(dtypes)
    assert [p["what"] for p in result["prediction"]] == ["predict", "forward", "bare"]
    assert result["size"] == list(generation.PREDICTION)
    assert any("microseconds a step" in line for line in tables)
