"""How the first recurrent weights decide over which lag a plain network learns.

An RNN with 16 units learns the temporal order of two symbols
(`rnncourse.data.tasks.temporal_order`) from four starts of W_hh, on sequences of 12 to 72 steps. It
has to hold the first symbol for about 10 to 60 steps.

``python -m rnncourse.experiments starts`` repeats all 200 runs, and goes on where it was stopped.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ..layers import initializers
from ..layers.readout import Readout
from ..layers.rnn import RNN
from ..model import Model
from ..validation import Array, require_size
from .results import Trial, read
from .sweep import Experiment
from .temporal_order import learn

LENGTHS, SEEDS = (12, 24, 36, 50, 72), range(10)
STARTS: dict[str, Callable[[np.random.Generator], Array] | None] = {
    "package": None,
    "Gaussian": lambda rng: initializers.gaussian(16, rng=rng),
    "orthogonal": lambda rng: initializers.orthogonal(16, rng=rng),
    "identity": lambda rng: initializers.identity(16),
}


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes
    ----------
    length : T, steps in a sequence
    start : of W_hh, a name of `STARTS`
    seed : of the weights and the training sequences
    updates : how many it took until the task was solved; None if it was not
    seconds : how long it took
    """

    length: int
    start: str
    seed: int
    updates: int | None
    seconds: float


def network(seed: int, start: str) -> tuple[Model, np.random.Generator]:
    """Return an untrained network of 16 units, and the generator that drew it.

    Parameters
    ----------
    seed : int from 0
    start : a name of `STARTS`
    """
    if start not in STARTS:
        raise ValueError(f"start is {start!r}, expected one of {', '.join(STARTS)}")
    rng = np.random.default_rng(require_size("seed", seed, 0))
    layer, readout = RNN(8, 16, rng=rng), Readout(16, 4, rng=rng)
    draw = STARTS[start]
    if draw is not None:
        layer.params["W_hh"][:] = draw(rng)
    return Model(layer, readout, arrangement="many-to-one"), rng


def run(length: int, start: str, seed: int, *, max_updates: int = 1000) -> Run:
    """Train one network until it solves the task, or for `max_updates` updates.

    `temporal_order.learn` says how.

    Parameters
    ----------
    length : int
        T, from 10.
    start : a name of `STARTS`
    seed : int from 0
    max_updates : int
    """
    model, rng = network(seed, start)
    began = time.perf_counter()
    updates = learn(model, length, rng, max_updates=max_updates)
    return Run(length, start, seed, updates, round(time.perf_counter() - began, 1))


def saved() -> list[Run]:
    """Return the results that travel with the package: all 200 runs, each on one core."""
    return _runs(read(files(__package__) / "starts.jsonl").trials)


def counts(runs: Iterable[Run]) -> dict[str, dict[int, tuple[int, int]]]:
    """Return for each start and length how many of the runs solved the task, and of how many."""
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for r in runs:
        row = found.setdefault(r.start, {})
        solved, of = row.get(r.length, (0, 0))
        row[r.length] = (solved + (r.updates is not None), of + 1)
    return found


def table(runs: Iterable[Run]) -> str:
    """Return the results as a table: for each start a row with the seeds solved at each length."""
    found = counts(runs)
    lengths = sorted({length for row in found.values() for length in row})
    lines = ["steps     " + "".join(f"{length:>8}" for length in lengths)]
    for start in (name for name in STARTS if name in found):
        shares = ("{}/{}".format(*found[start].get(n, (0, 0))) for n in lengths)
        lines.append(f"{start:<10}" + "".join(f"{share:>8}" for share in shares))
    return "\n".join(lines)


def _trial(length: int, start: str, seed: int) -> dict[str, int | None]:
    return {"updates": run(length, start, seed).updates}


def _runs(trials: Iterable[Trial]) -> list[Run]:
    return [Run(**t.settings, seed=t.seed, **t.result, seconds=t.seconds) for t in trials]


EXPERIMENT = Experiment(
    "starts",
    _trial,
    {"length": LENGTHS, "start": tuple(STARTS)},
    SEEDS,
    source="chapter 3, Good starts; the task is experiment 6a of Hochreiter and Schmidhuber "
    "(1997), the starts after Saxe, McClelland and Ganguli (2014) and Le, Jaitly and Hinton (2015)",
    stop="99 % of 500 held-out sequences right, looked at after every 20 updates, or 1000 updates",
    table=lambda trials: table(_runs(trials)),
)
