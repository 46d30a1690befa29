"""The search for the sunspot network: what is saved, and that it can be repeated."""

from itertools import product

import numpy as np
import pytest

from rnncourse import datasets
from rnncourse.experiments import sunspots
from rnncourse.experiments.sunspots import Run


def test_the_saved_results_are_all_there():
    keys = [(r.hidden_size, r.chunk, r.passes, r.seed) for r in sunspots.saved()]
    grid = product(sunspots.SIZES, sunspots.CHUNKS, sunspots.PASSES, sunspots.SEEDS)
    assert sorted(keys) == sorted(grid)
    assert len(sunspots.scores(sunspots.saved())) == 30


def test_the_saved_scores_are_those_of_the_saved_predictions():
    years, numbers = datasets.sunspots()
    d = numbers[(years >= 1885) & (years <= 1920)] / 100
    variance = np.var(numbers[years <= 1920] / 100)
    for r in sunspots.saved():
        arv = np.mean((np.array(r.prediction) - d) ** 2) / variance
        assert r.arv == pytest.approx(arv, abs=1e-4)


def test_a_run_can_be_repeated():
    """Rounding differs between machines; over these few updates it does not come to count."""
    found = next(
        r for r in sunspots.saved() if (r.hidden_size, r.chunk, r.passes, r.seed) == (4, 22, 50, 0)
    )
    again = sunspots.run(4, 22, 50, 0)
    assert again.arv == pytest.approx(found.arv, abs=0.01)
    assert np.allclose(again.prediction, found.prediction, rtol=0, atol=0.05)


def test_a_score_is_that_of_the_mean_prediction():
    years, numbers = datasets.sunspots()
    d = numbers[(years >= 1885) & (years <= 1920)] / 100
    runs = [Run(4, 11, 50, s, 9.0, tuple(d + off), 1.0) for s, off in enumerate((0.3, -0.3))]
    worse = [Run(8, 11, 50, 0, 9.0, tuple(d + 0.1), 1.0)]
    best, second = sunspots.scores([*worse, *runs])
    assert (best.hidden_size, best.arv, best.single) == (4, 0.0, (9.0, 9.0))
    assert second.arv == pytest.approx(0.01 / np.var(numbers[years <= 1920] / 100), abs=1e-4)
    rows = sunspots.table([*worse, *runs]).splitlines()
    assert rows[1].split() == ["4", "11", "50", "0.000", "9.000", "9.000"]


def test_the_sweep_makes_the_runs_of_its_grid(tmp_path):
    only = {"hidden_size": 4, "chunk": 22, "passes": 50}
    path = tmp_path / "sunspots.jsonl"
    trials = sunspots.EXPERIMENT.run(path, only=only, seeds=[1], progress=False)
    again = sunspots.run(4, 22, 50, 1)
    assert trials[0].result == {"arv": again.arv, "prediction": list(again.prediction)}
    assert sunspots.EXPERIMENT.table(trials).splitlines()[1].split()[:3] == ["4", "22", "50"]


@pytest.mark.parametrize("name", ["hidden_size", "chunk", "passes", "seed"])
def test_bad_arguments_are_named(name):
    arguments = {"hidden_size": 4, "chunk": 22, "passes": 1, "seed": 0, name: -1}
    name = {"chunk": "truncate", "passes": "epochs"}.get(name, name)
    with pytest.raises(ValueError, match=f"{name} is -1, expected at least"):
        sunspots.run(**arguments)
