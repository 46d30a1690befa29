"""Plots with sliders: drawn again from the settings, with a picture where no kernel runs."""

import base64

import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
from rnncourse.widgets import live  # noqa: E402


def line(slope=1.0, steps=5):
    """Draw a line; the slope 3 is refused."""
    if slope == 3:
        raise ValueError("slope < 3 wanted")
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.plot(slope * np.arange(steps))
    ax.set(ylim=(0, 10))
    return figure


def test_moving_a_slider_draws_again_and_leaves_no_figure_open():
    figure = live(line, slope=(0.0, 4.0, 0.5), steps=(2, 10, 1))
    first = figure.picture.value
    figure.controls["slope"].value = 2.0
    assert figure.picture.value != first
    assert figure.values == {"slope": 2.0, "steps": 5}
    figure.controls["slope"].value = 1.0
    assert figure.picture.value == first
    assert plt.get_fignums() == []
    assert figure.message.value == ""


def test_whole_settings_get_whole_sliders_and_lists_get_their_options():
    seen = []

    def draw(steps=5, kind="a"):
        seen.append((steps, kind))
        return line()

    figure = live(draw, steps=(2, 10, 1), kind=["a", "b"])
    figure.controls["kind"].value = "b"
    figure.controls["steps"].value = 7
    assert seen == [(5, "a"), (5, "b"), (7, "b")]
    assert type(figure.controls["steps"].value) is int


def test_an_error_is_shown_and_the_last_picture_stays():
    figure = live(line, slope=(0.0, 4.0, 0.5))
    first, mine = figure.picture.value, plt.figure()
    figure.controls["slope"].value = 3.0
    assert figure.message.value == "ValueError: slope &lt; 3 wanted"
    assert figure.picture.value == first
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)
    figure.controls["slope"].value = 2.0
    assert figure.message.value == ""


def test_the_twin_is_the_first_picture(tmp_path, monkeypatch):
    figure = live(line, slope=(0.0, 4.0, 0.5))
    shown = []
    monkeypatch.setattr("rnncourse.notebook.display", lambda data, raw: shown.append(data))
    figure._ipython_display_()
    data, widget = shown
    assert data["text/plain"] == "live(line, slope=1.0)"
    assert set(widget) == {"application/vnd.jupyter.widget-view+json"}
    (tmp_path / "a.png").write_bytes(base64.b64decode(data["image/png"]))
    assert matplotlib.image.imread(tmp_path / "a.png").shape[:2] == (220, 220)


@pytest.mark.parametrize(
    ("ranges", "error", "words"),
    [
        ({"size": (0, 1, 1)}, TypeError, "size is no argument of line, expected one of slope"),
        ({"slope": (2.0, 4.0, 0.5)}, ValueError, "slope starts at 1.0, expected a number from 2.0"),
        ({"slope": (0, 4)}, ValueError, r"slope has the range \(0, 4\), expected \(low, high"),
        ({"slope": (0.0, 4.0, 0.0)}, ValueError, "slope has the range .*, expected .* step > 0"),
        ({"slope": (4.0, 0.0, 0.5)}, ValueError, "slope has the range .*, expected .* low < high"),
        ({"slope": ("a", "b", "c")}, ValueError, r"slope has the range .*, expected \(low, high"),
        ({"slope": 5}, ValueError, "slope has the range 5, expected .* or a list of options"),
        ({"slope": []}, ValueError, r"slope has the range \[\], expected .* or a list of options"),
        ({"slope": [2, 3]}, ValueError, r"slope starts at 1.0, expected one of \[2, 3\]"),
    ],
)
def test_bad_ranges_are_named(ranges, error, words):
    with pytest.raises(error, match=words):
        live(line, **ranges)


def test_an_argument_without_a_default_is_named():
    def bare(slope):
        return line(slope)

    with pytest.raises(TypeError, match="slope has no default in bare"):
        live(bare, slope=(0, 1, 1))


def test_what_is_not_a_figure_is_refused():
    def text():
        return "no figure"

    with pytest.raises(TypeError, match="text returned str, expected a Figure"):
        live(text)
