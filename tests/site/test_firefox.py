"""The chapters in Firefox: no error, every figure answers to a key, formulas and search are there.

Firefox is driven over WebDriver BiDi, the protocol that it speaks by itself.
"""

import itertools
import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in (SITE / "book").glob("*-*/*.html")
    if "data-explorable" in path.read_text(encoding="utf-8")
)
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PATIENCE = 40  # seconds; only a test that fails waits so long
KEYS = {"Control": "\ue009", "Enter": "\ue007", "ArrowLeft": "\ue012", "ArrowRight": "\ue014"}
# A fresh profile that asks nothing of anyone.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
}


# Firefox says this of a formula that it lays out while a part of it still arrives, too. So it is
# asked of the whole page how many are malformed.
ARRIVING = "Invalid markup: Incorrect number of children for <"
MALFORMED = """[...document.querySelectorAll("math *")].filter((one) => {
  const two = ["mfrac", "mroot", "msub", "msup", "munder", "mover"].includes(one.localName);
  const three = ["msubsup", "munderover"].includes(one.localName);
  return (two || three) && one.childElementCount !== (two ? 2 : 3);
}).length"""


class Firefox:
    """One window of Firefox."""

    def __init__(self, socket) -> None:
        self.socket, self.ids, self.errors = socket, itertools.count(), []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self.window = self.send("browsingContext.getTree")["contexts"][0]["context"]
        self.send("browsingContext.activate", context=self.window)  # or nothing gets the focus

    def send(self, method, **params):
        """Send a command, and return its result; errors of the page are noted meanwhile."""
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(PATIENCE + 20))
            if message.get("method") == "log.entryAdded":
                entry = message["params"]
                own = entry["source"].get("context") == self.window
                if entry["level"] == "error" and own and ARRIVING not in entry["text"]:
                    self.errors.append(entry["text"])
            elif message.get("id") == number:
                assert message["type"] == "success", message
                return message["result"]

    def open(self, address):
        self.send("browsingContext.navigate", context=self.window, url=address, wait="complete")

    def run(self, expression):
        """Return the value of a JavaScript expression, a text or a number."""
        result = self.send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression}) ?? null))()",
            target={"context": self.window},
            awaitPromise=True,
        )
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"])

    def wait(self, condition):
        """Wait until a JavaScript expression is true, also if the page gives way to another."""
        end = monotonic() + PATIENCE
        while monotonic() < end:
            with suppress(AssertionError):  # between two pages there is none to ask
                result = self.send(
                    "script.evaluate",
                    expression=f"Boolean({condition})",
                    target={"context": self.window},
                    awaitPromise=False,
                )
                if result.get("result", {}).get("value"):
                    return
            sleep(0.02)
        pytest.fail(f"it never came: {condition}")

    def press(self, *keys):
        """Press keys together: press("Control", "k")."""
        codes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": "keyDown", "value": code} for code in codes]
        actions += [{"type": "keyUp", "value": code} for code in reversed(codes)]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.send("input.performActions", context=self.window, actions=[source])


