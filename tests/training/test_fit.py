"""Training: what each option does, exact resumption, failures that leave a usable model."""

import copy
import os
import pickle

import numpy as np
import pytest
from helpers import (
    ARRANGEMENTS,
    CAUSAL,
    LOSSES,
    assert_close,
    assert_same,
    make_problem,
    outcome,
    weights,
)
from numpy.testing import assert_array_equal

from rnncourse import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    Bidirectional,
    History,
    Model,
    Readout,
    RMSprop,
    Stack,
    TrainingDiverged,
    fit,
    global_norm,
    load_checkpoint,
    save_checkpoint,
    schedules,
)

KINDS = {
    "SGD": lambda: SGD(0.3),
    "RMSprop": lambda: RMSprop(0.05),
    "Adam": lambda: Adam(0.05),
}
each_layer = pytest.mark.parametrize("layer", [*CAUSAL, "bidirectional"])
each_causal_layer = pytest.mark.parametrize("layer", CAUSAL)


def run(p, **options):
    """`fit` with settings for a short silent run; `p.data` unless other data is given."""
    settings = {"epochs": 1, "optimizer": SGD(0.1), "rng": np.random.default_rng(0)}
    return fit(p.model, **{**p.data, **settings, "progress": False, **options})


# ---------------------------------------------------------------- one epoch, step by step


@each_layer
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("batch_size", [None, 3])
def test_an_epoch_equals_a_manual_loop(layer, arrangement, ragged, batch_size):
    """Batches, their lengths and masks are the shuffled sequences, each once."""
    first = arrangement == "many-to-one"
    options = {"B": 7, "arrangement": arrangement, "ragged": ragged, "masked": not first}
    options["layer"] = layer
    p, twin = (make_problem(np.random.default_rng(4), **options) for _ in range(2))
    history = run(p, batch_size=batch_size, epochs=2)

    rng, norms, losses = np.random.default_rng(0), [], []
    for _ in range(2):
        order, epoch = rng.permutation(7), []
        for start in range(0, 7, batch_size or 7):
            at = order[start : start + (batch_size or 7)]
            x = twin.x[at] if arrangement == "one-to-many" else twin.x[:, at]
            found = twin.model.loss_and_gradients(
                x,
                twin.targets[at] if first else twin.targets[:, at],
                lengths=twin.lengths[at] if ragged else None,
                mask=None if first else twin.mask[:, at],
            )
            norms.append(global_norm(found.grads))
            counts = np.ones(7, bool)[at] if first else twin.mask[:, at].copy()
            if ragged and not first:
                counts &= np.arange(len(counts))[:, None] < twin.lengths[at]
            epoch.append((found.E, counts.sum()))
            for name, W in twin.model.params.items():
                W -= 0.1 * found.grads[name]
        losses.append(sum(E * n for E, n in epoch) / sum(n for _, n in epoch))
    assert_close(weights(p.model), weights(twin.model))
    assert_close(history.gradient_norm, norms)
    assert_close(history.loss, losses)
    assert (history.epochs, history.stopped) == (2, "2 epochs done")
    assert (history.best_epoch, history.validation_loss) == (0, [])


def test_a_batch_runs_as_far_as_its_longest_sequence(rng, monkeypatch):
    p, steps = make_problem(rng, T=6, B=4), []

    def forward(self, x, *rest, forward=RNN.forward):
        steps.append(len(x))
        return forward(self, x, *rest)

    monkeypatch.setattr(RNN, "forward", forward)
    run(p, lengths=[1, 2, 6, 3], batch_size=1)
    assert sorted(steps) == [1, 2, 3, 6]


@each_causal_layer
def test_truncation_carries_the_state_and_updates_after_each_chunk(layer):
    options = {"T": 7, "B": 2, "loss": "squared_error", "layer": layer}
    p, twin = (make_problem(np.random.default_rng(7), **options) for _ in range(2))
    history = run(p, truncate=3)
    order, state = np.random.default_rng(0).permutation(2), None
    for t in range(0, 7, 3):
        chunk = slice(t, t + 3)
        found = twin.model.loss_and_gradients(
            twin.x[chunk, order], twin.targets[chunk, order], state=state
        )
        state = found.state_T
        for name, W in twin.model.params.items():
            W -= 0.1 * found.grads[name]
    assert_close(weights(p.model), weights(twin.model))
    assert len(history.gradient_norm) == 3


def test_clipping_bounds_the_step_and_history_keeps_the_norm_before(rng):
    p = make_problem(rng)
    before, grads = weights(p.model), p.model.loss_and_gradients(**p.data).grads
    history = run(p, clip_norm=1e-3, optimizer=SGD(1.0))
    moved = {name: before[name] - W for name, W in p.model.params.items()}
    assert_close(global_norm(moved), 1e-3)
    assert_close(history.gradient_norm, [global_norm(grads)])
    for name in grads:
        assert_close(moved[name], grads[name] * 1e-3 / global_norm(grads))


@each_causal_layer
def test_a_batch_or_chunk_that_the_mask_empties_makes_no_update(layer):
    """As when a network reads first and answers later."""
    p, twin = (make_problem(np.random.default_rng(1), T=6, B=2, layer=layer) for _ in range(2))
    late = np.arange(6)[:, None] >= np.array([4, 4])
    chunked = run(p, mask=late, truncate=2)
    assert len(chunked.gradient_norm) == 1
    # The state was carried through: the update is that of the last chunk after the first two.
    order = np.random.default_rng(0).permutation(2)
    _, state, _ = twin.model.layer.forward(twin.x[:4, order])
    found = twin.model.loss_and_gradients(twin.x[4:, order], twin.targets[4:, order], state=state)
    for name, W in twin.model.params.items():
        W -= 0.1 * found.grads[name]
    assert_close(weights(p.model), weights(twin.model))
    # One sequence counts only past its end, so its batch of one counts nothing.
    lengths, mask = np.array([2, 6]), np.arange(6)[:, None] >= np.array([3, 3])
    assert len(run(p, lengths=lengths, mask=mask, batch_size=1).gradient_norm) == 1


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_a_batch_of_sequences_that_do_not_count_is_left_out(arrangement):
    """The update is that of the other sequences."""
    p, twin = (make_problem(np.random.default_rng(1), arrangement=arrangement) for _ in range(2))
    mask = np.ones(p.targets.shape, bool)
    mask[..., [0, 2]] = False
    history = run(p, mask=mask, batch_size=1)
    found = twin.model.loss_and_gradients(twin.x, twin.targets, mask=mask)
    for name, W in twin.model.params.items():
        W -= 0.1 * found.grads[name]
    assert_close(weights(p.model), weights(twin.model))
    assert_close(history.loss, [found.E])


