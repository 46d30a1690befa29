"""A widget in a notebook, and what stands in its place where no kernel runs.

Needs IPython, which every notebook has.
"""

from typing import Any

from IPython.display import display


def display_with_twin(widget: Any, twin: dict[str, str]) -> None:
    """Display `twin`, and after it `widget`, as two outputs of a cell.

    In one output JupyterLab prefers a widget to every other form, and shows an error in its place
    when the notebook is opened again and the widget is gone. A twin of its own stays. The live
    widget has to take the twin out of sight.

    Parameters
    ----------
    widget : ipywidgets.Widget
    twin : dict
        What stands for the widget, by MIME type.
    """
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle or {}
    display({"text/plain": repr(widget), **twin}, raw=True)
    display({kind: form for kind, form in data.items() if kind != "text/plain"}, raw=True)
