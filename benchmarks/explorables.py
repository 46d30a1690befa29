"""Bytes and update times of the interactive figures, measured in a browser, and the pages' weight.

python benchmarks/explorables.py        prints a table; build the book first (`make book`)

An update is what one change of a slider costs in script: numbers, drawing and text. Each is 300
updates with random values on every slider, after a warm-up, in a page of its own.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from rnncourse.explorables.base import module, source, words

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "explorables"))
from browsers import launch  # noqa: E402
from stills import CLASSES  # noqa: E402

SITE = ROOT / "_build" / "html"
PAGES = ("1-structure", "2-backpropagation", "3-gradients", "4-lstm")
UPDATE = """() => {
  const { root, redraw } = document.querySelector(".rnnx").explorable;
  const times = [];
  for (let i = 0; i < 330; i++) {
    for (const input of root.querySelectorAll("input[type=range]")) {
      input.value = +input.min + Math.random() * (input.max - input.min);
      input.oninput();
    }
    const start = performance.now();
    redraw();
    times.push(performance.now() - start);
  }
  return times.slice(30).sort((a, b) => a - b);
}"""


def main() -> int:
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = launch(play)
        if browser is None:
            sys.exit("No browser is set up: `make browser` sets one up.")
        kit = len(source("kit.js").encode())
        print(f"kit.js {kit:,}   kit.css {len(source('kit.css').encode()):,}", end="   ")
        print(f"twin.js {len(source('twin.js').encode()):,} bytes\n")
        print(f"{'explorable':<12} {'script':>7} {'words':>6} {'twin':>7}  median   worst, ms")
        for cls in CLASSES:
            twin = cls().to_html()
            path = Path(folder, f"{cls.name}.html")
            path.write_text(f"<!doctype html><meta charset=utf-8><body>{twin}", encoding="utf-8")
            page = browser.new_page(viewport={"width": 780, "height": 900})
            page.goto(path.as_uri())
            page.wait_for_selector(".rnnx .summary")
            page.wait_for_timeout(500)
            times = page.evaluate(UPDATE)
            page.close()
            script = len(module(cls.name).encode()) - kit
            said = sum(len(w.encode()) for w in words()[cls.name].values())
            print(
                f"{cls.name:<12} {script:>7,} {said:>6,} {len(twin.encode()):>7,}"
                f"  {times[len(times) // 2]:>6.1f}  {times[-1]:>6.1f}"
            )
        for name in PAGES:
            size = (SITE / "book" / f"{name}.html").stat().st_size
            print(f"{name}: {size / 1e3:,.0f} kB of HTML")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