def test_the_generator_decides_the_order(rng):
    results = []
    for seed in (0, 0, 1):
        p = make_problem(np.random.default_rng(2), B=6)
        run(p, batch_size=2, rng=np.random.default_rng(seed))
        results.append(p.model.params["W_hh"].copy())
    assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


# ---------------------------------------------------------------- learning


def last_sign(rng, n):
    """Sequences of ±1 whose label says whether the first two signs agree."""
    x = rng.choice([-1.0, 1.0], size=(4, n, 1))
    return x, (x[0, :, 0] * x[1, :, 0] > 0).astype(int)


@each_layer
@pytest.mark.parametrize("seed", range(3))
def test_a_task_that_needs_memory_is_learned(layer, seed):
    rng = np.random.default_rng(seed)
    recurrent = {
        "RNN": lambda: RNN(1, 16, rng=rng),
        "LSTM": lambda: LSTM(1, 16, rng=rng),
        "GRU": lambda: GRU(1, 16, rng=rng),
        "GRU-before": lambda: GRU(1, 16, rng=rng, reset="before"),
        "stack": lambda: Stack(LSTM(1, 10, rng=rng), RNN(10, 16, rng=rng)),
        "bidirectional": lambda: Bidirectional(LSTM(1, 16, rng=rng), RNN(1, 8, rng=rng)),
    }[layer]()
    readout = Readout(recurrent.hidden_size, 2, rng=rng)
    model = Model(recurrent, readout, arrangement="many-to-one")
    x, labels = last_sign(rng, 64)
    history = fit(
        model, x, labels, epochs=150, optimizer=Adam(0.02), rng=rng, clip_norm=1.0, progress=False
    )
    assert history.loss[0] > 0.5
    assert history.loss[-1] < 0.1
    x, labels = last_sign(rng, 100)
    assert (model.predict(x).argmax(-1) == labels).all()


@each_causal_layer
@pytest.mark.parametrize("kind", KINDS)
def test_training_in_float32_stays_in_float32(layer, kind, rng):
    p = make_problem(rng, loss="squared_error", O=2, layer=layer, dtype=np.float32)
    history = run(p, epochs=30, optimizer=KINDS[kind](), clip_norm=1.0)
    assert {W.dtype for W in p.model.params.values()} == {np.dtype(np.float32)}
    assert history.loss[-1] < history.loss[0]
    assert p.model.generate(p.x, 2).dtype == np.float32


# ---------------------------------------------------------------- validation, early stop


def held_out(seed=11, **options):
    p = make_problem(np.random.default_rng(seed), B=4, **options)
    return {"x": p.x, "targets": p.targets}


def test_validation_loss_is_measured_after_each_epoch(rng):
    p, validation = make_problem(rng), held_out()
    history = run(p, epochs=3, validation=validation)
    assert len(history.validation_loss) == 3
    assert history.validation_loss[-1] == p.model.loss(**validation)
    assert history.best_epoch == 1 + int(np.argmin(history.validation_loss))


def test_validation_is_over_whole_sequences_also_where_training_is_truncated(rng):
    p, validation = make_problem(rng), held_out()
    history = run(p, truncate=2, validation=validation)
    assert_close(history.validation_loss, [p.model.loss(**validation)])


def test_early_stop_puts_back_the_weights_of_the_best_epoch(rng):
    p, validation = make_problem(rng), held_out()
    history = run(p, epochs=500, optimizer=Adam(0.05), validation=validation, patience=4)
    assert history.stopped == "no lower validation loss for 4 epochs"
    assert history.best_epoch == history.epochs - 4 == 1 + np.argmin(history.validation_loss)
    assert p.model.loss(**validation) == min(history.validation_loss)


def test_the_best_weights_come_back_when_the_epochs_end_first(rng):
    p, validation = make_problem(rng), held_out()
    history = run(p, epochs=40, optimizer=Adam(0.05), validation=validation, patience=60)
    assert history.stopped == "40 epochs done"
    assert history.best_epoch < 40
    assert p.model.loss(**validation) == min(history.validation_loss)


@pytest.mark.parametrize("epochs", [2, 9])
def test_an_equal_validation_loss_is_not_a_lower_one(rng, epochs):
    p, still = make_problem(rng), SGD(1e-300)
    history = run(p, epochs=epochs, optimizer=still, validation=held_out(), patience=1)
    assert (history.best_epoch, history.epochs) == (1, 2)
    assert history.stopped == "no lower validation loss for 1 epochs"


def test_the_best_epoch_is_the_lowest_of_all(monkeypatch):
    """A loss that falls again, though not below the lowest, is no better."""
    p, twin = (make_problem(np.random.default_rng(7)) for _ in range(2))
    run(twin, epochs=2)
    measured = iter([0.0, 0.0, 3.0, 1.0, 2.0, 1.5, 1.25])  # two checks, then epochs 1 to 5
    monkeypatch.setitem(fit.__globals__, "_measure", lambda *_: (next(measured), {}))
    history = run(p, epochs=9, validation=held_out(), patience=3)
    assert (history.best_epoch, history.epochs) == (2, 5)
    assert_same(p.model, weights(twin.model))


def test_a_resumed_run_compares_with_the_lowest_loss_before(tmp_path, monkeypatch):
    p, path = make_problem(np.random.default_rng(7)), tmp_path / "c.npz"
    options = {"validation": held_out(), "patience": 9, "checkpoint": path, "resume": True}
    measured = iter([0.0, 0.0, 1.0, 3.0, 0.0, 0.0, 2.0, 1.5])  # each run begins with two checks
    monkeypatch.setitem(fit.__globals__, "_measure", lambda *_: (next(measured), {}))
    run(p, epochs=2, **options)
    history = run(p, epochs=4, **options)
    assert (history.best_epoch, history.validation_loss) == (1, [1.0, 3.0, 2.0, 1.5])


def test_validation_is_measured_batch_by_batch(rng, monkeypatch):
    """No more sequences at once than in training, however many are held out."""
    p, sizes = make_problem(rng), []

    def predict(self, x, *, original=Model.predict, **options):
        sizes.append(x.shape[1])
        return original(self, x, **options)

    monkeypatch.setattr(Model, "predict", predict)
    run(p, batch_size=3, validation=held_out())  # of 4 sequences
    assert set(sizes[-2:]) == {3, 1}


def test_without_patience_the_weights_stay_those_of_the_last_epoch(rng, tmp_path):
    """Also where an earlier epoch had a lower validation loss."""
    p, twin = (make_problem(np.random.default_rng(7)) for _ in range(2))
    options = {"epochs": 60, "optimizer": Adam(0.05)}
    history = run(p, **options, validation=held_out(), checkpoint=tmp_path / "c.npz")
    assert history.best_epoch < 60
    run(twin, **{**options, "optimizer": Adam(0.05)})
    assert_same(p.model, weights(twin.model))
    assert_same(Model.load(tmp_path / "c.npz"), weights(twin.model))
    assert p.model.loss(**held_out()) > min(history.validation_loss)


