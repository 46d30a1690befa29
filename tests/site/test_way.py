"""Your way so far: answers are marked, can be saved, brought to another browser and wiped."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from browsers import PATIENCE, reloaded_until, serving
from bs4 import BeautifulSoup
from docutils.parsers.rst import DirectiveError

from rnncourse.exercises.predictions import QUESTIONS
from rnncourse.explorables import Playground

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import way  # noqa: E402

REFUSE = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
MARK = ".course-way [data-question='{}']"
# In a page: whether the way has heard of an answer, or of a challenge, and of how many answers.
HEARD = "document.querySelector(\".course-way [data-{}='{}']\").innerText !== '○'"
COUNTS = "document.querySelector('.course-way .total').innerText.startsWith('1 of ')"
MEMORY = "book/1-structure/memory.html"


@pytest.fixture(scope="module")
def site():
    if not (SITE / "book" / "way.html").is_file():
        pytest.fail("The book is not built: run `make book` first.", pytrace=False)
    with serving(SITE) as address:
        yield address


@pytest.fixture
def visit(browser, site):
    """Open a page of the book in a browser of its own; an error in it fails the test."""
    contexts, errors = [], []

    def open_page(name, refuse=False, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        if refuse:
            page.add_init_script(REFUSE)
        page.goto(f"{site}{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def answer(page, name, right=True):
    """Answer a question of choices on its page."""
    choices = list(QUESTIONS[name].replies)
    k = QUESTIONS[name].right if right else (QUESTIONS[name].right + 1) % len(choices)
    page.locator(f"[data-question='{name}']").get_by_role("button", name=choices[k]).click()


def test_all_questions_and_challenges_stand_there(site):
    page = BeautifulSoup((SITE / "book" / "way.html").read_text("utf-8"), "html.parser")
    body = page.select_one(".course-way")
    names = [mark["data-question"] for mark in body.select("[data-question]")]
    assert sorted(names) == sorted(QUESTIONS)
    won = {mark["data-challenge"] for mark in body.select("[data-challenge]")}
    assert won == set(Playground().spec()["data"]["challenges"])
    for link in body.select("a"):
        assert (SITE / "book" / link["href"]).is_file()
    assert "needs JavaScript" in body.select_one(".total").text


def test_what_is_answered_is_marked_on_the_page_in_the_list_and_on_the_way(visit, site):
    page = visit(MEMORY)
    here = [one.name for one in QUESTIONS.values() if one.page == "1-structure/memory"]
    time, link = page.locator(".course-time"), page.locator(".bd-docs-nav a[href='#']")
    assert time.inner_text().split(" · ")[1].split()[0] == str(len(here))
    answer(page, "friend", right=False)
    assert "answered" not in time.inner_text()
    answer(page, "friend")
    assert f" · 1 of {len(here)} question" in time.inner_text()
    assert "answered" not in link.get_attribute("class")
    kept = {name: {"answer": "", "right": True} for name in here if name != "friend"}
    page.evaluate(
        """(more) => localStorage.setItem("rnncourse-answers",
          JSON.stringify({ ...JSON.parse(localStorage.getItem("rnncourse-answers")), ...more }))""",
        kept,
    )
    page.reload()
    assert "answered" in link.get_attribute("class")
    page.goto(f"{site}book/1-structure/any-length.html")
    answer(page, "uses", right=False)
    page.goto(f"{site}book/way.html")
    reloaded_until(page, HEARD.format("question", "uses"))
    assert page.locator(MARK.format("friend")).inner_text() == "✓"
    assert page.locator(MARK.format("uses")).get_attribute("aria-label").startswith("answered")
    assert page.locator(MARK.format("crossing")).inner_text() == "○"
    said = page.locator(".course-way .total").inner_text()
    assert said.startswith(f"{len(here)} of {len(QUESTIONS)} questions answered right, 0 of ")


def test_it_is_saved_brought_to_another_browser_and_wiped(visit, tmp_path):
    page = visit(MEMORY)
    answer(page, "friend")
    page.evaluate("localStorage.setItem('rnncourse-challenges', 'echo,never')")
    page.goto(page.url.replace("1-structure/memory", "way"))
    reloaded_until(page, HEARD.format("challenge", "echo"))
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as a file").click()
    file = tmp_path / "rnncourse-way.json"
    saving.value.save_as(file)
    assert json.loads(file.read_text("utf-8"))["answers"]["friend"]["right"] is True

    other = visit("book/way.html")
    outcome, total = other.locator(".outcome"), other.locator(".course-way .total")
    with other.expect_file_chooser() as chooser:
        other.get_by_role("button", name="Bring a file here").click()
    chooser.value.set_files(file)
    other.get_by_text("Brought here. Answers: 1, challenges: 1.").wait_for()
    assert total.inner_text().startswith("1 of ")
    assert other.locator("[data-challenge=echo]").inner_text() == "✓"
    other.get_by_role("button", name="Wipe all").click()
    assert total.inner_text().startswith("1 of ")  # asked once more
    other.get_by_role("button", name="Really wipe all?").click()
    assert outcome.inner_text() == "All is wiped."
    assert total.inner_text().startswith("0 of ")
    other.reload()
    assert total.inner_text().startswith("0 of ")


@pytest.mark.parametrize(
    "text", ["", "{", "3", "null", "[]", '{"answers": 3}', '{"answers": {}, "challenges": 4}']
)
def test_another_file_is_refused_and_changes_nothing(visit, tmp_path, text):
    page = visit("book/way.html")
    (tmp_path / "other.json").write_text(text, encoding="utf-8")
    page.locator(".course-way input").set_input_files(tmp_path / "other.json")
    page.get_by_text("other.json could not be read.").wait_for()
    assert page.evaluate("localStorage.getItem('rnncourse-answers')") is None


@pytest.mark.parametrize("kept", ["{", "3", "[1]", '{"friend": 3}', '{"friend": null}'])
def test_what_is_damaged_counts_as_nothing(visit, kept):
    page = visit("book/way.html")
    page.evaluate("(kept) => localStorage.setItem('rnncourse-answers', kept)", kept)
    for address in (page.url, page.url.replace("way", "1-structure/memory")):
        page.goto(address)
    answer(page, "friend")
    page.go_back()
    page.reload()
    reloaded_until(page, COUNTS)


def test_a_browser_that_keeps_nothing_is_told(visit):
    page = visit("book/way.html", refuse=True)
    assert "does not keep anything" in page.locator(".course-way .total").inner_text()


def test_words_that_are_missing_stop_the_build():
    machine = SimpleNamespace(reporter=None)
    said = {name: "x" for name in way.SAID + way.SPOKEN if name != "wipe"}
    directive = way.Way("way", [], said, [], 1, 0, "", None, machine)
    with pytest.raises(DirectiveError) as error:
        directive.run()
    assert "no words for ['wipe']" in error.value.msg
