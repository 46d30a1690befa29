"""The bibliography as a list that a screen reader understands: each entry is an item of it."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def visit_citation(self: HTML5Translator, node: nodes.citation) -> None:
    """Begin an entry. What docutils calls it, a "doc-biblioentry", may no longer be in a list."""
    HTML5Translator.visit_citation(self, node)
    self.body[-1] = self.body[-1].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    end = HTML5Translator.depart_citation
    app.add_node(nodes.citation, override=True, html=(visit_citation, end))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
