"""Questions that are answered in the page: each answer has its own reply, and the key is computed.

A question is written down as the function that computes its key:

    @question("fifty-steps", page="3-gradients/jacobians", replies={"2": "…", "13": "…"})
    def fifty_steps():
        "What is asked, in words."
        return str(round(50 * np.log10(1.3 / 0.7)))

The replies stand by the choices, or by ranges of numbers. Where there is a `picture`, the number is
the place of a point that is set on its curve. What it `shows` is the figure of its page,
set to what answers it: a button leads there from the right answer.
"""

import html
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ..explorables.base import Explorable, function, in_script, source
from ..notebook import display_with_twin
from ..validation import Array, real_array

FOLDER = Path(__file__).parent
MODULE = source(str(FOLDER / "question.js"))
STYLE = source(str(FOLDER / "question.css"))
WORDS = {
    "label": "Your answer",
    "number": "A number:",
    "point": "The point is at",
    "check": "Check",
    "empty": "Type a number first.",
    "figure": "Show it in the figure",
    "missing": "There is no figure yet: run its cell first.",
    "no": "“{given}” is no number that can be read here. Write 0.05, 5e-2 or 5 · 10^-2.",
}
Range = tuple[float, float]
LARGEST = 1e300  # a message to a page has no infinity
ANY: Range = (-LARGEST, LARGEST)  # the range of all other numbers

WIDTH, HEIGHT = 360, 190  # of a picture, in its own units
LEFT, RIGHT, TOP, BOTTOM = 46, 348, 26, 150


