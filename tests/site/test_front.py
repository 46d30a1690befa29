"""The front page (its hero, its ways in), and what all pages say of themselves to machines."""

import gzip
import json
import math
import re
import sys
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from browsers import PATIENCE
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

from rnncourse import equations, explorables

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import drawings  # noqa: E402
import head  # noqa: E402
import minutes  # noqa: E402

FRONT = SITE / "book" / "index.html"
PAGES = sorted(p for p in (SITE / "book").rglob("*.html") if "bd-article" in p.read_text("utf-8"))
ADDRESS = "https://example.org/rnn/"
SCREEN = {"viewport": {"width": 390, "height": 844}}


def identity(path: Path) -> str:
    return path.relative_to(SITE).as_posix()


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def head_of(path: Path) -> BeautifulSoup:
    """The head of a page, without the rest, which is long."""
    text = path.read_text(encoding="utf-8")
    return BeautifulSoup(text[: text.index("</head>")], "html.parser")


@pytest.fixture(scope="module", autouse=True)
def site():
    if not PAGES:
        pytest.fail("The book is not built: run `make book` first.", pytrace=False)


def run(x, W_xh, W_hh, b_h, W_hy, b_y):
    """Return h and y of every step of one unit, from the equations of the book."""
    h, steps = np.zeros(1), []
    for x_t in x:
        h = equations.hidden_state(
            np.array([x_t]), h, np.array([[W_xh]]), np.array([[W_hh]]), np.array([b_h])
        )
        y = equations.output(h, np.array([[W_hy]]), np.array([b_y]))
        steps.append((float(h[0]), float(y[0])))
    return steps


def written(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0:.{digits}f}".replace("-", "−")


# ---------------------------------------------------------------- the hero


@pytest.fixture
def hero(browser):
    """Open the front page; any error in the page fails the test."""
    contexts, trouble = [], []

    def show(clock=False, **context):
        contexts.append(browser.new_context(**SCREEN | context))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        if clock:
            page.clock.install(time="2026-01-01")
        page.goto(FRONT.as_uri())
        if clock:  # time now stands still until the test moves it on
            page.clock.pause_at("2026-01-02")
        return page

    yield show
    for context in contexts:
        context.close()
    assert trouble == []


def numbers(page) -> list[tuple[str, str]]:
    """Return h and y of each step, as they are shown."""
    columns = page.locator(".course-hero .step").all()
    return [tuple(column.locator(f".{n}").inner_text() for n in "hy") for column in columns]


def test_the_still_shows_what_the_equations_give():
    figure = parsed(FRONT).select_one(".course-hero")
    x = [int(button["value"]) for button in figure.select("button.x")]
    steps = run(x, **json.loads(figure["data-weights"]))
    shown = [
        tuple(step.select_one(f".{n}").get_text() for n in "hy") for step in figure.select(".step")
    ]
    assert shown == [(written(h, 2), written(y, 0)) for h, y in steps]


def test_the_page_computes_what_the_package_computes(hero, rng):
    names = ["W_xh", "W_hh", "b_h", "W_hy", "b_y"]
    cases = [
        (rng.normal(size=T).tolist(), dict(zip(names, rng.normal(size=5).tolist(), strict=True)))
        for T in (1, 6, 40)
    ]
    page = hero()
    got = page.evaluate("(cases) => cases.map(([x, W]) => courseHero.run(x, W))", cases)
    for (x, weights), steps in zip(cases, got, strict=True):
        pairs = [(step["h"], step["y"]) for step in steps]
        np.testing.assert_allclose(pairs, run(x, **weights), rtol=1e-12, atol=1e-12)
    # What has become of the signal, and that there are words for it.
    for x, h, word in [
        ([0, 0], 0.0, "silent"),
        ([1, 0], 0.05, "forgotten"),
        ([1, 0], 0.5, "fading"),
        ([1, 0], 0.96, "kept"),
        ([-1, 0], -0.96, "kept"),
        ([1, -1, 0], 0.9, "missed"),
    ]:
        assert page.evaluate("([x, h]) => courseHero.verdict(x, h)", [x, h]) == word
        assert parsed(FRONT).select_one(f".course-hero[data-{word}]")


def test_nothing_moves_before_start_and_then_one_step_follows_another(hero):
    page = hero(clock=True)
    figure = page.locator(".course-hero")
    page.clock.run_for(5000)
    assert figure.get_attribute("data-state") == "waiting"
    assert numbers(page) == [("", "")] * 5 + [("", "?")]
    assert page.locator(".course-hero .summary").inner_text() == ""
    page.locator(".start").click()
    page.clock.run_for(700)
    assert [h != "" for h, _ in numbers(page)] == [True, True] + [False] * 4
    assert page.locator(".course-hero .summary").inner_text() == ""  # silent while it runs
    page.clock.run_for(5000)
    assert figure.get_attribute("data-state") == "done"
    assert numbers(page)[-1] == ("0.03", "51")
    assert "forgotten" in page.locator(".course-hero .summary").inner_text()


