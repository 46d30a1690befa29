"""The questions: each key is computed, each answer has a reply, and the page asks as it should."""

import ast
import inspect
import textwrap
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="the questions need anywidget")

from browsers import PATIENCE, serving

from rnncourse import exercises
from rnncourse.exercises.predictions import QUESTIONS, structure
from rnncourse.exercises.questions import WIDTH, Ask, Picture, Question, question
from rnncourse.explorables import OneUnit

BOOK = Path(__file__).parents[2] / "book"
EACH = pytest.mark.parametrize("asked", QUESTIONS.values(), ids=lambda asked: asked.name)


@EACH
def test_the_key_is_one_of_the_answers_and_each_has_its_own_reply(asked):
    assert 0 <= asked.right < len(asked.replies)
    assert len(asked.replies) >= 2
    assert len(set(asked.replies.values())) == len(asked.replies)
    assert all(len(reply.split()) >= 5 for reply in asked.replies.values())
    assert asked.asked.endswith("?")
    assert (BOOK / f"{asked.page}.ipynb").is_file()


@EACH
def test_the_key_is_computed_not_typed(asked):
    code = ast.parse(textwrap.dedent(inspect.getsource(asked.key)))
    (function,) = (node for node in code.body if isinstance(node, ast.FunctionDef))
    work = [node for line in function.body for node in ast.walk(line)]
    assert sum(isinstance(node, ast.Call) for node in work) >= 2


def test_a_key_that_is_no_answer_is_an_error():
    wrong = Question("q", "1-structure/memory", {"1": "one", "2": "two"}, lambda: "3")
    with pytest.raises(ValueError, match="the key of 'q' is '3', expected one of"):
        assert wrong.right
    with pytest.raises(ValueError, match=r"no question 'frend'; did you mean 'friend'"):
        exercises.predict("frend")


def test_a_figure_lends_its_values_and_no_widget_stays():
    figure = OneUnit(w=-2.0)
    asked = Question(
        "q", "1-structure/memory", {"1": "", "2": ""}, lambda: "1", shows=lambda: figure
    )
    assert asked.spec()["figure"] == {"name": "unit", "state": OneUnit(w=-2.0).state}
    assert figure.comm is None
    assert QUESTIONS["throw"].spec()["figure"]["state"]["updates"] == 33  # as the page says
    assert QUESTIONS["friend"].spec()["figure"] is None


@pytest.mark.parametrize("shows", [lambda: None, lambda: {"w": 1.0}, "unit", OneUnit()])
def test_what_shows_an_answer_must_make_a_figure(shows):
    asked = Question("q", "1-structure/memory", {"1": "", "2": ""}, lambda: "1", shows=shows)
    with pytest.raises(
        TypeError, match=r"shows of 'q' is .*, expected a function that makes a fig"
    ):
        asked.spec()


def test_a_range_is_found_by_its_number():
    ranges = {(0.9, 1.1): "right", (0.0, 0.9): "too small", (1.1, float("inf")): "too large"}
    assert Question("q", "1-structure/memory", ranges, lambda: 1.0).right == 0
    assert Question("q", "1-structure/memory", ranges, lambda: 20.0).right == 2


def test_the_html_is_whole_and_the_same_each_time():
    first, second = exercises.predict("friend"), exercises.predict("friend")
    assert first.to_html() == second.to_html()
    assert repr(first) == "predict('friend')"
    assert "almost always · nine times in ten · half of the time" in first.to_html()
    assert "://" not in first.to_html()


# ---------------------------------------------------------------- in the page

ANSWER = "<section><details class='dropdown'><summary>Answer</summary><p>So it is.</p></details>"
NUMBER = Question(
    "how-much",
    "1-structure/memory",
    {
        (0.04, 0.06): "Right, about a twentieth.",
        (0.06, 1.0): "Too much by far.",
        (-1e9, 1e9): "That is no part of anything.",
    },
    lambda: 0.05,
)


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    """Three questions on a page: of choices twice, and of a number."""
    folder = tmp_path_factory.mktemp("questions")
    asked = [exercises.predict("friend"), exercises.predict("best-rate"), Ask(NUMBER)]
    parts = [f"{one.to_html()}\n{ANSWER}</section>" for one in asked]
    text = f"<!doctype html><meta charset=utf-8><title>Questions</title><body>{''.join(parts)}"
    (folder / "index.html").write_text(text, encoding="utf-8")
    with serving(folder) as address:
        yield address


