"""The drawings of chapter 2 show what they say, and refuse what they cannot draw."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from rnncourse import bptt, figures

pytestmark = pytest.mark.usefixtures("drawing")


def lit_arrows(fig: Figure) -> list[FancyArrowPatch]:
    arrows = [p for p in fig.axes[0].patches if isinstance(p, FancyArrowPatch)]
    return [a for a in arrows if to_hex(a.get_edgecolor()) == figures.ERROR.lower()]


def labels(fig: Figure) -> list[str]:
    """The factors written on the arrows, without the names in the nodes."""
    return [t.get_text() for t in fig.axes[0].texts if r"\dfrac" in t.get_text()]


@pytest.mark.parametrize("error_step", [0, 1, 2])
@pytest.mark.parametrize("use_step", [0, 1, 2])
def test_a_path_lights_its_factors_only(error_step, use_step):
    if use_step > error_step:
        with pytest.raises(ValueError, match=r"use_step is .*, expected at most error_step"):
            figures.chain_rule(error_step, use_step)
        return
    fig = figures.chain_rule(error_step, use_step, "W_hh")
    jacobians = error_step - use_step
    assert len(lit_arrows(fig)) == jacobians + 2
    name = ["n", "n+1", "n+2"]
    expected = {
        rf"$\dfrac{{\partial E_{{{name[error_step]}}}}}{{\partial h_{{{name[error_step]}}}}}$",
        rf"$\dfrac{{\partial^{{+}} h_{{{name[use_step]}}}}}{{\partial W_{{hh}}}}$",
    } | {
        rf"$\dfrac{{\partial h_{{{name[s]}}}}}{{\partial h_{{{name[s - 1]}}}}}$"
        for s in range(use_step + 1, error_step + 1)
    }
    assert set(labels(fig)) == expected


def test_lit_arrows_run_backward():
    for arrow in lit_arrows(figures.chain_rule(2, 0)):
        (x0, y0), (x1, y1) = arrow._posA_posB
        assert (x1, y1) < (x0, y0) or (x1 == x0 and y1 < y0)


def test_the_whole_figure_has_every_factor():
    fig = figures.chain_rule()
    assert len(lit_arrows(fig)) == 3 + 2 + 3
    assert len(set(labels(fig))) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"error_step": 3}, "error_step is 3, expected 0, 1 or 2"),
        ({"use_step": -1}, "use_step is -1, expected 0, 1 or 2"),
        ({"weight": "W_hy"}, "weight is 'W_hy', expected one of"),
    ],
)
def test_chain_rule_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.chain_rule(**arguments)


@pytest.mark.parametrize(("every", "back"), [(9, 9), (1, 3), (3, 3), (2, 5), (4, 4), (1, 1)])
def test_kept_paths_are_those_that_truncated_bptt_keeps(every, back):
    """Full dots are found by asking the algorithm: does E_m reach the use at step k?"""
    T = 9
    rng = np.random.default_rng(1)
    shapes = {"W_xh": (2, T), "W_hh": (2, 2), "b_h": (2,), "W_hy": (1, 2), "b_y": (1,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    # With one-hot inputs, column k of dE/dW_xh is the use at step k + 1. With targets equal to
    # the outputs but at step m, only E_m counts.
    x = np.eye(T)
    y = bptt.forward(params, x)[1]
    reached = set()
    for m in range(1, T + 1):
        targets = y.copy()
        targets[m - 1] += 1
        grads = bptt.truncated_bptt(params, x, targets, every=every, back=back)[1]
        reached |= {(k + 1, m) for k in np.flatnonzero(np.any(grads["W_xh"] != 0, axis=0))}

    ax = figures.kept_paths(T, {"cut": (every, back)}).axes[0]
    full = [c for c in ax.collections if len(c.get_facecolors())]
    drawn = {(int(k), int(m)) for c in full for k, m in c.get_offsets()}
    assert drawn == reached
    assert f"{len(reached)} of 45 paths" in ax.get_title(loc="left")


def test_a_dot_is_as_large_as_what_its_path_carries():
    carried = {(m, k): 0.5 ** (m - k) for m in range(1, 4) for k in range(1, m + 1)}
    ax = figures.kept_paths(3, {"cut": (1, 2)}, carried).axes[0]
    areas = {
        (int(m), int(k)): size
        for dots in ax.collections
        for (k, m), size in zip(dots.get_offsets(), dots.get_sizes(), strict=True)
    }
    assert areas.keys() == carried.keys()
    assert all(areas[path] == pytest.approx(areas[1, 1] * carried[path]) for path in carried)


def test_paths_that_carry_nothing_have_no_area():
    ax = figures.kept_paths(1, {"cut": (1, 1)}, {(1, 1): 0.0}).axes[0]
    assert ax.collections[0].get_sizes().tolist() == [0]


def test_a_path_without_a_number_is_named():
    with pytest.raises(ValueError, match=r"carried lacks \(2, 1\), expected every path"):
        figures.kept_paths(2, {"cut": (1, 1)}, {(1, 1): 1.0, (2, 2): 1.0})
    for bad in (float("nan"), -1.0):
        with pytest.raises(
            ValueError, match=r"carried\[\(1, 1\)\] is .*, expected a (finite )?number"
        ):
            figures.kept_paths(1, {"cut": (1, 1)}, {(1, 1): bad})


def test_the_sweep_passes_a_signal_along_every_arrow():
    fig = figures.sweep()
    assert len(lit_arrows(fig)) == 3 + 2 + 3
    for arrow in lit_arrows(fig):
        (x0, y0), (x1, y1) = arrow._posA_posB
        assert (x1, y1) < (x0, y0) or (x1 == x0 and y1 < y0)
    said = [t.get_text() for t in fig.axes[0].texts]
    for sign, count in ((r"W_{hy}^\top\delta^y", 3), (r"W_{hh}^\top\delta^a", 2), (r"\delta^h", 3)):
        assert sum(text.startswith(f"${sign}") for text in said) == count
    assert r"$\delta^a_{n+1}h_{n}^\top$" in said


@pytest.mark.parametrize(
    ("steps", "cuts", "message"),
    [
        (0, {"full": (1, 1)}, "steps is 0, expected at least 1"),
        (9, {}, "cuts is empty"),
        (9, {"bad": (3, 2)}, "'bad' has back = 2, expected at least every = 3"),
        (9, {"bad": (0, 2)}, "every is 0, expected at least 1"),
    ],
)
def test_kept_paths_refuses(steps, cuts, message):
    with pytest.raises(ValueError, match=message):
        figures.kept_paths(steps, cuts)
