"""Compare an answer with the right one, and say in words and numbers where they part."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
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
        return _first((got[k], right[k], f"{place}[{k!r}]") for k in right)
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

Pair = tuple[Array, Array]  # of one call: an answer, or a part of it, and the right one
Change = Callable[[Array], Array]

# What may have been done to the right numbers. {} is what is told of, {row} a row or an entry.
CHANGED: list[tuple[str, Change]] = [
    ("{} has the right size in every number, but the opposite sign.", np.negative),
    ("{} is the right one transposed: look at the order of the factors.", np.transpose),
    ("{} is the right one in reverse order.", lambda b: b[::-1]),
    (
        "Each {row} of {} is the last of the right ones. Did you append one array at every step "
        "and change it in place? Then all that was appended changes too: append a copy.",
        lambda b: b[[-1] * len(b)],
    ),
    (
        "{} holds running sums: each {row} is the sum of the right ones so far.",
        lambda b: b.cumsum(axis=0),
    ),
    ("{} holds the square of every right number: a root is missing.", np.square),
    ("{} holds the root of every right number.", np.sqrt),
    ("{} holds 1 divided by every right number.", np.reciprocal),
    ("{} is cut down to whole numbers: is // written for / somewhere, or int()?", np.floor),
    ("{} is rounded to whole numbers.", np.rint),
    ("{} holds 1 minus every right number.", lambda b: 1 - b),
    ("{} is right as far as it goes, but the first {row} is missing.", lambda b: b[1:]),
    ("{} is right as far as it goes, but the last {row} is missing.", lambda b: b[:-1]),
    ("{} is the last {row} of the right one, without those before it.", lambda b: b[-1]),
    (
        "{} is the first {row} of the right one, without those after it. Does a return stand "
        "inside a loop? It ends the function.",
        lambda b: b[0],
    ),
    ("{} is the sum of all right numbers.", np.sum),
    ("{} is the mean of all right numbers.", np.mean),
    ("{} is the mean of the right one over its axis 0.", lambda b: b.mean(axis=0)),
    ("{} is the mean of the right one over its axis 1.", lambda b: b.mean(axis=1)),
    ("{} is the sum of the right one over its axis 0.", lambda b: b.sum(axis=0)),
    ("{} is the sum of the right one over its axis 1.", lambda b: b.sum(axis=1)),
    ("{} is the diagonal of the right one alone.", np.diagonal),
]
# What has still to be done to the answer.
UNDONE: list[tuple[str, Change]] = [
    ("{} has one {row} too many, the first; the others are right.", lambda a: a[1:]),
    ("{} has one {row} too many, the last; the others are right.", lambda a: a[:-1]),
    ("The last {row} of {} is right; it is wanted alone.", lambda a: a[-1]),
    ("The sums of {} so far are the right numbers: add up.", lambda a: a.cumsum(axis=0)),
    ("The mean of {} over its axis 0 is right: take it.", lambda a: a.mean(axis=0)),
    ("The mean of {} over its axis 1 is right: take it.", lambda a: a.mean(axis=1)),
    ("The sum of {} over its axis 0 is right: add up.", lambda a: a.sum(axis=0)),
    ("The sum of {} over its axis 1 is right: add up.", lambda a: a.sum(axis=1)),
    ("The product of {} over its axis 0 is right: multiply.", lambda a: a.prod(axis=0)),
]
FLAT = (
    "The numbers are right, but not the shape: a vector here has one axis, (H,); "
    "(H, 1) is a matrix."
)


def relation(
    got: Sequence[Any],
    right: Sequence[Any],
    calls: Sequence[Sequence[Any]] = (),
    names: Sequence[str] = (),
) -> str:
    """Say how the wrong answers are related to the right ones, if all are alike, else "".

    Parameters
    ----------
    got, right : the answer to each call, and what is right
    calls, names : the arguments of each call, and what they are called
    """
    return _related(got, right, calls, names, _told)


def location(got: Sequence[Any], right: Sequence[Any]) -> str:
    """Say where answers are wrong, such as in the first row alone, if all are alike, else ""."""
    return _related(got, right, (), (), lambda pairs, _: _somewhere(pairs))


def in_one_call(got: Any, right: Any) -> str:
    """Say how one answer is related to the right one, if that has numbers enough to tell, or ""."""
    numbers = {float(x) for _, _, b in _beside(right, right) for x in b.ravel()}
    told = relation([got], [right]) if len(numbers) > 2 else ""
    return f"In the call below, but not in all: {told[0].lower()}{told[1:]}" if told else ""


def _related(
    got: Sequence[Any],
    right: Sequence[Any],
    calls: Sequence[Sequence[Any]],
    names: Sequence[str],
    tell: Callable[[list[Pair], list[Mapping[str, Any]]], str],
) -> str:
    failed = [k for k in range(len(got)) if not close(got[k], right[k])]
    if not failed:
        return ""
    arranged = _arranged([got[k] for k in failed], [right[k] for k in failed])
    if arranged:
        return arranged
    parts: dict[str, list[Pair]] = {}
    where: dict[str, list[Mapping[str, Any]]] = {}
    for k in failed:
        given = dict(zip(names, calls[k], strict=True)) if calls else {}
        for place, a, b in _beside(got[k], right[k]):
            if a is None:
                return ""  # what differs is no number
            parts.setdefault(place, []).append((a, b))
            where.setdefault(place, []).append(given)
    wrong = [p for p, pairs in parts.items() if not all(_equal(a, b) for a, b in pairs)]
    told = tell([x for p in wrong for x in parts[p]], [g for p in wrong for g in where[p]])
    if told and len(wrong) > 1:
        return _sentence(told, "each wrong part", parts[wrong[0]])
    for p in wrong:
        told = tell(parts[p], where[p]) or _of_another(p, parts)
        if told:
            return _sentence(told, f"the result{p}" if p else "your result", parts[p])
    return ""


def extent(got: Sequence[Any], right: Sequence[Any], calls: Sequence[Sequence[Any]] = ()) -> str:
    """Say which parts of the answers are right in every call, or else in how many calls all is."""
    parts: dict[str, list[bool]] = {}
    for mine, theirs in zip(got, right, strict=True):
        for place, a, b in _beside(mine, theirs):
            parts.setdefault(place, []).append(a is not None and _equal(a, b))
    fine = [f"result{p}" for p, good in parts.items() if all(good) and len(good) == len(got)]
    if fine:
        return f"Right in every call: {', '.join(fine)}."
    good = [close(a, b) for a, b in zip(got, right, strict=True)]
    if not any(good):
        return ""
    told = f"It is right in {sum(good)} of {len(got)} calls"
    if good == [_narrow(arguments) for arguments in calls]:
        return f"{told}: where there is one unit alone, and many slips do not show."
    return f"{told}, but not in all."


def _narrow(arguments: Sequence[Any]) -> bool:
    """Whether all matrices among the arguments have one column."""
    shapes = [a.shape[1:] for a in arguments if isinstance(a, np.ndarray) and a.ndim > 1]
    return bool(shapes) and all(length == 1 for shape in shapes for length in shape)


def _beside(got: Any, right: Any, place: str = "") -> Iterator[tuple[str, Array | None, Array]]:
    """Yield each place with numbers that differ or not; None for an answer that has none there."""
    if isinstance(right, dict):
        keys: Any = list(right) if isinstance(got, dict) and got.keys() == right.keys() else None
    elif isinstance(right, (tuple, list)):
        fits = isinstance(got, (tuple, list, np.ndarray)) and len(got) == len(right)
        keys = range(len(right)) if fits else None
    elif isinstance(right, (bool, np.bool_, str)):
        yield place, np.zeros(0) if close(got, right) else None, np.zeros(0)
        return
    else:
        yield place, _number(got), np.asarray(right, float)
        return
    if keys is None:
        yield place, None, np.zeros(0)
        return
    for key in keys:
        yield from _beside(got[key], right[key], f"{place}[{key!r}]")


def _arranged(got: list[Any], right: list[Any]) -> str:
    """Say it if all values are there and right, but in another order or under other names."""
    first, mine = right[0], got[0]
    pairs = list(zip(got, right, strict=True))
    if isinstance(first, (tuple, list)) and all(len(r) == len(first) for r in right):
        count = len(first)
        for j in range(count):
            if all(close(g, r[j]) for g, r in pairs):
                return f"This is what belongs into result[{j}] alone. Return all {count} values."
        if count > 4 or not all(isinstance(g, (tuple, list)) and len(g) == count for g in got):
            return ""
        for order in permutations(range(count)):
            if all(close([g[j] for j in order], list(r)) for g, r in pairs):
                return "Each value is right, but they stand in another order."
    elif isinstance(first, dict):
        keys = list(first)
        if len(keys) > 4 or not all(isinstance(g, dict) and g.keys() == first.keys() for g in got):
            return ""
        for order in permutations(keys):
            if all(close([g[k] for k in order], [r[k] for k in keys]) for g, r in pairs):
                away = next(k for k, other in zip(keys, order, strict=True) if k != other)
                to = keys[order.index(away)]
                told = "Each value is right, but not its name"
                return f"{told}: what stands under {away!r} belongs under {to!r}."
    elif isinstance(mine, (tuple, list)) and not isinstance(first, (bool, str)):
        for j in range(len(mine)):
            if all(isinstance(g, (tuple, list)) and len(g) > j for g in got) and all(
                close(g[j], r) for g, r in pairs
            ):
                return f"Your result[{j}] is right; return it alone."
    return ""


def _of_another(place: str, parts: dict[str, list[Pair]]) -> str:
    """Say it if a part holds what belongs into another part."""
    for other, pairs in parts.items():
        beside = zip(parts[place], pairs, strict=False)
        if other != place and all(_equal(mine[0], theirs[1]) for mine, theirs in beside):
            return f"{{}} is what belongs into the result{other}."
    return ""


def _sentence(told: str, what: str, pairs: list[Pair]) -> str:
    told = told.replace("{row}", "row" if pairs[0][1].ndim > 1 else "entry").replace("{}", what)
    return told[0].upper() + told[1:]


@np.errstate(all="ignore")
def _told(pairs: list[Pair], given: list[Mapping[str, Any]]) -> str:
    """Say how all answers are related to the right ones, with {} for what is told of."""
    if not _different([b for _, b in pairs]):
        return ""
    for name in given[0]:
        whole = [_number(arguments.get(name)) for arguments in given]
        for what, change in AS_GIVEN:
            if all(
                v is not None and _changed(change, v, a)
                for v, (a, _) in zip(whole, pairs, strict=True)
            ):
                return f"{{}} is {what}{name}, as it was given."
    if all(a.size == b.size and _near(a.ravel(), b.ravel()).all() for a, b in pairs):
        return FLAT if pairs[0][1].ndim == 1 else "The numbers are right, but not the shape."
    for told, change in CHANGED:
        if all(_changed(change, b, a) for a, b in pairs):
            return told
    for told, change in UNDONE:
        if all(_changed(change, a, b) for a, b in pairs):
            return told
    for order in permutations(range(3)):
        if all(a.ndim == 3 and _equal(a.transpose(order), b) for a, b in pairs):
            return f"The axes of {{}} stand in another order: .transpose{order} sets them right."
    if any(a.shape != b.shape for a, b in pairs):
        return ""
    return _late(pairs) or _factor(pairs, given) or _sorted(pairs)


AS_GIVEN: list[tuple[str, Change]] = [
    ("", lambda v: v),
    ("the first row of ", lambda v: v[0]),
    ("the last row of ", lambda v: v[-1]),
]


def _changed(change: Change, before: Array, after: Array) -> bool:
    if not before.size:
        return False
    try:
        return _equal(np.asarray(change(before), float), after)
    except (TypeError, ValueError, IndexError):  # no such axis, or no row
        return False


def _different(numbers: list[Array]) -> bool:
    """Whether these are not all the same number: else any relation would hold by chance."""
    flat = np.concatenate([a.ravel() for a in numbers])
    return flat.size > 1 and not _near(flat, flat[0]).all()


def _late(pairs: list[Pair]) -> str:
    """Say it if each row is the right one of another step, whatever stands at the end."""
    if not all(b.ndim and len(b) > 1 for _, b in pairs):
        return ""
    if _different([b[:-1] for _, b in pairs]) and all(_equal(a[1:], b[:-1]) for a, b in pairs):
        return "{} is right, but one place late: each {row} holds what belongs into the one before."
    if _different([b[1:] for _, b in pairs]) and all(_equal(a[:-1], b[1:]) for a, b in pairs):
        return "{} is right, but one place early: each {row} holds what belongs into the next one."
    return ""


def _factor(pairs: list[Pair], given: list[Mapping[str, Any]]) -> str:
    """Say it if all numbers are off by one factor, by a size of the arguments, or by one number."""
    a, b = (np.concatenate([x.ravel() for x in part]) for part in zip(*pairs, strict=True))
    if not np.isfinite(a).all() or not b.any():
        return ""
    factor = float(a @ b / (b @ b))
    if factor and _equal(a, factor * b):
        part = round(1 / factor)
        times = f"1/{part}" if part > 1 and abs(part * factor - 1) < 1e-6 else f"{factor:.4g}"
        told = "look for a factor too many or too few"
        return f"Every number of {{}} is {times} times the right one: {told}."
    if _near(a - b, a[0] - b[0]).all():
        more = "large" if a[0] > b[0] else "small"
        return f"Every number of {{}} is {abs(a[0] - b[0]):.4g} too {more}."
    sizes = [_sizes(arguments) for arguments in given]
    for size in sizes[0] if sizes else ():
        by = [s.get(size, 0.0) for s in sizes]
        length = "len(" in size or "shape" in size
        if all(_equal(n * a, b) for n, (a, b) in zip(by, pairs, strict=True)):
            told = "is a mean taken, and a sum wanted?" if length else "a factor is missing."
            return f"{{}} is the right one divided by {size}: {told}"
        if all(_equal(a, n * b) for n, (a, b) in zip(by, pairs, strict=True)):
            told = "is a sum taken, and a mean wanted?" if length else "a factor too many."
            return f"{{}} is {size} times the right one: {told}"
    return ""


def _sizes(arguments: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers and the lengths among the arguments of a call, by what code calls them."""
    sizes = {}
    for name, value in arguments.items():
        array = _number(value)
        if array is None:
            continue
        if not array.ndim:
            sizes[name] = float(array)
        for axis, length in enumerate(array.shape):
            sizes[f"{name}.shape[{axis}]" if axis else f"len({name})"] = float(length)
        if array.ndim:
            sizes[f"len({name}) - 1"] = float(len(array) - 1)  # T, if it begins with h_0
    return sizes


