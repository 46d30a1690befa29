"""Checkpoints: the state of a training run in one ``.npz`` file, no pickle.

A checkpoint is a file of `Model.save` with more in it: `Model.load` reads the model from it.
"""

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import PathLike, load_arrays, save_arrays
from ..layers.architecture import difference
from ..model import MODEL_FORMAT, VERSION_0_1, Model
from ..validation import (
    copy_params,
    fitting_params,
    require_shape,
    require_size,
)
from .history import History
from .optim import Optimizer

RECORDS = ("loss", "validation_loss", "update_loss", "gradient_norm")  # the lists of a history


def save_checkpoint(
    path: PathLike,
    model: Model,
    optimizer: Optimizer | None = None,
    *,
    rng: np.random.Generator | None = None,
    history: History | None = None,
    best: Mapping[str, NDArray] | None = None,
    last: Mapping[str, NDArray] | None = None,
    run: Mapping[str, Any] | None = None,
) -> None:
    """Write a model, and if given the rest of a training run, to an ``.npz`` file.

    The file appears whole or not at all, and holds plain arrays only (no pickle).

    Parameters
    ----------
    path : file to write or replace
    model : Model
    optimizer, rng, history, best
        What `fit` needs besides the weights to go on; `best` holds the weights of the epoch with
        the lowest validation loss.
    last : mapping of weights, optional
        Those to go on from, if they are not the model's.
    run : mapping, optional
        What else `fit` wants to find again: numbers and words.
    """
    arrays = {f"params/{name}": W for name, W in model.params.items()}
    arrays |= {f"best/{name}": W for name, W in (best or {}).items()}
    arrays |= {f"last/{name}": W for name, W in (last or {}).items()}
    if optimizer is not None:
        arrays |= {f"optimizer/{name}": a for name, a in optimizer.state().items()}
    if history is not None:
        arrays |= {f"history/{name}": np.array(getattr(history, name), float) for name in RECORDS}
        arrays |= {f"metrics/{name}": np.array(v, float) for name, v in history.metrics.items()}
    training = {
        "optimizer": type(optimizer).__name__ if optimizer is not None else None,
        "settings": optimizer.settings() if optimizer is not None else None,
        "rng": rng.bit_generator.state if rng is not None else None,
        "best_epoch": history.best_epoch if history is not None else 0,
        "stopped": history.stopped if history is not None else "",
        "run": dict(run or {}),
    }
    header = {"model": model.description, "training": training}
    save_arrays(path, arrays, header, format=MODEL_FORMAT)


