"""Batches to train on: cut out of arrays, or taken from a stream."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..layers import layer as call
from ..model import Model
from ..validation import (
    boolean_array,
    numeric,
    require_finite,
    require_shape,
    whole_numbers,
)

# A batch of a stream: (x, targets), or a mapping that may hold lengths and mask too.
Batch = Sequence[ArrayLike] | Mapping[str, ArrayLike]
Stream = Iterable[Batch] | Callable[[], Iterable[Batch]]
NAMES = {"x", "targets", "lengths", "mask"}


@dataclass(frozen=True)
class Chunk:
    """A stretch of steps of some sequences.

    Attributes
    ----------
    data : "x", "targets" and, where given, "lengths" and "mask", as `Model.loss` takes them
    counts : bool, one per prediction; None if all of them count
    count : how many predictions count
    """

    data: dict[str, NDArray]
    counts: NDArray[np.bool_] | None
    count: int


class Batches(Protocol):
    """What a run trains on, an epoch at a time."""

    updates: int | None  # in an epoch; None where nobody knows
    truncate: int | None  # steps in a chunk; None for whole sequences

    def epoch(self, rng: np.random.Generator | None) -> Iterator[Iterator[Chunk]]:
        """Yield each batch as its chunks, in time order."""

    @property
    def ended(self) -> bool:
        """Whether no further epoch can begin."""

    def state(self) -> dict[str, Any] | None:
        """Return what `go_on` needs to find this place again, fit for JSON."""

    def go_on(self, state: dict[str, Any] | None, rng: np.random.Generator | None) -> None:
        """Take up the place between two epochs that `state` has noted."""


class Sequences:
    """Sequences with what is wanted of them, checked against a model."""

    def __init__(
        self,
        model: Model,
        x: ArrayLike,
        targets: ArrayLike,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> None:
        D, O = model.layer.input_size, model.readout.output_size
        one_to_many = model.arrangement == "one-to-many"
        if call.takes_labels(model.layer):
            x = numeric("x", x, "iu", "whole numbers")
            require_shape("x", x, ("T", "B"))
        else:
            x = numeric("x", x, "iuf", "real numbers")
            require_shape("x", x, ("B", D) if one_to_many else ("T", "B", D))
        B = x.shape[0] if one_to_many else x.shape[1]
        predictions: tuple[int | str, ...] = ("T" if one_to_many else len(x), B)
        if model.arrangement == "many-to-one":
            predictions = (B,)
        targets = numeric("targets", targets, "iuf", "real numbers")
        outputs = (O,) if model.loss_name == "squared_error" else ()
        require_shape("targets", targets, predictions + outputs)
        predictions = targets.shape[: len(predictions)]

        self.size, self.steps = B, len(targets) if one_to_many else len(x)
        self.data: dict[str, NDArray] = {"x": x, "targets": targets}
        # Which axis of each array counts the sequences; where it is 1, axis 0 is time.
        self.axes = {"x": 0 if one_to_many else 1, "targets": len(predictions) - 1, "lengths": 0}
        self.axes["mask"] = self.axes["targets"]
        if lengths is not None:
            self.data["lengths"] = whole_numbers("lengths", lengths, (B,), 1, self.steps)
        if mask is not None:
            self.data["mask"] = boolean_array("mask", mask, predictions)

    def require_finite(self) -> None:
        """Raise `NotFiniteError` if a number that counts is NaN or infinite."""
        x, targets = self.data["x"], self.data["targets"]
        if "lengths" in self.data and self.axes["x"] == 1 and x.dtype.kind == "f":
            x = x[np.arange(self.steps)[:, None] < self.data["lengths"]]
        counts = self._chunk(self.data).counts
        require_finite("x", x)
        require_finite("targets", targets if counts is None else targets[counts])

    def chunks(self, chosen: NDArray[np.intp], truncate: int | None = None) -> Iterator[Chunk]:
        """Yield the chosen sequences in chunks of steps, each cut out when its turn comes."""
        T = self.steps
        if "lengths" in self.data:  # the longest sequence of the batch decides how far it runs
            T = self.data["lengths"][chosen].max()
        k = T if truncate is None else truncate
        for t in range(0, T, k):
            yield self._chunk(
                {
                    n: np.take(a[t : t + k] if self.axes[n] == 1 else a, chosen, self.axes[n])
                    for n, a in self.data.items()
                }
            )

    def _chunk(self, data: dict[str, NDArray]) -> Chunk:
        predictions = data["targets"].shape[: self.axes["targets"] + 1]
        counts = data.get("mask")
        if "lengths" in data and len(predictions) == 2:
            inside = np.arange(predictions[0])[:, None] < data["lengths"]
            counts = inside if counts is None else counts & inside
        if counts is None or counts.all():
            return Chunk(data, None, int(np.prod(predictions)))
        return Chunk(data, counts, int(counts.sum()))


class ArrayBatches:
    """Shuffles all sequences before each epoch, and cuts them into batches."""

    ended = False

    def __init__(self, sequences: Sequences, batch_size: int | None, truncate: int | None) -> None:
        self.sequences, self.truncate = sequences, truncate
        self.batch_size = batch_size or sequences.size
        chunks = 1 if truncate is None else -(-sequences.steps // truncate)
        self.updates: int | None = -(-sequences.size // self.batch_size) * chunks

    def epoch(self, rng: np.random.Generator | None) -> Iterator[Iterator[Chunk]]:
        """Yield the batches of one epoch; without `rng` in the order of the arrays."""
        n = self.sequences.size
        order = np.arange(n) if rng is None else rng.permutation(n)
        for start in range(0, n, self.batch_size):
            yield self.sequences.chunks(order[start : start + self.batch_size], self.truncate)

    def state(self) -> None:
        """Return nothing: the generator's state says it all."""

    def go_on(self, state: dict[str, Any] | None, rng: np.random.Generator | None) -> None:
        """Refuse a place in a stream; on arrays every epoch begins anew."""
        if state is not None:
            raise ValueError("it was trained on a stream, expected a run on arrays")


