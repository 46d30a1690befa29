"""Learning rates that change with the update. Any function of the update's number will do.

Updates are counted from 1, over all epochs:

    rate · min(1, update / warmup)                                        warm-up, in each of them
    rate · factor^⌊(update − 1) / every⌋                                   Step
    final + (rate − final) · ½ (1 + cos(π (update − warmup) / (updates − warmup)))      Cosine

Cosine is that of Loshchilov and Hutter (2017), without restarts.
"""

from dataclasses import dataclass
from math import cos, pi

from ..validation import require_fraction, require_number, require_positive, require_size


@dataclass(frozen=True)
class Constant:
    """One rate, reached by a warm-up.

    Parameters
    ----------
    rate : float above 0
    warmup : int, updates over which the rate grows evenly from 0
    """

    rate: float
    warmup: int = 0

    def __post_init__(self) -> None:
        require_positive("rate", self.rate)
        require_size("warmup", self.warmup, 0)

    def __call__(self, update: int) -> float:
        """Return the learning rate of an update, counted from 1."""
        return self.rate * _warm(update, self.warmup)


@dataclass(frozen=True)
class Step:
    """A rate that is multiplied by a factor again and again.

    Parameters
    ----------
    rate : float above 0
    every : int, updates after which the rate falls
    factor : float above 0 and below 1
    warmup : int, updates over which the rate grows evenly from 0
    """

    rate: float
    every: int
    factor: float = 0.5
    warmup: int = 0

    def __post_init__(self) -> None:
        require_positive("rate", self.rate)
        require_size("every", self.every)
        require_positive("factor", require_fraction("factor", self.factor))
        require_size("warmup", self.warmup, 0)

    def __call__(self, update: int) -> float:
        """Return the learning rate of an update, counted from 1."""
        falls = (update - 1) // self.every
        return self.rate * self.factor**falls * _warm(update, self.warmup)


@dataclass(frozen=True)
class Cosine:
    """A rate that falls along half a wave of the cosine, and then stays at its end.

    Parameters
    ----------
    rate : float above 0
    updates : int, the update that has the final rate
    warmup : int below `updates`, updates over which the rate grows evenly from 0
    final : float from 0 to `rate`
    """

    rate: float
    updates: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        require_positive("rate", self.rate)
        require_size("updates", self.updates)
        if require_size("warmup", self.warmup, 0) >= self.updates:
            raise ValueError(f"warmup is {self.warmup}, expected less than updates {self.updates}")
        if not 0 <= require_number("final", self.final) <= self.rate:
            raise ValueError(f"final is {self.final}, expected a number from 0 to {self.rate}")

    def __call__(self, update: int) -> float:
        """Return the learning rate of an update, counted from 1."""
        if update <= self.warmup:
            return self.rate * _warm(update, self.warmup)
        done = min(1.0, (update - self.warmup) / (self.updates - self.warmup))
        return self.final + (self.rate - self.final) * 0.5 * (1 + cos(pi * done))


def _warm(update: int, warmup: int) -> float:
    return min(1.0, update / warmup) if warmup else 1.0
