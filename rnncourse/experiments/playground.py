"""What the playground trains in the page, in Python: the same settings give the same run.

Both sides draw from one small generator, whose numbers are exact, so that data, start and order are
the same; `rnncourse/explorables/play.js` is the other side.

``python -m rnncourse.experiments playground`` repeats the runs of all stories, five seeds each.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..data.datasets import sunspots
from ..gradients.check import clip_by_global_norm, global_norm
from ..layers.gru import GRU
from ..layers.lstm import LSTM
from ..layers.readout import Readout
from ..layers.rnn import RNN
from ..model import Model
from ..training.optim import SGD, Adam, Optimizer
from ..validation import Array, NotFiniteError, require_choice, require_number, require_size
from .results import Trial, read
from .sweep import Experiment

Task = Literal["first symbol", "temporal order", "parity", "adding", "echo", "sunspots"]
Kind = Literal["rnn", "lstm", "gru"]
Rule = Literal["adam", "sgd"]
Start = Literal["uniform", "orthogonal", "identity"]
LAYERS: dict[str, type[RNN | LSTM | GRU]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
NUMBERS = ("adding", "sunspots")  # tasks whose answers are numbers; the others have labels
HELD_OUT = 200  # sequences, looked at after every `LOOK` updates; of the sunspots see `held_out`
LOOK = 20
TEST_SEED = 2**31
SEEDS = range(1, 6)
LIMIT = 500  # updates of a story, and of every run on the sunspots
YEARS = 1700, 1921, 1956  # where the trained on and the held out begin, and what comes after


class Random:
    """Numbers from 0 up to 1 in steps of 2⁻³²: the generator mulberry32 (Ettinger, 2017).

    Number k is a scrambling of `seed` + k · 0x6D2B79F5 modulo 2³², so that many can be drawn at
    once. Its period is 2³². It is made for games and teaching, not for secrets.

    Parameters
    ----------
    seed : int from 0 to 2³² − 1
    """

    def __init__(self, seed: int) -> None:
        self.state = require_size("seed", seed, 0) % 2**32

    def uniform(self, *shape: int) -> Array:
        """Return the next numbers, in the order of rows."""
        count = math.prod(shape)
        steps = np.arange(1, count + 1, dtype=np.uint64) * 0x6D2B79F5 + self.state
        state = steps.astype(np.uint32)
        self.state = int(steps[-1]) % 2**32 if count else self.state
        z = (state ^ (state >> 15)) * (state | 1)
        z ^= z + (z ^ (z >> 7)) * (z | 61)
        return ((z ^ (z >> 14)) / 2**32).reshape(shape)

    def below(self, n: int, *shape: int) -> NDArray[np.intp]:
        """Return whole numbers from 0 to `n` − 1."""
        return np.floor(n * self.uniform(*shape)).astype(np.intp)

    def normal(self, *shape: int) -> Array:
        """Return standard normal numbers, each from two uniform ones (Box and Muller, 1958)."""
        u, v = np.moveaxis(self.uniform(*shape, 2), -1, 0)
        return np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v)


@dataclass(frozen=True)
class Settings:
    """All that a run depends on.

    Attributes
    ----------
    task : of `Task`
    layer : "rnn", "lstm" or "gru"
    lag : n, from 2 to 200; what the task makes of it says `batch`
    units : H, from 1 to 64
    rule : "adam" or "sgd"
    learning_rate : above 0
    max_norm : the gradient is clipped to this norm; 0 for no clipping
    init : of W_hh; for an LSTM and a GRU of each of its blocks
    forget_bias : where b_h,f of an LSTM starts
    batch_size : B, from 1
    seed : from 0 to 2³¹ − 1
    """

    task: Task = "first symbol"
    layer: Kind = "rnn"
    lag: int = 10
    units: int = 16
    rule: Rule = "adam"
    learning_rate: float = 0.01
    max_norm: float = 1.0
    init: Start = "uniform"
    forget_bias: float = 1.0
    batch_size: int = 32
    seed: int = 1

    def __post_init__(self) -> None:
        for name, kinds in (("task", Task), ("layer", Kind), ("rule", Rule), ("init", Start)):
            require_choice(name, getattr(self, name), get_args(kinds))
        for name, least, most in (("lag", 2, 200), ("units", 1, 64), ("seed", 0, 2**31 - 1)):
            value = require_size(name, getattr(self, name), least)
            if value > most:
                raise ValueError(f"{name} is {value}, expected at most {most}")
        require_size("batch_size", self.batch_size)
        for name, above in (("learning_rate", True), ("max_norm", False)):
            number = require_number(name, getattr(self, name))
            if number < 0 or (above and number == 0):
                allowed = "above" if above else "at least"
                raise ValueError(f"{name} is {number}, expected {allowed} 0")
        require_number("forget_bias", self.forget_bias)


STORIES: dict[str, dict[str, Any]] = {  # what each sets beside `Settings()`
    "short": {"lag": 5},
    "long": {"lag": 60},
    "orthogonal": {"lag": 60, "init": "orthogonal"},
    "lstm": {"lag": 60, "layer": "lstm"},
    "bias 0": {"lag": 60, "layer": "lstm", "forget_bias": 0.0},
    "bias 3": {"lag": 60, "layer": "lstm", "forget_bias": 3.0},
    "bias 4": {"lag": 60, "layer": "lstm", "forget_bias": 4.0},
    "equal": {"lag": 60, "units": 34},  # 1534 parameters; the LSTM of 16 units has 1540
    "parity": {"task": "parity", "lag": 10},
    "parity gru": {"task": "parity", "lag": 10, "layer": "gru"},
    "adding": {"task": "adding", "lag": 10, "layer": "gru"},
    "sunspots 2": {"task": "sunspots", "lag": 2},
    "sunspots": {"task": "sunspots", "lag": 22},
    "too fast": {
        "task": "adding",
        "lag": 20,
        "rule": "sgd",
        "learning_rate": 10.0,
        "max_norm": 0.0,
    },
}


@dataclass(frozen=True)
class Challenge:
    """What a run must be to meet a challenge, beside solving its task.

    Attributes
    ----------
    exactly : settings by name, with their value
    least, most : bounds of settings, and of "parameters" and "updates"
    """

    exactly: dict[str, Any]
    least: dict[str, int]
    most: dict[str, int] = field(default_factory=dict)

    def met(self, settings: Settings, parameters: int, updates: int) -> bool:
        """Return whether a run meets it that has solved its task after so many updates."""
        has = asdict(settings) | {"parameters": parameters, "updates": updates}
        return (
            all(has[name] == value for name, value in self.exactly.items())
            and all(has[name] >= bound for name, bound in self.least.items())
            and all(has[name] <= bound for name, bound in self.most.items())
        )


CHALLENGES = {
    "small": Challenge({"task": "first symbol"}, {"lag": 100}, {"parameters": 300}),
    "units": Challenge({"task": "first symbol"}, {"lag": 20}, {"units": 2}),
    "gru": Challenge({"task": "first symbol", "layer": "gru"}, {"lag": 60}),
    "echo": Challenge({"task": "echo"}, {"lag": 10}),
    "quick": Challenge({"task": "adding"}, {"lag": 10}, {"updates": 100}),
    "tame": Challenge(
        {"task": "first symbol", "layer": "rnn", "units": 16, "init": "uniform"}
        | {"rule": "sgd", "learning_rate": 1.0},
        {"lag": 10},
    ),
}
WAYS: dict[str, dict[str, Any]] = {  # two to meet each challenge, and some that do not
    "small 1": {"lag": 100, "units": 12, "init": "orthogonal", "learning_rate": 0.003},
    "small 2": {"lag": 100, "units": 6, "layer": "gru", "learning_rate": 0.1},
    "units 1": {"lag": 20, "units": 2, "init": "orthogonal"},
    "units 2": {"lag": 20, "units": 2, "layer": "lstm", "learning_rate": 0.1, "forget_bias": 3.0},
    "gru 1": {"lag": 60, "layer": "gru", "learning_rate": 0.1},
    "gru 2": {"lag": 60, "layer": "gru", "learning_rate": 0.1, "units": 8},
    "gru not": {"lag": 60, "layer": "gru"},
    "echo 1": {"task": "echo", "lag": 10, "units": 48, "init": "orthogonal"},
    "echo 2": {"task": "echo", "lag": 10, "units": 32, "init": "orthogonal"}
    | {"learning_rate": 0.003},
    "quick 1": {"task": "adding", "layer": "gru", "learning_rate": 0.03},
    "quick 2": {"task": "adding", "layer": "gru", "learning_rate": 0.1},
    "tame 1": {"rule": "sgd", "learning_rate": 1.0, "max_norm": 0.3},
    "tame 2": {"rule": "sgd", "learning_rate": 1.0, "max_norm": 0.1},
    "tame not": {"rule": "sgd", "learning_rate": 1.0, "max_norm": 0.0},
}
RUNS = STORIES | WAYS


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences and what is to be said of them.

    Attributes
    ----------
    x : (T, B, D)
    targets : labels (T, B) or, of `NUMBERS`, (T, B, 1)
    counts : (T, B) bool, the predictions that count
    """

    x: Array
    targets: NDArray[np.intp] | Array
    counts: NDArray[np.bool_]


