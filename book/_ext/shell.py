"""The page around the text: what `book/_templates/layout.html` needs to write it."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx_design.icons import get_octicon

# Scripts of the theme and its companions; `site.js` does what the course needs.
LEFT_OUT = {
    "documentation_options.js",
    "doctools.js",
    "sphinx_highlight.js",
    "design-tabs.js",
    "sphinx-book-theme.js",
}


def set_up_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Tell the template what it asks for, and take from the page the scripts it does not need."""
    context["icon"] = get_octicon  # drawn in the page, in the size and color of its text
    figure = re.search(r'id="(explore-\w+)"', context.get("body", ""))
    context["first_figure"] = figure and figure[1]
    context["is_notebook"] = context.get("sourcename", "").endswith(".ipynb")
    context["script_files"] = [
        script
        for script in context["script_files"]
        if script.filename and str(script.filename).rpartition("/")[2] not in LEFT_OUT
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", set_up_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
