"""Mathematics set when the book is built: LaTeX becomes MathML, which browsers draw themselves.

No script has to run in the page for it. math-core converts the formulas. The font is STIX Two Math,
cut down to the characters that they use, so that every browser draws them alike.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from html import escape, unescape
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

FONT = Path("_static", "stix-two-math.woff2")

log = logging.getLogger(__name__)
converter = LatexToMathML(fancy_error=False)


@cache
def mathml(latex: str, display: bool = False) -> str:
    """Return `latex` as a ``<math>`` element, on a line of its own if `display`.

    Raises
    ------
    math_core.LatexError
        `latex` has an error, or a command that cannot be converted.
    """
    found = converter.convert_with_local_state(latex, displaystyle=display)
    # Firefox takes the product ⊙ for an operator that grows, like a sum, in a displayed formula.
    return str(found).replace(">⊙<", ' largeop="false">⊙<')


def formula(node: nodes.math | nodes.math_block) -> str:
    """Return a node's formula as MathML; one that cannot be set is a warning with its page."""
    latex = node.astext()
    try:
        return mathml(latex, isinstance(node, nodes.math_block))
    except LatexError as error:
        log.warning("a formula cannot be set: %s in %s", error, latex, location=node)
        return f"<code>{escape(latex)}</code>"


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula that stands in a line of text."""
    self.body.append(f'<span class="math">{formula(node)}</span>')
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that stands by itself, and its number; a wide one scrolls in its own box."""
    self.body.append(self.starttag(node, "div", "", CLASS="math"))
    self.body.append(f'<div class="formula">{formula(node)}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


# --- the font ---------------------------------------------------------------------------------


def characters(latex: str) -> str:
    """Return the text of a formula; of one that cannot be set, nothing: its page has warned."""
    with suppress(LatexError):
        return unescape(re.sub("<[^>]+>", "", mathml(latex)))
    return ""


def drawn(text: str) -> set[int]:
    """Return the code points that a browser draws for a formula's text.

    A letter alone is drawn italic, which in a font of mathematics is a character of its own. The
    sign of a root is drawn without being written.
    """
    points = set(map(ord, text))
    for first, italic in (("a", 0x1D44E), ("A", 0x1D434), ("α", 0x1D6FC), ("Α", 0x1D6E2)):
        points |= {italic + p - ord(first) for p in set(points) if 0 <= p - ord(first) < 26}
    italic_h = 0x210E  # it has stood elsewhere since before the others
    return points | {italic_h, ord("√")}


def font(points: Iterable[int]) -> TTFont:
    """Return STIX Two Math with the given code points only, and what its brackets stretch to."""
    options = subset.Options(
        layout_features=[], hinting=False, drop_tables=["DSIG", "GDEF", "GPOS"], name_IDs=["*"]
    )
    path = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    whole = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(whole)
    whole.flavor = "woff2"
    return whole


def write_font(app: Sphinx, exception: Exception | None) -> None:
    """Write the font of the book's formulas beside its style sheets."""
    if exception or app.builder.format != "html":
        return
    documents = map(app.env.get_doctree, app.env.found_docs)
    text = "".join(characters(n.astext()) for one in documents for n in one.findall(is_math))
    with font(drawn(text)) as small:
        small.save(app.outdir / FONT)


def is_math(node: nodes.Node) -> bool:
    return isinstance(node, nodes.math | nodes.math_block)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
