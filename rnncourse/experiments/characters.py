"""A small LSTM learns to predict the next character of a made-up text: what do its units hold?

The text has two things that a network can only get right with a memory. Between quotation marks
it uses words of its own, and a bracket is closed by its like, ) or ], one to three words later.
The 20 characters are those of `ALPHABET`.

``python -m rnncourse.experiments.characters characters.json`` trains the network that travels
with the package once more (half a minute) and writes it. Its seed was chosen: of the seeds 0 to
24 (see `character_seeds`) it is the one with the units that are easiest to read. Others spread what
they know over several units.
"""

import argparse
import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..data import text as text_data
from ..data.text import inside
from ..files import PathLike, replacing, require_place
from ..layers.layer import takes_labels
from ..layers.lstm import LSTM
from ..layers.readout import Readout
from ..model import Model
from ..training.fit import fit
from ..training.optim import Adam
from ..validation import Array, require_size

ALPHABET = " .“”()[]adehinorstuw"
NOUNS, VERBS = ("sun", "rain", "wind", "star"), ("hides", "waits", "runs")
ASIDES, QUOTED = ("sad", "wet", "red", "round"), ("oh", "no", "so", "who")
TEXT = (  # for looking at the units
    "the sun [wet] said “oh no so who who oh no”. the rain (red sad wet) hides. "
    "“so so who oh no” said the star (round). the wind [sad wet round] waits. "
    "the star said “no who oh”. the sun runs."
)
SEED = 3  # see `character_seeds`
LENGTH = 120  # characters in a training sequence
STAGES = ((0.01, 40), (0.003, 15))  # learning rate and epochs


@dataclass(frozen=True)
class Run:
    """One training run and what came of it.

    Attributes
    ----------
    hidden_size : H
    seed : of the weights and the training text
    updates : how many were made
    loss : mean cross-entropy of a character in 100 held-out texts of 200, in nats
    seconds : how long it took
    weights : the parameters as `pack` returns them
    """

    hidden_size: int
    seed: int
    updates: int
    loss: float
    seconds: float
    weights: str

    def model(self, dtype: DTypeLike = np.float64) -> Model:
        """Return the trained network."""
        model = network(self.hidden_size, np.random.default_rng(0), dtype)
        model.load_params(unpack(self.weights, {n: W.shape for n, W in model.params.items()}))
        return model


