"""The last marked number: the task, what is saved, and that it can be repeated."""

from itertools import product

import numpy as np
import pytest

from rnncourse.experiments import marked_numbers
from rnncourse.experiments.marked_numbers import Run


def test_the_target_is_the_last_marked_number(rng):
    x, targets, marked = marked_numbers.marked_numbers(300, 25, rng)
    assert (x.shape, targets.shape, marked.shape) == ((25, 300, 2), (25, 300, 1), (25, 300))
    assert marked[0].all()
    assert np.array_equal(x[..., 1], marked)
    assert np.abs(x[..., 0]).max() <= 1
    assert abs(marked[1:].mean() - 0.1) < 5 * np.sqrt(0.09 / marked[1:].size)
    for b in range(300):
        last = None
        for t in range(25):
            last = x[t, b, 0] if marked[t, b] else last
            assert targets[t, b, 0] == last


def test_the_saved_results_are_all_there():
    keys = [(r.network, r.learning_rate, r.seed) for r in marked_numbers.saved()]
    grid = product(marked_numbers.NETWORKS, marked_numbers.RATES, marked_numbers.SEEDS)
    assert sorted(keys) == sorted(grid)


def test_a_run_can_be_repeated():
    """At the rate that always succeeds the verdict does not hang on rounding."""
    again = marked_numbers.run("LSTM", 0.1, 0, updates=400)
    assert again.rms < marked_numbers.SOLVED
    assert again.rms == marked_numbers.run("LSTM", 0.1, 0, updates=400).rms


def test_the_table_counts_the_starts_that_succeed():
    runs = [Run("RNN", 0.01, s, rms, 1.0) for s, rms in enumerate((0.1, 0.5, 0.14))]
    rows = marked_numbers.table([*runs, Run("LSTM", 0.1, 0, 0.02, 1.0)]).splitlines()
    assert rows[1].split() == ["RNN", "0.01", "2/3", "0.100", "0.140", "0.500"]
    assert rows[2].split()[:3] == ["LSTM", "0.1", "1/1"]


def test_the_sweep_makes_the_runs_of_its_grid(tmp_path, monkeypatch):
    made = []

    def run(network, learning_rate, seed):
        made.append((network, learning_rate, seed))
        return Run(network, learning_rate, seed, 0.25, 1.0)

    monkeypatch.setattr(marked_numbers, "run", run)
    trials = marked_numbers.EXPERIMENT.run(tmp_path / "marked.jsonl", progress=False)
    assert made == [(r.network, r.learning_rate, r.seed) for r in marked_numbers._runs(trials)]
    assert len(made) == 160
    assert {t.result["rms"] for t in trials} == {0.25}
    assert len(marked_numbers.EXPERIMENT.table(trials).splitlines()) == 1 + 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "GRU"}, "network is 'GRU', expected"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"updates": 0}, "updates is 0, expected at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        marked_numbers.run(**{"network": "RNN", "learning_rate": 0.1, "seed": 0, **arguments})
