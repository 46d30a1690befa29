"""The pages of exercises: each exercise stands there once, with a stub and a right solution."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from rnncourse.exercises.checking import check
from rnncourse.exercises.definition import EXERCISES, Exercise

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted(BOOK.glob("*/exercises.ipynb"))
# A folded solution; the code in it is what a learner would write into the cell above.
SOLUTION = re.compile(r"^(`{4,}){admonition} Solution\n:class: dropdown\n(.*?)^\1$", re.M | re.S)
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
CHECKED = re.compile(r'check\("([a-z0-9-]+)", (\w+)\)')


def cells(page):
    found = json.loads(page.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in found]


def parts(page):
    """Return for each exercise on a page: its name, its answer, its stub, and what follows."""
    found = []
    for kind, source in cells(page):
        checked = CHECKED.search(source) if kind == "code" else None
        if checked:
            found.append([*checked.groups(), source, ""])
        elif found and kind == "markdown":
            found[-1][-1] += source + "\n"
    return found


PARTS = [(page, *part) for page in PAGES for part in parts(page)]
EACH = pytest.mark.parametrize(
    ("page", "name", "answer", "stub", "after"), PARTS, ids=[part[1] for part in PARTS]
)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch):
    monkeypatch.setenv("RNNCOURSE_PROGRESS", "")


def test_each_exercise_stands_on_its_chapters_page_once():
    assert sorted(part[1] for part in PARTS) == sorted(EXERCISES)
    for page, name, *_ in PARTS:
        assert EXERCISES[name].page.split("/")[0] == page.parent.name


@EACH
def test_the_stub_is_not_attempted(page, name, answer, stub, after):
    names = {"np": np, "check": lambda name, answer: check(name, answer).status}
    *_, last = stub.strip().splitlines()
    exec(stub.replace(last, f"status = {last}"), names)
    assert names["status"] == "not attempted"
    task = EXERCISES[name]
    if isinstance(task, Exercise):
        assert task.signature in stub


@EACH
def test_the_solution_on_the_page_is_right(page, name, answer, stub, after):
    folded = SOLUTION.findall(after)
    assert len(folded) == 1, f"{name} has {len(folded)} solutions"
    code = "\n".join(CODE.findall(folded[0][1]))
    names = {"np": np}
    exec(code, names)
    result = check(name, names[answer])
    assert result, result
    assert len(re.sub(CODE, "", folded[0][1]).split()) >= 25  # reasons, and a common wrong turn


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_notebook_runs_with_all_solutions_filled_in(page):
    client = pytest.importorskip("nbclient", reason="nbclient runs notebooks: `make book`")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(page, as_version=4)
    solutions = {stub: after for where, _, _, stub, after in PARTS if where == page}
    filled = []
    for cell in notebook.cells:
        if cell.source in solutions:
            ((_, folded),) = SOLUTION.findall(solutions[cell.source])
            *_, last = cell.source.strip().splitlines()
            cell.source = "\n".join([*CODE.findall(folded), last])
            filled.append(cell)
    client.NotebookClient(notebook, timeout=300).execute()
    assert len(filled) == len(solutions)
    for cell in filled:
        *_, output = cell.outputs
        assert re.search(r": correct", output["data"]["text/plain"]), cell.source