@pytest.fixture
def page(browser, site):
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    faults = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(site)
    yield opened
    context.close()
    assert faults == []


def test_each_answer_has_its_reply_and_the_right_one_opens_what_is_behind(page):
    ask, other, _ = page.locator(".rnnq").all()
    reply = ask.get_by_role("status")
    assert reply.inner_text() == ""
    ask.get_by_role("button", name="almost always").click()
    assert reply.inner_text().startswith("✗ She would need")
    assert page.locator("details[open]").count() == 0
    ask.get_by_role("button", name="half of the time").focus()
    page.keyboard.press("Enter")
    assert reply.inner_text().startswith("✓ A single press")
    assert page.locator("details[open]").count() == 1
    pressed = ask.locator("[aria-pressed=true]")
    assert (pressed.count(), pressed.inner_text()) == (1, "half of the time")
    assert other.get_by_role("status").inner_text() == ""
    page.reload()
    ask = page.locator(".rnnq").first
    assert ask.get_by_role("status").inner_text().startswith("✓ A single press")
    assert ask.locator("[aria-pressed=true]").inner_text() == "half of the time"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("0.05", "✓ Right"),
        ("0,05", "✓ Right"),
        (" 5e-2 ", "✓ Right"),
        ("5 · 10^-2", "✓ Right"),
        ("5×10\u22122", "✓ Right"),
        (".5", "✗ Too much"),
        ("\u22121", "✗ That is no part"),
        ("1/20", "“1/20” is no number that can be read here"),
        ("<b>", "“<b>” is no number"),
        ("1e999", "“1e999” is no number"),
        ("", "Type a number first"),
    ],
)
def test_a_number_is_read_as_people_write_it(page, typed, said):
    ask = page.locator(".rnnq").last
    ask.get_by_label("A number:").fill(typed)
    page.keyboard.press("Enter")
    assert ask.get_by_role("status").inner_text().startswith(said)


def test_a_browser_that_keeps_nothing_answers_all_the_same(browser, site):
    page = browser.new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } })"
    )
    page.goto(site)
    ask = page.locator(".rnnq").first
    ask.get_by_role("button", name="half of the time").click()
    assert ask.get_by_role("status").inner_text().startswith("✓")
    page.close()


@pytest.mark.parametrize(
    "kept",
    ["", "{", "null", "3", '{"friend": {"answer": "never"}}', '{"friend": {}}', '{"friend": null}'],
)
def test_what_is_kept_may_be_damaged(browser, site, kept):
    context = browser.new_context()
    page = context.new_page()
    page.goto(site)
    page.evaluate("(kept) => localStorage.setItem('rnncourse-answers', kept)", kept)
    page.reload()
    ask = page.locator(".rnnq").first
    assert ask.get_by_role("status").inner_text() == ""
    ask.get_by_role("button", name="half of the time").click()
    assert ask.get_by_role("status").inner_text().startswith("✓")
    context.close()


