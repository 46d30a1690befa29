"""The search for a seed: what is saved, and how it is summed up."""

import numpy as np
import pytest

from rnncourse.experiments import character_seeds, characters
from rnncourse.experiments.character_seeds import Run


def test_the_saved_results_are_all_there():
    runs = character_seeds.saved()
    assert sorted(r.seed for r in runs) == list(character_seeds.SEEDS)
    assert {len(r.separation) for r in runs} == {12}


def test_the_chosen_seed_is_the_network_that_travels_with_the_package():
    found = next(r for r in character_seeds.saved() if r.seed == characters.SEED)
    text = characters.sentences(20_000, np.random.default_rng(5))
    separation = characters.separation(characters.saved().model(), text)
    assert found.loss == pytest.approx(characters.saved().loss, abs=0.02)
    assert np.abs(found.separation).argmax() == separation.argmax() == 6
    assert found.largest == pytest.approx(separation.max(), abs=0.02)


def test_a_short_run_is_deterministic():
    one, again = (character_seeds.run(2, sequences=32) for _ in range(2))
    assert (one.seed, one.loss, one.separation) == (again.seed, again.loss, again.separation)
    assert one.largest == max(abs(value) for value in one.separation)


def test_the_table_begins_with_the_clearest_unit_whatever_its_sign():
    runs = [Run(0, 0.5, (0.1, 0.6), 1.0), Run(4, 0.4, (-0.9, 0.2), 1.0)]
    rows = character_seeds.table(runs).splitlines()
    assert rows[1].split() == ["4", "0.400", "1", "-0.900", "1"]
    assert rows[2].split() == ["0", "0.500", "2", "+0.600", "1"]


def test_the_sweep_makes_a_run_for_each_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(character_seeds, "run", lambda seed: Run(seed, 0.5, (0.25, -0.5), 1.0))
    trials = character_seeds.EXPERIMENT.run(tmp_path / "seeds.jsonl", progress=False)
    assert [t.seed for t in trials] == list(range(25))
    assert trials[3].result == {"loss": 0.5, "separation": [0.25, -0.5]}
    assert len(character_seeds.EXPERIMENT.table(trials).splitlines()) == 1 + 25
