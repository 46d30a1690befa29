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


@pytest.mark.parametrize(("w", "b"), [*CASES, (-3.0, 0.5), (-1.05, 0.0), (-1.0, 0.0)])
def test_a_swing_is_where_the_state_goes(w, b):
    found = unit.cycle(w, b)
    h = 0.999
    for _ in range(20_000):
        h = np.tanh(w * h + b)
    ahead = np.tanh(w * h + b)
    if abs(h - ahead) > 0.05:
        assert np.allclose(found, [max(h, ahead), min(h, ahead)], atol=1e-9)
    else:
        assert found == () or found[0] - found[1] < 0.06


def test_the_page_computes_the_same(js):
    starts = rng.uniform(-1, 1, (100, 2)).tolist()
    paths = [[w, u, b, h0] for (w, b), (u, h0) in zip(CASES, starts, strict=True)]
    here = [unit.trajectory(*case) for case in paths]
    assert np.abs(np.subtract(js("unit", "trajectory", paths), here)).max() < 1e-12
    for there, case in zip(js("unit", "fixedPoints", CASES), CASES, strict=True):
        assert np.allclose(there, unit.fixed_points(*case), rtol=0, atol=1e-12)
    for there, case in zip(js("unit", "cycle", CASES), CASES, strict=True):
        assert np.allclose(there, unit.cycle(*case), rtol=0, atol=1e-12)
    assert sum(len(unit.cycle(*case)) for case in CASES) > 20
    slopes = [[w, h] for w, h in CASES]
    assert js("unit", "slope", slopes) == pytest.approx([unit.slope(*c) for c in slopes], abs=1e-12)


def test_the_summary_says_what_python_computes(twin):
    page = twin(unit.OneUnit(w=2.0, b=0.1))
    settle(page)
    said = page.inner_text(".summary")
    for h in unit.fixed_points(2.0, 0.1):
        assert f"{h:.3f}".replace("-", "−") in said
    assert "one bit" in said


# For each line of the picture of all weights the largest gap in it and where it ends, in pixels.
LINES = """(b) => {
  const { root, set } = document.querySelector(".rnnx").explorable;
  set({ b, w: -3 });
  const draw = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return draw.then(() => [...root.querySelectorAll(".more svg svg path")].map((path) => {
    const frame = path.closest("svg").getBoundingClientRect();
    const runs = path.getAttribute("d").split("M").slice(1)
      .map((run) => run.split("L").map((p) => p.split(" ").map(Number)));
    const left = Math.min(...runs.flat().map(([x]) => x)) - path.closest("svg").x.baseVal.value;
    const gap = Math.max(0, ...runs.flatMap((run) => run.slice(1).map(([x, y], i) =>
      x < path.closest("svg").x.baseVal.value ? 0 : Math.hypot(x - run[i][0], y - run[i][1]))));
    return { kind: path.getAttribute("class"), left, gap, width: frame.width };
  }));
}"""


@pytest.mark.parametrize("b", [0, 0.5, -1.5])
def test_the_picture_of_all_weights_has_no_gaps_and_reaches_both_ends(twin, b):
    page = twin(unit.OneUnit())
    drawn = page.evaluate(LINES, b)
    assert [line["kind"] for line in drawn].count("output thick") == 2  # the swing
    for line in drawn:
        if line["kind"] == "output thick":
            assert line["left"] == pytest.approx(0, abs=0.2)
            assert line["gap"] < 40
    # A point repels at w = −3, and the dashed line of its kind goes beyond the left end.
    assert abs(unit.slope(-3, unit.fixed_points(-3, b)[0])) > 1
    if b:
        assert min(line["left"] for line in drawn if line["kind"] == "hidden dash") <= 0


def test_play_has_something_to_show(twin):
    page = twin(unit.OneUnit())
    page.clock.install()
    page.get_by_role("button", name="Play", exact=True).click()
    heights = set()
    for _ in range(45):
        page.clock.run_for(120)
        state = page.evaluate("({ ...document.querySelector('.rnnx').explorable.state })")
        heights.add(
            round(unit.trajectory(*(state[k] for k in ("w", "u", "b", "h0")))[state["steps"]], 1)
        )
    assert {-1.0, 1.0} <= heights  # lifted by a pulse, taken down by the other
