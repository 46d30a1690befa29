"""The progress bar: a terminal, a notebook, and silence everywhere else."""

import time
from types import SimpleNamespace

import pytest

import rnncourse.training.progress
from rnncourse.training.progress import ProgressBar


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
    assert terminal.written[0] == start + "█" * 6 + "·" * 18 + " 1/4 updates  loss 0.5  3 s left"
    assert "█" * 24 + " 4/4 updates  loss 0.5  0 s left" in terminal.written[3]
    assert terminal.written[4:] == [start]


def test_it_is_drawn_ten_times_a_second_at_most(terminal):
    with ProgressBar(100_000, "updates") as bar:
        start = time.monotonic()
        for _ in range(100_000):
            bar.advance()
        seconds = time.monotonic() - start
    assert len(terminal.written) <= 10 * seconds + 2


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
        return SimpleNamespace(update=lambda data, raw: shown.append((data, {"raw": raw})))

    module = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=show))
    monkeypatch.setitem(rnncourse.training.progress.sys.modules, "IPython", module)
    return shown


def test_a_notebook_shows_html_and_keeps_an_empty_output(monkeypatch, terminal, clock):
    shown = fake_ipython(monkeypatch, SimpleNamespace(kernel=object()))
    with ProgressBar(2, "steps") as bar:
        bar.advance("a < b")
    empty = {"text/html": "", "text/plain": ""}
    assert shown[0] == (empty, {"raw": True, "display_id": True})
    data, options = shown[1]
    assert '<progress value="1" max="2">' in data["text/html"]
    assert "1/2 steps  a &lt; b" in data["text/html"]
    assert "1/2 steps  a < b" in data["text/plain"]
    assert options == {"raw": True}
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
