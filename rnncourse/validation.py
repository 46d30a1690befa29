"""Checks on arguments. Every error names the argument, what was given and what was expected.

What is not finite is found by these checks, and underflow is no error: a product of many small
numbers is 0 to rounding. So the public functions of the package that compute anything are marked
``@np.errstate(all="ignore")``: they do the same whatever `numpy.seterr` says.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[np.floating]
Params = Mapping[str, Array]
Choice = TypeVar("Choice", bound=str)


class NotFiniteError(ValueError):
    """A value that must be finite holds NaN or infinity."""


def _describe(shape: tuple[int | str, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def require_shape(name: str, array: NDArray, expected: tuple[int | str, ...]) -> None:
    """Raise ``ValueError`` unless `array` has the shape `expected`.

    A number in `expected` must be met exactly; a letter such as ``"T"`` stands for any size of
    at least 1.
    """
    given = array.shape

    def message() -> str:  # put into words only when something is wrong
        return f"{name} has shape {given}, expected {_describe(expected)}"

    if len(given) != len(expected):
        raise ValueError(message())
    for size, wanted in zip(given, expected, strict=True):
        if isinstance(wanted, str) and size == 0:
            raise ValueError(f"{message()} with {wanted} at least 1")
        if not isinstance(wanted, str) and size != wanted:
            raise ValueError(message())


def require_finite(name: str, array: NDArray) -> None:
    """Raise `NotFiniteError` if `array` holds NaN or infinity; say how many and where first."""
    # One cheap sum decides almost always: a NaN or an infinity anywhere makes it non-finite.
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum()):
            return
    refuse(name, "NaN or infinity", ~np.isfinite(array), "finite numbers")


def refuse(name: str, what: str, bad: NDArray[np.bool_], expected: str) -> None:
    """Raise `NotFiniteError` if any entry is bad; say how many are and where the first is."""
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise NotFiniteError(
            f"{name} contains {what}: {int(bad.sum())} of {bad.size} entries, "
            f"the first at index {first}; expected {expected}"
        )


def has_form(value: object, shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Return True if `value` is an array of this shape, without empty axes, and dtype: then only
    whether it is finite is left to check.
    """
    return (
        type(value) is np.ndarray  # a masked array has to be looked at
        and value.shape == shape
        and value.dtype == dtype
        and value.size > 0
    )


def real_array(
    name: str, value: ArrayLike, shape: tuple[int | str, ...], dtype: DTypeLike
) -> Array:
    """Return `value` as a finite array of the given shape and floating dtype.

    Integers and floats of any width are converted. Anything else (bool, complex, text, objects)
    raises ``TypeError``; a wrong shape, NaN, infinity or a masked entry raises ``ValueError``.
    """
    with np.errstate(all="ignore"):  # too large for float32: reported below as infinity
        array = numeric(name, value, "iuf", "real numbers").astype(dtype, copy=False)
    require_shape(name, array, shape)
    require_finite(name, array)
    return array


def whole_numbers(
    name: str, value: ArrayLike, shape: tuple[int | str, ...], low: int, high: int
) -> NDArray[np.intp]:
    """Return `value` as an integer array of the given shape with every entry in ``low..high``."""
    array = numeric(name, value, "iu", "whole numbers").astype(np.intp)
    require_shape(name, array, shape)
    bad = (array < low) | (array > high)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f" at index {first}" if first else ""
        raise ValueError(
            f"{name} holds {int(array[first])}{place}, expected whole numbers from {low} to {high}"
        )
    return array


def boolean_array(name: str, value: ArrayLike, shape: tuple[int | str, ...]) -> NDArray[np.bool_]:
    """Return `value` as a boolean array of the given shape."""
    array = numeric(name, value, "b", "True and False")
    require_shape(name, array, shape)
    return array


def float_array(name: str, value: ArrayLike) -> Array:
    """Return `value` as floats: float32 and float64 as they are, other real numbers as float64."""
    array = numeric(name, value, "iuf", "real numbers")
    return array if array.dtype.char in "fd" else array.astype(np.float64)


def numeric(name: str, value: ArrayLike, kinds: str, expected: str) -> NDArray:
    """Return `value` as an array whose dtype is one of `kinds` ("b", "i", "u", "f", "c").

    Raises
    ------
    TypeError
        Another dtype; rows of different lengths; a tensor that requires a gradient, which would be
        lost, or that NumPy cannot read.
    ValueError
        A masked entry: a mask of NumPy's would be lost. A masked array with nothing masked passes.
    """
    array = value if type(value) is np.ndarray else _read(name, value, expected)
    if array.dtype.kind not in kinds:
        raise TypeError(f"{name} has dtype {array.dtype}, expected {expected}")
    return array


def _read(name: str, value: ArrayLike, expected: str) -> NDArray:
    masked = 0
    for part in _parts(value):
        if isinstance(part, np.ma.MaskedArray):
            masked += int(np.count_nonzero(np.ma.getmaskarray(part)))
        elif getattr(part, "requires_grad", False):
            raise TypeError(
                f"{name} requires a gradient, which would be lost, expected {expected}: "
                f"{name}.detach().numpy()"
            )
    if masked:
        raise ValueError(
            f"{name} has {masked} masked {'entries' if masked > 1 else 'entry'}, expected "
            f"{expected} throughout: say with mask= which predictions count, with lengths= where "
            "sequences end"
        )
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise TypeError(f"{name} is not a regular array ({error})") from None
    except (TypeError, RuntimeError) as error:  # a tensor on a GPU, of bfloat16, without data
        raise TypeError(
            f"{name} cannot be read by NumPy ({error}), expected {expected}; of a PyTorch tensor: "
            f"{name}.detach().cpu().float().numpy()"
        ) from error


