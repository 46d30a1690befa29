"""Gradients looked at from outside: are they right, how large are they, and clipping them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..validation import (
    Array,
    Params,
    float_array,
    numeric,
    require_mapping,
    require_positive,
    require_rng,
    require_shape,
    require_size,
    require_writable,
)

SMALLEST_SQUARES = 1e-280  # below it a sum of squares has lost digits, or all, to underflow


@dataclass(frozen=True)
class Entry:
    """One entry of one parameter: its gradient as given and as measured by differences."""

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found. Printed, it is a table.

    Attributes
    ----------
    errors : relative error of each parameter's gradient
    worst_entries : for each parameter, the entry that is furthest off
    """

    errors: dict[str, float]
    worst_entries: dict[str, Entry]

    @property
    def max_error(self) -> float:
        """The largest relative error of any parameter."""
        return max(self.errors.values())

    @property
    def worst(self) -> Entry:
        """The entry that is furthest off in the parameter with the largest error."""
        return self.worst_entries[max(self.errors, key=self.errors.__getitem__)]

    def ok(self, tolerance: float = 1e-7) -> bool:
        """Return True if every relative error is at most `tolerance`."""
        return self.max_error <= tolerance

    def __str__(self) -> str:
        width = max(10, *map(len, self.errors))
        rows = [f"{'parameter':<{width}} {'relative error':>14}   worst entry"]
        for name, error in self.errors.items():
            e = self.worst_entries[name]
            place = f"[{', '.join(map(str, e.index))}]"
            rows.append(
                f"{name:<{width}} {error:>14.1e}   {name}{place}: "
                f"given {e.analytic:.6g}, measured {e.numeric:.6g}"
            )
        return "\n".join(rows)

    __repr__ = __str__


@np.errstate(all="ignore")
def check_gradients(
    loss: Callable[[], float],
    params: Params,
    grads: Mapping[str, Array],
    *,
    epsilon: float = 1e-5,
    floor: float = 1e-3,
    max_entries: int | None = None,
    rng: np.random.Generator | None = None,
) -> GradientReport:
    """Compare gradients with differences of the loss (eq-central-difference).

    The measured gradient of a weight w is the central difference (E(w + ε) − E(w − ε)) / 2ε.
    The relative error of a parameter is the largest difference between given and measured
    gradient over its entries, divided by the largest entry of either (or by `floor`, if that is
    larger: differences cannot resolve a gradient that is all but zero).

    Parameters
    ----------
    loss : function of no arguments
        Returns E for the present contents of `params`, without side effects.
    params : mapping of float64 arrays
        Each entry is moved by ±ε in place and put back.
    grads : mapping of arrays
        The gradients to check, with the names and shapes of `params`. NaN counts as wrong.
    epsilon : float
        ε. The error of the difference is of order ε² from the curve and 10⁻¹⁶/ε from rounding;
        10⁻⁵ balances the two.
    floor : float
        The smallest gradient size that errors are measured against.
    max_entries : int, optional
        Check at most this many entries of each parameter, drawn with `rng`; all if left out.

    Raises
    ------
    TypeError
        A parameter that is not a float64 array: in float32 rounding drowns the difference. A
        gradient that is no real numbers; a loss that is no real number.
    ValueError
        Names or shapes of `grads` that differ from those of `params`; a parameter that is
        read-only; a masked entry.
    """
    require_positive("epsilon", epsilon)
    require_positive("floor", floor)
    require_mapping("params", params)
    require_mapping("grads", grads)
    if not params or set(grads) != set(params):
        raise ValueError(f"grads has {sorted(grads)}, expected {sorted(params) or 'parameters'}")
    errors, worst = {}, {}
    for name, W in params.items():
        if not isinstance(W, np.ndarray):
            raise TypeError(f"{name} is a {type(W).__name__}, expected an array to move entries of")
        if W.dtype != np.float64:
            raise TypeError(f"{name} has dtype {W.dtype}, expected float64 for finite differences")
        numeric(name, W, "f", "real numbers")
        require_writable({name: W})
        dW = numeric(f"the gradient of {name}", grads[name], "iuf", "real numbers")
        require_shape(f"the gradient of {name}", dW, W.shape)
        entries = list(np.ndindex(W.shape))
        if max_entries is not None and require_size("max_entries", max_entries) < len(entries):
            if rng is None:
                raise ValueError("rng is missing: max_entries draws entries at random")
            chosen = require_rng(rng).choice(len(entries), max_entries, replace=False)
            entries = [entries[i] for i in sorted(chosen)]
        found = [
            Entry(name, i, float(dW[i]), _central_difference(loss, W, i, epsilon)) for i in entries
        ]
        off = np.array([abs(e.analytic - e.numeric) for e in found])
        size = max(max(abs(e.analytic), abs(e.numeric)) for e in found)
        # A NaN counts as the largest error, never as a small one.
        off = np.where(np.isnan(off), np.inf, off)
        errors[name] = float(off.max() / max(size, floor)) if np.isfinite(off.max()) else np.inf
        worst[name] = found[int(off.argmax())]
    return GradientReport(errors, worst)


