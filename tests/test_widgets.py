"""Plots with sliders: drawn again from the settings, with a picture where no kernel runs."""

import functools
import io

import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
from matplotlib.figure import Figure  # noqa: E402

from rnncourse.notebook import VIEW, display_with_twin  # noqa: E402
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
    figure.controls["kind"].index = 1
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


@pytest.fixture
def shown(monkeypatch):
    """What a notebook shows from now on: a list of (forms by MIME type, metadata)."""
    shown = []
    monkeypatch.setattr(
        "rnncourse.notebook.display",
        lambda data, metadata=None, raw=False: shown.append((data, metadata)),
    )
    return shown


def test_the_twin_is_the_picture_as_last_drawn(shown):
    figure = live(line, slope=(0.0, 4.0, 0.5))
    figure._ipython_display_()
    (data, _), (widget, _) = shown
    assert data["text/plain"] == "live(line, slope=1.0)"
    assert set(widget) == {VIEW}
    assert widget[VIEW]["model_id"] == figure.model_id
    assert 'viewBox="0 0 144 144"' in data["image/svg+xml"]
    figure.controls["slope"].value = 2.0
    figure._ipython_display_()
    assert shown[2][0]["image/svg+xml"] != data["image/svg+xml"]
    assert matplotlib.image.imread(io.BytesIO(figure.picture.value)).shape[:2] == (220, 220)


class Seven:
    """What ipywidgets 7 has: a widget that displays itself."""

    comm = object()
    model_id = "an id"

    def _ipython_display_(self):
        raise AssertionError("its text would stand there twice")

    def __repr__(self):
        return "a widget"


class Eight:
    """What ipywidgets 8 has: a widget that says what to display."""

    comm = object()

    def _repr_mimebundle_(self):
        return {"text/plain": "a widget", VIEW: {"model_id": "an id"}}

    def __repr__(self):
        return "a widget"


class EightWithMetadata(Eight):
    """An anywidget: what it says comes with metadata, which Colab needs."""

    def _repr_mimebundle_(self):
        return super()._repr_mimebundle_(), {VIEW: {"colab": {}}}


@pytest.mark.parametrize("kind", [Seven, Eight, EightWithMetadata])
def test_the_twin_and_the_widget_are_shown_whatever_the_version_of_ipywidgets(kind, shown):
    display_with_twin(kind(), {"text/html": "twin"})
    (twin, _), (widget, metadata) = shown
    assert twin == {"text/plain": "a widget", "text/html": "twin"}
    assert set(widget) == {VIEW}
    assert widget[VIEW]["model_id"] == "an id"
    assert metadata == ({VIEW: {"colab": {}}} if kind is EightWithMetadata else {})


def test_of_a_closed_widget_the_twin_is_left(shown):
    figure = live(line, slope=(0.0, 4.0, 0.5))
    figure.close()
    display_with_twin(figure, {"text/html": "twin"})
    ((twin, _),) = shown
    assert twin["text/html"] == "twin"


def both(start):
    """Return a function that draws, its one argument at first `start`, and what it was given."""
    seen = []

    def draw(value=start):
        seen.append(value)
        return Figure(figsize=(1, 1))

    return draw, seen


@pytest.mark.parametrize(
    "ends", [(2, 10, 1), (np.int64(2), np.uint8(10), np.int32(1)), tuple(np.array([2, 10, 1]))]
)
@pytest.mark.parametrize("start", [4, np.int64(4), np.uint8(4)])
def test_whole_numbers_of_numpy_stay_whole(start, ends):
    draw, seen = both(start)
    figure = live(draw, value=ends)
    figure.controls["value"].value = 5
    assert seen == [4, 5]
    assert [type(value) for value in seen] == [int, int]
    assert repr(figure) == "live(draw, value=5)"


@pytest.mark.parametrize("start", [0.5, np.float64(0.5), np.float32(0.5)])
def test_one_fraction_makes_all_of_them_floats(start):
    draw, seen = both(start)
    figure = live(draw, value=(np.float32(0), np.int64(2), 0.25))
    figure.controls["value"].value = 1
    assert seen == [0.5, 1.0]
    assert [type(value) for value in seen] == [float, float]


