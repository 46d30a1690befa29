"""Check an answer: right, not yet, or not attempted, and what went wrong if it can be told."""

import contextlib
import html
import re
import textwrap
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from . import record
from .comparing import close, difference, extent, in_one_call, location, relation, shown
from .definition import Exercise, Function, Investigation, find
from .running import Outcome, run
from .slips import slips

Status = Literal["correct", "not yet", "not attempted"]
PATIENCE = 4.0  # seconds to look for a slip
SIGNS = {"correct": "✓", "not yet": "✗", "not attempted": "·"}


@dataclass(frozen=True)
class Result:
    """What `check` found; true if the answer is right. Shown as text, and in notebooks as HTML.

    Attributes
    ----------
    exercise : its name
    status : "correct", "not yet" or "not attempted"
    told : what there is to say, a paragraph each
    mistake : the name of the mistake that was recognized, or ""
    """

    exercise: str
    status: Status
    told: tuple[str, ...] = ()
    mistake: str = ""

    def __bool__(self) -> bool:
        return self.status == "correct"

    def __repr__(self) -> str:
        head = f"{SIGNS[self.status]} {self.exercise}: {self.status}"
        return "\n".join([head, *(textwrap.indent(textwrap.fill(p, 88), "  ") for p in self.told)])

    def _repr_html_(self) -> str:
        head = f"<strong>{SIGNS[self.status]} {html.escape(self.exercise)}: {self.status}</strong>"
        return head + "".join(f"<p>{html.escape(p)}</p>" for p in self.told)


def check(name: str, answer: Any, *, strict: bool = False) -> Result:
    """Check an answer to an exercise and say what is wrong with it.

    Parameters
    ----------
    name : of an exercise
    answer : the function that was written, or the value that was found
    strict : whether to raise unless the answer is right, as graders expect

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        There is no exercise of that name; the message offers the nearest.
    AssertionError
        With `strict`: the answer is not right. The message is the result.
    """
    task = find(name)
    result = _judged(task, answer) if isinstance(task, Investigation) else _called(task, answer)
    record.note(name, result.status)
    if strict and not result:
        raise AssertionError(str(result))
    return result


def _judged(task: Investigation, answer: Any) -> Result:
    if answer is ... or answer is None:
        return Result(task.name, "not attempted")
    if isinstance(answer, np.ndarray) and not answer.ndim:
        answer = answer.item()
    try:
        told = task.judge(answer)
    except (TypeError, ValueError) as error:
        told = f"This is no answer of the kind that is asked for: {error}."
    if not told:
        return Result(task.name, "correct")
    known = [w for w, value in task.wrongs.items() if close(answer, value)]
    return Result(task.name, "not yet", (told,), known[0] if known else "")


def _called(task: Exercise, answer: Any) -> Result:
    def not_yet(*told: str, mistake: str = "") -> Result:
        return Result(task.name, "not yet", tuple(filter(None, told)), mistake)

    if answer is ...:
        return Result(task.name, "not attempted")
    if not callable(answer):
        kind = type(answer).__name__
        return not_yet(
            f"Give the function itself, check({task.name!r}, {task.solution.__name__}), "
            f"without calling it; this is a value of type {kind}."
        )
    calls = task.arguments()
    try:
        outcomes, printed = run(answer, [*calls, calls[0]], task.seconds)
    except TimeoutError as error:
        return not_yet(
            f"Your function had not come back after {task.seconds:g} seconds. "
            "Does every loop in it end, or does it search for long?",
            str(error),
        )
    if any(o.value is ... or isinstance(o.error, NotImplementedError) for o in outcomes):
        return Result(task.name, "not attempted")
    again = outcomes.pop()
    right = [task.solution(*arguments) for arguments in calls]
    note = f"It printed: {printed.strip()[:200]}" if printed.strip() else ""
    both = zip([*outcomes, again], [*right, right[0]], strict=True)
    if all(o.error is None and close(o.value, r) for o, r in both):
        return _good_but(task, outcomes, not_yet)
    if close(outcomes[0].value, right[0]) and not close(again.value, right[0]):
        return not_yet(
            "Called twice with the same arguments, your function gives two results: it keeps "
            "something between calls, or draws random numbers."
        )
    mistake = recognized(task, calls, outcomes)
    if mistake:
        told = " ".join((task.wrongs[mistake].__doc__ or "").split())
        return not_yet(told, mistake=mistake)
    return not_yet(*_unknown(task, calls, outcomes, right), note)


