"""The drawings of chapter 4: LSTM and GRU cells, a memory as a conveyor, an error's ways back."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle

from ..validation import require_choice
from .style import (
    CARD,
    CELL,
    ERROR,
    HIDDEN,
    INK,
    INPUT,
    OUTPUT,
    QUIET,
    Point,
    arrow,
    canvas,
    node,
)


def lstm_cell() -> Figure:
    """Draw one step of an LSTM: the memory cell along the top, the hidden state along the bottom,
    and the four gates between them.
    """
    fig, ax = canvas(8.0, 5.7)
    top, gates, bus = 4.55, 2.0, 1.0
    x_in, f, i, g, o, out = 1.25, 1.95, 3.02, 4.2, 5.45, 6.5
    frame = (1.05, 0.62), 6.0, 4.5
    ax.add_patch(Rectangle(*frame, facecolor="none", edgecolor=QUIET, linewidth=1.2, zorder=0))

    # The memory cell: straight through, scaled by f, with i ⊙ g added.
    _wire(ax, [(0.75, top), (f - 0.26, top)], CELL, 3.4)
    _wire(ax, [(f + 0.26, top), (g - 0.26, top)], CELL, 3.4)
    _wire(ax, [(g + 0.26, top), (7.45, top)], CELL, 3.4)
    ax.text(0.4, top, "$c_{t-1}$", ha="center", va="center", fontsize=14)
    ax.text(7.7, top, "$c_t$", ha="center", va="center", fontsize=14)

    # The hidden state and the input, side by side to all four gates.
    _wire(ax, [(0.75, bus), (o, bus), (o, gates - 0.33)], HIDDEN)
    for x in (f, i, g):
        _wire(ax, [(x, bus), (x, gates - 0.33)], HIDDEN)
    _wire(ax, [(x_in, 0.4), (x_in, bus)], INPUT, head=False)
    ax.plot(x_in, bus, "o", color=INPUT, markersize=6, zorder=4)
    ax.text(0.4, bus, "$h_{t-1}$", ha="center", va="center", fontsize=14)
    ax.text(x_in, 0.2, "$x_t$", ha="center", va="center", fontsize=14)

    _wire(ax, [(f, gates + 0.33), (f, top - 0.26)])
    _wire(ax, [(i, gates + 0.33), (i, 3.4), (g - 0.26, 3.4)])
    _wire(ax, [(g, gates + 0.33), (g, 3.4 - 0.26)])
    _wire(ax, [(g, 3.4 + 0.26), (g, top - 0.26)])
    _wire(ax, [(o, gates + 0.33), (o, 2.85), (out - 0.26, 2.85)])
    _wire(ax, [(out, top), (out, 3.98)], CELL)
    _wire(ax, [(out, 3.42), (out, 2.85 + 0.26)], CELL)
    _wire(ax, [(out, 2.85 - 0.26), (out, bus), (7.45, bus)], HIDDEN)
    _wire(ax, [(out, bus), (out, 0.4)], HIDDEN)
    ax.text(7.7, bus, "$h_t$", ha="center", va="center", fontsize=14)
    ax.text(out, 0.2, "to $y_t$", ha="center", va="center", fontsize=12)

    for x, letter, rule in ((f, "f", r"$\sigma$"), (i, "i", r"$\sigma$"), (o, "o", r"$\sigma$")):
        _box(ax, (x, gates), rule, OUTPUT)
        ax.text(x + 0.13, gates + 0.56, f"${letter}_t$", fontsize=13, va="center")
    _box(ax, (g, gates), "tanh", INK)
    ax.text(g + 0.13, gates + 0.56, "$g_t$", fontsize=13, va="center")
    _box(ax, (out, 3.7), "tanh", INK)
    for at, sign in (((f, top), "⊙"), ((g, top), "+"), ((g, 3.4), "⊙"), ((out, 2.85), "⊙")):
        _sign(ax, at, sign)
    ax.text(4.05, 5.4, "memory cell", ha="center", va="center", fontsize=12, color=QUIET)
    ax.text(4.05, 0.2, "hidden state", ha="center", va="center", fontsize=12, color=QUIET)
    words = ((f, "forget"), (i, "input"), (g, "candidate"), (o, "output"))
    for x, word in words:
        ax.text(x, 0.78, word, ha="center", va="center", fontsize=11, color=QUIET)
    return fig


def gru_cell() -> Figure:
    """Draw one step of a GRU: the state along the top, which the update gate mixes with a candidate
    that sees the old state through the reset gate.
    """
    fig, ax = canvas(8.0, 4.75)
    top, way, gates, bus, foot = 3.9, 3.05, 1.85, 1.0, 0.62
    split, x_in, r, z, mix, n = 0.95, 1.3, 2.0, 3.35, 4.35, 5.6
    frame = (0.8, 0.45), 6.4, 4.0
    ax.add_patch(Rectangle(*frame, facecolor="none", edgecolor=QUIET, linewidth=1.2, zorder=0))

    # The state: straight through, scaled by z, with (1 − z) ⊙ n added.
    _wire(ax, [(0.68, top), (z - 0.26, top)], HIDDEN, 3.4)
    _wire(ax, [(z + 0.26, top), (n - 0.26, top)], HIDDEN, 3.4)
    _wire(ax, [(n + 0.26, top), (7.45, top)], HIDDEN, 3.4)
    ax.text(0.34, top, "$h_{t-1}$", ha="center", va="center", fontsize=13)
    ax.text(7.7, top, "$h_t$", ha="center", va="center", fontsize=14)

    # The old state and the input, to the gates and to the candidate.
    _wire(ax, [(split, top), (split, bus), (mix - 0.26, bus)], HIDDEN)
    _wire(ax, [(mix + 0.26, bus), (n - 0.12, bus), (n - 0.12, gates - 0.33)], HIDDEN)
    _wire(ax, [(x_in, 0.3), (x_in, foot), (n + 0.12, foot), (n + 0.12, gates - 0.33)], INPUT)
    for x in (r, z):
        _wire(ax, [(x - 0.12, bus), (x - 0.12, gates - 0.33)], HIDDEN)
        _wire(ax, [(x + 0.12, foot), (x + 0.12, gates - 0.33)], INPUT)
    ax.text(x_in, 0.15, "$x_t$", ha="center", va="center", fontsize=14)

    _wire(ax, [(r, gates + 0.33), (r, 2.5), (mix, 2.5), (mix, bus + 0.26)])
    _wire(ax, [(z, gates + 0.33), (z, top - 0.26)])
    _wire(ax, [(z, way), (4.43 - 0.38, way)])
    _wire(ax, [(4.43 + 0.38, way), (n - 0.26, way)])
    _wire(ax, [(n, gates + 0.33), (n, way - 0.26)])
    _wire(ax, [(n, way + 0.26), (n, top - 0.26)])
    _box(ax, (r, gates), r"$\sigma$", OUTPUT)
    _box(ax, (z, gates), r"$\sigma$", OUTPUT)
    _box(ax, (n, gates), "tanh", INK)
    _box(ax, (4.43, way), "$1-z_t$", OUTPUT)
    for at, sign in (((z, top), "⊙"), ((n, top), "+"), ((n, way), "⊙"), ((mix, bus), "⊙")):
        _sign(ax, at, sign)
    for x, letter, word in ((r, "r", "reset"), (z, "z", "update"), (n, "n", "candidate")):
        ax.text(x + 0.13, gates + 0.5, f"${letter}_t$", fontsize=13, va="center")
        ax.text(x, 0.2, word, ha="center", va="center", fontsize=11, color=QUIET)
    ax.text(2.15, top + 0.28, "hidden state", ha="center", va="center", fontsize=12, color=QUIET)
    return fig


def conveyor(
    gates: Mapping[str, Sequence[float]], c: Sequence[float], h: Sequence[float]
) -> Figure:
    """Draw the memory of one unit as a conveyor with valves, step by step.

    The belt c runs along the top and passes the forget valve of each step. The input valve lets
    the candidate up onto the belt; the output valve lets the memory down to the hidden state. The
    more a valve is open, the fuller it is drawn and the thicker the pipe behind it. A long belt is
    drawn in rows, each of which begins with the memory that ended the row above.

    Parameters
    ----------
    gates : mapping from "f", "i", "o" and "g" to T values
        Those of f, i and o from 0 to 1.
    c, h : T + 1 values and T values
        The memory before the first step and after each, and the hidden state after each.

    Raises
    ------
    ValueError
        A gate missing, lengths that do not fit, or a valve outside 0..1.
    """
    if set(gates) != set("fiog"):
        raise ValueError(f"gates has {sorted(gates)}, expected ['f', 'g', 'i', 'o']")
    T = len(h)
    if T < 1:
        raise ValueError("h is empty, expected at least one step")
    if len(c) != T + 1:
        raise ValueError(f"c has {len(c)} values, expected {T + 1}, one more than h")
    for q, values in gates.items():
        if len(values) != T:
            raise ValueError(f"gates[{q!r}] has {len(values)} values, expected {T}, as h")
        if q != "g" and not all(0 <= v <= 1 for v in values):
            raise ValueError(f"gates[{q!r}] is {list(values)}, expected values from 0 to 1")

    rows = -(-T // 3)  # on a phone, three steps are as many as can be read side by side
    columns, wide, tall = -(-T // rows), 2.1, 4.05
    fig, ax = canvas(1.2 + wide * columns, tall * rows)
    for t in range(1, T + 1):
        row, column = divmod(t - 1, columns)
        # The ends of the valves' pipes are apart, so that the numbers beside them do not meet.
        belt, high, low, floor = (tall * (rows - 1 - row) + y for y in (3.05, 2.25, 1.6, 0.8))
        before, here = 0.42 + wide * column, 0.42 + wide * (column + 1)
        if column == 0:
            _held(ax, (before, belt), c[t - 1], f"$c_{{{t - 1}}}$", CELL, above=True)
        f, i, o, g = (float(gates[q][t - 1]) for q in "fiog")
        gate_f, junction = before + 0.72, before + 1.35
        _pipe(ax, (before, belt), (gate_f, belt), 1, CELL)
        _pipe(ax, (gate_f, belt), (junction, belt), f, CELL)
        _pipe(ax, (junction, belt), (here, belt), max(f, i), CELL)
        _pipe(ax, (junction, floor), (junction, high), 1, INK)
        _pipe(ax, (junction, high), (junction, belt), i, INK)
        _pipe(ax, (here, belt), (here, low), 1, CELL)
        _pipe(ax, (here, low), (here, floor), o, HIDDEN)
        _valve(ax, (gate_f, belt), f, "f", across=True)
        _valve(ax, (junction, high), i, "i", across=False)
        _valve(ax, (here, low), o, "o", across=False)
        _held(ax, (junction, floor), g, f"$g_{{{t}}}$", INK)
        _held(ax, (here, floor), h[t - 1], f"$h_{{{t}}}$", HIDDEN)
        _held(ax, (here, belt), c[t], f"$c_{{{t}}}$", CELL, above=True)
    return fig


def cell_paths(which: str = "all") -> Figure:
    """Draw how an error comes back through an LSTM, with the factor on each edge.

    Parameters
    ----------
    which : "all", "direct", "indirect" or "held"
        What is lit: every edge; the path along the memory cell alone; the ways around it, through
        the hidden state and the gates; or the two ways from the newest memory to the oldest when
        the oldest hidden state is held fixed, the direct one in the color of the memory.

    Raises
    ------
    ValueError
        Another value of `which`.
    """
    require_choice("which", which, ("all", "direct", "indirect", "held"))
    held = which == "held"
    belt = {"indirect": None, "held": CELL}.get(which, ERROR)
    around = None if which == "direct" else ERROR
    fig, ax = canvas(7.9, 4.5)
    top, middle, foot = 3.75, 2.15, 0.6
    c = [(x, top) for x in (0.6, 3.95, 7.3)]
    h = [(x, foot) for x in (0.6, 3.95, 7.3)]
    a = [(x, middle) for x in (2.25, 5.6)]
    names = ("t-1", "t", "t+1")
    for s in range(2):
        newest = around if s or not held else None  # with h held, no way leads into its gates
        _back(ax, c[s + 1], c[s], rf"$f_{{{names[s + 1]}}}$", belt, (0, 0.3))
        _back(ax, h[s + 1], a[s], "", None if held else around)
        _back(ax, c[s + 1], a[s], "", newest)
        _back(ax, a[s], h[s], r"$W_{hh,q}^\top$", newest, (0.42, -0.28))
    for s in range(3):
        slope = rf"$o_{{{names[s]}}}(1-\tanh^2\!c_{{{names[s]}}})$" if s == 1 else ""
        _back(ax, h[s], c[s], slope, around if s == 1 or not held else None, behind=True)
    if held:
        ax.patches[-3].set_linestyle((0, (2, 2)))
    for s in range(3):
        node(ax, c[s], f"$c_{{{names[s]}}}$", CELL, 0.4)
        node(ax, h[s], f"$h_{{{names[s]}}}$", QUIET if held and not s else HIDDEN, 0.4)
    for s in range(2):
        node(ax, a[s], f"$a_{{q,{names[s + 1]}}}$", OUTPUT, 0.4, fontsize=12)
    if held:
        ax.text(1.15, foot, "held fixed", ha="left", va="center", fontsize=12, color=QUIET)
    return fig


# ---------------------------------------------------------------- parts


def _wire(
    ax: Axes, points: Sequence[Point], color: str = INK, width: float = 1.6, *, head: bool = True
) -> None:
    """Draw a line with square corners through `points`, with an arrow head at its end."""
    xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, color=color, linewidth=width, solid_capstyle="butt", zorder=2)
    if head:
        style = {"arrowstyle": "-|>", "color": color, "shrinkA": 0, "shrinkB": 0, "linewidth": 0}
        (x0, y0), (x1, y1) = points[-2:]
        length = max(abs(x1 - x0), abs(y1 - y0))
        tail = (x1 - (x1 - x0) / length * 0.1, y1 - (y1 - y0) / length * 0.1)
        ax.annotate("", points[-1], tail, arrowprops={**style, "mutation_scale": 13}, zorder=3)


def _box(ax: Axes, at: Point, text: str, color: str) -> None:
    """Draw a function as a rounded box, 0.76 × 0.56 units."""
    ax.add_patch(
        FancyBboxPatch(
            (at[0] - 0.33, at[1] - 0.23),
            0.66,
            0.46,
            boxstyle="round,pad=0.05",
            facecolor=color + "22",
            edgecolor=color,
            linewidth=1.8,
            zorder=3,
        )
    )
    ax.text(*at, text, ha="center", va="center", fontsize=13 if "$" in text else 11, zorder=4)


def _sign(ax: Axes, at: Point, sign: str) -> None:
    """Draw an operation on two values as a circle with its sign."""
    ax.add_patch(Circle(at, 0.23, facecolor=CARD, edgecolor=INK, linewidth=1.6, zorder=4))
    x, y = at
    if sign == "+":
        ax.plot([x - 0.12, x + 0.12], [y, y], color=INK, linewidth=1.8, zorder=5)
        ax.plot([x, x], [y - 0.12, y + 0.12], color=INK, linewidth=1.8, zorder=5)
    else:
        ax.plot(x, y, "o", color=INK, markersize=5, zorder=5)


def _pipe(ax: Axes, start: Point, end: Point, open_: float, color: str) -> None:
    """Draw a pipe, the thicker the more flows through it, on a quiet thin line."""
    xs, ys = zip(start, end, strict=True)
    ax.plot(xs, ys, color=QUIET, linewidth=1, alpha=0.6, zorder=1)
    if open_ >= 0.05:
        ax.plot(xs, ys, color=color, linewidth=1 + 5 * open_, zorder=1.5, solid_capstyle="butt")


def _valve(ax: Axes, at: Point, open_: float, letter: str, *, across: bool) -> None:
    """Draw a valve on a pipe, full when open and empty when shut, with its letter and value."""
    x, y = at
    a, b = 0.2, 0.17
    corners = [(-a, -b), (-a, b), (a, -b), (a, b)]
    if not across:
        corners = [(v, u) for u, v in corners]
    points = [(x + u, y + v) for u, v in corners]
    ax.add_patch(Polygon(points, facecolor=CARD, edgecolor="none", zorder=2.5))
    ax.add_patch(Polygon(points, facecolor=(OUTPUT, open_), edgecolor=INK, linewidth=1.3, zorder=3))
    if across:
        ax.text(x, y - 0.36, f"${letter}$", ha="center", va="center", fontsize=12)
        ax.text(x, y + 0.36, _number(open_), ha="center", va="center", fontsize=11)
    else:
        beside, ha = (x + 0.26, "left") if letter == "o" else (x - 0.26, "right")
        ax.text(beside, y + 0.17, f"${letter}$", ha=ha, va="center", fontsize=12)
        ax.text(beside, y - 0.15, _number(open_), ha=ha, va="center", fontsize=11)


def _held(ax: Axes, at: Point, value: float, name: str, color: str, *, above: bool = False) -> None:
    """Draw a value in a circle with its name above or below."""
    ax.add_patch(Circle(at, 0.33, facecolor=CARD, edgecolor=color, linewidth=2, zorder=3))
    ax.text(*at, _number(value), ha="center", va="center", fontsize=11, zorder=4)
    ax.text(at[0], at[1] + (0.56 if above else -0.56), name, ha="center", va="center", fontsize=13)


def _number(value: float) -> str:
    """Return a value with two decimals and without the zero before the point."""
    text = f"{value + 0.0:.2f}".replace("0.", ".", 1)
    return {"-.00": ".00"}.get(text, text).replace("-", "−")


def _back(
    ax: Axes,
    start: Point,
    end: Point,
    factor: str,
    color: str | None,
    offset: Point = (0, 0),
    *,
    behind: bool = False,
) -> None:
    """Draw an edge that an error takes back, quiet without a color, with its factor beside it."""
    arrow(ax, start, end, color=color or QUIET + "99", gap=0.45)
    if color is None:
        return
    ax.patches[-1].set_linewidth(2.6)
    if factor:
        x, y = (start[0] + end[0]) / 2 + offset[0], (start[1] + end[1]) / 2 + offset[1]
        box = {"facecolor": CARD, "edgecolor": "none", "pad": 1.5} if behind else None
        ax.text(
            x, y, factor, color=color, ha="center", va="center", fontsize=13, bbox=box, zorder=5
        )