def _parts(value: Any) -> Iterator[Any]:
    """Yield `value`, or what a list holds at any depth, but for Python's numbers."""
    for part in value if isinstance(value, list | tuple) else (value,):
        if isinstance(part, list | tuple):
            yield from _parts(part)
        elif not isinstance(part, int | float):
            yield part


def float_dtype(dtype: DTypeLike) -> np.dtype:
    """Return `dtype` as float32 or float64; anything else raises ``TypeError``."""
    result = np.dtype(dtype)
    if result not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype is {result}, expected float32 or float64")
    return result


def require_size(name: str, value: int, low: int = 1) -> int:
    """Return `value` if it is a whole number of at least `low`; raise otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}, expected a whole number")
    if value < low:
        raise ValueError(f"{name} is {value}, expected at least {low}")
    return int(value)


def require_number(name: str, value: float, expected: str = "a number") -> float:
    """Return `value` as a float if it is a finite real number; raise otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} is {value!r}, expected {expected}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = np.inf
    if not np.isfinite(number):
        finite = "a finite number" + expected.removeprefix("a number")
        raise ValueError(f"{name} is {value}, expected {finite}")
    return number


def require_positive(name: str, value: float) -> float:
    """Return `value` if it is a finite number above 0; raise otherwise."""
    number = require_number(name, value, "a number above 0")
    if number <= 0:
        raise ValueError(f"{name} is {value}, expected a finite number above 0")
    return number


def require_fraction(name: str, value: float) -> float:
    """Return `value` if it is a number from 0 to below 1; raise otherwise."""
    number = require_number(name, value, "a number from 0 to below 1")
    if not 0 <= number < 1:
        raise ValueError(f"{name} is {value}, expected a number from 0 to below 1")
    return number


def require_choice(name: str, value: Choice, choices: tuple[Choice, ...]) -> Choice:
    """Return `value` if it is one of `choices`; raise ``ValueError`` otherwise."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, choices))}")
    return value


def require_rng(rng: np.random.Generator | None) -> np.random.Generator:
    """Return `rng` if it is a NumPy generator; raise ``TypeError`` otherwise."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}, expected a generator: numpy.random.default_rng(seed)")
    return rng


def sequences(
    x: ArrayLike, lengths: ArrayLike | None, D: int, dtype: np.dtype
) -> tuple[Array, NDArray[np.intp], NDArray[np.bool_] | None]:
    """Check a batch of sequences (T, B, D) and clear what lies past their ends.

    No step looks ahead, so what follows a sequence's last step cannot change its states, and a
    gradient of 0 there stays 0: steps past the end need no mask inside a layer's loops.

    Returns
    -------
    x : (T, B, D), zeros past a sequence's length
    lengths : (B,) int
    inside : (T, B) bool, True where step t belongs to sequence b; None if `lengths` is
    """
    x = numeric("x", x, "iuf", "real numbers")
    require_shape("x", x, ("T", "B", D))
    T, B, _ = x.shape
    if lengths is None:
        return real_array("x", x, x.shape, dtype), np.full(B, T), None
    lengths = whole_numbers("lengths", lengths, (B,), 1, T)
    inside = np.arange(T)[:, None] < lengths
    x = real_array("x", np.where(inside[:, :, None], x, 0), x.shape, dtype)
    return x, lengths, inside


def incoming(
    dh: ArrayLike, shape: tuple[int, int, int], inside: NDArray[np.bool_] | None, dtype: np.dtype
) -> Array:
    """Check the dh that a layer's backward pass is given, (T, B, H), and clear it past the ends."""
    if inside is not None:
        dh = numeric("dh", dh, "iuf", "real numbers")
        require_shape("dh", dh, shape)
        dh = np.where(inside[:, :, None], dh, 0)
    return real_array("dh", dh, shape, dtype)


def require_trace(trace: Any, kind: type[Any], W: Array) -> None:
    """Raise unless `trace` was made by a layer like the one with packed weights `W`."""
    if type(trace) is not kind:
        given, wanted = type(trace), f"{kind.__module__}.{kind.__name__}"
        raise TypeError(
            f"trace is a {given.__module__}.{given.__name__}, expected the {wanted} that this "
            "layer's forward returned"
        )
    if trace.W.shape != W.shape or trace.W.dtype != W.dtype:
        raise ValueError(
            f"trace comes from a layer with packed weights of shape {trace.W.shape} and dtype "
            f"{trace.W.dtype}, expected {W.shape} and {W.dtype}"
        )


def require_mapping(name: str, value: Any) -> None:
    """Raise ``TypeError`` unless `value` maps names to arrays."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a {type(value).__name__}, expected a mapping of named arrays")


def require_writable(params: Params) -> None:
    """Raise ``ValueError`` if a parameter is read-only, as those are that joblib has mapped from a
    file to share them among its workers.
    """
    for name, W in params.items():
        if not W.flags.writeable:
            raise ValueError(
                f"{name} is read-only, as large arrays are that joblib gives to its workers, "
                "expected a writable array; copy the model: copy.deepcopy(model) can be written"
            )


def fitting_params(params: Params, values: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Return `values` as arrays after checking that they could replace `params`."""
    require_mapping("values", values)
    if set(values) != set(params):
        raise ValueError(f"parameters given are {sorted(values)}, expected {sorted(params)}")
    return {n: real_array(n, values[n], params[n].shape, params[n].dtype) for n in params}


def copy_params(params: Params, values: Mapping[str, ArrayLike]) -> None:
    """Copy `values` into `params`, all or none: nothing is written unless every one fits."""
    require_writable(params)
    for name, value in fitting_params(params, values).items():
        params[name][...] = value
