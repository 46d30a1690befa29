"""Settings that all tests share."""

import os

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
