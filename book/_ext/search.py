"""Search by section: what each section is called and says, in a file that only a search loads.

`book/_static/search.js` reads it. Sphinx's own search, which knows pages only, is off.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from docutils import nodes
from readable import readable
from sphinx.application import Sphinx

INDEX = Path("_static", "search-index.js")

Section = tuple[str, str, str]


def sections(document: nodes.document) -> list[Section]:
    """Return anchor, title and text of each section; its own text only, not its parts'."""
    return [
        (section["ids"][0], plain(section[0]), "\n".join(_blocks(section)))
        for section in document.findall(nodes.section)
        if section.children
    ]


def _blocks(parent: nodes.Element) -> Iterator[str]:
    """Yield the text of each paragraph, title, cell of code or of a table, formula and the like."""
    for node in parent.children:
        if not isinstance(node, nodes.Element) or isinstance(node, nodes.Invisible | nodes.section):
            continue
        if "cell_output" in node.get("classes", []) or isinstance(node, nodes.raw):
            continue  # an output is what the code says
        if isinstance(node, nodes.row):
            yield " · ".join(text for entry in node for text in _blocks(entry))
        elif isinstance(node, nodes.TextElement):
            if not (isinstance(node, nodes.title) and isinstance(parent, nodes.section)):
                yield plain(node)
        else:
            yield from _blocks(node)


def plain(node: nodes.Node) -> str:
    """Return the text of a node, formulas in words and signs."""
    if isinstance(node, nodes.math | nodes.math_block):
        return readable(str(node.astext()))
    if isinstance(node, nodes.literal_block):
        return str(node.astext())
    if isinstance(node, nodes.Text):
        return str(node.astext()).replace("\n", " ")
    return "".join(map(plain, node.children)) if not isinstance(node, nodes.raw) else ""


def turn_off(app: Sphinx) -> None:
    """Let Sphinx write neither its index nor its scripts."""
    app.builder.search = False


def search_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Ask for the page of results, which Sphinx leaves out with its own search."""
    yield "search", {"title": "Search"}, "search.html"


def write_index(app: Sphinx, exception: Exception | None, found: dict[str, list[Section]]) -> None:
    """Write the index of all pages, in the order of the book."""
    if exception or app.builder.format != "html":
        return
    pages, index = [], []
    for page in app.env.collect_relations():
        if page not in found:  # it is as it was in the last build
            app.env.get_and_resolve_doctree(page, app.builder)
        pages.append((app.builder.get_target_uri(page), found[page][0][1]))
        index += [(len(pages) - 1, *section) for section in found[page]]
    content = json.dumps({"pages": pages, "sections": index}, ensure_ascii=False)
    (app.outdir / INDEX).write_text(f"courseIndex = {content}\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    found: dict[str, list[Section]] = {}

    def collect(app: Sphinx, document: nodes.document, page: str) -> None:
        found[page] = sections(document)

    app.connect("builder-inited", turn_off)
    app.connect("html-collect-pages", search_page)
    app.connect("doctree-resolved", collect)
    app.connect("build-finished", partial(write_index, found=found))
    return {"parallel_read_safe": True, "parallel_write_safe": False}
