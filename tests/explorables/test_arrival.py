"""A figure is alive as soon as the parser has passed it, and nothing moves then or later."""

import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
from browsers import PATIENCE, SHIFTS, arriving, drawn, nudge, settle
from stills import CLASSES

from rnncourse.explorables import Gates, OneUnit

EACH = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
TEXT = "<p>Some words that stand before a figure and after it.</p>\n"
STATE = "({ ...document.querySelector('.rnnx').explorable.state })"
HEIGHT = "document.querySelector('.rnnx').offsetHeight"


def write(path, figure, change=lambda html: html):
    """Write a page of a figure between texts; return how many bytes there are before the last."""
    start = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>A page</title><body><h1>A page</h1>{9 * TEXT}'
        f"{change(figure.to_html())}{TEXT}"
    )
    path.write_text(f"{start}{60 * TEXT}", encoding="utf-8")
    return len(start.encode())


@EACH
def test_a_figure_answers_while_its_page_still_arrives_and_nothing_moves(cls, browser, tmp_path):
    size = write(tmp_path / "page.html", cls())
    with arriving(tmp_path, "page.html", size) as (address, rest):
        page = browser.new_page(viewport={"width": 390, "height": 1600})
        page.set_default_timeout(PATIENCE)
        page.add_init_script(SHIFTS)
        page.goto(f"{address}page.html", wait_until="commit")
        page.wait_for_selector(".rnnx .summary")
        drawn(page)
        before = page.evaluate(STATE)
        assert page.evaluate("document.querySelectorAll('.rnnx svg > *').length") > 3
        nudge(page.locator("input[type=range]:visible:enabled").first)
        assert page.evaluate(STATE) != before
        page.get_by_role("button", name="Reset").click()
        settle(page)
        height = page.evaluate(HEIGHT)
        assert page.evaluate("document.readyState") == "loading"
        rest.set()
        page.wait_for_load_state()
        settle(page)
        assert page.evaluate(STATE) == before
        assert page.evaluate(HEIGHT) == height
        assert page.evaluate("shifted") == 0
        page.close()


def test_a_jump_is_noticed(browser, tmp_path):
    # As it was: the figure waits until its page is whole, and takes the still's place then.
    frame = "requestAnimationFrame(() => "
    late = f"addEventListener('load', () => {frame}{frame}{frame}rnncourse.start("

    def change(html):
        start, end = html.rsplit(");\n</script>", 1)
        return start.replace("rnncourse.start(", late) + f")))));</script>{end}"

    write(tmp_path / "page.html", OneUnit(), change)
    page = browser.new_page(viewport={"width": 390, "height": 1600})
    page.add_init_script(SHIFTS)
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector(".rnnx .summary")
    settle(page)
    assert page.evaluate("shifted") > 0
    page.close()


@pytest.mark.parametrize("link", ["", "?t=2&op=6"])
def test_a_link_leads_to_the_figure_while_the_page_arrives_and_after(browser, tmp_path, link):
    size = write(tmp_path / "page.html", Gates())
    top = "document.querySelector('.rnnx').getBoundingClientRect().top"
    with arriving(tmp_path, "page.html", size) as (address, rest):
        page = browser.new_page(viewport={"width": 390, "height": 600})
        page.goto(f"{address}page.html#explore-gates{link}", wait_until="commit")
        page.wait_for_selector(".rnnx .summary")
        drawn(page)
        rest.set()
        page.wait_for_load_state()
        drawn(page)
        assert abs(page.evaluate(top)) < 30
        state = page.evaluate(STATE)
        assert (state["t"], state["op"]) == ((2, 6) if link else (1, 6))
        # Who has read on is left alone; a link within the page leads back.
        page.evaluate("scrollTo(0, 0)")
        page.evaluate("location.hash = 'elsewhere'")
        page.evaluate("(link) => (location.hash = link)", f"explore-gates{link}")
        page.wait_for_function(f"Math.abs({top}) < 30")
        page.close()


def test_without_javascript_the_still_is_whole(browser, tmp_path):
    write(tmp_path / "page.html", Gates())
    page = browser.new_page(java_script_enabled=False, viewport={"width": 390, "height": 900})
    page.goto((tmp_path / "page.html").as_uri())
    picture = page.locator("[data-explorable] img")
    box = picture.bounding_box()
    width, height = (int(picture.get_attribute(side)) for side in ("width", "height"))
    assert box["width"] > 340
    assert box["height"] == pytest.approx(box["width"] * height / width, abs=1)
    page.close()
