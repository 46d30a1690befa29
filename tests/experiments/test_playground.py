"""The playground's stories: what was saved, a run again, its settings, and how a run ends."""

import json
import math
import re
from dataclasses import asdict
from itertools import islice, product
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest

from rnncourse.experiments import playground as pg

PAGE = Path(__file__).parents[2] / "book" / "playground.ipynb"
CELLS = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
TEXT = "".join("".join(c["source"]) for c in CELLS if c["cell_type"] == "markdown")


def outcomes(story):
    return [(r.outcome, r.updates) for r in pg.saved() if r.story == story]


def test_the_saved_results_are_all_there():
    assert sorted((r.story, r.seed) for r in pg.saved()) == sorted(product(pg.RUNS, pg.SEEDS))


def sections():
    """Return what the page says of each story: the text from its heading to the next."""
    found = {}
    for section in TEXT.split("\n## "):
        for link in re.findall(r'href="#explore-playground\?([^"]*)"', section):
            found[link] = section
    return dict(zip(pg.STORIES, found.values(), strict=True))


NUMBERS = ("none", "one", "two", "three", "four", "five")


@pytest.mark.parametrize("story", [name for name in pg.STORIES if "sunspots" not in name])
def test_the_page_says_what_the_saved_results_say(story):
    said = sections()[story].partition("Answer\n")[2].lower()
    count = sum(outcome == "solved" for outcome, _ in outcomes(story))
    if story != "too fast":
        assert re.search(rf"\b{NUMBERS[count]}\b", said)
    # Those that stopped, one by one or from the first to the last. A run that diverges has made
    # one update fewer than the one at which it does so.
    at = sorted(k + (o == "diverged") for o, k in outcomes(story) if o != "not yet")
    if at:
        each = f"{', '.join(map(str, at[:-1]))} and {at[-1]}" if at[1:] else f"update {at[0]}"
        assert each in said or f"{at[0]} to {at[-1]}" in said or f"{at[0]} or {at[-1]}" in said


def test_the_page_says_how_far_off_the_sunspots_are():
    said = sections()["sunspots"].replace("\n", " ")
    for story, years in (("sunspots 2", "two"), ("sunspots", "22")):
        off = sorted(100 * math.sqrt(r.score) for r in pg.saved() if r.story == story)
        told = re.findall(rf"{years} years (?:the five seeds ended )?(\d+) to (\d+)", said)
        assert told == [(f"{off[0]:.0f}", f"{off[-1]:.0f}")]
        assert f"{np.mean(off):.0f}" in said.partition("About ")[2].partition(".")[0]
    same = pg.held_out("sunspots", 2)
    change = same.targets[-1, :, 0] - same.x[-1, :, 0]
    assert f"off by {100 * math.sqrt(np.mean(change**2)):.0f} sunspots" in said


def test_networks_of_equal_size_are_so():
    def size(story):
        model = pg.network(pg.Settings(**pg.STORIES[story]), pg.Random(1))
        return sum(W.size for W in model.params.values())

    assert (size("equal"), size("bias 4")) == (1534, 1540)
    assert "1534" in sections()["equal"]
    assert "1540" in sections()["equal"]


@pytest.mark.parametrize("name", pg.CHALLENGES)
def test_a_challenge_can_be_met_in_two_ways(name):
    ways = [way for way in pg.WAYS if re.fullmatch(rf"{name} \d", way)]
    assert len(ways) == 2
    for way in ways:
        settings = pg.Settings(**pg.WAYS[way])
        size = sum(W.size for W in pg.network(settings, pg.Random(1)).params.values())
        solved = [k for outcome, k in outcomes(way) if outcome == "solved"]
        assert any(pg.CHALLENGES[name].met(settings, size, k) for k in solved)


@pytest.mark.parametrize("way", ["gru not", "tame not"])
def test_what_the_hints_call_hopeless_is_not_solved(way):
    assert {outcome for outcome, _ in outcomes(way)} == {"not yet"}