OPTIONS = {
    "none": [None, 1, "a"],
    "none, not the first": [1, None],
    "truths": [False, True],
    "truths and numbers": [1, True, 0, False],
    "floats of NumPy": [np.float64(0.1), np.float32(0.2), 3],
    "pairs": [(8, 8), (16, 16)],
    "tuples": [(8,), (8, 8), ()],
    "lists": [[1, 2], [3]],
    "the same text": [1, "1", 1.0000000001],
    "arrays": [np.zeros(2), np.ones(2), np.ones(3), 1.0],
    "functions": [np.tanh, max, functools.partial(max, 1)],
    "dicts": [{}, {"a": 1}],
    "a range": range(2, 6),
    "one": ["only"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_any_kind_arrive_as_they_were_given(name):
    options = list(OPTIONS[name])
    for place, start in enumerate(options):
        draw, seen = both(start)
        figure = live(draw, value=OPTIONS[name])
        control = figure.controls["value"]
        for index in range(len(options)):
            control.index = index
        assert control.index == len(options) - 1
        assert figure.message.value == ""
        assert figure.values["value"] is options[-1] or figure.values["value"] == options[-1]
        moved = [start, *(options if place else options[1:])]  # the first place may be the start
        assert len(seen) == len(moved)
        for given, wanted in zip(seen, moved, strict=True):
            assert type(given) is type(wanted)
            assert given is wanted or np.array_equal(given, wanted)
        assert "0x" not in repr(figure)


def test_an_array_of_options_arrives_as_numbers_of_python_and_rows():
    draw, seen = both(0.1)
    figure = live(draw, value=np.array([0.001, 0.01, 0.1]))
    figure.controls["value"].index = 0
    assert seen == [0.1, 0.001]
    assert type(seen[1]) is float
    draw, seen = both(np.array([3, 4]))
    figure = live(draw, value=np.arange(6).reshape(3, 2) + 1)
    figure.controls["value"].index = 2
    assert [row.tolist() for row in seen] == [[3, 4], [5, 6]]


def test_the_slider_shows_short_labels():
    draw, _ = both(1 / 3)
    options = [1 / 3, None, 1e300, np.float32(0.1), np.tanh, "a", (1, 2), 3]
    labels = ("0.333333", "None", "1e+300", "0.1", "tanh", "a", "(1, 2)", "3")
    assert live(draw, value=options).controls["value"]._options_labels == labels


class Pen:
    """Something that is called like a function."""

    def __call__(self, slope=1.0):
        return line(slope)

    def draw(self, slope=1.0):
        """Draw a line."""
        return line(slope)


def by_keyword(*, slope=1.0):
    return line(slope)


def with_more(slope=1.0, *rest, **options):
    return line(slope)


def named_draw(draw=1.0):
    return line(draw)


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (functools.partial(line, steps=3), "line"),
        (functools.partial(functools.partial(line, steps=3), slope=1.0), "line"),
        (functools.partial(Pen()), "Pen"),
        (functools.wraps(line)(lambda **given: line(**given)), "line"),
        (Pen(), "Pen"),
        (Pen().draw, "draw"),
        (lambda slope=1.0: line(slope), "<lambda>"),
        (by_keyword, "by_keyword"),
        (with_more, "with_more"),
    ],
)
def test_whatever_can_be_called_can_draw(draw, name):
    figure = live(draw, slope=(0.0, 4.0, 0.5))
    first = figure.picture.value
    assert repr(figure) == f"live({name}, slope=1.0)"
    figure.controls["slope"].value = 2.0
    assert figure.picture.value != first
    figure.controls["slope"].value = 3.0
    assert figure.message.value == "ValueError: slope &lt; 3 wanted"


def test_an_argument_may_have_any_name():
    assert live(named_draw, draw=(0.0, 4.0, 0.5)).values == {"draw": 1.0}


