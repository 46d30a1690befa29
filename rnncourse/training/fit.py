"""Training a model: the run itself, with clipping, validation, early stop and checkpoints."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..files import PathLike, require_place
from ..gradients.check import clip_by_global_norm, clip_by_value, global_norm
from ..layers import layer as call
from ..model import LOSSES, Model
from ..validation import (
    NotFiniteError,
    copy_params,
    require_finite,
    require_positive,
    require_rng,
    require_size,
    require_writable,
)
from .batches import (
    ArrayBatches,
    Batches,
    Chunk,
    Sequences,
    Stream,
    StreamBatches,
    validation_batches,
)
from .checkpoint import read_checkpoint, save_checkpoint
from .history import History
from .metrics import Metric, by_name
from .optim import Optimizer
from .progress import ProgressBar

ASKED = "on_epoch asked for it"


class TrainingDiverged(FloatingPointError):
    """The loss or its gradient is no longer a finite number; the message says where.

    Attributes
    ----------
    history : History of the run up to then
    """

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> tuple[type, tuple[str, History]]:  # to pass between processes
        return type(self), (str(self), self.history)


def fit(
    model: Model,
    x: ArrayLike | Stream,
    targets: ArrayLike | None = None,
    *,
    epochs: int = 1,
    updates: int | None = None,
    optimizer: Optimizer,
    rng: np.random.Generator | None = None,
    batch_size: int | None = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    truncate: int | None = None,
    validation: Mapping[str, ArrayLike] | Stream | None = None,
    metrics: Sequence[str | Metric] | Mapping[str, str | Metric] = (),
    patience: int | None = None,
    on_epoch: Callable[[History, Model], bool | None] | None = None,
    history: History | None = None,
    checkpoint: PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train `model` in place by gradient descent on batches of sequences.

    Parameters
    ----------
    model : Model
    x, targets, lengths, mask
        The training data, as for `Model.loss_and_gradients`. A batch (or chunk, see `truncate`)
        in which nothing counts makes no update. Instead of arrays, `x` alone may be a **stream**:
        an iterable of batches, or a function that returns one. A batch is a pair (x, targets), or
        a mapping with "x", "targets" and where needed "lengths" and "mask". A stream that ends is
        gone through again, unless it is an iterator, which can be read once.
    epochs : int
        Passes over the data, including those of the run that is resumed.
    updates : int, optional
        For a stream, how many batches make an epoch. The next epoch goes on where the stream
        stands. A stream without an end needs it; left out, an epoch ends with the stream.
    optimizer : SGD, RMSprop or Adam
        It keeps its memory between calls: make a new one for a new run.
    rng : numpy.random.Generator
        Shuffles the sequences of arrays before each epoch. For a stream optional: what it draws
        from, so that a checkpoint can note where it stands.
    batch_size : int, optional
        Sequences in a batch of arrays; all of them if left out.
    clip_norm, clip_value : float, optional
        Scale gradients down to this global norm, or cut each of their entries at this size.
    truncate : int, optional
        Truncated backpropagation for many-to-many models and sequences of one length: cut them
        into chunks of this many steps, carry the state from chunk to chunk, and update after each.
    validation : mapping or stream, optional
        Held-out data: {"x": …, "targets": …} and, where needed, "lengths" and "mask"; or a list of
        batches or a function that makes one.
    metrics : list or mapping, optional
        What to measure on the validation data besides the loss: "accuracy", "perplexity", or
        functions of the outputs that count (N, O) and their targets, (N,) or (N, O). All these
        outputs are kept until they are measured.
    patience : int, optional
        Stop after this many epochs without a lower validation loss. However the run ends, put
        back the weights of the best epoch.
    on_epoch : function of (history, model), optional
        Called after each epoch and its validation, before a checkpoint is written. If it returns
        True, the run stops. It may set `optimizer.learning_rate` to another number: a run that is
        resumed goes on with that.
    history : History, optional
        The record to go on with, such as that of a run before this one. It is changed in place.
    checkpoint : path, optional
        Written after each epoch, atomically, over whatever file has that name. At the end it holds
        the weights that the model ends with, for `Model.load`.
    resume : bool
        Go on from `checkpoint` if that file exists, with the arguments of the first run. It then
        ends with exactly the weights and history that an uninterrupted run would have given. A
        stream has to give the same batches as before: it is read from its beginning, after `rng`
        is wound back, and what the run has had already is passed over. So an iterator has to be a
        new one.
    progress : bool
        Show a bar in a terminal or notebook.

    Returns
    -------
    History

    Raises
    ------
    TrainingDiverged
        The loss or its gradient became NaN or infinite. The model keeps its weights of the last
        good update.
    KeyboardInterrupt, OSError, …
        What stops a run is passed on, also an interrupt or a checkpoint that could not be written.
        The model keeps its weights of the last complete update, and the error has the history so
        far in an attribute `history`.
    TypeError, ValueError
        Arguments that do not fit, before any weight has changed. The batches of a stream are
        checked one by one.
    """
    require_size("epochs", epochs)
    counts = {"updates": updates, "batch_size": batch_size, "truncate": truncate}
    for name, count in {**counts, "patience": patience}.items():
        if count is not None:
            require_size(name, count)
    clips = {"clip_norm": clip_norm, "clip_value": clip_value}
    for name, size in clips.items():
        if size is not None:
            require_positive(name, size)
    if clip_norm is not None and clip_value is not None:
        raise ValueError(f"clip_value is {clip_value}, expected None beside a clip_norm")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}, expected SGD, RMSprop or Adam")
    if history is not None and not isinstance(history, History):
        raise TypeError(f"history is {history!r}, expected a History")
    if on_epoch is not None and not callable(on_epoch):
        raise TypeError(f"on_epoch is {on_epoch!r}, expected a function of (history, model)")
    if truncate is not None:
        if model.arrangement != "many-to-many" or lengths is not None:
            raise ValueError("truncate needs a many-to-many model and sequences of one length")
        call.require_causal(model.layer, "truncation")
    if validation is None and (metrics or patience is not None):
        raise ValueError(f"{'metrics' if metrics else 'patience'} needs validation data")
    measured = by_name(metrics, model.loss_name)
    if resume and checkpoint is None:
        raise ValueError("resume needs the path of a checkpoint")
    if checkpoint is not None:
        require_place("checkpoint", checkpoint)
    require_writable(model.params)

    if targets is not None:
        if updates is not None:
            raise ValueError(f"updates is {updates}, expected None: it is for streams")
        require_rng(rng)
        sequences = Sequences(model, cast(ArrayLike, x), targets, lengths, mask)
        batches: Batches = ArrayBatches(sequences, batch_size, truncate)
        _measure(model, batches, {})  # finds what does not fit before a weight has changed
    else:
        if not callable(x) and (not isinstance(x, Iterable) or isinstance(x, str | np.ndarray)):
            raise TypeError(
                f"x is a {type(x).__name__} without targets, expected a stream of batches"
            )
        for name, value in {"batch_size": batch_size, "lengths": lengths, "mask": mask}.items():
            if value is not None:
                raise ValueError(f"{name} is given, expected None beside a stream of batches")
        if rng is not None:
            require_rng(rng)
        batches = StreamBatches(model, cast(Stream, x), updates, truncate)
        if batches.once and updates is None and epochs > 1:
            raise ValueError(
                f"epochs is {epochs}, expected 1: x is an iterator, which can be read once. Give "
                "updates, the length of an epoch, or a function that makes such an iterator"
            )
    held_out = None
    if validation is not None:
        try:
            held_out = validation_batches(model, batch_size, validation)
            _measure(model, held_out, {})
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"in validation, {error}") from error

    run = _Run(model, optimizer, rng, batches, history, clip_norm, clip_value)
    settings = {"epochs before it": run.begun, **counts, **clips}
    if checkpoint is not None and resume and os.path.exists(checkpoint):
        run.load(checkpoint, settings)
    history, trained = run.history, run.history.epochs
    history.stopped = ""
    total = None if batches.updates is None else max(0, epochs - run.epochs) * batches.updates
    try:
        with ProgressBar(total, "updates", progress) as bar:
            while not (reason := run.reason_to_stop(epochs, patience)):
                if checkpoint is not None and history.epochs > trained:
                    run.save(checkpoint, settings)
                if not run.train_epoch(bar):
                    continue  # the stream had ended
                if held_out is not None:
                    run.validate(held_out, measured)
                if on_epoch is not None and on_epoch(history, model):
                    run.asked = True
        history.stopped = reason
        if patience is not None:
            run.put_back_the_best()
        if checkpoint is not None and history.epochs > trained:
            run.save(checkpoint, settings)
    except BaseException as error:
        error.history = history  # type: ignore[attr-defined]
        raise
    return history


