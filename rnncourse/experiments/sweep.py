"""Sweeps: an experiment is a function of its settings and a seed, run over a grid of both.

Each finished trial is a line of the results file, so a sweep that is stopped, or killed, goes on
where it was when it is started again. Trials run here, in worker processes, or on a cluster, as
joblib is told; their results are the same, since each depends on its settings and seed only.
"""

import inspect
import json
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..files import PathLike
from ..training.progress import ProgressBar
from ..validation import require_size
from .results import FORMAT, ResultsFile, Scalar, SweepError, Trial, key, versions


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
        with ResultsFile(path, self.header()) as file:
            missing = [trial for trial in asked if key(*trial) not in file.trials]
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
            return [file.trials[key(*trial)] for trial in asked]


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
    return settings, seed, {"result": result, "seconds": seconds, "versions": versions()}


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


# ---------------------------------------------------------------- settings


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
