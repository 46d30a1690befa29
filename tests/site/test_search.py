"""The search: which section a query finds, what is shown of it, and what is marked on arrival."""

import json
import re
from pathlib import Path

import pytest
from browsers import PATIENCE
from bs4 import BeautifulSoup
from readable import readable

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
# What a reader may look for, and the section that must come first.
QUERIES = {
    "W_hh": "notation#arrays-of-the-network",
    "W_{hh}": "notation#arrays-of-the-network",
    "δ^h": "notation#derivatives",
    "J_t": "notation#derivatives",
    "time-major": "notation#where-time-runs",
    "unrolling": "1-structure/any-length#unroll-it-yourself",
    "digits": "1-structure/digits#digits-row-by-row",
    "BPTT": "2-backpropagation/bptt#backpropagation-through-time-bptt",
    "dummy weights": "2-backpropagation/paths#ask-the-network-itself",
    "truncated": "2-backpropagation/truncation#truncation",
    "sunspots": "2-backpropagation/sunspots#three-centuries-of-sunspots",
    "vanishing": "3-gradients/stalls#look-inside-the-gradient",
    "Spectral radius": "3-gradients/foretell#in-the-long-run-the-spectral-radius",
    "clipping": "3-gradients/cliff#clipping-and-why-by-norm",
    "forget bias": "4-lstm/forget-bias#the-direct-path-and-the-forget-bias",
    "constant error carousel": "4-lstm/forget-bias#which-of-the-two-wins",
    "peephole": "4-lstm/relatives#peepholes-and-a-large-comparison",
    "install": "using#run-the-notebooks",
}
FIND = """async (queries) => {
  const book = await courseSearch.load();
  return queries.map((query) => {
    const [first] = courseSearch.find(book, query);
    return first && `${first.section.address}#${first.section.anchor}`;
  });
}"""


@pytest.fixture
def page(browser):
    """A page of the book, read as a file; any error in it fails the test."""
    context = browser.new_context()
    page, errors, loaded = context.new_page(), [], []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
    page.goto((SITE / "book" / "notation.html").as_uri())
    page.loaded = loaded
    yield page
    context.close()
    assert errors == []


def test_a_query_finds_the_section_and_a_page_loads_no_index_without_one(page):
    assert not any("search" in name for name in page.loaded)
    page.keyboard.press("Control+K")
    page.wait_for_function("globalThis.courseSearch")
    found = page.evaluate(FIND, list(QUERIES))
    places = [f"book/{place}".replace("#", ".html#") for place in QUERIES.values()]
    assert dict(zip(QUERIES, found, strict=True)) == dict(zip(QUERIES, places, strict=True))
    assert page.evaluate(FIND, ["", "quetzalcoatl", "W_hh quetzalcoatl"]) == [None, None, None]


def test_from_the_dialog_to_the_marked_words_and_back(page):
    page.keyboard.press("Control+K")
    dialog = page.locator("#pst-search-dialog")
    dialog.locator("input").fill("spectral radius")
    link = dialog.locator("li a").first
    link.wait_for()
    assert link.inner_text() == (
        "3.3 · What the recurrent weights foretell › In the long run: the spectral radius"
    )
    assert "sections" in dialog.get_by_role("status").inner_text()
    assert {"spectral", "radius"} <= set(
        dialog.locator("li").first.locator("p mark").all_inner_texts()
    )
    page.keyboard.press("ArrowDown")
    assert link.evaluate("link => link === document.activeElement")
    page.keyboard.press("ArrowUp")
    assert dialog.locator("input").evaluate("field => field === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_url("**/3-gradients/foretell.html?find=spectral*radius#in-the-long-run*")
    section = page.locator("#in-the-long-run-the-spectral-radius")
    section.locator("mark").first.wait_for()
    assert {"spectral", "radius"} <= set(section.locator("> p mark").all_inner_texts())
    assert page.locator("mark").count() == section.locator("> * mark").count()  # there alone
    before = section.inner_text()
    page.keyboard.press("Escape")
    assert page.locator("mark").count() == 0
    assert section.inner_text() == before
    assert page.url.endswith("/foretell.html#in-the-long-run-the-spectral-radius")


def test_a_result_on_the_same_page_keeps_the_page(page):
    page.evaluate("kept = true")
    page.keyboard.press("Control+K")
    page.locator("#pst-search-dialog input").fill("W_hh")
    page.locator("#pst-search-dialog li a").first.click()
    page.locator("#arrays-of-the-network mark").first.wait_for()
    formulas = page.locator("#arrays-of-the-network math.found").all()
    assert formulas
    assert all("hh" in formula.text_content() for formula in formulas)
    assert page.evaluate("kept")
    assert not page.locator("#pst-search-dialog").is_visible()


def test_the_page_of_results_helps_where_nothing_is_found(page):
    page.goto((SITE / "search.html").as_uri() + "?q=gradiant+clipping")
    status = page.locator("article").get_by_role("status")
    page.locator(".others button").first.wait_for()
    assert "gradiant" in status.inner_text()
    page.get_by_role("button", name="gradient clipping", exact=True).click()
    page.locator("article .found li").first.wait_for()
    assert page.locator("article input").input_value() == "gradient clipping"
    page.locator("article input").fill("sunspots carousel")
    page.get_by_role("button", name="sunspots", exact=True).wait_for()
    assert "all of these words" in status.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_results(page, theme):
    package = pytest.importorskip("axe_playwright_python", reason="no axe: `make browser`")
    page.emulate_media(color_scheme=theme)
    page.goto((SITE / "search.html").as_uri() + "?q=W_hh")
    page.locator("article .found li").nth(9).wait_for()
    page.evaluate((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("axe.run('article').then((r) => r.violations.map((v) => v.id))") == []


def test_every_anchor_of_the_index_is_in_its_page():
    text = (SITE / "_static" / "search-index.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("courseIndex = "))
    texts = [(SITE / address).read_text(encoding="utf-8") for address, _ in index["pages"]]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    assert len(ids) > 8
    assert [a for page, a, *_ in index["sections"] if a not in ids[page]] == []
    assert not [text for *_, text in index["sections"] if "\\(" in text or "\\frac" in text]


def test_the_page_of_results_speaks_without_javascript():
    page = BeautifulSoup((SITE / "search.html").read_text(encoding="utf-8"), "html.parser")
    assert "JavaScript" in page.find("article").find("noscript").get_text()


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"W_{hh}^\top \delta^a_t", "W_hh^⊤ δ^a_t"),
        (
            r"h_t = \tanh\left(W_{hh} h_{t-1} + W_{xh} x_t\right)",
            "h_t = tanh(W_hh h_(t−1) + W_xh x_t)",
        ),
        (r"\frac{dE}{dW_{hh}} = \sum_{k=1}^T \delta_k", "dE/dW_hh = ∑_(k=1)^T δ_k"),
        (
            r"\Big(\dfrac{\partial E}{\partial y_t}\Big)^{\!\top} \in \mathbb{R}",
            "(∂E/∂y_t)^⊤ ∈ R",
        ),
        (r"\begin{aligned} a &= \tfrac12 \\ b &= \phantom{+} c \end{aligned}", "a = 1/2 b = c"),
        (r"\operatorname{diag}(v)\,\lVert w \rVert_2 \text{ if } x", "diag(v) ‖ w ‖_2 if x"),
        (r"\mathtt{learning\_rate}", "learning_rate"),
    ],
)
def test_a_formula_is_readable(latex, text):
    assert readable(latex) == text
