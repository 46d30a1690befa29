"""How far long work has come: a bar by tqdm where it is installed, a plain line otherwise.

It is shown in a terminal and in a notebook, leaves nothing behind, and is silent everywhere else.
"""

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class ProgressBar:
    """Shows how far `total` pieces of work have come; leaves nothing behind when it closes.

    Parameters
    ----------
    total : int, or None where nobody knows
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

    def __init__(self, total: int | None, label: str, enabled: bool = True) -> None:
        self.total, self.label, self.done = total, label, 0
        self._start = self._shown = time.monotonic()
        self._bar: Any = None  # of tqdm
        self._show: Callable[[str], None] | None = None  # a line of text
        if not enabled:
            return
        options = {"total": total, "unit": f" {label}", "leave": False, "dynamic_ncols": True}
        if _in_notebook():
            self._open_in_notebook(options)
        elif sys.stderr is not None and sys.stderr.isatty():
            try:
                from tqdm.auto import tqdm
            except ImportError:
                self._show = _line_in_terminal
            else:
                self._bar = tqdm(**options)

    def _open_in_notebook(self, options: dict[str, Any]) -> None:
        # An output that starts and ends empty: a saved notebook is the same after every run.
        display = sys.modules["IPython"].display
        handle = display.display({"text/plain": ""}, raw=True, display_id=True)
        self._show = lambda text: handle.update({"text/plain": text}, raw=True)
        try:
            from tqdm.notebook import tqdm

            self._bar = tqdm(**options, display=False)
        except ImportError:  # without tqdm, or without ipywidgets
            return
        from ..notebook import view

        data, metadata = view(self._bar.container)
        handle.update(data, metadata=metadata, raw=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._show is not None:
            self._show("")

    def advance(self, note: str = "") -> None:
        """Count one more piece as done and show `note` beside it, ten times a second at most."""
        self.done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update()
            return
        if self._show is None:
            return
        now = time.monotonic()
        if now - self._shown < 0.1 and self.done != self.total:
            return
        self._shown = now
        count = f"{self.done} {self.label}"
        if self.total is not None:
            left = (now - self._start) * (self.total - self.done) / self.done
            count = f"{self.done}/{self.total} {self.label}, {left:.0f} s left"
        self._show(f"{count}  {note}")


def _in_notebook() -> bool:
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


def _line_in_terminal(text: str) -> None:
    # A line that is as wide as the terminal would wrap, and could not be erased.
    width = shutil.get_terminal_size().columns - 1
    sys.stderr.write("\r\x1b[K" + text[:width])
    sys.stderr.flush()
