"""What drives the explorables in a browser: the browser, a server of files, a key on a slider."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

# How long to wait for what must come, in ms. Only a test that fails waits so long.
PATIENCE = 120_000
# For a browser in a container, quiet and alone.
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def launch(play: Any) -> Any:
    """Start this machine's Chromium, or Playwright's own; return None if there is neither."""
    # The shell has no window around the page, which costs more than most pages do.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), play.chromium.executable_path)
    if not Path(found).exists():
        return None
    return play.chromium.launch(executable_path=found, args=FLAGS)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, and give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@contextmanager
def arriving(folder: Path, name: str, size: int) -> Iterator[tuple[str, Event]]:
    """Serve a folder, but of the page `name` only `size` bytes until the event is set."""
    rest = Event()

    class Slow(_Quiet):
        def do_GET(self):
            if self.path.partition("?")[0] != f"/{name}":
                return super().do_GET()
            content = (folder / name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:size])
            self.wfile.flush()
            rest.wait(PATIENCE / 1000)
            self.wfile.write(content[size:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", rest
    finally:
        rest.set()
        server.shutdown()
        server.server_close()


# For `add_init_script`: adds up by how much the page's layout shifts by itself.
SHIFTS = """globalThis.shifted = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
  if (!entry.hadRecentInput) shifted += entry.value;
})).observe({ type: "layout-shift", buffered: true });"""


def open_more(root: Any) -> None:
    """Open what a figure, or each one of a page, has under "More", and wait until it is drawn."""
    root.locator(".more").evaluate_all("all => all.forEach((more) => (more.open = true))")
    drawn(getattr(root, "page", root))


def nudge(slider: Any) -> None:
    """Move a slider by one step with an arrow key, away from its end if it is there."""
    slider.focus()
    at_end = slider.evaluate("e => Number(e.value) === Number(e.max)")
    slider.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")


def drawn(page: Any) -> None:
    """Wait until the page has drawn its last change.

    A page runs its frames in their order, however busy the machine is. A figure draws a change in
    the next frame, and a new width in the one behind it.
    """
    page.evaluate(
        """() => new Promise((done) => {
          const frames = (n) => (n ? requestAnimationFrame(() => frames(n - 1)) : done());
          frames(3);
        })"""
    )


def settle(page: Any) -> None:
    """Wait until the page has drawn its last change and its summary speaks of it.

    The summary changes when a timer of 150 ms runs out: one that starts later runs out later. A
    playground is busy until its worker has found the first gradient.
    """
    drawn(page)
    page.wait_for_function("!document.querySelector('.rnnx[aria-busy]')", timeout=PATIENCE)
    drawn(page)
    page.evaluate("() => new Promise((done) => setTimeout(done, 150))")


def reloaded_until(page: Any, condition: str) -> None:
    """Load a page anew until a condition is true: what another page has stored may come late."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.reload()
    raise AssertionError(f"it never came: {condition}")


# In a page: the texts in `root`, each with its place, and the pairs of them that meet.
TEXTS = """const textsOf = (root) => [...root.querySelectorAll("text")]
  .map((x) => [x.textContent, x.getBoundingClientRect()]).filter(([, b]) => b.width);
const pairs = (texts) => texts.flatMap(([one, a], i) => texts.slice(0, i).filter(([, b]) =>
  Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
  Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5).map(([other]) => [one, other]));
"""


def meeting(root: Any) -> list[list[str]]:
    """Return the pairs of texts in one drawing of a page or figure that lie over each other."""
    return root.locator("svg[role=img]").evaluate_all(
        f"(all) => {{ {TEXTS} return all.flatMap((svg) => pairs(textsOf(svg))); }}"
    )


def follow(page: Any, link: str) -> None:
    """Set the page's fragment, a new one, and wait until the figures have heard of it."""
    page.evaluate(
        """(link) => new Promise((done) => {
          addEventListener("hashchange", () => done(), { once: true }); // the figures were first
          location.hash = link;
        })""",
        link,
    )