def _good_but(task: Exercise, outcomes: list[Outcome], not_yet: Callable[..., Result]) -> Result:
    """Right numbers; but what was given to the function must be as it was."""
    changed = sorted({i for o in outcomes for i in o.changed})
    if changed:
        names = list(_parameters(task))
        told = " and ".join(names[i] for i in changed)
        return not_yet(
            f"The numbers are right, but your function changes {told} in place, and whoever called "
            "it loses the old values. Compute a new array, as in h = h + d in place of h += d."
        )
    if any(o.aliased for o in outcomes):
        told = (
            "One remark: what you return shares its memory with an argument. "
            "If either is changed later, so is the other; .copy() parts them."
        )
        return Result(task.name, "correct", (told,))
    return Result(task.name, "correct")


def _parameters(task: Exercise) -> tuple[str, ...]:
    code = task.solution.__code__
    return code.co_varnames[: code.co_argcount]


def recognized(task: Exercise, calls: list[tuple[Any, ...]], outcomes: list[Outcome]) -> str:
    """Return the name of the wrong answer that gives these outcomes in every call, or ""."""
    for name, function in task.wrongs.items():
        if _all_alike(outcomes, function, calls, task.seconds):
            return name
    return ""


def _all_alike(
    outcomes: list[Outcome], function: Function, calls: list[tuple[Any, ...]], seconds: float
) -> bool:
    """Whether a function gives the same outcomes; it is not called again after one that differs."""
    for mine, arguments in zip(outcomes, calls, strict=True):
        (theirs,), _ = run(function, [arguments], seconds)
        if not _alike(mine, theirs):
            return False
    return True


def _alike(mine: Outcome, theirs: Outcome) -> bool:
    if mine.error is not None or theirs.error is not None:
        return type(mine.error) is type(theirs.error)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a complex number as a real one
        try:
            return mine.changed == theirs.changed and close(mine.value, theirs.value)
        except (TypeError, ValueError, Warning):
            return False  # it returns something else than numbers


def _unknown(
    task: Exercise, calls: list[tuple[Any, ...]], outcomes: list[Outcome], right: list[Any]
) -> list[str]:
    """Say what can be said of a mistake that nobody has made before."""
    wrong = [
        o.error is not None or not close(o.value, r) for o, r in zip(outcomes, right, strict=True)
    ]
    k = wrong.index(True)
    bad = outcomes[k]
    with_these = _called_with(_parameters(task), calls[k])
    if bad.error is not None:
        if isinstance(bad.error, RecursionError):
            return [f"Your function calls itself without end ({bad.line})."]
        words = _plain(str(bad.error)) or "without a message"
        at = f" at {bad.line}" if bad.line else ""
        return [f"Your function raised {type(bad.error).__name__}{at}: {words}", with_these]
    if bad.value is None:
        return ["Your function returns None: is there a return at its end?"]
    related = where = ""
    if all(o.error is None for o in outcomes):
        values = [o.value for o in outcomes]
        related = (
            relation(values, right, calls, _parameters(task))
            or _slip(task, calls, outcomes)
            or location(values, right)
            or in_one_call(bad.value, right[k])
        )
        where = extent(values, right, calls)
    said = difference(bad.value, right[k])
    return [related, f"{said[0].upper()}{said[1:]}. {where}".strip(), with_these]


def _slip(task: Exercise, calls: list[tuple[Any, ...]], outcomes: list[Outcome]) -> str:
    """Say which single slip in the solution gives these outcomes, or "" if none is found soon."""
    ends = time.monotonic() + PATIENCE
    for function, told in slips(task):
        with contextlib.suppress(TimeoutError):
            if _all_alike(outcomes, function, calls, 0.5):
                return f"Your numbers are those of a solution with one slip: {told}."
        if time.monotonic() > ends:
            break
    return ""


def _plain(message: str) -> str:
    """Return NumPy's message of a product that does not fit as a sentence."""
    sizes = re.search(r"size (\d+) is different from (\d+)", message)
    if not sizes:
        return message
    return f"the two factors of a product do not fit: {sizes[2]} columns meet {sizes[1]} rows"


def _called_with(names: Sequence[str], arguments: Sequence[Any]) -> str:
    """Return the arguments of a call in words; where they are many, of each array its shape."""
    for most in (6, 1):
        pairs = zip(names, arguments, strict=True)
        given = ", ".join(f"{name} = {_argument(value, most)}" for name, value in pairs)
        if len(given) < 300:
            break
    return f"It was called with {given}."


def _argument(value: Any, most: int) -> str:
    if isinstance(value, np.ndarray) and value.size > most:
        return f"an array of shape {value.shape}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_argument(v, most)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)) and value and not np.isscalar(value[0]):
        return f"{len(value)} of {_argument(value[0], most)}"
    return shown(value) if not isinstance(value, str) else repr(value)
