"""Questions that are answered in the page: each answer has its own reply, and the key is computed.

A question is written down as the function that computes its key:

    @question("fifty-steps", page="3-gradients/jacobians", replies={"2": "…", "13": "…"})
    def fifty_steps():
        "What is asked, in words."
        return str(round(50 * np.log10(1.3 / 0.7)))
"""

import html
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..explorables.base import function, in_script, source
from ..notebook import display_with_twin

FOLDER = Path(__file__).parent
MODULE = source(str(FOLDER / "question.js"))
STYLE = source(str(FOLDER / "question.css"))
WORDS = {
    "label": "Your prediction",
    "number": "A number:",
    "check": "Check",
    "empty": "Type a number first.",
    "no": "“{given}” is no number that can be read here. Write 0.05, 5e-2 or 5 · 10^-2.",
}
Range = tuple[float, float]


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
    """

    name: str
    page: str
    replies: Mapping[str, str] | Mapping[Range, str]
    key: Callable[[], str | float]

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

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know."""
        replies = [
            {"low": answer[0], "high": answer[1], "reply": reply}
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
        }


QUESTIONS: dict[str, Question] = {}


def question(
    name: str, *, page: str, replies: Mapping[str, str] | Mapping[Range, str]
) -> Callable[[Callable[[], str | float]], Question]:
    """Make a question of the function that computes its key, as a decorator."""

    def define(key: Callable[[], str | float]) -> Question:
        QUESTIONS[name] = made = Question(name, page, replies, key)
        return made

    return define


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
        plain = f"<p>{html.escape(choices)}</p>" if choices else ""
        return (
            f'<div data-question="{self.asked.name}">{plain}</div>\n{shared_element()}'
            f"<script>rnnAsk({in_script(self._question)});</script>"
        )

    def _ipython_display_(self) -> None:
        display_with_twin(self, {"text/html": self.to_html()})
