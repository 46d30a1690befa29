"""Draw matplotlib's figures into the pages, in the page's own colors.

A notebook keeps a figure as an SVG file. Shown by an `<img>` it would not know the page's theme, so
the build writes the drawing into the page. On the way its colors become the page's variables, its
white ground goes, its letters are kept once a page, and its numbers lose the digits that no eye can
see. A color outside the palette would be wrong on some theme, and is a warning of the build.
"""

import base64
import io
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from docutils import nodes
from matplotlib.colors import to_hex
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util import logging

from rnncourse.figures import LIGHT

logger = logging.getLogger(__name__)

VARIABLES = {color: f"var(--course-{role})" for role, color in LIGHT.items()}
PIXELS = 1.4  # of the page to a point of matplotlib, where the page is wide enough
LONG = 2000  # from so many characters on, a path is a curve, whose points need one decimal only

LINK = "{http://www.w3.org/1999/xlink}href"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
COLOR = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl)a?\(")
TRANSFORM = re.compile(r"(\w+)\(([^)]*)\)")


def rounded(text: str, digits: int = 2) -> str:
    """Return `text` with its numbers rounded, and written as short as they can be."""

    def short(match: re.Match[str]) -> str:
        number = f"{float(match.group()):.{digits}f}"
        number = re.sub(r"\.?0+$", "", number) if "." in number else number
        return "0" if number == "-0" else re.sub(r"^(-?)0\.", r"\1.", number)

    return NUMBER.sub(short, text)


def path_data(text: str, digits: int = 2) -> str:
    """Return the data of a path, rounded, without a blank that is not needed."""
    text = " ".join(rounded(text, digits).split())
    return re.sub(r" ?([A-Za-z]) ?", r"\1", text).replace(" -", "-")


def declarations(style: str) -> dict[str, str]:
    """Return what a style attribute declares, with the page's variables for colors."""
    found = {}
    for declaration in filter(str.strip, style.split(";")):
        name, value = (part.strip() for part in declaration.split(":", 1))
        known = VARIABLES.get(value.lower(), value)
        found[name] = rounded(value) if NUMBER.match(value) else known
    return found


class Letters:
    """The letters of a page's drawings, each drawn once."""

    SCALE = "scale(0.015625)"  # by which matplotlib's letters are known

    def __init__(self) -> None:
        self.shapes: dict[str, str] = {}  # by matplotlib's name, such as DejaVuSans-41

    def add(self, letter: Element) -> None:
        self.shapes.setdefault(letter.attrib["id"], path_data(letter.get("d", ""), 0))

    def id(self, name: str) -> str:
        return f"letter{list(self.shapes).index(name)}"

    def html(self) -> str:
        """Return what the drawings link to, itself out of sight."""
        paths = (
            f'<path id="{self.id(name)}" transform="{self.SCALE}" d="{shape}"/>'
            for name, shape in self.shapes.items()
        )
        return f'<svg class="course-letters" aria-hidden="true">{"".join(paths)}</svg>'


class Drawing:
    """One figure on its way into a page.

    Parameters
    ----------
    svg : str
        As matplotlib wrote it.
    prefix : str
        Begins each id, so that ids are unique in the page.
    letters : Letters
        Those of the page so far; those of this drawing are added.

    Attributes
    ----------
    strange : set of str
        Colors that are not of the palette, once `html` was called.
    """

    def __init__(self, svg: str, prefix: str, letters: Letters) -> None:
        self.root = fromstring(svg)
        self.prefix, self.letters = prefix, letters
        self.by_id = {e.attrib["id"]: e for e in self.root.iter() if "id" in e.attrib}
        self.ground = self.by_id.get("patch_1")
        self.linked = {e.attrib[LINK][1:] for e in self.root.iter() if LINK in e.attrib}
        self.linked |= set(re.findall(r"url\(#([^)]+)\)", svg))
        self.strange: set[str] = set()

    def html(self, label: str) -> str:
        """Return the drawing as an element of the page, named by `label`."""
        width, height = (float(n) for n in self.root.attrib["viewBox"].split()[2:])
        attributes = {
            "class": "course-figure",
            "role": "img",
            "aria-label": escape(" ".join(label.split())),
            "width": f"{PIXELS * width:.0f}",
            "height": f"{PIXELS * height:.0f}",
            "viewBox": rounded(f"0 0 {width} {height}"),
        }
        return written("svg", attributes, "".join(map(self._written, self.root)))

    def _written(self, element: Element) -> str:
        """Return an element and all that is in it."""
        tag = element.tag.rpartition("}")[2]
        if tag in ("metadata", "style") or element is self.ground:
            return ""
        if self._is_letter(element):
            self.letters.add(element)
            return ""
        if tag == "image" and (mask := self._mask(element)):
            return mask
        attributes = dict(self._attributes(element))
        if attributes.get("style") == "fill:none":  # the ground of axes
            return ""
        content = "".join(map(self._written, element))
        if tag in ("g", "defs") and not content:
            return ""
        return content if tag == "g" and not attributes else written(tag, attributes, content)

    def _attributes(self, element: Element) -> Iterator[tuple[str, str]]:
        """Yield what is written of an element's attributes."""
        for name, value in element.attrib.items():
            if name == "id":
                if value in self.linked:
                    yield name, self.prefix + value
            elif name == LINK:
                target = value[1:]
                letter = target in self.by_id and self._is_letter(self.by_id[target])
                yield "href", f"#{self.letters.id(target) if letter else self.prefix + target}"
            elif name == "clip-path":
                yield name, value.replace("#", f"#{self.prefix}")
            elif name == "d":
                yield name, path_data(value, 1 if len(value) > LONG else 2)
            elif name == "transform":
                parts = TRANSFORM.findall(value)
                if element.tag.endswith("}use") and [part for part, _ in parts] == ["translate"]:
                    yield from zip("xy", rounded(parts[0][1]).split(), strict=True)
                else:
                    short = (f"{p}({rounded(n, 2 if p == 'translate' else 5)})" for p, n in parts)
                    yield name, " ".join(short)
            elif name == "style":
                if style := self._style(element):
                    yield name, style
            else:
                yield name, rounded(value)

    def _style(self, element: Element) -> str:
        style = declarations(element.attrib["style"])
        # What a marker declares itself need not be said at each of its places.
        target = self.by_id.get(element.get(LINK, "#")[1:])
        own = {} if target is None else declarations(target.get("style", ""))
        style = {name: value for name, value in style.items() if own.get(name) != value}
        self.strange |= {value for value in style.values() if COLOR.match(value)}
        return ";".join(f"{name}:{value}" for name, value in style.items())

    def _is_letter(self, element: Element) -> bool:
        return element.get("transform") == Letters.SCALE

    def _mask(self, image: Element) -> str:
        """Return an image of one color, more or less full, as a mask over that color; else ""."""
        start, _, data = image.attrib[LINK].partition("base64,")
        *channels, fullness = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA").split()
        low, high = zip(*(channel.getextrema() for channel in channels), strict=True)
        color = to_hex([value / 255 for value in low])
        if low != high or color not in VARIABLES:
            self.strange.add("an image in colors of its own")
            return ""
        file = io.BytesIO()
        fullness.save(file, "png", optimize=True)
        address = f"{start}base64,{base64.b64encode(file.getvalue()).decode()}"
        name = self.prefix + image.attrib["id"]
        size = {"width": f"{fullness.width}", "height": f"{fullness.height}"}
        mask = {"id": name, "maskUnits": "userSpaceOnUse", "x": "0", "y": "0", **size}
        area = {**size, "mask": f"url(#{name})", "style": f"fill:{VARIABLES[color]}"}
        place = {k: v for k, v in self._attributes(image) if k == "transform"}
        picture = written("image", {"href": address, **size})
        return written("g", place, written("mask", mask, picture) + written("rect", area))


def written(tag: str, attributes: dict[str, str], content: str = "") -> str:
    """Return an element of SVG."""
    start = "".join([tag, *(f' {name}="{value}"' for name, value in attributes.items())])
    return f"<{start}>{content}</{tag}>" if content else f"<{start}/>"


def inline_figures(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the drawings of a notebook into its page, in the place of their images."""
    if app.builder.format != "html":
        return
    letters = Letters()
    for number, image in enumerate(list(doctree.findall(nodes.image)), start=1):
        file = Path(app.srcdir, image["uri"])
        if file.suffix != ".svg" or "jupyter_execute" not in file.parts:
            continue
        drawing = Drawing(file.read_text(encoding="utf-8"), f"fig{number}-", letters)
        image.replace_self(nodes.raw("", drawing.html(image.get("alt", "")), format="html"))
        for color in sorted(drawing.strange):
            logger.warning(
                "%s: drawing %d has a color outside the palette: %s", page, number, color
            )
    if letters.shapes:
        doctree.insert(0, nodes.raw("", letters.html(), format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", inline_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
