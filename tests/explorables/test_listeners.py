"""What a screen reader is told: names, a description, and one summary after the last change."""

import re

import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
from browsers import PATIENCE, settle
from stills import CLASSES

from rnncourse.explorables import OneUnit, Paths, Unroll, base

EACH = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
LIVE = "[role=status], [role=alert], [role=log], [aria-live], output"
# For `add_init_script`: collects what stands in a live region after each change of it.
HEAR = f"""globalThis.heard = [];
new MutationObserver((changes) => {{
  const regions = changes.flatMap(({{ target, addedNodes }}) => [target, ...addedNodes].map(
    (node) => (node.closest ? node : node.parentElement)?.closest("{LIVE}")));
  for (const region of new Set(regions)) if (region?.textContent) heard.push(region.textContent);
}}).observe(document, {{ subtree: true, childList: true, characterData: true }});"""


def write(path, *parts):
    path.write_text(f"<!doctype html><meta charset=utf-8>{''.join(parts)}", encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def listen(browser, tmp_path):
    """Open a page of one figure whose time stands still, but for what `run_for` lets pass."""
    pages = []

    def open_page(html):
        page = browser.new_page(viewport={"width": 780, "height": 900})
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.clock.install(time=0)
        page.clock.pause_at(1000)
        page.add_init_script(HEAR)
        page.goto(write(tmp_path / "page.html", html))
        page.clock.run_for(3000)
        found(page)
        page.clock.run_for(3000)
        return page

    yield open_page
    for page in pages:
        page.close()


def play(page):
    """Let a figure that can play do so for two seconds; return whether it can."""
    recursion = page.get_by_role("radio", name="recursion")
    if recursion.count():
        recursion.check()
        page.clock.run_for(9000)
        page.evaluate("heard.length = 0")
    button = page.get_by_role("button", name="Play", exact=True)
    if button.count():
        button.click()
        page.clock.run_for(2000)
        return True
    return False


def found(page):
    """Wait for what a worker finds: the page's time stands still, the worker's does not."""
    page.locator(".rnnx[aria-busy]").wait_for(state="detached")


def nudge_thrice(page):
    slider = page.locator("input[type=range]:visible:enabled").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.clock.run_for(100)
    found(page)


@EACH
def test_it_is_silent_at_load_and_while_it_plays_and_speaks_once_after_the_last_change(cls, listen):
    page = listen(cls().to_html())
    heard, summary = (lambda: page.evaluate("heard")), page.locator(".summary")
    assert page.locator(LIVE).count() == 1
    assert heard() == []
    first = summary.inner_text()
    told = []
    if play(page):
        assert heard() == []
        assert summary.inner_text() != first  # who sees it can follow
        page.get_by_role("button", name="Pause").click()
        page.clock.run_for(2000)
        told.append(summary.text_content())
        assert heard() == told
    page.clock.run_for(20_000)
    assert page.locator(LIVE).text_content() == ""
    nudge_thrice(page)
    assert heard() == told
    page.clock.run_for(20_000)
    assert heard() == [*told, summary.text_content()]
    assert summary.text_content() not in told


def test_a_live_number_beside_a_slider_is_noticed(listen):
    html = OneUnit().to_html()
    page = listen(
        html.replace('make(box, "span", { class: "value"', 'make(box, "output", { class: "value"')
    )
    assert page.locator(LIVE).count() > 1
    assert play(page)
    assert page.evaluate("heard") != []


def plain(words):
    return re.sub(r"[_^]\{([^}]*)\}|[_^](.)", r"\1\2", words)


@EACH
def test_names_and_descriptions_say_what_there_is(cls, browser, tmp_path):
    page = browser.new_page(viewport={"width": 780, "height": 900})
    page.goto(write(tmp_path / "page.html", cls().to_html()))
    words = cls().spec()["words"]
    described = page.locator("svg[role=img][aria-describedby]")
    assert described.count() == 1
    text = page.locator(f"#{described.get_attribute('aria-describedby')}").text_content()
    assert text == f"After a reset: {plain(words['still'])}"
    assert page.get_by_role("heading", name=plain(words["title"]), exact=True).count() == 1
    assert page.get_by_role("button", name="Copy a link to this state", exact=True).count() == 1
    # Every slider far left, where numbers are negative.
    for slider in page.locator("input[type=range]:visible:enabled").all():
        slider.focus()
        page.keyboard.press("Home")
    settle(page)
    said = page.evaluate(
        """() => [...document.querySelectorAll(".rnnx, .rnnx *")].flatMap((e) => [
          ...[...e.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data),
          ...["aria-label", "aria-valuetext", "title"].map((name) => e.getAttribute(name) ?? ""),
        ])"""
    )
    assert len(said) > 100
    assert [s for s in said if re.search(r"-\s*\d|-∞", s)] == []
    names = page.evaluate(
        """() => [...document.querySelectorAll(".rnnx :is([aria-label], button)")]
          .map((e) => e.getAttribute("aria-label") ?? e.textContent)"""
    )
    assert [name for name in names if re.search("[◀▶_^{}]", name)] == []
    page.close()


def test_steps_have_names_and_the_copied_link_is_told(browser, tmp_path):
    page = browser.new_page()
    page.goto(write(tmp_path / "page.html", OneUnit(steps=7).to_html()))
    slider = page.locator("input[name=steps]")
    for name, steps in (("one step back", "6"), ("one step on", "7")):
        page.get_by_role("button", name=name, exact=True).click()
        settle(page)
        assert slider.get_attribute("aria-valuetext") == steps
    page.get_by_role("button", name="Copy a link to this state").click()
    assert page.locator(LIVE).text_content() == base.words()["kit"]["linked"]
    page.close()


def test_a_title_stands_one_level_below_the_heading_before_it(browser, tmp_path):
    page = browser.new_page()
    unit, unroll = OneUnit().to_html(), Unroll().to_html()
    parts = [unit, "<h1>A</h1>", unroll, "<h2>B</h2>", unit, "<h6>C</h6>", unroll]
    page.goto(write(tmp_path / "page.html", *parts))
    levels = page.locator(".rnnx [role=heading]").evaluate_all("all => all.map(e => e.ariaLevel)")
    assert levels == ["2", "2", "3", "6"]
    page.close()


def test_with_forced_colors_what_is_pressed_looks_pressed_and_lines_are_seen(browser, tmp_path):
    page = browser.new_page(forced_colors="active")
    page.goto(write(tmp_path / "page.html", Unroll().to_html(), Paths().to_html()))
    settle(page)
    color = "(e) => getComputedStyle(e).backgroundColor"
    for pressed in page.locator(".rnnx button[aria-pressed=true]").all():
        other = pressed.locator("xpath=../button[not(@aria-pressed='true')]").first
        assert pressed.evaluate(color) != other.evaluate(color)
    probe = "document.body.append(Object.assign(document.createElement('p'), { id: 'probe' }))"
    page.evaluate(probe)
    ink = page.locator("#probe").evaluate("e => getComputedStyle(e).color")
    strokes = page.locator(".rnnx .edge").evaluate_all(
        "all => [...new Set(all.map((e) => getComputedStyle(e).stroke))]"
    )
    assert strokes == [ink]
    page.close()
