"""The drawings of the chapters: one palette, one style, small parts that compose.

Colors are the color-blind-safe set of Okabe and Ito (2008), one for each role, the same in every
chapter. Figures carry a light card of their own, so that they read on light and dark pages.
Needs matplotlib (``pip install rnncourse[plot]``).
"""

import math
import sys
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from numpy.typing import NDArray

from .validation import require_choice, require_size

CARD, INK, QUIET = "#fbfaf6", "#20242c", "#6b7280"
BLUE, GREEN, ORANGE, VERMILION = "#0072B2", "#009E73", "#E69F00", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
INPUT, HIDDEN, OUTPUT, ERROR = GREEN, BLUE, ORANGE, VERMILION

Point = tuple[float, float]


def use_style() -> None:
    """Set matplotlib up for the book: light card, calm axes, SVG in notebooks."""
    mpl.rcParams.update(
        {
            "figure.facecolor": CARD,
            "savefig.facecolor": CARD,
            "axes.facecolor": CARD,
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler("color", [BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY]),
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "text.color": INK,
            "xtick.color": QUIET,
            "ytick.color": QUIET,
            "font.size": 10,
            "mathtext.fontset": "cm",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "figure.figsize": (7, 3.2),
            "figure.constrained_layout.use": True,
            # The same drawing gives the same file, on every run.
            "svg.hashsalt": "rnncourse",
        }
    )
    if "ipykernel" in sys.modules:
        from matplotlib_inline import backend_inline

        backend_inline.set_matplotlib_formats("svg", metadata={"Date": None}, pad_inches=0.15)


def canvas(width: float, height: float, size: float = 1.0) -> tuple[Figure, Axes]:
    """Return an empty drawing area of `width` × `height` units, equal on both axes, no frame.

    A node drawn with `node` is 0.7 units across; `size` is the inches per unit.
    """
    fig, ax = plt.subplots(figsize=(width * size, height * size))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return fig, ax


def node(ax: Axes, at: Point, text: str, color: str, radius: float = 0.35) -> None:
    """Draw a labelled circle: an input, a state, an output or an error, by its color."""
    ax.add_patch(Circle(at, radius, facecolor=color + "22", edgecolor=color, linewidth=2, zorder=3))
    ax.text(*at, text, ha="center", va="center", fontsize=13, zorder=4)