def test_a_reader_who_interrupts_is_told_and_can_go_on():
    def slow(steps=5):
        if steps == 6:
            raise KeyboardInterrupt
        return line(steps=steps)

    figure = live(slow, steps=(2, 10, 1))
    figure.controls["steps"].value = 6
    assert figure.message.value == "KeyboardInterrupt"
    figure.controls["steps"].value = 7
    assert figure.message.value == ""
    assert plt.get_fignums() == []


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
        ({"slope": ["1.0"]}, ValueError, r"slope starts at 1.0, expected one of \['1.0'\]"),
        ({"slope": [True]}, ValueError, r"slope starts at 1.0, expected one of \[True\]"),
        ({"slope": [np.ones(1)]}, ValueError, "slope starts at 1.0, expected one of .array"),
        ({"slope": (0, np.inf, 1)}, ValueError, "slope has the range .*inf.*, expected"),
        ({"slope": (False, True, 1)}, ValueError, "slope has the range .*True.*, expected"),
        ({"slope": (None, 1, 1)}, ValueError, "slope has the range .*None.*, expected"),
        ({"slope": ("a", "b")}, ValueError, "slope has the range .*, expected .* a list of opt"),
        ({"slope": ()}, ValueError, r"slope has the range \(\), expected"),
        ({"slope": "abc"}, ValueError, "slope has the range 'abc', expected .* or a list"),
        ({"slope": {1.0, 2.0}}, ValueError, "slope has the range {.*}, expected .* or a list"),
        ({"slope": {"a": 1.0}}, ValueError, "slope has the range {.*}, expected .* or a list"),
        ({"slope": iter([1.0])}, ValueError, "slope has the range <.*>, expected .* or a list"),
        ({"slope": None}, ValueError, "slope has the range None, expected .* or a list"),
        ({"slope": True}, ValueError, "slope has the range True, expected .* or a list"),
        ({"slope": np.array(1.0)}, ValueError, r"slope has the range array\(1.*, expected"),
        ({"slope": np.array([])}, ValueError, r"slope has the range \[\], expected"),
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

    with pytest.raises(TypeError, match="slope has no default in bare"):
        live(bare)  # without a slider it would be missing

    def positional(slope, /, steps=5):
        return line(slope, steps)

    with pytest.raises(TypeError, match="slope has no default in positional"):
        live(positional, steps=(0, 9, 1))


@pytest.mark.parametrize(
    "start", [None, "1", True, np.True_, np.nan, [1], np.ones(1), 10**400, 1 + 0j, -1, 5]
)
def test_a_start_that_is_no_number_of_the_range_is_named(start):
    draw, seen = both(start)
    with pytest.raises(ValueError, match=r"value starts at .*, expected a number from 0 to 4"):
        live(draw, value=(0, 4, 1))
    assert seen == []


def test_arguments_that_cannot_be_given_by_name_are_refused():
    def positional(slope=1.0, /, *rest, **options):
        return line(slope)

    for name in ("slope", "rest", "options"):
        with pytest.raises(TypeError, match=f"{name} is no argument of positional, expected one"):
            live(positional, **{name: (0, 4, 1)})


@pytest.mark.parametrize("draw", [None, "line", plt, 3])
def test_what_cannot_be_called_is_refused(draw):
    with pytest.raises(TypeError, match=r"draw is .*, expected a function that returns"):
        live(draw)


def test_a_function_without_a_signature_is_refused():
    with pytest.raises(TypeError, match="draw is dict, whose arguments Python cannot tell"):
        live(dict)


@pytest.mark.parametrize(
    ("returned", "given"),
    [
        (lambda: "no figure", "str"),
        (lambda: None, "None"),
        (lambda: plt, "module"),
        (lambda: plt.gca(), "Axes"),
        (lambda: plt.subplots(), "tuple"),
        (lambda: plt.plot([1, 2]), "list"),
    ],
)
def test_what_is_not_a_figure_is_refused(returned, given):
    def draw():
        plt.figure()
        return returned()

    words = f"draw returned {given}, expected a Figure: `return figure`"
    with pytest.raises(TypeError, match=words):
        live(draw)
    assert plt.get_fignums() == []
