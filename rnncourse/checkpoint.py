"""Saving and loading the state of a training run: one ``.npz`` file, no pickle.

A checkpoint is written beside its target and moved over it in one step, so that an interrupted
save leaves the old file whole.
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "rnncourse checkpoint 1"


def save_arrays(path: str | os.PathLike, arrays: Mapping[str, NDArray], header: Any) -> None:
    """Write named arrays and a JSON-able header to `path`, atomically.

    Parameters
    ----------
    path : file to write or replace; its folder must exist
    arrays : mapping of numeric arrays
    header : anything `json` can write
    """
    path = Path(path)
    # Some random generators keep part of their state in an array: write it as a list.
    text = json.dumps({"format": FORMAT, "header": header}, default=np.ndarray.tolist)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **{"": np.array(text), **arrays})
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_arrays(path: str | os.PathLike) -> tuple[dict[str, NDArray], Any]:
    """Read what `save_arrays` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, damaged, holds pickled objects, or is not a checkpoint. Pickled
        data is never executed.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        text = json.loads(str(arrays.pop("")))
        if text["format"] != FORMAT:
            raise KeyError("format")
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError) as error:
        raise ValueError(_unreadable(path, error)) from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(_unreadable(path, error)) from error
    return arrays, text["header"]


def _unreadable(path: Path, error: Exception) -> str:
    return (
        f"path {path} is not a whole rnncourse checkpoint ({type(error).__name__}: {error}); "
        "expected a .npz file that rnncourse wrote"
    )