@pytest.mark.parametrize(("story", "seed"), [("short", 1), ("orthogonal", 2), ("orthogonal", 4)])
def test_a_run_again_has_the_saved_outcome(story, seed):
    assert (pg.run(story, seed).outcome, pg.run(story, seed).updates) == outcomes(story)[seed - 1]


def test_a_run_again_diverges_where_it_did():
    found = pg.run("too fast", 1)
    assert found.outcome == "diverged"
    assert abs(found.updates - 71) <= 1


def test_a_story_that_stalls_hears_nothing_of_its_first_step():
    """What the page says of the gradient at a lag of 60 before any training."""
    from rnncourse import jacobians

    settings = pg.Settings(**pg.STORIES["long"])
    random = pg.Random(1)
    model = pg.network(settings, random)
    given = pg.batch("first symbol", 60, 32, random)
    terms = jacobians.gradient_by_step(model, given.x, given.targets, mask=given.counts)
    lengths = jacobians.norm_by_step(terms)
    assert 1e-13 < lengths[0] / lengths[-1] < 1e-9


def test_the_links_of_the_page_are_the_stories():
    links = re.findall(r'href="#explore-playground\?([^"]*)"', TEXT)
    told = [dict(parse_qsl(link.replace("&amp;", "&"))) for link in links]
    wanted = [asdict(pg.Settings(**story)) for story in pg.STORIES.values()]
    for link, settings in zip(told, wanted, strict=True):
        kinds = {name: type(value)(link[name]) for name, value in settings.items()}
        assert kinds == settings


def test_what_diverges_says_at_which_update():
    run = pg.train(pg.Settings(**pg.STORIES["too fast"]))
    with pytest.raises(FloatingPointError, match=r"diverged at update 7\d: .*(NaN|infinity|inf)"):
        list(islice(run, 200))


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
def test_a_start_is_that_of_every_block(layer):
    for init in ("orthogonal", "identity"):
        settings = pg.Settings(layer=layer, init=init, units=5)
        W_hh = pg.network(settings, pg.Random(3)).params["W_hh"]
        for block in W_hh.reshape(-1, 5, 5):
            assert np.allclose(block @ block.T, np.eye(5))


def test_the_table_counts_outcomes():
    runs = [
        pg.Run("short", 1, "solved", 40, 1.0, 0.1),
        pg.Run("short", 2, "not yet", 500, 0.5, 1.0),
        pg.Run("too fast", 1, "diverged", 71, math.inf, 1.0),
    ]
    rows = [row.split() for row in pg.table(runs).splitlines()]
    assert rows[1:] == [["short", "1/2", "0/2", "40"], ["too", "fast", "0/1", "1/1", "71"]]


def test_the_sweep_makes_the_runs_of_its_grid(tmp_path):
    only = {"story": ["short", "too fast"]}
    assert len(pg.EXPERIMENT.grid()) == 5 * len(pg.RUNS)
    trials = pg.EXPERIMENT.run(tmp_path / "a.jsonl", only=only, seeds=[1], progress=False)
    assert [t.result["outcome"] for t in trials] == ["solved", "diverged"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"task": "copy"}, "task is 'copy', expected one of"),
        ({"layer": "RNN"}, "layer is 'RNN', expected one of"),
        ({"lag": 1}, "lag is 1, expected at least 2"),
        ({"lag": 201}, "lag is 201, expected at most 200"),
        ({"units": 65}, "units is 65, expected at most 64"),
        ({"learning_rate": 0}, "learning_rate is 0.*, expected above 0"),
        ({"max_norm": -1}, "max_norm is -1.*, expected at least 0"),
        ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
        ({"forget_bias": math.nan}, "forget_bias is nan, expected a finite number"),
        ({"seed": 2**31}, "seed is 2147483648, expected at most"),
    ],
)
def test_bad_settings_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        pg.Settings(**given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"story": "none"}, "story is 'none', expected one of"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"max_updates": 0}, "max_updates is 0, expected at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        pg.run(**{"story": "short", "seed": 0, **arguments})


def test_a_task_held_out_must_be_one():
    with pytest.raises(ValueError, match="task is 'copy', expected one of"):
        pg.held_out("copy", 10)
