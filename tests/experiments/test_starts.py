"""The runs from four starts: what was saved, a run again, and the table."""

from itertools import product

import numpy as np
import pytest

from rnncourse.experiments import starts
from rnncourse.experiments.starts import Run


def test_the_saved_results_are_all_there():
    keys = [(r.length, r.start, r.seed) for r in starts.saved()]
    assert sorted(keys) == sorted(product(starts.LENGTHS, starts.STARTS, starts.SEEDS))


def test_the_saved_results_say_what_the_page_says():
    found = starts.counts(starts.saved())
    assert {name: row[36] for name, row in found.items()} == {
        "package": (1, 10),
        "Gaussian": (3, 10),
        "orthogonal": (9, 10),
        "identity": (7, 10),
    }
    assert all(row[12] == (10, 10) for row in found.values())
    assert [row[50] for row in found.values()] == [(0, 10), (0, 10), (1, 10), (1, 10)]
    assert all(row[72] == (0, 10) for row in found.values())


def test_the_saved_results_are_those_of_the_run():
    """Rounding differs between machines, and a trajectory with it; the verdict at 12 does not."""
    assert starts.run(12, "orthogonal", 0).updates in range(20, 400, 20)


def test_a_run_is_deterministic_and_can_fail():
    one, again = (starts.run(12, "package", 1, max_updates=20) for _ in range(2))
    assert (one.updates, again.updates) == (None, None)
    assert starts.run(12, "identity", 1).updates == starts.run(12, "identity", 1).updates


@pytest.mark.parametrize(("start", "largest"), [("orthogonal", 1.0), ("identity", 1.0)])
def test_a_start_is_that_of_the_recurrent_weights(start, largest):
    model, _ = starts.network(0, start)
    assert np.allclose(np.linalg.svd(model.params["W_hh"], compute_uv=False), largest)


def test_the_starts_differ_in_the_recurrent_weights_alone():
    one, other = (starts.network(3, start)[0].params for start in ("package", "Gaussian"))
    assert not np.allclose(one["W_hh"], other["W_hh"])
    assert all(np.array_equal(one[name], other[name]) for name in one if name != "W_hh")


def test_the_table_has_a_row_for_each_start():
    runs = [Run(12, "orthogonal", s, u, 2.0) for s, u in enumerate((100, None, 300))]
    rows = starts.table([*runs, Run(24, "package", 0, None, 1.0)]).splitlines()
    assert rows[0].split() == ["steps", "12", "24"]
    assert rows[1].split() == ["package", "0/0", "0/1"]
    assert rows[2].split() == ["orthogonal", "2/3", "0/0"]


def test_the_sweep_makes_the_runs_of_its_grid(tmp_path):
    path, only = tmp_path / "starts.jsonl", {"length": [12], "start": ["orthogonal"]}
    assert len(starts.EXPERIMENT.grid()) == 200
    trials = starts.EXPERIMENT.run(path, only=only, seeds=[0], progress=False)
    assert [t.result for t in trials] == [{"updates": starts.run(12, "orthogonal", 0).updates}]
    assert starts.EXPERIMENT.table(trials).splitlines()[1].split() == ["orthogonal", "1/1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 5}, "length is 5, expected at least 10"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"start": "zero"}, "start is 'zero', expected one of package, Gaussian, orthogonal, id"),
        ({"max_updates": 0}, "max_updates is 0, expected at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        starts.run(**{"length": 12, "start": "package", "seed": 0, **arguments})
