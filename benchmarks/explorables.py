"""Bytes and update times of the interactive figures, measured in a browser, and the pages' weight.

python benchmarks/explorables.py        prints a table; build the book first (`make book`)

An update is what one change of a slider costs in script: numbers, drawing and text. Each is 300
updates with random values on every slider, after a warm-up, in a page of its own. A step is what
passes from the press of an arrow key on a slider until its effect is painted, in the built page,
with the processor slowed four times: the slider with the median, and the slowest.

A training step is one of an LSTM with its loss, gradients, clipping and Adam, at T = 50, B = 32,
D = 8, H = 16 and O = 4: as the playground makes it in the page, and as the package does, by turns.

Then the playground as it trains in its worker, by turns with the same runs in Python: updates and
pictures a second, the processor's time for a picture and its longest task on the page's own thread
(medians of the rounds). Last, for it and for the network that learns a text, the memory of page and
worker from update 1,000 to update 20,000.

python benchmarks/explorables.py playground     the last three alone, which need no book
"""

import json
import re
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
from pages import SITE, pages
from playwright.sync_api import sync_playwright

from rnncourse import LSTM, Adam, Model, Readout, clip_by_global_norm
from rnncourse.experiments import playground
from rnncourse.explorables import Playground, Writer
from rnncourse.explorables.base import FOLDER, kit_script, module, source, words

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "explorables"))
from browsers import drawn, launch, open_more, serving, settle  # noqa: E402
from stills import CLASSES  # noqa: E402

SLOWED = 4
# How long each key press took until the next paint; the browser counts in steps of 8 ms.
WATCH = """() => {
  globalThis.presses = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
    if (entry.name === "keydown") presses.push(entry.duration);
  })).observe({ type: "event", durationThreshold: 16 });
}"""
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


STEP = """async () => {
  const nets = await import("./nets.js");
  const sizes = { T: 50, B: 32, D: 8, H: 16, O: 4 };
  const random = (n) => Float64Array.from({ length: n }, () => Math.random() - 0.5);
  const P = Object.fromEntries(Object.entries(nets.shapes("lstm", 8, 16, 4))
    .map(([name, shape]) => [name, random(shape.reduce((a, b) => a * b))]));
  const grads = Object.fromEntries(Object.entries(P).map(([name, W]) => [name, W.slice()]));
  const [m, x, memory] = [nets.room("lstm", sizes), random(50 * 8 * 32), {}];
  const labels = Array.from({ length: 50 * 32 }, () => Math.floor(4 * Math.random()));
  const counts = new Float64Array(50 * 32).fill(1);
  globalThis.trainingStep = () => {
    const start = performance.now();
    nets.forward(P, m, x);
    nets.crossEntropy(m, labels, counts);
    nets.backward(P, m, x, grads);
    nets.clip(grads, 1);
    nets.adam(P, grads, 0.001, memory);
    return performance.now() - start;
  };
}"""


def training_steps(browser, address: str, rounds: int = 120) -> tuple[float, float]:
    """Return how long a training step takes in the page and in the package, in ms: the medians."""
    page = browser.new_page()
    page.goto(f"{address}words.json")
    page.evaluate(STEP)
    rng = np.random.default_rng(0)
    model = Model(LSTM(8, 16, rng=rng), Readout(16, 4, rng=rng))
    x, labels = rng.normal(size=(50, 32, 8)), rng.integers(4, size=(50, 32))
    rule = Adam(0.001)
    there, here = [], []
    for _ in range(rounds):
        there.append(page.evaluate("trainingStep()"))
        start = time.perf_counter()
        found = model.loss_and_gradients(x, labels)
        clip_by_global_norm(found.grads, 1.0)
        rule.step(model.params, found.grads)
        here.append(1e3 * (time.perf_counter() - start))
    page.close()
    return float(np.median(there[20:])), float(np.median(here[20:]))


RUNS = {
    "RNN, 16 units, lag 10": {"lag": 10},
    "LSTM, 16 units, lag 60": {"lag": 60, "layer": "lstm"},
    "LSTM, 64 units, lag 100": {"lag": 100, "layer": "lstm", "units": 64},
}
# What is watched in a page: tasks over 50 ms, and how often the figure is drawn.
TASKS = """() => {
  globalThis.long = [];
  new PerformanceObserver((list) => list.getEntries().forEach((e) => long.push(e.duration)))
    .observe({ type: "longtask" });
  globalThis.drawings = 0;
  document.querySelector(".rnnx").explorable.each(() => drawings++);
}"""


