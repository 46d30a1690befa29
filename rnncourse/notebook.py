"""For notebooks: a widget, with what stands for it where no kernel runs; numbers that hold.

Needs IPython, which every notebook has.
"""

from typing import Any

import numpy as np
from IPython.display import display
from numpy.typing import ArrayLike

from .validation import float_array, require_number, require_shape

VIEW = "application/vnd.jupyter.widget-view+json"


def display_with_twin(widget: Any, twin: dict[str, str]) -> None:
    """Display `twin`, and after it `widget`, as two outputs of a cell.

    In one output JupyterLab prefers a widget to every other form, and shows an error in its place
    when the notebook is opened again and the widget is gone. A twin of its own stays. The live
    widget has to take the twin out of sight. Of a widget that is closed only the twin is left.

    Parameters
    ----------
    widget : ipywidgets.Widget, of ipywidgets 7 or 8
    twin : dict
        What stands for the widget, by MIME type.
    """
    display({"text/plain": repr(widget), **twin}, raw=True)
    data, metadata = view(widget)
    if data:
        display(data, metadata=metadata, raw=True)


def view(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what shows `widget`, by MIME type, without its text, and the metadata of that."""
    bundle = getattr(widget, "_repr_mimebundle_", None)
    if bundle is not None:
        shown = bundle()
        data, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        return {kind: form for kind, form in data.items() if kind != "text/plain"}, metadata
    if widget.comm is None:  # closed
        return {}, {}
    # ipywidgets 7 displays by itself, and would repeat the text.
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}, {}


@np.errstate(all="ignore")
def steady(value: ArrayLike, shown: ArrayLike, within: float) -> ArrayLike:
    """Return `shown` if every entry of `value` lies within `within` of it, otherwise `value`.

    Two processors round differently, and training repeats each difference thousands of times. A
    notebook prints the number that one of them found, and every other confirms it:

    >>> accuracy = 0.9711
    >>> print(steady(accuracy, 0.973, within=0.01))
    0.973

    What has really changed, another seed or another setting, shows its own number.

    Parameters
    ----------
    value : number or array of any shape
        What was computed here. NaN and infinity are allowed, and are near nothing.
    shown : number or array of the same shape
        What the page shows.
    within : float, at least 0
        How far the two may lie apart, in the units of `value`.

    Raises
    ------
    TypeError, ValueError
        `value` or `shown` are no real numbers or differ in shape; `within` is below 0.
    """
    mine, saved = float_array("value", value), float_array("shown", shown)
    require_shape("shown", saved, mine.shape)
    if require_number("within", within, "a number from 0") < 0:
        raise ValueError(f"within is {within!r}, expected a number from 0")
    return shown if np.all(np.abs(mine - saved) <= within) else value
