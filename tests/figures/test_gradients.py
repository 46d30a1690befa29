"""The drawings of chapter 3 show what they say, and refuse what they cannot draw."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrow, FancyArrowPatch

from rnncourse import figures, jacobians

W = np.array([[0.9, 5.0], [0.0, 0.9]])


pytestmark = pytest.mark.usefixtures("drawing")


def wide_arrows(fig: Figure) -> list[np.ndarray]:
    """The corners of each arrow of the gradient, row by row, newest first."""
    return [p.get_xy() for p in fig.axes[0].patches if isinstance(p, FancyArrow)]


def thickness(corners: np.ndarray) -> float:
    """The width of the shaft, at the end where the arrow starts (on the right)."""
    start = corners[np.isclose(corners[:, 0], corners[:, 0].max())]
    return float(np.ptp(start[:, 1]))


def words(fig: Figure) -> list[str]:
    return [t.get_text() for t in fig.axes[0].texts]


def test_arrows_run_from_the_newest_state_to_the_oldest():
    fig = figures.gradient_chain({"a": [1.0, 0.5, 0.25]})
    first, second = wide_arrows(fig)
    tips = [corners[:, 0].min() for corners in (first, second)]
    tails = [corners[:, 0].max() for corners in (first, second)]
    assert tips[1] < tails[1] < tips[0] < tails[0]
    states = {t.get_text(): t.get_position()[0] for t in fig.axes[0].texts if "h_" in t.get_text()}
    assert list(states) == ["$h_{T}$", "$h_{T-1}$", "$h_{T-2}$"]
    assert states["$h_{T-1}$"] < tips[0] < tails[0] < states["$h_{T}$"]


def test_widths_are_in_proportion_across_rows():
    rows = {"shrinks": [1.0, 0.5, 0.25], "grows": [1.0, 2.0, 4.0]}
    widths = [thickness(c) for c in wide_arrows(figures.gradient_chain(rows))]
    assert np.allclose(np.array(widths) / widths[-1], np.array([0.5, 0.25, 2.0, 4.0]) / 4.0)


def test_what_is_left_is_printed_below_each_state():
    left = 0.7 ** np.arange(6)
    fig = figures.gradient_chain({"shrinks": left})
    assert [w for w in words(fig) if w in {f"{v:.2g}" for v in left}] == [f"{v:.2g}" for v in left]
    assert "shrinks" in words(fig)


@pytest.mark.parametrize("n", [2, 8])
def test_each_row_has_its_states_and_one_error(n):
    fig = figures.gradient_chain({"a": np.ones(n), "b": np.ones(n), "c": np.ones(n)})
    patches = fig.axes[0].patches
    assert sum(isinstance(p, Circle) for p in patches) == 3 * (n + 1)
    assert len(wide_arrows(fig)) == 3 * (n - 1)
    assert sum(isinstance(p, FancyArrowPatch) for p in patches) == 3  # from E to h_T
    assert words(fig).count("$E$") == 3


@pytest.mark.parametrize("size", [0.0, 1e-300])
def test_a_vanished_gradient_is_still_a_hair_line(size):
    fig = figures.gradient_chain({"gone": [1.0, size], "whole": [1.0, 1.0]})
    hair, full = (thickness(c) for c in wide_arrows(fig))
    assert 0 < hair < full / 20


def test_nothing_left_anywhere_can_be_drawn():
    assert len(wide_arrows(figures.gradient_chain({"gone": [0.0, 0.0, 0.0]}))) == 2


def test_every_mark_is_inside_the_picture():
    fig = figures.gradient_chain({"a": 1.3 ** np.arange(8), "b": np.ones(8)})
    ax = fig.axes[0]
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    for patch in ax.patches:
        box = patch.get_path().get_extents(patch.get_patch_transform())
        assert x0 <= box.x0 <= box.x1 <= x1
        assert y0 <= box.y0 <= box.y1 <= y1


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ({}, ValueError, "rows is empty, expected at least one row"),
        ({"a": [1.0]}, ValueError, "'a' has 1 numbers, expected from 2 to 8, alike in all rows"),
        ({"a": np.ones(9)}, ValueError, "'a' has 9 numbers, expected from 2 to 8"),
        ({"a": [1, 2], "b": [1, 2, 3]}, ValueError, "'b' has 3 numbers, expected from 2 to 8"),
        ({"a": [1.0, -0.5]}, ValueError, "'a' holds -0.5, expected sizes of at least 0"),
        ({"a": [1.0, np.nan]}, ValueError, "a contains NaN or infinity"),
        ({"a": [[1.0, 0.5]]}, ValueError, r"a has shape \(1, 2\), expected \(n,\)"),
        ({"a": ["x", "y"]}, TypeError, "a has dtype .*, expected real numbers"),
    ],
)
def test_gradient_chain_refuses(rows, error, message):
    with pytest.raises(error, match=message):
        figures.gradient_chain(rows)


def images(fig: Figure) -> list[np.ndarray]:
    return [ax.patches[0].get_xy() for ax in fig.axes]


def test_images_of_the_circle_reach_as_far_as_the_norm_of_the_power():
    powers = [0, 1, 5, 10, 50]
    fig = figures.circle_images(W, powers)
    norms = [np.linalg.norm(np.linalg.matrix_power(W, k), 2) for k in powers]
    reach = [np.hypot(*corners.T).max() for corners in images(fig)]
    assert np.allclose(reach, norms, rtol=1e-3)
    for ax, k, norm in zip(fig.axes, powers, norms, strict=True):
        assert f"$n = {k}$" in ax.get_title(loc="left")
        assert f"reaches {norm:.3g}" in ax.get_title(loc="left")


def test_each_image_is_that_of_the_matrix_power():
    """Every corner, taken back by the inverse of the power, lies on the unit circle."""
    powers = [1, 2, 3]
    for k, corners in zip(powers, images(figures.circle_images(W, powers)), strict=True):
        back = np.linalg.inv(np.linalg.matrix_power(W, k)) @ corners.T
        assert np.allclose(np.hypot(*back), 1)


def test_panels_share_one_scale_that_holds_everything():
    fig = figures.circle_images(W, [0, 1, 9])
    limits = {(ax.get_xlim(), ax.get_ylim()) for ax in fig.axes}
    assert len(limits) == 1
    ((x0, x1), (y0, y1)) = limits.pop()
    for corners in images(fig):
        assert x0 < corners[:, 0].min() < corners[:, 0].max() < x1
        assert y0 < corners[:, 1].min() < corners[:, 1].max() < y1
    assert all(ax.get_aspect() == 1 for ax in fig.axes)


def test_a_shrinking_matrix_leaves_the_unit_circle_in_view():
    fig = figures.circle_images(0.1 * np.eye(2), [1])
    assert fig.axes[0].get_xlim()[1] > 1
    assert np.allclose(np.hypot(*images(fig)[0].T), jacobians.singular_values(0.1 * np.eye(2))[0])


@pytest.mark.parametrize(
    ("matrix", "powers", "error", "message"),
    [
        (np.eye(3), [1], ValueError, r"W has shape \(3, 3\), expected \(2, 2\)"),
        (np.eye(2), [], ValueError, "powers is empty, expected at least one whole number"),
        (np.eye(2), [-1], ValueError, "powers is -1, expected at least 0"),
        (np.eye(2), [0.5], TypeError, "powers is 0.5, expected a whole number"),
        ([[1, np.inf], [0, 1]], [1], ValueError, "W contains NaN or infinity"),
        (1e200 * np.eye(2), [3], ValueError, "W to the power 3 contains NaN or infinity"),
    ],
)
def test_circle_images_refuses(matrix, powers, error, message):
    with pytest.raises(error, match=message):
        figures.circle_images(matrix, powers)


def test_ellipses_are_the_images_and_show_their_half_axes():
    some = {"first": [[0.8, -0.3], [0.4, 0.6]], "second": [[0.0, 2.0], [1.0, 0.0]]}
    fig = figures.ellipses(some, axes=True)
    for ax, (title, M), corners in zip(fig.axes, some.items(), images(fig), strict=True):
        sizes = jacobians.singular_values(M)
        assert np.allclose(np.hypot(*(np.linalg.inv(M) @ corners.T)), 1)
        assert ax.get_title(loc="left") == f"{title}:  reaches {sizes[0]:.3g}"
        ends = [line.get_xydata()[-1] for line in ax.lines[1:]]  # the first line is the circle
        assert np.allclose([np.hypot(*end) for end in ends], sizes)
        assert np.allclose(ends[0] @ ends[1], 0)
        assert [t.get_text() for t in ax.texts] == [f"{size:.2f}" for size in sizes]


def test_ellipses_without_half_axes_show_the_circle_alone():
    assert len(figures.ellipses({"a": np.eye(2)}).axes[0].lines) == 1


@pytest.mark.parametrize(
    ("matrices", "message"),
    [
        ({}, "matrices is empty, expected at least one matrix"),
        ({"a": np.eye(3)}, r"a has shape \(3, 3\), expected \(2, 2\)"),
        ({"a": [[1, np.nan], [0, 1]]}, "a contains NaN or infinity"),
    ],
)
def test_ellipses_refuses(matrices, message):
    with pytest.raises(ValueError, match=message):
        figures.ellipses(matrices)


def test_a_surface_is_one_color_the_fuller_the_higher():
    _, ax = figures.canvas(1, 1)
    z = np.array([[0.0, 0.1, 0.2], [0.3, 0.42, 9.0]])
    figures.surface(ax, z, (2, 3, -1, 0), top=0.42)
    image = ax.images[0].get_array()
    assert np.allclose(image[..., :3], to_rgb(figures.ERROR))
    assert np.allclose(image[..., 3], 0.7 * np.array([[0, 5, 10], [15, 21, 21]]) / 21)
    assert tuple(ax.images[0].get_extent()) == (2, 3, -1, 0)
    assert ax.images[0].origin == "lower"
