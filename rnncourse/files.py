"""Files that appear whole or not at all, and arrays in them without a pickle.

A file is written beside its target and moved over it in one step, so that whatever interrupts a
save leaves the old file as it was.
"""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

PathLike = str | os.PathLike[str]
ABANDONED = 3600.0  # seconds without a write after which a temporary file belongs to nobody


@contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of `path` when all is written, or never.

    Where `path` is a symbolic link, what it points to is replaced. The new file has the permissions
    of the old one. What killed processes have left of earlier tries is removed.

    Parameters
    ----------
    path : file to write or replace; its folder must exist

    Raises
    ------
    TypeError
        `path` is neither text nor a path.
    OSError
        `path` is a folder or a device, its folder is missing, or the file cannot be written.
    """
    target = _target("path", path)
    if target.is_dir():
        raise IsADirectoryError(f"path is {target}, a folder, expected a file")
    if target.exists() and not target.is_file():  # a device, which must not be replaced
        raise OSError(f"path is {target}, expected an ordinary file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path is {target}, expected a file in a folder that exists")
    _sweep(target)
    part = _part(target)
    try:
        with open(part, "wb") as file:
            with suppress(OSError):  # there is no old file, or no such thing as permissions
                os.chmod(part, stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def require_place(name: str, path: PathLike) -> None:
    """Raise unless a file could be written at `path`; nothing is left there.

    Raises
    ------
    ValueError
        `path` is a folder or a device, or its folder is missing or cannot be written.
    """
    target = _target(name, path)
    expected = "expected a file in a folder that exists"
    try:
        if target.parent.is_dir() and (target.is_file() or not target.exists()):
            expected = "expected a file in a folder that can be written"
            part = _part(target)
            with open(part, "wb"):
                pass
            part.unlink()
            return
    except OSError as error:
        raise ValueError(f"{name} is {target}, {expected} ({error})") from error
    raise ValueError(f"{name} is {target}, {expected}")


def _target(name: str, path: PathLike) -> Path:
    """Return the file that is meant: what a symbolic link points to."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} is {path!r}, expected a path: text or a pathlib.Path")
    return Path(os.path.realpath(path))


def _part(target: Path) -> Path:
    writer = f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"
    return target.with_name(f"{target.name}.{writer}.part")


def _sweep(target: Path) -> None:
    """Remove temporary files for `target` that nobody writes any more."""
    for part in target.parent.glob(f"{_literal(target.name)}.*.part"):
        writer = part.name[len(target.name) + 1 : -len(".part")]
        host, process, _ = ("", "", *writer.rsplit("-", 2))[-3:]
        try:
            here = host == socket.gethostname() and os.name == "posix"
            gone = here and process.isdecimal() and not _runs(int(process))
            if gone or time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()
        except OSError:  # another process was quicker, or it is not ours to remove
            pass


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # no process has such a number
        return False
    except OSError:  # it runs, and is somebody else's
        pass
    return True


def save_arrays(path: PathLike, arrays: Mapping[str, NDArray], header: Any, *, format: str) -> None:
    """Write named arrays and a JSON-able header to `path`, a ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : file to write or replace; its folder must exist
    arrays : mapping of numeric arrays
    header : anything `json` can write
    format : str
        What the file is, and in which version; `load_arrays` asks for it.

    Raises
    ------
    TypeError
        An array that NumPy would have to pickle, or a header that JSON cannot hold.
    OSError
        The file cannot be written.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name} has dtype {array.dtype}, expected numbers")
    # Some random generators keep part of their state in an array: it is written as a list.
    text = json.dumps({"format": format, "header": header}, default=np.ndarray.tolist)
    with replacing(path) as file:
        header_bytes = np.frombuffer(text.encode(), np.uint8)
        np.savez(file, header=header_bytes, **arrays)  # type: ignore[arg-type]


def load_arrays(path: PathLike, *formats: str) -> tuple[dict[str, NDArray], Any]:
    """Read what `save_arrays` wrote.

    Parameters
    ----------
    path : file
    *formats : the formats that will do

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, damaged, holds pickled objects, or is of another format. Pickled
        data is never executed.
    """
    path = Path(path)
    try:
        # Opened here, so that it is closed whatever NumPy makes of it.
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            entries, size = file.zip.infolist(), os.fstat(raw.fileno()).st_size
            if sum(entry.file_size for entry in entries) > size:  # packed, a few bytes make many
                raise ValueError("its arrays are larger than the file")
            arrays = {name: file[name] for name in file.files}
        if strays := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
            raise ValueError(f"it holds {strays[0]}, which is no array")
        document = json.loads(arrays.pop("header").tobytes())
        if document["format"] not in formats:
            expected = " or ".join(map(repr, formats))
            raise ValueError(f"its format is {document['format']!r}, expected {expected}")
        return arrays, document["header"]
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # damage can make a reader stumble in any way
        raise ValueError(
            f"path {path} is not a whole file of rnncourse ({type(error).__name__}: {error}); "
            "expected a .npz file that rnncourse wrote"
        ) from error
