"""What a page says about itself to machines: description, preview, address, and where pages are.

The book's address is set in one place, the environment variable `BOOK_ADDRESS`:

    BOOK_ADDRESS=https://example.org/rnn/ make book

Pages then name their canonical address and a picture for previews, and a sitemap is written.
Without it nothing absolute is written, and everything else is the same.
"""

import os
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sphinx.errors import ExtensionError
from sphinx.util import logging

PREVIEW = "_static/preview.png"
PREVIEW_SIZE = (1200, 630)
NOT_FOUND = """
<section id="not-found">
<h1>This page is not here</h1>
<p>It may have moved, or the address has a slip in it. Nothing is lost: the course is small.</p>
<p><a class="course-start" href="{front}">Go to the front page</a>
<a class="course-other" href="{search}">Search the course</a></p>
</section>
"""
log = logging.getLogger(__name__)


def whole_address(text: str) -> str:
    """Return the book's address with a slash at its end, or "" if there is none.

    Raises
    ------
    ExtensionError
        `text` is not the address of a site.
    """
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ExtensionError(
            f"BOOK_ADDRESS is {text!r}, expected one like https://example.org/rnn/"
        )
    return text.rstrip("/") + "/"


def tags(title: str, description: str, address: str = "", page: str = "") -> str:
    """Return the elements that describe a page; `page` is its file, from the book's root."""
    named = {"description": description, "twitter:card": "summary_large_image" if address else ""}
    graph = {
        "og:type": "website",
        "og:locale": "en",
        "og:title": title,
        "og:description": description,
    }
    if address:
        graph |= {
            "og:url": address + page,
            "og:image": address + PREVIEW,
            "og:image:width": str(PREVIEW_SIZE[0]),
            "og:image:height": str(PREVIEW_SIZE[1]),
            "og:image:alt": "A recurrent network, unrolled over six steps",
        }
    return "".join(
        f'<meta {kind}="{key}" content="{escape(value)}">\n'
        for kind, values in (("name", named), ("property", graph))
        for key, value in values.items()
        if value
    )


def sitemap(address: str, pages: Iterable[str]) -> str:
    """Return the text of sitemap.xml for `pages`, files from the book's root."""
    places = "".join(f"<url><loc>{escape(address + page)}</loc></url>\n" for page in sorted(pages))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{places}</urlset>\n'
    )


def robots(address: str) -> str:
    """Return the text of robots.txt, or "" where none is read: below the root of a site."""
    if urlsplit(address).path != "/":
        return ""
    return f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n"


def for_any_depth(page: str, address: str) -> str:
    """Return the page for missing pages with links that hold at whatever address it is shown.

    It is shown in the place of the page that is missing, so its links start from the book's root.
    Without an address that root is not known, and the page is as any other.
    """
    if not address:
        return page
    base = f'<base href="{escape(urlsplit(address).path)}">\n'
    page = page.replace('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n{base}', 1)
    return page.replace('href="#', 'href="404.html#')


# ---------------------------------------------------------------- Sphinx calls these


def take_address(app: Any, config: Any) -> None:
    """Read the book's address once, before anything is built."""
    config.html_baseurl = whole_address(os.environ.get("BOOK_ADDRESS", ""))


def add_head(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give a page its description, its preview and its icons, and take from it what it has twice."""
    known = (context.get("metatags") or "").splitlines(keepends=True)
    kept = [line for line in known if not re.search("generator|viewport", line)]
    described = app.config.page_descriptions.get(page, "")
    if doctree is not None and not described:
        log.warning("%s has no line in page_descriptions (_config.yml)", page)
    file = f"{page}.html"
    if page == "404":
        context["pageurl"] = None
        kept.append('<meta name="robots" content="noindex">\n')
    title = context.get("title") or app.config.project
    kept.append(tags(_plain(title), described, app.config.html_baseurl, file))
    static = context["pathto"]("_static", 1)
    kept.append(
        f'<link rel="icon" href="{static}/favicon.png" sizes="32x32" type="image/png">\n'
        f'<link rel="apple-touch-icon" href="{static}/touch-icon.png">\n'
    )
    context["metatags"] = "\n" + "".join(kept)


def not_found(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the page that a server shows where there is none."""
    front = app.builder.get_relative_uri("404", app.config.root_doc)
    body = NOT_FOUND.format(front=front, search="search.html")
    yield "404", {"title": "This page is not here", "body": body}, "page.html"


def write_files(app: Any, error: Exception | None) -> None:
    """Write what stands beside the pages: sitemap, robots, the head of the front door."""
    if error or app.builder.name != "html":
        return
    folder, address = Path(app.outdir), app.config.html_baseurl
    root, config = app.config.root_doc, app.config
    door = folder / "index.html"
    about = tags(config.project, config.page_descriptions.get(root, ""), address, f"{root}.html")
    if address:
        about += f'<link rel="canonical" href="{escape(address)}{root}.html">\n'
        pages = [f"{name}.html" for name in app.env.all_docs]
        (folder / "sitemap.xml").write_text(sitemap(address, pages), encoding="utf-8")
        if robots(address):
            (folder / "robots.txt").write_text(robots(address), encoding="utf-8")
    door.write_text(
        door.read_text(encoding="utf-8").replace("</head>", f"{about}</head>"), encoding="utf-8"
    )
    lost = folder / "404.html"
    lost.write_text(for_any_depth(lost.read_text(encoding="utf-8"), address), encoding="utf-8")


def _plain(title: str) -> str:
    """Return a title without the tags and references of HTML."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(title, "html.parser").get_text()


def setup(app: Any) -> dict[str, bool]:
    """Connect the functions above."""
    app.add_config_value("page_descriptions", {}, "html")
    app.connect("config-inited", take_address)
    app.connect("html-page-context", add_head)
    app.connect("html-collect-pages", not_found)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
