"""Equations are named alike in the book and in the package."""

import inspect
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from rnncourse import equations

ROOT = Path(__file__).parents[2]
LABEL = re.compile(r"\beq-[a-z0-9]+(?:-[a-z0-9]+)*")


def labels_of_the_book():
    """Return the label of every labelled display equation, as often as it is given."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md")]
    for path in (ROOT / "book").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    found = (re.findall(r"^\$\$ \((eq-[\w-]+)\)", text, re.MULTILINE) for text in texts)
    return Counter(label for labels in found for label in labels)


def test_each_label_is_given_once():
    counts = labels_of_the_book()
    assert counts
    assert [label for label, n in counts.items() if n > 1] == []


@pytest.mark.parametrize("path", sorted((ROOT / "rnncourse").rglob("*.py")), ids=lambda p: p.stem)
def test_every_label_that_the_package_names_is_in_the_book(path):
    named = set(LABEL.findall(path.read_text(encoding="utf-8")))
    assert named - set(labels_of_the_book()) == set()


@pytest.mark.parametrize(
    "function",
    [
        f
        for _, f in inspect.getmembers(equations, inspect.isfunction)
        if f.__module__ == "rnncourse.equations"
    ],
    ids=lambda f: f.__name__,
)
def test_every_function_of_equations_names_its_equation(function):
    assert LABEL.match(inspect.getdoc(function))
