"""Boxes that are closed at first, such as answers: HTML's ``<details>``, which needs no script."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def visit_admonition(self: HTML5Translator, node: nodes.admonition) -> None:
    """Write a box; one of the class "dropdown" folds, and its title opens it."""
    if "dropdown" not in node["classes"]:
        HTML5Translator.visit_admonition(self, node)
        return
    self.body.append(self.starttag(node, "details", CLASS="admonition"))
    self.body.append('<summary class="admonition-title">')
    for part in node.pop(0).children:
        part.walkabout(self)
    self.body.append("</summary>\n")


def depart_admonition(self: HTML5Translator, node: nodes.admonition) -> None:
    """End a box."""
    if "dropdown" in node["classes"]:
        self.body.append("</details>\n")
    else:
        HTML5Translator.depart_admonition(self, node)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(nodes.admonition, override=True, html=(visit_admonition, depart_admonition))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
