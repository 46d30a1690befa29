"""One palette in the figures, the explorables and the pages, that every reader can tell apart."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib as mpl
from matplotlib.colors import to_rgb

from rnncourse import figures

ROOT = Path(__file__).parents[2]
THEMES = {"light": figures.LIGHT, "dark": figures.DARK}
ROLES = ("input", "hidden", "output", "error", "cell")

# What the cones of a reader without the long, or without the middle wavelengths tell apart:
# Machado, Oliveira and Fernandes (2009), severity 1.
SEEN = {
    "all": np.eye(3),
    "protan": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deutan": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip


def linear(color: str) -> np.ndarray:
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The ratio that WCAG measures."""
    low, high = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def distance(one: str, other: str, eye: str) -> float:
    """The distance of two colors in Oklab, times 100, as an eye sees them."""
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    seen = (np.clip(SEEN[eye] @ linear(color), 0, 1) for color in (one, other))
    a, b = (to_lab @ np.cbrt(to_lms @ rgb) for rgb in seen)
    return 100 * float(np.linalg.norm(a - b))


def variables(css: str, selector: str, prefix: str) -> dict[str, str]:
    """The palette that the first rule with this selector sets."""
    rule = css[css.index(selector) :]
    found = re.findall(rf"{prefix}([a-z]+): (#[0-9a-f]{{6}});", rule[: rule.index("}")])
    return {name: color for name, color in found if name in figures.LIGHT}


@pytest.mark.parametrize(("theme", "selector"), [("light", ":root"), ("dark", '="dark"]')])
def test_the_pages_have_the_palette(theme, selector):
    css = (ROOT / "book" / "_static" / "course.css").read_text()
    assert variables(css, selector, "--course-") == THEMES[theme]


@pytest.mark.parametrize(("theme", "selector"), [("light", ".rnnx {"), ("dark", '="dark"]')])
def test_the_explorables_have_the_palette(theme, selector):
    css = (ROOT / "rnncourse" / "explorables" / "kit.css").read_text()
    assert variables(css, selector, "--") == THEMES[theme]


def test_another_color_is_found():
    css = ":root { --course-ink: #1f2934; --course-code: #8a3a00; }"
    assert variables(css, ":root", "--course-") == {"ink": "#1f2934"}


def test_a_color_has_one_role():
    for palette in THEMES.values():
        assert len({palette[role] for role in ("ink", "quiet", "line", "tint", "card")}) == 5
    assert len(set(figures.LIGHT.values())) == len(figures.LIGHT)
    assert figures.LIGHT.keys() == figures.DARK.keys()


@pytest.mark.parametrize("palette", THEMES.values(), ids=THEMES)
def test_text_and_lines_stand_out_from_the_ground(palette):
    for role in ("ink", "quiet", "accent", *ROLES):
        for ground in ("card", "tint"):
            assert contrast(palette[role], palette[ground]) >= 4.5, (role, ground)
    # The letter of a node stands on a tint of the node's own color.
    for role in ROLES:
        mixed = 0.133 * np.array(to_rgb(palette[role])) + 0.867 * np.array(to_rgb(palette["card"]))
        assert contrast(palette["ink"], mixed) >= 7


@pytest.mark.parametrize("eye", SEEN)
@pytest.mark.parametrize("palette", THEMES.values(), ids=THEMES)
def test_curves_that_stand_together_are_told_apart(palette, eye):
    by_color = {color: role for role, color in figures.LIGHT.items()}
    series = [palette[by_color[color]] for color in figures.SERIES]
    assert min(distance(*pair, eye) for pair in combinations(series[:4], 2)) > 8


def test_colors_that_look_alike_are_found():
    assert contrast("#777777", "#888888") < 1.5
    assert distance("#b34700", "#8a5a00", "deutan") < distance("#b34700", "#8a5a00", "all") < 15


def test_a_plain_script_draws_light_figures_in_the_palette(drawing):
    assert mpl.rcParams["figure.facecolor"] == figures.LIGHT["card"]
    assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(figures.SERIES)
    assert mpl.rcParams["text.color"] == figures.LIGHT["ink"]
    fig, ax = figures.canvas(20, 5)
    assert fig.get_figwidth() == figures.WIDTH
    assert ax.get_position().bounds == (0, 0, 1, 1)
    assert figures.canvas(2, 1)[0].get_figwidth() == 1.5
