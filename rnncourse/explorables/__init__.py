"""Figures to play with: widgets in Jupyter, and the same figures in a page without a kernel.

Needs ipywidgets and anywidget (``pip install rnncourse[widgets]``).
"""

from .base import Explorable
from .unit import OneUnit

__all__ = ["Explorable", "OneUnit"]
