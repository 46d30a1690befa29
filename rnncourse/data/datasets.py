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
