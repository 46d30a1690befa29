"""Exercises that know what went wrong.

>>> from rnncourse.exercises import check
>>> def hidden_step(x_t, h_prev, W_xh, W_hh, b_h):
...     return np.tanh(W_xh @ x_t + b_h)
>>> check("hidden-step", hidden_step)
✗ hidden-step: not yet
  The state before it does not enter: the sum lacks W_hh h_{t−1}.

`hint` says how to go on, `statement` what is asked, `solution` shows one that is right, and
`progress` what is done.
"""

import inspect
import textwrap

from . import gates, gradients, paths, structure  # noqa: F401  (the exercises)
from .checking import Result, check
from .definition import EXERCISES, Exercise, Investigation, find
from .record import Progress

__all__ = ["EXERCISES", "Result", "check", "hint", "progress", "solution", "statement"]


def hint(name: str, step: int = 1) -> str:
    """Return a hint to an exercise; each step says more.

    Parameters
    ----------
    name : of an exercise
    step : from 1; beyond the last hint it is the last

    Raises
    ------
    ValueError
        There is no exercise of that name, or `step` is below 1.
    """
    hints = find(name).hints
    if step < 1:
        raise ValueError(f"step is {step}, expected a whole number from 1")
    return f"Hint {min(step, len(hints))} of {len(hints)}: {hints[min(step, len(hints)) - 1]}"


def statement(name: str) -> str:
    """Return what an exercise asks, with the first line of the function to write."""
    task = find(name)
    return f"{task.signature}\n{task.statement}" if isinstance(task, Exercise) else task.statement


def solution(name: str) -> str:
    """Return a solution of an exercise as code, or a value that is right."""
    task = find(name)
    if isinstance(task, Investigation):
        return repr(task.answer)
    lines = textwrap.dedent(inspect.getsource(task.solution)).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("def "))
    return "\n".join(lines[first:])


def progress() -> Progress:
    """Return the table of what is done; it is kept on this machine only, in one file."""
    return Progress()
