"""Training a model: batches, clipping, progress, early stop, checkpoints."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..gradients.check import clip_by_global_norm, global_norm
from ..layers import layer as call
from ..model import Model
from ..validation import (
    NotFiniteError,
    boolean_array,
    copy_params,
    numeric,
    require_finite,
    require_positive,
    require_rng,
    require_shape,
    require_size,
    whole_numbers,
)
from .checkpoint import load_checkpoint, save_checkpoint
from .history import History
from .optim import Optimizer
from .progress import ProgressBar


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
    x: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int | None = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    clip_norm: float | None = None,
    truncate: int | None = None,
    validation: Mapping[str, ArrayLike] | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train `model` in place by gradient descent on shuffled batches of sequences.

    Parameters
    ----------
    model : Model
    x, targets, lengths, mask
        The training data, as for `Model.loss_and_gradients`. A batch (or chunk, see `truncate`)
        in which nothing counts makes no update.
    epochs : int
        Passes over the data, including those of the run that is resumed.
    optimizer : SGD, RMSprop or Adam
        It keeps its memory between calls: make a new one for a new run.
    rng : numpy.random.Generator
        Shuffles the sequences before each epoch.
    batch_size : int, optional
        Sequences in a batch; all of them if left out.
    clip_norm : float, optional
        Scale gradients down to this global norm.
    truncate : int, optional
        Truncated backpropagation for many-to-many models: cut the sequences into chunks of this
        many steps, carry the state from chunk to chunk, and update after each chunk.
    validation : mapping, optional
        Held-out data: {"x": …, "targets": …} and, where needed, "lengths" and "mask".
    patience : int, optional
        Stop after this many epochs without a lower validation loss, and put back the weights of
        the best epoch.
    checkpoint : path, optional
        Written after each epoch, atomically, over whatever file has that name.
    resume : bool
        Go on from `checkpoint` if that file exists, with the arguments of the first run. It then
        ends with exactly the weights and history that an uninterrupted run would have given.
    progress : bool
        Show a bar in a terminal or notebook.

    Returns
    -------
    History

    Raises
    ------
    TrainingDiverged
        The loss or its gradient became NaN or infinite. The model keeps its weights of the last
        good update, and the exception has the history.
    KeyboardInterrupt
        Passed on. The model keeps its weights of the last complete update; the history is in the
        checkpoint, if one was asked for.
    TypeError, ValueError
        Arguments that do not fit, before any weight has changed.
    """
    require_size("epochs", epochs)
    require_rng(rng)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}, expected SGD, RMSprop or Adam")
    if clip_norm is not None:
        require_positive("clip_norm", clip_norm)
    counts = {"batch_size": batch_size, "truncate": truncate, "patience": patience}
    for name, count in counts.items():
        if count is not None:
            require_size(name, count)
    if truncate is not None and (model.arrangement != "many-to-many" or lengths is not None):
        raise ValueError("truncate needs a many-to-many model and sequences of one length")
    if truncate is not None:
        call.require_causal(model.layer, "truncation")
    if patience is not None and validation is None:
        raise ValueError("patience needs validation data")
    if resume and checkpoint is None:
        raise ValueError("resume needs the path of a checkpoint")
    if checkpoint is not None:
        file = Path(checkpoint).absolute()
        if file.is_dir() or not file.parent.is_dir():
            raise ValueError(f"checkpoint is {file}, expected a file in a folder that exists")
    batches = _Batches(model, batch_size, truncate, x, targets, lengths, mask)
    # One pass over all data finds what does not fit before a weight has changed.
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is reported below
        batches.loss()
        held_out = None if validation is None else _held_out(model, batch_size, validation)

    run = _Run(model, optimizer, rng, clip_norm)
    if checkpoint is not None and resume and os.path.exists(checkpoint):
        run.load(checkpoint)
    history = run.history
    left = max(0, epochs - history.epochs)
    with ProgressBar(left * batches.updates, "updates", progress) as bar:
        while not (reason := _reason_to_stop(history, epochs, patience)):
            run.train_epoch(batches, bar)
            if held_out is not None:
                run.validate(held_out)
            if checkpoint is not None:
                run.save(checkpoint)
    history.stopped = reason
    if patience is not None and run.best:
        copy_params(model.params, run.best)
    return history