@pytest.mark.parametrize(("epochs", "patience"), [(500, 4), (40, 60)])
def test_the_file_holds_the_weights_that_the_model_ends_with(rng, tmp_path, epochs, patience):
    """Those of the best epoch, however the run ended."""
    p, path = make_problem(rng), tmp_path / "c.npz"
    options = {"epochs": epochs, "patience": patience, "validation": held_out()}
    history = run(p, **options, optimizer=Adam(0.05), checkpoint=path)
    assert history.best_epoch < history.epochs
    loaded = Model.load(path)
    assert_same(loaded, weights(p.model))
    assert loaded.loss(**held_out()) == min(history.validation_loss)
    other = make_problem(np.random.default_rng(99)).model
    read, best = load_checkpoint(path, other)
    assert_same(other, best)
    assert read == history
    assert read.stopped == history.stopped != ""


def test_a_run_that_stopped_early_goes_on_with_more_patience(tmp_path):
    """From its last weights, not from the best: as if it had had that patience from the start."""

    def train(patience, **more):
        p = make_problem(np.random.default_rng(3))
        adam, rng = Adam(0.05), np.random.default_rng(8)
        options = {"epochs": 500, "batch_size": 2, "validation": held_out(), "patience": patience}
        history = run(p, optimizer=adam, rng=rng, **options, **more)
        return outcome(p.model, adam, rng, history)

    path = tmp_path / "c.npz"
    assert train(4, checkpoint=path) != train(9)
    assert train(9, checkpoint=path, resume=True) == train(9)


# ---------------------------------------------------------------- what is called after an epoch


def test_on_epoch_sees_each_epoch_and_may_stop_the_run(rng, tmp_path):
    p, path, seen = make_problem(rng), tmp_path / "c.npz", []

    def look(history, model):
        assert model is p.model
        seen.append((history.epochs, len(history.validation_loss), path.exists()))
        return history.epochs == 3

    options = {"epochs": 9, "validation": held_out(), "checkpoint": path, "on_epoch": look}
    history = run(p, **options)
    assert history.stopped == "on_epoch asked for it"
    assert seen == [(1, 1, False), (2, 2, True), (3, 3, True)]  # before its checkpoint is written
    # Taken up again, it has stopped already, as the whole run would have: the file is left alone.
    before, rng = weights(p.model), np.random.default_rng(0)
    os.utime(path, (0, 0))
    again = run(p, **options, resume=True, rng=rng)
    assert again == history
    assert_same(p.model, before)
    assert (len(seen), path.stat().st_mtime) == (3, 0)


def test_what_on_epoch_returns_may_be_left_out(rng):
    assert run(make_problem(rng), epochs=3, on_epoch=lambda history, model: None).epochs == 3


def test_an_early_stop_by_on_epoch_puts_back_the_best_too(rng):
    p, validation = make_problem(rng), held_out()
    options = {"optimizer": Adam(0.05), "validation": validation, "patience": 60}
    history = run(p, epochs=99, **options, on_epoch=lambda history, model: history.epochs == 40)
    assert history.epochs == 40 > history.best_epoch
    assert p.model.loss(**validation) == min(history.validation_loss)


@pytest.mark.parametrize("error", [RuntimeError("no more"), KeyboardInterrupt()])
def test_what_stops_a_run_carries_its_history(rng, error):
    def fail(history, model):
        if history.epochs == 2:
            raise error

    with pytest.raises(type(error)) as caught:
        run(make_problem(rng), epochs=9, on_epoch=fail)
    assert caught.value.history.epochs == 2
    given = History()
    with pytest.raises(type(error)):
        run(make_problem(rng), epochs=9, on_epoch=fail, history=given)
    assert given.epochs == 2


# ---------------------------------------------------------------- clipping by value, schedules


def test_clipping_by_value_cuts_each_entry(rng):
    p = make_problem(rng)
    before, grads = weights(p.model), p.model.loss_and_gradients(**p.data).grads
    history = run(p, clip_value=1e-2, optimizer=SGD(1.0))
    assert any(np.abs(dW).max() > 1e-2 for dW in grads.values())
    for name, dW in grads.items():
        assert_close(before[name] - p.model.params[name], np.clip(dW, -1e-2, 1e-2))
    assert_close(history.gradient_norm, [global_norm(grads)])


def test_a_schedule_counts_updates_over_epochs_and_runs():
    p, twin = (make_problem(np.random.default_rng(7), B=6) for _ in range(2))
    sgd = SGD(lambda update: 0.1 / update)
    history = run(p, epochs=2, optimizer=sgd, batch_size=3)
    run(p, epochs=1, optimizer=sgd, batch_size=3, history=history)
    orders = [np.random.default_rng(0), np.random.default_rng(0)]
    update = 0
    for rng in (orders[0], orders[0], orders[1]):
        order = rng.permutation(6)
        for at in (order[:3], order[3:]):
            update += 1
            found = twin.model.loss_and_gradients(twin.x[:, at], twin.targets[:, at])
            for name, W in twin.model.params.items():
                W -= 0.1 / update * found.grads[name]
    assert_close(weights(p.model), weights(twin.model))


# ---------------------------------------------------------------- runs that go on from one another


def test_a_second_run_continues_the_history_of_the_first(rng):
    p = make_problem(rng)
    first = run(p, epochs=3)
    losses = list(first.loss)
    again = run(p, epochs=2, optimizer=SGD(0.01), history=first, validation=held_out())
    assert again is first
    assert (again.epochs, len(again.gradient_norm), len(again.update_loss)) == (5, 5, 5)
    assert again.loss[:3] == losses
    assert again.stopped == "2 epochs done"
    assert again.best_epoch in (4, 5)
    assert np.isnan(again.validation_loss).tolist() == [True] * 3 + [False] * 2
    assert again.validation_loss[-1] == p.model.loss(**held_out())
    run(p, epochs=1, history=again, validation=held_out(), metrics=["accuracy"])
    assert np.isnan(again.metrics["accuracy"]).tolist() == [True] * 5 + [False]
    # Patience counts the epochs of its own run, and the best are those of its own.
    still = {"optimizer": SGD(1e-300), "validation": held_out(), "patience": 2}
    run(p, epochs=9, history=again, **still)
    assert (again.best_epoch, again.epochs) == (7, 9)
    run(p, epochs=2, history=again)
    assert (again.best_epoch, again.epochs, len(again.validation_loss)) == (7, 11, 9)