def test_the_hero_is_played_with_the_keyboard_alone(hero):
    page = hero(reduced_motion="reduce", color_scheme="dark")
    page.locator(".course-start").focus()
    for _ in range(8):  # the other link, six inputs, Start
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # With reduced motion all steps are there at once.
    assert page.locator(".course-hero").get_attribute("data-state") == "done"
    page.keyboard.press("Tab")
    for _ in range(15):
        page.keyboard.press("ArrowRight")
    x = [1, 0, 0, 0, 0, 0]
    weights = {"W_xh": 3, "b_h": 0, "W_hy": 50, "b_y": 50}
    expected = [(written(h, 2), written(y, 0)) for h, y in run(x, W_hh=2.0, **weights)]
    assert page.locator(".course-hero .value").inner_text() == "2.0"
    assert numbers(page) == expected
    page.wait_for_function("document.querySelector('.summary').textContent.includes('still knows')")
    page.locator(".course-hero .x").nth(3).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # 0, then 1, then −1
    expected = run([1, 0, 0, -1, 0, 0], W_hh=2.0, **weights)
    assert numbers(page) == [(written(h, 2), written(y, 0)) for h, y in expected]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_the_still_says_it_all(hero):
    page = hero(java_script_enabled=False)
    assert numbers(page)[-1] == ("0.03", "51")
    last = page.locator(".course-hero .y").last
    assert last.is_visible()
    assert last.evaluate("node => getComputedStyle(node).color") != "rgba(0, 0, 0, 0)"
    assert not page.locator(".course-hero .start").is_visible()
    assert page.get_by_text("all but forgotten").is_visible()
    kept = run([1, 0, 0, 0, 0, 0], W_xh=3, W_hh=2, b_h=0, W_hy=50, b_y=50)[-1][1]
    assert f"y would still be {kept:.0f}" in page.locator(".course-hero .still").inner_text()


# ---------------------------------------------------------------- the ways in


def test_every_figure_has_a_picture_and_a_question():
    classes = [getattr(explorables, name) for name in explorables.__all__ if name != "Explorable"]
    names = [figure.name for figure in classes]
    cards = parsed(FRONT).select(".course-ways .sd-card")
    targets = [card.select_one("a")["href"].rpartition("#explore-")[2] for card in cards]
    assert sorted(targets) == sorted(names) == sorted(drawings.DRAWINGS)
    for card, name in zip(cards, targets, strict=True):
        assert str(BeautifulSoup(drawings.drawing(name), "html.parser")) in str(card)
        assert "?" in card.get_text()


@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_a_drawing_is_small_and_stays_in_its_frame(name):
    picture = drawings.drawing(name)
    assert len(picture) < 2500
    for place in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", picture):
        x, y = map(float, place)
        assert 0 <= x <= drawings.WIDTH
        assert 0 <= y <= drawings.HEIGHT


def test_next_leads_from_the_front_page_through_the_chapters_to_the_end():
    page = parsed(FRONT)
    assert page.select_one("a.course-start")["href"] == "1-structure/memory.html"
    order = [FRONT]
    while following := head_of(order[-1]).select_one("link[rel=next]"):
        order.append(order[-1].parent / following["href"])
    names = [path.resolve().relative_to(SITE.resolve() / "book").as_posix() for path in order]
    assert names[:2] == ["index.html", "1-structure/memory.html"]
    assert names[-1] == "ending.html"
    folders = [name.partition("/")[0] for name in names[1:-1]]
    assert folders == sorted(folders)
    pages = (ROOT / "book").glob("[0-9]-*/*.ipynb")
    chapters = [f"{p.parent.name}/{p.stem}.html" for p in pages]
    assert sorted(names[1:-1]) == sorted([*chapters, "playground.html", "your-text.html"])


def test_the_times_on_the_front_page_are_those_of_the_chapters():
    chapters = sorted(path for path in (ROOT / "book").glob("[0-9]-*") if path.is_dir())
    said = [f"{minutes.chapter(folder)} minutes" for folder in chapters]
    assert len(said) >= 4
    text = " ".join(parsed(FRONT).get_text().split())
    assert f"{', '.join(said[:-1])} and {said[-1]} to read." in text


def test_the_time_of_a_chapter_that_is_not_there_stops_the_build():
    with pytest.raises(ExtensionError, match="no page of a chapter in 'nowhere'"):
        minutes.chapter(ROOT / "book" / "nowhere")


