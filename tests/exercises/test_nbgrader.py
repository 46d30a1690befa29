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

import pytest

from rnncourse.exercises import EXERCISES, solution

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


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("nbgrader"), reason="nbgrader is not installed")
def test_the_run_on_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make, count = blocks("python")
    names: dict[str, object] = {}
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