def _measure(
    model: Model, batches: Batches, metrics: Mapping[str, Metric]
) -> tuple[float, dict[str, float]]:
    """Return the loss over all that the batches hold, and the metrics; raise if any does not fit.

    The predictions of a chunk begin with a state of zeros.
    """
    total, kept = _Total(model), []
    for chunks in batches.epoch(None):
        for chunk in chunks:
            x, targets = chunk.data["x"], chunk.data["targets"]
            steps = len(targets) if model.arrangement == "one-to-many" else None
            y = model.predict(x, lengths=chunk.data.get("lengths"), steps=steps)
            if chunk.count:
                E, _ = LOSSES[model.loss_name](y, targets, chunk.counts, model.reduction)
                total.add(E, chunk.count)
            if metrics:
                counts = np.ones(y.shape[:-1], bool) if chunk.counts is None else chunk.counts
                kept.append((y[counts], targets[counts]))
    values = {}
    if metrics:
        y, targets = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        for name, metric in metrics.items():
            values[name] = _number(name, metric(y, targets))
    return total.loss, values


def _number(name: str, value: Any) -> float:
    if np.ndim(value) or not np.isrealobj(value) or np.asarray(value).dtype.kind not in "iuf":
        raise TypeError(f"the metric {name} returned {value!r}, expected a number")
    return float(value)


