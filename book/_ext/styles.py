"""One style sheet for the whole site, without the rules that none of its pages can use.

The theme and its companions bring nine sheets and half a megabyte, most of it for things that the
course does not have. A rule goes if it asks for a class or an id that no page and no script names.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tinycss2
from sphinx.application import Sphinx
from tinycss2.ast import AtRule, Node, QualifiedRule

SHEET = "site.css"
GROUPS = {"media", "supports", "layer", "container"}
# The theme's templates name these themselves, all others are registered with Sphinx.
THEME = ["basic.css", "styles/theme.css", "styles/pydata-sphinx-theme.css"]
FONT = re.compile(r"""@font-face\s*\{[^}]*?url\(["']?(?P<path>[^"')]+)[^}]*\}\n?""")
SCRIPT = re.compile(r'<script\b[^>]*\bsrc="([^"?]+)')
NAME = re.compile(r"-?[A-Za-z_][\w-]*")


def names(page: str) -> set[str]:
    """Return the classes and ids that an HTML page has, and every word of its scripts."""
    found = set()
    for _, value in re.findall(r"""\b(?:class|id)=(["'])(.*?)\1""", page, re.DOTALL):
        found.update(value.split())
    scripts = re.findall(r"<script\b[^>]*>(.*?)</script>", page, re.DOTALL)
    return found.union(*map(NAME.findall, scripts))


def lean(css: str, used: set[str]) -> str:
    """Return a style sheet without the rules for classes and ids that are not `used`."""
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "".join(_lean(rules, used))


def _lean(rules: Iterable[Node], used: set[str]) -> Iterator[str]:
    for rule in rules:
        if isinstance(rule, QualifiedRule):
            kept = [one for one in _selectors(rule.prelude) if _asks_for(one) <= used]
            body = tinycss2.serialize(rule.content).strip()
            if kept and body:
                yield f"{','.join(tinycss2.serialize(one).strip() for one in kept)}{{{body}}}\n"
        elif isinstance(rule, AtRule) and rule.lower_at_keyword in GROUPS and rule.content:
            inside = "".join(_lean(tinycss2.parse_rule_list(rule.content, True, True), used))
            if inside:
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{\n{inside}}}\n"
        elif isinstance(rule, AtRule) and rule.lower_at_keyword not in ("charset", "import"):
            yield f"{rule.serialize()}\n"


def _selectors(tokens: list[Node]) -> list[list[Node]]:
    """Split a list of selectors at its commas; those within brackets are not its own."""
    found: list[list[Node]] = [[]]
    for token in tokens:
        if token == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def _asks_for(selector: list[Node]) -> set[str]:
    """Return the classes and ids without which a selector fits nothing; :is(…) asks for none."""
    asked = {token.value for token in selector if token.type == "hash"}
    for dot, token in pairwise(selector):
        if dot == "." and token.type == "ident":
            asked.add(token.value)
    return asked


def with_fonts(css: str, folder: Path) -> str:
    """Return a style sheet that carries its fonts, so that no text jumps when they come.

    Fonts that do not stand in `folder` go: the theme has some for its icons, and ours are drawn.
    """

    def carry(match: re.Match[str]) -> str:
        path = folder / match["path"]
        if not path.is_file():
            return ""
        data = b64encode(path.read_bytes()).decode()
        return match.group().replace(match["path"], f"data:font/woff2;base64,{data}")

    return FONT.sub(carry, css)


def write_sheet(app: Sphinx, exception: Exception | None) -> None:
    """Write the site's style sheet, when all pages and scripts are there to be asked."""
    if exception or app.builder.format != "html":
        return
    static = app.outdir / "_static"
    used: set[str] = set()
    scripts: set[Path] = set()
    for path in app.outdir.rglob("*.html"):
        if static not in path.parents:
            page = path.read_text(encoding="utf-8")
            used |= names(page)
            scripts |= {(path.parent / src).resolve() for src in SCRIPT.findall(page)}
    for script in scripts:
        used.update(NAME.findall(script.read_text(encoding="utf-8")))
    sheets = [static / name for name in THEME]
    registered = sorted(app.builder._css_files, key=lambda sheet: sheet.priority)
    for sheet in registered:
        path = static.parent / urlsplit(str(sheet.filename)).path
        if path not in sheets and path.suffix == ".css":
            sheets.append(path)
    whole = "".join(lean(path.read_text(encoding="utf-8"), used) for path in sheets)
    (static / SHEET).write_text(with_fonts(whole, static), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write_sheet, priority=900)  # when all are there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
