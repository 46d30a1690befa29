"""Figures to play with: widgets in Jupyter, and the same figures in a page without a kernel.

Needs ipywidgets and anywidget (``pip install rnncourse[widgets]``).
"""

from .activations import Activations
from .base import Explorable
from .carousel import Carousel
from .cliff import Cliff
from .gates import Gates
from .lag import GradientByLag
from .paths import Paths
from .playground import Playground
from .unit import OneUnit
from .unroll import Unroll
from .writer import Writer

__all__ = [
    "Activations",
    "Carousel",
    "Cliff",
    "Explorable",
    "Gates",
    "GradientByLag",
    "OneUnit",
    "Paths",
    "Playground",
    "Unroll",
    "Writer",
]
