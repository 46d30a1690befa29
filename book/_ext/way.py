"""What a reader has answered and met: all questions, page by page, and the playground's challenges.

The lists are made when the book is built; `book/_static/way.js` marks in them what this browser
keeps. All words stand in the page, as options of the directive:

    ```{way}
    :right: right
    ```

In the list of all pages, too, a page's link names its questions: `site.js` marks those pages whose
questions are all answered right.
"""

import html
import posixpath
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from minutes import cells, title
from sphinx.application import Sphinx

from rnncourse.exercises.predictions import QUESTIONS
from rnncourse.explorables import Playground

SAID = ("page", "answers", "challenges", "none", "legend", "save", "bring", "wipe")
SPOKEN = ("right", "again", "open", "met", "unmet", "total", "sure", "wiped", "saved", "brought")
SPOKEN += ("unread", "refused")


@cache
def asked() -> dict[str, list[str]]:
    """Return the names of the questions of each page."""
    names = defaultdict(list)
    for one in QUESTIONS.values():
        names[one.page].append(one.name)
    return names


def questions(book: Path, unanswered: str) -> str:
    """Return a row for each page that asks, with a mark for each of its questions."""
    titles = {page: title(cells(book / f"{page}.ipynb")) for page in asked()}
    rows = []
    for page in sorted(titles, key=lambda page: titles[page]):  # titles have numbers
        marks = "".join(
            f'<span role="img" data-question="{name}" aria-label="{unanswered}">○</span>'
            for name in asked()[page]
        )
        link = f'<a href="{page}.html">{html.escape(titles[page])}</a>'
        rows.append(f'<tr><th scope="row">{link}</th><td>{marks}</td></tr>\n')
    return "".join(rows)


def challenges(unmet: str) -> str:
    """Return the challenges of the playground as a list, with a mark for each."""
    spec = Playground().spec()
    return "".join(
        f'<li><span role="img" data-challenge="{key}" aria-label="{unmet}">○</span> '
        f"{html.escape(spec['words'][f'challenge.{key}'])}</li>\n"
        for key in spec["data"]["challenges"]
    )


def way(book: Path, said: dict[str, str]) -> str:
    """Return the lists as HTML, with the words `said`."""
    words = {name: html.escape(text) for name, text in said.items()}
    spoken = " ".join(f'data-{name}="{words[name]}"' for name in SPOKEN)
    buttons = "".join(
        f'<button type="button" class="{name}">{words[name]}</button>'
        for name in ("save", "bring", "wipe")
    )
    return f"""<div class="course-way" {spoken}>
<p class="total">{words["none"]}</p>
<table><thead><tr><th scope="col">{words["page"]}</th><th scope="col">{words["answers"]}</th></tr>
</thead><tbody>
{questions(book, words["open"])}</tbody></table>
<p class="legend">{words["legend"]}</p>
<p id="way-challenges"><a href="playground.html">{words["challenges"]}</a></p>
<ul aria-labelledby="way-challenges">
{challenges(words["unmet"])}</ul>
<p class="pst-js-only keep">{buttons}<input type="file" accept=".json" hidden></p>
<p class="outcome" role="status"></p>
</div>
"""


class Way(Directive):
    """The directive."""

    option_spec = dict.fromkeys(SAID + SPOKEN, directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Return the lists as raw HTML."""
        missing = [name for name in SAID + SPOKEN if name not in self.options]
        if missing:
            raise self.error(f"The reader's way has no words for {missing}.")
        env = self.state.document.settings.env
        env.note_reread()  # the questions are not in this page's source
        return [nodes.raw("", way(Path(env.srcdir, "book"), self.options), format="html")]


def name_questions(links: str, here: str) -> str:
    """Return the list of all pages with `data-questions` on the links to those that ask.

    `here` is the page that the list stands on.
    """

    def named(link: re.Match[str]) -> str:
        target = link[1].removesuffix(".html")
        page = here if target == "#" else posixpath.normpath(f"{posixpath.dirname(here)}/{target}")
        names = asked().get(page.removeprefix("book/"))
        return f'{link[0]} data-questions="{" ".join(names)}"' if names else link[0]

    return re.sub(r'<a class="[^"]*" href="([^"]*)"', named, links)


def name_in_list(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """Let the list of all pages name their questions."""
    if make := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda **kw: name_questions(str(make(**kw)), page)


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Load the script in the page that has the lists."""
    if 'class="course-way"' in context.get("body", ""):
        app.add_js_file("way.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and what belongs to it."""
    app.add_directive("way", Way)
    app.connect("html-page-context", load)
    app.connect("html-page-context", name_in_list, priority=900)  # when the theme has made it
    return {"parallel_read_safe": True, "parallel_write_safe": True}
