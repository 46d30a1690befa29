"""Memory that a layer uses again.

A training step needs the same large arrays every time. Memory fresh from the system is handed out
page by page, and each first touch of a page costs as much as hundreds of additions.
"""

from math import prod

import numpy as np

from .validation import Array

IDLE = 4  # as many blocks are kept at most


class Buffers:
    """A stack of idle blocks of memory.

    What is lent comes back by itself, when the last array that shows any of it is gone, and not
    before: an array, a view of it, or a view of a view keeps its numbers for as long as it lives.
    Threads may share a stack: each lends from it what no other can get (`list.pop` is atomic).
    """

    def __init__(self) -> None:
        self._idle: list[Array] = []

    def __reduce__(self) -> tuple[type, tuple[()]]:  # a copy of a layer gets memory of its own
        return Buffers, ()

    def lend(self, dtype: np.dtype, *shapes: tuple[int, ...]) -> list[Array]:
        """Return one array of each shape, side by side in one block. They hold anything."""
        size, arrays = sum(map(prod, shapes)), []
        rest = np.asarray(_Loan(self._block(size, dtype), self._idle))
        for shape in shapes:
            arrays.append(rest[: prod(shape)].reshape(shape))
            rest = rest[prod(shape) :]
        return arrays

    def _block(self, size: int, dtype: np.dtype) -> Array:
        while self._idle:
            block = self._idle.pop()
            if block.size >= size and block.dtype == dtype:
                return block
        return np.empty(size, dtype)  # and a block that was too small is gone


class _Loan:
    """Stands between a block and the arrays that show it: it is gone when the last of them is."""

    def __init__(self, block: Array, idle: list[Array]) -> None:
        self._block, self._idle = block, idle
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        if len(self._idle) < IDLE:
            self._idle.append(self._block)
