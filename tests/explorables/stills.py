"""Draw the still picture of each explorable from the explorable itself, in a browser.

python tests/explorables/stills.py          writes rnncourse/explorables/stills/*.svg
"""

import sys
from pathlib import Path

from browsers import launch, settle

from rnncourse import explorables
from rnncourse.explorables.base import FOLDER, source, words

_by_name = {c.name: c for c in vars(explorables).values() if hasattr(c, "name")}
# In the order of the chapters, which is that of the catalogue.
CLASSES = [_by_name[name] for name in words() if name != "kit"]
# A page of one explorable, as wide as the text of a chapter.
WIDTH = 736
COLLECT = """() => {
  const root = document.querySelector(".rnnx");
  const box = root.querySelector(":scope > .panels").getBoundingClientRect();
  const panels = [...root.querySelectorAll(":scope > .panels svg[role=img]")].map((svg) => {
    const at = svg.getBoundingClientRect();
    const place = [at.left - box.left, at.top - box.top, at.width, at.height].map(Math.round);
    // Well-formed, and with the namespace of the HTML in it.
    const parts = [...svg.childNodes].map((part) => new XMLSerializer().serializeToString(part));
    return [place, parts.join("").replaceAll(' xmlns="http://www.w3.org/2000/svg"', "")];
  });
  const bottom = Math.max(...panels.map(([[, y, , height]]) => y + height));
  return [Math.round(box.width), bottom, panels];
}"""


def still(browser, cls) -> str:
    """Return the picture of `cls` in its first state as the text of an SVG file."""
    page = browser.new_page(viewport={"width": WIDTH + 40, "height": 900})
    page.set_content(
        f'<html data-theme="light"><body style="width:{WIDTH}px">{cls().to_html()}</body></html>'
    )
    page.wait_for_selector(".rnnx .summary")
    settle(page)
    width, height, panels = page.evaluate(COLLECT)
    page.close()
    colors, drawing = _styles()
    drawn = "\n".join(
        f'<svg x="{x}" y="{y}" width="{w}" height="{h}">{inner}</svg>'
        for (x, y, w, h), inner in panels
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rnnx" viewBox="-16 -12 {width + 32} '
        f'{height + 24}" width="{width + 32}" height="{height + 24}">\n'
        f"<style>.rnnx {{{colors} font-family: system-ui, sans-serif; }}\n{drawing}</style>\n"
        f'<path d="M-16 -12h{width + 32}v{height + 24}H-16z" style="fill:var(--card);stroke:none"/>'
        f"\n{drawn}\n</svg>\n"
    )


def _styles() -> tuple[str, str]:
    """Return the light palette and the rules for what is drawn, from the kit's style sheet."""
    css = source("kit.css")
    colors = css[css.index("--ink") : css.index("color: var(--ink)")].replace("\n", " ")
    return colors, css[css.index(".rnnx text {") : css.index(".rnnx [data-click]")]


def main() -> int:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = launch(play)
        if browser is None:
            sys.exit("No browser is set up: `make browser` sets one up.")
        for cls in CLASSES:
            text = still(browser, cls)
            Path(FOLDER, "stills", f"{cls.name}.svg").write_text(text, encoding="utf-8")
            print(f"{cls.name}: {len(text.encode()):,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
