"""Training a model: batches, clipping, progress, early stop, checkpoints."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checkpoint import load_checkpoint, save_checkpoint
from .gradients import clip_by_global_norm, global_norm
from .history import History
from .model import Model
from .optim import Optimizer
from .progress import ProgressBar
from .validation import (
    NotFiniteError,
    copy_params,
    numeric,
    require_finite,
    require_positive,
    require_rng,
    require_size,
)


class TrainingDiverged(FloatingPointError):
    """The loss or its gradient is no longer a finite number; the message says where."""


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
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train `model` in place by gradient descent on shuffled batches of sequences.

    Parameters
    ----------
    model : Model
    x, targets, lengths, mask
        The training data, as for `Model.loss_and_gradients`. A batch (or chunk, see `truncate`)
        in which the mask counts nothing makes no update.
    epochs : int
        Passes over the data, including those of the run that is resumed.
    optimizer : SGD, RMSprop or Adam
    rng : numpy.random.Generator
        Shuffles the sequences before each epoch.
    batch_size : int, optional
        Sequences in a batch; all of them if left out.
    clip_norm : float, optional
        Scale gradients down to this global norm.
    truncate : int, optional
        Truncated back-propagation for many-to-many models: cut the sequences into chunks of this
        many steps, carry the state from chunk to chunk, and update after each chunk.
    validation : mapping, optional
        Held-out data: {"x": …, "targets": …} and, where needed, "lengths" and "mask".
    patience : int, optional
        Stop after this many epochs without a lower validation loss, and put back the weights of
        the best epoch.
    checkpoint : path, optional
        Written after each epoch, atomically, over whatever file has that name.
    resume : bool
        Go on from `checkpoint` if that file exists. The run then ends with exactly the weights
        and history that an uninterrupted run would have given.
    progress : bool
        Show a bar in a terminal or notebook.

    Returns
    -------
    History

    Raises
    ------
    TrainingDiverged
        The loss or its gradient became NaN or infinite. The model keeps its weights
        of the last good update.
    KeyboardInterrupt
        Passed on. The model keeps its weights of the last complete update.
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
    if patience is not None and validation is None:
        raise ValueError("patience needs validation data")
    if resume and checkpoint is None:
        raise ValueError("resume needs the path of a checkpoint")
    if checkpoint is not None:
        file = Path(checkpoint).absolute()
        if file.is_dir() or not file.parent.is_dir():
            raise ValueError(f"checkpoint is {file}, expected a file in a folder that exists")
    given = {"x": x, "targets": targets, "lengths": lengths, "mask": mask}
    data = {n: numeric(n, a, "biuf", "numbers") for n, a in given.items() if a is not None}
    # One pass over all data finds what does not fit before a weight has changed.
    with np.errstate(over="ignore"):  # a loss too large for its dtype is reported below
        model.loss(**data)
        if validation is not None:
            model.loss(**validation)

    run = _Run(model, optimizer, rng, clip_norm)
    if checkpoint is not None and resume and os.path.exists(checkpoint):
        run.load(checkpoint)
    history = run.history
    batches = _Batches(model, data, batch_size, truncate)
    left = max(0, epochs - history.epochs)
    with ProgressBar(left * batches.updates, "updates", progress) as bar:
        while not (reason := _reason_to_stop(history, epochs, patience)):
            run.train_epoch(batches, bar)
            if validation is not None:
                run.validate(validation)
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


class _Batches:
    """Cuts the data into batches of sequences and, for truncation, into chunks of steps."""

    def __init__(
        self, model: Model, data: dict[str, NDArray], batch_size: int | None, truncate: int | None
    ) -> None:
        # Which axis of each array counts the sequences.
        target_axis = 0 if model.arrangement == "many-to-one" else 1
        x_axis = 0 if model.arrangement == "one-to-many" else 1
        self.axes = {"x": x_axis, "targets": target_axis, "mask": target_axis, "lengths": 0}
        self.data, self.truncate = data, truncate
        self.sequences = data["x"].shape[x_axis]
        self.batch_size = batch_size or self.sequences

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        chunks = 1 if self.truncate is None else -(-len(self.data["x"]) // self.truncate)
        return -(-self.sequences // self.batch_size) * chunks

    def shuffled(self, rng: np.random.Generator) -> Iterator[list[dict[str, NDArray]]]:
        """Yield each batch as a list of its chunks, in time order."""
        order = rng.permutation(self.sequences)
        for start in range(0, self.sequences, self.batch_size):
            chosen = order[start : start + self.batch_size]
            batch = {n: np.take(a, chosen, self.axes[n]) for n, a in self.data.items()}
            if self.truncate is None:
                yield [batch]
            else:
                k, T = self.truncate, len(batch["x"])
                yield [{n: a[t : t + k] for n, a in batch.items()} for t in range(0, T, k)]


def _counts_any(chunk: dict[str, NDArray]) -> bool:
    """Return False if the mask leaves no prediction of the chunk that counts."""
    if "mask" not in chunk:
        return True
    counted = chunk["mask"]
    if counted.ndim == 2 and "lengths" in chunk:
        counted = counted & (np.arange(len(counted))[:, None] < chunk["lengths"])
    return bool(counted.any())


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
        total, weight = 0.0, 0
        for chunks in batches.shuffled(self.rng):
            state = None
            for chunk in chunks:
                if not _counts_any(chunk):  # nothing to learn here: only carry the state on
                    if batches.truncate is not None:
                        _, state, _ = self.model.layer.forward(chunk["x"], state)
                    bar.advance()
                    continue
                E, state = self._train_on(chunk, state)
                size = chunk["targets"].size
                total, weight = total + E * size, weight + size
                bar.advance(f"loss {E:.4g}")
        self.history.loss.append(total / weight)

    def _train_on(self, chunk: dict[str, NDArray], state: Any) -> tuple[float, Any]:
        """Make one update; on any failure leave weights and optimizer as they were before it."""
        model = self.model
        before = {name: W.copy() for name, W in model.params.items()}
        memory = self.optimizer.state()
        try:
            # NaN and infinity are looked for below, with a better message than NumPy's warning.
            with np.errstate(over="ignore", invalid="ignore"):
                E, grads, state = model.loss_and_gradients(**chunk, state=state)
                norm = global_norm(grads)
                if not np.isfinite(E):
                    raise NotFiniteError(f"the loss is {E}")
                if self.clip_norm is not None:
                    clip_by_global_norm(grads, self.clip_norm)
                elif not np.isfinite(norm):
                    raise NotFiniteError(f"the gradient norm is {norm}")
                self.optimizer.step(model.params, grads)
            for name, W in model.params.items():
                require_finite(f"{name} after the update", W)
        except BaseException as error:
            copy_params(model.params, before)
            self.optimizer.load_state(memory)
            if isinstance(error, NotFiniteError | FloatingPointError):
                raise TrainingDiverged(self._report(error)) from error
            raise
        self.history.gradient_norm.append(norm)
        return E, state

    def _report(self, error: Exception) -> str:
        norms = self.history.gradient_norm
        return (
            f"training stopped in epoch {self.history.epochs + 1} at update {len(norms) + 1}: "
            f"{error}. The gradient norm of the update before was "
            f"{f'{norms[-1]:.3g}' if norms else 'not yet measured'}. The model keeps its weights "
            f"of the last good update. Try a smaller learning_rate (now "
            f"{self.optimizer.learning_rate:g}) or a smaller clip_norm (now {self.clip_norm})"
        )

    def validate(self, data: Mapping[str, ArrayLike]) -> None:
        """Measure the validation loss and remember the weights if it is the lowest so far."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                E = self.model.loss(**data)
            if not np.isfinite(E):
                raise NotFiniteError(f"the loss is {E}")
        except NotFiniteError as error:
            raise TrainingDiverged(f"on the validation data: {self._report(error)}") from error
        losses = self.history.validation_loss
        if not losses or min(losses) > E:
            self.history.best_epoch = self.history.epochs
            self.best = {name: W.copy() for name, W in self.model.params.items()}
        losses.append(E)

    def save(self, path: str | os.PathLike) -> None:
        save_checkpoint(
            path, self.model, self.optimizer, rng=self.rng, history=self.history, best=self.best
        )

    def load(self, path: str | os.PathLike) -> None:
        self.history, self.best = load_checkpoint(path, self.model, self.optimizer, rng=self.rng)