def test_a_widget_that_is_put_into_the_page_later_hides_its_twin_and_no_other(browser, tmp_path):
    (tmp_path / "question.js").write_text(Ask._esm, encoding="utf-8")
    (tmp_path / "page.html").write_text('<div class="jp-OutputArea"></div>' * 2, encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    with serving(tmp_path) as address:
        page.goto(f"{address}page.html")
        page.evaluate(
            """async (spec) => {
              const { render } = await import("./question.js");
              for (const area of document.querySelectorAll(".jp-OutputArea")) {
                const el = document.createElement("div");
                render({ model: { get: () => spec, on() {} }, el });
                area.innerHTML = `<div data-question="${spec.name}">twin</div>`;
                area.append(el);
              }
            }""",
            exercises.predict("friend")._question,
        )
        page.wait_for_function(
            "![...document.querySelectorAll('[data-question]')].some((one) => one.offsetParent)"
        )
        assert page.locator(".rnnq").count() == 2
        assert page.locator(".rnnq").last.is_visible()
    context.close()


def test_without_javascript_the_choices_can_be_read(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    assert page.get_by_text("almost always · nine times in ten · half of the time").is_visible()
    context.close()


def test_subscripts_stand_as_such_and_nothing_else_is_html(browser, tmp_path):
    said = "δ^c_{t+1} < W_hh & max_norm, h_t, E_12: see <b>this</b>."
    asked = Question("q", "1-structure/memory", {"c_t": said, "c_{t−1}": "another"}, lambda: "c_t")
    (tmp_path / "index.html").write_text(
        f"<!doctype html><meta charset=utf-8>{Ask(asked).to_html()}"
    )
    page = browser.new_page()
    with serving(tmp_path) as address:
        page.goto(address)
        assert page.locator("button sub").all_inner_texts() == ["t", "t−1"]
        page.locator("button").first.click()
        reply = page.get_by_role("status")
        assert reply.locator("sub").all_inner_texts() == ["t+1", "hh", "t", "12"]
        assert reply.locator("sup").all_inner_texts() == ["c"]
        assert reply.text_content() == "✓ δct+1 < Whh & max_norm, ht, E12: see <b>this</b>."
    page.close()


# ---------------------------------------------------------------- a point on a picture


@pytest.fixture
def stays(browser, tmp_path):
    """The question where the state of a unit stays."""
    html = exercises.predict("where-it-stays").to_html()
    (tmp_path / "index.html").write_text(f"<!doctype html><meta charset=utf-8>{html}{ANSWER}")
    context = browser.new_context(viewport={"width": 390, "height": 600}, has_touch=True)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    with serving(tmp_path) as address:
        page.goto(address)
        yield page
    context.close()


def test_a_point_is_set_by_a_press_on_the_curve_and_by_keys(stays):
    slider, reply = stays.get_by_role("slider"), stays.get_by_role("status")
    circle, check = stays.locator(".rnnq circle"), stays.get_by_role("button", name="Check")
    box = stays.locator(".rnnq svg").bounding_box()
    scale = box["width"] / WIDTH
    left, _ = structure.one_step().places[86]
    stays.mouse.click(box["x"] + scale * left, box["y"] + 80 * scale)
    assert slider.get_attribute("aria-valuetext") == "The point is at 0.96."
    assert float(circle.get_attribute("cx")) == left
    check.click()
    assert reply.inner_text().startswith("✓ It stays at 0.9575")
    slider.focus()
    for _ in range(10):
        stays.keyboard.press("ArrowRight")
    assert stays.get_by_text("The point is at 1.06.").is_visible()
    check.click()
    assert reply.inner_text().startswith("✗ From there it moves down")
    stays.reload()
    assert stays.get_by_text("The point is at 1.06.").is_visible()
    assert reply.inner_text().startswith("✗ From there it moves down")


def test_the_picture_names_itself_and_is_there_without_javascript(browser, tmp_path):
    html = exercises.predict("where-it-stays").to_html()
    assert 'aria-label="the state after over the state before, from 0.1 to 1.1"' in html
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(html)
    assert page.get_by_role("img").is_visible()
    context.close()


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (([0.0, 1], [1.0]), r"y has shape \(1,\)"),
        (([], []), "x has"),
        (([0.0], [1.0]), "x is one number, expected at least two"),
        (([0.0, 1, 3], [0.0, 1, 2]), "x has steps from 1 to 2, expected equal ones above 0"),
        (([1.0, 0], [0.0, 1]), "x has steps from -1 to -1"),
        (([0.0, 1], [np.nan, 1]), "y contains NaN"),
        (([0.0, 1], [2.0, 2]), "y is 2 everywhere, expected a curve"),
        (([0.0, 1], [0.0, 1], [1.0]), "dashed has shape"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused(numbers, words):
    x, y, *dashed = map(np.array, numbers)
    with pytest.raises(ValueError, match=words):
        Picture(x, y, "x", "y", *dashed)


def test_two_questions_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="there are two questions 'friend', expected one"):
        question("friend", page="1-structure/memory", replies={})(lambda: "1")
