"""The small pictures on the front page: each interactive figure in a few strokes, from its numbers.

A page asks for one by name, and it becomes an inline SVG in the page's colors:

    ```{drawing} unit
    ```

It says nothing that the words beside it do not say, so it is hidden from screen readers.
"""

import math
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive

from rnncourse.data.datasets import tea_party
from rnncourse.experiments import own_text, playground
from rnncourse.explorables import activations, carousel, cliff, lag

WIDTH, HEIGHT = 160, 96
Points = Iterable[tuple[float, float]]


def number(value: float) -> str:
    """Return a coordinate with one decimal where it has one."""
    return f"{round(float(value), 1):g}"


def path(d: str, color: str, kind: str = "line") -> str:
    """Return a path; `kind` is "line", "dash" or "area", or several of them."""
    return f'<path class="{kind} {color}" d="{d}"/>'


def through(points: Points, color: str, kind: str = "line") -> str:
    """Return the line through `points`."""
    places = [f"{number(x)} {number(y)}" for x, y in points]
    return path("M" + "L".join(places), color, kind)


def dot(x: float, y: float, color: str, radius: float = 5, kind: str = "node") -> str:
    """Return a circle; `kind` is "node", tinted with a rim, or "full"."""
    return (
        f'<circle class="{kind} {color}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>'
    )


def arrow(x: float, y: float, to_x: float, to_y: float, color: str, kind: str = "line") -> str:
    """Return an arrow, level or upright or slanting."""
    along = np.array([to_x - x, to_y - y])
    along = 5 * along / np.linalg.norm(along)
    across = 0.6 * np.array([-along[1], along[0]])
    left, right = (np.array([to_x, to_y]) - along + side * across for side in (1, -1))
    return path(f"M{number(x)} {number(y)}L{number(to_x)} {number(to_y)}", color, kind) + through(
        [tuple(left), (to_x, to_y), tuple(right)], color
    )


def onto(values: Iterable[float], low: float, high: float, start: float, end: float) -> list[float]:
    """Return `values` moved from the range `low` … `high` to the range `start` … `end`."""
    return [start + (end - start) * (float(v) - low) / (high - low) for v in values]


# ---------------------------------------------------------------- one for each figure


def unroll() -> str:
    """A folded network, and the same network unrolled over three steps."""
    folded, unrolled = 16, (74, 110, 146)
    parts = [
        path("M25 42C46 24 46 72 26 55", "of-hidden"),
        through([(28, 62), (26, 55), (33, 53)], "of-hidden"),
    ]
    for x in (folded, *unrolled):
        parts += [arrow(x, 75, x, 60, "quiet"), arrow(x, 36, x, 21, "quiet")]
        parts += [dot(x, 83, "of-input", 7), dot(x, 48, "of-hidden", 10)]
        parts.append(dot(x, 13, "of-output", 7))
    parts += [arrow(x - 23, 48, x - 12, 48, "of-hidden") for x in unrolled]
    return "".join(parts)


def one_unit() -> str:
    """The fixed points of h = tanh(w h), for w from 0 to 3: a fork at w = 1."""
    h = np.linspace(0.02, 0.9945, 40)
    w = np.arctanh(h) / h
    across = onto(w, 0, 3, 10, 150)
    split = onto([1], 0, 3, 10, 150)[0]
    upper, lower = (onto(sign * h, -1, 1, 84, 12) for sign in (1, -1))
    return (
        path(f"M10 48H{number(split)}", "of-hidden")
        + path(f"M{number(split)} 48H150", "of-hidden", "line dash")
        + through(zip(across, upper, strict=True), "of-hidden")
        + through(zip(across, lower, strict=True), "of-hidden")
        + dot(112, 48, "of-error", 5.5)
        + arrow(112, 40, 112, 24, "of-error")
    )


def paths() -> str:
    """Three steps, with the longest path of the gradient lit."""
    first, middle, last = 26, 80, 134
    lit = [(last, 21, last, 36), (last - 12, 48, middle + 12, 48)]
    lit += [(middle - 12, 48, first + 12, 48), (first, 60, first, 75)]
    dark = [(first, 36, first, 21), (middle, 36, middle, 21)]
    dark += [(middle, 75, middle, 60), (last, 75, last, 60)]
    parts = [arrow(*places, "of-error", "line thick") for places in lit]
    parts += [arrow(*places, "quiet") for places in dark]
    for x in (first, middle, last):
        parts.append(dot(x, 48, "of-hidden", 10))
        parts.append(dot(x, 13, "of-error" if x == last else "quiet", 7))
        parts.append(dot(x, 83, "of-error" if x == first else "quiet", 7))
    return "".join(parts)


def by_lag() -> str:
    """The norm of the gradient by lag in three networks: one explodes, two fade."""
    parts = [path("M10 48H150", "quiet", "line dash")]
    for rho, scale, nonnormal, color in (
        (1.2, 0.0, 0.0, "of-error"),
        (0.85, 0.0, 5.0, "of-hidden"),
        (1.2, 0.5, 1.0, "of-cell"),
    ):
        norms = np.log10(lag.measure(rho, scale, nonnormal).norms[:51:2])
        places = zip(onto(range(26), 0, 25, 10, 150), onto(norms, -5, 5, 92, 4), strict=True)
        parts.append(through([(x, y) for x, y in places if 2 <= y <= 94], color))
    return "".join(parts)