def load_checkpoint(
    path: PathLike,
    model: Model,
    optimizer: Optimizer | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> tuple[History, dict[str, NDArray]]:
    """Read a checkpoint into `model` and, where given, into `optimizer` and `rng`.

    Nothing is changed unless everything that was asked for is there and fits. The optimizer keeps
    its own settings, such as the learning rate.

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
    saved = read_checkpoint(path, model, optimizer, rng=rng)
    saved.put_into(model, optimizer, rng)
    return saved.history, saved.best


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds, after it has been found to fit.

    Attributes
    ----------
    path : where it came from
    weights, best, last : by name; the last two may be empty
    memory : of the optimizer
    settings : of the optimizer, as they were then
    rng : state of the generator, or None
    history : History
    run : what `fit` noted
    """

    path: str
    weights: dict[str, NDArray]
    best: dict[str, NDArray]
    last: dict[str, NDArray]
    memory: dict[str, NDArray]
    settings: dict[str, Any] | None
    rng: Any
    history: History
    run: dict[str, Any]

    def require_run(self, optimizer: Optimizer, run: dict[str, Any]) -> None:
        """Raise unless it was written by a run that began with these settings.

        Those of the optimizer may have changed on the way. Both are accepted: a script that is
        started again has the first, a session that goes on has the latest.
        """
        own = optimizer.settings()
        with self.fitting():
            noted = self.run.get("settings") or run
            latest = (self.settings or own) | noted
            first = self.run.get("optimizer", latest) | noted
            for name, value in (own | run).items():
                if value not in (first.get(name), latest.get(name)):
                    raise ValueError(
                        f"its {name} is {first.get(name)}, expected {value} as in this run. "
                        "To go on with other settings, give its history to a new run"
                    )
            # Tried on a copy, so that what does not fit changes nothing.
            copy.deepcopy(optimizer).load_settings(self.settings or {})

    def put_into(
        self,
        model: Model,
        optimizer: Optimizer | None,
        rng: np.random.Generator | None,
        go_on: bool = False,
    ) -> None:
        """Copy all into a model, an optimizer and a generator.

        To go on with the run, the last weights are taken, and the optimizer's latest settings.
        """
        copy_params(model.params, self.last if go_on and self.last else self.weights)
        if optimizer is not None:
            if go_on:
                optimizer.load_settings(self.settings or {})
            optimizer.load_state(self.memory)
        if rng is not None:
            rng.bit_generator.state = self.rng

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Say of which file an error is."""
        with _fitting(self.path):
            yield


@contextmanager
def _fitting(path: PathLike) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"checkpoint {os.fspath(path)} does not fit: {error}") from error


def read_checkpoint(
    path: PathLike,
    model: Model,
    optimizer: Optimizer | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> Saved:
    """Return what a checkpoint holds for this model, optimizer and generator; change nothing.

    Raises
    ------
    FileNotFoundError, ValueError
        As for `load_checkpoint`.
    """
    arrays, header = load_arrays(path, MODEL_FORMAT, VERSION_0_1)

    def part(prefix: str) -> dict[str, NDArray]:
        return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}

    with _fitting(path):
        if isinstance(header["model"], str):
            arrays, header = _from_version_0_1(arrays, header, model)
        if words := difference(header["model"], model.description):
            raise ValueError(words)
        training = header["training"] or {}
        if optimizer is not None and training.get("optimizer") != type(optimizer).__name__:
            expected = type(optimizer).__name__
            raise ValueError(f"its optimizer is {training.get('optimizer')}, expected {expected}")
        state: Any = training.get("rng")
        if rng is not None and (state or {}).get("bit_generator") != (
            kind := rng.bit_generator.state["bit_generator"]
        ):
            raise ValueError(f"it holds no state of a {kind} generator")
        records = part("history/") | part("metrics/")
        if odd := [n for n, a in records.items() if a.ndim != 1 or a.dtype != np.float64]:
            raise ValueError(f"{odd[0]} of its history is no list of numbers")
        history = History(
            **{name: values.tolist() for name, values in part("history/").items()},
            metrics={name: values.tolist() for name, values in part("metrics/").items()},
            best_epoch=require_size("best_epoch", training.get("best_epoch", 0), 0),
            stopped=str(training.get("stopped", "")),
        )
        best, last, memory = part("best/"), part("last/"), part("optimizer/")
        owners = {key: key.rpartition(".")[0] for key in memory if key != "steps"}
        if owners and set(owners.values()) != set(model.params):
            raise ValueError(f"its optimizer state is of {sorted(set(owners.values()))}")
        for key, owner in owners.items():
            require_shape(key, memory[key], model.params[owner].shape)
        known = ("params/", "best/", "last/", "optimizer/", "history/", "metrics/")
        if strays := [name for name in arrays if not name.startswith(known)]:
            raise ValueError(f"it holds {', '.join(strays)}, which no checkpoint has")
        saved = Saved(
            os.fspath(path),
            fitting_params(model.params, part("params/")),
            best and fitting_params(model.params, best),
            last and fitting_params(model.params, last),
            memory,
            training.get("settings"),
            state,
            history,
            training.get("run", {}),
        )
        # Tried on copies, so that what does not fit changes nothing.
        if optimizer is not None:
            copy.deepcopy(optimizer).load_state(memory)
        if rng is not None:
            copy.deepcopy(rng).bit_generator.state = state
    return saved


def _from_version_0_1(
    arrays: dict[str, NDArray], header: dict[str, Any], model: Model
) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Return the contents of a checkpoint of version 0.1 in today's form.

    It named its model in words without sizes, kept no settings, and had its history as text.
    """
    layer = model.layer
    kind = f"{type(layer).__name__} {model.arrangement} {model.loss_name} {model.reduction}"
    if header["model"] != f"{kind} {layer.dtype}":
        raise ValueError(f"its model is {header['model']}, expected {kind} {layer.dtype}")
    history: dict[str, Any] = header["history"] or {"loss": []}
    before = len(history["loss"]) - len(history.get("validation_loss", []))
    if history.get("validation_loss"):  # it did not say to which epochs these belong
        history["validation_loss"][:0] = [float("nan")] * before
    kept = (name for name in RECORDS if name in history)
    arrays |= {f"history/{name}": np.array(history[name], float) for name in kept}
    training = {
        "optimizer": header["optimizer"],
        "rng": header["rng"],
        "best_epoch": history.get("best_epoch", 0),
        "stopped": history.get("stopped", ""),
    }
    return arrays, {"model": model.description, "training": training}
