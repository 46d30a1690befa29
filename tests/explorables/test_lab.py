"""In a real JupyterLab: Python and the page set each other; without a kernel the twin is there."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("jupyterlab") is None, reason="no JupyterLab: `make browser`"),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab in an empty folder: (address, folder)."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--IdentityProvider.token=", "--expose-app-in-browser", f"--notebook-dir={folder}"),
        "--LabApp.news_url=None",
    ]
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    environment |= {"IPYTHONDIR": str(home), "JUPYTER_RUNTIME_DIR": str(home), "HOME": str(home)}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}/"
    for _ in range(120):
        try:
            urllib.request.urlopen(address + "api", timeout=2).close()
            break
        except OSError:
            time.sleep(0.5)
    else:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        pytest.fail("JupyterLab did not start:\n" + (home / "log").read_text())
    yield address, folder
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:  # it waits for its kernels, which a busy machine delays
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, lab, browser, cells):
        address, folder = lab
        self.path = folder / f"n{len(list(folder.iterdir()))}.ipynb"
        kernel = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
        notebook = new_notebook(cells=[new_code_cell(c) for c in cells], metadata=kernel)
        nbformat.write(notebook, self.path)
        self.address = f"{address}lab/workspaces/{self.path.stem}/tree/{self.path.name}?reset"
        self.page = browser.new_page(viewport={"width": 1200, "height": 1400})
        self.open()

    def open(self):
        self.page.goto(self.address)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)

    def command(self, name, **arguments):
        code = "([name, given]) => window.jupyterapp.commands.execute(name, given)"
        return self.page.evaluate(code, [name, arguments])

    def run(self, cell):
        """Run one cell and return its text output."""
        self.page.evaluate(
            """(i) => { const n = jupyterapp.shell.currentWidget.content;
                        n.deselectAll(); n.activeCellIndex = i; }""",
            cell,
        )
        self.command("notebook:run-cell")
        return self.page.evaluate(
            """(i) => { const out = jupyterapp.shell.currentWidget.content.widgets[i].model.outputs;
                return out.toJSON().map((o) => o.text ?? o.evalue ?? "").join(""); }""",
            cell,
        )

    def run_until(self, cell, expected):
        """Run a cell again and again until it prints what is expected: messages take time."""
        for _ in range(40):
            said = self.run(cell).strip()
            if said == expected:
                return
            time.sleep(0.25)
        raise AssertionError(f"the cell prints {said!r}, expected {expected!r}")


def wait_for_the_widget(page):
    """Wait until the widget is there and its twin has gone out of sight."""
    page.wait_for_function(
        """() => { const all = [...document.querySelectorAll(".rnnx")];
        return all.length === 2 && all.filter((e) => e.offsetParent).length === 1; }""",
        timeout=30_000,
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
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
    notebook.run(0)
    wait_for_the_widget(page)
    slider = page.locator(f".rnnx input[name={trait}]:visible")
    slider.wait_for(timeout=30_000)
    notebook.run(1)
    value = page.locator(f".rnnx label:has(input[name={trait}]) output:visible")
    assert page.locator(".rnnx:visible").count() == 1  # the widget, and not its twin besides
    page.wait_for_function(
        "([e, v]) => Number(e.value) === v", arg=[slider.element_handle(), given], timeout=10_000
    )
    assert value.inner_text().startswith(shown)
    slider.focus()
    page.keyboard.press("ArrowRight")
    notebook.run_until(2, str(after))
    assert "expected a number from" in notebook.run(3)
    assert float(slider.input_value()) == pytest.approx(after)
    page.close()


def test_a_notebook_reopened_without_a_kernel_shows_the_twin(lab, browser):
    notebook = Notebook(lab, browser, ["from rnncourse.explorables import OneUnit\nOneUnit(w=1.5)"])
    page = notebook.page
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
    notebook.run(0)
    wait_for_the_widget(page)
    notebook.command("docmanager:save")
    notebook.command("kernelmenu:shutdown")
    time.sleep(1)
    page.goto("about:blank")
    saved = nbformat.read(notebook.path, as_version=4)
    kinds = [set(output.data) for output in saved.cells[0].outputs]
    assert kinds == [{"text/plain", "text/html"}, {"application/vnd.jupyter.widget-view+json"}]
    notebook.open()
    page.locator(".rnnx:visible").wait_for(timeout=30_000)
    assert float(page.locator(".rnnx input[name=w]").input_value()) == 1.5
    time.sleep(4)  # JupyterLab gives up looking for a widget after two seconds
    assert page.get_by_text("Error displaying widget").filter(visible=True).count() == 0
    assert page.get_by_text("Loading widget").filter(visible=True).count() == 0
    page.close()


LIVE = """import matplotlib.pyplot as plt
from rnncourse.widgets import live
def powers(factor=0.9):
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([factor**k for k in range(20)])
    return fig
figure = live(powers, factor=(0.5, 1.1, 0.1))
figure"""


def test_a_live_plot_follows_its_slider_and_leaves_a_picture(lab, browser):
    notebook = Notebook(lab, browser, [LIVE, "print(round(figure.values['factor'], 6))"])
    page = notebook.page
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
    notebook.run(0)
    picture = page.locator(".rnncourse-live img")
    picture.wait_for(timeout=30_000)
    assert page.locator(".jp-OutputArea-output img:visible").count() == 1  # not the twin besides
    before = picture.get_attribute("src")
    page.locator(".rnncourse-live .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    notebook.run_until(1, "1.0")
    page.wait_for_function(
        "before => document.querySelector('.rnncourse-live img').src !== before", arg=before
    )
    notebook.command("docmanager:save")
    notebook.command("kernelmenu:shutdown")
    time.sleep(1)
    page.goto("about:blank")
    notebook.open()
    page.locator(".jp-RenderedImage img").wait_for(timeout=30_000)
    page.close()
