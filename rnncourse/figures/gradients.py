"""The drawings of chapter 3: what is left of a gradient, and what matrices do to a circle."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrow
from numpy.typing import ArrayLike

from ..validation import real_array, require_finite, require_size
from .style import ERROR, HIDDEN, INK, QUIET, WIDTH, arrow, canvas, node


def gradient_chain(rows: Mapping[str, ArrayLike]) -> Figure:
    """Draw chains of states with the gradient that runs back along each from the newest error.

    The width of an arrow is in proportion to what the step passes on, on one scale for all rows;
    what is left at each state is printed below it. What is too thin to see is drawn as a hair
    line.

    Parameters
    ----------
    rows : mapping from a row's title to (n,) numbers, n from 2 to 8
        What is left at h_T, h_{T-1}, …, newest first. All rows have one n, and a number is at
        least 0.

    Raises
    ------
    TypeError, ValueError
        No row, rows of different lengths, too few or too many numbers, a negative one.
    """
    if not rows:
        raise ValueError("rows is empty, expected at least one row of numbers")
    left = {
        title: real_array(title, numbers, ("n",), np.float64) for title, numbers in rows.items()
    }
    n = len(next(iter(left.values())))
    for title, numbers in left.items():
        if len(numbers) != n or not 2 <= n <= 8:
            expected = "from 2 to 8, alike in all rows"
            raise ValueError(f"{title!r} has {len(numbers)} numbers, expected {expected}")
        if numbers.min() < 0:
            raise ValueError(f"{title!r} holds {numbers.min():g}, expected sizes of at least 0")
    widest = max(numbers[1:].max() for numbers in left.values()) or 1.0

    apart, height = 1.35, 2.35
    width = apart * n + 1.0
    fig, ax = canvas(width, height * len(left))
    for row, (title, numbers) in enumerate(left.items()):
        y = height * (len(left) - 1 - row) + 1.05
        ax.text(0.1, y + 0.88, title, ha="left", va="center", fontsize=11, color=INK)
        places = [apart * (n - 1 - back) + 0.5 for back in range(n)]
        error = (places[0] + apart, y)
        node(ax, error, "$E$", ERROR, 0.33, fontsize=11)
        arrow(ax, error, (places[0], y), color=QUIET)
        for back, (x, size) in enumerate(zip(places, numbers, strict=True)):
            name = "T" if back == 0 else f"T-{back}"
            node(ax, (x, y), f"$h_{{{name}}}$", HIDDEN, 0.4, fontsize=11)
            ax.text(x, y - 0.72, f"{size:.2g}", ha="center", va="center", fontsize=11, color=ERROR)
            if back:
                thick = max(0.008, 0.62 * size / widest)
                start = places[back - 1] - 0.43
                ax.add_patch(
                    FancyArrow(
                        start,
                        y,
                        x + 0.43 - start,
                        0,
                        width=thick,
                        head_width=thick + 0.16,
                        head_length=0.16,
                        length_includes_head=True,
                        color=ERROR,
                        linewidth=0,
                        zorder=2,
                    )
                )
    return fig


def circle_images(W: ArrayLike, powers: Sequence[int]) -> Figure:
    """Draw the unit circle and its images under powers of a 2 × 2 matrix, on one scale.

    The longest reach of the image under Wᵏ from the origin is the norm ‖Wᵏ‖₂, printed above it.

    Parameters
    ----------
    W : (2, 2) of real numbers
    powers : whole numbers from 0, at least one
        One panel for each power, from top to bottom.

    Raises
    ------
    TypeError, ValueError
        Another shape, no power, or a power that is negative or no whole number.
    """
    W = real_array("W", W, (2, 2), np.float64)
    if not len(powers):
        raise ValueError("powers is empty, expected at least one whole number")
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        matrices = [np.linalg.matrix_power(W, require_size("powers", k, 0)) for k in powers]
    for k, M in zip(powers, matrices, strict=True):
        require_finite(f"W to the power {k}", M)
    return _panels([f"$n = {k}$" for k in powers], matrices, axes=False)


def ellipses(matrices: Mapping[str, ArrayLike], *, axes: bool = False) -> Figure:
    """Draw the unit circle and its image under each of some 2 × 2 matrices, on one scale.

    The longest reach of an image from the origin is the norm of its matrix, printed above it.

    Parameters
    ----------
    matrices : mapping from a panel's title to (2, 2) real numbers, at least one
        From top to bottom.
    axes : bool
        Draw the half-axes of each image, and print their lengths, the singular values.

    Raises
    ------
    TypeError, ValueError
        No matrix, one of another shape, NaN or infinity.
    """
    if not matrices:
        raise ValueError("matrices is empty, expected at least one matrix")
    each = [real_array(title, M, (2, 2), np.float64) for title, M in matrices.items()]
    return _panels(list(matrices), each, axes=axes)


def _panels(titles: list[str], matrices: list[np.ndarray], *, axes: bool) -> Figure:
    angles = np.linspace(0, 2 * np.pi, 181)
    circle = np.array([np.cos(angles), np.sin(angles)])
    images = [M @ circle for M in matrices]
    reach_x, reach_y = 1.08 * np.abs([circle, *images]).max(axis=(0, 2))
    # Of a panel, in inches; beside the panel there is room, so a square one need not fill it.
    height = max(0.3, min(4.3 * reach_y / reach_x, 3.0 if len(matrices) == 1 else 1.3))
    fig, panels = plt.subplots(
        len(matrices),
        1,
        figsize=(WIDTH, (height + 0.28) * len(matrices) + 0.3),
        squeeze=False,
        sharex=True,
    )
    for ax, title, M, image in zip(panels[:, 0], titles, matrices, images, strict=True):
        ax.plot(*circle, "--", color=QUIET, linewidth=1)
        ax.fill(*image, facecolor=HIDDEN + "33", edgecolor=HIDDEN, linewidth=1.6)
        ax.set(aspect="equal", xlim=(-reach_x, reach_x), ylim=(-reach_y, reach_y), yticks=[0])
        ax.set_title(f"{title}:  reaches {np.linalg.norm(M, 2):.3g}")
        if axes:
            U, sizes, _ = np.linalg.svd(M)
            for direction, size in zip(U.T, sizes, strict=True):
                # Upward, so that a picture does not depend on the sign that the library chose.
                x, y = size * direction * (1 if direction[1] > 0 else -1)
                ax.plot((0, x), (0, y), color=ERROR, linewidth=2)
                ax.text(0.6 * x + 0.05, 0.6 * y - 0.02, f"{size:.2f}", va="top", color=ERROR)
    return fig


def surface(ax: Axes, z: ArrayLike, area: tuple[float, float, float, float], top: float) -> None:
    """Draw heights z (rows, columns), row 0 lowest, in one color, the fuller the higher.

    `area` is (left, right, bottom, top); 0 is left empty, and a height of `top` is 0.7 full. In 21
    bands, since bands show slopes.
    """
    z = np.asarray(z, float)
    image = np.empty((*z.shape, 4))
    image[..., :3] = to_rgb(ERROR)
    image[..., 3] = 0.7 * np.clip(np.ceil(21 * z / top) / 21, 0, 1)
    ax.imshow(image, extent=area, origin="lower", aspect="auto", interpolation="none")
