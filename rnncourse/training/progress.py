"""A progress bar for long work: in a terminal, in a notebook, and silent everywhere else."""

import sys
import time
from collections.abc import Callable
from html import escape
from types import TracebackType
from typing import Any, Self


class ProgressBar:
    """Shows how far `total` pieces of work have come; leaves nothing behind when it closes.

    Parameters
    ----------
    total : int
    label : str
        What is counted, e.g. "updates".
    enabled : bool
        False shows nothing.

    Examples
    --------
    >>> with ProgressBar(3, "steps", enabled=False) as bar:
    ...     for _ in range(3):
    ...         bar.advance("loss 0.5")
    """

    def __init__(self, total: int, label: str, enabled: bool = True) -> None:
        self.total, self.label, self.done = total, label, 0
        self._start = self._shown = time.monotonic()
        self._show: Callable[[str, str], None] | None = _choose_display() if enabled else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._show:
            self._show("", "")

    def advance(self, note: str = "") -> None:
        """Count one more piece as done and show `note` beside the bar, ten times a second."""
        self.done += 1
        now = time.monotonic()
        if self._show is None or (now - self._shown < 0.1 and self.done < self.total):
            return
        self._shown = now
        left = (now - self._start) * (self.total - self.done) / max(self.done, 1)
        text = f"{self.done}/{self.total} {self.label}  {note}  {left:.0f} s left"
        filled = 24 * self.done // self.total
        html = (
            f'<label>{escape(text)} <progress value="{self.done}" max="{self.total}"></progress>'
            "</label>"
        )
        self._show("█" * filled + "·" * (24 - filled) + " " + text, html)


def _choose_display() -> Callable[[str, str], None] | None:
    """Return a function that shows (text, html) where the user can see it, or None."""
    shell: Any = None
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        # An output that starts and ends empty: a saved notebook is the same after every run.
        display = sys.modules["IPython"].display
        handle = display.display({"text/html": "", "text/plain": ""}, raw=True, display_id=True)

        def show_in_notebook(text: str, html: str) -> None:
            handle.update({"text/html": html, "text/plain": text}, raw=True)

        return show_in_notebook
    if sys.stderr is not None and sys.stderr.isatty():

        def show_in_terminal(text: str, html: str) -> None:
            sys.stderr.write("\r\x1b[K" + text)
            sys.stderr.flush()

        return show_in_terminal
    return None
