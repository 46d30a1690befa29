"""What an exercise is: a function to write, or a value to find, with the mistakes that it knows.

An exercise is written down once, as its own solution:

    @exercise("hidden-step", page="1-structure/memory", cases=…, hints=(…,))
    def hidden_step(x_t, h_prev, W_xh, W_hh, b_h):
        "What is to be written; what it gets and returns, with shapes."
        return np.tanh(W_hh @ h_prev + W_xh @ x_t + b_h)

    @hidden_step.wrong
    def without_the_past(x_t, h_prev, W_xh, W_hh, b_h):
        "What whoever writes this is told."
        return np.tanh(W_xh @ x_t + b_h)
"""

import difflib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

Function = Callable[..., Any]
Cases = Callable[[np.random.Generator], Iterable[tuple[Any, ...]]]


@dataclass
class Exercise:
    """A function to write.

    Attributes
    ----------
    name : what `check` is called with, such as "hidden-step"
    page : of the course, such as "1-structure/memory"
    solution : a function that is right; its docstring is the statement
    cases : from a generator, the arguments of each call, the smallest first
    hints : each says more than the one before
    wrongs : functions that are wrong, by name; the docstring of each is what the learner is told
    seconds : how long all calls together may take
    """

    name: str
    page: str
    solution: Function
    cases: Cases
    hints: tuple[str, ...]
    wrongs: dict[str, Function] = field(default_factory=dict)
    seconds: float = 10.0

    def wrong(self, function: Function) -> Function:
        """Add a wrong answer, as a decorator."""
        self.wrongs[function.__name__] = function
        return function

    @property
    def statement(self) -> str:
        """What is to be written."""
        return inspect.cleandoc(self.solution.__doc__ or "")

    @property
    def signature(self) -> str:
        """The first line of the function that is to be written."""
        names = ", ".join(inspect.signature(self.solution).parameters)
        return f"def {self.solution.__name__}({names}):"

    def arguments(self) -> list[tuple[Any, ...]]:
        """Return the arguments of all calls, the same each time."""
        return list(self.cases(np.random.default_rng(0)))


@dataclass
class Investigation:
    """A value to find: any that meets what is asked is right.

    Attributes
    ----------
    name, page, hints : as of an `Exercise`
    judge : a function of the answer that returns "" if it is right, else what the learner is told;
        its docstring is the statement
    answer : a value that is right
    wrongs : values that are wrong, by name, each for another reason
    """

    name: str
    page: str
    judge: Callable[[Any], str]
    answer: Any
    hints: tuple[str, ...]
    wrongs: dict[str, Any] = field(default_factory=dict)
    seconds: float = 30.0

    @property
    def statement(self) -> str:
        """What is to be found."""
        return inspect.cleandoc(self.judge.__doc__ or "")


EXERCISES: dict[str, Exercise | Investigation] = {}
Task = TypeVar("Task", Exercise, Investigation)


def _enter(task: Task) -> Task:
    if task.name in EXERCISES:
        raise ValueError(f"there is an exercise {task.name!r} already")
    EXERCISES[task.name] = task
    return task


def exercise(
    name: str, *, page: str, cases: Cases, hints: tuple[str, ...]
) -> Callable[[Function], Exercise]:
    """Make an exercise of the function that solves it, as a decorator."""

    def define(solution: Function) -> Exercise:
        made = Exercise(name, page, solution, cases, hints)
        return _enter(made)

    return define


def investigation(
    name: str, *, page: str, answer: Any, wrongs: dict[str, Any], hints: tuple[str, ...]
) -> Callable[[Callable[[Any], str]], Investigation]:
    """Make an exercise of the function that judges its answers, as a decorator."""

    def define(judge: Callable[[Any], str]) -> Investigation:
        made = Investigation(name, page, judge, answer, hints, wrongs)
        return _enter(made)

    return define


def find(name: str) -> Exercise | Investigation:
    """Return an exercise by its name.

    Raises
    ------
    ValueError
        There is none of that name; the message offers the nearest.
    """
    if name in EXERCISES:
        return EXERCISES[name]
    near = difflib.get_close_matches(str(name), EXERCISES, n=3, cutoff=0.4) or list(EXERCISES)[:3]
    offered = ", ".join(map(repr, near))
    raise ValueError(f"there is no exercise {name!r}; did you mean {offered}?")
