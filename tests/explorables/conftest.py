"""The explorables in a browser: their numbers beside Python's, and their twins."""

from pathlib import Path

import pytest
from browsers import PATIENCE, open_more, serving

import rnncourse

FOLDER = Path(rnncourse.__file__).parent / "explorables"


@pytest.fixture(scope="session")
def scripts():
    """The address under which the explorables' scripts are served."""
    with serving(FOLDER) as address:
        yield address


@pytest.fixture(scope="session")
def js(browser, scripts):
    """Call a function that a module exports: js("unit", "slope", [[2, 0.5], [1, 0]]).

    It is called once for each list of arguments, and the results come back in a list.
    """
    page = browser.new_page()
    page.goto(f"{scripts}words.json")  # any page of that address, so that import() is allowed

    def call(module, function, arguments):
        code = """async ([address, name, lists]) => {
            const exported = await import(address);
            return lists.map((list) => exported[name](...list));
        }"""
        return page.evaluate(code, [f"{scripts}{module}.js", function, arguments])

    yield call
    page.close()


@pytest.fixture
def twin(browser, tmp_path):
    """Open an explorable's twin in a page of its own; any error in the page fails the test.

    With `more`, what stands under "More" is open.
    """
    pages, errors = [], []

    def show(explorable, *, width=780, theme="light", more=True, **context):
        path = tmp_path / f"{len(pages)}.html"
        head = f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><body>'
        path.write_text(head + explorable.to_html(), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, **context)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.goto(path.as_uri())
        page.wait_for_selector(".rnnx .summary")
        if more:
            open_more(page)
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert errors == []