def _one_hot(symbols: NDArray[np.intp], D: int) -> Array:
    return np.eye(D)[symbols]


def batch(task: Task, lag: int, B: int, random: Random) -> Batch:
    """Draw `B` sequences of a task with lag n.

    - *first symbol*: one of 4 symbols, then n steps of two others; which was the first? T = n + 1.
    - *temporal order*: one of 2 symbols at the first step and one n steps later, two others
      between; in which order did they come? T = n + 1.
    - *parity*: n bits; is the number of ones so far odd? It is asked at each step. T = n.
    - *adding*: n numbers from 0 to 1, one marked in each half; what is the sum of both? T = n.
    - *echo*: 4 symbols in any order; which one came n steps ago? T = 2 n.
    - *sunspots*: the numbers of n years up to 1920, in hundreds; what comes next? T = n.
    """
    if task == "sunspots":
        begin, end, _ = YEARS
        return _years(lag, random.below(end - begin - lag, B))
    last = np.zeros((lag + 1, B), bool)
    last[-1] = True
    labels = np.zeros((lag + 1, B), np.intp)
    if task == "first symbol":
        first, others = random.below(4, B), 4 + random.below(2, lag, B)
        labels[-1] = first
        return Batch(_one_hot(np.vstack([first, others]), 6), labels, last)
    if task == "temporal order":
        ends, others = random.below(2, 2, B), 2 + random.below(2, lag - 1, B)
        labels[-1] = 2 * ends[0] + ends[1]
        return Batch(_one_hot(np.vstack([ends[:1], others, ends[1:]]), 4), labels, last)
    if task == "parity":
        bits = random.below(2, lag, B)
        return Batch(bits[..., None] * 1.0, np.cumsum(bits, axis=0) % 2, np.ones((lag, B), bool))
    if task == "adding":
        values, half = random.uniform(lag, B), lag // 2
        at = np.array([random.below(half, B), half + random.below(lag - half, B)])
        x = np.stack([values, np.zeros((lag, B))], axis=2)
        x[at, np.arange(B), 1] = 1
        targets = np.zeros((lag, B, 1))
        targets[-1, :, 0] = values[at, np.arange(B)].sum(axis=0)
        return Batch(x, targets, last[1:])
    symbols = random.below(4, 2 * lag, B)
    counts = np.repeat([[False], [True]], lag, axis=0) & np.ones((1, B), bool)
    return Batch(_one_hot(symbols, 4), np.vstack([symbols[:lag], symbols[:lag]]), counts)


