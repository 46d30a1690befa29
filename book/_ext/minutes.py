"""How long a page takes an honest reader, counted when the book is built.

A reader takes 180 words of text and 12 open lines of code a minute, and 45 seconds a displayed
formula. The time stands below the title of each page of a chapter, and any page may say the time
of a chapter:

    Chapter 1 takes {minutes}`1-structure`.
"""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

WORDS, LINES, FORMULA = 180, 12, 0.75
CLOSED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
CHAPTER_PAGE = re.compile(r"book/\d-")
DISPLAY = re.compile(r"\$\$.*?\$\$", re.DOTALL)

Cell = dict[str, Any]


def cells(path: Path) -> list[Cell]:
    """Return the cells of a notebook."""
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def title(page: list[Cell]) -> str:
    """Return the title of a page."""
    return "".join(page[0]["source"]).splitlines()[0].removeprefix("# ")


def open_lines(cell: Cell) -> int:
    """Return how many lines of code a cell shows before anything is opened; blank ones are free."""
    if cell["cell_type"] != "code" or CLOSED & set(cell["metadata"].get("tags", [])):
        return 0
    return sum(bool(line.strip()) for line in "".join(cell["source"]).splitlines())


def minutes(cells: Iterable[Cell]) -> float:
    """Return how many minutes it takes to read `cells`."""
    total = 0.0
    for cell in cells:
        total += open_lines(cell) / LINES
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            total += len(DISPLAY.sub(" ", text).split()) / WORDS
            total += len(DISPLAY.findall(text)) * FORMULA
    return total


def chapter(folder: Path) -> int:
    """Return the minutes for all pages of a chapter, up to the next five.

    Raises
    ------
    ExtensionError
        There are none.
    """
    pages = list(folder.glob("*.ipynb"))
    if not pages:
        raise ExtensionError(f"minutes: there is no page of a chapter in {folder.name!r}")
    return 5 * math.ceil(sum(minutes(cells(path)) for path in pages) / 5)


class Minutes(SphinxRole):
    """The time of a chapter: {minutes}`1-structure`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        folder = Path(self.env.srcdir, "book", self.text)
        self.env.note_reread()
        return [nodes.Text(f"{chapter(folder)} minutes")], []


def say(app: Sphinx, document: nodes.document) -> None:
    """Write the time below the title of a page of a chapter."""
    page = app.env.docname
    title = next(document.findall(nodes.title), None)
    if CHAPTER_PAGE.match(page) and title is not None:
        time = math.ceil(minutes(cells(Path(app.env.doc2path(page)))))
        line = nodes.paragraph("", f"About {time} minutes", classes=["course-time"])
        title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("minutes", Minutes())
    app.connect("doctree-read", say)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
