"""Matplotlib's drawings in the built pages: in the page's colors, named, readable, light."""

import base64
import importlib.util
import io
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup, SoupStrainer

plt = pytest.importorskip("matplotlib.pyplot")
pytest.importorskip("sphinx")

from browsers import PATIENCE  # noqa: E402
from PIL import Image  # noqa: E402

from rnncourse import figures  # noqa: E402

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if 'class="course-figure"' in path.read_text(encoding="utf-8")
)
COLOR = re.compile(r"(?:fill|stroke|stop-color|color)[:=]\"?(?!none|var\(--course-[a-z]+\))[^;\"]+")

spec = importlib.util.spec_from_file_location("inline", ROOT / "book" / "_ext" / "figures.py")
inline = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inline)


@cache
def drawings(page: str) -> list[str]:
    """The page's letters, and its drawings."""
    text = (SITE / page).read_text(encoding="utf-8")
    return re.findall(r'<svg class="course-(?:letters|figure)".*?</svg>', text, re.DOTALL)


def dangling(parts: list[str]) -> list[str]:
    """What is linked to and is not there."""
    text = "".join(parts)
    links = re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    return sorted(set(links) - set(re.findall(r' id="([^"]+)"', text)))


# ---------------------------------------------------------------- the built pages


def test_every_drawing_of_the_notebooks_is_in_its_page():
    left = [
        image["src"]
        for page in PAGES
        for image in BeautifulSoup(
            (SITE / page).read_text(encoding="utf-8"), "html.parser", parse_only=SoupStrainer("img")
        )
        if "_images/" in image["src"]
    ]
    assert left == []
    in_notebooks = sum(
        path.read_text(encoding="utf-8").count('"image/svg+xml"')
        for path in (ROOT / "book").rglob("*.ipynb")
    )
    assert sum(len(drawings(page)) - 1 for page in PAGES) == in_notebooks > 40


@pytest.mark.parametrize("page", PAGES)
def test_drawings_are_named_sized_and_whole(page):
    letters, *found = drawings(page)
    assert 'aria-hidden="true"' in letters[:80]
    named = re.compile(
        r'<svg class="course-figure" role="img" aria-label="[^"]{20,}" width="\d+" height="\d+" '
        r'viewBox="0 0 [\d.]+ [\d.]+">'
    )
    for svg in found:
        assert named.match(svg), svg[:300]
    assert dangling([letters, *found]) == []


@pytest.mark.parametrize("page", PAGES)
def test_drawings_have_the_colors_of_the_page_alone(page):
    assert [COLOR.findall(svg) for svg in drawings(page)] == [[]] * len(drawings(page))


@pytest.mark.parametrize("page", PAGES)
def test_drawings_are_light(page):
    assert sum(map(len, drawings(page))) < 250_000


# The size of the letters in each drawing, in pixels. A line of text is a group in hundredths of its
# size; in it the indices of a formula are smaller still, as everywhere.
LETTERS = """() => [...document.querySelectorAll(".course-figure")].map((svg) => {
  const lines = [...svg.querySelectorAll('use[href^="#letter"]')].map((use) => use.parentElement);
  const sizes = lines.map((line) => line.getScreenCTM()).map((m) => 100 * Math.hypot(m.a, m.b));
  return Math.min(...sizes);
})"""


def test_a_phone_shows_every_letter_large_enough(browser):
    """At 390 px, the smallest is 11 px. Counted over all pages that have drawings."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE)
    small, count = [], 0
    for name in PAGES:
        page.goto((SITE / name).as_uri(), wait_until="domcontentloaded")
        sizes = page.evaluate(LETTERS)
        count += len(sizes)
        small += [f"{name}, drawing {i}: {s:.1f} px" for i, s in enumerate(sizes, 1) if s < 11]
    page.close()
    assert small == []
    assert count > 40


# ---------------------------------------------------------------- how a drawing is written


def drawn(draw, letters=None, prefix="fig1-"):
    """A drawing of the book's style, as the build writes it; `draw` is given the axes."""
    fig, ax = plt.subplots(figsize=(3, 2))
    draw(ax)
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None})
    letters = inline.Letters() if letters is None else letters
    drawing = inline.Drawing(file.getvalue(), prefix, letters)
    html = drawing.html('a "line" & more')
    return html, drawing, letters, len(file.getvalue())


def test_numbers_are_rounded_and_short():
    assert inline.rounded("0.126 -0.004 100 12.999 1e-7 -0.5") == ".13 0 100 13 0 -.5"
    assert inline.rounded("1200 30 0", 0) == "1200 30 0"
    assert inline.path_data("M 10.0 20.126 \nL 1.5 -0.25 \nz\n") == "M10 20.13L1.5-.25z"


def test_a_drawing_takes_the_colors_of_the_page(drawing):
    html, drawing, letters, size = drawn(
        lambda ax: (ax.plot([0, 1], "o-"), ax.axhspan(0, 1, color=figures.CELL, alpha=0.3))
    )
    for role in ("hidden", "cell", "quiet"):
        assert f"var(--course-{role})" in html
    assert figures.HIDDEN not in html
    assert "opacity:.3" in html
    assert drawing.strange == set()
    assert COLOR.findall(html) == []
    assert html.startswith('<svg class="course-figure" role="img" aria-label="a &quot;line&quot; &')
    assert 'width="302" height="202" viewBox="0 0 216 144"' in html
    assert "<metadata" not in html
    assert "var(--course-card)" not in html  # no ground
    assert len(html) + len(letters.html()) < 0.7 * size


@pytest.mark.parametrize("color", ["red", "#0072b3", "0.5", (0, 0, 0.2)])
def test_a_color_of_no_theme_is_noticed(drawing, color):
    html, drawing, *_ = drawn(lambda ax: ax.plot([0, 1], color=color))
    assert len(drawing.strange) == 1
    assert set(COLOR.findall(html)) == {f"stroke:{c}" for c in drawing.strange}


def test_drawings_share_letters_and_nothing_else(drawing):
    one, _, letters, _ = drawn(lambda ax: ax.plot([0, 1], "o"))
    count = len(letters.shapes)
    two, *_ = drawn(lambda ax: ax.plot([0, 1], "o"), letters, "fig2-")
    assert len(letters.shapes) == count > 3
    parts = [letters.html(), one, two]
    assert dangling(parts) == []
    assert dangling(parts[1:])
    ids = re.findall(r' id="([^"]+)"', "".join(parts))
    assert len(set(ids)) == len(ids)
    assert [text.replace("fig2-", "fig1-") for text in (one, two)] == [one, one]


def test_an_image_of_one_color_becomes_a_mask_over_it(drawing):
    z = np.array([[0.0, 0.2], [0.4, 0.42]])
    html, drawing, *_ = drawn(lambda ax: figures.surface(ax, z, (0, 1, 0, 1), top=0.42))
    assert drawing.strange == set()
    soup = BeautifulSoup(html, "html.parser")
    rect = soup.select_one("rect[mask]")
    assert rect["style"] == "fill:var(--course-error)"
    assert rect["mask"] == f"url(#{soup.mask['id']})"
    data = soup.mask.image["href"].partition("base64,")[2]
    fullness = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) / 255
    assert np.allclose(fullness, 0.7 * np.ceil(21 * z / 0.42) / 21, atol=0.01)
    _, drawing, *_ = drawn(lambda ax: ax.imshow(z, cmap="viridis"))
    assert drawing.strange == {"an image in colors of its own"}
