"""Run the course's notebooks, save them clean, and say what is wrong with one.

python tests/book/notebooks.py book/speed.ipynb            run each in place and save it clean
python tests/book/notebooks.py --check book/speed.ipynb    only say what is wrong
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

# Nothing here may change with the machine or the version that ran the notebook.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# What JupyterLab, Colab and nbclient leave behind in a cell.
FLEETING = {
    "ExecuteTime",
    "collapsed",
    "execution",
    "executionInfo",
    "id",
    "outputId",
    "scrolled",
    "trusted",
}

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|Users|root|tmp|private|var|opt|usr|mnt|work|content|workspaces)/[\w.]"
    r"|\b[A-Za-z]:\\\w"
)
# A live widget: its id changes with each run, and without a kernel there is nothing behind it. The
# output's other forms, a page of its own or a picture, stay.
WIDGET = "application/vnd.jupyter.widget-view+json"
# A cell of these alone sets the scene, and may show nothing.
QUIET_STATEMENTS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
)


def clean(notebook: NotebookNode) -> NotebookNode:
    """Remove from a notebook, in place, what changes without its content changing."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        for key in FLEETING & set(cell.metadata):
            del cell.metadata[key]
        if cell.cell_type == "code":
            cell.outputs = _merged_streams(cell.outputs)
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
            cell.outputs = [o for o in cell.outputs if o.get("data", True)]
    return notebook


def _merged_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighboring pieces of one stream: how a kernel cuts them is chance."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def run(path: Path) -> None:
    """Run a notebook from the top in a fresh kernel, in its own folder, and save it clean.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails. The file is then left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    nbformat.write(clean(notebook), path)


def problems(notebook: NotebookNode) -> list[str]:
    """What a saved notebook must not show its reader; an empty list if all is well."""
    found = list(_metadata_problems(notebook))
    code = [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code"]
    if not code:
        found.append("has no code cell")
    for count, (index, cell) in enumerate(code, start=1):
        found += [f"cell {index}: {problem}" for problem in _cell_problems(cell, count)]
    if 2 * sum(bool(cell.outputs) for _, cell in code) < len(code):
        found.append("fewer than half of the code cells have an output")
    return found


def _metadata_problems(notebook: NotebookNode) -> Iterator[str]:
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield "is not in notebook format 4.5"
    if notebook.metadata != METADATA:
        yield f"metadata is not clean: {sorted(notebook.metadata)}"
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) != len(ids):
        yield "cell ids are missing or repeated"
    for index, cell in enumerate(notebook.cells):
        left = FLEETING & set(cell.metadata)
        if left:
            yield f"cell {index}: metadata is not clean: {sorted(left)}"
        if not cell.source.strip():
            yield f"cell {index}: is empty"


def _cell_problems(cell: NotebookNode, count: int) -> Iterator[str]:
    if cell.execution_count != count:
        yield f"execution count is {cell.execution_count}, not {count}: run all from the top"
    if cell.source.rstrip().endswith(";"):
        yield "ends in `;`, which nbval ignores: end with `plt.show()` or an assignment"
    if not cell.outputs and not _may_be_quiet(cell.source):
        yield "has no output although its code shows something"
    for output in cell.outputs:
        if output.output_type == "error":
            yield f"shows an error: {output.ename}"
        elif output.output_type == "stream" and output.name == "stderr":
            yield f"writes to stderr: {output.text[:80]!r}"
        for text in _texts(output):
            if match := ADDRESS.search(text):
                yield f"output has a memory address: {match.group()}"
            if match := MACHINE_PATH.search(text):
                yield f"output has a path of one machine: {text[match.start() :][:60]!r}"
        data = output.get("data", {})
        if WIDGET in data:
            yield "keeps the view of a widget that is gone when the kernel stops"
        if any(kind.startswith("image/") for kind in data):
            image = cell.metadata.get("mystnb", {}).get("image", {})
            if not str(image.get("alt", "")).strip():
                yield "image has no alternative text (cell metadata mystnb.image.alt)"


def _may_be_quiet(source: str) -> bool:
    """Whether a cell only sets the scene: imports, definitions, assignments."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    body = ast.parse("\n".join(lines)).body
    if all(isinstance(statement, QUIET_STATEMENTS) for statement in body):
        return True
    # What is left may change state without showing it, but not in its last expression.
    last = body[-1]
    if isinstance(last, ast.Expr):
        # Beside imports, a call sets something up: `figures.use_style()`.
        imports = any(isinstance(statement, ast.Import | ast.ImportFrom) for statement in body)
        return imports and isinstance(last.value, ast.Call)
    return not any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        for node in ast.walk(ast.Module(body=body, type_ignores=[]))
    )


def _texts(output: NotebookNode) -> Iterator[str]:
    if "text" in output:
        yield output.text
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(value, str):
            yield value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--check", action="store_true", help="run nothing, say what is wrong")
    options = parser.parse_args(arguments)
    failed = False
    for path in options.paths:
        if not options.check:
            print(f"Running {path} ...", flush=True)
            run(path)
        for problem in problems(nbformat.read(path, as_version=4)):
            failed = True
            print(f"{path}: {problem}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