@pytest.mark.parametrize("path", PAGES, ids=identity)
def test_a_page_of_a_chapter_says_how_long_it_takes(path):
    line = parsed(path).select_one("article h1 + .course-time")
    source = ROOT / path.relative_to(SITE).with_suffix(".ipynb")
    if path.parent.parent.name != "book":
        assert line is None
    else:
        assert (
            line.get_text() == f"About {math.ceil(minutes.minutes(minutes.cells(source)))} minutes"
        )


def test_the_front_page_is_light():
    assert len((ROOT / "book" / "_static" / "hero.js").read_bytes()) <= 6000
    assert len(gzip.compress(FRONT.read_bytes())) <= 20_000
    assert (SITE / "_static" / "preview.png").stat().st_size <= 60_000


# ---------------------------------------------------------------- what pages say of themselves


def described(path: Path) -> str:
    return head_of(path).select_one('meta[name="description"]')["content"]


def test_each_page_has_a_description_of_its_own():
    texts = [described(path) for path in PAGES]
    assert len(set(texts)) == len(PAGES)
    assert all(60 <= len(text) <= 160 for text in texts), [t for t in texts if len(t) > 160]


@pytest.mark.parametrize("path", PAGES, ids=identity)
def test_the_head_of_a_page_is_whole(path):
    page = head_of(path)
    assert len(page.select('meta[name="viewport"]')) == 1
    assert page.select_one('meta[property="og:description"]')["content"] == described(path)
    title = page.title.get_text().partition(" — Recurrent neural networks")[0]
    assert page.select_one('meta[property="og:title"]')["content"] == title
    assert [icon["href"].rpartition("/")[2] for icon in page.select("link[rel*=icon]")] == [
        "favicon.png",
        "touch-icon.png",
        "logo.svg",
    ]


def test_the_title_of_the_front_page_says_it_once():
    assert head_of(FRONT).title.get_text() == "Recurrent neural networks"
    assert head_of(SITE / "book" / "ending.html").title.get_text().count("—") == 1


def test_without_an_address_nothing_absolute_is_written():
    assert "http" not in head.tags("A title", "What it is about.")
    assert head.whole_address("") == ""
    assert head.for_any_depth("<html></html>", "") == "<html></html>"


def test_with_an_address_a_page_brings_its_picture():
    text = head.tags('"Quotes" & more', "What it is about.", ADDRESS, "book/using.html")
    soup = BeautifulSoup(text, "html.parser")
    values = {m.get("property") or m["name"]: m["content"] for m in soup.find_all("meta")}
    assert values["og:title"] == '"Quotes" & more'
    assert values["og:url"] == "https://example.org/rnn/book/using.html"
    assert values["og:image"] == "https://example.org/rnn/_static/preview.png"
    assert values["twitter:card"] == "summary_large_image"


def test_what_stands_beside_the_pages():
    assert (SITE / ".nojekyll").is_file()
    door = parsed(SITE / "index.html")
    assert door.select_one('meta[property="og:title"]')["content"] == "Recurrent neural networks"
    assert door.select_one('meta[name="description"]')["content"] == described(FRONT)


def test_the_sitemap_names_every_page():
    tree = ElementTree.fromstring(head.sitemap(ADDRESS, ["book/b&c.html", "book/a.html"]).encode())
    places = [place.text for place in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert places == [ADDRESS + "book/a.html", ADDRESS + "book/b&c.html"]


def test_robots_are_told_only_where_they_ask():
    assert head.robots(ADDRESS) == ""
    assert "Sitemap: https://example.org/sitemap.xml" in head.robots("https://example.org/")


@pytest.mark.parametrize("text", ["https://example.org/rnn", "https://example.org/rnn/"])
def test_an_address_ends_with_a_slash(text):
    assert head.whole_address(text) == ADDRESS


@pytest.mark.parametrize("text", ["example.org", "/rnn/", "ftp://example.org", "https://a.org/?b"])
def test_what_is_no_address_stops_the_build(text):
    with pytest.raises(ExtensionError, match="BOOK_ADDRESS"):
        head.whole_address(text)


def test_the_page_for_missing_pages_holds_at_any_depth():
    page = (SITE / "404.html").read_text(encoding="utf-8")
    page = re.sub("<base [^>]*>", "", page)  # the book may be built for an address
    assert parsed(SITE / "404.html").select_one('meta[name="robots"]')["content"] == "noindex"
    assert parsed(SITE / "404.html").select_one("link[rel=canonical]") is None
    soup = BeautifulSoup(head.for_any_depth(page, ADDRESS), "html.parser")
    first = next(e for e in soup.find_all(True) if e.get("href") or e.get("src"))
    assert first.name == "base"
    assert first["href"] == "/rnn/"
    links = [e.get("href") or e.get("src") for e in soup.find_all(True) if e is not first]
    for link in filter(None, links):
        assert not link.startswith(("#", "/", ".."))
        assert (SITE / re.split("[#?]", link)[0]).is_file() or link.startswith("https://")
