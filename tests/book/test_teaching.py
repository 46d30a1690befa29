"""The page for teachers: its tables are those of the pages, its times add up, and its code runs."""

import doctest
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
from minutes import minutes
from objectives import Page, Task, objective, pages, table, tasks
from sphinx.errors import ExtensionError

from rnncourse.exercises import EXERCISES, check
from rnncourse.exercises.predictions import QUESTIONS

BOOK = Path(__file__).parents[2] / "book"
TEXT = (BOOK / "teaching.md").read_text(encoding="utf-8")
CHAPTERS = sorted(path for path in BOOK.glob("[1-4]-*") if path.is_dir())
PAGES = {page.name: page for chapter in CHAPTERS for page in pages(chapter)}
TASKS = {task.name: task for chapter in CHAPTERS for task in tasks(chapter).values()}
CODE = re.compile(r"^```{code-block} (python|pycon)\n(.*?)^```", re.DOTALL | re.MULTILINE)
MISTAKE = re.compile(r"Caught\s+by\s+`([a-z0-9-]+)`\s+\(`(\w+)`")


# --- what is written from the pages -------------------------------------------------------------


def test_every_exercise_and_question_of_the_chapters_is_in_the_tables():
    assert len(PAGES) == sum(len(list(c.glob("*.ipynb"))) - 1 for c in CHAPTERS)
    assert sorted(t.name for page in PAGES.values() for t in page.tasks) == sorted(EXERCISES)
    asked = {name: sum(q.page == name for q in QUESTIONS.values()) for name in PAGES}
    assert sum(asked.values()) > 12
    for name, page in PAGES.items():  # a question may wait for its page, but none is made up
        assert page.questions <= asked[name]
    assert sorted(re.findall(r"^```{objectives} (.+)$", TEXT, re.MULTILINE)) == [
        c.name for c in CHAPTERS
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# A\n\nAfter this page you can do $x$, and\nthen rest.\n\n## B", "do $x$, and then rest"),
        ("# A\n\nAfter this page you can\n\n- do it;\n- rest\n  well.", "do it; rest well"),
        ("# A\n\nYou play. Afterwards you can do it.", "do it"),
    ],
)
def test_an_objective_is_read_from_a_page(text, found):
    assert objective(text, "a/b") == found


def test_a_page_without_an_objective_stops_the_build():
    with pytest.raises(ExtensionError, match="a/b does not say"):
        objective("# A\n\nAfter this page you are tired.", "a/b")


def chapter(folder: Path, heading: str) -> Path:
    """Write a chapter with one page, one question and one exercise."""

    def notebook(name, *sources):
        kinds = ("markdown", "code")
        found = [
            {"cell_type": kind, "metadata": {}, "source": source}
            for kind, source in zip(kinds, sources, strict=True)
        ]
        (folder / name).write_text(json.dumps({"cells": found}), encoding="utf-8")

    folder.mkdir()
    notebook(
        "memory.ipynb", "# 1.1 · One\n\nAfterwards you can rest.", 'predict("a")\npredict("b")'
    )
    notebook("exercises.ipynb", heading, 'check("hidden-step", f)')
    return folder


def test_a_chapter_is_read(tmp_path):
    made = chapter(tmp_path / "1-structure", "# All\n\n## A step | two\n\n*About 5 minutes.* Do.")
    task = Task("hidden-step", "A step | two", 5)
    found = pages(made)
    assert found == [Page("1-structure/memory", "1.1 · One", 1, "rest", 2, (task,))]
    rows = table(found).splitlines()
    link = "[1.1 · One](1-structure/memory.ipynb): 1 minute, 2 questions"
    assert rows[2].startswith(f"| {link} | rest | [hidden-step](1-structure/exercises.ipynb#a-step")
    assert rows[3] == "| together: 1 minute, 2 questions | | 1 exercise, 5 minutes |"


def test_an_exercise_without_minutes_stops_the_build(tmp_path):
    made = chapter(tmp_path / "1-structure", "## A step\n\nDo it in *5 minutes*.")
    with pytest.raises(ExtensionError, match="hidden-step has no section"):
        tasks(made)


# --- what is written by hand --------------------------------------------------------------------


def rows(heading: str, text: str = TEXT) -> list[list[str]]:
    """Return the cells of the table below a heading, row by row."""
    below = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.M)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named(row: list[str]) -> tuple[list[Page], list[Task]]:
    """Return the pages and exercises in a row; all else in small type must be a question."""
    text = " ".join(row)
    links = [PAGES[link] for link in re.findall(r"\((\d-[a-z0-9/-]+)\.ipynb\)", text)]
    names = re.findall(r"`([a-z0-9-]+)`(?!{)", re.sub(r"{minutes}`[^`]+`", "", text))
    assert [name for name in names if name not in TASKS and name not in QUESTIONS] == []
    return links, [TASKS[name] for name in names if name in TASKS]


