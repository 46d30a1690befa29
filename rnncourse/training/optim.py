"""Update rules. Each changes parameters in place, given their gradients."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from ..validation import (
    Array,
    Params,
    numeric,
    require_fraction,
    require_number,
    require_positive,
    require_shape,
)

Schedule = Callable[[int], float]  # a learning rate for each update, counted from 1


class Optimizer:
    """What the update rules share: a learning rate, and named arrays of memory.

    The memory grows with each step and belongs to one model: make a new optimizer for a new run.
    A subclass says in `update` how far one parameter moves.

    Attributes
    ----------
    learning_rate : float above 0, or a function of the update, counted from 1 (see `schedules`)
    rate : the learning rate of the latest step; before it, that of the first
    steps : how many were made
    """

    slots: tuple[str, ...] = ()

    def __init__(self, learning_rate: float | Schedule) -> None:
        self.steps = 0
        self.learning_rate = learning_rate
        self.memory: dict[str, dict[str, Array]] = {}

    @property
    def learning_rate(self) -> float | Schedule:
        """A number above 0, or a function that gives one for each update."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float | Schedule) -> None:
        before: Any = vars(self).get("_learning_rate")
        self._learning_rate = value if callable(value) else require_positive("learning_rate", value)
        try:
            self.rate = self._rate_at(max(1, self.steps))
        except BaseException:
            self._learning_rate = before
            raise

    def _rate_at(self, step: int) -> float:
        if not callable(self._learning_rate):
            return self._learning_rate
        rate = require_number(f"learning_rate at update {step}", self._learning_rate(step))
        if rate < 0:
            raise ValueError(f"learning_rate at update {step} is {rate}, expected at least 0")
        return rate

    def step(self, params: Params, grads: Mapping[str, Array]) -> None:
        """Move every parameter one step against its gradient, in place.

        Parameters
        ----------
        params, grads : mappings with the same names and shapes

        Raises
        ------
        ValueError
            Names or shapes that differ, or a memory that belongs to another model. Nothing has
            moved then.
        """
        if set(grads) != set(params):
            raise ValueError(f"grads has {sorted(grads)}, expected {sorted(params)}")
        dW = {
            n: numeric(f"the gradient of {n}", g, "iuf", "real numbers") for n, g in grads.items()
        }
        for name, W in params.items():
            require_shape(f"the gradient of {name}", dW[name], W.shape)
            for slot, array in self.memory.get(name, {}).items():
                require_shape(f"the optimizer's {slot} of {name}", array, W.shape)
        self.rate = self._rate_at(self.steps + 1)
        self.steps += 1
        with np.errstate(all="ignore"):
            for name, W in params.items():
                if name not in self.memory:
                    self.memory[name] = {slot: np.zeros_like(W) for slot in self.slots}
                W -= self.update(dW[name], self.memory[name])

    def update(self, dW: Array, memory: dict[str, Array]) -> Array:
        """Return what is subtracted from a parameter with gradient `dW`."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Return what the optimizer was made with, by name, as numbers and words.

        These are its attributes that are numbers or words. A learning rate that is a function is
        put into words, and for one of your own that is its name only.
        """
        rate: Any = self.learning_rate
        if callable(rate):
            name = getattr(rate, "__qualname__", type(rate).__qualname__)
            rate = repr(rate) if is_dataclass(rate) else f"the function {name}"
        own = {n: v for n, v in vars(self).items() if isinstance(v, str | int | float)}
        left_out = ("_learning_rate", "rate", "steps")
        return {"learning_rate": rate} | {n: v for n, v in own.items() if n not in left_out}

    def load_settings(self, settings: Mapping[str, Any]) -> None:
        """Take over what `settings` returned, where it differs.

        Raises
        ------
        ValueError
            A learning rate in words: the function cannot be made from them.
        """
        own = self.settings()
        for name, value in settings.items():
            if name in own and value != own[name]:
                if name == "learning_rate" and isinstance(value, str):
                    raise ValueError(
                        f"its learning_rate became {value} on the way, expected a number: no "
                        "function is saved"
                    )
                setattr(self, name, value)

    def state(self) -> dict[str, Array]:
        """Return copies of all that the steps so far have left behind, as named arrays.

        The learning rate and the like are not among them: `settings` has them.
        """
        flat = {f"{n}.{s}": a.copy() for n, slots in self.memory.items() for s, a in slots.items()}
        return {"steps": np.array(self.steps), **flat}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over what `state` returned."""
        memory: dict[str, dict[str, Array]] = {}
        for key, value in state.items():
            if key == "steps":
                continue
            name, _, slot = key.rpartition(".")
            if slot not in self.slots:
                raise ValueError(
                    f"state holds {key!r}, expected entries of {type(self).__name__}: "
                    f"{', '.join(self.slots) or 'none'}"
                )
            memory.setdefault(name, {})[slot] = np.array(value)
        for name, slots in memory.items():
            if missing := set(self.slots) - set(slots):
                raise ValueError(f"state holds no {', '.join(sorted(missing))} of {name}")
        self.steps, self.memory = int(state["steps"]), memory
        self.rate = self._rate_at(max(1, self.steps))


class SGD(Optimizer):
    """Gradient descent on batches (eq-update): W ← W − learning_rate · dW.

    Robbins and Monro (1951).

    Parameters
    ----------
    learning_rate : float above 0, or a function of the update
    """

    def update(self, dW: Array, memory: dict[str, Array]) -> Array:
        return self.rate * dW


class RMSprop(Optimizer):
    """Divide each gradient by a running root mean square of its size.

        v ← decay · v + (1 − decay) dW²,  W ← W − learning_rate · dW / (√v + ε)

    Tieleman and Hinton (2012), lecture 6.5.

    Parameters
    ----------
    learning_rate : float above 0, or a function of the update
    decay : float from 0 to 1, how much of the running mean is kept at each step
    epsilon : float above 0, keeps the quotient finite
    """

    slots = ("mean_square",)

    def __init__(
        self, learning_rate: float | Schedule = 1e-3, decay: float = 0.9, epsilon: float = 1e-8
    ) -> None:
        super().__init__(learning_rate)
        self.decay = require_fraction("decay", decay)
        self.epsilon = require_positive("epsilon", epsilon)

    def update(self, dW: Array, memory: dict[str, Array]) -> Array:
        v = memory["mean_square"]
        v += (1 - self.decay) * (dW**2 - v)
        return self.rate * dW / (np.sqrt(v) + self.epsilon)


class Adam(Optimizer):
    """Running means of the gradient and of its square, corrected for their start at 0.

        m ← β₁ m + (1 − β₁) dW,  v ← β₂ v + (1 − β₂) dW²  at step t
        W ← W − learning_rate · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)

    Kingma and Ba (2015), algorithm 1.

    Parameters
    ----------
    learning_rate : float above 0, or a function of the update
    beta1, beta2 : floats from 0 to 1, how much of each running mean is kept at each step
    epsilon : float above 0, keeps the quotient finite
    """

    slots = ("mean", "mean_square")

    def __init__(
        self,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate)
        self.beta1, self.beta2 = require_fraction("beta1", beta1), require_fraction("beta2", beta2)
        self.epsilon = require_positive("epsilon", epsilon)

    def update(self, dW: Array, memory: dict[str, Array]) -> Array:
        m, v = memory["mean"], memory["mean_square"]
        m += (1 - self.beta1) * (dW - m)
        v += (1 - self.beta2) * (dW**2 - v)
        m_hat = m / (1 - self.beta1**self.steps)
        v_hat = v / (1 - self.beta2**self.steps)
        return self.rate * m_hat / (np.sqrt(v_hat) + self.epsilon)
