"""What a learner has done, in one small file that may be deleted; nothing is sent anywhere.

The file is `.rnncourse-exercises.json` in the home folder, or what the environment variable
`RNNCOURSE_PROGRESS` names. If that is empty, nothing is kept.
"""

import json
import os
import warnings
from pathlib import Path

from ..files import replacing
from .definition import EXERCISES

VARIABLE = "RNNCOURSE_PROGRESS"


def place() -> Path | None:
    """Return the file in which progress is kept, or None if it is not."""
    named = os.environ.get(VARIABLE)
    if named is None:
        return Path.home() / ".rnncourse-exercises.json"
    return Path(named) if named else None


def done() -> dict[str, str]:
    """Return the status of each exercise that was tried: "correct" or "not yet".

    A file that cannot be read is kept beside, with `.damaged` at the end of its name, and a new one
    begun; a warning says so.
    """
    path = place()
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and set(map(str, found.values())) <= {"correct", "not yet"}:
            return found
    except FileNotFoundError:
        return {}
    except OSError as error:
        warnings.warn(f"your progress in {path} cannot be read: {error}", stacklevel=2)
        return {}
    except ValueError:
        pass
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    warnings.warn(f"{path} was damaged: it is kept as {aside}, and a new one begun", stacklevel=2)
    return {}


def note(name: str, status: str) -> None:
    """Keep the status of an exercise; what was correct once stays so."""
    path = place()
    if path is None or status == "not attempted":
        return
    known = done()
    if known.get(name) in ("correct", status):
        return
    try:
        with replacing(path) as file:
            file.write(json.dumps(known | {name: status}, indent=1).encode())
    except OSError as error:
        warnings.warn(f"your progress cannot be kept in {path}: {error}", stacklevel=2)


class Progress:
    """A table of all exercises, page by page; shown as text."""

    def __init__(self) -> None:
        self.status = done()

    def __repr__(self) -> str:
        pages: dict[str, list[str]] = {}
        for name, task in EXERCISES.items():
            pages.setdefault(task.page, []).append(name)
        right = [name for name, status in self.status.items() if status == "correct"]
        lines = [f"{len(set(right) & set(EXERCISES))} of {len(EXERCISES)} exercises are correct."]
        for page, names in pages.items():
            lines.append(page)
            lines += [f"  {_SIGNS[self.status.get(name, '')]} {name}" for name in names]
        return "\n".join(lines)


_SIGNS = {"correct": "✓", "not yet": "✗", "": "·"}