@cache
def series() -> Array:
    """Return the sunspot numbers of all years that are used, (256,), in hundreds as on page 2.4."""
    first, _, end = YEARS
    return sunspots()[1][: end - first] / 100


def _years(lag: int, starts: NDArray[np.intp]) -> Batch:
    """Return `lag` years from each of `starts`, and the year after them."""
    T, B = lag, len(starts)
    targets, counts = np.zeros((T, B, 1)), np.zeros((T, B), bool)
    targets[-1, :, 0], counts[-1] = series()[starts + lag], True
    return Batch(series()[starts + np.arange(T)[:, None]][..., None], targets, counts)


def held_out(task: Task, lag: int) -> Batch:
    """Return what no run is trained on: 200 sequences, or of the sunspots all years from 1921 to
    1955, each forecast from the `lag` years before it.
    """
    require_choice("task", task, get_args(Task))
    if task != "sunspots":
        return batch(task, lag, HELD_OUT, Random(TEST_SEED))
    first, middle, end = YEARS
    return _years(lag, np.arange(middle, end) - first - lag)


SIZES: dict[str, tuple[int, int]] = {  # D and O
    "first symbol": (6, 4),
    "temporal order": (4, 4),
    "parity": (1, 2),
    "adding": (2, 1),
    "echo": (4, 4),
    "sunspots": (1, 1),
}


