"""The playground inside the chapters: each preset, the bet before it, and the answer after it.
And the figures that are set by a right answer."""

import json
from functools import cache
from pathlib import Path

import pytest
from browsers import PATIENCE, drawn
from bs4 import BeautifulSoup

pytest.importorskip("anywidget", reason="anywidget is not installed")
from rnncourse.exercises.predictions import QUESTIONS
from rnncourse.experiments import playground
from rnncourse.explorables import Playground

SITE = Path(__file__).parents[2] / "_build" / "html" / "book"
PRESETS = {  # the page, what its figure sets, and the story that is
    "3-gradients/stalls": ({}, "long"),
    "3-gradients/starts": ({"init": "orthogonal"}, "orthogonal"),
    "4-lstm/forget-bias": ({"layer": "lstm"}, "lstm"),
}


@cache
def parsed(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def text(name: str) -> str:
    return " ".join(parsed(name).select_one("article").get_text().split())


def ended(story: str) -> list[int]:
    """Return at which update each run of a story ended that did, first to last."""
    runs = [run for run in playground.saved() if run.story == story]
    assert len(runs) == 5
    return sorted(run.updates for run in runs if run.outcome != "not yet")


def test_each_answer_says_what_the_saved_runs_did():
    [long], short, turned = ended("long"), ended("short"), ended("orthogonal")
    stalls = text("3-gradients/stalls")
    assert f"One of five, at update {long}; the other four were still guessing" in stalls
    assert len(short) == 5
    assert f"all five learn it, after {short[0]} to {short[-1]} updates" in stalls
    assert len(turned) == 5
    starts = text("3-gradients/starts")
    assert f"All five, after {turned[0]} to {turned[-1]} updates" in starts
    assert "There one of five random starts bridged a lag of 60" in starts
    default, opened = ended("lstm"), ended("bias 4")
    assert (len(default), len(opened)) == (0, 5)
    bias = text("4-lstm/forget-bias")
    assert "None of five with a bias of 1." in bias
    assert f"All five with 4, after {opened[0]} to {opened[-1]} updates" in bias
    fast = [updates + 1 for updates in ended("too fast")]  # the one that was not made any more
    assert len(fast) == 5
    cliff = text("3-gradients/cliff")
    assert f"all five seeds diverge there, at update {fast[0]} or {fast[-1]}" in cliff


def test_the_runs_that_still_guess_do_so():
    scores = [run.score for run in playground.saved() if run.story == "long"]
    assert sum(score < 0.99 for score in scores) == 4


@pytest.mark.parametrize("name", PRESETS)
def test_a_bet_stands_before_the_figure_and_few_words_behind_the_bet(name):
    cell = parsed(name).find(id="explore-playground").find_parent("div", class_="cell")
    words = 0
    for before in cell.find_previous_siblings():
        if before.find(attrs={"data-question": True}):  # where the bet is made
            continue
        if before.name != "p":
            break
        words += len(before.get_text().split())
    assert words <= 30
    assert "Predict first" in before.get_text()
    after = cell.find_next_sibling()
    assert after.get_text().strip().startswith("Answer")


@pytest.fixture(scope="module")
def phone(browser):
    """A phone, and what went wrong in its pages."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE)
    page, trouble = context.new_page(), []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page
    context.close()
    assert trouble == []


def opened(page, address):
    """Open a page; return its playground and the values that it has."""
    page.goto(address)
    root = page.locator("[data-explorable=playground] .rnnx")
    root.locator(".summary").wait_for()
    return root, root.evaluate("e => ({ ...e.explorable.state })")


@pytest.mark.parametrize("name", PRESETS)
def test_the_figure_opens_with_the_story_and_its_buttons_are_there(phone, name):
    given, story = PRESETS[name]
    root, state = opened(phone, (SITE / f"{name}.html").as_uri())
    assert state == Playground(**given).state
    assert {k: state[k] for k in playground.STORIES[story]} == playground.STORIES[story]
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # "a hundred-billionth" and "a thousandth", as page 3.5 says
    part = {"long": "9.4·10⁻¹² times", "orthogonal": "0.001 times"}.get(story, "times")
    told = root.locator(".summary", has_text=f"first step is {part}" if part != "times" else part)
    told.wait_for()
    assert "not trained yet" in told.inner_text()
    for label in ("Train", "New run with the next seed", "Lag 5"):
        assert root.get_by_role("button", name=label, exact=True).is_visible()
    if name == "4-lstm/forget-bias":
        root.get_by_role("button", name="bf = 4", exact=True).click()
        drawn(phone)
        wanted = playground.STORIES["bias 4"]
        assert root.evaluate("e => e.explorable.state.forget_bias") == wanted["forget_bias"]


@pytest.mark.parametrize("name", [q.name for q in QUESTIONS.values() if q.shows])
def test_the_right_answer_is_shown_by_the_figure_of_its_page(phone, name):
    asked = QUESTIONS[name]
    spec = asked.spec()
    right, figure = spec["replies"][spec["right"]], spec["figure"]
    phone.goto((SITE / f"{asked.page}.html").as_uri())
    phone.evaluate("localStorage.clear()")
    phone.reload()
    ask = phone.locator(f"[data-question={name}]")
    shows = ask.get_by_role("button", name="Show it in the figure")
    assert shows.count() == 0
    if spec["picture"]:
        x = spec["picture"]["x"]
        ask.get_by_role("slider").fill(str(x.index(min(x, key=lambda at: abs(at - asked.key())))))
        ask.get_by_role("button", name="Check").click()
    else:
        wrong = next(reply for reply in spec["replies"] if reply is not right)
        ask.locator("button[value]").nth(spec["replies"].index(wrong)).click()
        assert shows.count() == 0
        ask.locator("button[value]").nth(spec["right"]).click()
    shows.press("Enter")
    root = phone.locator(f"[data-explorable={figure['name']}] .rnnx")
    state = root.evaluate("e => e.explorable.state")
    assert json.loads(json.dumps(figure["state"])) == state
    drawn(phone)
    assert root.evaluate("e => e === document.activeElement")
    assert root.evaluate(
        "e => (({ top, bottom }) => top < 844 && bottom > 0)(e.getBoundingClientRect())"
    )
    phone.evaluate("localStorage.clear()")


def test_a_preset_trains_to_the_end_of_its_saved_run(phone):
    root, _ = opened(phone, (SITE / "3-gradients/starts.html").as_uri())
    root.get_by_role("button", name="Train", exact=True).click()
    [saved] = [r for r in playground.saved() if (r.story, r.seed) == ("orthogonal", 1)]
    root.locator("svg text", has_text=f"solved at update {saved.updates}").wait_for()


def test_the_front_page_leads_to_a_lag_of_sixty_and_page_3_4_to_a_button(phone):
    link = parsed("index").select_one(".course-hero .further a")["href"]
    page, hash = link.split("#")
    root, state = opened(phone, f"{(SITE / page).as_uri()}#{hash}")
    assert {k: state[k] for k in ("task", "layer", "lag")} == {
        "task": "first symbol",
        "layer": "rnn",
        "lag": 60,
    }
    [way] = parsed("3-gradients/cliff").select("article p:has(a[href$='playground.html'])")
    assert "press Too fast" in way.get_text()
    assert root.get_by_role("button", name="Too fast", exact=True).is_visible()
