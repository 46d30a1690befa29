"""The drawings of the page on speed: two layouts of memory, and the measurements of `make bench`.

The functions that draw measurements take what `benchmarks/bench.py` writes, read from its file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from .style import CARD, ERROR, HIDDEN, INK, INPUT, OUTPUT, QUIET, WIDTH, Point, canvas

RUNG_NAMES = {
    "textbook": "textbook, float64",
    "float32": "float32",
    "packed": "one packed matrix",
    "feature_major": "batch as columns",
    "one_tanh": "one tanh",
    "reused": "memory reused, blocks",
}
GATES = ("i", "f", "o", "g")  # the sigmoids as neighbors, as on the ladder


def ratios(results: Mapping[str, Any]) -> Figure:
    """Draw our time over PyTorch's, on a logarithmic axis: a row for each size, a mark for each
    layer and number of threads. What is left of the line at 1 is faster than PyTorch.

    Parameters
    ----------
    results : mapping
        results["speed"] is a list of runs, each with "layer", "threads" and "rows"; a row has
        "size" (T, B, D, H) and "ratio".

    Raises
    ------
    ValueError
        No run, or runs over different sizes.
    """
    runs = results.get("speed") or []
    if not runs:
        raise ValueError("results has no measurement of speed")
    sizes = [tuple(row["size"]) for row in runs[0]["rows"]]
    if any([tuple(row["size"]) for row in run["rows"]] != sizes for run in runs):
        raise ValueError("results has runs over different sizes, expected the same in each")

    fig, ax = plt.subplots(figsize=(WIDTH, 0.42 * len(sizes) + 1.5))
    looks = {"LSTM": (HIDDEN, "o"), "RNN": (ERROR, "s"), "GRU": (INPUT, "^")}
    fewest = min(run["threads"] for run in runs)
    for run in runs:
        color, marker = looks[run["layer"]]
        first = run["threads"] == fewest
        ax.plot(
            [row["ratio"] for row in run["rows"]],
            [y + (-0.14 if first else 0.14) for y in range(len(sizes))],
            marker,
            color=color,
            markerfacecolor=color if first else CARD,
            markeredgewidth=1.6,
            markersize=7,
            label=f"{run['layer']}, {_threads(run['threads'])}",
        )
    values = [row["ratio"] for run in runs for row in run["rows"]]
    low, high = min(0.5, *values) / 1.15, max(2.0, *values) * 1.15
    ax.axvline(1, color=INK, linewidth=1.2, zorder=0)
    ax.set_xscale("log")
    ax.set(xlim=(low, high), ylim=(len(sizes) - 0.4, -0.6))
    ticks = [t for t in (0.125, 0.25, 0.5, 1, 2, 4, 8) if low <= t <= high]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_yticks(range(len(sizes)), [", ".join(map(str, size)) for size in sizes])
    ax.set_xlabel("our time / PyTorch's time")
    ax.set_title("$T, B, D, H$", loc="left", x=-0.02, ha="right", color=QUIET)
    ax.text(0.96, -0.75, "faster ←", ha="right", va="bottom", color=QUIET)
    ax.text(1.04, -0.75, "→ slower", ha="left", va="bottom", color=QUIET)
    ax.grid(axis="y", color=QUIET, alpha=0.18, linewidth=6)
    ax.set_axisbelow(True)
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def ladder(results: Mapping[str, Any]) -> Figure:
    """Draw the rungs of the ladder as bars of milliseconds, a panel for each size; beside a bar
    stand its time and by what factor it is shorter than the bar above it.

    Parameters
    ----------
    results : mapping
        results["ladder"] is a list of sizes, each with "size" (T, B, D, H) and "ms", a mapping
        from the name of a rung to milliseconds, the slowest code first.

    Raises
    ------
    ValueError
        No size, a size without a rung, or a time that is not positive.
    """
    panels = results.get("ladder") or []
    if not panels:
        raise ValueError("results has no measurement of the ladder")
    for panel in panels:
        if not panel["ms"] or min(panel["ms"].values()) <= 0:
            raise ValueError(f"the ladder at {panel['size']} needs times above 0")
    rungs = len(panels[0]["ms"])
    height = (0.36 * rungs + 0.6) * len(panels)
    fig, axes = plt.subplots(len(panels), 1, figsize=(WIDTH, height), squeeze=False)
    fig.set_layout_engine("constrained", hspace=0.06)
    for ax, panel in zip(axes[:, 0], panels, strict=True):
        _bars(ax, panel["size"], panel["ms"])
    return fig


def _bars(ax: Axes, size: Sequence[int], ms: Mapping[str, float]) -> None:
    times = list(ms.values())
    colors = [QUIET, *[HIDDEN] * (len(times) - 1)]
    ax.barh(range(len(times)), times, color=[c + "99" for c in colors], height=0.72)
    for y, time in enumerate(times):
        text = f" {_short(time)} ms"
        if y:
            text += f",  × {times[y - 1] / time:.2f}"
        ax.text(time, y, text, va="center", ha="left", fontsize=11)
    ax.set(xlim=(0, 1.42 * max(times)), ylim=(len(times) - 0.5, -0.6), xticks=[])
    ax.set_yticks(range(len(times)), [RUNG_NAMES.get(name, name) for name in ms])
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines["bottom"].set_visible(False)
    ax.set_title(", ".join(f"${n} = {v}$" for n, v in zip("TBDH", size, strict=True)))


def layouts() -> Figure:
    """Draw the four gates of one step in two layouts, as a matrix and in the order of memory.

    Three sequences, two units. With the batch as rows (B, 4H) the forget gate lies in three
    pieces; with the batch as columns (4H, B) it is one.
    """
    B, H = 3, 2
    fig, ax = canvas(8.0, 6.75)
    rows = [[q for q in GATES for _ in range(H)] for _ in range(B)]
    columns = [[q] * B for q in GATES for _ in range(H)]
    _layout(ax, rows, (0.45, 6.2), "batch as rows, $(B, 4H)$: 3 pieces", 4.55)
    _layout(ax, columns, (0.45, 3.5), "batch as columns, $(4H, B)$: 1 piece", 0.25)
    return fig


def _layout(
    ax: Axes, matrix: Sequence[Sequence[str]], corner: Point, title: str, strip: float
) -> None:
    """Draw a matrix of gates, its upper left corner at `corner`, and below it, with the foot at
    `strip`, its entries in the order of memory.
    """
    left, top = corner
    size, small = 0.32, 0.298
    ax.text(left, top + 0.28, title, ha="left", va="center", fontsize=12)
    for r, row in enumerate(matrix):
        for c, q in enumerate(row):
            _entry(ax, (left + size * c, top - size * (r + 1)), size, q)
    for k, q in enumerate(q for row in matrix for q in row):
        _entry(ax, (left + small * k, strip), small, q)
    ax.text(left, strip + small + 0.2, "in memory, row after row:", va="center", fontsize=11)


def _entry(ax: Axes, at: Point, size: float, gate: str) -> None:
    """Draw one number of a gate; those of the forget gate are lit."""
    lit = gate == "f"
    face, edge = ((OUTPUT, 0.35), INK) if lit else (CARD, QUIET)
    ax.add_patch(
        Rectangle(at, size, size, facecolor=face, edgecolor=edge, linewidth=0.8, zorder=2 + lit)
    )
    x, y = at[0] + size / 2, at[1] + size / 2
    ax.text(x, y, f"${gate}$", ha="center", va="center", fontsize=11, zorder=4)


def _threads(n: int) -> str:
    return f"{n} thread{'s' * (n > 1)}"


def _short(value: float) -> str:
    """Return a number with at least two digits and no more than one after the point from 10 on."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
