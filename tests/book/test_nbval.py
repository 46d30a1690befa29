"""The strict comparison of notebooks that `make test` makes does find a changed output."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from notebooks import run

HERE = Path(__file__).parent


def nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += ["--nbval-sanitize-with", HERE / "sanitize.cfg", "-p", "no:cacheprovider", notebook]
    return subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=False)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    path = tmp_path_factory.mktemp("nbval") / "one.ipynb"
    cells = [new_code_cell(s) for s in ("print(f'{2 / 3:.4f}')", "[1, 2]")]
    nbformat.write(new_notebook(cells=cells), path)
    run(path)
    return path


def test_the_true_outputs_pass(notebook):
    result = nbval(notebook)
    assert result.returncode == 0, result.stdout


def change_printed(cells):
    assert cells[0].outputs[0].text == "0.6667\n"
    cells[0].outputs[0].text = "0.6668\n"


def change_shown(cells):
    assert cells[1].outputs[0].data["text/plain"] == "[1, 2]"
    cells[1].outputs[0].data["text/plain"] = "[1, 3]"


@pytest.mark.parametrize("change", [change_printed, change_shown])
def test_one_changed_digit_fails(notebook, change):
    damaged = nbformat.read(notebook, as_version=4)
    change(damaged.cells)
    path = notebook.with_name("damaged.ipynb")
    nbformat.write(damaged, path)
    result = nbval(path)
    assert result.returncode == 1, result.stdout
    assert "1 failed" in result.stdout
