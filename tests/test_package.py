"""The package as a whole: what it imports, what it offers, and that its examples run."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnncourse

FOLDER = Path(rnncourse.__file__).parent
MODULES = sorted(
    ".".join(p.relative_to(FOLDER).with_suffix("").parts)
    for p in FOLDER.rglob("*.py")
    if p.stem != "__init__"
)
# What may come from outside NumPy and the standard library, and where: by module, or by folder.
OPTIONAL = {
    "figures": {"matplotlib", "matplotlib_inline", "cycler"},
    "interop": {"torch"},
    "explorables": {"anywidget", "traitlets"},
    "notebook": {"IPython"},
    "widgets": {"ipywidgets", "matplotlib"},
}
# The floors of the house: a module imports only from floors above it in this list, or its own. A
# folder stands on one floor.
FLOORS = [
    ["validation", "nonlinear", "equations", "initializers", "tasks"],
    ["progress", "history", "datasets", "buffers", "notebook"],
    ["packed", "rnn", "lstm", "readout"],
    ["stack"],
    ["model", "bptt", "gradients", "jacobians", "optim"],
    ["checkpoint"],
    ["training"],
    ["figures", "interop", "experiments", "widgets"],
    ["explorables"],
]


def room(module):
    """Return a module's folder, or the module itself if it stands alone."""
    return module.split(".")[0]


def imports(module):
    """Return the top names that a module imports from outside, and the rooms of its siblings."""
    path = FOLDER.joinpath(*module.split(".")).with_suffix(".py")
    outside, siblings = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = module.split(".")[: -node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            siblings |= {room(".".join([*base, name])) for name in names}
        elif isinstance(node, ast.ImportFrom):
            outside.add(node.module.split(".")[0])
    return outside - set(sys.stdlib_module_names), siblings


@pytest.mark.parametrize("module", MODULES)
def test_numpy_is_the_only_need_and_imports_go_down(module):
    outside, siblings = imports(module)
    assert outside <= {"numpy"} | OPTIONAL.get(room(module), set())
    floor = {name: i for i, names in enumerate(FLOORS) for name in names}
    assert room(module) in floor, f"{module} has no floor: add it to FLOORS"
    assert all(floor[s] <= floor[room(module)] for s in siblings - {"data"})


def test_importing_the_package_brings_numpy_and_little_else():
    code = """
import sys, time
import numpy.random
before, start = set(sys.modules), time.perf_counter()
import rnncourse
seconds = time.perf_counter() - start
new = {n.split('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(sorted(new - {'numpy'}), seconds < 2)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(FOLDER.parent)},
    )
    assert result.stdout.strip() == "['rnncourse'] True"


def test_all_names_what_is_public():
    assert len(rnncourse.__all__) == len(set(rnncourse.__all__))
    public = {
        n for n, v in vars(rnncourse).items() if not n.startswith("_") and not inspect.ismodule(v)
    }
    assert set(rnncourse.__all__) == public | {
        "bptt",
        "datasets",
        "equations",
        "initializers",
        "interop",
        "jacobians",
        "tasks",
    }


def test_the_version_is_that_of_the_project():
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{rnncourse.__version__}"' in text


def load(module):
    for needed in OPTIONAL.get(room(module), set()) - {"torch"}:  # which interop loads when used
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
    assert min(examples(module).attempted for module in ("rnn", "model", "progress")) >= 1