def arrow(
    ax: Axes,
    start: Point,
    end: Point,
    text: str = "",
    color: str = INK,
    *,
    gap: float = 0.4,
    bend: float = 0.0,
    offset: Point = (0.0, 0.0),
    style: str = "-",
) -> None:
    """Draw an arrow between the centers of two nodes, stopping `gap` units short of each.

    `bend` curves it (positive to the left of its direction); `offset` moves its `text` away from
    its middle.
    """
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    ux, uy = (x1 - x0) / length * gap, (y1 - y0) / length * gap
    ax.add_patch(
        FancyArrowPatch(
            (x0 + ux, y0 + uy),
            (x1 - ux, y1 - uy),
            arrowstyle="-|>",
            mutation_scale=13,
            color=color,
            linewidth=1.6,
            linestyle=style,
            connectionstyle=f"arc3,rad={-bend}",
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
    )
    if text:
        middle = ((x0 + x1) / 2 + offset[0], (y0 + y1) / 2 + offset[1])
        ax.text(*middle, text, color=color, ha="center", va="center", fontsize=11, zorder=5)


# ---------------------------------------------------------------- chapter 1


def loop(ax: Axes, at: Point, text: str = "", color: str = INK, *, angle: float = 0.0) -> None:
    """Draw an edge from a node at `at` to itself, on the side that `angle` (degrees) points to."""
    x, y = at

    def around(degrees: float, distance: float) -> Point:
        turn = math.radians(angle + degrees)
        return x + distance * math.cos(turn), y + distance * math.sin(turn)

    ax.add_patch(
        FancyArrowPatch(
            around(38, 0.4),
            around(-38, 0.4),
            arrowstyle="-|>",
            mutation_scale=13,
            color=color,
            linewidth=1.6,
            connectionstyle="arc3,rad=-2.1",
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
    )
    if text:
        ax.text(*around(0, 1.19), text, color=color, ha="center", va="center", fontsize=11)


def folded() -> Figure:
    """Draw a recurrent network with its cycles: unit by unit, and with one node a vector.

    Left, D = 1, H = 2, O = 1: five edges of units into units or out, four recurrent ones.
    Right, the same network with one node for each vector and one arrow for each weight matrix.
    """
    fig, ax = canvas(6.2, 4.1, 0.8)
    x, first, second, y = (1.75, 0.95), (0.95, 2.2), (2.55, 2.2), (1.75, 3.45)
    node(ax, x, "$x$", INPUT)
    node(ax, first, "$h^{(1)}$", HIDDEN)
    node(ax, second, "$h^{(2)}$", HIDDEN)
    node(ax, y, "$y$", OUTPUT)
    for unit, other, side in ((first, second, 180), (second, first, 0)):
        arrow(ax, x, unit, color=QUIET)
        arrow(ax, unit, y, color=QUIET)
        arrow(ax, unit, other, color=HIDDEN, bend=0.45)
        loop(ax, unit, color=HIDDEN, angle=side)
    compact_folded(ax, (4.85, 2.2))
    ax.text(1.75, 0.2, "unit by unit", ha="center", fontsize=11, color=QUIET)
    ax.text(4.85, 0.2, "a node for each vector", ha="center", fontsize=11, color=QUIET)
    return fig


def compact_folded(ax: Axes, at: Point) -> None:
    """Draw input, state with its loop, and output, one node for each vector; the state is `at`."""
    x, y = (at[0], at[1] - 1.25), (at[0], at[1] + 1.25)
    node(ax, x, "$x$", INPUT)
    node(ax, at, "$h$", HIDDEN)
    node(ax, y, "$y$", OUTPUT)
    arrow(ax, x, at, "$W_{xh}$", offset=(-0.36, 0))
    arrow(ax, at, y, "$W_{hy}$", offset=(-0.36, 0))
    loop(ax, at, "$W_{hh}$", HIDDEN)


def unrolled(steps: int) -> Figure:
    """Draw the folded network and, beside it, the same network unrolled over `steps` steps."""
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    first, apart = 3.42, 1.17
    fig, ax = canvas(first + apart * steps + 0.7, 3.5, 0.66)
    compact_folded(ax, (0.75, 1.75))
    arrow(ax, (2.28, 1.75), (2.95, 1.75), "unroll", QUIET, gap=0.0, offset=(0, 0.26))
    state = (first, 1.75)
    node(ax, state, "$h_0$", HIDDEN)
    for t in range(1, steps + 1):
        before, state = state, (first + apart * t, 1.75)
        x, y = (state[0], 0.5), (state[0], 3.0)
        node(ax, x, f"$x_{{{t}}}$", INPUT)
        node(ax, state, f"$h_{{{t}}}$", HIDDEN)
        node(ax, y, f"$y_{{{t}}}$", OUTPUT)
        arrow(ax, before, state, "$W_{hh}$", HIDDEN, offset=(0, 0.3))
        arrow(ax, x, state, "$W_{xh}$", offset=(0.38, 0))
        arrow(ax, state, y, "$W_{hy}$", offset=(0.38, 0))
    return fig


# Name, steps, steps with an input, steps with an output.
ARRANGEMENTS: tuple[tuple[str, int, tuple[int, ...], tuple[int, ...]], ...] = (
    ("one-to-one", 1, (1,), (1,)),
    ("one-to-many", 3, (1,), (1, 2, 3)),
    ("many-to-one", 3, (1, 2, 3), (3,)),
    ("many-to-many, aligned", 3, (1, 2, 3), (1, 2, 3)),
    ("many-to-many, encoder-decoder", 5, (1, 2, 3), (4, 5)),
)


def arrangements() -> Figure:
    """Draw the five arrangements of inputs and outputs around one chain of hidden states."""
    fig, ax = canvas(6.9, 9.3, 0.74)
    corners = ((0.5, 6.75), (3.6, 6.75), (0.5, 3.55), (3.6, 3.55), (0.5, 0.35))
    for corner, (name, steps, inputs, outputs) in zip(corners, ARRANGEMENTS, strict=True):
        arrangement(ax, corner, name, steps, inputs, outputs)
    border = corners[-1][0] + 2.5
    ax.plot([border, border], [0.15, 2.2], color=QUIET, linewidth=1.2, linestyle=":")
    ax.text(border - 0.15, 2.0, "reads", ha="right", va="center", fontsize=11, color=QUIET)
    ax.text(border + 0.15, 0.35, "answers", ha="left", va="center", fontsize=11, color=QUIET)
    return fig


def arrangement(
    ax: Axes,
    corner: Point,
    name: str,
    steps: int,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    """Draw a chain of `steps` states with inputs and outputs at the given steps, from 1.

    `corner` is the place of the first input; the name stands above.
    """
    for what, chosen in (("inputs", inputs), ("outputs", outputs)):
        if not chosen or not all(1 <= t <= steps for t in chosen):
            raise ValueError(f"{what} is {chosen}, expected steps from 1 to {steps}")
    left, bottom = corner
    ax.text(left - 0.3, bottom + 2.35, name, ha="left", va="center", fontsize=11)
    for t in range(1, steps + 1):
        x, h, y = ((left + t - 1, bottom + level) for level in (0.0, 0.9, 1.8))
        node(ax, h, "$h$", HIDDEN, 0.27)
        if t > 1:
            arrow(ax, (h[0] - 1, h[1]), h, color=HIDDEN, gap=0.3)
        if t in inputs:
            node(ax, x, "$x$", INPUT, 0.27)
            arrow(ax, x, h, gap=0.3)
        if t in outputs:
            node(ax, y, "$y$", OUTPUT, 0.27)
            arrow(ax, h, y, gap=0.3)


def cobweb(
    ax: Axes, w: float, b: float, start: float, steps: int, fixed: Sequence[float] = ()
) -> None:
    """Draw h ← tanh(w h + b) as a cobweb: up or down to the curve, across to the diagonal.

    Points of `fixed` where the curve's slope is below 1 in size are drawn full (stable), the
    others empty.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    grid = np.linspace(-1.1, 1.1, 221)
    ax.plot(grid, grid, color=QUIET, linewidth=1, linestyle="--")
    ax.plot(grid, np.tanh(w * grid + b), color=HIDDEN)
    h, web = start, [(start, start)]
    for _ in range(steps):
        h_next = math.tanh(w * h + b)
        web += [(h, h_next), (h_next, h_next)]
        h = h_next
    ax.plot(*zip(*web, strict=True), color=VERMILION, linewidth=1.2)
    ax.plot(start, start, marker="s", markersize=5, color=VERMILION)
    for point in fixed:
        stable = abs(w * (1 - point**2)) < 1
        ax.plot(point, point, "o", markersize=8, zorder=4, color=INK, mfc=INK if stable else CARD)
    ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))


def confusion(counts: NDArray[np.int_]) -> Figure:
    """Draw a confusion matrix: row = true label, column = predicted label, zeros left empty."""
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts has shape {counts.shape}, expected a square matrix")
    n = len(counts)
    fig, ax = plt.subplots(figsize=(4.8, 4.8))
    ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
    ax.set(xticks=range(n), yticks=range(n), xlabel="digit read", ylabel="true digit")
    ax.tick_params(length=0)
    for (i, j), count in np.ndenumerate(counts):
        right = i == j
        if right or count:
            face = HIDDEN + "2a" if right else ERROR + "40"
            ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, facecolor=face))
            weight = "normal" if right else "bold"
            ax.text(j, i, str(count), ha="center", va="center", fontsize=10.5, fontweight=weight)
    return fig


def digits(images: NDArray[np.floating], titles: Sequence[str], columns: int = 4) -> Figure:
    """Draw images (N, height, width) in rows of `columns`, each under its title."""
    if len(images) != len(titles) or len(images) == 0:
        raise ValueError(f"{len(images)} images and {len(titles)} titles, expected as many, over 0")
    rows = -(-len(images) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(1.25 * columns, 1.5 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.pcolormesh(image[::-1], cmap="Greys", edgecolors=CARD, linewidth=0.5)
        ax.set_aspect("equal")
        ax.set_title(title, fontsize=11, loc="center")
    return fig


def beliefs(image: NDArray[np.floating], probabilities: NDArray[np.floating]) -> Figure:
    """Draw an image (T, width) and beside each row the probabilities (T, O) after reading it."""
    T, O = probabilities.shape
    if len(image) != T:
        raise ValueError(f"image has {len(image)} rows, expected {T}, as in probabilities")
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(5.2, 3.1), width_ratios=(len(image[0]), 1.3 * O)
    )
    left.pcolormesh(image, cmap="Greys", edgecolors=CARD, linewidth=0.5)
    left.set(ylim=(T, 0), aspect="auto", xticks=[], yticks=np.arange(T) + 0.5)
    left.set(yticklabels=range(1, T + 1), ylabel="row read (step $t$)")
    left.tick_params(length=0)
    left.spines[:].set_visible(False)
    right.pcolormesh(probabilities, cmap="Blues", vmin=0, vmax=1.25, edgecolors=CARD, linewidth=1.5)
    right.set(ylim=(T, 0), yticks=[], xticks=np.arange(O) + 0.5, xticklabels=range(O))
    right.set(xlabel="digit")
    right.tick_params(length=0)
    right.spines[:].set_visible(False)
    for t, best in enumerate(probabilities.argmax(axis=1)):
        percent = f"{100 * probabilities[t, best]:.0f}"
        color = CARD if probabilities[t, best] > 0.6 else INK
        right.text(best + 0.5, t + 0.5, percent, ha="center", va="center", color=color)
    return fig


# ---------------------------------------------------------------- chapter 2: the chain rule


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
    X, TOP, MIDDLE, FOOT = (1.7, 4.1, 6.5), 4.25, 2.1, 0.5
    fig, ax = canvas(7.7, 4.8, size=0.75)
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
        node(ax, (X[s], FOOT), f"${W}$", INK if used else QUIET, 0.4)
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
    dx, dy = (0.0, 0.47) if across else (0.72, 0.22 if up > 1.7 else 0.0)
    middle = ((start[0] + end[0]) / 2 + dx, (start[1] + end[1]) / 2 + dy)
    ax.text(*middle, label, color=ERROR, ha="center", va="center", fontsize=14, zorder=5)


def kept_paths(steps: int, cuts: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw which paths truncated backpropagation keeps, one panel for each way to cut.

    A row is an error step m, a column a use step k, and a dot is the path from E_m to the use at
    step k: full if kept, hollow if lost.

    Parameters
    ----------
    steps : int from 1
        Length T of the sequence.
    cuts : mapping from a panel's title to (every, back)
        As for `rnncourse.bptt.truncated_bptt`.

    Raises
    ------
    ValueError
        No cut, or `back` smaller than `every`.
    """
    require_size("steps", steps)
    if not cuts:
        raise ValueError("cuts is empty, expected at least one (every, back)")
    for title, (every, back) in cuts.items():
        if require_size("back", back) < require_size("every", every):
            raise ValueError(f"{title!r} has back = {back}, expected at least every = {every}")
    fig, axes = plt.subplots(1, len(cuts), figsize=(2.0 * len(cuts), 2.6), squeeze=False)
    pairs = [(m, k) for m in range(1, steps + 1) for k in range(1, m + 1)]
    for ax, (title, (every, back)) in zip(axes[0], cuts.items(), strict=True):
        # The errors of a block of `every` steps go back together, from the block's end.
        kept = [(m, k) for m, k in pairs if k > -(-m // every) * every - back]
        lost = [pair for pair in pairs if pair not in kept]
        for dots, fill, size in ((kept, HIDDEN, 26), (lost, "none", 16)):
            if dots:
                ms, ks = zip(*dots, strict=True)
                ax.scatter(ks, ms, s=size, facecolors=fill, edgecolors=HIDDEN, linewidths=0.8)
        ax.set(aspect="equal", xlabel="use step $k$", xticks=[1, steps], yticks=[1, steps])
        ax.set_title(f"{title}\n{len(kept)} of {len(pairs)} paths", fontsize=10)
    axes[0][0].set_ylabel("error step $m$")
    return fig