def test_each_of_two_runs_resumes_from_its_own_checkpoint(tmp_path):
    def both(seed, stop=None):
        p, history, states = make_problem(np.random.default_rng(3)), None, []
        p.model.load_params(make_problem(np.random.default_rng(seed)).model.params)
        rng = np.random.default_rng(8)
        for k, rate in enumerate((0.1, 0.02)):
            adam = Adam(rate)
            options = {"optimizer": adam, "rng": rng, "validation": held_out(), "patience": 30}
            if stop is not None:
                options |= {"checkpoint": tmp_path / f"{k}.npz", "resume": True}
            if stop == (k, 2):
                run(p, epochs=2, history=history, **options)
                return None
            history = run(p, epochs=4, history=history, **options)
            states.append(outcome(p.model, adam, rng, history))
        return states[-1]

    whole = both(3)
    assert whole[-1]["loss"][:4] != whole[-1]["loss"][4:]
    for stop in ((0, 2), (1, 2), (9, 9)):
        again = both(3 if stop == (0, 2) else 99, stop)
        assert again is None or again == whole
    p = make_problem(np.random.default_rng(3))
    for k, expected in ((0, "its epochs before it is 0, expected 8"), (1, "is 4, expected 0")):
        given = History(loss=[1.0] * 8) if k == 0 else None
        with pytest.raises(ValueError, match=expected):
            run(p, history=given, optimizer=Adam(0.1 if k == 0 else 0.02),
                checkpoint=tmp_path / f"{k}.npz", resume=True)  # fmt: skip


# ---------------------------------------------------------------- exact resumption


@each_layer
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clip_norm": 0.5, "batch_size": 2, "truncate": 2},
        {"clip_value": 0.1, "batch_size": 3, "validation": held_out(), "metrics": ["accuracy"]},
        {"validation": held_out(), "patience": 3, "batch_size": 2},
    ],
)
def test_an_interrupted_run_resumes_exactly(tmp_path, layer, kind, options):
    if "truncate" in options and layer not in CAUSAL:
        return

    def problem(seed):
        return make_problem(np.random.default_rng(seed), B=5, layer=layer)

    def fresh():
        return problem(3), KINDS[kind](), np.random.default_rng(8)

    def train(start, epochs, **more):
        p, optimizer, rng = start
        history = run(p, optimizer=optimizer, rng=rng, epochs=epochs, **options, **more)
        return outcome(p.model, optimizer, rng, history)

    whole = train(fresh(), 12)
    for stop in (1, 4):
        path = tmp_path / f"{stop}.npz"
        train(fresh(), stop, checkpoint=path)
        stranger = problem(99)
        stranger.x, stranger.targets = fresh()[0].x, fresh()[0].targets
        resumed = (stranger, KINDS[kind](), np.random.default_rng(77))
        assert train(resumed, 12, checkpoint=path, resume=True) == whole
        # Once more: there is nothing left to do, and nothing changes.
        again = (problem(98), KINDS[kind](), resumed[2])
        again[0].x, again[0].targets = stranger.x, stranger.targets
        assert train(again, 12, checkpoint=path, resume=True) == whole


def test_a_run_stopped_by_an_interrupt_resumes_exactly(tmp_path, monkeypatch):
    def fresh():
        return make_problem(np.random.default_rng(3), B=6)

    p, optimizer, rng = fresh(), Adam(0.05), np.random.default_rng(8)
    whole = outcome(
        p.model, optimizer, rng, run(p, optimizer=optimizer, rng=rng, epochs=6, batch_size=2)
    )
    path, calls = tmp_path / "c.npz", []

    def stop_in_the_middle(self, dW, memory, update=Adam.update):
        calls.append(0)
        if len(calls) == 5 * 7 + 3:  # the 8th update, in the third epoch, third parameter
            raise KeyboardInterrupt
        return update(self, dW, memory)

    monkeypatch.setattr(Adam, "update", stop_in_the_middle)
    p, optimizer, rng = fresh(), Adam(0.05), np.random.default_rng(8)
    with pytest.raises(KeyboardInterrupt):
        run(p, optimizer=optimizer, rng=rng, epochs=6, batch_size=2, checkpoint=path)
    # The same session goes on with the objects that it has.
    history = run(
        p, optimizer=optimizer, rng=rng, epochs=6, batch_size=2, checkpoint=path, resume=True
    )
    assert outcome(p.model, optimizer, rng, history) == whole


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": SGD(0.2)}, "its learning_rate is 0.1, expected 0.2 as in this run"),
        ({"optimizer": SGD(schedules.Step(0.1, 3))}, r"is 0.1, expected Step\(rate=0.1, every=3"),
        ({"optimizer": RMSprop(0.1)}, "its optimizer is SGD, expected RMSprop"),
        ({"batch_size": 3}, "its batch_size is 2, expected 3"),
        ({"clip_norm": 1.0}, "its clip_norm is None, expected 1.0"),
        ({"clip_value": 1.0}, "its clip_value is None, expected 1.0"),
        ({"truncate": 2}, "its truncate is None, expected 2"),
        ({"H": 5}, "its layer is RNN with hidden_size 4, expected hidden_size 5"),
        ({"layer": "LSTM"}, "its layer is RNN, expected LSTM"),
    ],
)
def test_a_resume_that_differs_says_so_and_changes_nothing(tmp_path, given, message):
    path = tmp_path / "c.npz"
    run(make_problem(np.random.default_rng(3)), checkpoint=path, batch_size=2)
    shape = {name: given[name] for name in ("H", "layer") if name in given}
    given = {name: value for name, value in given.items() if name not in shape}
    p, rng = make_problem(np.random.default_rng(4), **shape), np.random.default_rng(0)
    before, state = weights(p.model), rng.bit_generator.state
    options = {"batch_size": 2, "epochs": 3, "rng": rng, **given}
    with pytest.raises(ValueError, match=rf"c\.npz does not fit: .*{message}"):
        run(p, checkpoint=path, resume=True, **options)
    assert_same(p.model, before)
    assert rng.bit_generator.state == state


def test_the_settings_of_an_optimizer_of_ones_own_are_compared_too(tmp_path):
    class Damped(SGD):
        def __init__(self, learning_rate, damping):
            super().__init__(learning_rate)
            self.damping = damping

        def update(self, dW, memory):
            return self.damping * self.rate * dW

    path, p = tmp_path / "c.npz", make_problem(np.random.default_rng(3))
    run(p, checkpoint=path, optimizer=Damped(0.1, 0.5))
    with pytest.raises(ValueError, match=r"its damping is 0.5, expected 0.6"):
        run(p, checkpoint=path, optimizer=Damped(0.1, 0.6), resume=True)
    run(p, checkpoint=path, optimizer=Damped(0.1, 0.5), resume=True, epochs=2)


