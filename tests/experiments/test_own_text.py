"""A text of one's own: what was saved, a run again, and what is said of bad input."""

from itertools import product

import numpy as np
import pytest

from rnncourse.data.datasets import tea_party
from rnncourse.experiments import own_text
from rnncourse.gradients.check import clip_by_global_norm


def test_the_saved_results_are_all_there_and_say_what_the_page_says():
    found = own_text.saved()
    kinds = product(("rnn", "lstm", "gru"), own_text.SEEDS, own_text.UPDATES)
    assert sorted((s.layer, s.seed, s.updates) for s in found) == sorted(kinds)
    means = {
        (layer, updates): np.mean(
            [(s.bits, s.held) for s in found if (s.layer, s.updates) == (layer, updates)], axis=0
        )
        for layer, updates in product(("rnn", "lstm", "gru"), own_text.UPDATES)
    }
    assert {key: f"{mean[0]:.2f} {mean[1]:.2f}" for key, mean in means.items()} == {
        ("rnn", 10): "5.07 4.43",
        ("rnn", 100): "3.19 3.28",
        ("rnn", 1000): "1.98 3.27",
        ("lstm", 10): "5.10 4.43",
        ("lstm", 100): "3.47 3.39",
        ("lstm", 1000): "1.92 3.10",
        ("gru", 10): "5.21 4.42",
        ("gru", 100): "3.10 3.18",
        ("gru", 1000): "1.42 3.32",
    }


@pytest.mark.parametrize(("layer", "seed"), [("rnn", 2), ("gru", 4)])
def test_a_run_again_comes_to_what_was_saved(layer, seed):
    kept = [s for s in own_text.saved() if (s.layer, s.seed) == (layer, seed)]
    assert own_text.run(layer, seed, [10, 20])[0] == kept[0]


def test_the_table_has_a_line_for_each_layer_and_count():
    found = [
        own_text.Score("gru", 10, 1, 5.0, 4.0),
        own_text.Score("gru", 10, 2, 4.0, 3.0),
        own_text.Score("rnn", 10, 1, 5.5, 4.5),
    ]
    rows = [row.split() for row in own_text.table(found).splitlines()[1:]]
    assert rows == [["gru", "10", "2", "4.50", "3.50"], ["rnn", "10", "1", "5.50", "4.50"]]


def test_a_sweep_makes_the_trials_of_its_grid(monkeypatch):
    monkeypatch.setattr(own_text, "UPDATES", (1, 2))
    assert len(own_text.EXPERIMENT.grid()) == 15
    found = own_text._trial("rnn", 1)
    assert list(found) == ["1", "2"]
    assert all(3 < value < 8 for pair in found.values() for value in pair)


def test_the_state_goes_on_from_chunk_to_chunk_and_begins_anew_at_the_end():
    text = "abcdefghij" * 3
    run = own_text.Run(text, own_text.Settings(layer="rnn", units=4, chunk=4, streams=2))
    assert (run.kept, run.T, run.B, run.L) == (0, 4, 2, 14)
    places = []
    for _ in range(4):
        run.update()
        places.append(run.at)
        assert run.state.shape == (2, 4)
    assert places == [4, 8, 12, 4]
    # The second chunk, computed anew from the state after the first.
    run = own_text.Run(text, own_text.Settings(layer="rnn", units=4, chunk=4, streams=2))
    run.update()
    x = run.one_hot[run.text.labels[np.array([[4, 18], [5, 19], [6, 20], [7, 21]])]]
    targets = run.text.labels[np.array([[5, 19], [6, 20], [7, 21], [8, 22]])]
    found = run.model.loss_and_gradients(x, targets, state=run.state)
    clip_by_global_norm(found.grads, 1.0)
    assert run.update().E == pytest.approx(found.E / np.log(2), rel=1e-12)


def test_guessers_need_what_the_counts_say():
    found = own_text.spell("aab" * 40)
    assert found.nothing == 1
    assert found.often == pytest.approx(-(2 * np.log2(2 / 3) + np.log2(1 / 3)) / 3)
    start = own_text.spell(tea_party())
    assert (len(start.alphabet), f"{start.nothing:.2f} {start.often:.2f}") == (64, "6.00 4.53")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"ab", "text is a bytes, expected a str"),
        ("", "text has 0 characters, expected 2 to 50000"),
        ("ab" * 25_001, "text has 50002 characters"),
        (" \n", "text is nothing but spaces"),
        ("\x07a\x07a", "text is 'a' again and again"),
    ],
)
def test_a_text_that_cannot_be_learned_is_named(text, message):
    for call in (own_text.clean, own_text.spell, own_text.Run):
        with pytest.raises((TypeError, ValueError), match=message):
            call(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layer": "GRU"}, "layer is 'GRU', expected one of"),
        ({"units": 129}, "units is 129, expected at most 128"),
        ({"units": 0}, "units is 0, expected at least 1"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"chunk": 0}, "chunk is 0, expected at least 1"),
        ({"streams": 1.5}, "streams is 1.5"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
    ],
)
def test_bad_settings_are_named(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        own_text.Settings(**given)


def test_bad_arguments_are_named():
    learner = own_text.Run("abc", own_text.Settings(units=2))
    for call, message in [
        (lambda: learner.write(0), "temperature is 0"),
        (lambda: learner.write(size=0), "size is 0, expected at least 1"),
        (lambda: own_text.network(0, own_text.Settings()), "D is 0, expected at least 1"),
        (lambda: own_text.run("gru", 1, [0]), "k is 0|updates"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            call()
