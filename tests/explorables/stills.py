"""Draw the still picture of each explorable from the explorable itself, in a browser.

python tests/explorables/stills.py          writes rnncourse/explorables/stills/*.svg
"""

import re
import shutil
import sys
from pathlib import Path

from rnncourse import explorables
from rnncourse.explorables.base import FOLDER, source

CLASSES = [getattr(explorables, name) for name in explorables.__all__ if name != "Explorable"]
# A page of one explorable, as wide as the text of a chapter.
WIDTH = 736
# What only concerns the controls around the drawings.
CONTROLS = re.compile(r"button|input|fieldset|legend|slider|head|summary|print|OutputArea|data-")
COLLECT = """() => {
  const root = document.querySelector(".rnnx");
  const box = root.querySelector(".panels").getBoundingClientRect();
  const panels = [...root.querySelectorAll(".panels svg")].map((svg) => {
    const at = svg.getBoundingClientRect();
    const place = [at.left - box.left, at.top - box.top, at.width, at.height].map(Math.round);
    return [place, svg.innerHTML];
  });
  return [Math.round(box.width), Math.round(box.height), panels];
}"""


def still(browser, cls) -> str:
    """Return the picture of `cls` in its first state as the text of an SVG file."""
    page = browser.new_page(viewport={"width": WIDTH + 40, "height": 900})
    page.set_content(
        f'<html data-theme="light"><body style="width:{WIDTH}px">{cls().to_html()}</body></html>'
    )
    page.wait_for_selector(".rnnx .summary")
    page.wait_for_timeout(400)
    width, height, panels = page.evaluate(COLLECT)
    page.close()
    rules = [line for line in _rules(source("kit.css")) if not CONTROLS.search(line.split("{")[0])]
    drawn = "\n".join(
        f'<svg x="{x}" y="{y}" width="{w}" height="{h}">{inner}</svg>'
        for (x, y, w, h), inner in panels
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rnnx" viewBox="-12 -12 {width + 24} '
        f'{height + 24}" width="{width + 24}" height="{height + 24}">\n'
        f"<style>{''.join(rules)}</style>\n"
        f'<path d="M-12 -12h{width + 24}v{height + 24}H-12z" style="fill:var(--card);stroke:none"/>'
        f"\n{drawn}\n</svg>\n"
    )


def _rules(css: str) -> list[str]:
    return [rule.strip() + "}" for rule in re.sub(r"/\*.*?\*/", "", css).split("}") if rule.strip()]


def main() -> int:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        names = ("chromium", "chromium-browser", "google-chrome")
        found = next(filter(None, map(shutil.which, names)), play.chromium.executable_path)
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for cls in CLASSES:
            text = still(browser, cls)
            Path(FOLDER, "stills", f"{cls.name}.svg").write_text(text, encoding="utf-8")
            print(f"{cls.name}: {len(text.encode()):,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
