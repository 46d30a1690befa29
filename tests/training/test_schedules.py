"""Learning rates that change with the update."""

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rnncourse import SGD, Adam, schedules


def rates(schedule, updates):
    return [schedule(update) for update in range(1, updates + 1)]


def test_a_constant_rate_may_warm_up():
    assert rates(schedules.Constant(0.5), 3) == [0.5, 0.5, 0.5]
    assert_allclose(rates(schedules.Constant(0.8, warmup=4), 6), [0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_a_step_multiplies_again_and_again():
    given = rates(schedules.Step(1.0, every=2, factor=0.1), 6)
    assert_allclose(given, [1, 1, 0.1, 0.1, 0.01, 0.01])
    assert_allclose(rates(schedules.Step(1.0, every=1, warmup=2), 3), [0.5, 0.5, 0.25])


def test_a_cosine_falls_along_half_a_wave():
    given = rates(schedules.Cosine(1.0, updates=12, warmup=4, final=0.2), 15)
    assert_allclose(given[:4], [0.25, 0.5, 0.75, 1.0])
    for update in range(5, 13):
        wave = math.cos(math.pi * (update - 4) / 8)
        assert given[update - 1] == pytest.approx(0.2 + 0.4 * (1 + wave))
    assert given[7] == pytest.approx(0.6)  # half-way
    assert_allclose(given[11:], 0.2)
    assert all(np.diff(given[3:12]) < 0)
    assert_allclose(rates(schedules.Cosine(2.0, updates=4), 4)[-1], 0, atol=1e-15)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: schedules.Constant(0), ValueError, "rate is 0, expected a finite number above 0"),
        (lambda: schedules.Constant(1, warmup=-1), ValueError, "warmup is -1, expected at least 0"),
        (lambda: schedules.Step(1, every=0), ValueError, "every is 0, expected at least 1"),
        (lambda: schedules.Step(1, every=2, factor=1), ValueError, "factor is 1"),
        (lambda: schedules.Step(1, every=2, factor=0), ValueError, "factor is 0"),
        (lambda: schedules.Step(1, every=2, warmup=0.5), TypeError, "warmup is 0.5"),
        (lambda: schedules.Cosine("1", updates=2), TypeError, "rate is '1'"),
        (lambda: schedules.Cosine(1, updates=0), ValueError, "updates is 0"),
        (
            lambda: schedules.Cosine(1, updates=5, warmup=5),
            ValueError,
            "warmup is 5, expected less",
        ),
        (
            lambda: schedules.Cosine(1, updates=5, final=2),
            ValueError,
            "final is 2, expected .* 0 to",
        ),
        (lambda: schedules.Cosine(1, updates=5, final=-1), ValueError, "final is -1"),
    ],
)
def test_settings_that_make_no_sense(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.Constant(0.1, 3),
        schedules.Step(0.1, 2),
        schedules.Cosine(0.1, 9),
        lambda update: 1 / update,
    ],
)
def test_an_optimizer_follows_its_schedule(schedule):
    sgd, W = SGD(schedule), np.zeros(1)
    assert sgd.rate == schedule(1)
    for update in range(1, 12):
        before = W.copy()
        sgd.step({"W": W}, {"W": np.ones(1)})
        assert_allclose(before - W, schedule(update))
        assert sgd.rate == schedule(update)


def test_a_state_brings_its_place_in_the_schedule():
    first, second = (Adam(schedules.Step(0.1, every=1)) for _ in range(2))
    for _ in range(3):
        first.step({"W": np.zeros(1)}, {"W": np.ones(1)})
    second.load_state(first.state())
    assert second.rate == first.rate == 0.1 / 4


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        (-5, ValueError, "learning_rate is -5, expected a finite number above 0"),
        (0, ValueError, "learning_rate is 0"),
        (np.inf, ValueError, "learning_rate is inf"),
        (None, TypeError, "learning_rate is None"),
        (lambda update: -1.0, ValueError, "learning_rate at update 1 is -1.0, expected at least 0"),
        (lambda update: math.nan, ValueError, "learning_rate at update 1 is nan"),
        (lambda update: "fast", TypeError, "learning_rate at update 1 is 'fast'"),
        (lambda update: 1 / 0, ZeroDivisionError, "division by zero"),
    ],
)
def test_a_learning_rate_is_checked_whenever_it_is_set(rate, error, message):
    optimizer = Adam(0.25)
    with pytest.raises(error, match=message):
        optimizer.learning_rate = rate
    assert (optimizer.learning_rate, optimizer.rate) == (0.25, 0.25)
    with pytest.raises(error, match=message):
        Adam(rate)
    optimizer.learning_rate = 0.5
    assert (optimizer.learning_rate, optimizer.rate) == (0.5, 0.5)


def test_a_schedule_that_is_set_later_goes_on_from_the_latest_update():
    sgd, W = SGD(0.5), np.zeros(1)
    for _ in range(3):
        sgd.step({"W": W}, {"W": np.ones(1)})
    sgd.learning_rate = schedules.Step(1.0, every=1)
    assert sgd.rate == 1 / 4
    sgd.step({"W": W}, {"W": np.ones(1)})
    assert (sgd.rate, W) == (1 / 8, -1.5 - 1 / 8)


def test_a_schedule_that_goes_wrong_later_moves_nothing():
    sgd, W = SGD(lambda update: 1.0 if update < 3 else math.inf), np.zeros(1)
    for _ in range(2):
        sgd.step({"W": W}, {"W": np.ones(1)})
    with pytest.raises(ValueError, match="learning_rate at update 3 is inf"):
        sgd.step({"W": W}, {"W": np.ones(1)})
    assert (W, sgd.steps) == (-2, 2)


def test_settings_say_what_an_optimizer_was_made_with():
    def own(update):
        return 0.1

    assert SGD(0.1).settings() == {"learning_rate": 0.1}
    sgd = SGD(0.1)
    sgd.damping, sgd.variant, sgd.mean = 2, "heavy ball", np.zeros(3)
    assert sgd.settings() == {"learning_rate": 0.1, "damping": 2, "variant": "heavy ball"}
    adam = Adam(schedules.Step(0.1, every=3), beta1=0.5)
    adam.step({"W": np.zeros(1)}, {"W": np.ones(1)})
    cosine = "Step(rate=0.1, every=3, factor=0.5, warmup=0)"
    assert adam.settings() == {
        "learning_rate": cosine,
        "beta1": 0.5,
        "beta2": 0.999,
        "epsilon": 1e-8,
    }
    assert SGD(own).settings()["learning_rate"].startswith("the function test_settings_say")


def test_schedules_travel_between_processes():
    for schedule in (schedules.Constant(1), schedules.Step(1, 2), schedules.Cosine(1, 2)):
        assert pickle.loads(pickle.dumps(schedule)) == schedule
