"""Training a model: batches, clipping, progress, early stop, checkpoints."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checkpoint import load_arrays, save_arrays
from .gradients import clip_by_global_norm, global_norm
from .model import Model
from .optim import Optimizer
from .progress import ProgressBar
from .validation import (
    NotFiniteError,
    copy_params,
    require_finite,
    require_positive,
    require_rng,
    require_size,
)


class TrainingDiverged(FloatingPointError):
    """The loss or its gradient is no longer a finite number; the message says where."""


@dataclass
class History:
    """What happened in a training run.

    Attributes
    ----------
    loss : training loss of each epoch: the mean over its updates, weighted by the number of
        sequences and steps that each update covers
    validation_loss : validation loss after each epoch; empty without validation data
    gradient_norm : global norm of the gradient before clipping, one for each update
    best_epoch : epoch (from 1) with the lowest validation loss; 0 without validation data
    stopped : why the run ended, in words; empty while it goes on
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def epochs(self) -> int:
        """Number of epochs completed."""
        return len(self.loss)


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
        The training data, as for `Model.loss_and_gradients`.
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
        The loss or its gradient became NaN or infinite. The model keeps its last good weights.
    KeyboardInterrupt
        Passed on. The model keeps the weights of the last complete update.
    TypeError, ValueError
        Arguments that do not fit, before any weight has changed.
    """
    require_size("epochs", epochs)
    require_rng(rng)
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
    given = {"x": x, "targets": targets, "lengths": lengths, "mask": mask}
    data = {name: np.asarray(value) for name, value in given.items() if value is not None}
    # One pass over all data finds what does not fit before a weight has changed.
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
                run.remember_best(model.loss(**validation))
            if checkpoint is not None:
                run.save(checkpoint)
    history.stopped = reason
    if patience is not None:
        copy_params(model.params, run.best)
    return history


def _reason_to_stop(history: History, epochs: int, patience: int | None) -> str:
    if patience is not None and history.epochs - history.best_epoch >= patience:
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
                E, state = self._train_on(chunk, state)
                size = chunk["targets"].size
                total, weight = total + E * size, weight + size
                bar.advance(f"loss {E:.4g}")
        self.history.loss.append(total / weight)

    def _train_on(self, chunk: dict[str, NDArray], state: Any) -> tuple[float, Any]:
        """Make one update; on any failure leave the weights as they were before it."""
        model, norm = self.model, np.nan
        before = {name: W.copy() for name, W in model.params.items()}
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
        except (NotFiniteError, FloatingPointError) as error:
            copy_params(model.params, before)
            raise TrainingDiverged(self._report(error)) from error
        except BaseException:
            copy_params(model.params, before)
            raise
        self.history.gradient_norm.append(norm)
        return E, state

    def _report(self, error: Exception) -> str:
        norms = self.history.gradient_norm
        return (
            f"training stopped in epoch {self.history.epochs + 1} at update {len(norms) + 1}: "
            f"{error}. The gradient norm of the update before was "
            f"{f'{norms[-1]:.3g}' if norms else 'not yet measured'}. The model keeps the weights "
            f"from before this update. Try a smaller learning_rate (now "
            f"{self.optimizer.learning_rate:g}) or a smaller clip_norm (now {self.clip_norm})"
        )

    def remember_best(self, validation_loss: float) -> None:
        losses = self.history.validation_loss
        if not losses or validation_loss < min(losses):
            self.history.best_epoch = self.history.epochs
            self.best = {name: W.copy() for name, W in self.model.params.items()}
        losses.append(validation_loss)

    def save(self, path: str | os.PathLike) -> None:
        save_checkpoint(
            path, self.model, self.optimizer, rng=self.rng, history=self.history, best=self.best
        )

    def load(self, path: str | os.PathLike) -> None:
        self.history, self.best = load_checkpoint(path, self.model, self.optimizer, rng=self.rng)


def save_checkpoint(
    path: str | os.PathLike,
    model: Model,
    optimizer: Optimizer | None = None,
    *,
    rng: np.random.Generator | None = None,
    history: History | None = None,
    best: Mapping[str, NDArray] | None = None,
) -> None:
    """Write a model, and if given the rest of a training run, to an ``.npz`` file.

    The file appears whole or not at all, and holds plain arrays only (no pickle).

    Parameters
    ----------
    path : file to write or replace
    model : Model
    optimizer, rng, history, best
        What `fit` needs besides the weights to go on exactly; `best` holds the weights of the
        epoch with the lowest validation loss.
    """
    arrays = {f"params/{name}": W for name, W in model.params.items()}
    arrays |= {f"best/{name}": W for name, W in (best or {}).items()}
    if optimizer is not None:
        arrays |= {f"optimizer/{name}": a for name, a in optimizer.state().items()}
    header = {
        "model": _kind(model),
        "optimizer": type(optimizer).__name__ if optimizer is not None else None,
        "rng": rng.bit_generator.state if rng is not None else None,
        "history": asdict(history) if history is not None else None,
    }
    save_arrays(path, arrays, header)


def load_checkpoint(
    path: str | os.PathLike,
    model: Model,
    optimizer: Optimizer | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> tuple[History, dict[str, NDArray]]:
    """Read a checkpoint into `model` and, where given, into `optimizer` and `rng`.

    Nothing is changed unless everything that was asked for is there and fits.

    Returns
    -------
    history : History, empty if none was saved
    best : dict of the best weights so far, empty if none were saved

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is damaged, holds pickled objects, or belongs to another model, optimizer or
        kind of random generator.
    """
    arrays, header = load_arrays(path)

    def part(prefix: str) -> dict[str, NDArray]:
        return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}

    try:
        asked = {"model": _kind(model)}
        if optimizer is not None:
            asked["optimizer"] = type(optimizer).__name__
        for what, expected in asked.items():
            if header[what] != expected:
                raise ValueError(f"its {what} is {header[what]}, expected {expected}")
        if rng is not None and (header["rng"] or {}).get("bit_generator") != (
            kind := rng.bit_generator.state["bit_generator"]
        ):
            raise ValueError(f"it holds no state of a {kind} generator")
        history = History(**(header["history"] or {}))
        before = {name: W.copy() for name, W in model.params.items()}
        copy_params(model.params, part("params/"))
        try:
            if rng is not None:
                rng.bit_generator.state = header["rng"]
            if optimizer is not None:
                optimizer.load_state(part("optimizer/"))
        except BaseException:
            copy_params(model.params, before)
            raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"checkpoint {os.fspath(path)} does not fit: {error}") from error
    return history, part("best/")


def _kind(model: Model) -> str:
    layer = type(model.layer).__name__
    return f"{layer} {model.arrangement} {model.loss_name} {model.layer.dtype}"
