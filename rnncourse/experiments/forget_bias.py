"""How the forget gate's first bias decides what an LSTM can learn to remember.

An LSTM with 16 units learns the temporal order of two symbols
(`rnncourse.data.tasks.temporal_order`), with its forget bias started at 0, 1, 3, 3.8, 4.5 or 6 and
sequences of 20, 50 or 100 steps. It has to hold the first symbol for 75 to 89 percent of the length
and the second for 35 to 49 percent. The rule b = ln n says 2.8, 3.8 and 4.5 for the longest lags,
17, 44 and 89 steps.

``python -m rnncourse.experiments forget-bias`` repeats all 180 runs, and goes on where it was
stopped.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ..layers.lstm import LSTM
from ..layers.readout import Readout
from ..model import Model
from ..validation import require_size
from .results import Trial, read
from .sweep import Experiment
from .temporal_order import learn

LENGTHS, BIASES, SEEDS = (20, 50, 100), (0, 1, 3, 3.8, 4.5, 6), range(10)


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes
    ----------
    length : T, steps in a sequence
    forget_bias : where b_h,f started
    seed : of the weights and the training sequences
    updates : how many it took until the task was solved; None if it was not
    seconds : how long it took
    """

    length: int
    forget_bias: float
    seed: int
    updates: int | None
    seconds: float


def run(
    length: int, forget_bias: float, seed: int, *, max_updates: int = 2000, progress: bool = False
) -> Run:
    """Train one LSTM until it solves the task, or for `max_updates` updates.

    In float32; `temporal_order.learn` says how.

    Parameters
    ----------
    length : int
        T, from 10.
    forget_bias : float
    seed : int from 0
    max_updates : int
    progress : bool
        Show a bar in a terminal or notebook.
    """
    rng = np.random.default_rng(require_size("seed", seed, 0))
    layer = LSTM(8, 16, rng=rng, forget_bias=forget_bias, dtype=np.float32)
    readout = Readout(16, 4, rng=rng, dtype=np.float32)
    model = Model(layer, readout, arrangement="many-to-one")
    start = time.perf_counter()
    updates = learn(model, length, rng, max_updates=max_updates, progress=progress)
    return Run(length, forget_bias, seed, updates, round(time.perf_counter() - start, 1))


def saved() -> list[Run]:
    """Return the results that travel with the package: all 180 runs, each on one core."""
    return _runs(read(files(__package__) / "forget_bias.jsonl").trials)


def table(runs: Iterable[Run]) -> str:
    """Return the results as a table: for each length and bias, the seeds solved and the median
    number of updates of those that were.
    """
    groups: dict[tuple[int, float], list[Run]] = {}
    for r in runs:
        groups.setdefault((r.length, r.forget_bias), []).append(r)
    lines = ["length   b_f   solved   median updates   seconds a run"]
    for (length, bias), group in sorted(groups.items()):
        took = [r.updates for r in group if r.updates is not None]
        median = f"{np.median(took):.0f}" if took else "-"
        seconds = np.mean([r.seconds for r in group])
        solved = f"{len(took)}/{len(group)}"
        lines.append(f"{length:>6}   {bias:>3g}   {solved:>6}   {median:>14}   {seconds:>13.1f}")
    return "\n".join(lines)


def _trial(length: int, forget_bias: float, seed: int) -> dict[str, int | None]:
    return {"updates": run(length, forget_bias, seed).updates}


def _runs(trials: Iterable[Trial]) -> list[Run]:
    return [Run(**t.settings, seed=t.seed, **t.result, seconds=t.seconds) for t in trials]


EXPERIMENT = Experiment(
    "forget-bias",
    _trial,
    {"length": LENGTHS, "forget_bias": BIASES},
    SEEDS,
    source="chapter 4, The forget bias; the task is experiment 6a of Hochreiter and Schmidhuber "
    "(1997), the biases after Tallec and Ollivier (2018)",
    stop="99 % of 500 held-out sequences right, looked at after every 20 updates, or 2000 updates",
    table=lambda trials: table(_runs(trials)),
)
