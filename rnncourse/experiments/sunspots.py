"""Which network forecasts sunspots best? The search for the sizes that page 2.4 uses.

An RNN with 4 to 24 units learns to say next year's number from the years up to now, trained by
truncated backpropagation on 1700 to 1884 and judged on 1885 to 1920. The predictions of three
random starts are averaged. The measure is the average relative variance (eq-arv).

``python -m rnncourse.experiments sunspots`` repeats the search.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby

import numpy as np

from ..data.datasets import sunspots
from ..layers.readout import Readout
from ..layers.rnn import RNN
from ..model import Model
from ..training.fit import fit
from ..training.optim import Adam
from ..validation import Array, require_size
from .results import Trial, read
from .sweep import Experiment

SIZES, CHUNKS, PASSES, SEEDS = (4, 8, 12, 16, 24), (11, 22), (50, 100, 200), range(3)
FIRST, TRAINED_TO, JUDGED_TO = 1700, 1884, 1920


@dataclass(frozen=True)
class Run:
    """One network and its forecast.

    Attributes
    ----------
    hidden_size : H
    chunk : years in a chunk of truncated backpropagation
    passes : over the training years
    seed : of the weights
    arv : average relative variance of the prediction
    prediction : of the sunspot numbers of 1885 to 1920, divided by 100
    seconds : how long it took
    """

    hidden_size: int
    chunk: int
    passes: int
    seed: int
    arv: float
    prediction: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Score:
    """What one setting came to.

    Attributes
    ----------
    hidden_size, chunk, passes : as for `Run`
    arv : average relative variance of the mean prediction of all seeds
    single : the same of each seed's own prediction
    """

    hidden_size: int
    chunk: int
    passes: int
    arv: float
    single: tuple[float, ...]


def run(hidden_size: int, chunk: int, passes: int, seed: int) -> Run:
    """Train one network on 1700 to 1884 and let it predict 1885 to 1920, a year ahead.

    Adam with learning rate .005, the state carried from chunk to chunk, gradients clipped to
    norm 1, float64.

    Parameters
    ----------
    hidden_size, chunk, passes : int
    seed : int from 0
    """
    rng = np.random.default_rng(require_size("seed", seed, 0))
    layer, readout = RNN(1, hidden_size, rng=rng), Readout(hidden_size, 1, rng=rng)
    model = Model(layer, readout, loss="squared_error")
    series = _numbers(JUDGED_TO)[:, None, None]
    training = series[: TRAINED_TO - FIRST + 1]
    start = time.perf_counter()
    fit(
        model,
        training[:-1],
        training[1:],
        epochs=passes,
        truncate=chunk,
        optimizer=Adam(0.005),
        rng=rng,
        clip_norm=1.0,
        progress=False,
    )
    seconds = round(time.perf_counter() - start, 3)
    y = model.predict(series[:-1])[TRAINED_TO - FIRST :, 0, 0]
    prediction = tuple(y.round(6).tolist())
    return Run(hidden_size, chunk, passes, seed, round(_arv(y), 4), prediction, seconds)


def _numbers(until: int) -> Array:
    years, numbers = sunspots()
    return numbers[years <= until] / 100


def _arv(prediction: Array) -> float:
    """Return the average relative variance (eq-arv) of a prediction for 1885 to 1920."""
    numbers = _numbers(JUDGED_TO)
    error = prediction - numbers[TRAINED_TO - FIRST + 1 :]
    return float(np.mean(error**2) / np.var(numbers))


def scores(runs: Iterable[Run]) -> list[Score]:
    """Return the score of each setting, the best first."""

    def setting(r: Run) -> tuple[int, int, int]:
        return r.hidden_size, r.chunk, r.passes

    found = []
    for key, group in groupby(sorted(runs, key=setting), setting):
        of_setting = list(group)
        mean = np.mean([r.prediction for r in of_setting], axis=0)
        found.append(Score(*key, round(_arv(mean), 4), tuple(r.arv for r in of_setting)))
    return sorted(found, key=lambda score: score.arv)


def saved() -> list[Run]:
    """Return the results that travel with the package: all 90 networks."""
    return _runs(read(files(__package__) / "sunspots.jsonl").trials)


def table(runs: Iterable[Run]) -> str:
    """Return a line for each setting, the best first: the score of the mean prediction, and the
    scores of the single networks.
    """
    lines = ["units   chunk   passes     arv   of single networks"]
    for s in scores(runs):
        single = " ".join(f"{arv:.3f}" for arv in s.single)
        lines.append(f"{s.hidden_size:>5}   {s.chunk:>5}   {s.passes:>6}   {s.arv:.3f}   {single}")
    return "\n".join(lines)


def _trial(hidden_size: int, chunk: int, passes: int, seed: int) -> dict[str, object]:
    found = run(hidden_size, chunk, passes, seed)
    return {"arv": found.arv, "prediction": found.prediction}


def _runs(trials: Iterable[Trial]) -> list[Run]:
    return [
        Run(
            **t.settings,
            seed=t.seed,
            arv=t.result["arv"],
            prediction=tuple(t.result["prediction"]),
            seconds=t.seconds,
        )
        for t in trials
    ]


EXPERIMENT = Experiment(
    "sunspots",
    _trial,
    {"hidden_size": SIZES, "chunk": CHUNKS, "passes": PASSES},
    SEEDS,
    source="page 2.4, Three centuries of sunspots; the split follows Weigend, Huberman and "
    "Rumelhart (1990)",
    stop="50, 100 or 200 passes over the years 1700 to 1884",
    table=lambda trials: table(_runs(trials)),
)
