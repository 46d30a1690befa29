"""One palette, one style, and the small parts that every drawing is made of.

Colors are the color-blind-safe set of Okabe and Ito (2008), one for each role, the same in every
chapter. Figures carry a light card of their own, so that they read on light and dark pages.
"""

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

CARD, INK, QUIET = "#fbfaf6", "#20242c", "#6b7280"
BLUE, GREEN, ORANGE, VERMILION = "#0072B2", "#009E73", "#E69F00", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
INPUT, HIDDEN, OUTPUT, ERROR, CELL = GREEN, BLUE, ORANGE, VERMILION, PURPLE

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
