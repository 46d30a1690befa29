"""Metrics on validation data."""

import functools

import numpy as np
import pytest
from helpers import ARRANGEMENTS, assert_close, make_problem

from rnncourse import SGD, fit, log_softmax, metrics


def run(p, **options):
    settings = {"epochs": 1, "optimizer": SGD(0.1), "rng": np.random.default_rng(0)}
    return fit(p.model, **{**p.data, **settings, "progress": False, **options})


def test_accuracy_counts_the_largest_outputs():
    y = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    assert metrics.accuracy(y, np.array([1, 0, 0, 1])) == 0.75


def test_perplexity_of_an_even_guess_is_the_number_of_labels(rng):
    assert metrics.perplexity(np.zeros((4, 7)), np.array([0, 3, 6, 1])) == pytest.approx(7)
    y, labels = rng.normal(size=(9, 3)), rng.integers(0, 3, 9)
    chosen = np.exp(log_softmax(y))[np.arange(9), labels]
    assert metrics.perplexity(y, labels) == pytest.approx(np.prod(chosen) ** (-1 / 9))
    assert metrics.perplexity(np.array([[0.0, 1e4]]), np.array([0])) == np.inf


def how_many(y, targets):
    return len(y)


def mean_target(y, targets):
    return targets.mean()


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("batch_size", [None, 2])
def test_metrics_see_the_predictions_that_count_and_no_others(arrangement, batch_size):
    """Over all of the data, however they are cut into batches."""
    rng = np.random.default_rng(5)
    first = arrangement == "many-to-one"
    options = {"arrangement": arrangement, "ragged": True, "masked": not first, "B": 5}
    p, still = make_problem(rng, **options), SGD(1e-300)
    named = ["accuracy", "perplexity", how_many, mean_target]
    history = run(
        p, validation=p.data, metrics=named, batch_size=batch_size, epochs=2, optimizer=still
    )
    counted = [at for _, _, at in p.counted()]
    steps = len(p.targets) if arrangement == "one-to-many" else None
    outputs = p.model.predict(p.x, lengths=p.lengths, steps=steps)
    y, targets = (np.array([a[at] for at in counted]) for a in (outputs, p.targets))
    expected = {
        "accuracy": np.mean(y.argmax(-1) == targets),
        "perplexity": np.exp(p.model.loss(**p.data)),
        "how_many": len(counted),
        "mean_target": targets.mean(),
    }
    assert list(history.metrics) == list(expected)
    for name, value in expected.items():
        assert_close(history.metrics[name], [value, value])


def test_metrics_of_real_targets(rng):
    p = make_problem(rng, loss="squared_error")
    named = {"largest error": lambda y, targets: np.abs(y - targets).max()}
    history = run(p, validation=p.data, metrics=named)
    assert_close(history.metrics["largest error"], [np.abs(p.model.predict(p.x) - p.targets).max()])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("accuracy", TypeError, "metrics is 'accuracy', expected a list"),
        (3, TypeError, "metrics is 3, expected a list"),
        (["f1"], ValueError, "metrics has 'f1', expected a function or one of 'accuracy', 'perp"),
        ([3], ValueError, "metrics has 3, which has no name"),
        ({"a": 3}, TypeError, r"metrics has 3, expected a function of \(y, targets\)"),
        ([lambda y, t: 0.0], ValueError, "which has no name, expected a mapping"),
        ([functools.partial(how_many)], ValueError, "which has no name, expected a mapping"),
        (["accuracy", "accuracy"], ValueError, "'accuracy', 'accuracy'.*expected no name twice"),
    ],
)
def test_metrics_that_are_none(rng, given, error, message):
    p = make_problem(rng)
    with pytest.raises(error, match=message):
        run(p, validation=p.data, metrics=given)


@pytest.mark.parametrize("value", [None, "good", [1.0, 2.0], 1j, True])
def test_a_metric_that_returns_no_number_is_named(rng, value):
    p = make_problem(rng)
    with pytest.raises(TypeError, match=r"the metric odd returned .*, expected a number"):
        run(p, validation=p.data, metrics={"odd": lambda y, t: value})


def test_metrics_need_validation_data_and_labels(rng):
    p = make_problem(rng, loss="squared_error")
    with pytest.raises(ValueError, match="metrics needs validation data"):
        run(p, metrics=["accuracy"])
    with pytest.raises(ValueError, match="'accuracy', expected a model with cross_entropy"):
        run(p, metrics=["accuracy"], validation=p.data)