@pytest.mark.parametrize("session", ["another", "the same"])
def test_settings_that_change_on_the_way_are_found_again(tmp_path, session):
    """The same script resumes, though its optimizer begins with the first learning rate."""

    def start():
        return make_problem(np.random.default_rng(3)), Adam(0.1), np.random.default_rng(8)

    def train(p, adam, rng, path, stop=None):
        def look(history, model):
            if history.epochs == 2:
                adam.learning_rate, adam.beta1 = 0.02, 0.5
            if history.epochs == stop:
                raise KeyboardInterrupt

        options = {"epochs": 8, "batch_size": 2, "on_epoch": look, "checkpoint": path}
        history = run(p, optimizer=adam, rng=rng, resume=True, **options)
        return outcome(p.model, adam, rng, history), adam.settings(), adam.rate

    path, objects = tmp_path / "c.npz", start()
    whole = train(*start(), tmp_path / "whole.npz")
    assert whole[2] == 0.02
    for stop in (4, 6):
        with pytest.raises(KeyboardInterrupt):
            train(*objects, path, stop)
        objects = start() if session == "another" else objects
    assert train(*objects, path) == whole
    # A setting that is neither the first nor the latest is refused.
    p, _, rng = start()
    with pytest.raises(ValueError, match=r"its learning_rate is 0.1, expected 0.3 as in this run"):
        run(p, optimizer=Adam(0.3), batch_size=2, checkpoint=path, resume=True, rng=rng)


def test_a_schedule_that_on_epoch_sets_is_not_found_again(tmp_path):
    """No file can hold a function, so the resumed run would be another: it is refused."""
    p, sgd, path = make_problem(np.random.default_rng(3)), SGD(0.1), tmp_path / "c.npz"

    def look(history, model):
        sgd.learning_rate = schedules.Step(0.1, every=2)

    run(p, optimizer=sgd, on_epoch=look, checkpoint=path)
    q, first = make_problem(np.random.default_rng(4)), SGD(0.1)
    before = weights(q.model)
    with pytest.raises(
        ValueError, match=r"not fit: its learning_rate became Step\(rate=0.1.*a number"
    ):
        run(q, optimizer=first, epochs=2, checkpoint=path, resume=True)
    assert_same(q.model, before)
    assert first.settings() == {"learning_rate": 0.1}
    assert run(p, optimizer=sgd, epochs=2, checkpoint=path, resume=True).epochs == 2


def test_a_file_of_save_checkpoint_can_be_gone_on_from(tmp_path):
    """It notes no settings of a run, so none are compared."""
    whole, p = (make_problem(np.random.default_rng(3)) for _ in range(2))
    run(whole, epochs=4, batch_size=2)
    path, sgd, rng = tmp_path / "c.npz", SGD(0.1), np.random.default_rng(0)
    history = run(p, epochs=2, batch_size=2, optimizer=sgd, rng=rng)
    save_checkpoint(path, p.model, sgd, rng=rng, history=history)
    other = make_problem(np.random.default_rng(3))
    assert run(other, epochs=4, batch_size=2, checkpoint=path, resume=True).epochs == 4
    assert_same(other.model, weights(whole.model))


def test_best_weights_without_their_loss_are_refused(tmp_path):
    """As in a file of `save_checkpoint` with a history of one's own."""
    p, path = make_problem(np.random.default_rng(3)), tmp_path / "c.npz"
    before, more = weights(p.model), {"rng": np.random.default_rng(0), "best": p.model.params}
    for history, epoch in ((History(loss=[1.0]), 0), (History(loss=[1.0], best_epoch=2), 2)):
        save_checkpoint(
            path, make_problem(np.random.default_rng(4)).model, SGD(0.1), history=history, **more
        )
        with pytest.raises(ValueError, match=f"it has best weights, but no loss of epoch {epoch}"):
            run(p, checkpoint=path, resume=True)
    assert_same(p.model, before)


def test_resume_starts_afresh_without_a_file(rng, tmp_path):
    history = run(make_problem(rng), epochs=2, checkpoint=tmp_path / "c.npz", resume=True)
    assert history.epochs == 2
    # Without resume an old file is replaced, not read.
    history = run(make_problem(rng), checkpoint=tmp_path / "c.npz")
    assert history.epochs == 1


def test_a_history_is_not_stopped_while_its_run_goes_on(rng, tmp_path):
    """And a resume that is refused does not touch it."""
    p, path, seen = make_problem(rng), tmp_path / "c.npz", []

    def look(history, model):
        seen.append(history.stopped)

    first = run(p, checkpoint=path)
    assert first.stopped == "1 epochs done"
    with pytest.raises(ValueError, match="its epochs before it is 0, expected 1"):
        run(p, history=first, checkpoint=path, resume=True)
    assert first.stopped == "1 epochs done"
    run(p, history=first, on_epoch=look)
    run(p, epochs=2, on_epoch=look, checkpoint=path, resume=True)
    assert seen == ["", ""]


def test_patience_may_begin_with_a_resumed_run(tmp_path):
    p, path = make_problem(np.random.default_rng(3)), tmp_path / "c.npz"
    run(p, epochs=5, checkpoint=path)
    history = run(p, epochs=7, checkpoint=path, resume=True, validation=held_out(), patience=2)
    assert history.epochs == 7
    assert np.isnan(history.validation_loss).tolist() == [True] * 5 + [False] * 2
    assert p.model.loss(**held_out()) == np.nanmin(history.validation_loss)
    # The epochs without validation are no epochs of waiting, and the best epoch is counted in all.
    still = {"optimizer": SGD(1e-300), "checkpoint": path, "resume": True}
    run(p, epochs=5, checkpoint=path, optimizer=SGD(1e-300))
    history = run(p, epochs=50, **still, validation=held_out(), patience=2)
    assert (history.best_epoch, history.epochs) == (6, 8)
    # Nothing left to do and no best weights yet: the weights stay.
    run(p, epochs=5, checkpoint=path)
    before = weights(p.model)
    run(p, epochs=5, checkpoint=path, resume=True, validation=held_out(), patience=2)
    assert_same(p.model, before)


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("parameter", [1, 3, 5])
def test_an_interrupt_within_an_update_undoes_it(rng, monkeypatch, error, parameter):
    """Some parameters have moved when it strikes; the model keeps the last complete update."""
    twin = make_problem(np.random.default_rng(7), B=6)
    run(twin, batch_size=3)  # two updates
    p, calls = make_problem(rng, B=6), []

    def interrupted(self, dW, memory):
        calls.append(0)
        if len(calls) == 2 * 5 + parameter:
            raise error
        return 0.1 * dW

    monkeypatch.setattr(SGD, "update", interrupted)
    with pytest.raises(error):
        run(p, batch_size=3, epochs=9)
    assert_same(p.model, weights(twin.model))
    monkeypatch.undo()
    assert run(p).epochs == 1


