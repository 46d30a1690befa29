"""The experiments run, go on where they stopped, and say what was saved."""

import hashlib
import json
from dataclasses import astuple
from itertools import product

import numpy as np
import pytest

from rnncourse.experiments import forget_bias
from rnncourse.experiments.forget_bias import Run


def test_the_saved_results_are_all_there():
    keys = [(r.length, r.forget_bias, r.seed) for r in forget_bias.saved()]
    grid = product(forget_bias.LENGTHS, forget_bias.BIASES, forget_bias.SEEDS)
    assert sorted(keys) == sorted(grid)
    assert len(forget_bias.SEEDS) >= 5


def test_the_saved_results_are_those_of_the_run():
    """Rounding differs between machines, and a trajectory with it; the verdict at 20 does not."""
    assert all(r.updates for r in forget_bias.saved() if r.length == 20)
    assert forget_bias.run(20, 1, 0).updates in range(20, 400, 20)


def test_a_run_is_deterministic_and_can_fail():
    one, again = (forget_bias.run(20, 0, 1, max_updates=20) for _ in range(2))
    assert (one.updates, again.updates) == (None, None)
    assert forget_bias.run(20, 1, 1).updates == forget_bias.run(20, 1, 1).updates


def test_the_table_counts_and_takes_medians():
    runs = [Run(50, 1, s, u, 2.0) for s, u in enumerate((100, None, 300, 120))]
    rows = forget_bias.table([*runs, Run(50, 0, 0, None, 1.25)]).splitlines()
    assert rows[0].split()[:3] == ["length", "b_f", "solved"]
    assert rows[1].split() == ["50", "0", "0/1", "-", "1.2"]
    assert rows[2].split() == ["50", "1", "3/4", "120", "2.0"]


def test_the_saved_numbers_are_those_of_version_0_1():
    rows = [list(astuple(r)) for r in forget_bias.saved() if r.forget_bias in (0, 1, 3, 6)]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    assert digest == "6404f85e5cbbcd81b2e297244e18fc435fa9aec9c809445f08349503e6d93e30"


def test_the_rules_own_bias_is_tested_at_each_lag():
    for length, bias in ((20, 3), (50, 3.8), (100, 4.5)):
        longest = length - 1 - length // 10  # from the first place of the first symbol to the end
        assert bias in forget_bias.BIASES
        assert np.log(longest) == pytest.approx(bias, abs=0.2)


def test_the_saved_results_are_as_the_book_tells_them():
    solved = {(n, b): 0 for n in forget_bias.LENGTHS for b in forget_bias.BIASES}
    for r in forget_bias.saved():
        solved[r.length, r.forget_bias] += r.updates is not None
    found = [[solved[n, b] for b in forget_bias.BIASES] for n in forget_bias.LENGTHS]
    assert found == [[10] * 6, [0, 9, 9, 10, 10, 10], [0, 0, 9, 9, 7, 5]]


def test_the_sweep_makes_the_runs_of_its_grid(tmp_path, monkeypatch):
    path, only = tmp_path / "forget_bias.jsonl", {"length": [20], "forget_bias": [1, 3]}
    assert len(forget_bias.EXPERIMENT.grid()) == 180
    trials = forget_bias.EXPERIMENT.run(path, only=only, seeds=[0], progress=False)
    expected = [forget_bias.run(20, bias, 0).updates for bias in (1, 3)]
    assert [t.result for t in trials] == [{"updates": updates} for updates in expected]
    assert forget_bias.EXPERIMENT.table(trials).splitlines()[1].split()[:3] == ["20", "1", "1/1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 5}, "length is 5, expected at least 10"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"forget_bias": float("nan")}, "forget_bias is nan, expected a finite number"),
        ({"max_updates": 0}, "max_updates is 0, expected at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        forget_bias.run(**{"length": 20, "forget_bias": 1, "seed": 0, **arguments})
