"""What each page of a chapter is for, in a table that is written from the pages and the package.

The page for teachers asks for it chapter by chapter:

    ```{objectives} 1-structure
    ```

A row is a page: its minutes, how many questions it asks, what a reader can do afterward, and the
exercises that belong to it, each with its minutes.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from minutes import Cell, cells, minutes, title
from myst_parser.mdit_to_docutils.base import default_slugify
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from rnncourse.exercises.definition import EXERCISES

OBJECTIVE = re.compile(r"After(?:wards| this page) you can\s+((?:- )?.+?)(?=\n\n|\Z)", re.DOTALL)
ASKED = re.compile(r'\bpredict\("([^"]+)"')
CHECKED = re.compile(r'\bcheck\("([^"]+)"')
# A section of a page of exercises: its title, and the minutes below it.
SECTION = re.compile(r"^## (.+)\n\n\*[^*\n]*?(\d+) minutes", re.MULTILINE)
HEAD = "| page | after it you can | exercises |\n|:--|:--|:--|"


@dataclass(frozen=True)
class Task:
    """An exercise: its name, the title of its section, and how many minutes it takes."""

    name: str
    title: str
    minutes: int


@dataclass(frozen=True)
class Page:
    """A page, with all that a teacher wants to know of it."""

    name: str
    title: str
    minutes: int
    objective: str
    questions: int
    tasks: tuple[Task, ...]


def joined(page: list[Cell], kind: str) -> str:
    """Return the cells of one kind as one text."""
    return "\n\n".join("".join(c["source"]) for c in page if c["cell_type"] == kind)


def objective(text: str, name: str) -> str:
    """Return what a page says that its reader can do afterward; the items of a list in one line.

    Raises
    ------
    ExtensionError
        It does not say so.
    """
    found = OBJECTIVE.search(text)
    if not found:
        raise ExtensionError(f"objectives: {name} does not say what one can do after it")
    return " ".join(re.sub(r"^- ", "", found[1], flags=re.MULTILINE).split()).rstrip(".")


def tasks(folder: Path) -> dict[str, Task]:
    """Return the exercises on the page of exercises of a chapter, by name, in its order.

    Raises
    ------
    ExtensionError
        One stands in a section that does not say how many minutes it takes.
    """
    found: dict[str, Task] = {}
    section = None
    for cell in cells(folder / "exercises.ipynb"):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            if re.search(r"^## ", source, re.MULTILINE):
                section = next(reversed(SECTION.findall(source)), None)
        elif checked := CHECKED.search(source):
            if section is None:
                raise ExtensionError(f"objectives: {checked[1]} has no section with its minutes")
            found[checked[1]] = Task(checked[1], section[0], int(section[1]))
    return found


def pages(folder: Path) -> list[Page]:
    """Return the pages of a chapter in reading order, without its page of exercises."""
    known = tasks(folder)
    found = []
    for path in folder.glob("*.ipynb"):
        if path.stem == "exercises":
            continue
        page, name = cells(path), f"{folder.name}/{path.stem}"
        text = joined(page, "markdown")
        found.append(
            Page(
                name,
                title(page),
                math.ceil(minutes(page)),
                objective(text, name),
                len(set(ASKED.findall(joined(page, "code")))),
                tuple(t for t in known.values() if EXERCISES[t.name].page == name),
            )
        )
    return sorted(found, key=lambda page: page.title)  # "1.1 · …", "1.2 · …"


def count(n: int, name: str) -> str:
    """Return "1 question" or "3 questions"."""
    return f"{n} {name}" if n == 1 else f"{n} {name}s"


def table(chapter: list[Page]) -> str:
    """Return the pages of a chapter as a table in Markdown; its last row adds them up."""
    lines = [HEAD]
    for page in chapter:
        asked = f"{count(page.minutes, 'minute')}, {count(page.questions, 'question')}"
        exercises = page.name.split("/")[0] + "/exercises.ipynb"
        links = [
            f"[{t.name}]({exercises}#{default_slugify(t.title)})\N{NO-BREAK SPACE}({t.minutes})"
            for t in page.tasks
        ]
        row = [f"[{page.title}]({page.name}.ipynb): {asked}", page.objective, ", ".join(links)]
        lines.append(f"| {' | '.join(part.replace('|', chr(92) + '|') for part in row)} |")
    done = [t for page in chapter for t in page.tasks]
    time, asked = (
        sum(numbers) for numbers in zip(*((p.minutes, p.questions) for p in chapter), strict=True)
    )
    lines.append(
        f"| together: {count(time, 'minute')}, {count(asked, 'question')} | "
        f"| {count(len(done), 'exercise')}, {count(sum(t.minutes for t in done), 'minute')} |"
    )
    return "\n".join(lines)


class Objectives(SphinxDirective):
    """The table of a chapter: {objectives} 1-structure."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        text = table(pages(Path(self.env.srcdir, "book", self.arguments[0])))
        made = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), ""), self.content_offset, made)
        return made.children


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("objectives", Objectives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