def orthogonal(H: int, random: Random) -> Array:
    """Return an orthogonal matrix, (H, H): normal rows, made so by Gram and Schmidt."""
    Q = random.normal(H, H)
    for i, row in enumerate(Q):
        for done in Q[:i]:
            row -= (row @ done) * done
        row /= np.sqrt(row @ row)
    return Q


def network(settings: Settings, random: Random) -> Model:
    """Return an untrained network: weights uniform from ±1/√H, biases 0, but for what is set."""
    D, O = SIZES[settings.task]
    H = settings.units
    unused = np.random.default_rng(0)  # every weight is written anew
    layer = LAYERS[settings.layer](D, H, rng=unused)
    loss: Literal["squared_error", "cross_entropy"] = (
        "squared_error" if settings.task in NUMBERS else "cross_entropy"
    )
    model = Model(layer, Readout(H, O, rng=unused), loss=loss)
    for name, W in model.params.items():
        drawn = name.startswith("W_")
        W[:] = (2 * random.uniform(*W.shape) - 1) / np.sqrt(H) if drawn else 0.0
    W_hh = layer.params["W_hh"]
    for block in W_hh.reshape(-1, H, H):
        if settings.init == "orthogonal":
            block[:] = orthogonal(H, random)
        elif settings.init == "identity":
            block[:] = np.eye(H)
    if isinstance(layer, LSTM):
        layer.gate("f")["b_h"][:] = settings.forget_bias
    return model


@dataclass(frozen=True)
class Update:
    """What one update did.

    Attributes
    ----------
    E : the loss before it
    norm : of the gradient, before clipping
    score : on the held-out sequences after it, every `LOOK` updates, else NaN: the part of right
        answers, or of `NUMBERS` the mean squared error
    """

    E: float
    norm: float
    score: float


def score(model: Model, unseen: Batch) -> float:
    """Return the part of right answers, or for real targets the mean squared error."""
    y, counts = model.predict(unseen.x), unseen.counts
    if model.loss_name == "cross_entropy":
        return float(np.mean((y.argmax(axis=2) == unseen.targets)[counts]))
    with np.errstate(over="ignore"):  # of a run that is about to diverge
        return float(np.mean((y - unseen.targets)[counts] ** 2))


def solved(task: Task, value: float) -> bool:
    """Return whether a score counts as solved: 99 % right, or for adding an error of .01 at most.

    The sunspots are never solved: who stops where the held-out years look best has used them.
    """
    if task == "sunspots":
        return False
    return value <= 0.01 if task == "adding" else value >= 0.99


def guess(task: Task) -> float:
    """Return the loss of a guesser who knows nothing but how often each answer is right; of the
    sunspots, of one who says that next year will be like this one.
    """
    if task == "sunspots":
        first, end, _ = YEARS
        return float(np.mean(np.diff(series()[: end - first]) ** 2)) / 2
    _, O = SIZES[task]
    return 1 / 12 if task == "adding" else math.log(O)  # half the variance of the sum, 1/6


