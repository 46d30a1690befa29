"""The experiments from the command line: ``python -m rnncourse.experiments`` lists them."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from . import (
    character_seeds,
    forget_bias,
    marked_numbers,
    own_text,
    playground,
    starts,
    sunspots,
)
from .results import SweepError
from .sweep import Experiment

MODULES = (
    sunspots,
    starts,
    forget_bias,
    marked_numbers,
    character_seeds,
    playground,
    own_text,
)
EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in MODULES}


def main(arguments: Sequence[str] | None = None) -> int:
    """List the experiments, or run one and print its table; return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.experiment is None or given.list:
        print(_list())
        return 0
    experiment = EXPERIMENTS[given.experiment]
    path = given.results or f"{experiment.name}.jsonl"
    if given.dask is not None and given.jobs is not None:
        parser.error("--jobs counts processes of this machine, and --dask leaves it to its workers")
    try:
        only = dict(_chosen(experiment, text) for text in given.set)
        seeds = None if given.seeds is None else _numbers(given.seeds)
        with ExitStack() as stack:
            if given.dask is not None:
                _enter_cluster(stack, given.dask)
            trials = experiment.run(path, only=only, seeds=seeds, jobs=given.jobs)
    except (ValueError, TypeError, OSError) as error:
        parser.error(str(error))
    except SweepError as error:
        print("\n".join([*error.failures, f"error: {error}"]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped; what has finished is in {path}", file=sys.stderr)
        return 130
    print(experiment.table(trials))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m rnncourse.experiments",
        description="Run an experiment of the book, or go on with it; without a name, list them.",
    )
    parser.add_argument("experiment", nargs="?", choices=EXPERIMENTS)
    parser.add_argument("--list", action="store_true", help="list the experiments")
    parser.add_argument("--results", metavar="FILE", help="file to go on with (NAME.jsonl)")
    parser.add_argument("--jobs", type=int, metavar="N", help="worker processes of this machine")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on the workers of a Dask scheduler")
    parser.add_argument("--seeds", metavar="0-4,7", help="these seeds only, or more")
    parser.add_argument(
        "--set", metavar="NAME=A,B", action="append", default=[], help="these values only"
    )
    return parser


def _list() -> str:
    lines = []
    for e in EXPERIMENTS.values():
        grid = [f"{name} {', '.join(map(str, values))}" for name, values in e.settings.items()]
        lines += [
            e.name,
            f"  {'; '.join([*grid, f'{len(e.seeds)} seeds'])}: {len(e.grid())} trials",
            f"  stops: {e.stop}",
            f"  from {e.source}",
        ]
    return "\n".join(lines)


def _chosen(experiment: Experiment, text: str) -> tuple[str, list[Any]]:
    """Return the setting and the values that ``NAME=A,B`` names."""
    name, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"--set is {text!r}, expected NAME=VALUE,VALUE")
    known = {str(value): value for value in experiment.settings.get(name, ())}
    return name, [known.get(value.strip(), value.strip()) for value in values.split(",")]


def _numbers(text: str) -> list[int]:
    """Return the whole numbers that such as "0-4,7" names."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            numbers += range(int(first), int(last if dash else first) + 1)
        except ValueError:
            raise ValueError(f"--seeds is {text!r}, expected numbers such as 0-4,7") from None
    return numbers


def _enter_cluster(stack: ExitStack, address: str) -> None:
    """Let joblib send what it runs to the workers of a Dask scheduler, while `stack` is open."""
    try:
        import joblib
        from distributed import Client
    except ImportError:
        raise SweepError("--dask needs joblib and Dask: pip install rnncourse[sweep]") from None
    client = stack.enter_context(Client(address, timeout="10s"))
    stack.enter_context(joblib.parallel_config("dask", client=client))


if __name__ == "__main__":
    sys.exit(main())
