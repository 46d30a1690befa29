"""The drawings of chapter 1: a lamp, networks folded and unrolled, one unit, digits read."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from numpy.typing import NDArray

from ..validation import real_array, whole_numbers
from .style import (
    CARD,
    ERROR,
    HIDDEN,
    INK,
    INPUT,
    OUTPUT,
    QUIET,
    WIDTH,
    Point,
    arrow,
    canvas,
    cells,
    node,
)


def lamp(
    presses: NDArray[np.int_],
    on: NDArray[np.int_],
    said: NDArray[np.floating] | None = None,
    *,
    first: int = 1,
    window: int = 0,
) -> Figure:
    """Draw an evening (T,): when the lamp was on, a stroke for each press, and what a network said.

    Steps are numbered from `first`. The last `window` steps are shaded. An output that is `said` is
    above 0 where the network takes the lamp to be on.

    Raises
    ------
    TypeError, ValueError
        No step, other lengths, `presses` or `on` not 0 and 1, or NaN or infinity in `said`.
    """
    presses = whole_numbers("presses", presses, ("T",), 0, 1)
    T = len(presses)
    on = whole_numbers("on", on, (T,), 0, 1)
    if said is not None:
        said = real_array("said", said, (T,), np.float64)
    rows = 2 if said is None else 3
    fig, axes = plt.subplots(
        rows, 1, sharex=True, figsize=(WIDTH, 0.75 * rows + 0.6), height_ratios=(1, 0.6, 1)[:rows]
    )
    steps = np.arange(first, first + T)
    axes[0].stairs(on, np.arange(first, first + T + 1) - 0.5, fill=True, color=OUTPUT, alpha=0.35)
    axes[0].stairs(on, np.arange(first, first + T + 1) - 0.5, color=OUTPUT, baseline=None)
    axes[0].set(title="lamp", ylim=(-0.1, 1.1), yticks=(0, 1), yticklabels=("off", "on"))
    axes[1].vlines(steps[presses == 1], 0, 1, color=INPUT, linewidth=2)
    axes[1].set(title="presses", ylim=(0, 1.05), yticks=())
    axes[1].spines["left"].set_visible(False)
    if said is not None:
        axes[2].axhline(0, color=QUIET, linewidth=1, linestyle=":")
        axes[2].plot(steps, said, "o", color=OUTPUT, markersize=4)
        axes[2].set(title="output $y_t$", ylim=(-1.4, 1.4), yticks=(-1, 0, 1))
    for ax in axes:
        ax.set(xlim=(first - 1, first + T))
        if window:
            end = first + T - 0.5
            ax.axvspan(end - window, end, facecolor=QUIET, alpha=0.16, linewidth=0)
    axes[-1].set(xlabel="step $t$")
    return fig


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
            mutation_scale=11,
            color=color,
            linewidth=1.6,
            connectionstyle="arc3,rad=-2.1",
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
    )
    if text:
        ax.text(*around(0, 1.19), text, color=color, ha="center", va="center", fontsize=12)


def folded() -> Figure:
    """Draw a recurrent network with its cycles: unit by unit, and with one node a vector.

    Left, D = 1, H = 2, O = 1: five edges of units into units or out, four recurrent ones.
    Right, the same network with one node for each vector and one arrow for each weight matrix.
    """
    fig, ax = canvas(6.4, 4.1)
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
    fig, ax = canvas(first + apart * steps + 0.7, 3.5)
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
    fig, ax = canvas(6.2, 9.3)
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
    grid = np.linspace(-1.1, 1.1, 111)
    ax.plot((-1.1, 1.1), (-1.1, 1.1), color=QUIET, linewidth=1, linestyle="--")
    ax.plot(grid, np.tanh(w * grid + b), color=HIDDEN)
    h, web = start, [(start, start)]
    for _ in range(steps):
        h_next = math.tanh(w * h + b)
        web += [(h, h_next), (h_next, h_next)]
        h = h_next
    ax.plot(*zip(*web, strict=True), color=ERROR, linewidth=1.2)
    ax.plot(start, start, marker="s", markersize=5, color=ERROR)
    for point in fixed:
        stable = abs(w * (1 - point**2)) < 1
        ax.plot(
            point, point, "o", markersize=8, zorder=4, color=HIDDEN, mfc=HIDDEN if stable else CARD
        )
    ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))


def confusion(counts: NDArray[np.int_]) -> Figure:
    """Draw a confusion matrix: row = true label, column = predicted label, zeros left empty."""
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts has shape {counts.shape}, expected a square matrix")
    n = len(counts)
    fig, ax = plt.subplots(figsize=(WIDTH, WIDTH))
    ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
    ax.set(xticks=range(n), yticks=range(n), xlabel="digit read", ylabel="true digit")
    ax.tick_params(length=0)
    for (i, j), count in np.ndenumerate(counts):
        right = i == j
        if right or count:
            face = HIDDEN + "2a" if right else ERROR + "40"
            ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, facecolor=face))
            weight = "normal" if right else "bold"
            ax.text(j, i, str(count), ha="center", va="center", fontsize=11, fontweight=weight)
    return fig


def digits(images: NDArray[np.floating], titles: Sequence[str], columns: int = 4) -> Figure:
    """Draw images (N, height, width) in rows of `columns`, each under its title.

    The largest value of all images is drawn in ink, 0 is left empty.
    """
    if len(images) != len(titles) or len(images) == 0:
        raise ValueError(f"{len(images)} images and {len(titles)} titles, expected as many, over 0")
    rows = -(-len(images) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.4 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        cells(ax, image / max(np.max(images), 1), INK)
        ax.set_aspect("equal")
        ax.set_title(title, loc="center")
    return fig


def beliefs(image: NDArray[np.floating], probabilities: NDArray[np.floating]) -> Figure:
    """Draw an image (T, width) and beside each row the probabilities (T, O) after reading it."""
    T, O = probabilities.shape
    if len(image) != T:
        raise ValueError(f"image has {len(image)} rows, expected {T}, as in probabilities")
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 2.7), width_ratios=(len(image[0]), 2.4 * O)
    )
    cells(left, image / max(np.max(image), 1), INK)
    left.set(xticks=[], yticks=np.arange(T) + 0.5, yticklabels=range(1, T + 1))
    left.set(ylabel="row read (step $t$)")
    cells(right, 0.5 * probabilities, HIDDEN)  # the numbers are to be read on any theme
    right.set(yticks=[], xticks=np.arange(O) + 0.5, xticklabels=range(O), xlabel="digit")
    for ax in (left, right):
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    for t, best in enumerate(probabilities.argmax(axis=1)):
        percent = f"{100 * probabilities[t, best]:.0f}"
        right.text(best + 0.5, t + 0.5, percent, ha="center", va="center")
    return fig
