"""No page has a fault that axe can find, from its head to its foot, on a phone and on a desk."""

import json
from pathlib import Path

import pytest
from browsers import PATIENCE

SITE = Path(__file__).parents[2] / "_build" / "html"
PAGES = sorted(
    p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts
)
PAGES.remove("index.html")  # it leads on at once


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1280, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser, name, width, theme):
    package = pytest.importorskip("axe_playwright_python", reason="no axe: `make browser`")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto((SITE / name).as_uri())
    page.evaluate((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    page.wait_for_function("!document.querySelector('[data-explorable]:not(:has(.summary))')")
    # What scrolls sideways is found when the page is idle.
    page.evaluate("() => new Promise((done) => requestIdleCallback(() => setTimeout(done, 250)))")
    page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    context.close()
    faults = [
        f"{rule['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
    assert faults == [], json.dumps(faults, indent=1, ensure_ascii=False)
