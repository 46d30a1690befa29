"""In how many networks does one unit stand for "inside a quotation"? The search of chapter 4.

The network of `characters` is trained from 25 seeds. For each, and for each of its 12 units, this
is the correlation of the memory, tanh(c_t), with 1 inside a quotation and 0 outside. The sign has
no meaning of its own: a unit may as well be low inside and high outside.

``python -m rnncourse.experiments character-seeds`` repeats it (six minutes on one core).
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from . import characters
from .results import Trial, read
from .sweep import Experiment

SEEDS = range(25)


@dataclass(frozen=True)
class Run:
    """One network.

    Attributes
    ----------
    seed : of the weights and the training text
    loss : mean cross-entropy of a character in held-out texts, in nats
    separation : correlation with being inside a quotation, for each of the 12 units
    seconds : how long it took
    """

    seed: int
    loss: float
    separation: tuple[float, ...]
    seconds: float

    @property
    def largest(self) -> float:
        """The largest correlation of a unit, whatever its sign."""
        return max(map(abs, self.separation))


def run(seed: int, *, sequences: int = 2000) -> Run:
    """Train the network of `characters` from one seed and look at its units on new text.

    Parameters
    ----------
    seed : int from 0
    sequences : int
        How many sequences an epoch has.
    """
    start = time.perf_counter()
    found = characters.run(seed=seed, sequences=sequences)
    text = characters.sentences(20_000, np.random.default_rng(5))
    separation = characters.separation(found.model(), text).round(4)
    seconds = round(time.perf_counter() - start, 3)
    return Run(seed, found.loss, tuple(separation.tolist()), seconds)


def saved() -> list[Run]:
    """Return the results that travel with the package: all 25 networks."""
    return _runs(read(files(__package__) / "character_seeds.jsonl").trials)


def table(runs: Iterable[Run]) -> str:
    """Return a line for each network, that with the clearest unit first."""
    lines = ["seed    loss   clearest unit   its correlation   units above .5"]
    for r in sorted(runs, key=lambda r: -r.largest):
        unit = int(np.argmax(np.abs(r.separation)))
        share = sum(abs(value) > 0.5 for value in r.separation)
        signed = f"{r.separation[unit]:+.3f}"
        lines.append(f"{r.seed:>4}   {r.loss:.3f}   {unit + 1:>13}   {signed:>15}   {share:>14}")
    return "\n".join(lines)


def _trial(seed: int) -> dict[str, object]:
    found = run(seed)
    return {"loss": found.loss, "separation": found.separation}


def _runs(trials: Iterable[Trial]) -> list[Run]:
    return [Run(t.seed, t.result["loss"], tuple(t.result["separation"]), t.seconds) for t in trials]


EXPERIMENT = Experiment(
    "character-seeds",
    _trial,
    {},
    SEEDS,
    source="chapter 4, What the units of a reader hold; after Karpathy, Johnson and Fei-Fei (2015)",
    stop="55 epochs of 2000 sequences: 40 at learning rate .01 and 15 at .003",
    table=lambda trials: table(_runs(trials)),
)