def _reason_to_stop(history: History, epochs: int, patience: int | None) -> str:
    # A run that is resumed may have begun without validation data, hence without a best epoch.
    waited = history.epochs - history.best_epoch if history.best_epoch else 0
    if patience is not None and waited >= patience:
        return f"no lower validation loss for {patience} epochs"
    if history.epochs >= epochs:
        return f"{history.epochs} epochs done"
    return ""


def _held_out(
    model: Model, batch_size: int | None, validation: Mapping[str, ArrayLike]
) -> "_Batches":
    """Return the validation data, checked; an error says that it is about them."""
    names = {"x", "targets", "lengths", "mask"}
    if not isinstance(validation, Mapping):
        raise TypeError(f"validation is a {type(validation).__name__}, expected a mapping")
    if not {"x", "targets"} <= set(validation) <= names:
        raise ValueError(
            f"validation has {sorted(validation)}, expected x and targets, and where needed "
            "lengths and mask"
        )
    try:
        batches = _Batches(model, batch_size, None, **validation)
        batches.loss()
    except (TypeError, ValueError) as error:
        raise type(error)(f"in validation, {error}") from error
    return batches


class _Batches:
    """Cuts data into batches of sequences and, for truncation, into chunks of steps."""

    def __init__(
        self,
        model: Model,
        batch_size: int | None,
        truncate: int | None,
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

        self.model, self.truncate = model, truncate
        self.sequences, self.batch_size = B, batch_size or B
        self.data: dict[str, NDArray] = {"x": x, "targets": targets}
        # Which axis of each array counts the sequences; where it is 1, axis 0 is time.
        self.axes = {"x": 0 if one_to_many else 1, "targets": len(predictions) - 1, "lengths": 0}
        self.axes["mask"] = self.axes["targets"]
        if lengths is not None:
            T = len(targets) if one_to_many else len(x)
            self.data["lengths"] = whole_numbers("lengths", lengths, (B,), 1, T)
        if mask is not None:
            self.data["mask"] = boolean_array("mask", mask, predictions)

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        chunks = 1 if self.truncate is None else -(-len(self.data["x"]) // self.truncate)
        return -(-self.sequences // self.batch_size) * chunks

    def split(self, order: NDArray[np.intp]) -> Iterator[Iterator[dict[str, NDArray]]]:
        """Yield each batch as its chunks, in time order."""
        for start in range(0, self.sequences, self.batch_size):
            yield self._chunks(order[start : start + self.batch_size])

    def _chunks(self, chosen: NDArray[np.intp]) -> Iterator[dict[str, NDArray]]:
        """Yield the chunks of the chosen sequences one by one, so that memory holds one only."""
        T = max(len(a) for n, a in self.data.items() if self.axes[n] == 1)
        if "lengths" in self.data:  # the longest sequence of the batch decides how far it runs
            T = self.data["lengths"][chosen].max()
        k = T if self.truncate is None else self.truncate
        for t in range(0, T, k):
            yield {
                n: np.take(a[t : t + k] if self.axes[n] == 1 else a, chosen, self.axes[n])
                for n, a in self.data.items()
            }

    def counted(self, chunk: dict[str, NDArray]) -> int:
        """Return how many predictions of a chunk count in the loss."""
        counts = np.ones(chunk["targets"].shape[: self.axes["targets"] + 1], bool)
        if "mask" in chunk:
            counts &= chunk["mask"]
        if "lengths" in chunk and counts.ndim == 2:
            counts &= np.arange(len(counts))[:, None] < chunk["lengths"]
        return int(counts.sum())

    def carry(self, chunk: dict[str, NDArray], state: Any) -> Any:
        """Return the state after a chunk in which nothing counts."""
        return call.run(self.model.layer, chunk["x"], state, None)[1] if self.truncate else None

    def loss(self) -> float:
        """Return the loss over all data; raise if any of it does not fit."""
        total = _Total(self.model)
        for chunks in self.split(np.arange(self.sequences)):
            for chunk in chunks:
                if count := self.counted(chunk):
                    total.add(self.model.loss(**chunk), count)
                else:
                    self.carry(chunk, None)
        return total.loss


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
        rng: np.random.Generator,
        clip_norm: float | None,
    ) -> None:
        self.model, self.optimizer, self.rng, self.clip_norm = model, optimizer, rng, clip_norm
        self.history = History()
        self.best: dict[str, NDArray] = {}

    def train_epoch(self, batches: _Batches, bar: ProgressBar) -> None:
        total = _Total(self.model)
        for chunks in batches.split(self.rng.permutation(batches.sequences)):
            state = None
            for chunk in chunks:
                if count := batches.counted(chunk):
                    E, state = self._train_on(chunk, state)
                    total.add(E, count)
                    bar.advance(f"loss {E:.4g}")
                else:  # nothing to learn here
                    state = batches.carry(chunk, state)
                    bar.advance()
        self.history.loss.append(total.loss)

    def _train_on(self, chunk: dict[str, NDArray], state: Any) -> tuple[float, Any]:
        """Make one update; on any failure leave weights and optimizer as they were before it."""
        model = self.model
        before = {name: W.copy() for name, W in model.params.items()}
        memory = self.optimizer.state()
        try:
            # NaN and infinity are looked for below, with a better message than NumPy's warning.
            with np.errstate(over="ignore", invalid="ignore"):
                found = model.loss_and_gradients(**chunk, state=state)
                if not np.isfinite(found.E):
                    raise NotFiniteError(f"the loss is {found.E}")
                if self.clip_norm is None:
                    norm = global_norm(found.grads)
                else:
                    norm = clip_by_global_norm(found.grads, self.clip_norm)
                if not np.isfinite(norm):
                    raise NotFiniteError(f"the gradient norm is {norm}")
                self.optimizer.step(model.params, found.grads)
            for name, W in model.params.items():
                require_finite(f"{name} after the update", W)
        except BaseException as error:
            copy_params(model.params, before)
            self.optimizer.load_state(memory)
            if isinstance(error, NotFiniteError | FloatingPointError):
                raise TrainingDiverged(self._report(error), self.history) from error
            raise
        self.history.gradient_norm.append(norm)
        return found.E, found.state_T

    def _report(self, error: Exception) -> str:
        norms = self.history.gradient_norm
        clip = "clip the gradient: clip_norm=1.0"
        if self.clip_norm is not None:
            clip = f"a smaller clip_norm (now {self.clip_norm:g})"
        return (
            f"training stopped in epoch {self.history.epochs + 1} at update {len(norms) + 1}: "
            f"{error}. The gradient norm of the update before was "
            f"{f'{norms[-1]:.3g}' if norms else 'not yet measured'}. The model keeps its weights "
            f"of the last good update. Try a smaller learning_rate (now "
            f"{self.optimizer.learning_rate:g}) or {clip}, or shorter sequences"
        )

    def validate(self, held_out: _Batches) -> None:
        """Measure the validation loss and remember the weights if it is the lowest so far."""
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                E = held_out.loss()
            except NotFiniteError:
                E = np.nan
        if not np.isfinite(E):
            message = f"the validation loss after epoch {self.history.epochs} is {E}"
            raise TrainingDiverged(message, self.history)
        losses = self.history.validation_loss
        if not losses or min(losses) > E:
            self.history.best_epoch = self.history.epochs
            self.best = {name: W.copy() for name, W in self.model.params.items()}
        losses.append(E)

    def save(self, path: str | os.PathLike[str]) -> None:
        save_checkpoint(
            path, self.model, self.optimizer, rng=self.rng, history=self.history, best=self.best
        )

    def load(self, path: str | os.PathLike[str]) -> None:
        self.history, self.best = load_checkpoint(path, self.model, self.optimizer, rng=self.rng)
