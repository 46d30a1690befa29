"""The progress bar: a terminal, a notebook, and silence everywhere else."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import rnncourse
import rnncourse.training.progress
from rnncourse.training.progress import ProgressBar


@pytest.fixture(autouse=True)
def without_tqdm(monkeypatch, request):
    """As where it is not installed."""
    if "tqdm" not in request.node.name:
        for module in ("tqdm.auto", "tqdm.notebook"):
            monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by one second at each look."""
    seconds = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))


class Terminal:
    def __init__(self, tty=True):
        self.written, self.isatty = [], lambda: tty

    def write(self, text):
        self.written.append(text)

    def flush(self):
        pass


@pytest.fixture
def terminal(monkeypatch):
    stream = Terminal()
    nothing = SimpleNamespace(stderr=stream, modules={})
    monkeypatch.setattr("rnncourse.training.progress.sys", nothing)
    return stream


def test_a_terminal_shows_one_line_and_ends_clean(terminal, clock):
    with ProgressBar(4, "updates") as bar:
        for _ in range(4):
            bar.advance("loss 0.5")
    start = "\r\x1b[K"
    assert all(text.startswith(start) and "\n" not in text for text in terminal.written)
    assert terminal.written[0] == start + "1/4 updates, 3 s left  loss 0.5"
    assert terminal.written[3] == start + "4/4 updates, 0 s left  loss 0.5"
    assert terminal.written[4:] == [start]


def test_it_is_drawn_ten_times_a_second_at_most(terminal):
    with ProgressBar(100_000, "updates") as bar:
        start = time.monotonic()
        for _ in range(100_000):
            bar.advance()
        seconds = time.monotonic() - start
    assert len(terminal.written) <= 10 * seconds + 2
    assert "100000/100000 updates" in terminal.written[-2]  # the last is shown, however soon


def test_an_error_inside_clears_the_line_too(terminal):
    with pytest.raises(KeyboardInterrupt), ProgressBar(2, "updates"):
        raise KeyboardInterrupt
    assert terminal.written == ["\r\x1b[K"]


def test_a_bar_without_work_shows_nothing_wrong(terminal):
    with ProgressBar(0, "updates"):
        pass
    assert terminal.written == ["\r\x1b[K"]


@pytest.mark.parametrize("stream", [Terminal(tty=False), None])
def test_elsewhere_it_is_silent(monkeypatch, terminal, stream):
    monkeypatch.setattr("rnncourse.training.progress.sys.stderr", stream)
    with ProgressBar(1, "updates") as bar:
        bar.advance()
    assert stream is None or stream.written == []


def test_switched_off_it_is_silent(terminal):
    with ProgressBar(1, "updates", enabled=False) as bar:
        bar.advance()
    assert terminal.written == []


def fake_ipython(monkeypatch, shell):
    shown = []

    def show(data, **options):
        shown.append((data, options))
        return SimpleNamespace(
            update=lambda data, raw, metadata=None: shown.append((data, {"raw": raw}))
        )

    module = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=show))
    monkeypatch.setitem(rnncourse.training.progress.sys.modules, "IPython", module)
    return shown


def test_a_notebook_shows_a_line_and_keeps_an_empty_output(monkeypatch, terminal, clock):
    shown = fake_ipython(monkeypatch, SimpleNamespace(kernel=object()))
    with ProgressBar(2, "steps") as bar:
        bar.advance("a < b")
    empty = {"text/plain": ""}
    assert shown[0] == (empty, {"raw": True, "display_id": True})
    assert shown[1] == ({"text/plain": "1/2 steps, 1 s left  a < b"}, {"raw": True})
    assert shown[-1] == (empty, {"raw": True})
    assert terminal.written == []


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_ipython_without_a_notebook_is_a_terminal(monkeypatch, terminal, shell, clock):
    shown = fake_ipython(monkeypatch, shell)
    with ProgressBar(1, "updates") as bar:
        bar.advance()
    assert not shown
    assert len(terminal.written) == 2


def test_the_fake_has_what_ipython_has():
    """The real module offers what the notebook display relies on."""
    ipython = pytest.importorskip("IPython", reason="IPython is not installed")
    import IPython.display  # noqa: F401  (as a kernel does)

    assert callable(ipython.get_ipython)
    assert callable(ipython.display.display)
    assert callable(ipython.display.DisplayHandle.update)


def test_a_total_that_nobody_knows(terminal, clock):
    with ProgressBar(None, "updates") as bar:
        bar.advance("loss 0.5")
    assert terminal.written[0] == "\r\x1b[K1 updates  loss 0.5"


SCRIPT = """
import fcntl, os, struct, sys, termios, time
fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 20, int(sys.argv[1]), 0, 0))
if sys.argv[2] == "plain":
    sys.modules["tqdm.auto"] = None
from rnncourse.training.progress import ProgressBar
with ProgressBar(40, "updates") as bar:
    for n in range(40):
        bar.advance(f"loss {n / 7:.4g}, and more to say than fits in a narrow window, a lot more")
        time.sleep(0.02)
"""


def on_a_terminal(columns, kind):
    """Return what a real terminal of this width is sent."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(rnncourse.__file__).parents[1])}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(columns), kind],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 65536):
            written += data
    except OSError:  # the other end was closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


@pytest.mark.parametrize("columns", [20, 60, 100])
@pytest.mark.parametrize("kind", ["plain", "tqdm"])
def test_it_never_wraps(columns, kind):
    if kind == "tqdm":
        pytest.importorskip("tqdm", reason="tqdm is not installed")
    written = on_a_terminal(columns, kind)
    assert "\n" not in written
    lines = written.replace("\x1b[K", "").replace("\x1b[A", "").split("\r")
    assert max(map(len, lines)) > 10  # something was shown
    assert max(map(len, lines)) <= columns
    assert lines[-1].strip() == ""  # and nothing is left


def test_tqdm_counts_and_leaves_nothing(monkeypatch):
    tqdm = pytest.importorskip("tqdm", reason="tqdm is not installed")
    stream, bars = Terminal(), []

    class Bar(tqdm.std.tqdm):
        def __init__(self, **options):
            super().__init__(**options, file=stream, ncols=80)
            bars.append(self)

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    nothing = SimpleNamespace(stderr=stream, modules={})
    monkeypatch.setattr("rnncourse.training.progress.sys", nothing)
    with ProgressBar(3, "updates") as bar:
        for _ in range(3):
            bar.advance("loss 0.5")
    (shown,) = bars
    assert (shown.n, shown.total, shown.postfix, shown.leave) == (3, 3, "loss 0.5", False)
    assert shown.disable  # it is closed


def test_tqdm_in_a_notebook_leaves_an_empty_output(monkeypatch, terminal):
    for needed in ("tqdm", "ipywidgets"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    shown = fake_ipython(monkeypatch, SimpleNamespace(kernel=object()))
    with ProgressBar(3, "updates") as bar:
        for _ in range(3):
            bar.advance("loss 0.5")
        assert (bar._bar.n, bar._bar.total, bar._bar.postfix) == (3, 3, "loss 0.5")
    views = [data for data, _ in shown if "application/vnd.jupyter.widget-view+json" in data]
    assert len(views) == 1
    assert [data for data, _ in shown if data not in views] == [{"text/plain": ""}] * 2
    assert shown[-1][0] == {"text/plain": ""}
    assert terminal.written == []
