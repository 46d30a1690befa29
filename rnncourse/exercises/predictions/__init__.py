"""The questions that are answered in the page, chapter by chapter, each with its computed key:
`structure`, `paths`, `gradients` and `gates`, as the exercises, and `training`, of the pages where
networks learn in the browser."""

from ..questions import QUESTIONS
from . import gates, gradients, paths, structure, training  # noqa: F401  (the questions)

__all__ = ["QUESTIONS"]
