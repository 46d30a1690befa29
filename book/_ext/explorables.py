"""What figures and questions of a page share becomes scripts and one style sheet of the site.

Each figure's HTML is whole, so that it works on any page: it brings the kit with it. In the book
the kit is a file that the head of a page loads and that all pages share. It has to be there when
the parser meets a figure, so it is never deferred. So it is with the playground's own script, which
is large and stands on several pages. Each figure also gets an anchor, so that links
to it work: ``explore-gates``, and further ones of its kind ``explore-gates-2`` and so on.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from rnncourse.exercises import questions
from rnncourse.explorables.base import expression, kit_element, kit_script, source

FIGURE = re.compile(r'<div data-explorable="(\w+)"')
QUESTION = '<div data-question="'
PLAYGROUND = "rnncourse.playground"
FILES = {
    "explorables.js": kit_script,
    "playground.js": lambda: f"{PLAYGROUND} = {expression('playground')};\n",
    "explorables.css": lambda: source("kit.css"),
    "questions.js": questions.script,
    "questions.css": lambda: questions.STYLE,
}


def shared(body: str) -> str:
    """Return a page's HTML with an anchor at each figure and without what is shared."""
    seen: Counter[str] = Counter()

    def anchored(figure: re.Match[str]) -> str:
        seen[name := figure[1]] += 1
        key = f"explore-{name}" if seen[name] == 1 else f"explore-{name}-{seen[name]}"
        return f'{figure[0]} id="{key}"'

    for element in (kit_element(), questions.shared_element()):
        body = body.replace(element, "")
    body = body.replace(f"{expression('playground')});", f"{PLAYGROUND});")
    return FIGURE.sub(anchored, body)


def write_files(app: Sphinx) -> None:
    """Write what the pages share; before the pages, which name the files by their checksum."""
    if app.builder.format == "html":
        folder = Path(app.outdir, "_static")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (folder / name).write_text(text(), encoding="utf-8")


def share(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take the shared parts out of a page, and load in its head what it needs of them."""
    body = context.get("body", "")
    context["body"] = shared(body)
    if FIGURE.search(body):
        app.add_js_file("explorables.js")
    if PLAYGROUND in context["body"]:
        app.add_js_file("playground.js")
    if QUESTION in body:
        app.add_js_file("questions.js")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", write_files)
    app.add_css_file("explorables.css")  # parts of the site's one style sheet
    app.add_css_file("questions.css")
    app.connect("html-page-context", share)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
