"""In a real JupyterLab: Python and the page set each other; without a kernel the twin is there."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec

import nbformat
import pytest
from browsers import PATIENCE, open_more
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("jupyterlab") is None, reason="no JupyterLab: `make browser`"),
]


def wait_until(condition, failure):
    """Return what `condition` returns as soon as it is true; with PATIENCE at its end, fail."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(failure())
        time.sleep(0.1)
    return found


class Lab:
    """A JupyterLab in an empty folder."""

    def __init__(self, folder, home):
        self.folder, self.home = folder, home
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"),
            *("--IdentityProvider.token=", "--expose-app-in-browser", f"--notebook-dir={folder}"),
            *("--LabApp.news_url=None", "--ServerApp.disable_check_xsrf=True"),
        ]
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        environment = {**os.environ, **dict.fromkeys((*names, "HOME"), str(home))}
        with (home / "log").open("w") as log:
            self.server = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def start(self):
        """Wait until it answers, at the address that it chose itself."""
        self.address = wait_until(self._address, self._log)
        wait_until(lambda: self.api("status") is not None, self._log)

    def stop(self):
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:  # it waits for its kernels, which a busy machine delays
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()

    def _address(self):
        if self.server.poll() is not None:
            pytest.fail(self._log())
        try:
            return json.loads(next(self.home.glob("jpserver-*.json")).read_text())["url"]
        except (StopIteration, ValueError):  # it is not there yet, or half written
            return None

    def _log(self):
        return "JupyterLab did not start:\n" + (self.home / "log").read_text()

    def api(self, path, method="GET"):
        """Return what the server answers; None if it does not."""
        request = urllib.request.Request(f"{self.address}api/{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE / 1000) as answer:
                return json.loads(answer.read() or "null")
        except OSError:
            return None

    def shut_down_kernels(self):
        """Shut all kernels down and wait until none is left."""
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", method="DELETE")
        wait_until(lambda: self.api("kernels") == [], lambda: f"left: {self.api('kernels')}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home"))
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, lab, browser, cells):
        self.lab = lab
        self.path = lab.folder / f"n{len(list(lab.folder.iterdir()))}.ipynb"
        kernel = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
        notebook = new_notebook(cells=[new_code_cell(c) for c in cells], metadata=kernel)
        nbformat.write(notebook, self.path)
        self.page = browser.new_page(viewport={"width": 1200, "height": 1400})
        self.page.set_default_timeout(PATIENCE)
        self.open()

    def open(self):
        """Open it, and wait until its kernel has started and waits for work."""
        name = self.path.stem
        self.page.goto(f"{self.lab.address}lab/workspaces/{name}/tree/{name}.ipynb?reset")
        self.page.wait_for_function(
            """(name) => {
              const panels = [...(globalThis.jupyterapp?.shell.widgets("main") ?? [])];
              globalThis.panel = panels.find((one) => one.context?.path === name);
              const context = globalThis.panel?.sessionContext;
              return context?.isReady && context.session?.kernel?.status === "idle";
            }""",
            arg=self.path.name,
        )
        self.page.evaluate("jupyterapp.restored.then(() => null)")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")

    def run(self, cell):
        """Run one cell to its end and return its text output."""
        return self.page.evaluate(
            """async (i) => {
              jupyterapp.shell.activateById(panel.id);
              panel.content.deselectAll();
              panel.content.activeCellIndex = i;
              await jupyterapp.commands.execute("notebook:run-cell");
              const outputs = panel.content.widgets[i].model.outputs.toJSON();
              return outputs.map((o) => o.text ?? o.evalue ?? "").join("");
            }""",
            cell,
        )

    def run_until(self, cell, expected):
        """Run a cell again and again until it prints what is expected: messages take time."""
        said = []
        wait_until(
            lambda: said.append(self.run(cell).strip()) or said[-1] == expected,
            lambda: f"the cell prints {said[-1]!r}, expected {expected!r}",
        )

    def save(self, kinds):
        """Save, and wait until the outputs of the first cell in the file have these MIME types."""
        self.page.evaluate("panel.context.save()")
        found = []

        def written():
            cell = nbformat.read(self.path, as_version=4).cells[0]
            found[:] = [set(output.data) for output in cell.outputs]
            return found == kinds

        wait_until(written, lambda: f"the file has {found}, expected {kinds}")

    def reopen(self):
        """Open it again with a new kernel, which knows nothing of the widget.

        JupyterLab first looks for the widget, and says so in its place. Then it gives up and puts
        an error there. Wait for that: whether a reader sees it is for the test to say.
        """
        self.page.goto("about:blank")
        self.lab.shut_down_kernels()
        self.open()
        self.page.get_by_text("Error displaying widget").wait_for(state="attached")

    def seen(self, text):
        return self.page.get_by_text(text).filter(visible=True).count()


