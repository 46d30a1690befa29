"""Links made before the chapters were split still lead to what they meant."""

import json
import re
from pathlib import Path
from urllib.parse import urljoin

import moved
import pytest
from browsers import PATIENCE, serving
from bs4 import BeautifulSoup

SITE = Path(__file__).parents[2] / "_build" / "html"
CHAPTERS = ["1-structure", "2-backpropagation", "3-gradients", "4-lstm"]
# What the four whole chapters had: sections, equations, figures. A chapter and an anchor a line.
ANCHORS = (Path(__file__).parent / "anchors.txt").read_text(encoding="utf-8").splitlines()


def places(chapter: str) -> dict[str, str]:
    page = (SITE / "book" / f"{chapter}.html").read_text(encoding="utf-8")
    return json.loads(re.search(r"const places = (\{.*\});", page)[1])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_old_anchor_leads_somewhere(chapter):
    old = [line.split()[1] for line in ANCHORS if line.startswith(f"{chapter} ")]
    assert len(old) > 30
    new = places(chapter)
    assert [anchor for anchor in old if anchor not in new] == []
    ids = {}
    for place in new.values():
        page, _, anchor = place.partition("#")
        if page not in ids:
            ids[page] = moved.ID.findall((SITE / "book" / page).read_text(encoding="utf-8"))
        assert not anchor or anchor in ids[page], place


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1-structure.html", "1-structure/memory.html"),
        ("1-structure.html#equation-eq-hidden", "1-structure/memory.html#equation-eq-hidden"),
        ("1-structure.html#explore-unit?w=1.5&h0=0.2", "1-structure/one-unit.html#explore-unit?"),
        ("1-structure.html#explore-unit%253Fw%253D1.5", "1-structure/one-unit.html#explore-unit"),
        ("1-structure.html?find=one#the-loss", "1-structure/digits.html?find=one#how-wrong-is"),
        ("1-structure.html#nothing-of-ours", "1-structure/memory.html#nothing-of-ours"),
        ("1-structure.html#rnn-structure", "1-structure/memory.html"),
    ],
)
def test_an_old_link_is_followed(browser, old, new):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    with serving(SITE) as address:
        page.goto(urljoin(address, f"book/{old}"))
        page.wait_for_url(lambda url: url.startswith(urljoin(address, f"book/{new}")))
        page.locator("article h1").wait_for()
    context.close()


def test_without_javascript_the_pages_are_listed():
    for chapter in CHAPTERS:
        page = (SITE / "book" / f"{chapter}.html").read_text(encoding="utf-8")
        soup = BeautifulSoup(page, "html.parser")
        links = [a["href"] for a in soup.find_all("a")]
        assert len(links) >= 4
        assert all((SITE / "book" / link).is_file() for link in links)
        assert soup.find("meta", attrs={"http-equiv": "refresh"})["content"].endswith(links[0])


def test_what_stands_in_several_pages_leads_to_the_first():
    pages = {"one": {"the-check", "a"}, "two": {"the-check", "b"}}
    assert moved.places(pages, {"old": "two#b"}) == {
        "the-check": "one",
        "a": "one",
        "b": "two",
        "old": "two#b",
    }


def test_a_line_that_leads_nowhere_is_named():
    pages = {"one": {"a"}}
    assert not list(moved.faults(pages, {"x": "one", "y": "one#a"}))
    assert list(moved.faults(pages, {"x": "two", "y": "one#b"})) == [
        "x: there is no two",
        "y: there is no one#b",
    ]
