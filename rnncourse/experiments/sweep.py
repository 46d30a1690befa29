"""Sweeps: an experiment is a function of its settings and a seed, run over a grid of both.

Each finished trial is a line of the results file, so a sweep that is stopped, or killed, goes on
where it was when it is started again. Trials run here, in worker processes, or on a cluster, as
joblib is told; their results are the same, since each depends on its settings and seed only.

The results file is JSON Lines. Its first line says what the experiment is, a line "session" who ran
it, and every other line is a trial::

    {"format": "rnncourse sweep 1", "experiment": …, "source": …, "settings": …, "seeds": …, …}
    {"session": 1, "command": …, "python": …, "numpy": …, "rnncourse": …, "system": …, "date": …}
    {"settings": {"length": 20}, "seed": 0, "result": …, "seconds": 0.1, "session": 1}
"""

import inspect
import json
import os
import platform
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources.abc import Traversable
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..files import PathLike, require_place
from ..training.progress import ProgressBar
from ..validation import require_size

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


def table(trials: Iterable[Trial]) -> str:
    """Return a line for each combination of settings: how many seeds it has, and the median of
    each number in their results.
    """
    groups: dict[tuple, list[dict[str, Any]]] = {}
    names: list[str] = ["settings"]
    for t in trials:
        names = list(t.settings) or names
        result = t.result if isinstance(t.result, dict) else {"result": t.result}
        groups.setdefault(tuple(t.settings.values()) or ("-",), []).append(result)
    numbers = {n: None for g in groups.values() for r in g for n, v in r.items() if _is_number(v)}
    rows = [[*names, "seeds", *numbers]]
    for values, group in groups.items():
        medians = []
        for name in numbers:
            found = [r[name] for r in group if _is_number(r.get(name))]
            medians.append(f"{np.median(found):.4g}" if found else "-")
        rows.append([*map(str, values), str(len(group)), *medians])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
    )


