"""Sequences to learn from.

`tasks` draws the tasks of the literature that need a long memory, fresh each time. `text` makes
sequences of characters into labels and one-hot inputs, and back. `datasets` has real sequences
small enough to travel with the package; their files lie beside it.
"""

from . import datasets, tasks, text

__all__ = ["datasets", "tasks", "text"]
