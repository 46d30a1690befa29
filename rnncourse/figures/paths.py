"""The drawings of chapter 2: the paths of the chain rule."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..validation import require_choice, require_number, require_size
from .style import ERROR, HIDDEN, QUIET, WIDTH, Point, arrow, canvas, node


def chain_rule(error_step: int = 2, use_step: int | None = None, weight: str = "W") -> Figure:
    """Draw three unrolled steps and the factors of the chain rule on them.

    Arrows of the forward pass are quiet; factors of the chain rule are lit and run backward.

    Parameters
    ----------
    error_step, use_step : int from 0 to 2
        Offsets from step n. With both, one path is lit: from the error at n + `error_step` back
        to the use of the weight at n + `use_step`. Without `use_step`, every factor is lit.
    weight : "W", "W_hh", "W_xh" or "b_h"
        The name at the foot of each step; "W" stands for any of the three.

    Raises
    ------
    ValueError
        A step outside 0..2, a use after the error, or another weight.
    """
    names = {"W": "W", "W_hh": "W_{hh}", "W_xh": "W_{xh}", "b_h": "b_h"}
    W = names[require_choice("weight", weight, tuple(names))]
    for name, value in {"error_step": error_step, "use_step": use_step}.items():
        if value is not None and not 0 <= value <= 2:
            raise ValueError(f"{name} is {value}, expected 0, 1 or 2")
    if use_step is not None and use_step > error_step:
        raise ValueError(f"use_step is {use_step}, expected at most error_step = {error_step}")

    t = ["n", "n+1", "n+2"]
    X, TOP, MIDDLE, FOOT = (1.7, 4.1, 6.5), 4.6, 2.1, 0.5
    fig, ax = canvas(7.9, 5.1)
    _link(ax, (0.35, MIDDLE), (X[0], MIDDLE), "", False)
    ax.text(0.32, MIDDLE, "$h_{n-1}$", ha="center", va="center", fontsize=13, color=QUIET)
    if use_step is None:
        errors = uses = passed = range(3)
    else:
        errors, uses = range(error_step, error_step + 1), range(use_step, use_step + 1)
        passed = range(use_step, error_step + 1)
    for s in range(3):
        error, used = s in errors, s in uses
        _link(ax, (X[s], MIDDLE), (X[s], TOP), _ratio(f"E_{{{t[s]}}}", f"h_{{{t[s]}}}"), error)
        _link(ax, (X[s], FOOT), (X[s], MIDDLE), _ratio(f"h_{{{t[s]}}}", W, "+"), used)
        if s:
            ax.plot([X[s - 1] + 0.45, X[s] - 0.45], [FOOT] * 2, color=QUIET, linewidth=1, ls=":")
            label = _ratio(f"h_{{{t[s]}}}", f"h_{{{t[s - 1]}}}")
            _link(ax, (X[s - 1], MIDDLE), (X[s], MIDDLE), label, s in passed[1:])
        node(ax, (X[s], TOP), f"$E_{{{t[s]}}}$", ERROR if error else QUIET, 0.4)
        node(ax, (X[s], MIDDLE), f"$h_{{{t[s]}}}$", HIDDEN if s in passed else QUIET, 0.4)
        node(ax, (X[s], FOOT), f"${W}$", ERROR if used else QUIET, 0.4)
    return fig


def _ratio(above: str, below: str, sign: str = "") -> str:
    """Return the formula of a derivative; `sign` "+" marks an immediate one."""
    power = f"^{{{sign}}}" if sign else ""
    return rf"$\dfrac{{\partial{power} {above}}}{{\partial {below}}}$"


def _link(ax: Axes, start: Point, end: Point, label: str, lit: bool) -> None:
    """Draw a quiet arrow from `start` to `end`, or a lit one back with its factor beside it."""
    if not lit:
        arrow(ax, start, end, color=QUIET + "99", gap=0.45)
        return
    arrow(ax, end, start, color=ERROR, gap=0.45)
    ax.patches[-1].set_linewidth(2.8)
    across, up = start[1] == end[1], end[1] - start[1]
    dx, dy = (0.0, 0.47) if across else (0.74, 0.4 if up > 1.7 else 0.0)
    middle = ((start[0] + end[0]) / 2 + dx, (start[1] + end[1]) / 2 + dy)
    ax.text(*middle, label, color=ERROR, ha="center", va="center", fontsize=14, zorder=5)


def sweep() -> Figure:
    """Draw the recursion on three unrolled steps: what each state gets, and where it passes it on.

    The arrows run backward, as the sweep does; each carries what goes along it (eq-delta-h), and
    those that go down the step's term of the gradient (eq-bptt-sums).
    """
    t = ["n", "n+1", "n+2"]
    X, TOP, MIDDLE, FOOT = (1.7, 4.1, 6.5), 4.6, 2.1, 0.5
    fig, ax = canvas(7.9, 5.1)
    _link(ax, (0.35, MIDDLE), (X[0], MIDDLE), "", False)
    ax.text(0.32, MIDDLE, "$h_{n-1}$", ha="center", va="center", fontsize=13, color=QUIET)
    before = ["n-1", *t]
    for s, x in enumerate(X):
        _link(ax, (x, MIDDLE), (x, TOP), rf"$W_{{hy}}^\top\delta^y_{{{t[s]}}}$", True)
        _link(ax, (x, FOOT), (x, MIDDLE), rf"$\delta^a_{{{t[s]}}}h_{{{before[s]}}}^\top$", True)
        if s:
            ax.plot([X[s - 1] + 0.45, x - 0.45], [FOOT] * 2, color=QUIET, linewidth=1, ls=":")
            label = rf"$W_{{hh}}^\top\delta^a_{{{t[s]}}}$"
            _link(ax, (X[s - 1], MIDDLE), (x, MIDDLE), label, True)
        node(ax, (x, TOP), f"$E_{{{t[s]}}}$", ERROR, 0.4)
        node(ax, (x, MIDDLE), rf"$\delta^h_{{{t[s]}}}$", HIDDEN, 0.42)
        node(ax, (x, FOOT), "$W_{hh}$", ERROR, 0.4)
    return fig


def kept_paths(
    steps: int,
    cuts: Mapping[str, tuple[int, int]],
    carried: Mapping[tuple[int, int], float] | None = None,
) -> Figure:
    """Draw which paths truncated backpropagation keeps, one panel for each way to cut.

    A row is an error step m, a column a use step k, and a dot is the path from E_m to the use at
    step k: full if kept, hollow if lost.

    Parameters
    ----------
    steps : int from 1
        Length T of the sequence.
    cuts : mapping from a panel's title to (every, back)
        As for `rnncourse.gradients.bptt.truncated_bptt`.
    carried : mapping from (m, k) to a number from 0, optional
        What each path carries: the area of its dot. All dots are alike if left out.

    Raises
    ------
    ValueError
        No cut, a path without a number from 0 in `carried`, or `back` smaller than `every`.
    """
    require_size("steps", steps)
    if not cuts:
        raise ValueError("cuts is empty, expected at least one (every, back)")
    for title, (every, back) in cuts.items():
        if require_size("back", back) < require_size("every", every):
            raise ValueError(f"{title!r} has back = {back}, expected at least every = {every}")
    pairs = [(m, k) for m in range(1, steps + 1) for k in range(1, m + 1)]
    if carried is not None and (missing := [pair for pair in pairs if pair not in carried]):
        raise ValueError(f"carried lacks {missing[0]}, expected every path (m, k)")
    for pair, value in (carried or {}).items():
        if require_number(f"carried[{pair}]", value) < 0:
            raise ValueError(f"carried[{pair}] is {value!r}, expected a number from 0")
    height = 2.3 if len(cuts) > 1 else 3.8
    fig, axes = plt.subplots(1, len(cuts), figsize=(WIDTH, height), squeeze=False)
    for ax, (title, (every, back)) in zip(axes[0], cuts.items(), strict=True):
        # The errors of a block of `every` steps go back together, from the block's end.
        kept = [(m, k) for m, k in pairs if k > -(-m // every) * every - back]
        lost = [pair for pair in pairs if pair not in kept]
        for dots, fill, size in ((kept, HIDDEN, 26.0), (lost, "none", 16.0)):
            if dots:
                ms, ks = zip(*dots, strict=True)
                areas = [size] * len(dots) if carried is None else _areas(dots, carried)
                ax.scatter(ks, ms, s=areas, facecolors=fill, edgecolors=HIDDEN, linewidths=0.8)
        ax.set(aspect="equal", xlabel="use step $k$", xticks=[1, steps], yticks=[1, steps])
        ax.set_title(f"{title}\n{len(kept)} of {len(pairs)} paths", fontsize=11)
    axes[0][0].set_ylabel("error step $m$")
    return fig


def _areas(dots: list[tuple[int, int]], carried: Mapping[tuple[int, int], float]) -> list[float]:
    """Return the areas of the dots, the largest of all paths 90 square points."""
    largest = max(carried.values()) or 1.0
    return [90 * carried[dot] / largest for dot in dots]
