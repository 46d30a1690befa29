"""Draw the pictures of the site that are no SVG: icons, the picture for previews, README's.

python tests/site/pictures.py          writes book/_static/*.png; `make book` first
"""

import re
import sys
from io import BytesIO
from pathlib import Path

from browsers import launch

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "book" / "_static"
FRONT = ROOT / "_build" / "html" / "book" / "index.html"
CARD = """
<meta charset="utf-8">
<style>
  body { margin: 0; display: grid; align-content: center; gap: 56px; width: 1200px; height: 630px;
         box-sizing: border-box; padding: 70px 80px; background: #eef5fa; color: #1f2933;
         font: 40px system-ui, sans-serif; }
  h1 { font-size: 74px; letter-spacing: -2px; white-space: nowrap; margin: 0 0 18px; }
  p { margin: 0; color: #52606d; }
</style>
<div><h1>Recurrent neural networks</h1><p>A course to read and to play with</p></div>
<svg viewBox="0 0 1040 150" width="1040">%s</svg>
"""


def steps() -> str:
    """Return six steps of a state that fades."""
    parts, h = [], 1.0
    for x in range(75, 1000, 178):
        fill = f"color-mix(in srgb, #0072b2 {100 * h:.0f}%, #ffffff)"
        rim = "#0072b2"
        parts.append(
            f'<circle cx="{x}" cy="75" r="52" fill="{fill}" stroke="{rim}" stroke-width="6"/>'
        )
        if x < 900:
            parts.append(
                f'<path d="M{x + 62} 75h48m-14 -13 14 13-14 13" fill="none" stroke="{rim}" '
                f'stroke-width="{max(3, 9 * h):.0f}" stroke-linecap="round" '
                f'opacity="{max(0.35, h)}"/>'
            )
        h *= 0.62
    return "".join(parts)


def picture(browser, text: str, width: int, height: int, clear: bool = False) -> bytes:
    """Return a page of this size as PNG."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_content(text)
    data = page.screenshot(omit_background=clear)
    page.close()
    return data


def front_page(browser) -> bytes:
    """Return the front page after a run of its network as PNG."""
    page = browser.new_page(viewport={"width": 1200, "height": 820}, reduced_motion="reduce")
    page.goto(FRONT.as_uri())
    page.locator(".course-hero .start").click()
    page.wait_for_selector(".course-hero[data-state=done]")
    data = page.screenshot()
    page.close()
    return data


def main() -> int:
    """Write all pictures."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    logo = re.sub("<svg ", '<svg width="100%" ', (STATIC / "logo.svg").read_text(encoding="utf-8"))
    icon = f'<body style="margin: 0">{logo}'
    square = icon.replace('rx="14"', "")  # a phone rounds the corners itself
    with sync_playwright() as play:
        browser = launch(play)
        if browser is None:
            sys.exit("No browser is set up: `make browser` sets one up.")
        for name, data in {
            "favicon.png": picture(browser, icon, 32, 32, clear=True),
            "touch-icon.png": picture(browser, square, 180, 180),
            "preview.png": picture(browser, CARD % steps(), 1200, 630),
            "readme.png": front_page(browser),
        }.items():
            image = Image.open(BytesIO(data))
            if name in ("preview.png", "readme.png"):
                image = image.convert("RGB").quantize(64)
            image.save(STATIC / name, optimize=True)
            print(f"{name}: {(STATIC / name).stat().st_size:,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
