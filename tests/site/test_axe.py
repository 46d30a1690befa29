"""No page has a fault that axe can find, from its head to its foot, on a phone and on a desk."""

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="no browser: `make browser` sets it up")

from browsers import PATIENCE
from pages import SITE, pages

# axe looks at every element by itself, and most are alike: the words of code, of which one of each
# color is kept, and the parts of formulas and drawings, of which none is read or colored by itself.
# What stands in their place has the same size, text and color.
THIN_OUT = """() => {
  const seen = new Set();
  for (const pre of document.querySelectorAll(".highlight pre"))
    for (const word of pre.querySelectorAll("span[class]"))
      if (seen.has(word.className)) word.replaceWith(...word.childNodes);
      else seen.add(word.className);
  for (const formula of document.querySelectorAll("math")) {
    const { width, height } = formula.getBoundingClientRect();
    const plain = document.createElement("span");
    plain.textContent = formula.textContent;
    plain.style.cssText = `width: ${width}px; height: ${height}px`;
    Object.assign(plain.style, { display: "inline-block", overflow: "hidden" });
    formula.replaceWith(plain);
  }
  const drawings = document.querySelectorAll(".course-figure, .course-letters");
  for (const drawing of drawings) drawing.replaceChildren();
}"""


def faults(browser, name, width, theme, style=""):
    """Return what axe finds in a page, to which `style` is added."""
    package = pytest.importorskip("axe_playwright_python", reason="no axe: `make browser`")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto((SITE / name).as_uri())
    page.add_style_tag(content=style or ":root {}")
    page.evaluate((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    page.wait_for_function("!document.querySelector('[data-explorable]:not(:has(.summary))')")
    # What scrolls sideways is found when the page is idle, or a second later: some never are.
    idle = "() => new Promise((done) => requestIdleCallback(done, { timeout: 1000 }))"
    page.evaluate(idle)
    page.evaluate("() => new Promise((done) => setTimeout(done, 250))")
    page.evaluate(idle)
    page.evaluate(THIN_OUT)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    context.close()
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1280, "dark")])
@pytest.mark.parametrize("name", sorted(pages(SITE)))
def test_axe_finds_nothing(browser, name, width, theme):
    found = faults(browser, name, width, theme)
    assert found == [], json.dumps(found, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("few", [".highlight .kn", "article span"])
def test_a_fault_is_found_where_much_is_alike(browser, few):
    found = faults(browser, "book/using.html", 390, "light", f"{few} {{ color: #aaa !important }}")
    assert any(text.startswith("color-contrast") for text in found)