def network(hidden_size: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Model:
    """Return an untrained LSTM with readout, from characters to characters of `ALPHABET`."""
    D = len(ALPHABET)
    layer = LSTM(D, hidden_size, rng=rng, dtype=dtype)
    return Model(layer, Readout(hidden_size, D, rng=rng, dtype=dtype))


# ---------------------------------------------------------------- the text


def sentences(length: int, rng: np.random.Generator) -> str:
    """Return `length` characters of text: sentences from a small grammar, the last one cut off."""
    require_size("length", length)
    text = ""
    while len(text) < length:
        text += _sentence(rng) + " "
    return text[:length]


def _sentence(rng: np.random.Generator) -> str:
    def some(words: Sequence[str], low: int, high: int) -> str:
        return " ".join(rng.choice(words, rng.integers(low, high, endpoint=True)))

    def noun() -> str:
        name = f"the {some(NOUNS, 1, 1)}"
        if rng.random() < 0.4:
            return name
        left, right = ("()", "[]")[rng.integers(2)]
        return f"{name} {left}{some(ASIDES, 1, 3 if rng.random() < 0.5 else 1)}{right}"

    kind = rng.integers(3)
    if kind == 0:
        return f"{noun()} {some(VERBS, 1, 1)}."
    quotation = f"“{some(QUOTED, 2, 8)}”"
    return f"{noun()} said {quotation}." if kind == 1 else f"{quotation} said {noun()}."


def one_hot(texts: Sequence[str], alphabet: str = ALPHABET, dtype: DTypeLike = np.float64) -> Array:
    """Return texts of one length as inputs (T, B, D), as `rnncourse.data.text.one_hot` does."""
    return text_data.one_hot(texts, alphabet, dtype)


# ---------------------------------------------------------------- the run


def run(
    hidden_size: int = 12,
    seed: int = SEED,
    *,
    sequences: int = 2000,
    stages: Sequence[tuple[float, int]] = STAGES,
    progress: bool = False,
) -> Run:
    """Train one LSTM to predict the next character.

    Adam on batches of 32 sequences of 120 characters, gradients clipped to norm 1, float32.

    Parameters
    ----------
    hidden_size : int
    seed : int from 0
    sequences : int
        How many sequences an epoch has.
    stages : pairs of learning rate and epochs
    progress : bool
        Show a bar in a terminal or notebook.
    """
    rng = np.random.default_rng(require_size("seed", seed, 0))
    model = network(require_size("hidden_size", hidden_size), rng)
    texts = [sentences(LENGTH + 1, rng) for _ in range(require_size("sequences", sequences))]
    x, targets = _data(texts)
    start, updates = time.perf_counter(), 0
    for learning_rate, epochs in stages:
        history = fit(
            model,
            x,
            targets,
            epochs=epochs,
            optimizer=Adam(learning_rate),
            rng=rng,
            batch_size=32,
            clip_norm=1.0,
            progress=progress,
        )
        updates += len(history.gradient_norm)
    seconds = time.perf_counter() - start
    return Run(
        hidden_size,
        seed,
        updates,
        round(loss(model), 4),
        round(seconds, 1),
        pack(model.params),
    )


def loss(model: Model) -> float:
    """Return the mean cross-entropy of a character in 100 held-out texts of 200, in nats."""
    rng = np.random.default_rng(2**32)
    return model.loss(*_data([sentences(201, rng) for _ in range(100)]))


def separation(model: Model, text: str, marks: str = "“”", *, alphabet: str = ALPHABET) -> Array:
    """Return for each unit how well its memory tells inside from outside.

    That is the correlation of tanh(c_t), over all steps, with 1 inside the `marks` and 0 outside.

    Parameters
    ----------
    model : Model with an LSTM that reads the characters of `alphabet`, one-hot
    text : str
    marks : the opening and the closing character, as for `rnncourse.data.text.inside`
    alphabet : str

    Returns
    -------
    (H,) from −1 to 1; 0 for a unit whose memory never changes

    Raises
    ------
    TypeError, ValueError
        A model without a memory cell or for another alphabet, a text with all characters on one
        side of the marks, or one that `inside` or `one_hot` refuses.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model is a {type(model).__name__}, expected a Model")
    layer, D = model.layer, len(text_data.require_alphabet(alphabet))
    if takes_labels(layer) or layer.input_size != D:
        reads = "labels" if takes_labels(layer) else f"{layer.input_size} numbers"
        raise ValueError(f"model reads {reads} a step, expected the alphabet's {D} characters")
    within = inside(text, marks)
    if within.all() or not within.any():
        raise ValueError("text is all on one side of the marks, expected characters on both")
    _, _, trace = layer.forward(one_hot([text], alphabet, layer.dtype))
    if not hasattr(trace, "c"):
        kind = type(layer).__name__
        raise TypeError(f"model has a {kind}, whose trace has no memory cell c, expected an LSTM")
    memory = np.tanh(trace.c[:, 0].astype(np.float64))
    memory -= memory.mean(axis=0)
    side = within - within.mean()
    size = np.linalg.norm(memory, axis=0)
    return side @ memory / np.where(size > 0, size, 1) / np.linalg.norm(side)


def _data(texts: Sequence[str]) -> tuple[Array, NDArray[np.intp]]:
    """Return inputs and labels: at each step the character that comes next."""
    x = one_hot([t[:-1] for t in texts], dtype=np.float32)
    return x, text_data.labels([t[1:] for t in texts], ALPHABET)


# ---------------------------------------------------------------- the file


def pack(params: Mapping[str, Array]) -> str:
    """Return parameters as text: one after the other in float32 (little-endian), in base64."""
    flat = np.concatenate([np.ravel(W) for W in params.values()]).astype("<f4")
    return base64.b64encode(flat.tobytes()).decode()


def unpack(text: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return the parameters in `text` by name, in float64: the inverse of `pack`."""
    flat = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float64)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    if len(flat) != ends[-1]:
        raise ValueError(f"text holds {len(flat)} numbers, expected {ends[-1]}")
    parts = np.split(flat, ends[:-1])
    return {n: p.reshape(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}


def saved() -> Run:
    """Return the trained network that travels with the package."""
    return Run(**json.loads((files(__package__) / "characters.json").read_text(encoding="utf-8")))


def write(path: PathLike, result: Run) -> None:
    """Write `result` to the file `path`, whole or not at all."""
    with replacing(Path(path)) as file:
        file.write(json.dumps(asdict(result), indent=1, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the network of the experiment once more.")
    parser.add_argument("path", help="file to write, such as characters.json")
    path = Path(parser.parse_args().path)
    try:
        require_place("path", path)
    except ValueError as error:
        parser.error(str(error))
    result = run(progress=True)
    write(path, result)
    print(f"loss {result.loss}, {result.seconds} seconds")
