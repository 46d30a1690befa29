"""One palette, one style, and the small parts that every drawing is made of.

A color stands for a role, and a role has one color in every figure of the course, drawn or
interactive. Each color comes twice: for a light ground, which is what matplotlib draws, and for a
dark one. The built pages show a drawing in the colors of the page's theme.
"""

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike

LIGHT = {
    "ink": "#1f2933",
    "quiet": "#52606d",
    "line": "#d5dee5",
    "tint": "#eef5fa",
    "card": "#ffffff",
    "accent": "#00629b",
    "input": "#00795a",
    "hidden": "#0072b2",
    "output": "#8a5a00",
    "error": "#b34700",
    "cell": "#a03a73",
}
DARK = {
    "ink": "#e6ebef",
    "quiet": "#aab6c1",
    "line": "#3b4854",
    "tint": "#1f2d38",
    "card": "#161b20",
    "accent": "#6cbbea",
    "input": "#4fcfa8",
    "hidden": "#6cbbea",
    "output": "#efb43c",
    "error": "#ff9a57",
    "cell": "#eba3cb",
}
CARD, INK, QUIET = (LIGHT[role] for role in ("card", "ink", "quiet"))
INPUT, HIDDEN, OUTPUT, ERROR, CELL = (
    LIGHT[role] for role in ("input", "hidden", "output", "error", "cell")
)
# Curves that have no role of their own, in this order: matplotlib calls them C0, C1, … The first
# four are told apart by every reader; dashes and marks tell the others.
SERIES = (HIDDEN, ERROR, INPUT, INK, CELL, OUTPUT)

# A drawing is as wide as a phone's page, so that its letters keep their size there.
WIDTH = 4.75  # inches

Point = tuple[float, float]


def use_style() -> None:
    """Set matplotlib up for the book: its palette, calm axes, SVG in notebooks."""
    mpl.rcParams.update(
        {
            "figure.facecolor": CARD,
            "savefig.facecolor": CARD,
            "axes.facecolor": "none",
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler("color", SERIES),
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.titlecolor": INK,
            "text.color": INK,
            "xtick.color": QUIET,
            "ytick.color": QUIET,
            "font.size": 11,
            "mathtext.fontset": "stix",
            "legend.frameon": False,
            "legend.fontsize": 11,
            "legend.handlelength": 1.9,
            "legend.handletextpad": 0.5,
            "legend.columnspacing": 1.2,
            "lines.linewidth": 2,
            "figure.figsize": (WIDTH, 2.7),
            "figure.constrained_layout.use": True,
            # The same drawing gives the same file, on every run.
            "svg.hashsalt": "rnncourse",
        }
    )
    if "ipykernel" in sys.modules:
        from matplotlib_inline import backend_inline

        backend_inline.set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)


def canvas(width: float, height: float, size: float = 0.75) -> tuple[Figure, Axes]:
    """Return an empty drawing area of `width` × `height` units, equal on both axes, no frame.

    A unit takes `size` inches, or less where the area would be wider than `WIDTH`. A node drawn
    with `node` is 0.7 units across.
    """
    size = min(size, WIDTH / width)
    fig = plt.figure(figsize=(width * size, height * size), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return fig, ax


def node(
    ax: Axes, at: Point, text: str, color: str, radius: float = 0.35, fontsize: float = 13
) -> None:
    """Draw a labelled circle: an input, a state, an output or an error, by its color."""
    ax.add_patch(Circle(at, radius, facecolor=color + "22", edgecolor=color, linewidth=2, zorder=3))
    ax.text(*at, text, ha="center", va="center", fontsize=fontsize, zorder=4)


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
            mutation_scale=11,
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
        ax.text(*middle, text, color=color, ha="center", va="center", fontsize=12, zorder=5)


def cells(ax: Axes, values: ArrayLike, color: str, gap: float = 0.06) -> None:
    """Draw a matrix of values from 0 to 1 as squares of one color, the fuller the larger.

    Row 0 is on top. A color that is more or less full reads on a light ground and on a dark one.
    """
    values = np.round(np.asarray(values, float), 2)
    ax.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0))
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) * (1 - gap) + gap / 2
    # Squares of one value are one path: a drawing of many cells stays small.
    for value in np.unique(values[values > 0]):
        places = np.argwhere(values == value)[:, ::-1]
        path = Path.make_compound_path(*(Path(at + corners, closed=True) for at in places))
        ax.add_patch(PathPatch(path, facecolor=color, alpha=value, linewidth=0))
