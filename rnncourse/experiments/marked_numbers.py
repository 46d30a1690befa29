"""One LSTM unit against three tanh units: which learns to hold the last marked number?

At every step a random number comes in, with a mark at every tenth on average. The output should be
the last number that was marked. Chapter 4 compares an LSTM unit (16 parameters) with an RNN of
three units (18); this is the search for the learning rate of each.

``python -m rnncourse.experiments marked-numbers`` repeats all 160 runs.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ..layers.lstm import LSTM
from ..layers.readout import Readout
from ..layers.rnn import RNN
from ..model import Model
from ..training.fit import fit
from ..training.optim import Adam
from ..validation import Array, require_choice, require_rng, require_size
from .results import Trial, read
from .sweep import Experiment

NETWORKS, RATES, SEEDS = ("LSTM", "RNN"), (0.003, 0.01, 0.03, 0.1), range(20)
SOLVED = 0.15  # root mean square below which a start has succeeded


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes
    ----------
    network : "LSTM" (one unit) or "RNN" (three)
    learning_rate : of Adam
    seed : of the weights and the training sequences
    rms : root mean square of the error on 500 held-out sequences; always answering 0 scores .58
    seconds : how long it took
    """

    network: str
    learning_rate: float
    seed: int
    rms: float
    seconds: float


def marked_numbers(
    batch_size: int, length: int, rng: np.random.Generator, chance: float = 0.1
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return sequences of numbers, some marked, and at each step the last marked number.

    Parameters
    ----------
    batch_size : B
    length : T
    rng : numpy.random.Generator
    chance : float
        Of a mark, at every step but the first, which is always marked.

    Returns
    -------
    x : (T, B, 2), a number from −1 to 1, and 1 where it is marked
    targets : (T, B, 1)
    marked : (T, B) bool
    """
    B, T = require_size("batch_size", batch_size), require_size("length", length)
    require_rng(rng)
    v, marked = rng.uniform(-1, 1, (T, B)), rng.random((T, B)) < chance
    marked[0] = True
    last = np.maximum.accumulate(np.where(marked, np.arange(T)[:, None], 0))
    d = np.take_along_axis(v, last, axis=0)
    return np.stack([v, marked], axis=-1), d[..., None], marked


def run(network: str, learning_rate: float, seed: int, *, updates: int = 1000) -> Run:
    """Train one network and measure it on held-out sequences.

    Adam on fresh batches of 32 sequences of 20 steps, gradients clipped to norm 1, float64.

    Parameters
    ----------
    network : "LSTM" or "RNN"
    learning_rate : float above 0
    seed : int from 0
    updates : int
    """
    require_choice("network", network, NETWORKS)
    require_size("updates", updates)
    rng = np.random.default_rng(require_size("seed", seed, 0))
    layer = LSTM(2, 1, rng=rng) if network == "LSTM" else RNN(2, 3, rng=rng)
    model = Model(layer, Readout(layer.hidden_size, 1, rng=rng), loss="squared_error")
    batches = (marked_numbers(32, 20, rng)[:2] for _ in range(updates))
    start = time.perf_counter()
    fit(model, batches, optimizer=Adam(learning_rate), clip_norm=1.0, progress=False)
    seconds = round(time.perf_counter() - start, 3)
    x, d, _ = marked_numbers(500, 20, np.random.default_rng(100))
    rms = np.sqrt(np.mean((model.predict(x) - d) ** 2))
    return Run(network, learning_rate, seed, round(float(rms), 4), seconds)


def saved() -> list[Run]:
    """Return the results that travel with the package: all 160 runs."""
    return _runs(read(files(__package__) / "marked_numbers.jsonl").trials)


def table(runs: Iterable[Run]) -> str:
    """Return a line for each network and rate: the starts that succeeded, which means an RMS below
    .15, and the least, median and greatest RMS.
    """
    groups: dict[tuple[str, float], list[float]] = {}
    for r in runs:
        groups.setdefault((r.network, r.learning_rate), []).append(r.rms)
    lines = ["network    rate   succeeded   least   median   greatest"]
    for (network, rate), rms in groups.items():
        succeeded = f"{sum(value < SOLVED for value in rms)}/{len(rms)}"
        least, median, greatest = (f"{f(rms):.3f}" for f in (min, np.median, max))
        left = f"{network:>7}   {rate:>5g}   {succeeded:>9}"
        lines.append(f"{left}   {least:>5}   {median:>6}   {greatest:>8}")
    return "\n".join(lines)


def _trial(network: str, learning_rate: float, seed: int) -> dict[str, float]:
    return {"rms": run(network, learning_rate, seed).rms}


def _runs(trials: Iterable[Trial]) -> list[Run]:
    return [Run(**t.settings, seed=t.seed, **t.result, seconds=t.seconds) for t in trials]


EXPERIMENT = Experiment(
    "marked-numbers",
    _trial,
    {"network": NETWORKS, "learning_rate": RATES},
    SEEDS,
    source="chapter 4, A trained cell, watched",
    stop="1000 updates",
    table=lambda trials: table(_runs(trials)),
)
