"""The package as a whole: what it imports, what it offers, and that its examples run."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

import rnncourse

FOLDER = Path(rnncourse.__file__).parent


def dotted(path):
    """Return a module's name in the package: "layers.rnn", a folder's "layers", the top's ""."""
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {dotted(p): p.read_text(encoding="utf-8") for p in sorted(FOLDER.rglob("*.py"))}
FOLDERS = {dotted(p) for p in FOLDER.rglob("__init__.py")}
MODULES = sorted(set(SOURCES) - {""})
# What may come from outside NumPy and the standard library, and where: by module, or by folder.
OPTIONAL = {
    "experiments": {"joblib", "distributed"},
    "figures": {"matplotlib", "matplotlib_inline", "cycler"},
    "interop": {"torch"},
    "exercises": {"anywidget", "traitlets"},
    "explorables": {"anywidget", "traitlets"},
    "notebook": {"IPython"},
    "training": {"tqdm"},
    "widgets": {"ipywidgets", "matplotlib"},
}
# The floors of the house, the ground floor first. A room, which is a folder or a module that stands
# alone, imports only from lower floors, or from itself. The ground floor is one room.
FLOORS = [
    ["validation", "nonlinear", "equations", "files", "notebook"],
    ["data"],
    ["layers"],
    ["model", "interop"],
    ["gradients"],
    ["training", "figures"],
    ["experiments", "widgets"],
    ["explorables"],
    ["exercises"],
]
# Answers to exercises, right and wrong, are written as learners write: without types.
WRITTEN_BY_LEARNERS = {f"exercises.{name}" for name in ("structure", "paths", "gradients", "gates")}
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# What `from rnncourse import …` offers since version 0.1.
PUBLIC_MODULES = {
    "bptt",
    "datasets",
    "equations",
    "initializers",
    "interop",
    "jacobians",
    "metrics",
    "schedules",
    "tasks",
}
SINCE_0_1 = [
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "History",
    "Model",
    "NotFiniteError",
    "RMSprop",
    "Readout",
    "Stack",
    "TrainingDiverged",
    "bptt",
    "check_gradients",
    "clip_by_global_norm",
    "clip_by_value",
    "datasets",
    "equations",
    "fit",
    "global_norm",
    "initializers",
    "interop",
    "jacobians",
    "load_checkpoint",
    "log_softmax",
    "save_checkpoint",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "squared_error",
    "tasks",
]


def room(module):
    """Return a module's folder, or the module itself if it stands alone."""
    return module.split(".")[0]


def parents(module):
    """Return the folders around a module, the top included."""
    parts = module.split(".")
    return {".".join(parts[:n]) for n in range(len(parts))} if module else set()


def imports(module, sources=SOURCES):
    """Return the top names that a module imports from outside, and the modules from inside.

    A name that is no module comes from its folder's `__init__`, and a module from another folder
    brings that folder's `__init__` with it.
    """
    outside, inside = set(), set()
    for node in ast.walk(ast.parse(sources[module])):
        if isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            around = [*module.split("."), "__init__"] if module in FOLDERS else module.split(".")
            base = [part for part in around[: -node.level] if part]
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                name = ".".join([*base, alias.name])
                name = name if name in sources else ".".join(base)
                inside |= {name} | parents(name) - parents(module) - {module}
        elif isinstance(node, ast.ImportFrom):
            outside.add(node.module.split(".")[0])
    return outside - set(sys.stdlib_module_names), inside


def climbs(module, sources=SOURCES):
    """Return the modules that a module imports although they do not stand below it."""
    here = room(module)
    return {
        other
        for other in imports(module, sources)[1]
        if room(other) != here
        and FLOOR.get(room(other), len(FLOORS)) >= FLOOR[here]
        and not FLOOR.get(room(other)) == FLOOR[here] == 0
    }


def circle(sources):
    """Return modules that import each other in a circle, or nothing."""
    try:
        TopologicalSorter({module: imports(module, sources)[1] for module in sources}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("module", MODULES)
def test_numpy_is_the_only_need_and_imports_go_down(module):
    assert imports(module)[0] <= {"numpy"} | OPTIONAL.get(room(module), set())
    assert room(module) in FLOOR, f"{module} has no floor: add it to FLOORS"
    assert climbs(module) == set()


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("layers.rnn", "from ..model import Model", {"model"}),
        ("layers.rnn", "from ..training.fit import fit", {"training", "training.fit"}),
        ("layers", "from ..gradients import bptt", {"gradients", "gradients.bptt"}),
        ("model", "from .interop import to_torch", {"interop"}),  # on the same floor
        ("explorables.unit", "from .. import RNN", {""}),  # from the top
        ("training.fit", "from ..layers import LSTM", set()),
        ("training.fit", "from .optim import SGD", set()),
    ],
)
def test_an_import_that_climbs_is_found(module, line, found):
    assert climbs(module, {**SOURCES, module: f"{SOURCES[module]}\n{line}\n"}) == found