def _sorted(pairs: list[Pair]) -> str:
    """Say it if the right numbers stand in other places, or with some other signs."""
    if all(_equal(np.sort(a.ravel()), np.sort(b.ravel())) for a, b in pairs):
        rows = all(_equal(np.sort(a, axis=0), np.sort(b, axis=0)) for a, b in pairs if b.ndim)
        return f"{{}} holds the right {'{row}s' if rows else 'numbers'} in another order."
    if all(_equal(np.abs(a), np.abs(b)) for a, b in pairs):
        return "{} has the right size in every number, but some have the wrong sign."
    return ""


def _somewhere(pairs: list[Pair]) -> str:
    """Say it if only some places are wrong, and they are the same ones each time."""
    if not all(a.shape == b.shape and b.ndim and len(b) > 1 for a, b in pairs):
        return ""
    bad = [~_near(a, b) for a, b in pairs]
    rows = [m.any(axis=tuple(range(1, m.ndim))) for m in bad]
    some = any(len(r) > 2 for r in rows)
    if not any(r[1:].any() for r in rows):
        return "Only the first {row} of {} is wrong."
    if not any(r[:-1].any() for r in rows):
        return "Only the last {row} of {} is wrong."
    if some and not any(r[0] for r in rows):
        return "The first {row} of {} is right; what comes after it is not."
    if some and not any(r[-1] for r in rows):
        return "The last {row} of {} is right; what stands before it is not."
    if all(m.ndim == 2 and m.shape[0] == m.shape[1] for m in bad):
        if not any((m & ~np.eye(len(m), dtype=bool)).any() for m in bad):
            return "Only the diagonal of {} is wrong."
        if not any(m.diagonal().any() for m in bad):
            return "The diagonal of {} is right; what stands beside it is not."
    return ""


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(_near(a, b).all())