def listening(said):
    """Return the address that Firefox listens at, once it has written it into its profile."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        with suppress(FileNotFoundError, ValueError):  # not there yet, or half of it
            server = json.loads(said.read_text(encoding="utf-8"))
            return f"ws://{server['ws_host']}:{server['ws_port']}"
        sleep(0.02)
    pytest.fail("Firefox never said where it listens")


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """A Firefox without a screen, with a profile of its own."""
    if FIREFOX is None:
        pytest.skip("no Firefox: on Debian, `apt-get install firefox-esr`")
    driver = pytest.importorskip(
        "websockets.sync.client", reason="nothing to drive Firefox: `make browser` brings it"
    )
    profile = tmp_path_factory.mktemp("profile")
    lines = [f'user_pref("{k}", {json.dumps(v)});\n' for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [FIREFOX, "--headless", "--no-remote", "--remote-debugging-port", "0"]
    command += ["--profile", str(profile)]
    # No pipe to it: one stays open as long as any of its processes lives.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = listening(profile / "WebDriverBiDiServer.json")
        with driver.connect(f"{address}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.kill()
        process.wait()


# What the n-th figure shows, and its first slider that can be moved.
FIGURE = "document.querySelectorAll('[data-explorable]')[%d]"
SHOWN = f"[...{FIGURE}.querySelectorAll('svg, output')].map((one) => one.innerHTML).join()"
SLIDER = f"""[...{FIGURE}.querySelectorAll('input[type=range]')]
  .find((one) => one.checkVisibility() && !one.disabled)"""
FOCUS = "(e) => { e.focus(); return Number(e.value) < Number(e.max) ? 'ArrowRight' : 'ArrowLeft'; }"
FORMULAS = (
    """[...document.querySelectorAll("article math")].filter((one) => one.checkVisibility())"""
)


def test_there_are_pages_with_figures():
    assert len(PAGES) >= 6


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_figures_works(firefox, name):
    firefox.open((SITE / name).as_uri())
    figures = firefox.run("document.querySelectorAll('[data-explorable]').length")
    assert figures >= 1
    for n in range(figures):
        firefox.wait(SLIDER % n)
        firefox.run(f"window.shown = {SHOWN % n}")
        firefox.press(firefox.run(f"({FOCUS})({SLIDER % n})"))
        firefox.wait(f"window.shown !== {SHOWN % n}")
    assert firefox.run(f"{FORMULAS}.length") > 5
    assert (
        firefox.run(f"{FORMULAS}.filter((one) => !one.getBoundingClientRect().width).length") == 0
    )
    assert firefox.run(MALFORMED) == 0
    assert firefox.errors == []


PRESS = "[...document.querySelectorAll('button')].find((b) => b.textContent === '%s').click()"
SAYS = "document.querySelector('.summary').textContent.includes('%s')"
PAUSED = "[...document.querySelectorAll('button')].some((b) => b.textContent === 'Train')"


@pytest.fixture
def alone(firefox, tmp_path):
    """Open a figure in a page of its own."""

    def open_page(figure):
        html = f"<!doctype html><meta charset=utf-8>{figure.to_html()}"
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        firefox.open((tmp_path / "page.html").as_uri())
        firefox.wait("!document.querySelector('[aria-busy]')")  # what its worker has found is there
        return firefox

    return open_page


def test_a_network_is_trained(alone):
    explorables = pytest.importorskip("rnncourse.explorables")
    firefox = alone(explorables.Playground(lag=5))
    firefox.run(PRESS % "Train")
    firefox.wait(SAYS % "Solved at update 20,")
    firefox.run("location.hash = '#explore-playground?lag=60&layer=lstm'")
    firefox.wait(SAYS % "LSTM, remember the first symbol, lag 60: not trained yet")
    firefox.run(PRESS % "Train")
    firefox.wait(SAYS % "lag 60: after")
    firefox.run(PRESS % "Pause")
    firefox.wait(PAUSED)
    assert firefox.errors == []


def test_a_text_of_ones_own_is_learned(alone):
    explorables = pytest.importorskip("rnncourse.explorables")
    firefox = alone(explorables.Writer(units=8, learning_rate=0.1))
    firefox.run(
        """((box) => {
          box.value = "안녕하세요 🙂 ".repeat(400);
          box.dispatchEvent(new Event("input"));
          box.dispatchEvent(new Event("change"));
        })(document.querySelector("textarea"))"""
    )
    firefox.wait("document.querySelector('.note').textContent.startsWith('3,200 characters')")
    firefox.run(PRESS % "Train")
    firefox.wait(SAYS % "GRU with 8 units, temperature 0.5: after ")
    firefox.wait("document.querySelector('.rnnx svg').textContent.includes('안녕')")
    firefox.run(PRESS % "Pause")
    firefox.wait(PAUSED)
    assert firefox.errors == []


def test_a_question_is_answered(firefox):
    firefox.open((SITE / "book" / "1-structure" / "memory.html").as_uri())
    firefox.run(PRESS % "half of the time")
    firefox.wait("document.querySelector('.rnnq .reply').textContent.startsWith('✓')")
    firefox.wait("document.querySelector('.course-time').textContent.includes('1 of')")
    assert firefox.errors == []


def test_a_search_leads_to_marked_words(firefox):
    firefox.open((SITE / "book" / "notation.html").as_uri())
    firefox.press("Control", "k")
    for letter in "spectral radius":
        firefox.press(letter)
    firefox.wait("document.querySelector('dialog .found li')")
    firefox.press("Enter")
    firefox.wait(
        "location.hash === '#in-the-long-run-the-spectral-radius' && document.querySelector('mark')"
    )
    assert firefox.run(MALFORMED) == 0
    assert firefox.errors == []


def test_an_error_is_noticed(firefox, tmp_path):
    (tmp_path / "page.html").write_text("<script>throw Error('planted')</script>")
    firefox.open((tmp_path / "page.html").as_uri())
    assert firefox.run("1 + 1") == 2
    assert "planted" in firefox.errors.pop()
    (tmp_path / "page.html").write_text("<math><msub><mi>a</mi></msub><mfrac></mfrac></math>")
    firefox.open((tmp_path / "page.html").as_uri())
    assert firefox.run(MALFORMED) == 2
