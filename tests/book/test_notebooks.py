"""The saved notebooks are run, complete and clean; and the check that says so can fail."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import METADATA, WIDGET, clean, main, problems, run

BOOK = Path(__file__).parents[2] / "book"
NOTEBOOKS = sorted(p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def test_there_are_notebooks():
    assert NOTEBOOKS, f"no notebook in {BOOK}"


@pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: path.relative_to(BOOK).with_suffix("").as_posix()
)
def test_notebook_is_run_complete_and_clean(path):
    found = problems(nbformat.read(path, as_version=4))
    assert not found, "\n".join([f"{path.name} (`make notebooks` runs and cleans it):", *found])


def good_notebook() -> nbformat.NotebookNode:
    """A small notebook without a fault."""
    figure = new_code_cell(
        "plot()",
        execution_count=3,
        outputs=[
            new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})
        ],
        metadata={"mystnb": {"image": {"alt": "A rising line."}}},
    )
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("import numpy as np", execution_count=1),
        new_code_cell(
            "1 + 1",
            execution_count=2,
            outputs=[new_output("execute_result", {"text/plain": "2"}, execution_count=2)],
        ),
        figure,
        new_code_cell(
            "print('solved:', True)",
            execution_count=4,
            outputs=[new_output("stream", name="stdout", text="solved: True\n")],
        ),
    ]
    return new_notebook(cells=cells, metadata=METADATA)


def test_a_good_notebook_has_no_problem():
    notebook = good_notebook()
    nbformat.validate(notebook)
    assert problems(notebook) == []


def strip(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def set_text(text):
    def damage(notebook):
        notebook.cells[4].outputs[0].text = text

    return damage


def set_source(source):
    def damage(notebook):
        notebook.cells[4].source = source
        notebook.cells[4].outputs = []

    return damage


def add_error(notebook):
    notebook.cells[2].outputs.append(
        new_output("error", ename="ValueError", evalue="x", traceback=[])
    )


def add_stderr(notebook):
    notebook.cells[2].outputs.append(new_output("stream", name="stderr", text="a warning"))


def only_definitions(notebook):
    for cell in notebook.cells[2:]:
        cell.source, cell.outputs = "a = 1", []


DAMAGES = {
    "outputs stripped": (strip, "execution count is None"),
    "outputs stripped, counts kept": (
        lambda n: [c.update(outputs=[]) for c in n.cells if c.cell_type == "code"],
        "has no output",
    ),
    "not one output shown": (only_definitions, "fewer than half"),
    "cells run out of order": (lambda n: n.cells[2].update(execution_count=7), "count is 7"),
    "last expression not shown": (set_source("x = 1\nx"), "has no output"),
    "expression beside imports not shown": (
        set_source("import numpy as np\nnp.pi"),
        "has no output",
    ),
    "final semicolon": (set_source("x = 1\nx;"), "nbval ignores"),
    "print lost": (set_source("for k in range(3):\n    print(k)"), "has no output"),
    "error": (add_error, "shows an error: ValueError"),
    "stderr": (add_stderr, "writes to stderr"),
    "memory address": (set_text("<Model at 0x7f3c9a1b2c40>"), "memory address"),
    "Linux path": (set_text("saved to /home/ada/model.npz"), "path of one machine"),
    "macOS path": (set_text("saved to /Users/ada/model.npz"), "path of one machine"),
    "Windows path": (set_text("saved to C:\\Users\\ada\\model.npz"), "path of one machine"),
    "temporary path": (set_text("in '/tmp/tmpab12/x.npz'"), "path of one machine"),
    "widget state": (lambda n: n.metadata.update(widgets={}), "metadata is not clean"),
    "version of one machine": (
        lambda n: n.metadata.update(language_info={"name": "python", "version": "3.11.7"}),
        "metadata is not clean",
    ),
    "timing": (lambda n: n.cells[1].metadata.update(execution={}), "cell 1: metadata"),
    "image without alternative text": (
        lambda n: n.cells[3].metadata.update(mystnb={"image": {"alt": " "}}),
        "no alternative text",
    ),
    "widget view": (
        lambda n: n.cells[2].outputs[0].data.update({WIDGET: {"model_id": "1"}}),
        "keeps the view of a widget",
    ),
    "no code": (lambda n: n.update(cells=n.cells[:1]), "no code cell"),
    "empty cell": (lambda n: n.cells[0].update(source=" \n"), "is empty"),
    "repeated cell id": (lambda n: n.cells[0].update(id=n.cells[1].id), "cell ids"),
    "old format": (lambda n: n.update(nbformat_minor=4), "format 4.5"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_found(name):
    damage, expected = DAMAGES[name]
    notebook = good_notebook()
    damage(notebook)
    found = problems(notebook)
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nfrom math import pi",
        "def f(x):\n    print(x)",
        "class A:\n    b: int = 1",
        "a = 1\nb: int = 2\na += b",
        "from rnncourse import figures\n\nfigures.use_style()",
        "%matplotlib inline\nimport numpy as np",
        "for k in range(3):\n    total += k",
    ],
)
def test_a_cell_that_sets_the_scene_may_show_nothing(source):
    notebook = good_notebook()
    set_source(source)(notebook)
    assert problems(notebook) == []


@pytest.mark.parametrize("text", ["0x1F", "1/2 and 3/4", "https://doi.org/10.1162/x", "a/home"])
def test_ordinary_text_is_no_problem(text):
    notebook = good_notebook()
    set_text(text)(notebook)
    assert problems(notebook) == []


def test_clean_removes_what_tools_leave_behind():
    notebook = good_notebook()
    notebook.metadata.update(widgets={"state": {}}, toc={})
    notebook.cells[1].metadata.update(execution={"iopub.status.busy": "now"}, scrolled=True)
    notebook.cells[4].outputs.append(new_output("stream", name="stdout", text="more\n"))
    clean(notebook)
    assert problems(notebook) == []
    assert [o.text for o in notebook.cells[4].outputs] == ["solved: True\nmore\n"]
    assert notebook.cells[3].metadata.mystnb.image.alt == "A rising line."


def notebook_file(folder: Path, source: str) -> Path:
    path = folder / "one.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    return path


def test_run_fills_a_notebook_and_saves_it_clean(tmp_path, capsys):
    path = notebook_file(tmp_path, "print('a')\n6 * 7")
    assert main(["--check", str(path)]) == 1
    assert "execution count is None" in capsys.readouterr().out
    run(path)
    outputs = nbformat.read(path, as_version=4).cells[0].outputs
    assert outputs[0].text == "a\n"
    assert outputs[1].data["text/plain"] == "42"
    assert main(["--check", str(path)]) == 0
    saved = path.read_bytes()
    run(path)
    assert path.read_bytes() == saved


def test_a_notebook_that_fails_is_left_as_it_was(tmp_path):
    path = notebook_file(tmp_path, "1 / 0")
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        run(path)
    assert path.read_bytes() == before
