"""A network that learns a text of your own, character by character: in Python what the page does.

The same text, settings and seed give the same run, and the same lines that the network writes;
`rnncourse/explorables/text.js` is the other side.

``python -m rnncourse.experiments own-text`` repeats the runs of the page, five seeds each.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..data.datasets import tea_party
from ..gradients.check import clip_by_global_norm
from ..layers import layer as call
from ..layers.lstm import LSTM
from ..layers.readout import Readout
from ..model import Model
from ..training.optim import Adam
from ..validation import Array, require_choice, require_positive, require_size
from .playground import LAYERS, Kind, Random
from .results import Trial, read
from .sweep import Experiment

MOST = 50_000  # characters of a text
KINDS = 256  # characters of an alphabet; the rarest of a text with more become UNKNOWN
UNKNOWN = "\ufffd"
ENOUGH = 1000  # characters, of which the last tenth, HELD_OUT at most, is held out
HELD_OUT = 2000
STRETCH = 250  # steps of a held-out sequence
LOOK = 20  # updates from one look at the held-out part to the next
DICE = 2**31  # the seed with which every line is written
MAX_NORM = 1.0
LOST = 10  # times the loss of a guesser who knows nothing: the run has diverged
SEEDS = range(1, 6)
UPDATES = (10, 100, 1000)


@dataclass(frozen=True)
class Settings:
    """All that a run depends on, besides its text.

    Attributes
    ----------
    layer : "rnn", "lstm" or "gru"
    units : H, from 1 to 128
    learning_rate : of Adam, above 0
    chunk : T, the steps of a chunk, from 1
    streams : B, the stretches of the text that are read side by side, from 1
    seed : of the weights, from 0 to 2³¹ − 1
    """

    layer: Kind = "gru"
    units: int = 64
    learning_rate: float = 0.01
    chunk: int = 32
    streams: int = 8
    seed: int = 1

    def __post_init__(self) -> None:
        require_choice("layer", self.layer, get_args(Kind))
        for name, least, most in (("units", 1, 128), ("seed", 0, 2**31 - 1)):
            value = require_size(name, getattr(self, name), least)
            if value > most:
                raise ValueError(f"{name} is {value}, expected at most {most}")
        require_size("chunk", self.chunk)
        require_size("streams", self.streams)
        require_positive("learning_rate", self.learning_rate)


# ---------------------------------------------------------------- the text in numbers


def clean(text: str) -> str:
    r"""Return a text as the network reads it, or say why it cannot be learned.

    Accents are composed (NFC), line ends become ``\n``, control characters go, and half of a
    surrogate pair becomes �. A character is a code point: an emoji that is put together from
    several counts as several.

    Parameters
    ----------
    text : str, 2 to 50,000 characters, not all of them alike

    Raises
    ------
    TypeError, ValueError
        No str, too short, too long, nothing but spaces, or one character again and again.

    Examples
    --------
    >>> from rnncourse.experiments import own_text
    >>> own_text.clean("one\r\ntwo")
    'one\ntwo'
    """
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}, expected a str")
    lines = re.sub("\r\n?|[\x85\u2028\u2029]", "\n", unicodedata.normalize("NFC", text))
    whole = re.sub("[\ud800-\udfff]", UNKNOWN, lines)
    read = "".join(c for c in whole if c in "\n\t" or unicodedata.category(c) != "Cc")
    if not 2 <= len(read) <= MOST:
        raise ValueError(f"text has {len(read)} characters, expected 2 to {MOST}")
    if not read.strip():
        raise ValueError("text is nothing but spaces, expected something to read")
    if len(set(read)) == 1:
        raise ValueError(f"text is {read[0]!r} again and again, expected two kinds of characters")
    return read


@dataclass(frozen=True, eq=False)
class Spelled:
    """A text in numbers.

    Attributes
    ----------
    alphabet : str, each character once, in the order of the code points
    labels : (N,) int, the text as places in the alphabet
    nothing : bits a character that a guesser needs who knows nothing but the alphabet: log₂ D
    often : bits a character that one needs who knows how often each character occurs
    """

    alphabet: str
    labels: NDArray[np.intp]
    nothing: float
    often: float


def spell(text: str) -> Spelled:
    """Return a text in numbers, as `clean` lets it pass.

    Examples
    --------
    >>> from rnncourse.experiments import own_text
    >>> found = own_text.spell("abba")
    >>> found.alphabet, found.labels.tolist(), found.often
    ('ab', [0, 1, 1, 0], 1.0)
    """
    text = clean(text)
    counts = Counter(text)
    alphabet = sorted(counts)
    if len(alphabet) > KINDS:
        common = sorted((c for c in alphabet if c != UNKNOWN), key=lambda c: -counts[c])
        alphabet = sorted([*common[: KINDS - 1], UNKNOWN])
    places = {c: k for k, c in enumerate(alphabet)}
    labels = np.array([places.get(c, places.get(UNKNOWN)) for c in text], dtype=np.intp)
    parts = np.bincount(labels, minlength=len(alphabet)) / len(labels)
    parts = parts[parts > 0]
    often = float(-parts @ np.log2(parts))
    return Spelled("".join(alphabet), labels, math.log2(len(alphabet)), often)


# ---------------------------------------------------------------- the run


def network(D: int, settings: Settings) -> Model:
    """Return an untrained network for `D` kinds of characters.

    Weights are uniform from ±1/√H and biases 0, but for the forget bias of an LSTM, 1.
    """
    require_size("D", D)
    H, random = settings.units, Random(settings.seed)
    unused = np.random.default_rng(0)  # every weight is written anew
    layer = LAYERS[settings.layer](D, H, rng=unused)
    model = Model(layer, Readout(H, D, rng=unused))
    for name, W in model.params.items():
        W[:] = (2 * random.uniform(*W.shape) - 1) / np.sqrt(H) if name.startswith("W_") else 0.0
    if isinstance(layer, LSTM):
        layer.gate("f")["b_h"][:] = 1.0
    return model


@dataclass(frozen=True)
class Update:
    """What one update did, in bits a character.

    Attributes
    ----------
    E : the loss of its chunk, before it
    held : that of the held-out part after it, every `LOOK` updates; else, and for a text that is
        too short to hold some out, NaN
    """

    E: float
    held: float


class Run:
    """A run on a text; `update()` goes on by one update, `write()` is what the network writes.

    All but the last tenth of the text (nothing but a text of 1000 characters or more has one) is
    cut into B streams of equal length, which are read side by side, T steps at a time. The state
    goes on from chunk to chunk; the gradient does not (chapter 2, truncation). At the end of the
    streams it begins anew, from zeros.

    Parameters
    ----------
    text : str
        As for `clean`.
    settings : Settings, optional

    Attributes
    ----------
    text : Spelled
    model : Model, with the weights after the last update
    """

    def __init__(self, text: str, settings: Settings | None = None) -> None:
        settings = Settings() if settings is None else settings
        self.text = spell(text)
        D, N = len(self.text.alphabet), len(self.text.labels)
        self.model = network(D, settings)
        self.one_hot = np.eye(D)
        self.kept = 0 if N < ENOUGH else min(N // 10, HELD_OUT)
        n = N - self.kept - 1  # predictions to train on
        self.T = min(settings.chunk, n)
        self.B = min(settings.streams, n // self.T)
        self.L = n // self.B
        self.rule = Adam(settings.learning_rate)
        self.at, self.state = 0, None

    def update(self) -> Update:
        """Train on the next chunk.

        Raises
        ------
        FloatingPointError
            The run has diverged: the loss is no longer finite, or more than ten times that of a
            guesser who knows nothing.
        """
        if self.at + self.T > self.L:
            self.at, self.state = 0, None
        x, targets = self._chunk(self.at, self.L, self.T, self.B)
        found = self.model.loss_and_gradients(x, targets, state=self.state)
        norm = clip_by_global_norm(found.grads, MAX_NORM)
        if not (found.E < LOST * math.log(len(self.one_hot)) and norm < math.inf):
            raise FloatingPointError(
                f"diverged at update {self.rule.steps + 1}: the loss is {found.E / math.log(2):.3g}"
                " bits a character. Try a smaller learning_rate"
            )
        self.rule.step(self.model.params, found.grads)
        self.at, self.state = self.at + self.T, found.state_T
        held = math.nan if self.rule.steps % LOOK else self.held()
        return Update(found.E / math.log(2), held)

    def held(self) -> float:
        """Return what a character of the held-out part takes, in bits; NaN if there is none."""
        if not self.kept:
            return math.nan
        B = math.ceil(self.kept / STRETCH)
        T = self.kept // B
        x, targets = self._chunk(len(self.text.labels) - self.kept - 1, T, T, B)
        return self.model.loss(x, targets) / math.log(2)

    def write(self, temperature: float = 0.5, size: int = 80) -> str:
        """Return the text's first character and `size` more that the network writes after it.

        It throws the same dice each time, so that two lines differ by what was learned.

        Parameters
        ----------
        temperature : float above 0
            Below 1 the draws keep closer to the most probable character.
        size : int from 1
        """
        require_positive("temperature", temperature)
        dice = Random(DICE).uniform(require_size("size", size))
        written, state = [int(self.text.labels[0])], None
        for u in dice:
            h, state = call.step(self.model.layer, self.one_hot[written[-1:]], state)
            y = self.model.readout.forward(h)[0]
            sums = np.cumsum(np.exp((y - y.max()) / temperature))
            place = np.searchsorted(sums, u * sums[-1], side="right")
            written.append(min(int(place), len(sums) - 1))
        return "".join(self.text.alphabet[k] for k in written)

    def _chunk(self, start: int, apart: int, T: int, B: int) -> tuple[Array, NDArray[np.intp]]:
        """Return T steps of B sequences that begin `apart` from each other, and what comes next."""
        places = start + np.arange(T)[:, None] + apart * np.arange(B)
        return self.one_hot[self.text.labels[places]], self.text.labels[places + 1]


# ---------------------------------------------------------------- the table of the page


@dataclass(frozen=True)
class Score:
    """What one run on the start text had come to.

    Attributes
    ----------
    layer : "rnn", "lstm" or "gru"
    updates : how many were made
    seed : of the weights
    bits : a character of the chunks of the last 10 updates
    held : bits a character of the held-out part
    """

    layer: str
    updates: int
    seed: int
    bits: float
    held: float


def run(layer: Kind, seed: int, updates: Iterable[int] = UPDATES) -> list[Score]:
    """Train on the start text with the settings of the page, and look after some updates.

    Parameters
    ----------
    layer : "rnn", "lstm" or "gru"
    seed : int from 0
    updates : whole numbers from 1
    """
    learner = Run(tea_party(), Settings(layer=layer, seed=seed))
    looks = sorted({require_size("updates", count) for count in updates})
    found, bits = [], []
    for count in range(1, looks[-1] + 1):
        bits.append(learner.update().E)
        if count in looks:
            mean = float(np.mean(bits[-10:]))
            found.append(Score(layer, count, seed, round(mean, 3), round(learner.held(), 3)))
    return found


def saved() -> list[Score]:
    """Return the results that travel with the package: three layers with five seeds each."""
    return _scores(read(files(__package__) / "own_text.jsonl").trials)


def table(found: Iterable[Score]) -> str:
    """Return for each layer the bits a character, the mean over the seeds."""
    groups: dict[tuple[str, int], list[Score]] = {}
    for score in found:
        groups.setdefault((score.layer, score.updates), []).append(score)
    lines = ["layer  updates  seeds  trained on  held out"]
    for (layer, updates), group in groups.items():
        bits, held = (float(np.mean([getattr(s, n) for s in group])) for n in ("bits", "held"))
        lines.append(f"{layer:<5}{updates:>9}{len(group):>7}{bits:>12.2f}{held:>10.2f}")
    return "\n".join(lines)


def _trial(layer: Kind, seed: int) -> dict[str, Any]:
    found = run(layer, seed, UPDATES)
    return {str(s.updates): [s.bits, s.held] for s in found}


def _scores(trials: Iterable[Trial]) -> list[Score]:
    return [
        Score(t.settings["layer"], int(updates), t.seed, *both)
        for t in trials
        for updates, both in t.result.items()
    ]


EXPERIMENT = Experiment(
    "own-text",
    _trial,
    {"layer": get_args(Kind)},
    SEEDS,
    source="the page A network that learns your text",
    stop=f"{UPDATES[-1]} updates",
    table=lambda trials: table(_scores(trials)),
)
