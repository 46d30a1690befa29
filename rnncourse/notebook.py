"""A widget in a notebook, and what stands in its place where no kernel runs.

Needs IPython, which every notebook has.
"""

from typing import Any

from IPython.display import display

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
