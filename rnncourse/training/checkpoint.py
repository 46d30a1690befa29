"""Checkpoints: the state of a training run in one ``.npz`` file, no pickle.

A checkpoint is written beside its target and moved over it in one step, so that an interrupted
save leaves the old file whole.
"""

import copy
import os
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from ..files import load_arrays, save_arrays
from ..model import Model
from ..validation import copy_params, fitting_params, require_shape
from .history import History
from .optim import Optimizer

FORMAT = "rnncourse checkpoint 1"


def save_checkpoint(
    path: str | os.PathLike[str],
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
        What `fit` needs besides the weights to go on; `best` holds the weights of the epoch with
        the lowest validation loss. The settings of the optimizer are not saved.
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
    save_arrays(path, arrays, header, format=FORMAT)


def load_checkpoint(
    path: str | os.PathLike[str],
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
    arrays, header = load_arrays(path, FORMAT)

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
        best, memory = part("best/"), part("optimizer/")
        if best:
            best = fitting_params(model.params, best)
        owners = {key: key.rpartition(".")[0] for key in memory if key != "steps"}
        if owners and set(owners.values()) != set(model.params):
            raise ValueError(f"its optimizer state is of {sorted(set(owners.values()))}")
        for key, owner in owners.items():
            require_shape(key, memory[key], model.params[owner].shape)
        if strays := [n for n in arrays if not n.startswith(("params/", "best/", "optimizer/"))]:
            raise ValueError(f"it holds {', '.join(strays)}, which no checkpoint has")
        weights = fitting_params(model.params, part("params/"))
        # Tried on copies, so that what does not fit changes nothing.
        if optimizer is not None:
            copy.deepcopy(optimizer).load_state(memory)
        if rng is not None:
            copy.deepcopy(rng).bit_generator.state = header["rng"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"checkpoint {os.fspath(path)} does not fit: {error}") from error
    copy_params(model.params, weights)
    if optimizer is not None:
        optimizer.load_state(memory)
    if rng is not None:
        rng.bit_generator.state = header["rng"]
    return history, best


def _kind(model: Model) -> str:
    layer = type(model.layer).__name__
    return f"{layer} {model.arrangement} {model.loss_name} {model.reduction} {model.layer.dtype}"