WIDGET = {"application/vnd.jupyter.widget-view+json"}


def wait_for_the_widget(page, selector=".rnnx"):
    """Wait until the widget is there and its twin has gone out of sight."""
    page.wait_for_function(
        """(selector) => { const all = [...document.querySelectorAll(selector)];
        return all.length === 2 && all.filter((e) => e.offsetParent).length === 1; }""",
        arg=selector,
    )


CASES = {
    "OneUnit": ("w", 2.5, "2.5", 2.55),
    "Cliff": ("learning_rate", 0.3, "0.30", 0.35),
    "Carousel": ("b_f", 2.0, "2.0", 2.1),
    "GradientByLag": ("rho", 1.3, "1.30", 1.35),
}


@pytest.mark.parametrize("name", CASES)
def test_python_moves_the_page_and_the_page_moves_python(lab, browser, name):
    trait, given, shown, after = CASES[name]
    cells = [
        f"from rnncourse.explorables import {name}\nfigure = {name}()\nfigure",
        f"figure.{trait} = {given}",
        f"print(round(figure.{trait}, 6))",
        f"figure.{trait} = 1e9",
    ]
    notebook = Notebook(lab, browser, cells)
    page = notebook.page
    assert notebook.run(0) == ""
    wait_for_the_widget(page)  # and not its twin besides
    open_more(page)
    notebook.run(1)
    page.wait_for_function(
        """([trait, given, shown]) => {
          const all = [...document.querySelectorAll(`.rnnx input[name=${trait}]`)];
          const slider = all.find((e) => e.offsetParent);
          const value = slider?.closest("label").querySelector(".value").textContent;
          return Number(slider?.value) === given && value.startsWith(shown);
        }""",
        arg=[trait, given, shown],
    )
    slider = page.locator(f".rnnx input[name={trait}]:visible")
    slider.focus()
    page.keyboard.press("ArrowRight")
    notebook.run_until(2, str(after))
    assert "expected a number from" in notebook.run(3)
    assert float(slider.input_value()) == pytest.approx(after)
    page.close()


def test_a_notebook_reopened_without_its_widget_shows_the_twin(lab, browser):
    notebook = Notebook(lab, browser, ["from rnncourse.explorables import OneUnit\nOneUnit(w=1.5)"])
    page = notebook.page
    assert notebook.run(0) == ""
    wait_for_the_widget(page)
    notebook.save([{"text/plain", "text/html"}, WIDGET])
    notebook.reopen()
    page.locator(".rnnx:visible").wait_for()
    assert float(page.locator(".rnnx input[name=w]").input_value()) == 1.5
    assert notebook.seen("Error displaying widget") == 0
    assert notebook.seen("Loading widget") == 0
    page.close()


TRAINED = """from itertools import islice
from rnncourse.experiments import playground
*_, (_, trained) = islice(playground.train(playground.Settings(lag=5)), 20)
there = figure.model().params
print(max(abs(there[name] - W).max() for name, W in trained.params.items()) < 1e-9)"""


def test_the_network_of_the_page_is_in_python(lab, browser):
    figure = "from rnncourse.explorables import Playground\nfigure = Playground(lag=5)\nfigure"
    notebook = Notebook(lab, browser, [figure, "print(len(figure.history.loss))", TRAINED])
    page = notebook.page
    assert notebook.run(0) == ""
    wait_for_the_widget(page)
    notebook.run_until(1, "0")
    page.locator(".rnnx:visible").get_by_role("button", name="Train", exact=True).click()
    page.locator(".rnnx:visible").get_by_text("Solved at update 20,").wait_for()
    notebook.run_until(1, "20")
    assert notebook.run(2).strip() == "True"
    page.close()