def explode(name):
    """An update that makes one parameter infinite at the third step."""

    def step(self, params, grads):
        self.steps += 1
        for n, W in params.items():
            W -= 0.1 * grads[n]
        if self.steps == 3:
            params[name].flat[-1] = np.inf

    return step


@pytest.mark.parametrize(("name", "size"), [("W_xh", 8), ("W_hy", 12), ("b_y", 3)])
def test_weights_that_are_not_finite_stop_the_run(rng, monkeypatch, name, size):
    twin = make_problem(np.random.default_rng(7))
    norms = run(twin, epochs=2).gradient_norm
    p = make_problem(rng)
    monkeypatch.setattr(SGD, "step", explode(name))
    with pytest.raises(TrainingDiverged) as caught:
        run(p, epochs=9, clip_norm=1e3)
    message = str(caught.value)
    assert message.startswith("training stopped")
    for part in (
        "in epoch 3 at update 3",
        f"{name} after the update contains NaN or infinity: 1 of {size}",
        f"The gradient norm of the update before was {norms[-1]:.3g}",
        "The model keeps its weights of the last good update",
        "Try a smaller learning_rate (now 0.1) or a smaller clip_norm (now 1000",
    ):
        assert part in message
    assert_same(p.model, weights(twin.model))
    monkeypatch.undo()
    assert run(p).epochs == 1


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("size", [1e200, 1e300])
def test_a_loss_that_overflows_stops_the_run(rng, clip_norm, size):
    p = make_problem(rng, loss="squared_error", reduction="sum")
    p.targets *= size
    before = weights(p.model)
    where = "in epoch 1 at update 1: "
    with pytest.raises(TrainingDiverged, match=rf"{where}the loss is inf.*not yet measured"):
        run(p, clip_norm=clip_norm)
    assert_same(p.model, before)


def test_a_float32_loss_may_overflow_before_its_gradient(rng):
    p = make_problem(rng, loss="squared_error", dtype=np.float32)
    p.targets *= 1e25
    with pytest.raises(TrainingDiverged, match="the loss is inf"):
        run(p)


def test_an_infinite_gradient_at_a_saturated_neuron_stops_the_run(rng):
    """∞ · 0 is NaN, and no warning of NumPy gets in before the message."""
    p = make_problem(rng, T=2, B=1, D=1, H=2, O=1, loss="squared_error")
    big = {"W_xh": [[1], [1]], "W_hh": [[1e200, -1e200], [0, 0]], "b_h": [0, 0]}
    p.model.load_params({**big, "W_hy": [[1, 0]], "b_y": [0]})
    p.x[...] = [[[1e6]], [[0]]]  # h_1 is 1, its slope 0; h_2 is 0, its slope 1
    p.targets[...] = 1e120
    with pytest.raises(TrainingDiverged, match="the gradient norm is nan"):
        run(p)


@pytest.mark.parametrize(
    ("clip_norm", "reason", "advice"),
    [
        (None, "the gradient norm is nan", "or clip the gradient: clip_norm=1.0"),
        (1.0, "the gradient norm is nan in W_xh, W_hh", "or a smaller clip_norm (now 1)"),
    ],
)
def test_a_gradient_that_explodes_in_an_lstm_stops_the_run(rng, clip_norm, reason, advice):
    """Near h = c = 0 each step back multiplies it by about ¼ W_hh,g, here 10³⁰."""
    model = Model(LSTM(1, 2, rng=rng), Readout(2, 1, rng=rng), loss="squared_error")
    model.layer.load_params({name: 0 * W for name, W in model.layer.params.items()})
    np.fill_diagonal(model.layer.gate("g")["W_hh"], 4e30)
    # The first chunk is read at once, from a shut output gate: the readout alone learns. The second
    # is read after eleven more steps.
    model.layer.gate("o")["W_xh"][...] = -1
    x, targets, mask = np.zeros((24, 1, 1)), np.ones((24, 1, 1)), np.zeros((24, 1), bool)
    x[0], mask[[0, 23]] = 1e3, True
    twin = copy.deepcopy(model)
    options = {"epochs": 1, "clip_norm": clip_norm, "progress": False, "optimizer": SGD(0.1)}
    good = fit(twin, x[:12], targets[:12], mask=mask[:12], rng=rng, **options)
    (before,) = good.gradient_norm
    assert before == 1
    with pytest.raises(TrainingDiverged) as caught:
        fit(model, x, targets, mask=mask, truncate=12, rng=rng, **options)
    message = str(caught.value)
    for part in (
        "training stopped in epoch 1 at update 2",
        reason,
        "The gradient norm of the update before was 1.",
        "The model keeps its weights of the last good update",
        "Try a smaller learning_rate (now 0.1)",
        advice,
    ):
        assert part in message
    assert_same(model, weights(twin))
    assert model.params["b_y"] == 0.1
    assert caught.value.history.gradient_norm == [before]


def test_too_large_a_learning_rate_is_survived(rng):
    p = make_problem(rng, loss="squared_error")
    with pytest.raises(TrainingDiverged, match="Try a smaller learning_rate"):
        run(p, epochs=2000, optimizer=SGD(1e4))
    assert all(np.isfinite(W).all() for W in p.model.params.values())
    assert np.isfinite(p.model.predict(p.x)).all()


