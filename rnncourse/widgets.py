"""A plot with sliders: Python draws it again, from a real run, whenever one is moved.

Needs ipywidgets and matplotlib (``pip install rnncourse[widgets,plot]``). Where no kernel runs, the
first picture stands in its place. Figures that need no kernel are in `rnncourse.explorables`.
"""

import functools
import html
import inspect
import io
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw
import matplotlib.pyplot as plt
import numpy as np
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
    controls : dict of ipywidgets, by the name of the argument they set. Over a list of options, the
        value of a control is the place of the option in the list, from 0.
    picture : ipywidgets.Image, the figure as last drawn
    message : ipywidgets.HTML, empty unless it is at work or something went wrong
    """

    def __init__(
        self, draw: Callable[..., Figure], controls: dict[str, Any], options: dict[str, list[Any]]
    ) -> None:
        self.draw, self.controls, self._options = draw, controls, options
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
        present = {name: control.value for name, control in self.controls.items()}
        return present | {name: some[present[name]] for name, some in self._options.items()}

    def _png(self) -> bytes:
        others = set(plt.get_fignums())
        try:
            figure: Any = self.draw(**self.values)
            if not isinstance(figure, Figure):
                given = "None" if figure is None else type(figure).__name__
                raise TypeError(
                    f"{_name(self.draw)} returned {given}, expected a Figure: `return figure`"
                )
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=110)
            self._figure = figure
            return file.getvalue()
        finally:  # otherwise the notebook would show it a second time
            for number in set(plt.get_fignums()) - others:
                plt.close(number)

    def _svg(self) -> str:
        """Return the picture as last drawn in a form that a page can show in its own colors."""
        file = io.StringIO()
        self._figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    def _update(self, change: object) -> None:
        self.message.value = "Computing …"
        try:
            self.picture.value = self._png()
        # An error in a callback would vanish in a log, and so would the reader's own interruption.
        except (Exception, KeyboardInterrupt) as error:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            self.message.value = html.escape(said)
        else:
            self.message.value = ""

    def __repr__(self) -> str:
        settings = (f"{name}={_text(value)}" for name, value in self.values.items())
        return f"live({', '.join([_name(self.draw), *settings])})"

    def _ipython_display_(self) -> None:
        display_with_twin(self, {"image/svg+xml": self._svg()})


def live(draw: Callable[..., Figure], /, **ranges: Sequence[Any] | np.ndarray) -> Live:
    """Return a figure that is drawn again when one of its sliders is moved.

    Parameters
    ----------
    draw : function that returns a matplotlib Figure, or anything that can be called like one
        Each argument needs a default; that of a slider is where it starts. A seed set inside
        `draw` keeps the picture a function of its settings.
    **ranges
        For each argument (low, high, step), a tuple of three numbers, for a slider; or a list,
        range or array of options to choose from, of any kind. Whole numbers stay whole.

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
    defaults = _defaults(draw)
    controls, options = {}, {}
    for name, allowed in ranges.items():
        if name not in defaults:
            expected = ", ".join(defaults) or "none"
            raise TypeError(f"{name} is no argument of {_name(draw)}, expected one of {expected}")
        if isinstance(allowed, tuple):
            controls[name] = _slider(name, defaults[name], allowed)
        else:
            options[name] = _options(name, allowed)
            controls[name] = _choice(name, defaults[name], options[name])
    return Live(draw, controls, options)


def _name(draw: Any) -> str:
    """Return what to call a function, or what is called like one, in an error or a text."""
    if isinstance(draw, functools.partial):
        return _name(draw.func)
    return getattr(draw, "__name__", type(draw).__name__)


def _text(value: Any) -> str:
    """Return a setting as text that is the same on every run: a function without its address."""
    return _name(value) if callable(value) else repr(value)


def _defaults(draw: Callable[..., Figure]) -> dict[str, Any]:
    """Return the arguments of `draw` that can be given by name, with their defaults."""
    try:
        arguments = inspect.signature(draw).parameters.values()
    except ValueError:
        raise TypeError(
            f"draw is {_name(draw)}, whose arguments Python cannot tell, expected a function of "
            "your own around it"
        ) from None
    variable = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    for argument in arguments:
        if argument.default is argument.empty and argument.kind not in variable:
            raise TypeError(
                f"{argument.name} has no default in {_name(draw)}, expected a value to start"
            )
    unnamed = *variable, inspect.Parameter.POSITIONAL_ONLY
    return {a.name: a.default for a in arguments if a.kind not in unnamed}


def _slider(name: str, start: Any, allowed: tuple[Any, ...]) -> Any:
    """Return a slider for (low, high, step); whole if these and `start` are."""
    try:
        low, high, step = (_number(name, n) for n in allowed)
        good = low < high and step > 0
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"{name} has the range {allowed!r}, expected (low, high, step) with low < high and "
            "step > 0, or a list of options"
        )
    try:
        value = _number(name, start)
        inside = low <= value <= high
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise ValueError(f"{name} starts at {start!r}, expected a number from {low} to {high}")
    if all(isinstance(n, int) for n in (value, low, high, step)):
        return ipw.IntSlider(value=value, min=low, max=high, step=step, **_shown(name))
    return ipw.FloatSlider(
        value=value, min=low, max=high, step=step, readout_format=".4g", **_shown(name)
    )


def _number(name: str, value: Any) -> int | float:
    """Return a finite number of Python or NumPy as Python's int or float; raise otherwise."""
    number = require_number(name, value)
    return int(value) if isinstance(value, int | np.integer) else number


def _options(name: str, allowed: Any) -> list[Any]:
    """Return the options of a list, a range or an array; raise ``ValueError`` for anything else."""
    if isinstance(allowed, np.ndarray) and allowed.ndim == 1:
        allowed = allowed.tolist()  # as Python's numbers
    elif isinstance(allowed, np.ndarray) and allowed.ndim > 1:
        allowed = list(allowed)
    if isinstance(allowed, str | bytes) or not isinstance(allowed, Sequence) or not allowed:
        raise ValueError(
            f"{name} has the range {allowed!r}, expected (low, high, step) or a list of options"
        )
    return list(allowed)


def _choice(name: str, start: Any, options: list[Any]) -> Any:
    """Return a slider over the places of `options`.

    ipywidgets could hold the options themselves, but not None, nor pairs, nor arrays.
    """
    place = next((i for i, option in enumerate(options) if _same(option, start)), None)
    if place is None:
        raise ValueError(f"{name} starts at {start!r}, expected one of {options!r}")
    places = [(_label(option), i) for i, option in enumerate(options)]
    return ipw.SelectionSlider(value=place, options=places, **_shown(name))


def _same(option: Any, start: Any) -> bool:
    """Return True if the two are equal, where True is not 1 and an array is only like an array."""
    if option is start:
        return True
    for kind in (bool | np.bool_, np.ndarray):
        if isinstance(option, kind) != isinstance(start, kind):
            return False
    if isinstance(option, np.ndarray):
        return np.array_equal(option, start)
    try:
        return bool(option == start)
    except ValueError:  # arrays inside
        return False


def _label(option: Any) -> str:
    """Return what the slider shows for an option."""
    if isinstance(option, float | np.floating):
        return f"{option:.6g}"
    return _name(option) if callable(option) else str(option)


def _shown(name: str) -> dict[str, Any]:
    """Return how a slider looks."""
    return {
        "description": name.replace("_", " "),
        "continuous_update": False,
        "style": {"description_width": "10em"},
        "layout": ipw.Layout(width="min(100%, 36em)"),
    }