def _central_difference(
    loss: Callable[[], float], W: Array, index: tuple[int, ...], epsilon: float
) -> float:
    here = W[index]
    try:
        W[index] = here + epsilon
        above = _value(loss)
        W[index] = here - epsilon
        below = _value(loss)
    finally:
        W[index] = here
    return (above - below) / (2 * epsilon)


def _value(loss: Callable[[], float]) -> float:
    E = numeric("what loss() returns", loss(), "iuf", "a real number")
    require_shape("what loss() returns", E, ())
    return float(E)


@np.errstate(all="ignore")
def global_norm(grads: Mapping[str, ArrayLike]) -> float:
    """Euclidean length of all gradients taken as one vector: the root of their sum of squares.

    Summed in float64, and to full precision even where the squares are too large or too small for
    it.

    Parameters
    ----------
    grads : mapping of arrays of any shape

    Returns
    -------
    float
        Infinite or NaN if an entry is, or if the length is too large for float64.

    Raises
    ------
    TypeError, ValueError
        A gradient that is no real numbers; a masked entry.
    """
    require_mapping("grads", grads)
    arrays = [float_array(name, g) for name, g in grads.items()]
    squares = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in arrays)
    if SMALLEST_SQUARES < squares < np.inf:
        return float(np.sqrt(squares))
    largest = float(np.max([np.max(np.abs(g), initial=0) for g in arrays], initial=0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    shares = (np.divide(g, largest, dtype=np.float64) for g in arrays)
    return largest * float(np.sqrt(sum(float(np.sum(np.square(share))) for share in shares)))


@np.errstate(all="ignore")
def clip_by_global_norm(grads: Mapping[str, Array], max_norm: float) -> float:
    """Scale all gradients by one factor, in place, so that their global norm is at most `max_norm`.

    One common factor keeps the direction of the step (eq-clip; Pascanu, Mikolov and Bengio, 2013).

    Parameters
    ----------
    grads : mapping of float arrays of any shape
    max_norm : float above 0

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    FloatingPointError
        A gradient with NaN or infinity, for which no scale helps; nothing is changed.
    TypeError, ValueError
        A gradient that cannot be changed in place, or has masked entries; a `max_norm` that is not
        above 0. Nothing is changed.
    """
    max_norm = require_positive("max_norm", max_norm)
    _require_writeable(grads)
    norm = global_norm(grads)
    if not np.isfinite(norm):
        names = [n for n, g in grads.items() if not np.isfinite(g).all()]
        raise FloatingPointError(
            f"the global norm is {norm}: {', '.join(names) or 'the root of the squares'} is not "
            "finite, expected finite gradients"
        )
    if norm > max_norm:
        factor = max_norm / norm
        for g in grads.values():
            if factor >= np.finfo(g.dtype).tiny:
                g *= factor
            else:  # such a factor would have lost digits
                g[...] = g.astype(np.float64) / norm * max_norm
    return norm


@np.errstate(all="ignore")
def clip_by_value(grads: Mapping[str, Array], limit: float) -> int:
    """Move every gradient entry into −limit … limit, in place.

    Each entry is cut by itself, so the direction of the step changes. `clip_by_global_norm`
    keeps it.

    Parameters
    ----------
    grads : mapping of float arrays of any shape
    limit : float above 0

    Returns
    -------
    int
        How many entries were cut.

    Raises
    ------
    FloatingPointError
        A gradient with NaN or infinity, which no limit mends; nothing is changed.
    TypeError, ValueError
        A gradient that cannot be changed in place, or has masked entries; a `limit` that is not
        above 0. Nothing is changed.
    """
    limit = require_positive("limit", limit)
    _require_writeable(grads)
    if names := [n for n, g in grads.items() if not np.isfinite(g).all()]:
        raise FloatingPointError(f"{', '.join(names)} is not finite, expected finite gradients")
    cut = sum(int(np.sum(np.abs(g) > limit)) for g in grads.values())
    for g in grads.values():
        np.clip(g, -limit, limit, out=g)
    return cut


def _require_writeable(grads: Mapping[str, Array]) -> None:
    require_mapping("grads", grads)
    for name, g in grads.items():
        if not isinstance(g, np.ndarray) or g.dtype.kind != "f":
            kind = g.dtype if isinstance(g, np.ndarray) else type(g).__name__
            raise TypeError(f"{name} is {kind}, expected a float array to change in place")
        numeric(name, g, "f", "real numbers")
        if not g.flags.writeable:
            raise ValueError(f"{name} is read-only, expected an array to change in place")