MASK = np.ones((5, 3), bool)
EARLY = MASK & (np.arange(5)[:, None] < 4)
LATE_NAN = np.where(EARLY[..., None], np.ones(2), np.nan)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x": np.ones((5, 3, 9))}, ValueError, "x has shape"),
        ({"x": np.ones((5, 0, 2))}, ValueError, "x has shape .* B at least 1"),
        ({"x": np.full((5, 3, 2), np.nan)}, ValueError, "x contains NaN"),
        ({"x": LATE_NAN, "mask": EARLY, "truncate": 1}, ValueError, "x contains NaN"),
        ({"x": [[[1, 2]], [[1]]]}, TypeError, "x is not a regular array"),
        ({"x": np.ones((5, 3, 2), complex)}, TypeError, "x has dtype complex128"),
        ({"targets": np.zeros((4, 3), int)}, ValueError, "targets has shape"),
        ({"targets": np.zeros((5, 3))}, TypeError, "targets has dtype float64"),
        ({"targets": [[0], [0, 1]]}, TypeError, "targets is not a regular array"),
        ({"lengths": [1, 2, 9]}, ValueError, "lengths holds 9"),
        ({"lengths": [1, 2]}, ValueError, "lengths has shape"),
        ({"lengths": [0, 2, 2], "batch_size": 1}, ValueError, "lengths holds 0"),
        ({"mask": MASK[:2]}, ValueError, "mask has shape"),
        ({"mask": ~MASK}, ValueError, "mask counts no prediction"),
        ({"epochs": 0}, ValueError, "epochs is 0, expected at least 1"),
        ({"epochs": 1.5}, TypeError, "epochs is 1.5"),
        ({"rng": 0}, TypeError, "rng is 0, expected a generator"),
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam', expected SGD, RMSprop or Adam"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"clip_norm": 0}, ValueError, "clip_norm is 0, expected a finite number above 0"),
        ({"clip_norm": "1"}, TypeError, "clip_norm is '1'"),
        ({"truncate": 0}, ValueError, "truncate is 0"),
        ({"truncate": 2, "lengths": [5, 5, 5]}, ValueError, "truncate needs a many-to-many model"),
        ({"patience": 3}, ValueError, "patience needs validation data"),
        ({"patience": 0, "validation": held_out()}, ValueError, "patience is 0"),
        ({"validation": held_out(D=3)}, ValueError, "x has shape"),
        ({"validation": held_out(loss="squared_error")}, ValueError, "targets has shape"),
        ({"validation": held_out(O=9)}, ValueError, r"targets holds \d .* from 0 to 2"),
        ({"validation": held_out(D=3)}, ValueError, "in validation, x has shape"),
        (
            {"validation": {"x": np.ones((5, 3, 2))}},
            ValueError,
            "in validation, there is x, expected",
        ),
        ({"validation": {**held_out(), "y": 0}}, ValueError, "there is targets, x, y, expected x"),
        ({"validation": (0, 1)}, TypeError, "in validation, there is a tuple, expected a mapping"),
        ({"clip_value": -1}, ValueError, "clip_value is -1, expected a finite number above 0"),
        ({"clip_value": 1, "clip_norm": 1}, ValueError, "clip_value is 1, expected None beside"),
        ({"on_epoch": 3}, TypeError, "on_epoch is 3, expected a function of"),
        ({"history": []}, TypeError, r"history is \[\], expected a History"),
        ({"resume": True}, ValueError, "resume needs the path of a checkpoint"),
        ({"checkpoint": "no/such/folder/c.npz"}, ValueError, "expected a file in a folder that"),
        ({"checkpoint": "."}, ValueError, "checkpoint is .*, expected a file"),
    ],
)
def test_arguments_that_do_not_fit_change_nothing(rng, options, error, message):
    p, generator, optimizer = make_problem(rng), np.random.default_rng(0), SGD(0.1)
    before = weights(p.model)
    with pytest.raises(error, match=message):
        run(p, **{"rng": generator, "optimizer": optimizer, **options})
    assert_same(p.model, before)
    assert optimizer.steps == 0
    assert generator.bit_generator.state == np.random.default_rng(0).bit_generator.state


@pytest.mark.parametrize("arrangement", ["many-to-one", "one-to-many"])
def test_only_a_many_to_many_model_is_truncated(rng, arrangement):
    with pytest.raises(ValueError, match="truncate needs a many-to-many model"):
        run(make_problem(rng, arrangement=arrangement), truncate=2)


def test_weights_that_are_not_finite_at_the_start_are_refused(rng):
    p = make_problem(rng)
    p.model.params["b_y"][0] = np.nan
    with pytest.raises(ValueError, match="b_y contains NaN or infinity: 1 of 3"):
        run(p)


@pytest.mark.parametrize("moment", ["savez", "replace"])
def test_a_checkpoint_that_cannot_be_written_leaves_model_and_history(
    rng, tmp_path, monkeypatch, moment
):
    p, twin, path = make_problem(rng), make_problem(np.random.default_rng(7)), tmp_path / "c.npz"
    run(twin, epochs=2)
    home, calls = (np if moment == "savez" else os), []
    before = getattr(home, moment)

    def fail(*arguments, **named):
        calls.append(0)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return before(*arguments, **named)

    monkeypatch.setattr(home, moment, fail)
    with pytest.raises(OSError, match="No space left") as caught:
        run(p, epochs=9, checkpoint=path)
    assert caught.value.history.epochs == 2
    assert_same(p.model, weights(twin.model))
    assert os.listdir(tmp_path) == ["c.npz"]  # that of the first epoch, whole
    assert load_checkpoint(path, make_problem(rng).model)[0].epochs == 1


def test_a_folder_that_cannot_be_written_is_found_before_an_epoch(rng, tmp_path, monkeypatch):
    p, path = make_problem(rng), tmp_path / "c.npz"
    before = weights(p.model)

    def denied(name, mode="r", *rest, original=open):
        if "w" in mode:
            raise PermissionError("Read-only file system")
        return original(name, mode, *rest)

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(ValueError, match=r"checkpoint is .*c.npz, expected a file in a folder that "
                       r"can be written \(Read-only file system\)"):  # fmt: skip
        run(p, checkpoint=path)
    assert_same(p.model, before)
    assert os.listdir(tmp_path) == []


def test_weights_that_cannot_be_written_are_named_before_training(rng):
    """As in a worker of joblib, which maps large arrays into memory to be read only."""
    p = make_problem(rng)
    for W, name in ((p.model.layer._W, "W_xh"), (p.model.readout.params["W_hy"], "W_hy")):
        W.flags.writeable = False
        with pytest.raises(ValueError, match=f"{name} is read-only"):
            run(p)
        W.flags.writeable = True


def test_numpys_error_settings_change_nothing():
    """In float32, products of small numbers fall below the smallest one: that is no error."""

    def train():
        p = make_problem(np.random.default_rng(3), T=200, dtype=np.float32, loss="squared_error")
        p.model.params["W_hh"][...] *= 0.1
        rng, adam = np.random.default_rng(0), Adam(1e-3)
        history = run(p, epochs=3, rng=rng, optimizer=adam, clip_norm=1.0, validation=p.data)
        return outcome(p.model, adam, rng, history)

    usual = train()
    for setting in ("raise", "ignore"):
        with np.errstate(all=setting):
            assert train() == usual
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        np.float32(1e-30) * np.float32(1e-30)  # what happens inside, unprotected


def test_a_damaged_checkpoint_is_refused_before_training(rng, tmp_path):
    p, path = make_problem(rng), tmp_path / "c.npz"
    path.write_bytes(b"PK\x03\x04 not much of a checkpoint")
    before = weights(p.model)
    with pytest.raises(ValueError, match="is not a whole file of rnncourse"):
        run(p, checkpoint=path, resume=True)
    assert_same(p.model, before)