def figure_page(browser, folder: str, figure):
    """Open a figure in a page of its own."""
    path = Path(folder, f"{figure.name}.html")
    html = figure.to_html()
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{html}", encoding="utf-8")
    page = browser.new_page(viewport={"width": 780, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_selector(".rnnx .summary")
    settle(page)
    return page


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def count(page) -> int:
    """Return after how many updates the figure is; it has to pause."""
    settle(page)
    return updates_told(page)


def updates_told(page) -> int:
    """Return of how many updates the summary speaks."""
    found = re.search(r"after ([\d,]+) updates", page.locator(".summary").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def round_in_page(page, client, seconds: float) -> tuple[float, float, float, float]:
    """Return of some seconds of training: updates and pictures a second, ms a picture, longest."""

    def busy() -> float:  # the seconds that the page's thread has had from the processor
        metrics = client.send("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    before, used = count(page), busy()
    page.evaluate("(drawings = 0), (long.length = 0)")
    start = time.perf_counter()
    press(page, "Train")
    page.wait_for_timeout(1e3 * seconds)
    pictures = page.evaluate("drawings")
    press(page, "Pause")
    took = time.perf_counter() - start
    made = 1e3 * (busy() - used) / max(pictures, 1)
    longest = page.evaluate("Math.max(0, ...long)")
    return (count(page) - before) / took, pictures / took, made, longest


def round_in_python(updates, seconds: float) -> float:
    """Return how many updates a second Python makes of the same run."""
    end, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        next(updates)
        done += 1
    return done / seconds


def print_training(browser, folder: str, rounds: int = 5, seconds: float = 2.0) -> None:
    """Print how fast the playground trains, and what that costs the page."""
    print("\nTraining     updates/s: page  Python  ratio   pictures/s  ms each  longest task, ms")
    for name, values in RUNS.items():
        figure = Playground(rule="sgd", learning_rate=0.001, **values)  # it is never solved
        page = figure_page(browser, folder, figure)
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.evaluate(TASKS)
        settings = playground.Settings(rule="sgd", learning_rate=0.001, **values)
        updates = playground.train(settings)
        found = []
        for _ in range(rounds):
            there = round_in_page(page, client, seconds)
            found.append((*there, round_in_python(updates, seconds)))
        page.close()
        page_rate, pictures, made, longest, python_rate = np.median(found[1:], axis=0)
        print(f"{name:<24}{page_rate:>6.0f}{python_rate:>8.0f}", end="")
        print(f"{page_rate / python_rate:>7.2f}{pictures:>13.0f}{made:>9.1f}", end="")
        print(f"{f'{longest:.0f}' if longest else 'under 50':>19}")


def print_memory(browser, folder: str, figure, updates: int = 20_000) -> None:
    """Print the heaps of the page and of its worker, garbage collected, early and late in a run."""
    page = figure_page(browser, folder, figure)
    client = page.context.new_cdp_session(page)
    sessions, answers = [None], {}  # the page's own, then the worker's

    def answered(event) -> None:
        message = json.loads(event["message"])
        answers[message.get("id")] = message.get("result")

    client.on("Target.attachedToTarget", lambda event: sessions.append(event["sessionId"]))
    client.on("Target.receivedMessageFromTarget", answered)
    attach = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
    client.send("Target.setAutoAttach", attach)

    def send(session, method: str):
        if session is None:
            return client.send(method)
        answers.clear()
        message = json.dumps({"id": 1, "method": method})
        client.send("Target.sendMessageToTarget", {"sessionId": session, "message": message})
        while 1 not in answers:
            page.wait_for_timeout(10)
        return answers[1]

    print(f"\nMemory of {figure.name}, kB   after updates     page   worker")
    after = 0
    for goal in (1000, updates // 2, updates):
        press(page, "Train")
        while after < goal:
            page.wait_for_timeout(100)
            after = updates_told(page)
        press(page, "Pause")
        after = count(page)
        heaps = []
        for session in sessions[:2]:
            send(session, "HeapProfiler.collectGarbage")
            heaps.append(send(session, "Runtime.getHeapUsage"))
        sizes = [(heap["usedSize"] + heap.get("backingStorageSize", 0)) / 1e3 for heap in heaps]
        print(f"{after:>40,}" + "".join(f"{size:>9,.0f}" for size in sizes))
    page.close()


@cache
def place(name: str) -> str:
    """Return the page of the built book that has the figure."""
    mark = f'id="explore-{name}"'
    return next(p for p in pages(SITE) if mark in (SITE / p).read_text(encoding="utf-8"))


def steps(browser, address: str, name: str) -> list[float]:
    """Return for each slider of a figure in the built book how long a step takes, in ms."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}{place(name)}#explore-{name}")
    page.wait_for_load_state("networkidle")
    client = page.context.new_cdp_session(page)
    client.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    page.evaluate(WATCH)
    times = []
    for slider in page.locator(f"#explore-{name} input[type=range]:enabled").all():
        if not slider.is_visible():
            open_more(page)  # from here on, as for a reader who has opened it
        if not slider.is_visible():
            continue  # it is there for another choice
        slider.focus()
        page.evaluate("presses.length = 0")
        for key in ("ArrowLeft", "ArrowRight") * 3:
            page.keyboard.press(key)
            drawn(page)
        found = sorted(page.evaluate("presses"))
        times.append(found[len(found) // 2] if found else 16.0)
    page.close()
    return sorted(times)


def print_playground(browser, folder: str) -> None:
    """Print what training costs in the page and in Python."""
    with serving(FOLDER) as address:
        there, here = training_steps(browser, address)
    print(f"\nA training step of an LSTM: {there:.1f} ms in the page, ", end="")
    print(f"{here:.1f} ms in the package, {there / here:.1f} times")
    print_training(browser, folder)
    small = {"lag": 2, "units": 2, "batch_size": 1, "rule": "sgd", "learning_rate": 0.001}
    print_memory(browser, folder, Playground(**small))
    print_memory(browser, folder, Writer(units=4, chunk=8, streams=1))


def main() -> int:
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = launch(play)
        if browser is None:
            sys.exit("No browser is set up: `make browser` sets one up.")
        if sys.argv[1:] == ["playground"]:
            print_playground(browser, folder)
            return 0
        kit = len(module("kit").encode())
        print(f"the kit of all pages {len(kit_script().encode()):,} bytes", end="   ")
        print(f"its style sheet {len(source('kit.css').encode()):,}\n")
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
        for name in sorted({place(cls.name) for cls in CLASSES}):
            print(f"{name}: {(SITE / name).stat().st_size / 1e3:,.0f} kB of HTML")
        print("\nA step of a slider, slowed four times: median and slowest slider, ms")
        with serving(SITE) as address:
            for cls in CLASSES:
                times = steps(browser, address, cls.name)
                print(f"{cls.name:<12} {times[len(times) // 2]:>6.0f}  {times[-1]:>6.0f}")
        print_playground(browser, folder)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