SESSIONS = re.findall(r"^### (Session \d: .+)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_takes_90_minutes(session):
    *parts, last = rows(session)
    assert sum(int(part[0]) for part in parts) == int(last[0].strip("*")) == 90
    for part in parts:
        assert sum(task.minutes for task in named(part)[1]) <= int(part[0])
    chapter = CHAPTERS[SESSIONS.index(session)].name
    assert {p.name.split("/")[0] for part in parts for p in named(part)[0]} <= {chapter}


def test_there_are_four_sessions_and_their_homework_adds_up():
    assert len(SESSIONS) == 4
    *parts, last = rows("At home, after each session")
    times = [int(part[2]) for part in parts]
    assert times == [sum(task.minutes for task in named(part)[1]) for part in parts]
    assert sum(times) == int(last[2].strip("*"))
    for part, chapter in zip(parts, CHAPTERS, strict=True):
        assert f"{{minutes}}`{chapter.name}`" in part[1]
        assert {EXERCISES[t.name].page.split("/")[0] for t in named(part)[1]} == {chapter.name}


DAYS = ["First day", "Second day"]


@pytest.mark.parametrize("day", DAYS)
def test_a_day_follows_the_clock_and_leaves_time_for_what_is_in_it(day):
    *parts, last = rows(day)
    clock = datetime.strptime(parts[0][0], "%H:%M")
    for part in parts:
        assert part[0].lstrip("0") == f"{clock:%H:%M}".lstrip("0")
        clock += timedelta(minutes=int(part[1]))
        read, done = named(part)
        needed = sum(page.minutes for page in read) + sum(task.minutes for task in done)
        assert needed <= int(part[1]), part
    assert last[0] == f"{clock:%H:%M}"
    assert sum(int(part[1]) for part in parts) == int(last[1].strip("*"))
    breaks = sum(int(part[1]) for part in parts if part[2].startswith("*"))
    said = re.search(r"Each day has (\d+) minutes of work and (\d+) of breaks", TEXT)
    assert said is not None
    assert (int(last[1].strip("*")) - breaks, breaks) == tuple(map(int, said.groups()))


def test_the_workshop_reads_every_page_once_and_in_order():
    read = [page.name for day in DAYS for part in rows(day) for page in named(part)[0]]
    assert read == list(PAGES)


def test_the_mistakes_are_mistakes_of_the_exercises():
    found = MISTAKE.findall(TEXT)
    assert len(found) >= 12
    assert TEXT.count("\n: ") == len(found)
    for name, mistake in found:
        assert mistake in EXERCISES[name].wrongs
    asked = re.findall(r"the question\s+`([a-z0-9-]+)`", TEXT)
    assert asked
    assert set(asked) <= set(QUESTIONS)


def test_a_row_is_read_as_it_stands():
    text = (
        "## Day\n\n| a | b |\n|:--|:--|\n| 5 | x |\n| *6* | [y](z.md) |\n\n### Next\n\n| 1 | 2 |\n"
    )
    assert rows("Day", text) == [["5", "x"], ["*6*", "[y](z.md)"]]
    with pytest.raises(KeyError):
        named(["[9.9](9-nothing/page.ipynb)"])
    with pytest.raises(AssertionError):
        named(["`no-such-exercise`"])


def test_the_page_can_be_read_in_one_sitting():
    tables = "\n".join(table(pages(chapter)) for chapter in CHAPTERS)
    links = re.compile(r"\]\([^)]*\)")
    text = links.sub("]", TEXT + tables)
    assert minutes([{"cell_type": "markdown", "metadata": {}, "source": text}]) <= 25


def test_its_code_shows_what_it_says(monkeypatch):
    monkeypatch.setenv("RNNCOURSE_PROGRESS", "")
    before, names, report = dict(EXERCISES), {}, []
    runner = doctest.DocTestRunner(verbose=False)
    try:
        for kind, source in CODE.findall(TEXT):
            if kind == "pycon":
                made = doctest.DocTestParser().get_doctest(source, names, "teaching", None, 0)
                runner.run(made, out=report.append, clear_globs=False)
                names.update(made.globs)
        assert not report, "".join(report)
        assert runner.summarize(verbose=False).attempted > 10
        task = EXERCISES["what-remains"]
        assert check("what-remains", task.solution)
        assert [check("what-remains", f).mistake for f in task.wrongs.values()] == ["taken_away"]
    finally:
        EXERCISES.clear()
        EXERCISES.update(before)