class StreamBatches:
    """Takes batches as they come, from something that is gone through again when it ends.

    A run that is resumed reads the stream from its beginning and passes over what it has had
    already. If the stream draws from `rng`, the generator is wound back for it too.

    Parameters
    ----------
    model : Model
    stream : iterable of batches, or function that returns one
    updates : batches in an epoch; until the stream ends if left out
    truncate : steps in a chunk
    name : of the argument, for errors
    """

    def __init__(
        self,
        model: Model,
        stream: Stream,
        updates: int | None,
        truncate: int | None,
        name: str = "x",
    ) -> None:
        self.model, self.stream, self.truncate, self.name = model, stream, truncate, name
        self.batches_in_epoch = updates
        self.updates = updates if truncate is None else None
        self.once = not callable(stream) and iter(stream) is stream
        self.ended = False
        self._pass: Iterator[Batch] | None = None  # what is being gone through
        self._taken = 0  # batches of this pass
        self._rng_before: Any = None  # the generator's state when it began

    def epoch(self, rng: np.random.Generator | None) -> Iterator[Iterator[Chunk]]:
        """Yield the batches of one epoch."""
        made = 0
        while made != self.batches_in_epoch:
            if self._pass is None:
                self._pass = self._begin(rng)
            for batch in self._pass:
                made, self._taken = made + 1, self._taken + 1
                sequences = self._checked(batch)
                yield sequences.chunks(np.arange(sequences.size), self.truncate)
                break
            else:
                self._pass, self.ended = None, self.once
                if not self._taken:
                    raise ValueError(f"{self.name} gives no batch, expected some")
                if self.ended or self.batches_in_epoch is None:
                    return

    def _begin(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        self._rng_before = None if rng is None else rng.bit_generator.state
        stream = self.stream() if callable(self.stream) else self.stream
        if not isinstance(stream, Iterable):
            raise TypeError(f"{self.name} returned {stream!r}, expected an iterable of batches")
        self._taken = 0
        return iter(stream)

    def _checked(self, batch: Batch) -> Sequences:
        place = f"in batch {self._taken} of {self.name}"
        if isinstance(batch, tuple | list) and len(batch) == 2:
            batch = {"x": batch[0], "targets": batch[1]}
        if not isinstance(batch, Mapping) or not {"x", "targets"} <= set(batch) <= NAMES:
            held = sorted(batch) if isinstance(batch, Mapping) else f"a {type(batch).__name__}"
            raise TypeError(
                f"{place}: {held}, expected (x, targets), or a mapping with x and targets and "
                "where needed lengths and mask"
            )
        if self.truncate is not None and batch.get("lengths") is not None:
            raise ValueError(f"{place}, lengths is given, expected None beside truncate")
        try:
            sequences = Sequences(self.model, **batch)
            sequences.require_finite()
            return sequences
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}, {error}") from error

    def state(self) -> dict[str, Any]:
        """Return how many batches of the present pass are taken, and the generator before it."""
        begun = self._pass is not None
        return {
            "taken": self._taken if begun or self.ended else 0,
            "rng": self._rng_before if begun or self.ended else None,
            "ended": self.ended,
        }

    def go_on(self, state: dict[str, Any] | None, rng: np.random.Generator | None) -> None:
        """Take up the place between two epochs that `state` has noted."""
        if state is None:
            raise ValueError("it was trained on arrays, expected a run on a stream")
        self.ended = state["ended"]
        if self.ended or not state["taken"]:
            return
        now: Any = None if rng is None else rng.bit_generator.state
        try:
            if rng is not None and state["rng"] is not None:
                rng.bit_generator.state = state["rng"]
            self._pass = self._begin(rng)
            self._taken = sum(1 for _ in islice(self._pass, state["taken"]))
        finally:
            if rng is not None:
                rng.bit_generator.state = now
        if self._taken < state["taken"]:
            raise ValueError(
                f"x is a stream of {self._taken} batches, expected the {state['taken']} that the "
                "run has had already"
            )


def validation_batches(model: Model, batch_size: int | None, validation: Any) -> Batches:
    """Return validation data: a mapping of arrays, or a stream that can be read again and again."""
    if isinstance(validation, Mapping):
        if not {"x", "targets"} <= set(validation) <= NAMES:
            raise ValueError(
                f"there is {', '.join(sorted(validation))}, expected x and targets, and where "
                "needed lengths and mask"
            )
        return ArrayBatches(Sequences(model, **validation), batch_size, None)
    again = callable(validation) or (
        isinstance(validation, Iterable)
        and not isinstance(validation, tuple | str | np.ndarray)
        and iter(validation) is not validation
    )
    if not again:
        raise TypeError(
            f"there is a {type(validation).__name__}, expected a mapping with x and targets, or a "
            "stream that can be read again: a list of batches or a function that makes one"
        )
    return StreamBatches(model, validation, None, None, name="the stream")