@dataclass(frozen=True)
class Experiment:
    """An experiment: a function of its settings and a seed, and the grid that it is run over.

    Parameters
    ----------
    name : str
    function : callable
        Called as ``function(**settings, seed=seed)`` for each trial. It draws what is random from
        ``np.random.default_rng(seed)`` alone, and returns what JSON can write: numbers, texts,
        None, lists and dicts of these (NumPy's numbers and arrays become Python's).
    settings : mapping of each setting's name to the list of its values
        Texts, numbers, True, False or None. The grid has every combination.
    seeds : whole numbers from 0, for each combination
    source : str
        Where the experiment comes from: a citation, or the page that describes it.
    stop : str
        When a trial ends, in words.
    table : callable, optional
        Makes a text of a list of `Trial`.

    Examples
    --------
    >>> import tempfile
    >>> from rnncourse.experiments import Experiment
    >>> def throw(dice, seed):
    ...     return int(np.random.default_rng(seed).integers(1, 7, size=dice).sum())
    >>> dice = Experiment(
    ...     "dice", throw, {"dice": [1, 2]}, range(3), source="made up", stop="one throw"
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trials = dice.run(f"{folder}/dice.jsonl", progress=False)
    >>> [trial.result for trial in trials if trial.settings == {"dice": 1}]
    [6, 3, 6]
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    settings: Mapping[str, Sequence[Scalar]]
    seeds: Sequence[int]
    source: str = field(kw_only=True)
    stop: str = field(kw_only=True)
    table: Callable[[list[Trial]], str] = field(default=table, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        for name in ("name", "source", "stop"):
            if not isinstance(text := getattr(self, name), str) or not text.strip():
                raise ValueError(f"{name} is {text!r}, expected a text")
        if not isinstance(self.settings, Mapping):
            raise TypeError(f"settings is {self.settings!r}, expected a mapping of names to values")
        grid = {name: _values(name, values) for name, values in self.settings.items()}
        object.__setattr__(self, "settings", grid)
        object.__setattr__(self, "seeds", _seeds(self.seeds))
        try:
            inspect.signature(self.function).bind(**dict.fromkeys(grid), seed=0)
        except TypeError as error:
            expected = ", ".join([*grid, "seed"])
            raise TypeError(f"function does not take {expected} by name: {error}") from None

    def grid(
        self, only: Mapping[str, Any] | None = None, seeds: Iterable[int] | None = None
    ) -> list[tuple[dict[str, Scalar], int]]:
        """Return the pairs of settings and seed that the experiment has.

        Parameters
        ----------
        only : mapping, optional
            Keeps only these values of the settings it names.
        seeds : whole numbers from 0, optional
            In place of the experiment's own.

        Raises
        ------
        ValueError
            A setting or a value that the experiment does not have.
        """
        chosen = dict(self.settings)
        for name, values in (only or {}).items():
            if name not in chosen:
                known = ", ".join(chosen) or "none"
                raise ValueError(f"{name!r} is no setting of {self.name}, expected of {known}")
            values = [values] if isinstance(values, Scalar) else values
            for value in (kept := _values(name, values)):
                if value not in chosen[name]:
                    known = ", ".join(map(str, chosen[name]))
                    raise ValueError(f"{name} is {value!r}, expected of {known}")
            chosen[name] = [value for value in chosen[name] if value in kept]
        each = self.seeds if seeds is None else _seeds(seeds)
        combinations = [dict(zip(chosen, v, strict=True)) for v in product(*chosen.values())]
        return [(settings, seed) for settings in combinations for seed in each]

    def header(self) -> dict[str, Any]:
        """Return the first line of a results file, as a dict."""
        return {
            "format": FORMAT,
            "experiment": self.name,
            "source": self.source,
            "settings": self.settings,
            "seeds": self.seeds,
            "stop": self.stop,
        }

    def run(
        self,
        path: PathLike,
        *,
        only: Mapping[str, Any] | None = None,
        seeds: Iterable[int] | None = None,
        jobs: int | None = None,
        progress: bool = True,
    ) -> list[Trial]:
        """Run the trials that the file `path` does not have yet, and return all that are asked for.

        Each is written to the file as it ends. A trial that raises does not stop the others, is
        not in the file, and is tried again by the next call.

        Parameters
        ----------
        path : results file to begin or to go on with
        only, seeds : which trials, as for `grid`; others in the file stay there
        jobs : int, optional
            How many worker processes of this machine, with one arithmetic thread each; 1 is this
            process. Left out, ``joblib.parallel_config`` says where trials run, and without it
            they run in this process.
        progress : bool
            Show a bar in a terminal or notebook.

        Raises
        ------
        ValueError
            A file that is damaged or belongs to another experiment, or a trial that the experiment
            does not have.
        SweepError
            Trials raised, workers ended, or another sweep is writing to the file.
        KeyboardInterrupt
            Passed on. What has finished is in the file.
        """
        asked = self.grid(only, seeds)
        if jobs is not None:
            require_size("jobs", jobs)
        failures: list[str] = []
        with _ResultsFile(path, self) as file:
            missing = [trial for trial in asked if _key(*trial) not in file.trials]
            outcomes = _outcomes(self.function, missing, jobs, file.path)
            with ProgressBar(len(missing), "trials", progress) as bar, closing(outcomes):
                for settings, seed, outcome in outcomes:
                    if isinstance(outcome, dict):
                        file.append(settings, seed, outcome)
                    else:
                        failures.append(f"{_named(settings, seed)}: {outcome}")
                    failed = f", {len(failures)} failed" if failures else ""
                    bar.advance(_named(settings, seed) + failed)
            if failures:
                what = "1 trial" if len(failures) == 1 else f"{len(failures)} trials"
                first = failures[0].partition("\n")[0]
                raise SweepError(
                    f"{what} of {len(missing)} failed; the others are in {file.path}. "
                    f"The first: {first}",
                    failures,
                )
            return [file.trials[_key(*trial)] for trial in asked]


# ---------------------------------------------------------------- one trial


def _measured(function: Callable[..., Any], settings: dict[str, Scalar], seed: int) -> Any:
    """Run one trial, in whatever process; return settings, seed and the outcome.

    That is a dict, or the text of an error, since not every exception can travel.
    """
    start = time.perf_counter()
    try:
        result = json.loads(json.dumps(function(**settings, seed=seed), default=_plain))
    except Exception as error:
        return settings, seed, f"{_first_line(error)}\n{traceback.format_exc()}"
    seconds = round(time.perf_counter() - start, 3)
    return settings, seed, {"result": result, "seconds": seconds, "versions": _versions()}


def _outcomes(
    function: Callable[..., Any],
    trials: list[tuple[dict[str, Scalar], int]],
    jobs: int | None,
    path: Path,
) -> Generator[Any, None, None]:
    """Yield what `_measured` returns for each trial, as they end."""
    try:
        import joblib
    except ImportError:
        if jobs not in (None, 1):
            raise SweepError(
                f"jobs is {jobs}, and more than 1 needs joblib: pip install rnncourse[sweep]"
            ) from None
        jobs = 1
    if jobs == 1 or not trials:
        yield from (_measured(function, *trial) for trial in trials)
        return
    with ExitStack() as stack:
        if jobs is not None:
            config = joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1)
            stack.enter_context(config)
        backend, _ = joblib.parallel.get_active_backend()
        outcomes: Generator[Any, None, None]
        if (client := getattr(backend, "client", None)) is not None:
            outcomes = _outcomes_of_dask(client, function, trials)
        else:
            # One trial a batch: whatever ends a worker takes no finished trial with it.
            parallel = joblib.Parallel(batch_size=1, return_as="generator_unordered")
            outcomes = parallel(joblib.delayed(_measured)(function, *trial) for trial in trials)
        try:
            for outcome in outcomes:  # noqa: UP028, closed below
                yield outcome
        except GeneratorExit:
            with warnings.catch_warnings():  # that trials were stopped, which was asked for
                warnings.filterwarnings("ignore", category=UserWarning)
                outcomes.close()
            raise
        except Exception as error:
            raise SweepError(
                f"the workers ended ({_first_line(error)}). The trials that had finished are in "
                f"{path}: start the sweep again to go on"
            ) from error


def _outcomes_of_dask(
    client: Any, function: Callable[..., Any], trials: list[tuple[dict[str, Scalar], int]]
) -> Generator[Any, None, None]:
    """Yield the outcomes of trials on the workers of a Dask client.

    Dask runs a trial again when its worker is gone, and gives it up when it has taken several
    workers with it. Of that, joblib's own backend never hears, and waits for ever.
    """
    from distributed import as_completed

    futures = {client.submit(_measured, function, *trial, pure=False): trial for trial in trials}
    try:
        for future in as_completed(futures):
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                yield (*futures[future], _first_line(error))
    finally:
        client.cancel(list(futures))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _versions() -> dict[str, str]:
    package = sys.modules[__name__.partition(".")[0]]
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rnncourse": package.__version__,
    }


# ---------------------------------------------------------------- the file


class _ResultsFile:
    """A results file that one sweep at a time appends to."""

    def __init__(self, path: PathLike, experiment: Experiment) -> None:
        require_place("path", path)
        self.path, self.header = Path(path), experiment.header()
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
        self.trials = {_key(t.settings, t.seed): t for t in found.trials}
        self.sessions, self.versions = len(found.sessions), _versions()
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
        self.trials[_key(settings, seed)] = Trial(**trial)

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
                if (key := _key(trial.settings, trial.seed)) in lines:
                    raise ValueError(f"it repeats the trial of line {lines[key]}")
                lines[key] = number
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
        **_versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _line(row: dict[str, Any]) -> bytes:
    # As `json.loads` reads bytes: half of a surrogate pair, in a text of the result, is kept.
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


# ---------------------------------------------------------------- settings


def _key(settings: Mapping[str, Scalar], seed: int) -> Key:
    return tuple(sorted(settings.items())), seed


def _named(settings: Mapping[str, Scalar], seed: int) -> str:
    return ", ".join([*(f"{name}={value}" for name, value in settings.items()), f"seed={seed}"])


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and arrays as Python's; JSON asks for what it does not know."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"the result holds a {type(value).__name__}, expected what JSON can write")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _values(name: str, values: Any) -> list[Scalar]:
    """Return the values of a setting as a list of distinct ones that JSON can write."""
    if not isinstance(name, str) or name == "seed":
        raise ValueError(f"settings has {name!r}, expected names other than 'seed'")
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray):
        raise TypeError(f"{name} is {values!r}, expected a list of its values")
    plain = [v.item() if isinstance(v, np.generic) else v for v in values]
    for value in plain:
        if not isinstance(value, Scalar) or value != value:
            raise TypeError(f"{name} has {value!r}, expected texts, numbers, True, False or None")
    return _distinct(name, plain)


def _seeds(seeds: Iterable[int]) -> list[int]:
    return _distinct("seeds", [int(require_size("seed", seed, 0)) for seed in seeds])


def _distinct(name: str, values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values) or not values:
        raise ValueError(f"{name} has {values}, expected at least one value and none twice")
    return values
