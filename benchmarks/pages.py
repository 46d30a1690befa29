"""What every built page costs a reader with a phone, measured in Chromium.

    python benchmarks/pages.py                     the book in _build/html (`make book` builds it)
    python benchmarks/pages.py BEFORE AFTER        two built sites, loaded in turn, side by side
    python benchmarks/pages.py --quick             one load at full speed; fails past the limits
    python benchmarks/pages.py --page 3-gradients  only pages with this in their name

A phone: 390 × 844 pixels, a processor slowed four times, 10 Mbit/s, answers 40 ms late, all text
packed with gzip, nothing in the cache; the median of three loads. Each row tells

- answer: seconds until the page's first interactive figure can be played with,
- block: seconds in which the page could not answer (what its tasks take beyond 50 ms each),
- shift: how far the page moves under the reader's eyes (the sum of its layout shifts),
- deep: the same where a link leads to a section far down the page,
- kB: what comes over the line; open kB: the same unpacked; files: how many requests it takes.
"""

import argparse
import gzip
import math
import mimetypes
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "explorables"))
from browsers import PATIENCE, launch  # noqa: E402

SITE = ROOT / "_build" / "html"
TEXT = {".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt", ".xml", ".ttf", ".ipynb"}
LINE = {
    "offline": False,
    "latency": 40,
    "downloadThroughput": 10e6 / 8,
    "uploadThroughput": 5e6 / 8,
}

# Runs in the page before anything else: long tasks, shifts, when a figure answers, the last event.
WATCH = """(() => {
  const seen = (window.seen = { blocked: 0, shift: 0, answers: null, last: 0 });
  const watch = (type, note) =>
    new PerformanceObserver((list) => {
      seen.last = performance.now();
      list.getEntries().forEach(note);
    }).observe({ type, buffered: true });
  watch("longtask", (task) => (seen.blocked += Math.max(0, task.duration - 50)));
  watch("layout-shift", (move) => (seen.shift += move.hadRecentInput ? 0 : move.value));
  watch("resource", () => {});
  const look = () => {
    const control = document.querySelector("[data-explorable] :is(input, button)");
    if (!control) return setTimeout(look, 20);
    // It is there; two frames later it is on the screen as well.
    requestAnimationFrame(() => requestAnimationFrame(() => (seen.answers = performance.now())));
  };
  look();
})()"""
# Loaded, no figure waits to be mounted, and nothing has happened for a while.
QUIET = """(ms) => document.readyState === "complete"
  && (seen.answers || !document.querySelector("[data-explorable]"))
  && performance.now() - Math.max(seen.last, performance.timing.loadEventEnd
     - performance.timing.navigationStart) > ms"""


@dataclass(frozen=True)
class Cost:
    """What a page costs; a time or shift that there is not is NaN."""

    answers: float
    blocked: float
    shift: float
    deep_shift: float
    kB: float
    unpacked: float
    files: float


HEADS = ("answer", "block", "shift", "deep", "kB", "open kB", "files")
DIGITS = (1, 1, 3, 3, 0, 0, 0)
# What a page may cost at most. Times depend on the machine: they are shown, never judged.
LIMITS = Cost(math.inf, math.inf, shift=0.02, deep_shift=0.02, kB=300, unpacked=1200, files=25)


