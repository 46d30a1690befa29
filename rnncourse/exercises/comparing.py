"""Compare an answer with the right one, and say in words and numbers where they part."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..validation import Array


def _near(a: Array, b: Array) -> Any:
    """Return, entry by entry, whether two numbers are equal up to rounding."""
    return np.isclose(a, b, rtol=1e-6, atol=1e-9)


def _number(value: Any) -> Array | None:
    """Return a value as an array of floats, or None if it is no number and no array of numbers."""
    if isinstance(value, (bool, str, bytes, dict)) or value is None:
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        return None
    return array.astype(float) if array.dtype.kind in "iufb" else None


def shown(value: Any) -> str:
    """Return a number or a small array as the reader is shown it, and of all else what it is."""
    array = _number(value)
    if array is None or array.size > 12:
        return _kind(value)
    if np.isfinite(array).all() and (np.abs(array) < 1e6).all() and (array == np.rint(array)).all():
        array = array.astype(int)  # whole numbers, without a point
    elif not array.ndim:
        return f"{array:.5g}"
    large = bool(np.abs(array).max(initial=0) > 1e-3)  # then the smallest may be shown as 0
    text = np.array2string(array, precision=4, suppress_small=large, separator=", ")
    return " ".join(text.split())


def _kind(value: Any) -> str:
    """Name what a value is: "an array of shape (3,)", "a list", …"""
    array = _number(value)
    if array is not None:
        return f"an array of shape {array.shape}" if array.ndim else "a number"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def close(a: Any, b: Any) -> bool:
    """Return whether two answers are equal up to rounding: numbers, arrays, or several of them."""
    return difference(a, b) == ""


def difference(got: Any, right: Any, place: str = "the result") -> str:
    """Return "" if `got` is `right` up to rounding, else a sentence with the first difference.

    Parameters
    ----------
    got : of any kind
    right : a number, an array, a bool, a text, or a tuple, list or dict of such
    place : what the sentence calls `got`
    """
    if isinstance(right, dict):
        names = ", ".join(map(repr, right))
        if not isinstance(got, dict):
            return f"{place} is {_kind(got)}, expected a dict with the keys {names}"
        if got.keys() != right.keys():
            return f"{place} has the keys {', '.join(map(repr, got))}, expected {names}"
        said = {k: difference(got[k], right[k], f"{place}[{k!r}]") for k in right}
        wrong = next(filter(None, said.values()), "")
        fine = ", ".join(str(k) for k in right if not said[k])
        return f"{wrong} (right: {fine})" if wrong and fine else wrong
    if isinstance(right, (tuple, list)):
        if not isinstance(got, (tuple, list)):
            return f"{place} is {_kind(got)}, expected {len(right)} values"
        if len(got) != len(right):
            return f"{place} has {len(got)} values, expected {len(right)}"
        return _first((got[i], right[i], f"{place}[{i}]") for i in range(len(right)))
    if isinstance(right, (bool, np.bool_, str)):
        fits = isinstance(got, str if isinstance(right, str) else (bool, np.bool_))
        return "" if fits and got == right else f"{place} is {got!r}, expected {right!r}"
    return _arrays(got, np.asarray(right, float), place)


def _first(pairs: Any) -> str:
    return next(filter(None, (difference(*pair) for pair in pairs)), "")


def _arrays(got: Any, right: Array, place: str) -> str:
    mine = _number(got)
    if mine is None or mine.shape != right.shape:
        return f"{place} is {_kind(got)}, expected {_kind(right)}"
    bad = ~_near(mine, right)
    if not bad.any():
        return ""
    if not np.isfinite(mine).all():
        return f"{place} holds NaN or infinity, expected finite numbers"
    if right.size <= 6:
        return f"{place} is {shown(mine)}, expected {shown(right)}"
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return (
        f"{place}{list(first)} is {shown(mine[first])}, expected {shown(right[first])} "
        f"({int(bad.sum())} of {bad.size} entries differ)"
    )


# ---------------------------------------------------------------- what goes wrong in many exercises


def _shifted(a: Array, by: int) -> Array:
    """Return `a` moved by one place along its first axis, with 0 where nothing comes from."""
    moved = np.zeros_like(a)
    if by > 0:
        moved[by:] = a[:-by]
    else:
        moved[:by] = a[-by:]
    return moved


CHANGES: list[tuple[str, Callable[[Array], Array]]] = [
    ("Every number has the right size but the opposite sign.", lambda a: -a),
    ("This is the right result transposed: look at the order of the factors.", np.transpose),
    ("This is the right result in reverse order.", lambda a: a[::-1] if a.ndim else a),
    (
        "This is the right result one place late: compare the first index.",
        lambda a: _shifted(a, 1) if a.ndim else a,
    ),
    (
        "This is the right result one place early: compare the first index.",
        lambda a: _shifted(a, -1) if a.ndim else a,
    ),
]
FLAT = (
    "The numbers are right, but not the shape: a vector here has one axis, (H,); "
    "(H, 1) is a matrix."
)


def relation(got: Sequence[Any], right: Sequence[Any]) -> str:
    """Say how the answers of all calls are related to the right ones, if all are alike, else ""."""
    mine, theirs = ([a for one in answers for a in _flat(one)] for answers in (got, right))
    if len(mine) != len(theirs):
        return ""
    pairs = list(zip(mine, theirs, strict=True))
    if all(_equal(a, b) for a, b in pairs):
        return ""  # what differs is no number
    for told, change in CHANGES:
        if all(_equal(a, change(b)) for a, b in pairs):
            return told
    if all(a.size == b.size and _equal(a.ravel(), b.ravel()) for a, b in pairs):
        return FLAT
    if any(a.shape != b.shape for a, b in pairs):
        return ""
    a, b = (np.concatenate([x.ravel() for x in part]) for part in (mine, theirs))
    factor = float(a @ b / (b @ b)) if np.isfinite(a).all() and b.any() else 0.0
    if factor and _equal(a, factor * b):
        told = "look for a factor too many or too few"
        return f"Every number is {factor:.4g} times the right one: {told}."
    return ""


def _flat(value: Any) -> list[Array]:
    """Return the arrays of numbers in a value, in their order."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, (tuple, list)) and _number(value) is None:
        return [a for part in value for a in _flat(part)]
    array = _number(value)
    return [] if array is None else [array]


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(_near(a, b).all())
