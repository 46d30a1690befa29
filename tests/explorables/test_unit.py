"""One unit: the fixed points are all there are, and the page computes what Python computes."""

import numpy as np
import pytest
from browsers import settle

from rnncourse import equations as eq

unit = pytest.importorskip("rnncourse.explorables.unit", reason="anywidget is not installed")
rng = np.random.default_rng(0)
CASES = np.column_stack([rng.uniform(-3, 3, 100), rng.uniform(-1.5, 1.5, 100)]).tolist()


@pytest.mark.parametrize(("w", "b"), CASES)
def test_fixed_points_are_all_the_sign_changes_of_a_fine_grid(w, b):
    found = unit.fixed_points(w, b)
    assert np.allclose(np.tanh(w * np.array(found) + b), found, atol=1e-14)
    grid = np.linspace(-1, 1, 20_001)
    gap = np.tanh(w * grid + b) - grid
    crossings = grid[:-1][gap[:-1] * gap[1:] < 0]
    assert len(found) == len(crossings)
    assert np.allclose(found, crossings, atol=1e-4)


def test_the_trajectory_is_that_of_the_equation():
    h = [np.array([0.3])]
    for x_t in unit.PULSES:
        one = [np.array([[v]]) for v in (1.7, -1.2)]
        h.append(eq.hidden_state(np.array([x_t]), h[-1], *one, np.array([0.2])))
    assert np.allclose(unit.trajectory(-1.2, 1.7, 0.2, 0.3), np.ravel(h), atol=1e-14)


def test_the_slope_is_the_derivative_of_the_map():
    w, b = 2.0, 0.3
    h = unit.fixed_points(w, b)[-1]
    measured = (np.tanh(w * (h + 1e-6) + b) - np.tanh(w * (h - 1e-6) + b)) / 2e-6
    assert unit.slope(w, h) == pytest.approx(measured, rel=1e-8)


def test_the_page_computes_the_same(js):
    starts = rng.uniform(-1, 1, (100, 2)).tolist()
    paths = [[w, u, b, h0] for (w, b), (u, h0) in zip(CASES, starts, strict=True)]
    here = [unit.trajectory(*case) for case in paths]
    assert np.abs(np.subtract(js("unit", "trajectory", paths), here)).max() < 1e-12
    for there, case in zip(js("unit", "fixedPoints", CASES), CASES, strict=True):
        assert np.allclose(there, unit.fixed_points(*case), rtol=0, atol=1e-12)
    slopes = [[w, h] for w, h in CASES]
    assert js("unit", "slope", slopes) == pytest.approx([unit.slope(*c) for c in slopes], abs=1e-12)


def test_the_summary_says_what_python_computes(twin):
    page = twin(unit.OneUnit(w=2.0, b=0.1))
    settle(page)
    said = page.inner_text(".summary")
    for h in unit.fixed_points(2.0, 0.1):
        assert f"{h:.3f}".replace("-", "−") in said
    assert "one bit" in said
