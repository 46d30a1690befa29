"""The front page (its hero, its ways in), and what all pages say of themselves to machines."""

import gzip
import math
import re
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from browsers import PATIENCE
from bs4 import BeautifulSoup
from docutils.parsers.rst import DirectiveError
from sphinx.errors import ExtensionError

from rnncourse import explorables
from rnncourse.experiments import playground
from rnncourse.nonlinear import softmax

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import drawings  # noqa: E402
import head  # noqa: E402
import hero as front  # noqa: E402
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


def shown(figure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the states (T, H), the odds of each letter and the line of the loss, as drawn."""
    dots = [
        [
            float(dot["style"].partition("--h:")[2].strip(" ;"))
            * (-1 if "below" in dot.get("class", []) else 1)
            for dot in step.select(".state i")
        ]
        for step in figure.select(".step")
    ]
    odds = [float(bar["style"].partition("--p:")[2].strip(" ;")) for bar in figure.select("li")]
    line = figure.select_one(".curve")["d"]
    places = [tuple(map(float, place.split())) for place in line.lstrip("M").split("L") if place]
    return np.array(dots), np.array(odds), np.array(places)


def drawn(page) -> BeautifulSoup:
    return BeautifulSoup(page.locator(".course-hero").evaluate("e => e.outerHTML"), "html.parser")


def said(page, part: str) -> str:
    return page.locator(f".course-hero .{part}").inner_text().replace("\xa0", " ")


@cache
def trained():
    """Train the network of the front page in Python: its updates, and the model at the end."""
    updates = []
    for update, model in playground.train(front.SETTINGS):
        updates.append(update)
        if playground.solved("first symbol", update.score):
            return updates, model
    raise AssertionError


def test_the_still_shows_the_network_that_python_trains():
    updates, model = trained()
    figure = parsed(FRONT).select_one(".course-hero")
    letters = [button.get_text() for button in figure.select("button.letter")]
    symbols = ["ABCDxy".index(letter) for letter in letters]
    x = np.eye(6)[symbols][:, None]
    state, odds, line = shown(figure)
    np.testing.assert_allclose(state, model.layer.forward(x)[0][:, 0], atol=6e-4)
    np.testing.assert_allclose(odds, softmax(model.predict(x)[-1, 0]), atol=6e-4)
    assert [bar.get_text() for bar in figure.select("li")] == [
        f"{letter}{100 * p:.0f} %" for letter, p in zip("ABCD", odds, strict=True)
    ]
    assert [bar.b.get_text() for bar in figure.select("li.right")] == letters[:1]
    most, top = front.CHART
    k = np.arange(1, len(updates) + 1)
    means = np.array([np.mean([u.E for u in updates[max(0, n - 10) : n]]) for n in k])
    expected = np.c_[100 * k / most, 100 - 100 * means / top]
    np.testing.assert_allclose(line, expected, atol=6e-3)
    assert line.min() >= 0
    assert line.max() <= 100
    still = figure.select_one(".still").get_text().replace("\xa0", " ")
    assert f"after {len(updates)} updates of {front.SETTINGS.batch_size} words" in still
    assert f"right on {100 * updates[-1].score:.0f} % of {playground.HELD_OUT} test words" in still


def test_what_is_said_of_the_words_is_so():
    updates, _ = trained()
    s, random = front.SETTINGS, playground.Random(front.SETTINGS.seed)
    playground.network(s, random)
    met = [playground.batch(s.task, s.lag, s.batch_size, random).x for _ in updates]
    words = {tuple(word) for x in met for word in x.argmax(axis=2).T}
    text = parsed(FRONT).select_one(".course-hero .about").get_text()
    assert f"There are only {4 * 2**s.lag} such words" in text
    assert len(words) == 4 * 2**s.lag  # "it has met them all"
    assert abs(len(updates) * s.batch_size - 2000) < 500  # the right bet


def test_without_motion_the_page_leaps_to_what_python_found(hero):
    """With the keyboard alone, in the dark; and then each first letter is known."""
    page = hero(reduced_motion="reduce", color_scheme="dark")
    page.evaluate(
        """globalThis.took = [];
        const wait = setTimeout;
        globalThis.setTimeout = (work, ms) => wait(() => {
          const from = performance.now();
          if (work instanceof Function) work();
          took.push(performance.now() - from);
        }, ms);"""
    )
    page.locator(".course-start").focus()
    for _ in range(8):  # the other link, six letters, Start
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".course-hero[data-state=done]")
    updates, _ = trained()
    assert said(page, "told").startswith(f"Update {len(updates)}: right on 100 % of 200")
    assert f"after {len(updates) * front.SETTINGS.batch_size:,} words" in said(page, "summary")
    for here, there in zip(
        shown(drawn(page)), shown(parsed(FRONT).select_one(".course-hero")), strict=True
    ):
        np.testing.assert_allclose(here, there, atol=0.011)
    # A slice of work and the picture after it leave the page its breath.
    took = sorted(page.evaluate("took"))
    assert took[len(took) // 2] < 50
    page.keyboard.press("Tab")  # the way on
    assert "lag=60" in page.evaluate("document.activeElement.href")
    first = page.locator(".course-hero .letter").first
    first.focus()
    for letter in "CDAB":
        page.keyboard.press("Enter")
        assert first.inner_text() == letter
        assert first.get_attribute("aria-label") == f"1: {letter}"
        bars = drawn(page).select("li")
        assert [bar.b.get_text() for bar in bars if "right" in bar.get("class", [])] == [letter]
        odds = shown(drawn(page))[1]
        assert "ABCD"[odds.argmax()] == letter
    before = shown(drawn(page))[0]
    page.locator(".course-hero .letter").nth(3).click()
    after = shown(drawn(page))[0]
    assert page.locator(".course-hero .letter").nth(3).inner_text() == "x"
    assert (before[:3] == after[:3]).all()
    assert (before[3:] != after[3:]).any(axis=1).all()


def test_nothing_moves_before_start_and_then_it_learns_in_twenty_seconds(hero):
    page = hero(clock=True)
    figure = page.locator(".course-hero")
    first = drawn(page)
    page.clock.run_for(2000)
    assert drawn(page) == first
    assert figure.get_attribute("data-state") == "waiting"
    state, odds, line = shown(first)
    assert abs(state).max() < 1
    assert abs(odds - 0.25).max() < 0.05  # it guesses
    assert line.size == 0
    assert "50, 2,000 or 100,000" in said(page, "summary")
    assert not page.locator(".further").is_visible()
    start = page.locator(".start")
    start.click()
    assert said(page, "told") == "Update 1"
    page.clock.run_for(3000)
    updates, _ = trained()
    known = f"{100 * updates[19].score:.0f} % of 200"
    assert known in said(page, "told")
    start.click()
    assert start.inner_text() == "Go on"
    page.locator(".course-hero .letter").first.click()  # another word meanwhile
    paused = drawn(page)
    page.clock.run_for(1000)
    assert drawn(page) == paused
    start.click()
    page.clock.run_for(10_000)
    assert figure.get_attribute("data-state") == "running"
    assert "2,000" in said(page, "summary")  # not a word until the end
    page.clock.run_for(10_000)
    assert figure.get_attribute("data-state") == "done"
    assert said(page, "summary").startswith("Solved")
    assert page.locator(".further").is_visible()
    start.click()
    assert said(page, "told") == "Update 1"  # the same, once more
    assert "2,000" in said(page, "summary")


def test_the_hero_fits_a_phone(hero):
    page = hero(reduced_motion="reduce")
    height = page.locator(".course-hero").evaluate("e => e.offsetHeight")
    page.locator(".start").click()
    page.wait_for_selector(".course-hero[data-state=done]")
    grown = page.locator(".course-hero").evaluate("e => e.offsetHeight") - height
    assert abs(grown) <= 30  # what is below stays about where it is
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for button in page.locator(".course-hero button").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 24
        sizes = page.locator(".course-hero :is(p, span, b, button)").evaluate_all(
            "all => all.filter(e => e.innerText).map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 11


def test_without_javascript_the_still_says_it_all(hero):
    page = hero(java_script_enabled=False)
    for part in (".state i", ".curve", "li.right", ".still", ".further a"):
        assert page.locator(f".course-hero {part}").last.is_visible()
    assert not page.locator(".course-hero .start").is_visible()
    assert not page.locator(".course-hero .summary").is_visible()


def test_paper_shows_the_network_trained(hero):
    page = hero()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert said(page, "summary").startswith("Solved")


def test_a_directive_without_words_stops_the_build():
    machine = SimpleNamespace(reporter=None)
    directive = front.Hero("hero", [], {"start": "Start"}, [], 1, 0, "", None, machine)
    with pytest.raises(DirectiveError) as error:
        directive.run()
    assert "no words for ['question', " in error.value.msg
    assert "'start'" not in error.value.msg


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
    pages = (ROOT / "book").glob("[0-9]-*/*.ipynb")
    chapters = [f"{p.parent.name}/{p.stem}.html" for p in pages]
    read = names[1 : 1 + len(chapters)]
    assert sorted(read) == sorted(chapters)
    folders = [name.partition("/")[0] for name in read]
    assert folders == sorted(folders)
    assert names[1 + len(chapters) : -1] == ["playground.html", "your-text.html", "claims.html"]


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
    scripts = [SITE / "_static" / name for name in ("hero.js", "play.js")]
    assert sum(script.stat().st_size for script in scripts) <= 20_500
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