def train(settings: Settings) -> Iterator[tuple[Update, Model]]:
    """Train a network without end: each update, and the network after it.

    Raises
    ------
    FloatingPointError
        The run has diverged: something is not finite. The message says what, and at which update.
    """
    random = Random(settings.seed)
    model = network(settings, random)
    unseen = held_out(settings.task, settings.lag)
    rule: Optimizer = (Adam if settings.rule == "adam" else SGD)(settings.learning_rate)
    while True:
        given = batch(settings.task, settings.lag, settings.batch_size, random)
        limit = settings.max_norm
        try:
            found = model.loss_and_gradients(given.x, given.targets, mask=given.counts)
            norm = clip_by_global_norm(found.grads, limit) if limit else global_norm(found.grads)
        except NotFiniteError as error:
            raise FloatingPointError(f"diverged at update {rule.steps + 1}: {error}") from error
        if not math.isfinite(norm):
            raise FloatingPointError(f"diverged at update {rule.steps + 1}: the norm is {norm}")
        rule.step(model.params, found.grads)
        looked = (rule.steps % LOOK) == 0
        yield Update(found.E, norm, score(model, unseen) if looked else math.nan), model


# ---------------------------------------------------------------- the stories


@dataclass(frozen=True)
class Run:
    """One run of a story.

    Attributes
    ----------
    story : a name of `STORIES` or `WAYS`
    seed : of the weights and the training sequences
    outcome : "solved", "diverged", or "not yet" after all updates
    updates : how many there were
    score : on the held-out sequences, at the last look
    seconds : how long it took
    """

    story: str
    seed: int
    outcome: str
    updates: int
    score: float
    seconds: float


def run(story: str, seed: int, *, max_updates: int = LIMIT) -> Run:
    """Train one network of a story, or of a way to meet a challenge, until it solves its task
    or diverges, or for `max_updates`.

    Parameters
    ----------
    story : a name of `STORIES` or `WAYS`
    seed : int from 0
    max_updates : int
    """
    require_choice("story", story, tuple(RUNS))
    most = require_size("max_updates", max_updates)
    settings = Settings(**RUNS[story], seed=seed)
    began = time.perf_counter()
    outcome, updates, seen = "not yet", 0, math.nan
    try:
        for update, _ in train(settings):
            updates += 1
            if not math.isnan(update.score):
                seen = update.score
                if solved(settings.task, seen):
                    outcome = "solved"
            if outcome == "solved" or updates == most:
                break
    except FloatingPointError:
        outcome = "diverged"
    seconds = time.perf_counter() - began
    return Run(story, seed, outcome, updates, float(f"{seen:.3g}"), round(seconds, 1))


def saved() -> list[Run]:
    """Return the results that travel with the package: each story and way with five seeds."""
    runs = _runs(read(files(__package__) / "playground.jsonl").trials)
    return sorted(runs, key=lambda r: tuple(RUNS).index(r.story))


def table(runs: Iterable[Run]) -> str:
    """Return for each story how many seeds solved it and how many diverged, and when."""
    groups: dict[str, list[Run]] = {}
    for r in runs:
        groups.setdefault(r.story, []).append(r)
    lines = ["story         solved  diverged  at update"]
    for story, group in groups.items():
        ended = sorted(r.updates for r in group if r.outcome != "not yet")
        share = [
            f"{sum(r.outcome == outcome for r in group)}/{len(group)}"
            for outcome in ("solved", "diverged")
        ]
        lines.append(f"{story:<12}{share[0]:>8}{share[1]:>10}  {', '.join(map(str, ended)) or '-'}")
    return "\n".join(lines)


def _trial(story: str, seed: int) -> dict[str, Any]:
    r = run(story, seed)
    # JSON has no infinity.
    score = r.score if math.isfinite(r.score) else None
    return {"outcome": r.outcome, "updates": r.updates, "score": score}


def _runs(trials: Iterable[Trial]) -> list[Run]:
    return [
        Run(
            **t.settings,
            seed=t.seed,
            **{**t.result, "score": _number(t.result["score"])},
            seconds=t.seconds,
        )
        for t in trials
    ]


def _number(score: float | None) -> float:
    return math.inf if score is None else score


EXPERIMENT = Experiment(
    "playground",
    _trial,
    {"story": tuple(RUNS)},
    SEEDS,
    source="the page Train it in the page; the tasks are after Hochreiter and Schmidhuber (1997)",
    stop="99 % of the held-out answers right, or for adding a mean squared error of 0.01 at most, "
    f"looked at after every {LOOK} updates; a gradient that is not finite; or {LIMIT} updates",
    table=lambda trials: table(_runs(trials)),
)
