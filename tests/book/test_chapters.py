"""The pages of the chapters are short, show numbers, and have no answer above its question."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
from minutes import Cell, cells, minutes, open_lines

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted(BOOK.glob("[0-9]-*/*.ipynb"))
LONGEST = 25  # minutes
OPEN = 12  # lines of a cell of code that stands open
BOX = re.compile(r"^(?::{3,}|`{3,})\{admonition\} *(.*)$", re.MULTILINE)


def shown(cell: Cell) -> str:
    """Return the text that a cell's outputs show before anything is opened."""
    if {"hide-output", "hide-cell", "remove-cell"} & set(cell["metadata"].get("tags", [])):
        return ""
    outputs = cell.get("outputs", [])
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "\n".join("".join(text) for text in texts)


def checks_shown(page: list[Cell]) -> Iterator[str]:
    """Yield the outputs that show True or False where a number belongs."""
    for cell in page:
        yield from re.findall(r"^.*\b(?:True|False)\b.*$", shown(cell), re.MULTILINE)


def long_cells(page: list[Cell]) -> Iterator[str]:
    """Yield the first lines of the cells of code that are open and long."""
    yield from ("".join(c["source"]).split("\n")[0] for c in page if open_lines(c) > OPEN)


def waits_for_the_reader(cell: Cell) -> bool:
    """Whether a cell shows a figure to play with, or a question's choices."""
    htmls = ("".join(o.get("data", {}).get("text/html", "")) for o in cell.get("outputs", []))
    return any("data-explorable" in html or "data-question" in html for html in htmls)


def answers_above_questions(page: list[Cell]) -> Iterator[str]:
    """Yield what shows something between a question and its answer, and questions without one."""
    asked = False
    for cell in page:
        if cell["cell_type"] == "markdown":
            for title in BOX.findall("".join(cell["source"])):
                if title.startswith("Predict"):
                    if asked:
                        yield "a question without an answer"
                    asked = True
                elif title.startswith("Answer"):
                    asked = False
        elif asked and shown(cell).strip() and not waits_for_the_reader(cell):
            yield f"shown before the answer: {shown(cell)[:60]!r}"
    if asked:
        yield "a question without an answer"


@pytest.fixture(params=PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def page(request):
    return cells(request.param)


def test_there_are_pages():
    assert len(PAGES) > 12


def test_a_page_can_be_read_in_one_sitting(page):
    assert minutes(page) <= LONGEST


def test_a_number_stands_where_a_number_belongs(page):
    assert list(checks_shown(page)) == []


def test_no_long_code_stands_open(page):
    assert list(long_cells(page)) == []


def test_no_answer_stands_above_its_question(page):
    assert list(answers_above_questions(page)) == []


def test_what_is_told_was_tried_again(page):
    text = "".join("".join(c["source"]) for c in page if c["cell_type"] == "markdown")
    assert "not repeated" not in text


# --- the checks themselves can fail -----------------------------------------------------------


def markdown(text: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(source: str, text: str = "", html: str = "", tags: tuple[str, ...] = ()) -> Cell:
    outputs = [{"text": text}] if text else []
    outputs += [{"data": {"text/html": html}}] if html else []
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": outputs,
    }


QUESTION = markdown(":::{admonition} Predict first\n:class: tip\nHow many?\n:::")
ANSWER = markdown(":::{admonition} Answer\n:class: dropdown\nThree.\n:::")
FIGURE = code("Unroll()", html='<div data-explorable="unroll">')


def test_time_is_words_and_lines_and_formulas():
    assert minutes([markdown("one " * 180)]) == 1
    assert minutes([markdown("$$\na + b\n$$ (eq-x)\n\n$$c$$")]) == pytest.approx(1.5 + 1 / 180)
    assert minutes([code("a = 1\n\n" * 12)]) == 1
    assert minutes([code("a = 1\n" * 12, tags=("hide-input",))]) == 0


def test_a_check_where_a_number_belongs_is_found():
    assert list(checks_shown([code("x", "equal: True"), code("y", "1.5")])) == ["equal: True"]
    assert not list(checks_shown([code("x", "True", tags=("hide-cell",)), code("y", "Trueish")]))


def test_long_code_is_found():
    assert list(long_cells([code("a = 1\n" * 13)])) == ["a = 1"]
    assert not list(
        long_cells([code("a = 1\n\n" * 12), code("b = 1\n" * 40, tags=("hide-input",))])
    )


@pytest.mark.parametrize(
    "page",
    [
        [QUESTION, code("3", "3"), ANSWER],
        [QUESTION, FIGURE],
        [QUESTION, QUESTION, ANSWER],
        [markdown(QUESTION["source"].replace(":::", "```")), code("3", "3"), ANSWER],
        [QUESTION, FIGURE, code("3", "3"), ANSWER],
    ],
)
def test_an_answer_above_its_question_is_found(page):
    assert list(answers_above_questions(page))


@pytest.mark.parametrize(
    "page",
    [
        [QUESTION, ANSWER, code("3", "3")],
        [QUESTION, FIGURE, ANSWER],
        [QUESTION, code("a = 3"), code("3", "3", tags=("hide-output",)), ANSWER],
        [markdown(QUESTION["source"] + "\n\n" + ANSWER["source"])],
    ],
)
def test_an_answer_below_its_question_is_none(page):
    assert not list(answers_above_questions(page))
