"""Settings that all tests share."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browsers import launch
from hypothesis import settings

# The same examples in every run: a failure can be repeated, and no run is red by chance. Each week
# `search` looks at many more, and at others each time.
settings.register_profile("default", max_examples=40, deadline=None, derandomize=True)
settings.register_profile("quick", max_examples=8, deadline=None, derandomize=True)
settings.register_profile("search", max_examples=300, deadline=None)
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium; without one, the test is skipped and says how to get one."""
    api = pytest.importorskip("playwright.sync_api", reason="no browser: `make browser` sets it up")
    with api.sync_playwright() as play:
        started = launch(play)
        if started is None:
            pytest.skip("no browser: `make browser` sets it up")
        yield started
        started.close()
