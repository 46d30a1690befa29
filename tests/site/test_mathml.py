"""Mathematics is set when the book is built: every formula, in a font that has all it needs."""

import re
from pathlib import Path

import mathml
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from math_core import LatexError
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

SITE = Path(__file__).parents[2] / "_build" / "html"
PAGES = sorted((SITE / "book").rglob("*.html"))


@pytest.fixture(scope="module")
def formulas():
    """Every formula of the built pages, by page."""
    assert PAGES
    return {
        path.relative_to(SITE).as_posix(): BeautifulSoup(
            path.read_text(encoding="utf-8"), "html.parser"
        ).find_all("math")
        for path in PAGES
    }


def test_the_chapters_have_their_formulas(formulas):
    assert sum(map(len, formulas.values())) > 800
    for chapter in ("1-structure", "2-backpropagation", "3-gradients", "4-lstm"):
        found = [f for page in formulas if f"/{chapter}/" in page for f in formulas[page]]
        assert sum(f.get("display") == "block" for f in found) >= 8


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(SITE).as_posix())
def test_no_latex_is_left_in_a_page(path):
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article") or soup.find("body")
    for code in article.find_all(["pre", "code", "script"]):
        code.decompose()
    assert re.findall(r"\\[a-zA-Z(\[]+|\$[^$]+\$", article.get_text()) == []


def test_no_page_loads_a_script_for_formulas():
    for path in PAGES:
        assert "mathjax" not in path.read_text(encoding="utf-8").lower()
    assert not (SITE / "_static" / "mathjax").exists()


def test_the_font_has_every_character_of_every_formula(formulas):
    font = TTFont(SITE / mathml.FONT)
    has = set(font.getBestCmap())
    needed = mathml.drawn("".join(f.get_text() for found in formulas.values() for f in found))
    invisible = {0x2061, 0x2062, 0x2063, ord("\n")}
    letters = {p for p in needed if p < 0x10000}
    assert letters - has - invisible == set()
    assert {0x1D44A, 0x210E, 0x1D6FF, 0x221A} <= has, "italic W, h, δ, a root"
    assert "MATH" in font
    assert (SITE / mathml.FONT).stat().st_size < 30_000


def test_the_font_names_its_license():
    names = TTFont(SITE / mathml.FONT)["name"]
    assert "SIL Open Font License" in names.getDebugName(13)
    assert "STIX" in names.getDebugName(0)


def test_a_letter_alone_is_drawn_italic():
    assert mathml.drawn("h") == {ord("h"), 0x210E, 0x1D455, ord("√")}
    assert {0x1D44A, 0x1D6FF} <= mathml.drawn("Wδ")
    assert mathml.drawn("1") == {ord("1"), 0x210E, ord("√")}


def test_a_formula_is_converted():
    assert (
        mathml.mathml("W_{hh}")
        == "<math><msub><mi>W</mi><mrow><mi>h</mi><mi>h</mi></mrow></msub></math>"
    )
    assert 'display="block"' in mathml.mathml("x", display=True)
    assert ' largeop="false">⊙</mo>' in mathml.mathml(r"f_t \odot c_{t-1}")
    with pytest.raises(LatexError):
        mathml.mathml(r"\frac{1}{")


def test_a_formula_that_cannot_be_set_fails_the_build_with_its_page_and_text(tmp_path):
    (tmp_path / "index.rst").write_text(
        "Page\n====\n\nGood :math:`x_1` and bad :math:`\\nonsense y`.\n\n.. math:: z^2\n"
    )
    warnings = tmp_path / "warnings.txt"
    with patch_docutils(), docutils_namespace(), warnings.open("w") as stream:
        app = Sphinx(
            tmp_path, None, tmp_path / "out", tmp_path / "trees", "html",
            {"extensions": ["mathml"], "html_math_renderer": "mathml"}, None, stream,
            warningiserror=True, keep_going=True,
        )  # fmt: skip
        app.build()
    said = warnings.read_text()
    assert app.statuscode == 1
    assert "index.rst:4" in said
    assert r"\nonsense y" in said
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<code>\\nonsense y</code>" in page
    assert page.count("<math") == 2
