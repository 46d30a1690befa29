"""Real sequences small enough to travel with the package."""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


def sunspots() -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Yearly mean sunspot numbers, 1700–2008.

    Returns
    -------
    years : (309,) int
    numbers : (309,) float, at least 0; version 1 of the international sunspot number

    Notes
    -----
    Public-domain figures of the U.S. National Oceanic and Atmospheric Administration, National
    Geophysical Data Center, as distributed with statsmodels.
    """
    text = (files("rnncourse") / "data" / "sunspots.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return np.array([int(r[0]) for r in rows]), np.array([float(r[1]) for r in rows])


def tea_party() -> str:
    """Return “A Mad Tea-Party”, chapter 7 of Alice's Adventures in Wonderland: 12,506 characters.

    Returns
    -------
    str, a line for each paragraph

    Notes
    -----
    By Lewis Carroll (1865), in the public domain, as Project Gutenberg has it (no. 11), without the
    marks of italics.
    """
    return (files("rnncourse") / "data" / "tea-party.txt").read_text(encoding="utf-8")
