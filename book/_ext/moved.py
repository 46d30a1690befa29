"""Old addresses still lead somewhere: a small page stands where a whole chapter stood before.

Its script sends each anchor on to the page that has it now. An anchor that kept its name is found
by itself; `book/moved.yml` says where the others went.
"""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ID = re.compile(r'\bid="([^"]+)"')
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} — Recurrent neural networks</title>
<link rel="icon" href="../_static/logo.svg">
<noscript><meta http-equiv="refresh" content="0; url={first}"></noscript>
<script>
  {{
    const places = {places};
    const decoded = (_, code) => String.fromCharCode(parseInt(code, 16));
    let [anchor, before] = [location.hash.slice(1)]; // mail programs encode it, some of them twice
    while (anchor !== before) anchor = (before = anchor).replace(/%([0-7][\\da-f])/gi, decoded);
    const [page, target] = (places[anchor.split(/[?&]/)[0]] ?? "{first}").split("#");
    location.replace(page + location.search + (target ? `#${{target}}` : location.hash));
  }}
</script>
</head>
<body>
<h1>{title}</h1>
<p>This chapter is now several pages:</p>
<ul>
{links}</ul>
</body>
</html>
"""


def places(pages: dict[str, set[str]], moved: dict[str, str]) -> dict[str, str]:
    """Return where each anchor leads: to a page, which has it too, or to a page and its anchor.

    `pages` has the anchors of the chapter's pages; what stands in several leads to the first.
    """
    found = {anchor: page for page in reversed(pages) for anchor in sorted(pages[page])}
    return found | moved


def faults(pages: dict[str, set[str]], moved: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong in the lines of one chapter in `moved.yml`."""
    for anchor, place in moved.items():
        page, _, target = place.partition("#")
        if page not in pages or (target and target not in pages[page]):
            yield f"{anchor}: there is no {place}"


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write a page for each old chapter.

    Raises
    ------
    ExtensionError
        A line of `moved.yml` leads nowhere.
    """
    if exception or app.builder.format != "html":
        return
    table = Path(app.srcdir, "book", "moved.yml")
    for chapter, moved in yaml.safe_load(table.read_text(encoding="utf-8")).items():
        names = [n for n in app.env.collect_relations() if n.startswith(f"book/{chapter}/")]
        texts = [Path(app.outdir, f"{name}.html").read_text(encoding="utf-8") for name in names]
        pages = {
            name.rpartition("/")[2]: set(ID.findall(text[text.index("<article") :]))
            for name, text in zip(names, texts, strict=True)
        }
        if wrong := list(faults(pages, moved)):
            raise ExtensionError(f"{table.name}: {chapter}: " + "; ".join(wrong))
        page = old_page(chapter, pages, moved, [app.env.titles[name].astext() for name in names])
        Path(app.outdir, "book", f"{chapter}.html").write_text(page, encoding="utf-8")


def old_page(
    chapter: str, pages: dict[str, set[str]], moved: dict[str, str], titles: list[str]
) -> str:
    """Return the page that stands where the whole chapter stood."""
    leads = {
        anchor: f"{chapter}/{page}.html{mark}{target}"
        for anchor, place in places(pages, moved).items()
        for page, mark, target in [place.partition("#")]
    }
    links = "".join(
        f'<li><a href="{chapter}/{page}.html">{escape(title)}</a></li>\n'
        for page, title in zip(pages, titles, strict=True)
    )
    return PAGE.format(
        title=f"Chapter {chapter[0]}",
        places=json.dumps(leads, ensure_ascii=False).replace("<", "\\u003c"),
        first=f"{chapter}/{next(iter(pages))}.html",
        links=links,
    )


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
