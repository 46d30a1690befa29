"""The drawings of chapter 1 draw what they say."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from rnncourse import figures

pytestmark = pytest.mark.usefixtures("drawing")


def count(ax: Axes, kind: type, color: str | None = None) -> int:
    """Return the number of patches of a kind, with an edge of `color` if one is given."""
    rgba = None if color is None else to_rgba(color)
    patches = [p for p in ax.patches if isinstance(p, kind)]
    return sum(rgba is None or p.get_edgecolor() == rgba for p in patches)


def words(figure: Figure) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def fullness(ax: Axes) -> dict[tuple[int, int], float]:
    """Return how full each square of a matrix is drawn, by row and column from the top left."""
    assert ax.yaxis_inverted()
    found = {}
    for patch in ax.patches:
        corners = patch.get_path().vertices.reshape(-1, 5, 2)
        for x, y in np.floor(corners[:, :4].mean(axis=1)).astype(int):
            found[int(y), int(x)] = patch.get_alpha()
    return found


def test_lamp_draws_each_press_and_shades_the_window() -> None:
    presses, on = np.array([1, 0, 0, 1, 1]), np.array([1, 1, 1, 0, 1])
    figure = figures.lamp(presses, on, first=61, window=2)
    above, below = figure.axes
    assert [stairs.get_data().values.tolist() for stairs in above.patches[:2]] == [on.tolist()] * 2
    (strokes,) = below.collections
    assert [line[0, 0] for line in strokes.get_segments()] == [61, 64, 65]
    for ax in figure.axes:
        corners = ax.patches[-1].get_extents().transformed(ax.transData.inverted())
        np.testing.assert_allclose(corners.intervalx, (63.5, 65.5))


def test_lamp_draws_what_was_said() -> None:
    said = np.array([0.9, -1.1])
    figure = figures.lamp(np.array([1, 1]), np.array([1, 0]), said)
    assert len(figure.axes) == 3
    np.testing.assert_array_equal(figure.axes[2].lines[-1].get_xydata(), [[1, 0.9], [2, -1.1]])
    with pytest.raises(ValueError, match=r"said has shape \(2,\), expected \(3,\)"):
        figures.lamp(np.zeros(3, int), np.zeros(3, int), said)
    with pytest.raises(ValueError, match=r"on has shape \(2,\), expected \(3,\)"):
        figures.lamp(np.zeros(3, int), np.zeros(2, int))
    with pytest.raises(ValueError, match="said contains NaN"):
        figures.lamp(np.zeros(2, int), np.zeros(2, int), [0.5, np.nan])
    with pytest.raises(ValueError, match="presses"):
        figures.lamp(np.zeros(0, int), np.zeros(0, int))


def test_folded_has_both_drawings() -> None:
    figure = figures.folded()
    (ax,) = figure.axes
    # Four units and three vectors.
    assert count(ax, Circle) == 4 + 3
    # Two edges in, two out, four recurrent; then one for each of the three matrices.
    assert count(ax, FancyArrowPatch) == 8 + 3
    assert count(ax, FancyArrowPatch, figures.HIDDEN) == 4 + 1
    assert {"$W_{xh}$", "$W_{hh}$", "$W_{hy}$"} <= set(words(figure))


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_unrolled_has_a_copy_for_each_step(steps: int) -> None:
    figure = figures.unrolled(steps)
    (ax,) = figure.axes
    assert count(ax, Circle) == 3 + 1 + 3 * steps
    # The folded network's three, the arrow between, and three in each copy.
    assert count(ax, FancyArrowPatch) == 3 + 1 + 3 * steps
    texts = words(figure)
    for name in ("$W_{xh}$", "$W_{hh}$", "$W_{hy}$"):
        assert texts.count(name) == 1 + steps
    assert [f"$h_{{{t}}}$" in texts for t in range(1, steps + 2)] == [True] * steps + [False]


@pytest.mark.parametrize("steps", [0, -1])
def test_unrolled_refuses_no_steps(steps: int) -> None:
    with pytest.raises(ValueError, match="steps"):
        figures.unrolled(steps)


def test_arrangements_shows_all_five() -> None:
    figure = figures.arrangements()
    (ax,) = figure.axes
    assert {name for name, *_ in figures.ARRANGEMENTS} <= set(words(figure))
    assert count(ax, Circle, figures.INPUT) == 1 + 1 + 3 + 3 + 3
    assert count(ax, Circle, figures.HIDDEN) == 1 + 3 + 3 + 3 + 5
    assert count(ax, Circle, figures.OUTPUT) == 1 + 3 + 1 + 3 + 2
    assert count(ax, FancyArrowPatch) == 11 + 10 + (0 + 2 + 2 + 2 + 4)


def test_arrangement_refuses_steps_outside_the_chain() -> None:
    _, ax = figures.canvas(4, 4)
    with pytest.raises(ValueError, match="outputs is"):
        figures.arrangement(ax, (0.5, 0.5), "none", 3, (1,), (4,))
    with pytest.raises(ValueError, match="inputs is"):
        figures.arrangement(ax, (0.5, 0.5), "none", 3, (), (3,))


@pytest.mark.parametrize(("angle", "side"), [(0, (1, 0)), (90, (0, 1)), (180, (-1, 0))])
def test_loop_leaves_and_returns_on_its_side(angle: float, side: tuple[int, int]) -> None:
    _, ax = figures.canvas(4, 4)
    figures.loop(ax, (2, 2), "w", angle=angle)
    # Start, control point and end of the curve; the arrow head follows.
    vertices = ax.patches[0].get_path().vertices[:3]
    assert ((vertices - (2, 2)) @ side > 0).all()


def test_cobweb_walks_between_curve_and_diagonal() -> None:
    _, ax = plt.subplots()
    figures.cobweb(ax, 2.0, 0.1, 0.5, 6, [0.0])
    web = ax.lines[2].get_xydata()
    assert len(web) == 1 + 2 * 6
    # After each pair of moves the path is back on the diagonal; between them, on the curve.
    np.testing.assert_allclose(web[::2, 0], web[::2, 1])
    np.testing.assert_allclose(web[1::2, 1], np.tanh(2.0 * web[1::2, 0] + 0.1))
    with pytest.raises(ValueError, match="steps"):
        figures.cobweb(ax, 2.0, 0.0, 0.5, 0)


@pytest.mark.parametrize(("w", "filled"), [(0.5, True), (2.0, False), (-2.0, False)])
def test_cobweb_fills_stable_points(w: float, filled: bool) -> None:
    _, ax = plt.subplots()
    figures.cobweb(ax, w, 0.0, 0.5, 3, [0.0])
    (point,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert (point.get_markerfacecolor() == figures.HIDDEN) is filled


def test_confusion_writes_the_diagonal_and_the_mistakes() -> None:
    figure = figures.confusion(np.array([[5, 0, 2], [0, 0, 0], [1, 0, 7]]))
    assert sorted(words(figure)) == ["0", "1", "2", "5", "7"]
    assert count(figure.axes[0], Rectangle) == 5
    with pytest.raises(ValueError, match="square"):
        figures.confusion(np.zeros((2, 3), int))


def test_digits_draws_each_image_under_its_title() -> None:
    figure = figures.digits(np.arange(45.0).reshape(5, 3, 3), list("abcde"), columns=3)
    assert [ax.get_title(loc="center") for ax in figure.axes] == [*"abcde", ""]
    assert fullness(figure.axes[4]) == {
        (row, column): round((36 + 3 * row + column) / 44, 2)
        for row in range(3)
        for column in range(3)
    }
    with pytest.raises(ValueError, match="5 images and 1 titles"):
        figures.digits(np.zeros((5, 3, 3)), ["a"])


def test_a_cell_is_as_full_as_its_value_and_zero_is_empty() -> None:
    _, ax = plt.subplots()
    figures.cells(ax, [[0, 0.5], [1, 0.5], [0.254, 0]], figures.HIDDEN)
    assert fullness(ax) == {(0, 1): 0.5, (1, 0): 1, (1, 1): 0.5, (2, 0): 0.25}
    assert len(ax.patches) == 3  # one path for each value


def test_beliefs_prints_the_largest_of_each_row() -> None:
    figure = figures.beliefs(np.eye(3), np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]]))
    assert words(figure) == ["70", "80", "50"]
    with pytest.raises(ValueError, match="image has 2 rows"):
        figures.beliefs(np.zeros((2, 3)), np.zeros((3, 2)))
