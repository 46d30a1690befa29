"""Run somebody's function as if it were dangerous: in a thread, for a limited time, on copies.

Nothing that it does is left behind: neither prints nor NumPy's random state nor its settings.
"""

import contextlib
import copy
import ctypes
import io
import random
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

KEPT = 1000  # characters of what it prints
GRACE = 2.0  # seconds that a function which is told to stop has for it


class TimeIsUp(BaseException):
    """Raised inside a function that has run for too long."""


@dataclass
class Outcome:
    """What one call did.

    Attributes
    ----------
    value : what it returned
    error : the exception that it raised instead, if any
    line : where, as "line 3: the code"
    changed : the positions of the arguments that it changed
    aliased : whether what it returned shares memory with an argument
    """

    value: Any = None
    error: BaseException | None = None
    line: str = ""
    changed: tuple[int, ...] = ()
    aliased: bool = False


class _Short(io.StringIO):
    """Keep the beginning of what is written."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, KEPT - self.tell())])
        return len(text)


def arrays(value: Any) -> list[np.ndarray]:
    """Return all arrays in a value: itself, or those in its lists, tuples and dictionaries."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [a for one in value for a in arrays(one)] if isinstance(value, (list, tuple)) else []


def same(a: Any, b: Any) -> bool:
    """Return whether two values of the same form are equal, NaN and NaN too.

    Who adds a little to a weight and takes it away again leaves the last digit changed, no more.
    """
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        if a.dtype.kind not in "fc" or a.shape != np.shape(b):
            return np.array_equal(a, b)
        return np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True)
    return bool(a == b)


def _where(error: BaseException, function: Callable[..., Any]) -> str:
    """Return the last line of the function's own file that the error went through."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if code is not None and f.filename == code.co_filename]
    if code is None or not own:
        return ""
    at = (own[-1].lineno or 0) - code.co_firstlineno + 1
    return f"line {at}: {own[-1].line}" if own[-1].line else f"line {at}"


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Outcome:
    given = copy.deepcopy(arguments)
    try:
        value = function(*given)
    except (Exception, SystemExit) as error:
        return Outcome(error=error, line=_where(error, function))
    inside = [a for one in given for a in arrays(one)]
    kept = value
    with contextlib.suppress(Exception):  # what cannot be copied is no number anyway
        value = copy.deepcopy(value)
    return Outcome(
        value=value,
        changed=tuple(
            i for i, (a, b) in enumerate(zip(arguments, given, strict=True)) if not same(a, b)
        ),
        aliased=any(np.shares_memory(a, b) for a in arrays(kept) for b in inside),
    )


def run(
    function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], seconds: float
) -> tuple[list[Outcome], str]:
    """Call `function` with copies of each of `calls`; return the outcomes and what it printed.

    Parameters
    ----------
    function : of any behavior
    calls : a tuple of arguments for each call
    seconds : for all calls together

    Raises
    ------
    TimeoutError
        It took longer. It is stopped by an exception in its thread. One that catches this
        exception too goes on in the background, which the message says.
    """
    outcomes: list[Outcome] = []
    printed = _Short()

    def work() -> None:
        with contextlib.suppress(TimeIsUp), np.errstate(all="ignore"):
            outcomes.extend(_call(function, arguments) for arguments in calls)

    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (somebody may use them)
    thread = threading.Thread(target=work, daemon=True)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            thread.start()
            thread.join(seconds)
            late = thread.is_alive()
            if late:
                raised = ctypes.py_object(TimeIsUp)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), raised
                )
                thread.join(GRACE)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    if thread.is_alive():
        raise TimeoutError(
            "It cannot be stopped and goes on in the background: restart the kernel."
        )
    if late:
        raise TimeoutError
    return outcomes, printed.getvalue()