def test_a_text_set_in_python_is_learned_in_the_page(lab, browser):
    figure = "from rnncourse.explorables import Writer\nfigure = Writer(units=4)\nfigure"
    notebook = Notebook(lab, browser, [figure, "figure.text = 'ab ' * 500", "print(figure.text)"])
    page = notebook.page
    assert notebook.run(0) == ""
    wait_for_the_widget(page)
    assert notebook.run(1) == ""
    shown = page.locator(".rnnx:visible")
    shown.get_by_text("1,500 characters, 3 kinds.").wait_for()
    shown.get_by_role("button", name="Train", exact=True).click()
    shown.locator(".summary").get_by_text("after 1").wait_for()
    shown.get_by_role("button", name="Pause", exact=True).click()
    box = shown.get_by_role("textbox")
    box.fill("안녕 ")
    box.blur()
    notebook.run_until(2, "안녕")
    page.close()


def test_a_question_is_answered_with_a_kernel_and_without(lab, browser):
    cell = "from rnncourse.exercises import predict\npredict('friend')"
    notebook = Notebook(lab, browser, [cell])
    page = notebook.page
    assert notebook.run(0) == ""
    shown = page.locator(".rnnq:visible")
    wait_for_the_widget(page, ".rnnq")
    shown.get_by_role("button", name="almost always").click()
    assert shown.get_by_role("status").inner_text().startswith("✗ She would need")
    notebook.save([{"text/plain", "text/html"}, WIDGET])
    notebook.reopen()
    shown.get_by_role("button", name="half of the time").click()
    assert shown.get_by_role("status").inner_text().startswith("✓ A single press")
    assert notebook.seen("Error displaying widget") == 0
    page.close()


LIVE = """import matplotlib.pyplot as plt
from rnncourse.widgets import live
def powers(factor=0.9, kind=None):
    if factor < 0.85:
        raise ValueError("too small")
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([factor**k for k in range(20)], kind or "-")
    return fig
figure = live(powers, factor=(0.5, 1.1, 0.1), kind=[None, "o"])
figure"""


def test_the_right_answer_sets_the_figure_of_the_notebook(lab, browser):
    cells = ["from rnncourse.exercises import predict\npredict('negative-weight')"]
    cells.append("from rnncourse.explorables import OneUnit\nfigure = OneUnit()\nfigure")
    cells.append("print(figure.w, figure.u, figure.h0)")
    notebook = Notebook(lab, browser, cells)
    page = notebook.page
    assert notebook.run(0) == ""
    wait_for_the_widget(page, ".rnnq")
    ask = page.locator(".rnnq:visible")
    ask.get_by_role("button", name="It jumps between two values").click()
    ask.get_by_role("button", name="Show it in the figure").click()
    ask.get_by_role("button", name="There is no figure yet: run its cell first.").wait_for()
    assert notebook.run(1) == ""
    wait_for_the_widget(page)
    ask.locator(".shows").click()
    ask.get_by_role("button", name="Show it in the figure").wait_for()
    notebook.run_until(2, "-2.0 0.0 0.5")
    page.close()


def test_a_live_plot_follows_its_sliders_and_leaves_a_picture(lab, browser):
    cells = [LIVE, "print(round(figure.values['factor'], 6), figure.values['kind'])"]
    cells.append("print(plt.get_fignums())")
    notebook = Notebook(lab, browser, cells)
    page = notebook.page
    assert notebook.run(0) == ""
    picture, handles = page.locator(".rnncourse-live img"), page.locator(".noUi-handle")
    picture.wait_for()
    page.wait_for_function(  # the live picture alone: not the twin besides, and no second copy
        """() => { const all = [...document.querySelectorAll(".jp-OutputArea-output img")];
        return all.length === 2 && all.filter((e) => e.offsetParent).length === 1; }"""
    )
    for handle, key, settings in ((0, "ArrowRight", "1.0 None"), (1, "ArrowRight", "1.0 o")):
        before = picture.get_attribute("src")
        handles.nth(handle).focus()
        page.keyboard.press(key)
        notebook.run_until(1, settings)
        page.wait_for_function(
            "before => document.querySelector('.rnncourse-live img').src !== before", arg=before
        )
    before = picture.get_attribute("src")
    for factor in (0.9, 0.8):
        handles.nth(0).focus()
        page.keyboard.press("ArrowLeft")
        notebook.run_until(1, f"{factor} o")
    page.locator(".rnncourse-live").get_by_text("ValueError: too small").wait_for()
    assert notebook.run(2).strip() == "[]"
    assert page.locator(".jp-OutputArea-output img").count() == 2  # no picture from a callback
    notebook.save([{"text/plain", "image/svg+xml"}, WIDGET])
    notebook.reopen()
    page.locator(".jp-RenderedSVG img:visible").wait_for()
    page.close()