def test_other_weights_than_the_callers_are_never_touched(rng):
    """`fit` reads the data and does not write to it."""
    p = make_problem(rng, ragged=True, masked=True)
    copies = {n: np.copy(a) for n, a in p.data.items()}
    run(p, epochs=2, batch_size=2)
    for name, array in p.data.items():
        assert_array_equal(array, copies[name])


# ---------------------------------------------------------------- progress


@pytest.fixture
def shown(monkeypatch):
    """What `fit` tells its progress bar."""
    calls = []

    class Bar:
        def __init__(self, *arguments):
            calls.append(arguments)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            calls.append("closed")

        def advance(self, note=""):
            calls.append(note[:4])

    monkeypatch.setitem(fit.__globals__, "ProgressBar", Bar)
    return calls


@pytest.mark.parametrize(("options", "updates"), [({}, 4), ({"truncate": 2}, 12)])
def test_progress_counts_every_update(rng, shown, options, updates):
    run(make_problem(rng, T=5, B=3), epochs=2, batch_size=2, progress=True, **options)
    assert shown == [(updates, "updates", True), *["loss"] * updates, "closed"]


@pytest.mark.parametrize(("options", "total"), [({}, None), ({"updates": 2}, 4)])
@pytest.mark.parametrize("truncate", [None, 3])
def test_progress_of_a_stream_has_a_total_where_it_is_known(rng, shown, options, total, truncate):
    p = make_problem(rng, T=5, B=3)
    run(p, x=[(p.x, p.targets)] * 2, targets=None, epochs=2, truncate=truncate, **options)
    assert shown[0] == (total if truncate is None else None, "updates", False)
    assert shown.count("loss") == (4 if truncate is None else 8)


def test_progress_counts_what_the_mask_empties(rng, shown):
    late = np.arange(5)[:, None] >= np.full(3, 4)
    run(make_problem(rng, T=5, B=3), mask=late, truncate=2)
    assert shown == [(3, "updates", False), "", "", "loss", "closed"]


def test_progress_of_a_resumed_run_counts_what_is_left(rng, shown, tmp_path):
    p, path = make_problem(rng), tmp_path / "c.npz"
    for epochs, left in ((2, 2), (5, 3), (5, 0), (1, 0)):
        shown.clear()
        history = run(p, epochs=epochs, checkpoint=path, resume=True)
        assert shown == [(left, "updates", False), *["loss"] * left, "closed"]
    assert history.stopped == "5 epochs done"
    # Of a run that goes on from another, its own epochs.
    shown.clear()
    run(p, epochs=2, history=history)
    assert shown == [(2, "updates", False), "loss", "loss", "closed"]


def test_progress_is_shown_unless_it_is_turned_off(rng, shown):
    p = make_problem(rng)
    fit(p.model, p.x, p.targets, epochs=1, optimizer=SGD(0.1), rng=rng)
    assert shown[0] == (1, "updates", True)


def test_an_interrupt_within_an_update_leaves_the_optimizer_as_it_was(rng, monkeypatch):
    def start():
        return make_problem(np.random.default_rng(7), B=6), Adam(0.05)

    twin, expected = start()
    run(twin, optimizer=expected, epochs=2)
    p, optimizer = start()
    update, calls = Adam.update, []

    def interrupted(self, dW, memory):
        calls.append(0)
        step = update(self, dW, memory)
        if len(calls) == 2 * 5 + 3:
            raise KeyboardInterrupt
        return step

    monkeypatch.setattr(Adam, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(p, optimizer=optimizer, epochs=9)
    assert_same(p.model, weights(twin.model))
    left, right = optimizer.state(), expected.state()
    assert left.keys() == right.keys()
    assert all(np.array_equal(left[name], right[name]) for name in left)


def test_a_validation_loss_that_is_not_finite_stops_the_run(rng):
    p = make_problem(rng, loss="squared_error")
    far = {"x": p.x, "targets": np.full_like(p.targets, 1e200)}  # its square is infinite
    with pytest.raises(TrainingDiverged, match="the validation loss after epoch 1 is inf"):
        run(p, epochs=2, validation=far)


def test_a_validation_that_cannot_be_computed_stops_the_run(rng, monkeypatch):
    """The update makes weights that are finite, and outputs that are not."""
    monkeypatch.setattr(SGD, "update", lambda self, dW, memory: np.full_like(dW, -1.7e308))
    p, validation = make_problem(rng), held_out()
    with pytest.raises(TrainingDiverged, match="the validation loss after epoch 1 is nan") as error:
        run(p, epochs=2, validation=validation | {"x": np.ones((5, 4, 2))})
    assert error.value.history.epochs == 1


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("T", [5, 9])
def test_the_losses_of_an_epoch_are_those_of_the_model(rng, reduction, arrangement, loss, T):
    """With weights that hardly move, training and validation loss are the loss over all data."""
    options = {"T": T, "B": 7, "ragged": True, "masked": arrangement != "many-to-one"}
    p = make_problem(rng, reduction=reduction, arrangement=arrangement, loss=loss, **options)
    p.lengths[0] = T  # more than the number of sequences, or fewer
    E = p.model.loss(**p.data)
    history = run(p, batch_size=3, validation=p.data, optimizer=SGD(1e-300))
    assert_close(history.loss, [E])
    assert_close(history.validation_loss, [E])


def test_a_run_that_diverges_gives_its_history(rng):
    p = make_problem(rng, loss="squared_error")
    with pytest.raises(TrainingDiverged) as caught:
        run(p, epochs=500, optimizer=SGD(1e6))
    history = caught.value.history
    assert len(history.gradient_norm) >= history.epochs >= 1
    assert np.isfinite(history.loss).all()


def test_an_optimizer_of_another_model_is_refused(rng):
    optimizer = Adam(0.1)
    run(make_problem(rng, H=3), optimizer=optimizer)
    other = make_problem(rng, H=4)
    before, state = weights(other.model), optimizer.state()
    with pytest.raises(ValueError, match="the optimizer's mean of W_xh has shape"):
        run(other, optimizer=optimizer)
    assert_same(other.model, before)
    assert optimizer.steps == state["steps"]


def test_a_divergence_can_be_sent_between_processes():
    error = TrainingDiverged("the loss is nan", History(loss=[1.0]))
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(twin), twin.history) == ("the loss is nan", error.history)


def test_a_mask_of_another_length_than_the_targets_is_refused(rng):
    p = make_problem(rng, arrangement="one-to-many")
    with pytest.raises(ValueError, match=r"mask has shape \(4, 3\), expected \(5, 3\)"):
        run(p, mask=np.ones((4, 3), bool))