class _Total:
    """Puts the losses of batches together to the loss of all: their weighted mean, or their sum."""

    def __init__(self, model: Model) -> None:
        self.mean = model.reduction == "mean"
        self.value, self.count = 0.0, 0

    def add(self, E: float, count: int) -> None:
        self.count += count
        self.value += (E - self.value) * (count / self.count) if self.mean else E

    @property
    def loss(self) -> float:
        if not self.count:
            raise ValueError("mask counts no prediction, expected at least one True")
        return self.value


class _Run:
    """A training run that can be put down and taken up again."""

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        rng: np.random.Generator | None,
        batches: Batches,
        history: History | None,
        clip_norm: float | None,
        clip_value: float | None,
    ) -> None:
        self.model, self.optimizer, self.rng, self.batches = model, optimizer, rng, batches
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.history = History() if history is None else history
        self.begun = self.history.epochs  # epochs of the runs before
        self.first_settings = optimizer.settings()  # on_epoch may change them
        self.best: dict[str, NDArray] = {}  # weights of the epoch with the lowest validation loss
        self.best_loss = np.inf
        self.last: dict[str, NDArray] = {}  # weights of the last update, if the best are put back
        self.asked = False  # to stop, by on_epoch

    @property
    def epochs(self) -> int:
        """How many epochs of this run are done."""
        return self.history.epochs - self.begun

    def reason_to_stop(self, epochs: int, patience: int | None) -> str:
        """Return why the run is over, in words, or nothing."""
        if self.asked:
            return ASKED
        # A run that is resumed may have begun without validation data, hence without a best epoch.
        waited = self.history.epochs - self.history.best_epoch if self.best else 0
        if patience is not None and waited >= patience:
            return f"no lower validation loss for {patience} epochs"
        if self.epochs >= epochs:
            return f"{self.epochs} epochs done"
        return "the stream ended" if self.batches.ended else ""

    def train_epoch(self, bar: ProgressBar) -> bool:
        """Train for one epoch; return False if a stream had nothing left for it."""
        total, begun = _Total(self.model), False
        for chunks in self.batches.epoch(self.rng):
            state, begun = None, True
            for chunk in chunks:
                if chunk.count:
                    E, state = self._train_on(chunk, state)
                    total.add(E, chunk.count)
                    bar.advance(f"loss {E:.4g}")
                    continue
                bar.advance()  # nothing to learn here, but the state may go on to the next chunk
                if self.batches.truncate is not None:
                    _, state = call.run(self.model.layer, chunk.data["x"], state, None)
        if begun:
            self.history.loss.append(total.loss)
        return begun

    def _train_on(self, chunk: Chunk, state: Any) -> tuple[float, Any]:
        """Make one update; on any failure leave weights and optimizer as they were before it."""
        model = self.model
        before = {name: W.copy() for name, W in model.params.items()}
        memory = self.optimizer.state()
        try:
            found = model.loss_and_gradients(**chunk.data, state=state)
            if not np.isfinite(found.E):
                raise NotFiniteError(f"the loss is {found.E}")
            norm = self._clip(found.grads)
            self.optimizer.step(model.params, found.grads)
            for name, W in model.params.items():
                require_finite(f"{name} after the update", W)
        except BaseException as error:
            copy_params(model.params, before)
            self.optimizer.load_state(memory)
            if isinstance(error, NotFiniteError):
                raise TrainingDiverged(self._report(error), self.history) from error
            raise
        self.history.update_loss.append(found.E)
        self.history.gradient_norm.append(norm)
        return found.E, found.state_T

    def _clip(self, grads: dict[str, NDArray]) -> float:
        """Clip the gradients as asked, and return their norm before."""
        try:
            if self.clip_norm is None:
                norm = global_norm(grads)
            else:
                norm = clip_by_global_norm(grads, self.clip_norm)
        except FloatingPointError:  # of gradients that are not finite, which it leaves alone
            norm = global_norm(grads)
        if not np.isfinite(norm):
            bad = [name for name, dW in grads.items() if not np.isfinite(dW).all()]
            of = f" in {', '.join(bad)}" if bad else ""
            raise NotFiniteError(f"the gradient norm is {norm}{of}")
        if self.clip_value is not None:
            clip_by_value(grads, self.clip_value)
        return norm

    def _report(self, error: Exception) -> str:
        norms = self.history.gradient_norm
        clip = "clip the gradient: clip_norm=1.0"
        for name, size in (("clip_norm", self.clip_norm), ("clip_value", self.clip_value)):
            if size is not None:
                clip = f"a smaller {name} (now {size:g})"
        return (
            f"training stopped in epoch {self.history.epochs + 1} at update {len(norms) + 1}: "
            f"{error}. The gradient norm of the update before was "
            f"{f'{norms[-1]:.3g}' if norms else 'not yet measured'}. The model keeps its weights "
            f"of the last good update. Try a smaller learning_rate (now "
            f"{self.optimizer.rate:g}) or {clip}, or shorter sequences"
        )

    def validate(self, held_out: Batches, metrics: Mapping[str, Metric]) -> None:
        """Measure on validation data, and remember the weights if their loss is the lowest."""
        try:
            E, values = _measure(self.model, held_out, metrics)
        except NotFiniteError:
            E, values = np.nan, {}
        if not np.isfinite(E):
            message = f"the validation loss after epoch {self.history.epochs} is {E}"
            raise TrainingDiverged(message, self.history)
        self.history.add_validation(E, values)
        if not self.best or E < self.best_loss:
            self.history.best_epoch, self.best_loss = self.history.epochs, E
            self.best = {name: W.copy() for name, W in self.model.params.items()}

    def put_back_the_best(self) -> None:
        """Give the model the weights of its best epoch, and keep those of the last update."""
        if self.best:
            self.last = {name: W.copy() for name, W in self.model.params.items()}
            copy_params(self.model.params, self.best)

    def save(self, path: PathLike, settings: Mapping[str, Any]) -> None:
        """Write all that is needed to go on."""
        save_checkpoint(
            path,
            self.model,
            self.optimizer,
            rng=self.rng,
            history=self.history,
            best=self.best,
            last=self.last,
            run={
                "optimizer": self.first_settings,
                "settings": settings,
                "stream": self.batches.state(),
            },
        )

    def load(self, path: PathLike, settings: dict[str, Any]) -> None:
        """Take up the run that `save` wrote; nothing is changed unless it is this one."""
        saved = read_checkpoint(path, self.model, self.optimizer, rng=self.rng)
        saved.require_run(self.optimizer, settings)
        best_epoch, losses = saved.history.best_epoch, saved.history.validation_loss
        with saved.fitting():
            if saved.best and not 1 <= best_epoch <= len(losses):
                raise ValueError(f"it has best weights, but no loss of epoch {best_epoch}")
            if self.rng is None and saved.rng is not None:
                raise ValueError("rng is None, expected a generator as in that run")
            self.batches.go_on(saved.run.get("stream"), self.rng)
        saved.put_into(self.model, self.optimizer, self.rng, go_on=True)
        vars(self.history).update(vars(saved.history))
        self.asked = saved.history.stopped == ASKED
        self.first_settings = saved.run.get("optimizer", self.first_settings)
        self.best = saved.best
        if self.best:
            self.best_loss = losses[best_epoch - 1]