def excess(cost: Cost) -> list[str]:
    """Return in words where a page costs more than it may."""
    rows = zip(HEADS, DIGITS, astuple(cost), astuple(LIMITS), strict=True)
    return [f"{h} {c:,.{d}f}, at most {most:,g}" for h, d, c, most in rows if c > most]


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """Serve a site as a good server does, text packed with gzip, and give its address."""

    @cache
    def body(path: Path) -> bytes:
        return gzip.compress(path.read_bytes()) if path.suffix in TEXT else path.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # one connection serves many requests

        def do_GET(self) -> None:
            path = site / unquote(urlsplit(self.path).path).lstrip("/")
            found = path.is_file()
            content = body(path) if found else b""
            self.send_response(200 if found else 404)
            kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path)[0]
            self.send_header("Content-Type", kind or "application/octet-stream")
            if found and path.suffix in TEXT:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def load(browser: Any, address: str, quick: bool) -> Cost:
    """Open a page with an empty cache, wait until it is quiet, and return what it cost."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    client = context.new_cdp_session(page)
    packed, unpacked, files = [], [], []

    def asked(event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):  # not what stands in the page itself
            files.append(event["request"]["url"])

    client.on("Network.requestWillBeSent", asked)
    client.on("Network.loadingFinished", lambda e: packed.append(e["encodedDataLength"]))
    client.on("Network.dataReceived", lambda e: unpacked.append(e["dataLength"]))
    client.send("Network.enable")
    if not quick:
        client.send("Network.emulateNetworkConditions", LINE)
        client.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_function(QUIET, arg=200 if quick else 1500)
    seen = page.evaluate("seen")
    context.close()
    answers = math.nan if seen["answers"] is None else seen["answers"] / 1000
    kB, whole = sum(packed) / 1000, sum(unpacked) / 1000
    return Cost(answers, seen["blocked"] / 1000, seen["shift"], math.nan, kB, whole, len(files))


def far_down(page: Path) -> str | None:
    """Return a section far down in a page: its key points, or else its last one."""
    sections = re.findall(r'<section [^>]*?\bid="([^"]+)"', page.read_text(encoding="utf-8"))
    return "key-points" if "key-points" in sections else next(reversed(sections), None)


def measure(browser: Any, addresses: dict[Path, str], name: str, quick: bool) -> list[Cost | None]:
    """Return what one page costs in each of the sites, which are loaded in turn."""
    having = [site for site in addresses if (site / name).is_file()]
    runs: dict[Path, list[Cost]] = {site: [] for site in having}
    for _ in range(1 if quick else 3):
        for site in having:
            runs[site].append(load(browser, addresses[site] + name, quick))
    found: dict[Path, Cost] = {}
    for site in having:
        middle = Cost(*map(statistics.median, zip(*map(astuple, runs[site]), strict=True)))
        section = far_down(site / name)
        link = f"{addresses[site]}{name}#{section}"
        deep = load(browser, link, quick).shift if section else math.nan
        found[site] = replace(middle, deep_shift=deep)
    return [found.get(site) for site in addresses]


def pages(site: Path) -> set[str]:
    """Return the pages of a built site, without those that only lead on to another."""
    found = (p for p in site.rglob("*.html") if "_static" not in p.parts)
    return {
        p.relative_to(site).as_posix()
        for p in found
        if not re.search(r'http-equiv="refresh"', p.read_text(encoding="utf-8")[:2000], re.I)
    }


def report(
    browser: Any,
    sites: Sequence[Path],
    names: Sequence[str],
    quick: bool,
    out: TextIO | None = None,
) -> list[str]:
    """Print the table, row by row, and return in words where the last site costs too much."""
    faults = []
    wide, column = max(map(len, names)), 6 if len(sites) == 1 else 15
    print(" " * wide + "".join(f"  {head:>{column}}" for head in HEADS), file=out)
    with ExitStack() as stack:
        addresses = {site: stack.enter_context(serving(site)) for site in sites}
        for name in names:
            costs = measure(browser, addresses, name, quick)
            print(f"{name:<{wide}}{row(costs)}", file=out, flush=True)
            if costs[-1]:
                faults += [f"{name}: {fault}" for fault in excess(costs[-1])]
    return faults


def row(costs: Sequence[Cost | None]) -> str:
    """Return a line of the table; what was before and what is after stand side by side."""
    line = ""
    for field, digits in enumerate(DIGITS):
        values = [math.nan if c is None else astuple(c)[field] for c in costs]
        texts = ["–" if math.isnan(v) else f"{v:,.{digits}f}" for v in values]
        line += "  " + " → ".join(f"{text:>6}" for text in texts)
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if, with --quick, a page of the last site costs too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sites", nargs="*", type=Path, default=[SITE], help="built sites")
    parser.add_argument("--quick", action="store_true", help="one load at full speed, and limits")
    parser.add_argument("--page", default="", help="only pages with this in their name")
    options = parser.parse_args(arguments)
    sites = [site.resolve() for site in options.sites]
    names = sorted({n for site in sites for n in pages(site) if options.page in n})
    if not names:
        sys.exit("No such page: `make book` builds them.")
    with sync_playwright() as play:
        browser = launch(play)
        if browser is None:
            sys.exit("No browser is set up: `make browser` sets one up.")
        faults = report(browser, sites, names, options.quick)
        browser.close()
    if options.quick:
        print("\n".join(faults))
    return bool(options.quick and faults)


if __name__ == "__main__":
    sys.exit(main())
