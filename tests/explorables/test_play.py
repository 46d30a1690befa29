"""The playground's run in the page is that of Python: data, start, losses, verdict."""

import itertools
import math

import numpy as np
import pytest

from rnncourse import datasets
from rnncourse.experiments import playground as pg

BATCH = """([task, lag, B, seed, numbers]) => play.then(({ TASKS, random }) => {
  const [{ batch, held }, years] = [TASKS[task], numbers];
  const b = B ? batch(lag, B, random(seed), years) : held(lag, years);
  return { T: b.T, x: [...b.x], counts: [...b.counts], targets: [...(b.labels ?? b.targets)] };
})"""
YEARS = (100 * pg.series()).tolist()
RUN = """([settings, updates]) => play.then(({ run }) => {
  const it = run(settings);
  const start = Object.fromEntries(Object.entries(it.P).map(([name, W]) => [name, [...W]]));
  const done = Array.from({ length: updates }, () => it.update());
  const all = (key) => done.map((u) => u[key]);
  return { start, E: all("E"), norm: all("norm"), score: all("score") };
})"""


@pytest.fixture(scope="module")
def page(browser, scripts):
    page = browser.new_page()
    page.goto(f"{scripts}words.json")
    page.evaluate(
        """(address) => {
          const both = ["play", "random"].map((name) => import(`${address}${name}.js`));
          globalThis.play = Promise.all(both).then(([play, random]) => ({ ...play, ...random }));
        }""",
        scripts,
    )
    yield page
    page.close()


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_the_generator_gives_the_same_numbers(page, seed):
    draw = "(seed) => play.then(({ random }) => Array.from({ length: 1000 }, random(seed)))"
    there = page.evaluate(draw, seed)
    generator = pg.Random(seed)
    here = [*generator.uniform(300), *generator.uniform(7, 100).ravel()]
    assert there == here
    assert 0.45 < np.mean(here) < 0.55
    assert 0.07 < np.var(here) < 0.1


@pytest.mark.parametrize("lag", [2, 3, 10])
@pytest.mark.parametrize("task", pg.SIZES)
def test_the_sequences_are_the_same(page, task, lag):
    same(page.evaluate(BATCH, [task, lag, 5, 9, YEARS]), pg.batch(task, lag, 5, pg.Random(9)))


@pytest.mark.parametrize("lag", [2, 60])
def test_the_held_out_years_are_the_same(page, lag):
    here = pg.held_out("sunspots", lag)
    same(page.evaluate(BATCH, ["sunspots", lag, 0, 0, YEARS]), here)
    told = here.targets[-1, :, 0]
    years, numbers = datasets.sunspots()
    assert np.allclose(100 * told, numbers[(years >= 1921) & (years <= 1955)])
    # What comes before each of them are the years before it.
    assert here.x[-1, 1:, 0].tolist() == told[:-1].tolist()


def same(there, here):
    T, B, _ = here.x.shape
    assert there["T"] == T
    assert there["x"] == here.x.swapaxes(1, 2).ravel().tolist()
    counts = here.counts.ravel()
    assert there["counts"] == counts.tolist()
    targets = np.array(there["targets"])
    assert targets[counts].tolist() == here.targets.reshape(T * B)[counts].tolist()


CASES = [
    {},
    {"layer": "lstm", "init": "orthogonal", "task": "temporal order", "lag": 12},
    {"layer": "gru", "init": "identity", "task": "echo", "lag": 3, "max_norm": 0.0},
    {"layer": "rnn", "task": "parity", "lag": 5, "rule": "sgd", "learning_rate": 0.1, "seed": 3},
    {"layer": "gru", "task": "adding", "lag": 9, "units": 5, "batch_size": 7},
    {"layer": "lstm", "task": "first symbol", "forget_bias": 3.0, "units": 1, "lag": 20},
    {"layer": "lstm", "task": "sunspots", "lag": 7, "units": 6},
]


@pytest.mark.parametrize("given", CASES, ids=lambda given: given.get("task", "default"))
def test_fifty_updates_are_the_same(page, given):
    settings = pg.Settings(**given)
    there = page.evaluate(RUN, [{**vars(settings), "numbers": YEARS}, 50])
    start = pg.network(settings, pg.Random(settings.seed))
    for name, W in start.params.items():
        assert np.allclose(there["start"][name], W.ravel(), rtol=0, atol=1e-12), name
    here = [update for update, _ in itertools.islice(pg.train(settings), 50)]
    assert np.allclose(there["E"], [u.E for u in here], rtol=0, atol=1e-9)
    assert np.allclose(there["norm"], [u.norm for u in here], rtol=1e-7, atol=1e-9)
    scores = [u.score for u in here if not math.isnan(u.score)]
    assert len(scores) == 2
    assert [s for s in there["score"] if s is not None and s == s] == pytest.approx(
        scores, abs=1e-9
    )


def test_a_solution_is_told_alike(page):
    told = "([task, score]) => play.then(({ solved }) => solved(task, score))"
    for task in pg.SIZES:
        for score in (0.0, 0.5, 1.0):
            assert page.evaluate(told, [task, score]) == pg.solved(task, score)
