"""The built pages: complete, self-contained, accessible. `make book` builds them first."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
# Pages made from the theme's own templates are checked for what they load, not for their text.
GENERATED = {"404.html", "genindex.html", "search.html"}
EVERY_PAGE = sorted(
    p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts
)
PAGES = [page for page in EVERY_PAGE if page not in GENERATED]
# The equations of the course's source, and those of the page on speed, by where they are.
LABELS = {
    "book/1-structure/": ["eq-hidden", "eq-output"],
    "book/2-backpropagation/": [
        "eq-update",
        "eq-bptt-newest",
        "eq-bptt-whh",
        "eq-bptt-wxh",
    ],
    "book/3-gradients/": ["eq-jacobian-product"],
    "book/4-lstm/": [
        "eq-forget",
        "eq-input",
        "eq-output-gate",
        "eq-candidate",
        "eq-cell",
        "eq-lstm-hidden",
    ],
    "book/speed.html": [
        "eq-work",
        "eq-packed",
        "eq-packed-sums",
        "eq-sigmoid-tanh",
        "eq-gate-slope",
    ],
}
# The pages made from notebooks, in the order of the book.
TABLE = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
NOTEBOOKS = [
    f"{page['file']}.html"
    for part in TABLE["parts"]
    for page in part["chapters"]
    if (ROOT / f"{page['file']}.ipynb").exists()
]
LOADS = {  # attributes by which an element loads something
    "script": ["src"],
    "img": ["src", "srcset"],
    "iframe": ["src"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "input": ["src"],
    "image": ["href", "xlink:href"],
    "use": ["href", "xlink:href"],
}
CSS_LOAD = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
SCRIPT_LOAD = re.compile(r"import\s*\(?[^;]*?['\"](https?:)?//|from\s+['\"](https?:)?//")


@cache
def parsed(page: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


def leaves_the_site(address: str) -> bool:
    parts = urlsplit(address.strip())
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def loaded_from_elsewhere(soup: BeautifulSoup) -> list[str]:
    """Addresses of other sites from which a page would load something by itself."""
    found = []
    for name, attributes in LOADS.items():
        for element in soup.find_all(name):
            for attribute in attributes:
                value = element.get(attribute)
                if value:
                    pieces = value.split(",") if attribute == "srcset" else [value]
                    found += [p.split()[0] for p in pieces if leaves_the_site(p.split()[0])]
    for link in soup.find_all("link", href=True):
        # rel=license, canonical, prev and the like only name a page.
        loads = {"stylesheet", "preload", "modulepreload", "icon", "manifest", "preconnect",
                 "dns-prefetch", "prefetch", "apple-touch-icon"}  # fmt: skip
        if loads & set(link.get("rel", [])) and leaves_the_site(link["href"]):
            found.append(link["href"])
    for style in [s.get_text() for s in soup.find_all("style")] + [
        e["style"] for e in soup.find_all(style=True)
    ]:
        found += css_loads_from_elsewhere(style)
    for script in soup.find_all("script", src=False):
        found += [m.group() for m in SCRIPT_LOAD.finditer(script.get_text())]
    return found


def css_loads_from_elsewhere(style: str) -> list[str]:
    addresses = (m.group(1) or m.group(2) for m in CSS_LOAD.finditer(style))
    return [address for address in addresses if leaves_the_site(address)]


def dead_links(page: str) -> list[str]:
    """Links and resources inside the site that lead nowhere."""
    found = []
    for element in parsed(page).find_all(True):
        for attribute in ("href", "src"):
            address = element.get(attribute)
            if address is None or leaves_the_site(address) or address.startswith("data:"):
                continue
            parts = urlsplit(address)
            target = (SITE / page).parent / unquote(parts.path) if parts.path else SITE / page
            if not target.is_file():
                found.append(address)
            elif parts.fragment and target.suffix == ".html":
                name = target.resolve().relative_to(SITE.resolve()).as_posix()
                anchor = unquote(parts.fragment).partition("?")[0]  # a figure's settings follow
                if not has_anchor(parsed(name), anchor):
                    found.append(address)
    return found


def has_anchor(soup: BeautifulSoup, name: str) -> bool:
    return soup.find(id=name) is not None or soup.find("a", attrs={"name": name}) is not None


def repeated_ids(soup: BeautifulSoup) -> list[str]:
    counts = Counter(element["id"] for element in soup.find_all(id=True))
    return [name for name, count in counts.items() if count > 1]


def heading_faults(soup: BeautifulSoup) -> list[str]:
    body = soup.find("article") or soup
    levels = [int(h.name[1]) for h in body.find_all(re.compile(r"^h[1-6]$"))]
    faults = [] if levels.count(1) == 1 else [f"{levels.count(1)} h1 headings"]
    return faults + [f"h{a} is followed by h{b}" for a, b in pairwise(levels) if b > a + 1]


def images_without_alt(soup: BeautifulSoup) -> list[str]:
    # The logo stands beside the name of the course, so an empty alt is right for it.
    return [
        str(image)[:120]
        for image in soup.find_all("img")
        if not (image.get("alt") or "").strip() and "logo__image" not in image.get("class", [])
    ]


def unnamed_drawings(soup: BeautifulSoup) -> list[str]:
    """Inline drawings in the text that a screen reader can neither read nor skip."""
    return [
        str(svg)[:120]
        for svg in (soup.find("article") or soup).find_all("svg")
        if svg.get("aria-hidden") != "true"
        and "sd-octicon" not in svg.get("class", [])
        and not (svg.get("aria-label") or (svg.get("aria-labelledby") and svg.find("title")))
    ]


@pytest.fixture(scope="session", autouse=True)
def site():
    if not PAGES:
        pytest.fail("The book is not built: run `make book` first.", pytrace=False)


def test_the_site_is_complete():
    expected = [
        "index",
        *(f"book/{n}" for n in ("index", "using", "notation", "sweeps", "bibliography", "ending")),
    ]
    assert {f"{name}.html" for name in expected} | set(NOTEBOOKS) <= set(PAGES)
    assert len(NOTEBOOKS) > 15


def test_the_front_door_leads_to_the_first_page():
    refresh = parsed("index.html").find("meta", attrs={"http-equiv": re.compile("refresh", re.I)})
    assert refresh["content"].endswith("url=book/index.html")


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_page_loads_nothing_from_another_site(page):
    assert loaded_from_elsewhere(parsed(page)) == []


def test_our_styles_load_nothing_from_another_site():
    styles = sorted((ROOT / "book" / "_static").rglob("*.css"))
    assert styles
    for path in styles:
        assert css_loads_from_elsewhere(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    assert dead_links(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_its_language_and_title(page):
    soup = parsed(page)
    assert soup.html.get("lang") == "en"
    assert soup.title.get_text(strip=True)


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique(page):
    assert repeated_ids(parsed(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_headings_form_a_tree(page):
    assert heading_faults(parsed(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_images_and_drawings_have_a_text(page):
    assert images_without_alt(parsed(page)) == []
    assert unnamed_drawings(parsed(page)) == []


@pytest.mark.parametrize("place", LABELS)
def test_the_equations_of_the_source_have_their_labels(place):
    pages = [page for page in NOTEBOOKS if page.startswith(place)]
    counts = [sum(has_anchor(parsed(p), f"equation-{e}") for p in pages) for e in LABELS[place]]
    assert counts == [1] * len(counts)


def test_equation_numbers_run_over_the_whole_book():
    numbers = [
        int(number.get_text(strip=True).strip("()#¶"))
        for page in NOTEBOOKS
        for number in parsed(page).select("span.eqno")
    ]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_notebook_can_be_downloaded(page):
    notebook = Path(page).with_suffix(".ipynb")
    assert (SITE / "_sources" / notebook).is_file()
    assert any(a["href"].endswith(notebook.name) for a in parsed(page).find_all("a", href=True))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_light(page):
    assert (SITE / page).stat().st_size < 600_000
    images = {i["src"] for i in parsed(page).find_all("img") if not i["src"].startswith("data:")}
    weight = sum(((SITE / page).parent / unquote(src)).stat().st_size for src in images)
    assert weight < 2_500_000


# --- the checks themselves can fail -----------------------------------------------------------


def soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        '<script src="//cdn.example.org/x.js"></script>',
        '<img src="http://example.org/a.png">',
        '<img srcset="a.png 1x, https://example.org/b.png 2x">',
        '<iframe src="https://example.org"></iframe>',
        '<link rel="stylesheet" href="https://fonts.example.org/css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        "<style>@import 'https://example.org/a.css';</style>",
        '<p style="background: url(https://example.org/a.png)"></p>',
        '<script type="module">import x from "https://cdn.example.org/x.js";</script>',
        '<script>import("https://cdn.example.org/x.js")</script>',
    ],
)
def test_a_load_from_another_site_is_found(text):
    assert loaded_from_elsewhere(soup(text))


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://doi.org/10.1162/neco.1997.9.8.1735">cited</a>',
        '<img src="../_images/a.png"><img src="data:image/png;base64,AA==">',
        '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">',
        '<script>const namespace = "http://www.w3.org/2000/svg";</script>',
    ],
)
def test_what_only_names_another_site_is_no_load(text):
    assert not loaded_from_elsewhere(soup(text))


def test_faults_of_a_page_are_found():
    page = soup(
        '<article><h1 id="a">A</h1><h3 id="a">B</h3><h1>C</h1><img src="x.png">'
        "<svg><path/></svg></article>"
    )
    assert repeated_ids(page) == ["a"]
    assert heading_faults(page) == ["2 h1 headings", "h1 is followed by h3"]
    assert len(images_without_alt(page)) == 1
    assert len(unnamed_drawings(page)) == 1
    assert not has_anchor(page, "b")


def test_dead_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.SITE", tmp_path)
    (tmp_path / "a.html").write_text(
        '<h1 id="here">A</h1><a href="#here">1</a><a href="b.html#no">2</a><a href="c.html">3</a>'
        '<a href="https://example.org/d.html">4</a><img src="e.png">'
    )
    (tmp_path / "b.html").write_text("<h1>B</h1>")
    parsed.cache_clear()
    assert dead_links("a.html") == ["b.html#no", "c.html", "e.png"]
    parsed.cache_clear()
