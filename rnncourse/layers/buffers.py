"""Memory that a layer uses again.

A training step needs the same large arrays every time. Memory fresh from the system is handed out
page by page, and each first touch of a page costs as much as hundreds of additions. And a loop over
time needs a view of each array at each step: these, too, are made once.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..validation import Array

IDLE = 4  # as many blocks are kept at most

Shapes = tuple[tuple[int, ...], ...]


class Buffers:
    """A stack of idle blocks of memory.

    What is lent comes back by itself, when the last array that shows any of it is gone, and not
    before: an array, a view of it, or a view of a view keeps its numbers for as long as it lives.
    Threads may share a stack: each lends from it what no other can get (`list.pop` is atomic).

    Parameters
    ----------
    each_step : callable
        Takes arrays as they are lent, and returns the views of them that each step of a loop
        needs, as a list of tuples. The loop alone may use them, while the block is lent.
    """

    def __init__(self, each_step: Callable[..., list[Any]]) -> None:
        self._each_step = each_step
        self._idle: list[_Block] = []

    def __reduce__(self) -> tuple[type, tuple[Any]]:  # a copy of a layer gets memory of its own
        return Buffers, (self._each_step,)

    def lend(self, dtype: np.dtype, *shapes: tuple[int, ...]) -> tuple[list[Array], list[Any]]:
        """Return an array of each shape, all in one block, and the views for each step.

        The arrays hold anything.
        """
        block = self._block(sum(map(prod, shapes)), dtype)
        if block.shapes != shapes:
            block.shapes = shapes
            block.steps = self._each_step(*_arrays(block.memory, shapes))
        return _arrays(np.asarray(_Loan(block, self._idle)), shapes), block.steps

    def _block(self, size: int, dtype: np.dtype) -> "_Block":
        while self._idle:
            block = self._idle.pop()
            if block.memory.size >= size and block.memory.dtype == dtype:
                return block
        return _Block(np.empty(size, dtype))  # and a block that was too small is gone


class _Block:
    """Memory, and the views of it that fit the shapes for which it was lent last."""

    def __init__(self, memory: Array) -> None:
        self.memory = memory
        self.shapes: Shapes | None = None
        self.steps: list[Any] = []


class _Loan:
    """Stands between a block and the arrays that show it: it is gone when the last of them is."""

    def __init__(self, block: _Block, idle: list[_Block]) -> None:
        self._block, self._idle = block, idle
        self.__array_interface__ = block.memory.__array_interface__

    def __del__(self) -> None:
        if len(self._idle) < IDLE:
            self._idle.append(self._block)


def _arrays(memory: Array, shapes: Shapes) -> list[Array]:
    """Return arrays of the given shapes, side by side in the memory."""
    arrays = []
    for shape in shapes:
        arrays.append(memory[: prod(shape)].reshape(shape))
        memory = memory[prod(shape) :]
    return arrays