@dataclass(frozen=True)
class Picture:
    """A curve on which a point is set.

    Attributes
    ----------
    x, y : equally many numbers, `x` evenly spaced; the point can be set on each
    x_label, y_label : what they are
    dashed : a second curve to compare with, as many numbers as `y`

    Raises
    ------
    TypeError, ValueError
        The numbers are fewer than two, not equally many or not finite, `x` is not evenly spaced, or
        `y` and `dashed` are one number everywhere.
    """

    x: Array
    y: Array
    x_label: str
    y_label: str
    dashed: Array | tuple[()] = ()

    def __post_init__(self) -> None:
        x = real_array("x", self.x, ("N",), float)
        if len(x) < 2:
            raise ValueError("x is one number, expected at least two")
        steps = np.diff(x)
        if not np.allclose(steps, steps[0]) or not steps[0] > 0:
            found = f"from {steps.min():g} to {steps.max():g}"
            raise ValueError(f"x has steps {found}, expected equal ones above 0")
        real_array("y", self.y, (len(x),), float)
        if len(self.dashed):
            real_array("dashed", self.dashed, (len(x),), float)
        low, high = self._ends()
        if low == high:
            raise ValueError(f"y is {low:g} everywhere, expected a curve that rises or falls")

    @property
    def places(self) -> list[tuple[float, float]]:
        """Where in the picture the point can be set."""
        return self._drawn(self.y)

    def _ends(self) -> tuple[float, float]:
        return min(*self.y, *self.dashed), max(*self.y, *self.dashed)

    def _drawn(self, curve: Array | tuple[()]) -> list[tuple[float, float]]:
        low, high = self._ends()
        across = [LEFT + (RIGHT - LEFT) * k / (len(self.x) - 1) for k in range(len(curve))]
        down = [BOTTOM - (BOTTOM - TOP) * (y - low) / (high - low) for y in curve]
        return [(round(a, 1), round(b, 1)) for a, b in zip(across, down, strict=True)]

    def svg(self) -> str:
        """Return the picture without a point."""
        ends = [f"{v:g}".replace("-", "\N{MINUS SIGN}") for v in (self.x[0], self.x[-1])]
        low, high = (f"{v:.3g}".replace("-", "\N{MINUS SIGN}") for v in self._ends())
        texts = [
            (0, 14, "start", self.y_label),
            (LEFT - 6, TOP + 5, "end", high),
            (LEFT - 6, BOTTOM + 1, "end", low),
            (LEFT, BOTTOM + 19, "middle", ends[0]),
            (RIGHT, BOTTOM + 19, "end", ends[1]),
            ((LEFT + RIGHT) / 2, BOTTOM + 36, "middle", self.x_label),
        ]
        curves = [
            f'<polyline{kind} points="{" ".join(f"{a:g},{b:g}" for a, b in self._drawn(curve))}"/>'
            for kind, curve in (("", self.y), (' class="dashed"', self.dashed))
            if len(curve)
        ]
        words = html.escape(f"{self.y_label} over {self.x_label}, from {ends[0]} to {ends[1]}")
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
            f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>{"".join(curves)}'
            + "".join(
                f'<text x="{a:g}" y="{b}" text-anchor="{anchor}">{html.escape(text)}</text>'
                for a, b, anchor, text in texts
            )
            + "</svg>"
        )

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know to set a point."""
        return {
            "svg": self.svg(),
            "places": self.places,
            "x": [float(f"{x:.6g}") for x in self.x],
            "label": self.x_label,
        }


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes
    ----------
    name : what `predict` is called with
    page : where it stands
    replies : for each choice, or each range of numbers, what whoever answers it is told; of ranges
        the first that holds the number counts
    key : a function that computes the right choice, or the right number
    picture : a function that computes the curve on which a point is the answer
    shows : a function that makes the figure of the page as it shows the answer
    """

    name: str
    page: str
    replies: Mapping[str, str] | Mapping[Range, str]
    key: Callable[[], str | float]
    picture: Callable[[], Picture] | None = None
    shows: Callable[[], Explorable] | None = None

    @property
    def asked(self) -> str:
        """What is asked."""
        return inspect.cleandoc(self.key.__doc__ or "")

    @property
    def right(self) -> int:
        """The place of the right reply.

        Raises
        ------
        ValueError
            The key is none of the choices, or in none of the ranges.
        """
        key = self.key()
        for k, answer in enumerate(self.replies):
            if answer == key or (
                isinstance(answer, tuple) and answer[0] <= float(key) <= answer[1]
            ):
                return k
        raise ValueError(
            f"the key of {self.name!r} is {key!r}, expected one of {list(self.replies)}"
        )

    def _figure(self) -> dict[str, Any] | None:
        """Return the name and the values of the figure that shows the answer."""
        if self.shows is None:
            return None
        figure: object = self.shows() if callable(self.shows) else None
        if not isinstance(figure, Explorable):
            found = f"shows of {self.name!r} is {self.shows!r}"
            raise TypeError(f"{found}, expected a function that makes a figure")
        figure.close()  # its values are wanted, no widget that stays in the kernel
        return {"name": figure.name, "state": figure.state}

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know.

        Raises
        ------
        TypeError
            What the question `shows` is no function, or one that makes no figure.
        """
        replies = [
            {"low": max(answer[0], -LARGEST), "high": min(answer[1], LARGEST), "reply": reply}
            if isinstance(answer, tuple)
            else {"choice": answer, "reply": reply}
            for answer, reply in self.replies.items()
        ]
        return {
            "name": self.name,
            "label": WORDS["label"],
            "replies": replies,
            "right": self.right,
            "words": WORDS,
            "picture": self.picture().spec() if self.picture else None,
            "figure": self._figure(),
        }


QUESTIONS: dict[str, Question] = {}


def question(
    name: str,
    *,
    page: str,
    replies: Mapping[str, str] | Mapping[Range, str],
    picture: Callable[[], Picture] | None = None,
    shows: Callable[[], Explorable] | None = None,
) -> Callable[[Callable[[], str | float]], Question]:
    """Make a question of the function that computes its key, as a decorator.

    Raises
    ------
    ValueError
        There is one of that name.
    """

    def define(key: Callable[[], str | float]) -> Question:
        if name in QUESTIONS:
            raise ValueError(f"there are two questions {name!r}, expected one")
        QUESTIONS[name] = made = Question(name, page, replies, key, picture, shows)
        return made

    return define


def closest(value: float, choices: Sequence[float]) -> float:
    """Return the choice that lies nearest to `value`, as a factor."""
    return min(choices, key=lambda choice: abs(math.log(value / choice)))


@cache
def script() -> str:
    """Return what all questions of a page need, as a classic script: it sets `rnnAsk`.

    ``rnnAsk(spec)`` runs right behind the question's place, so that nothing moves afterwards.
    """
    ask = (
        "(spec) => {\n"
        'const all = document.querySelectorAll(`[data-question="${spec.name}"]`);\n'
        "render({ model: { get: () => spec }, el: all[all.length - 1] });\n}"
    )
    return f"globalThis.rnnAsk = {function(MODULE, ask)};\n"


@cache
def shared_element() -> str:
    """Return the elements that give a page what its questions share."""
    return f"<style>\n{STYLE}</style>\n<script>\n{script()}</script>\n"


class Ask(anywidget.AnyWidget):
    """A question as a widget."""

    _esm, _css = MODULE, STYLE
    _question = traitlets.Dict().tag(sync=True)

    def __init__(self, asked: Question) -> None:
        self.asked = asked
        super().__init__(_question=asked.spec())

    def __repr__(self) -> str:
        return f"predict({self.asked.name!r})"

    def to_html(self) -> str:
        """Return the question for a page without a kernel; without JavaScript, its choices."""
        choices = " · ".join(answer for answer in self.asked.replies if isinstance(answer, str))
        picture = self._question["picture"]
        plain = picture["svg"] if picture else f"<p>{html.escape(choices)}</p>" if choices else ""
        return (
            f'<div data-question="{self.asked.name}">{plain}</div>\n{shared_element()}'
            f"<script>rnnAsk({in_script(self._question)});</script>"
        )

    def _ipython_display_(self) -> None:
        display_with_twin(self, {"text/html": self.to_html()})