def test_no_modules_import_each_other_in_a_circle():
    assert circle(SOURCES) == []


@pytest.mark.parametrize(
    ("module", "line", "through"),
    [
        ("layers.packed", "from .rnn import RNN", {"layers.rnn", "layers.packed"}),
        ("layers.rnn", "from . import LSTM", {"layers.rnn", "layers"}),
        ("validation", "from .equations import softmax", {"validation", "equations"}),
        ("validation", "from .data.tasks import copy", {"validation", "data.tasks"}),
        ("explorables.unit", "def f():\n    from .. import explorables", {"explorables"}),
        ("nonlinear", "from . import __version__", {"", "nonlinear"}),
    ],
)
def test_a_circle_is_found(module, line, through):
    found = circle({**SOURCES, module: f"{SOURCES[module]}\n{line}\n"})
    assert through <= set(found)


def test_importing_the_package_brings_numpy_and_little_else():
    code = """
import sys
import numpy.random
before = set(sys.modules)
import rnncourse
new = {n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(sorted(new - {'numpy'}))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(FOLDER.parent)},
    )
    assert result.stdout.strip() == "['rnncourse']"


def test_all_names_what_is_public():
    assert len(rnncourse.__all__) == len(set(rnncourse.__all__))
    public = {
        n for n, v in vars(rnncourse).items() if not n.startswith("_") and not inspect.ismodule(v)
    }
    assert set(rnncourse.__all__) == public | PUBLIC_MODULES


def test_what_version_0_1_offers_is_still_there():
    assert set(SINCE_0_1) <= set(rnncourse.__all__)
    offered = {}
    exec(f"from rnncourse import {', '.join(SINCE_0_1)}", offered)
    assert all(offered[name] is getattr(rnncourse, name) for name in SINCE_0_1)
    modules = {name for name in SINCE_0_1 if inspect.ismodule(offered[name])}
    assert modules == PUBLIC_MODULES - {"metrics", "schedules"}


@pytest.mark.parametrize("folder", ["data", "layers", "gradients", "training", "experiments"])
def test_a_room_says_what_it_holds(folder):
    held = load(folder)
    assert all(hasattr(held, name) for name in held.__all__)
    named = set(re.findall(r"`(\w+)`", held.__doc__))
    assert {name.split(".")[1] for name in MODULES if name.startswith(f"{folder}.")} <= named


def test_the_version_is_that_of_the_project():
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{rnncourse.__version__}"' in text


def load(module):
    when_used = {"torch", "tqdm", "joblib", "distributed"}
    for needed in OPTIONAL.get(room(module), set()) - when_used:
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    return importlib.import_module(f"rnncourse.{module}")


def public_functions(module):
    """Yield (name, function) for public functions and methods that the module defines."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for method, f in vars(value).items():
                f = f.fget if isinstance(f, property) else f
                if not inspect.isfunction(f) or f.__module__ != module.__name__:
                    continue
                if not method.startswith("_") or method == "__init__":
                    yield f"{name}.{method}", f


@pytest.mark.parametrize("module", MODULES)
def test_public_functions_are_documented_and_typed(module):
    loaded = load(module)
    assert loaded.__doc__
    if module in WRITTEN_BY_LEARNERS:
        return
    for name, f in public_functions(loaded):
        owner = name.split(".")[0]
        documented = f.__doc__ or f.__name__ == "__init__" or inspect.getdoc(getattr(loaded, owner))
        assert documented, f"{name} has no docstring"
        for parameter in inspect.signature(f).parameters.values():
            if parameter.name != "self":
                assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter}"
        assert inspect.signature(f).return_annotation is not inspect.Signature.empty, name


def examples(module):
    """Run the examples as a reader would, after the two usual imports."""
    return doctest.testmod(load(module), extraglobs={**vars(rnncourse), "np": np})


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_run(module):
    assert examples(module).failed == 0


def test_some_examples_are_there():
    assert (
        min(examples(module).attempted for module in ("layers.rnn", "model", "training.progress"))
        >= 1
    )
