"""What a page can do around its text: colors, lists, search, copying, scrolling, printing."""

from pathlib import Path

import pytest
from browsers import PATIENCE, reloaded_until

SITE = Path(__file__).parents[2] / "_build" / "html"
LISTS = {"primary": "All pages", "secondary": "On this page"}
DARK = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((c) => c < 60)"


@pytest.fixture
def show(browser):
    """Open a page of the book as a file; any error in it fails the test."""
    opened, errors = [], []

    def show(page="book/notation.html", width=1280, **context):
        context = browser.new_context(viewport={"width": width, "height": 800}, **context)
        context.set_default_timeout(PATIENCE)
        shown = context.new_page()
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.on("console", lambda m: m.type == "error" and errors.append(m.text))
        shown.goto((SITE / page).as_uri())
        opened.append(context)
        return shown

    yield show
    for context in opened:
        context.close()
    assert errors == []


def test_the_first_paint_has_the_systems_colors(browser):
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.route("**/site.js", lambda route: route.abort())  # it comes after the first paint
        page.goto((SITE / "book" / "using.html").as_uri())
        assert page.evaluate(DARK) == (scheme == "dark")
        context.close()


def test_text_waits_for_the_font_of_the_formulas_but_not_for_ever(browser):
    visible = "getComputedStyle(document.body).visibility"
    for font, seen in (("new Promise(() => {})", "hidden"), ("Promise.reject()", "visible")):
        context = browser.new_context()
        page = context.new_page()
        page.add_init_script(f"document.fonts.load = () => {font}")
        page.goto((SITE / "book" / "notation.html").as_uri())
        assert page.evaluate(visible) == seen
        context.close()


def test_the_color_button_goes_round_and_the_choice_is_kept(show):
    page = show(color_scheme="dark")
    button = page.get_by_role("button", name="Color mode")
    seen = []
    for _ in range(3):
        button.click()
        seen.append(page.evaluate("[document.documentElement.dataset.mode, " + DARK + "]"))
        assert button.locator(".theme-switch:visible").count() == 1
    assert seen == [["light", False], ["dark", True], ["auto", True]]
    page.emulate_media(color_scheme="light")  # the system changes
    page.wait_for_function(f"!({DARK})")
    button.click()
    page.goto((SITE / "book" / "using.html").as_uri())
    reloaded_until(page, "document.documentElement.dataset.mode === 'dark'")
    assert page.evaluate(DARK)


@pytest.mark.parametrize("list_", LISTS)
def test_on_a_phone_the_lists_open_and_close(show, list_):
    page = show(width=390)
    dialog = page.locator(f"#pst-{list_}-sidebar-modal")
    opener = page.get_by_role("button", name=LISTS[list_])
    assert not dialog.is_visible()
    opener.press("Enter")
    assert dialog.locator("nav").is_visible()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert opener.evaluate("button => button === document.activeElement")
    opener.click()
    dialog.get_by_role("link").last.click()
    dialog.wait_for(state="hidden")
    assert page.url.endswith("bibliography.html") or "#" in page.url


def test_on_a_wide_window_the_list_of_pages_can_be_put_away(show):
    page = show()
    listed = page.locator("#pst-primary-sidebar nav")
    assert listed.is_visible()
    page.get_by_role("button", name="All pages").click()
    listed.wait_for(state="hidden")
    page.get_by_role("button", name="All pages").click()
    listed.wait_for()


def test_the_section_that_is_read_is_marked(show):
    page = show()
    link = page.locator("#pst-page-toc-nav a").nth(2)
    page.locator(link.get_attribute("href")).evaluate("e => e.scrollIntoView()")
    page.wait_for_function("document.querySelectorAll('#pst-page-toc-nav a')[2].ariaCurrent")
    assert page.locator("#pst-page-toc-nav [aria-current]").count() == 1


def test_code_can_be_copied_and_the_button_says_so(show):
    page = show("book/using.html", permissions=["clipboard-read", "clipboard-write"])
    code = page.locator("div.highlight pre").first
    button = page.get_by_role("button", name="Copy this code").first
    button.focus()
    assert button.evaluate("e => getComputedStyle(e).opacity") == "1"
    button.click()
    page.locator(".visually-hidden[role=status]", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == code.inner_text()


def test_only_what_scrolls_is_a_stop_and_has_a_name(show):
    page = show("book/2-backpropagation/bptt.html")
    box = page.locator("#equation-eq-bptt-sums > .formula")
    page.wait_for_function("document.querySelector('article pre[tabindex]')")  # it has looked
    assert not box.get_attribute("tabindex")
    page.set_viewport_size({"width": 200, "height": 700})
    page.wait_for_function("document.querySelector('#equation-eq-bptt-sums > .formula[tabindex]')")
    assert box.get_attribute("aria-label") == "Formula that scrolls sideways"
    assert box.get_attribute("role") == "group"
    page.set_viewport_size({"width": 1280, "height": 700})
    page.wait_for_function("!document.querySelector('.formula[tabindex]')")


def test_paper_is_light_and_whole(show):
    page = show("book/3-gradients/cliff.html", color_scheme="dark")
    folded = page.locator("article details:not([open])").count()
    assert folded > 5
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.evaluate(DARK)
    assert page.locator("article details:not([open])").count() == 0
    page.emulate_media(media="print")
    assert not page.locator("#pst-primary-sidebar").is_visible()
    assert not page.locator("#pst-secondary-sidebar").is_visible()
    assert page.locator("article h1").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(DARK)
    assert page.locator("article details:not([open])").count() == folded


def test_the_first_figure_is_near_for_the_keyboard(show):
    page = show("book/1-structure/any-length.html")
    page.locator("[data-explorable] .rnnx").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert "first figure" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[data-explorable]') != null")
