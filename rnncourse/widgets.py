"""A plot with sliders: Python draws it again, from a real run, whenever one is moved.

Needs ipywidgets and matplotlib (``pip install rnncourse[widgets,plot]``). Where no kernel runs, the
first picture stands in its place. Figures that need no kernel are in `rnncourse.explorables`.
"""

import base64
import html
import inspect
import io
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from .notebook import display_with_twin
from .validation import require_number

# The first picture, for readers without a kernel, is the output before the widget.
HIDE_TWIN = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .rnncourse-live) "
    "{ display: none; }</style>"
)


class Live(ipw.VBox):
    """A figure with a slider for each of its settings; `live` makes one.

    Attributes
    ----------
    controls : dict of ipywidgets, by the name of the argument they set
    picture : ipywidgets.Image, the figure as last drawn
    message : ipywidgets.HTML, empty unless it is at work or something went wrong
    """

    def __init__(self, draw: Callable[..., Figure], controls: dict[str, Any]) -> None:
        self.draw, self.controls = draw, controls
        self.picture = ipw.Image(format="png", layout=ipw.Layout(max_width="100%"))
        self.message = ipw.HTML()
        super().__init__([*controls.values(), self.message, self.picture, ipw.HTML(HIDE_TWIN)])
        self.add_class("rnncourse-live")
        self.picture.value = self._png()  # an error in the first drawing is the caller's to see
        for control in controls.values():
            control.observe(self._update, "value")

    @property
    def values(self) -> dict[str, Any]:
        """The present settings by name."""
        return {name: control.value for name, control in self.controls.items()}

    def _png(self) -> bytes:
        others = set(plt.get_fignums())
        try:
            figure = self.draw(**self.values)
            if not isinstance(figure, Figure):
                raise TypeError(
                    f"{self.draw.__name__} returned {type(figure).__name__}, expected a Figure"
                )
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=110)
            return file.getvalue()
        finally:  # otherwise the notebook would show it a second time
            for number in set(plt.get_fignums()) - others:
                plt.close(number)

    def _update(self, change: object) -> None:
        self.message.value = "Computing …"
        try:
            self.picture.value = self._png()
        except Exception as error:  # an error in a callback would vanish in a log
            self.message.value = html.escape(f"{type(error).__name__}: {error}")
        else:
            self.message.value = ""

    def __repr__(self) -> str:
        settings = (f"{name}={value!r}" for name, value in self.values.items())
        return f"live({', '.join([self.draw.__name__, *settings])})"

    def _ipython_display_(self) -> None:
        display_with_twin(self, {"image/png": base64.b64encode(self.picture.value).decode()})


def live(draw: Callable[..., Figure], **ranges: Sequence[Any]) -> Live:
    """Return a figure that is drawn again when one of its sliders is moved.

    Parameters
    ----------
    draw : function that returns a matplotlib Figure
        Each argument that has a slider needs a default, where the slider starts. A seed set inside
        `draw` keeps the picture a function of its settings.
    **ranges
        For each argument (low, high, step) for a slider, or a list of options to choose from.

    Returns
    -------
    Live
        Show it as the last line of a cell. Its first picture is drawn at once.

    Raises
    ------
    TypeError, ValueError
        A name that is no argument of `draw`; an argument without a default; a range of
        another form; a default outside of its range; whatever `draw` itself raises.

    Examples
    --------
    >>> def powers(factor=0.9):
    ...     figure, ax = plt.subplots()
    ...     ax.plot(factor ** np.arange(50))
    ...     return figure
    >>> live(powers, factor=(0.5, 1.1, 0.05))
    live(powers, factor=0.9)
    """
    if not callable(draw):
        raise TypeError(f"draw is {draw!r}, expected a function that returns a Figure")
    arguments = inspect.signature(draw).parameters
    controls = {}
    for name, allowed in ranges.items():
        if name not in arguments:
            expected = ", ".join(arguments) or "none"
            raise TypeError(f"{name} is no argument of {draw.__name__}, expected one of {expected}")
        start = arguments[name].default
        if start is inspect.Parameter.empty:
            raise TypeError(f"{name} has no default in {draw.__name__}, expected a value to start")
        controls[name] = _control(name, start, allowed)
    return Live(draw, controls)


def _control(name: str, start: Any, allowed: Sequence[Any]) -> Any:
    """Return a slider for a tuple (low, high, step), or one over the options of a list."""
    shown = {
        "description": name.replace("_", " "),
        "continuous_update": False,
        "style": {"description_width": "10em"},
        "layout": ipw.Layout(width="min(100%, 36em)"),
    }
    if isinstance(allowed, tuple):
        try:
            low, high, step = (require_number(name, n) for n in allowed)
            good = low < high and step > 0
        except (TypeError, ValueError):
            good = False
        if not good:
            expected = "expected (low, high, step) with low < high and step > 0"
            raise ValueError(f"{name} has the range {allowed!r}, {expected}")
        low, high, step = allowed
        if not low <= start <= high:
            raise ValueError(f"{name} starts at {start!r}, expected a number from {low} to {high}")
        whole = all(isinstance(n, int) for n in (start, low, high, step))
        slider = ipw.IntSlider if whole else ipw.FloatSlider
        digits = {} if whole else {"readout_format": ".4g"}
        return slider(value=start, min=low, max=high, step=step, **shown, **digits)
    if isinstance(allowed, str) or not isinstance(allowed, Sequence) or not allowed:
        raise ValueError(
            f"{name} has the range {allowed!r}, expected (low, high, step) or a list of options"
        )
    if start not in allowed:
        raise ValueError(f"{name} starts at {start!r}, expected one of {list(allowed)!r}")
    return ipw.SelectionSlider(value=start, options=list(allowed), **shown)
