"""What a page says about itself to machines: description, preview, address, and where pages are.

The book's address is set in one place, the environment variable `BOOK_ADDRESS`:

    BOOK_ADDRESS=https://example.org/rnn/ make book

Pages then name their canonical address and a picture for previews, and a sitemap is written.
Without it nothing absolute is written, and everything else is the same.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup
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
    """Give a page its description, preview and icons, and take from it what it has twice."""
    known = (context.get("metatags") or "").splitlines(keepends=True)
    kept = [line for line in known if not re.search("generator|viewport", line)]
    described = app.config.page_descriptions.get(page, "")
    if doctree is not None and not described:
        log.warning("%s has no line in page_descriptions (_config.yml)", page)
    if "last" in (context.get("meta") or {}):
        context["next"] = None  # the story ends here; what follows is to look things up
    if page == "404":
        context["pageurl"] = None
        kept.append('<meta name="robots" content="noindex">\n')
    else:
        title = Markup(context.get("title") or app.config.html_title).striptags()
        kept.append(tags(title, described, app.config.html_baseurl, f"{page}.html"))
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
    """Write what stands beside the pages, and the heads that no template writes."""
    if error or app.builder.name != "html":
        return
    folder, config = Path(app.outdir), app.config
    address, front = config.html_baseurl, f"{config.root_doc}.html"
    (folder / ".nojekyll").touch()  # GitHub Pages shows all files as they are
    about = tags(config.html_title, config.page_descriptions[config.root_doc], address, front)
    if address:
        about += f'<link rel="canonical" href="{escape(address + front)}">\n'
        pages = [f"{name}.html" for name in app.env.all_docs]
        (folder / "sitemap.xml").write_text(sitemap(address, pages), encoding="utf-8")
        if robots(address):
            (folder / "robots.txt").write_text(robots(address), encoding="utf-8")
    _change(folder / "index.html", lambda page: page.replace("</head>", f"{about}</head>"))
    _change(folder / "404.html", lambda page: for_any_depth(page, address))


def _change(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Connect the functions above."""
    app.add_config_value("page_descriptions", {}, "html")
    app.connect("config-inited", take_address)
    app.connect("html-page-context", add_head)
    app.connect("html-collect-pages", not_found)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
