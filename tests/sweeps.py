"""A cheap experiment, and how its tests wait for it."""

import time

import numpy as np

from rnncourse.experiments import Experiment


def walk(steps, scale, seed):
    """Return where a random walk ends: cheap, and sensitive to every bit of its seed."""
    x = scale * np.random.default_rng(seed).normal(size=steps).cumsum()
    return {"end": x[-1], "least": x.min(), "positive": bool(x[-1] > 0)}


def experiment(function=walk, **changes):
    given = {"settings": {"steps": [1, 50], "scale": [0.5, 2.0, 3.0]}, "seeds": range(4)}
    given |= {"source": "Pearson (1905)", "stop": "after its steps", **changes}
    return Experiment("walk", function, given.pop("settings"), given.pop("seeds"), **given)


def results(trials):
    return [(t.settings, t.seed, t.result) for t in trials]


def wait_until(condition, patience=120.0):
    """Wait for a condition; give up after a long time."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.001)
