"""Each exercise: its solution is right, and each wrong answer is told what is wrong with it."""

import inspect
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from rnncourse import exercises
from rnncourse.exercises.checking import check
from rnncourse.exercises.comparing import close
from rnncourse.exercises.definition import EXERCISES, Exercise, Investigation

ROOT = Path(__file__).parents[2]
TO_WRITE = [task for task in EXERCISES.values() if isinstance(task, Exercise)]
TO_FIND = [task for task in EXERCISES.values() if isinstance(task, Investigation)]
EACH = pytest.mark.parametrize("task", EXERCISES.values(), ids=lambda task: task.name)
EACH_TO_WRITE = pytest.mark.parametrize("task", TO_WRITE, ids=lambda task: task.name)
EACH_TO_FIND = pytest.mark.parametrize("task", TO_FIND, ids=lambda task: task.name)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch):
    monkeypatch.setenv("RNNCOURSE_PROGRESS", "")


@EACH
def test_it_says_what_it_asks_and_helps_in_steps(task):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", task.name)
    assert (ROOT / "book" / f"{task.page}.ipynb").is_file()
    assert len(task.statement.split()) >= 12
    assert len(task.hints) >= 2
    assert exercises.hint(task.name).startswith(f"Hint 1 of {len(task.hints)}: ")
    assert task.hints[-1] in exercises.hint(task.name, 99)
    assert len(task.wrongs) >= (5 if isinstance(task, Exercise) else 3)


@EACH_TO_WRITE
def test_the_solution_is_right_and_the_stub_not_attempted(task):
    result = check(task.name, task.solution)
    assert result, result
    assert check(task.name, lambda *_: ...).status == "not attempted"
    code: dict = {"np": np}
    shown: dict = {"np": np}  # what is shown as the solution needs nothing else
    exec(exercises.solution(task.name), shown)
    assert check(task.name, shown[task.solution.__name__])
    exec(f"{task.signature}\n    return ...", code)
    assert check(task.name, code[task.solution.__name__]).status == "not attempted"


@EACH_TO_WRITE
def test_the_solution_does_not_depend_on_luck(task):
    """The same arguments each time, none changed by the solution, and no solution draws numbers."""
    for first, second in zip(task.arguments(), task.arguments(), strict=True):
        assert len(first) == len(second) == len(inspect.signature(task.solution).parameters)
        assert close(task.solution(*first), task.solution(*second))
        assert repr(first) == repr(second)


@EACH_TO_WRITE
def test_each_wrong_answer_is_told_its_own_mistake(task):
    told = set()
    for name, function in task.wrongs.items():
        result = check(task.name, function)
        assert (result.status, result.mistake) == ("not yet", name), result
        assert len(result.told[0].split()) >= 6
        told.add(result.told)
    assert len(told) == len(task.wrongs)


@EACH_TO_WRITE
def test_a_wrong_answer_is_wrong_by_its_numbers(task):
    """It may fail where its shapes do not fit, but not because its own code is broken."""
    for function in task.wrongs.values():
        for arguments in task.arguments():
            with suppress(ValueError, IndexError), np.errstate(all="ignore"):
                function(*arguments)


@EACH_TO_FIND
def test_answers_are_judged_each_by_itself(task):
    assert check(task.name, task.answer), check(task.name, task.answer)
    assert check(task.name, ...).status == "not attempted"
    told = set()
    for name, value in task.wrongs.items():
        result = check(task.name, value)
        assert (result.status, result.mistake) == ("not yet", name), result
        told.add(result.told)
    assert len(told) == len(task.wrongs)
    for nonsense in ("text", [], {}, object(), np.nan, -np.inf, [[1, 2], [3]]):
        result = check(task.name, nonsense)
        assert result.status == "not yet", nonsense
        assert result.told[0]
