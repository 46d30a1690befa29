"""Gradients from all sides: where they come from, how far they reach, and whether they are right.

`bptt` takes the chain rule through time apart, path by path. `jacobians` measures how far a
gradient reaches. `check` compares gradients with finite differences, measures their norm and clips
them. `example` is the network that chapter 2 works through by hand.
"""

from . import bptt, jacobians
from .check import (
    Entry,
    GradientReport,
    check_gradients,
    clip_by_global_norm,
    clip_by_value,
    global_norm,
)

__all__ = [
    "Entry",
    "GradientReport",
    "bptt",
    "check_gradients",
    "clip_by_global_norm",
    "clip_by_value",
    "global_norm",
    "jacobians",
]
