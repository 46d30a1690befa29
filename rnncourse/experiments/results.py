"""The results file of a sweep: a line for each finished trial, written as it ends.

The file is JSON Lines. Its first line says what the experiment is, a line "session" who ran it, and
every other line is a trial::

    {"format": "rnncourse sweep 1", "experiment": …, "source": …, "settings": …, "seeds": …, …}
    {"session": 1, "command": …, "python": …, "numpy": …, "rnncourse": …, "system": …, "date": …}
    {"settings": {"length": 20}, "seed": 0, "result": …, "seconds": 0.1, "session": 1}
"""

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..files import PathLike, require_place

FORMAT = "rnncourse sweep 1"
Scalar = str | int | float | bool | None
Key = tuple[tuple[tuple[str, Scalar], ...], int]


class SweepError(RuntimeError):
    """Some trials have no result; those that finished are in the results file.

    Attributes
    ----------
    failures : a text for each trial that raised: its settings, its seed and the traceback
    """

    def __init__(self, message: str, failures: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.failures = list(failures)


@dataclass(frozen=True)
class Trial:
    """One trial that has finished.

    Attributes
    ----------
    settings : dict of the setting's names and values
    seed : int
    result : what the experiment's function returned, as JSON gives it back
    seconds : how long the function took
    session : which session of the results file made it, from 1
    versions : of Python, NumPy and rnncourse, where the worker's were not those of the session
    """

    settings: dict[str, Any]
    seed: int
    result: Any
    seconds: float
    session: int
    versions: dict[str, str] | None = None


@dataclass(frozen=True)
class Results:
    """What a results file holds.

    Attributes
    ----------
    header : dict, what the experiment is: its name, source, grid and stop rule
    sessions : list of dicts, who ran it: command, versions, system and date
    trials : list of Trial, in the order in which they finished
    """

    header: dict[str, Any]
    sessions: list[dict[str, Any]]
    trials: list[Trial]


class ResultsFile:
    """A results file that one sweep at a time appends to."""

    def __init__(self, path: PathLike, header: dict[str, Any]) -> None:
        require_place("path", path)
        self.path, self.header = Path(path), header
        # Not inherited by workers, so the lock ends with this process, however it ends.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self.file = os.fdopen(descriptor, "r+b")
        try:
            self._lock()
            self._begin()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not a POSIX system: two sweeps into one file are not found out there
            return
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepError(f"another sweep is writing to {self.path}") from None
        except OSError:  # a file system without locks
            pass

    def _begin(self) -> None:
        """Read what is there, drop a line that a kill tore off, and write the header if need be."""
        content, first = self.file.read(), _line(self.header)
        whole = content.rfind(b"\n") + 1
        if not whole and first.startswith(content):  # nothing, or part of the header
            found = Results(self.header, [], [])
        else:
            found = _parsed(content[:whole], str(self.path))
            _require_same(self.header, found.header, self.path)
        self.trials = {key(t.settings, t.seed): t for t in found.trials}
        self.sessions, self.versions = len(found.sessions), versions()
        self.session = 0  # begun with its first trial
        self.file.truncate(whole)
        self.file.seek(whole)
        if not whole:
            self._write(first)

    def append(self, settings: dict[str, Scalar], seed: int, outcome: dict[str, Any]) -> None:
        """Write a finished trial, so that not even a loss of power takes it away."""
        if not self.session:
            self.session = self.sessions + 1
            self._write(_line({"session": self.session, **_provenance()}))
        if outcome["versions"] == self.versions:
            outcome = {name: value for name, value in outcome.items() if name != "versions"}
        trial = {"settings": settings, "seed": seed, **outcome, "session": self.session}
        self._write(_line(trial))
        self.trials[key(settings, seed)] = Trial(**trial)

    def _write(self, line: bytes) -> None:
        self.file.write(line)
        self.file.flush()
        os.fsync(self.file.fileno())


def read(path: PathLike | Traversable) -> Results:
    """Read a results file. A last line without its end, still being written, does not count.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged; the message names the line.
    """
    source = path if isinstance(path, Traversable) else Path(path)
    content = source.read_bytes()
    return _parsed(content[: content.rfind(b"\n") + 1], str(path))


def _parsed(content: bytes, name: str) -> Results:
    found: Results | None = None
    lines: dict[Key, int] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line)
            if found is None:
                if row["format"] != FORMAT:
                    raise ValueError(f"its format is {row['format']!r}, expected {FORMAT!r}")
                found = Results(row, [], [])
            elif "command" in row:
                if row["session"] != len(found.sessions) + 1:
                    raise ValueError(f"it is session {row['session']}, and follows no other")
                found.sessions.append(row)
            else:
                trial = Trial(**row)
                if set(trial.settings) != set(found.header["settings"]):
                    raise ValueError(f"its settings are {', '.join(trial.settings) or 'none'}")
                if not 1 <= trial.session <= len(found.sessions):
                    raise ValueError(f"its session {trial.session} stands nowhere above it")
                if (own := key(trial.settings, trial.seed)) in lines:
                    raise ValueError(f"it repeats the trial of line {lines[own]}")
                lines[own] = number
                found.trials.append(trial)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"line {number} of {name} is not one of a sweep: {error}") from error
    if found is None:
        raise ValueError(f"{name} has no line of a sweep, expected a results file")
    return found


def _require_same(ours: dict[str, Any], theirs: dict[str, Any], path: Path) -> None:
    """Raise unless a file's header is that of the same experiment.

    A source may be said in better words, and seeds may be added. The rest decides what a trial is.
    """
    for name in ("experiment", "settings", "stop"):
        if theirs.get(name) != ours[name]:
            raise ValueError(
                f"{path} is of another sweep: its {name} is {theirs.get(name)!r}, "
                f"expected {ours[name]!r}. Write to another file"
            )


def _provenance() -> dict[str, str]:
    program = [Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]]
    return {
        "command": shlex.join(program),
        **versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _line(row: dict[str, Any]) -> bytes:
    # As `json.loads` reads bytes: half of a surrogate pair, in a text of the result, is kept.
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def key(settings: Mapping[str, Scalar], seed: int) -> Key:
    """Return what tells a trial from the others of its file."""
    return tuple(sorted(settings.items())), seed


def versions() -> dict[str, str]:
    """Return the versions of what a trial is computed with, in this process."""
    package = sys.modules[__name__.partition(".")[0]]
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rnncourse": package.__version__,
    }
