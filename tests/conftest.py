"""Settings that all tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run: a failure can be repeated, and no run is red by chance.
settings.register_profile("default", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("quick", max_examples=8, deadline=None, derandomize=True)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(7)


@pytest.fixture
def drawing() -> Iterator[None]:
    """Draw off screen in the book's style, and leave matplotlib as it was."""
    matplotlib = pytest.importorskip("matplotlib")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from rnncourse import figures

    pyplot.switch_backend("Agg")
    with matplotlib.rc_context():
        figures.use_style()
        yield
    pyplot.close("all")


# For a browser in a container, quiet and alone.
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium; without one, the test is skipped and says how to get one."""
    api = pytest.importorskip("playwright.sync_api", reason="no browser: `make browser` sets it up")
    with api.sync_playwright() as play:
        names = ("chromium", "chromium-browser", "google-chrome")
        found = next(filter(None, map(shutil.which, names)), play.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("no browser: `make browser` sets it up")
        started = play.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()
