"""The playground: recurrent networks that are trained in the page."""

from dataclasses import asdict
from typing import Any, get_args

import numpy as np

from ..experiments import playground
from .base import Choice, Explorable, Number, work_script

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0]
NORMS = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0]
# The stories that have a button at first sight; the others have theirs under "More".
FIRST = ["short", "long", "orthogonal", "lstm", "bias 4", "parity", "adding", "too fast"]
PARTS = ["h", "c", "f", "i", "o"]  # what "More" shows of an LSTM; of the others it is h


class Playground(Explorable):
    """A network that learns a task while one looks on.

    The values are those of `rnncourse.experiments.playground.Settings`; `part` is what "More" shows
    of an LSTM.
    """

    name = "playground"
    task = Choice("first symbol", get_args(playground.Task))
    layer = Choice("rnn", get_args(playground.Kind))
    lag = Number(60, 2, 200, 1)
    units = Number(16, 1, 64, 1)
    rule = Choice("adam", get_args(playground.Rule))
    learning_rate = Choice(0.01, RATES)
    max_norm = Choice(1.0, NORMS)
    init = Choice("uniform", get_args(playground.Start))
    forget_bias = Number(1.0, -2.0, 6.0, 0.5)
    batch_size = Number(32, 1, 64, 1)
    seed = Number(1, 0, 99, 1)
    part = Choice("h", PARTS)

    def data(self) -> dict[str, Any]:
        plain = asdict(playground.Settings())
        buttons: dict[str, dict[str, Any]] = {"first": {}, "more": {}}
        for name, settings in playground.STORIES.items():
            buttons["first" if name in FIRST else "more"][name] = plain | settings
        numbers = 100 * playground.series()
        _, held_out, end = playground.YEARS
        changes = np.diff(numbers)[held_out - end :]
        return {
            "work": work_script(),
            "guess": {task: playground.guess(task) for task in get_args(playground.Task)},
            "stories": buttons,
            "challenges": {name: asdict(one) for name, one in playground.CHALLENGES.items()},
            "sunspots": numbers.round(1).tolist(),
            "same": float(np.sqrt(np.mean(changes**2))),  # off by this who says the same again
        }