def cliff_edge() -> str:
    """The error cliff from above, with a step that is thrown off it and one that is clipped."""

    def place(w: float, b: float) -> tuple[float, float]:
        return onto([w], *cliff.W, 6, 154)[0], onto([b], *cliff.B, 92, 4)[0]

    edge = [place(w, cliff.contour(w, 0.35)) for w in np.linspace(*cliff.W, 30)]
    edge = [(x, y) for x, y in edge if 4 <= y <= 92]
    wall = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in [*edge, (6, 92)])
    plain = cliff.descend(5.5, -2.0, 0.5)[:34]
    hit = place(*plain[32, :2])
    thrown = place(*cliff.border(plain[32, :2], plain[33, :2]))
    return (
        path(wall + "Z", "of-error", "area")
        + through(edge, "of-error")
        + through([place(*row[:2]) for row in plain[:33:4]] + [hit], "ink", "line dash")
        + arrow(*hit, *thrown, "ink")
        + dot(*place(5.5, -2.0), "of-output", 5.5)
    )


def gates() -> str:
    """An LSTM cell: the belt of memory, a shut valve on it, and what is written beside it."""
    return (
        path("M20 28H140", "of-cell", "line belt faint")
        + path("M20 28H56M96 28H140", "of-cell", "line belt")
        + path("M96 70V38", "of-hidden", "line thick")
        + "".join(path(f"M{x} 70V{y}", "quiet") for x, y in ((56, 38), (128, 70)))
        + path("M128 66V44", "quiet")
        + path("M20 80H128V70M56 80V70M96 80V70", "of-hidden")
        + path("M48 23H64M48 33H64M56 18V38", "of-output", "line thick")
        + dot(96, 28, "of-cell", 9)
        + path("M91 28H101M96 23V33", "ink")
        + "".join(dot(x, 66, "of-output", 8) for x in (56, 128))
        + dot(96, 66, "of-hidden", 8)
        + dot(16, 28, "of-cell", 10)
        + dot(144, 28, "of-cell", 10)
        + dot(16, 80, "of-hidden", 8)
    )


def carousel_curves() -> str:
    """What reaches each step from the last: the direct path, all paths, and a plain RNN."""
    curves = carousel.curves(3.0, 1.0)
    parts = []
    for name, color, kind in (
        ("rnn", "of-hidden", "line dash"),
        ("direct", "of-cell", "line thick"),
        ("full", "of-error", "line"),
    ):
        norms = np.log10(curves[name][::2])
        places = zip(onto(range(21), 0, 20, 10, 150), onto(norms, -7, 1, 92, 4), strict=True)
        parts.append(through([(x, y) for x, y in places if y <= 94], color, kind))
    return "".join(parts)


def activity() -> str:
    """The memory of one unit over two lines of text: above the line inside quotations."""
    figure = activations.Activations()
    values = np.tanh(activations.states(figure.model, figure.x)["c"][:, 6])
    parts = []
    for row, middle in enumerate((30, 72)):
        some = values[30 * row : 30 * row + 30]
        for sign, color in ((1, "of-hidden"), (-1, "of-output")):
            bars = "".join(
                f"M{number(10 + 4.8 * k)} {middle}v{number(-22 * v)}"
                for k, v in enumerate(some)
                if sign * v > 0.02
            )
            parts.append(path(bars, color, "line bar"))
        parts.append(path(f"M7 {middle}H153", "quiet"))
    return "".join(parts)


def training() -> str:
    """The loss of two training runs by update: one finds the way down, one stalls."""
    parts = [path("M10 18H150", "quiet", "line dash"), path("M10 8V88H150", "quiet")]
    for given, color in (
        ({"lag": 60}, "of-hidden"),
        ({"lag": 60, "init": "orthogonal"}, "of-error"),
    ):
        runs = playground.train(playground.Settings(**given))
        losses = np.array([update.E for update, _ in islice(runs, 100)]).reshape(-1, 4).mean(axis=1)
        places = list(
            zip(onto(range(25), 0, 24, 12, 148), onto(losses, 0, math.log(4), 88, 18), strict=True)
        )
        parts += [through(places, color), dot(*places[-1], color, 4.5)]
    return "".join(parts)


def learned() -> str:
    """Lines that a network wrote as it learned: a stroke for each word, full if the text has it."""
    words = set(re.findall(r"\w{3,}", tea_party()))
    run = own_text.Run(tea_party(), own_text.Settings(units=32))
    strokes = {"of-quiet": "", "of-hidden": ""}
    for row, updates in enumerate((0, 30, 60, 120)):
        while run.rule.steps < updates:
            run.update()
        for found in re.finditer(r"\w+", run.write(size=45)):
            color = "of-hidden" if found[0] in words else "of-quiet"
            x, to = (number(10 + 3.1 * place) for place in (found.start(), found.end() - 0.4))
            strokes[color] += f"M{x} {18 + 20 * row}H{to}"
    return path(strokes["of-quiet"], "quiet", "line bar") + path(
        strokes["of-hidden"], "of-hidden", "line bar"
    )


DRAWINGS: dict[str, Callable[[], str]] = {
    "unroll": unroll,
    "unit": one_unit,
    "paths": paths,
    "lag": by_lag,
    "cliff": cliff_edge,
    "gates": gates,
    "carousel": carousel_curves,
    "activations": activity,
    "playground": training,
    "writer": learned,
}


def drawing(name: str) -> str:
    """Return the picture `name` as an SVG element."""
    return (
        f'<svg class="course-drawing" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">'
        f"{DRAWINGS[name]()}</svg>"
    )


class Drawing(Directive):
    """The directive: its argument is the name of a picture."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the picture as raw HTML."""
        name = self.arguments[0]
        if name not in DRAWINGS:
            raise self.error(f"There is no drawing {name!r}, only {', '.join(DRAWINGS)}.")
        return [nodes.raw("", drawing(name), format="html")]


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
