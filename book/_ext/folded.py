"""What is closed at first, answers and code: HTML's ``<details>``, which needs no script."""

from html import escape
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

# What is closed, in MyST-NB's word and in a reader's.
NAMES = {
    "source": "code",
    "content": "code and what it shows",
    "output": "what it shows",
    "outputs": "what it shows",
}


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


def visit_cell(self: HTML5Translator, node: HideCodeCellNode) -> None:
    """Write a cell of code that folds; what opens it is also its name for those who listen."""
    self.body.append(self.starttag(node, "details", CLASS="admonition hide"))
    name = NAMES.get(node["prompt_show"], node["prompt_show"])
    self.body.append(f'<summary class="admonition-title">{escape(name)}</summary>\n')


def depart_cell(self: HTML5Translator, node: HideCodeCellNode) -> None:
    """End a cell."""
    self.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(nodes.admonition, override=True, html=(visit_admonition, depart_admonition))
    app.add_node(HideCodeCellNode, override=True, html=(visit_cell, depart_cell))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
