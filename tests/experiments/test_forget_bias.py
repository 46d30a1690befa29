"""The experiments run, go on where they stopped, and say what was saved."""

import json
from itertools import product

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


def test_all_runs_go_on_where_they_stopped(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    monkeypatch.setattr(forget_bias, "LENGTHS", (20,))
    monkeypatch.setattr(forget_bias, "BIASES", (0, 1, 3))
    monkeypatch.setattr(forget_bias, "SEEDS", range(2))
    made = []

    def run(length, bias, seed):
        if len(made) == 4:
            raise KeyboardInterrupt
        made.append((length, bias, seed))
        return Run(length, bias, seed, 60, 0.1)

    monkeypatch.setattr(forget_bias, "run", run)
    with pytest.raises(KeyboardInterrupt):
        forget_bias.run_all(path)
    assert len(json.loads(path.read_text())) == 4
    first, made = made, []
    runs = forget_bias.run_all(path)
    assert len(made) == 2
    assert {(r.length, r.forget_bias, r.seed) for r in runs} == set(first) | set(made)
    assert len(runs) == 6
    assert forget_bias._read(path.read_text()) == runs
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


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


def test_the_folder_of_the_results_is_looked_for_before_the_first_run(tmp_path):
    with pytest.raises(ValueError, match=r"^path is .*, expected a file in a folder that exists"):
        forget_bias.run_all(tmp_path / "none" / "results.json")
