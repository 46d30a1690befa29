"""The run of nbgrader on the page for teachers, from the page itself (see CONTRIBUTING)."""

import csv
import html
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rnncourse.exercises import EXERCISES, solution
from rnncourse.exercises.definition import Exercise

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8").partition("\n## Grading")[2]
BLOCK = re.compile(r"^```(?:{code-block} )?(\w+)\n(:class: released\n)?(.*?)^```", re.M | re.S)
STUB = "    # YOUR CODE HERE\n    raise NotImplementedError()"


def blocks(language: str, *, released: bool = False) -> list[str]:
    """Return the blocks of the page in a language: those that learners get, or the others."""
    return [
        b for kind, mark, b in BLOCK.findall(PAGE) if kind == language and bool(mark) == released
    ]


def body(name: str) -> str:
    """Return what the solution of an exercise does, without its first line and its docstring."""
    return solution(name).rpartition('"""\n')[2]


ANSWERS = {name: body(name) for name in ("hidden-step", "one-step-back")}
FORGOTTEN = "    return W_hy.T @ delta_y_t + W_hh.T @ delta_h_next"  # the slope of the tanh
HANDED_IN = {"ada": ANSWERS, "ben": ANSWERS | {"one-step-back": FORGOTTEN}, "cyd": {}}


def sources(path: Path) -> dict[str, str]:
    """Return the cells of a notebook by their ids."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells}


def hand_in(released: Path, folder: Path, answers: dict[str, str]) -> None:
    """Write a notebook in which `answers` stand where code is asked for."""
    notebook = json.loads(released.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["id"] in answers:
            assert STUB in source
            cell["source"] = source.replace(STUB, answers[cell["id"]])
    folder.mkdir(parents=True)
    (folder / released.name).write_text(json.dumps(notebook), encoding="utf-8")


def nbgrader(command: str) -> None:
    """Run a command of the page, with this Python, its other programs, and this package."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {"PATH": programs, "PYTHONPATH": str(ROOT), "RNNCOURSE_PROGRESS": ""}
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        env=os.environ | known,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_names_the_mistake_that_ben_makes():
    assert FORGOTTEN.strip() in (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    assert "export RNNCOURSE_PROGRESS=" in blocks("shell")[1]
    assert len(blocks("python")) == len(blocks("python", released=True)) == 2


def test_every_function_to_write_can_be_an_assignment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNNCOURSE_PROGRESS", "")
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    to_write = {n: task for n, task in EXERCISES.items() if isinstance(task, Exercise)}
    cells = names["assignment"](dict.fromkeys(to_write, 1))["cells"]
    assert len(cells) == 1 + 2 * len(to_write) > 60
    for task, answer, test in zip(to_write.values(), cells[1::2], cells[2::2], strict=True):
        compile(answer["source"], task.name, "exec")
        head, _, rest = answer["source"].partition("    ### BEGIN SOLUTION")
        assert head.startswith(task.signature)
        assert rest.endswith("### END SOLUTION")
        with pytest.raises(AssertionError, match="not attempted"):  # what learners get
            exec(f"{cells[0]['source']}\n{head}{STUB}\n{test['source']}", {})


HERE = pytest.mark.skipif(
    not importlib.util.find_spec("nbgrader"), reason="nbgrader is not installed"
)


@pytest.mark.slow
@HERE
def test_the_run_on_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make, count = blocks("python")
    names: dict[str, Any] = {}
    exec(make, names)

    first, second = (re.findall(r"^nbgrader .+$", block, re.M) for block in blocks("shell"))
    for command in first:
        nbgrader(command)
    released = Path("release/week2/week2.ipynb")
    shown = [block.rstrip("\n") for block in blocks("python", released=True)]
    cells = sources(released)
    assert shown == [cells["one-step-back"], cells["one-step-back-test"]]
    assert not any(answer in source for answer in ANSWERS.values() for source in cells.values())

    for who, answers in HANDED_IN.items():
        hand_in(released, Path("submitted", who, "week2"), answers)
    for command in second:
        nbgrader(command)

    with open("grades.csv", encoding="utf-8", newline="") as file:
        grades = {row["student_id"]: row for row in csv.DictReader(file)}
    head, *lines = (line.split() for line in blocks("text")[0].splitlines())
    assert [[row[column] for column in head] for row in grades.values()] == lines
    assert [line[0] for line in lines] == list(HANDED_IN)

    slip = " ".join((EXERCISES["one-step-back"].wrongs["slope_dropped"].__doc__ or "").split())
    feedback = Path("feedback/ben/week2/week2.html").read_text(encoding="utf-8")
    words = html.unescape(re.sub(r"<[^>]+>", "", feedback))
    assert slip in " ".join(words.split())

    capsys.readouterr()
    exec(count, names)
    told = capsys.readouterr().out
    assert f": not yet {slip}" in told
    assert told.count("not attempted") == 2  # both exercises of Cyd


EXAM = """
### BEGIN HIDDEN TESTS
from rnncourse.exercises import check
from rnncourse.exercises.definition import exercise

@exercise("doubled", page="1-structure/memory", cases=lambda rng: [(1.0,), (3.0,)], hints=("Add.",))
def doubled(x):
    return 2 * x

@doubled.wrong
def squared(x):
    "You multiply x by itself. Twice x is x + x."
    return x * x if x > 1 else 2 * x

assert check("doubled", twice, strict=True)
### END HIDDEN TESTS"""


@pytest.mark.slow
@HERE
def test_an_exercise_of_ones_own_stays_hidden(tmp_path, monkeypatch):
    """As the page says: learners do not get what stands between the marks, and it grades."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    cell = names["cell"]
    answer = "def twice(x):\n    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION"
    notebook = names["assignment"]({})
    notebook["cells"] += [
        cell(answer, grade_id="twice", solution=True),
        cell(EXAM, grade_id="twice-test", grade=True, locked=True, points=1),
    ]
    Path("source/exam").mkdir()
    Path("source/exam/exam.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    nbgrader("nbgrader generate_assignment exam")
    released = Path("release/exam/exam.ipynb")
    assert sources(released)["twice-test"].strip() == ""
    for who, code in (("ada", "    return 2 * x"), ("ben", "    return x**2 if x > 1 else 2.0")):
        hand_in(released, Path("submitted", who, "exam"), {"twice": code})
    nbgrader("nbgrader autograde exam")
    nbgrader("nbgrader export")
    with open("grades.csv", encoding="utf-8", newline="") as file:
        assert [row["score"] for row in csv.DictReader(file)] == ["1.0", "0.0"]
    graded = Path("autograded/ben/exam/exam.ipynb").read_text(encoding="utf-8")
    assert "You multiply x by itself" in graded.partition('"outputs"')[2]
