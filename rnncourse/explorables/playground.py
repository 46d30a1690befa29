"""The playground: recurrent networks that are trained in the page."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import traitlets

from ..experiments import playground
from ..model import Model
from ..training.checkpoint import read_checkpoint
from ..training.history import History
from .base import Choice, Explorable, Number

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0]
NORMS = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0]
# The stories that have a button at first sight; the others have theirs under "More".
FIRST = ["short", "long", "orthogonal", "lstm", "bias 4", "parity", "adding", "too fast"]
PARTS = ["h", "c", "f", "i", "o"]  # what "More" shows of an LSTM; of the others it is h


class Playground(Explorable):
    """A network that learns a task while one looks on.

    The values are those of `rnncourse.experiments.playground.Settings`; `part` is what "More" shows
    of an LSTM. In Jupyter `model()` and `history` bring the page's network here.
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
    # The page's network in a file, as its button saves it; empty while it is untrained.
    _file = traitlets.Bytes().tag(
        sync=True, echo_update=False, from_json=lambda value, _: bytes(value)
    )

    def data(self) -> dict[str, Any]:
        plain = asdict(playground.Settings())
        buttons: dict[str, dict[str, Any]] = {"first": {}, "more": {}}
        for name, settings in playground.STORIES.items():
            buttons["first" if name in FIRST else "more"][name] = plain | settings
        numbers = 100 * playground.series()
        _, held_out, end = playground.YEARS
        changes = np.diff(numbers)[held_out - end :]
        return {
            "guess": {task: playground.guess(task) for task in get_args(playground.Task)},
            "stories": buttons,
            "challenges": {name: asdict(one) for name, one in playground.CHALLENGES.items()},
            "sunspots": numbers.round(1).tolist(),
            "same": float(np.sqrt(np.mean(changes**2))),  # off by this who says the same again
        }

    def model(self) -> Model:
        """Return the page's network, with the weights that it has now.

        The page sends its weights when it pauses or stops, and every few seconds while it trains.
        Before that, and in a page without a kernel, this is the untrained network of the settings.

        Raises
        ------
        ValueError
            What the page sent is damaged, or a weight is no longer finite.
        """
        return self._page()[0]

    @property
    def history(self) -> History:
        """The page's losses so far, as of `model()`.

        An epoch is here as many updates as it takes to have at most 400 of them: `loss` has the
        mean loss of each, and `metrics["gradient_norm"]` the geometric mean of the norm.
        """
        return self._page()[1]

    def _page(self) -> tuple[Model, History]:
        state = {key: value for key, value in self.state.items() if key != "part"}
        settings = playground.Settings(**state)
        untrained = playground.network(settings, playground.Random(settings.seed))
        if not self._file:
            return untrained, History()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.npz")
            path.write_bytes(self._file)
            model = Model.load(path)
            saved = read_checkpoint(path, model)
        # Settings that Python has just changed may not have reached the page yet.
        current = saved.run["settings"].items() <= state.items()
        return (model, saved.history) if current else (untrained, History())
