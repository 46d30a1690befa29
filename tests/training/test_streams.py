"""Training on a stream of batches."""

import itertools
import json

import numpy as np
import pytest
from helpers import ARRANGEMENTS, CAUSAL, assert_close, assert_same, make_problem, outcome, weights

from rnncourse import SGD, Adam, Embedding, Model, Readout, TrainingDiverged, fit


def make(seed=3, **options):
    return make_problem(np.random.default_rng(seed), **{"B": 4, **options})


def train(model, stream, **options):
    return fit(model, stream, **{"optimizer": SGD(0.1), "progress": False, **options})


def drawn(rng, size=3):
    """An endless stream of fresh batches."""
    while True:
        yield rng.normal(size=(5, size, 2)), rng.integers(0, 3, (5, size))


def shuffled(rng):
    for n in rng.permutation(len(BATCHES)):
        yield BATCHES[n]


def by_hand(model, batches):
    losses = []
    for x, targets in batches:
        found = model.loss_and_gradients(x, targets)
        losses.append(found.E)
        for name, W in model.params.items():
            W -= 0.1 * found.grads[name]
    return losses


BATCHES = list(itertools.islice(drawn(np.random.default_rng(1)), 5))


@pytest.mark.parametrize(
    "stream",
    [
        BATCHES,
        tuple(BATCHES),
        [list(batch) for batch in BATCHES],
        [dict(zip(("x", "targets"), batch, strict=True)) for batch in BATCHES],
        lambda: BATCHES,
        lambda: iter(BATCHES),
        lambda: (batch for batch in BATCHES),
    ],
)
@pytest.mark.parametrize("epochs", [1, 3])
def test_an_epoch_goes_through_the_stream_once(stream, epochs):
    p, twin = make(), make()
    history = train(p.model, stream, epochs=epochs)
    losses = by_hand(twin.model, BATCHES * epochs)
    assert_close(weights(p.model), weights(twin.model))
    assert_close(history.update_loss, losses)
    assert_close(history.loss, np.reshape(losses, (epochs, 5)).mean(axis=1))
    assert len(history.gradient_norm) == 5 * epochs


def test_an_iterator_is_read_once():
    p, twin = make(), make()
    history = train(p.model, iter(BATCHES))
    by_hand(twin.model, BATCHES)
    assert_close(weights(p.model), weights(twin.model))
    assert history.stopped == "1 epochs done"
    with pytest.raises(ValueError, match="epochs is 2, expected 1: x is an iterator"):
        train(p.model, iter(BATCHES), epochs=2)


@pytest.mark.parametrize(("updates", "epochs", "per_epoch"), [(2, 4, [2, 2, 1]), (5, 4, [5])])
def test_an_iterator_that_ends_ends_the_run(updates, epochs, per_epoch):
    p, called = make(), []
    history = train(
        p.model,
        iter(BATCHES),
        epochs=epochs,
        updates=updates,
        on_epoch=lambda history, model: called.append(len(history.update_loss)),
    )
    assert history.stopped == "the stream ended"
    assert called == np.cumsum(per_epoch).tolist()
    assert history.epochs == len(per_epoch)


def test_an_endless_stream_needs_updates_and_goes_on_from_epoch_to_epoch():
    p, twin = make(), make()
    history = train(p.model, drawn(np.random.default_rng(2)), updates=3, epochs=4)
    by_hand(twin.model, itertools.islice(drawn(np.random.default_rng(2)), 12))
    assert_close(weights(p.model), weights(twin.model))
    assert (history.epochs, len(history.update_loss)) == (4, 12)


def test_updates_may_be_fewer_or_more_than_a_stream_has():
    """The next epoch goes on where the stream stands, and begins it again when it has ended."""
    for updates in (2, 5, 7):
        p, twin = make(), make()
        train(p.model, BATCHES, updates=updates, epochs=4)
        by_hand(twin.model, (BATCHES * 6)[: 4 * updates])
        assert_close(weights(p.model), weights(twin.model))


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("layer", [*CAUSAL, "bidirectional"])
def test_one_batch_of_everything_is_the_run_on_arrays(arrangement, layer):
    options = {"arrangement": arrangement, "ragged": True, "masked": arrangement != "many-to-one"}
    p, twin = make(layer=layer, **options), make(layer=layer, **options)
    batch = {name: a for name, a in p.data.items() if a is not None}
    history = train(p.model, [batch], epochs=3, validation=[batch], clip_norm=0.5)
    arrays = fit(
        twin.model,
        **twin.data,
        epochs=3,
        optimizer=SGD(0.1),
        rng=np.random.default_rng(0),
        validation=twin.data,
        clip_norm=0.5,
        progress=False,
    )
    assert_close(weights(p.model), weights(twin.model))
    for name in ("loss", "update_loss", "gradient_norm", "validation_loss"):
        assert_close(getattr(history, name), getattr(arrays, name))


def test_batches_of_a_stream_are_truncated_too():
    p, twin = make(), make()
    history = train(p.model, BATCHES, truncate=2, epochs=2)
    for x, targets in BATCHES * 2:
        state = None
        for t in (0, 2, 4):
            chunk = slice(t, t + 2)
            found = twin.model.loss_and_gradients(x[chunk], targets[chunk], state=state)
            state = found.state_T
            for name, W in twin.model.params.items():
                W -= 0.1 * found.grads[name]
    assert_close(weights(p.model), weights(twin.model))
    assert len(history.update_loss) == 30


def test_labels_are_streamed_too(rng):
    model = Model(Embedding(4, 3, rng=rng), Readout(3, 4, rng=rng))
    labels = rng.integers(0, 4, (6, 2))
    history = train(model, [(labels[:-1], labels[1:])], epochs=3)
    assert history.loss[-1] < history.loss[0]


def test_numbers_past_the_end_or_not_counted_may_be_anything():
    p = make(ragged=True, masked=True, loss="squared_error")
    x, targets = p.x.copy(), p.targets.copy()
    x[np.arange(len(x))[:, None] >= p.lengths] = np.nan
    targets[~p.mask] = np.nan
    batch = {**p.data, "x": x, "targets": np.where(p.mask[..., None], targets, np.nan)}
    assert np.isfinite(train(p.model, [batch]).loss).all()


class Loader:
    """Something that can be gone through again and again, and counts how often."""

    def __init__(self, batches):
        self.batches, self.begun = batches, 0

    def __iter__(self):
        self.begun += 1
        return iter(self.batches)


def test_a_loader_is_gone_through_again_in_each_epoch():
    loader = Loader(BATCHES)
    train(make().model, loader, epochs=3)
    assert loader.begun == 3 + 1  # once more to see whether it is an iterator


def test_nothing_is_drawn_ahead():
    """A batch is drawn when its update comes, so that a stream may share its generator."""
    seen = []

    def watched():
        for n, batch in enumerate(BATCHES):
            seen.append(n)
            yield batch

    def stop(history, model):
        return history.epochs == 2

    train(make().model, watched(), updates=1, epochs=5, on_epoch=stop)
    assert seen == [0, 1]


# ---------------------------------------------------------------- what does not fit


x, targets = BATCHES[0]
NONE = np.zeros(targets.shape, bool)


@pytest.mark.parametrize(
    ("stream", "error", "message"),
    [
        (x, TypeError, "x is a ndarray without targets, expected a stream of batches"),
        (3, TypeError, "x is a int without targets, expected a stream"),
        ("text", TypeError, "x is a str without targets, expected a stream"),
        (lambda: 3, TypeError, "x returned 3, expected an iterable of batches"),
        ([x], TypeError, r"in batch 1 of x: a ndarray, expected \(x, targets\), or a mapping"),
        ([(x, targets, 1)], TypeError, "in batch 1 of x: a tuple, expected"),
        ([{"x": x}], TypeError, r"in batch 1 of x: \['x'\], expected"),
        ([{"x": x, "y": targets}], TypeError, r"in batch 1 of x: \['x', 'y'\], expected"),
        ([(x[0], targets)], ValueError, r"in batch 1 of x, x has shape \(3, 2\), expected"),
        ([(x, targets[:2])], ValueError, "in batch 1 of x, targets has shape"),
        ([(x * np.nan, targets)], ValueError, "in batch 1 of x, x contains NaN or infinity"),
        ([(x, targets + 7)], ValueError, "targets holds"),
        ([{"x": x, "targets": targets, "mask": NONE}], ValueError, "mask counts no pred"),
        ([], ValueError, "x gives no batch, expected some"),
        (iter([]), ValueError, "x gives no batch, expected some"),
    ],
)
def test_a_stream_that_does_not_fit_changes_nothing(stream, error, message):
    p = make()
    before = weights(p.model)
    with pytest.raises(error, match=message):
        train(p.model, stream)
    assert_same(p.model, before)


def test_a_batch_that_does_not_fit_stops_the_run_and_leaves_its_history():
    p, twin = make(), make()
    by_hand(twin.model, BATCHES[:2])
    with pytest.raises(ValueError, match="in batch 3 of x, x has shape") as caught:
        train(p.model, [*BATCHES[:2], (x[0], targets), *BATCHES])
    assert_close(weights(p.model), weights(twin.model))
    assert len(caught.value.history.update_loss) == 2
    q = make(loss="squared_error")
    with pytest.raises(ValueError, match="in batch 2 of x, targets contains NaN"):
        train(q.model, [(q.x, q.targets), (q.x, np.full_like(q.targets, np.nan))])


def test_sequences_of_several_lengths_are_not_truncated():
    """As on arrays; a chunk could end before a sequence, or begin after it."""
    with pytest.raises(ValueError, match="in batch 1 of x, lengths is given, expected None beside"):
        train(make().model, [{"x": x, "targets": targets, "lengths": [1, 2, 1]}], truncate=2)
    train(make().model, [{"x": x, "targets": targets, "lengths": None}], truncate=2)


def broken_off():
    """A stream that reads a file with an error in it."""
    yield from BATCHES[:2]
    json.loads("{")


def test_an_error_of_the_stream_itself_is_passed_on(tmp_path):
    """The updates before it stay, and its run goes on from its checkpoint."""
    p, twin, path = make(), make(), tmp_path / "c.npz"
    by_hand(twin.model, BATCHES[:2])
    options = {"updates": 1, "epochs": 4, "checkpoint": path, "resume": True}
    with pytest.raises(json.JSONDecodeError) as caught:
        train(p.model, broken_off, **options)
    assert caught.value.history.epochs == 2
    assert_close(weights(p.model), weights(twin.model))
    by_hand(twin.model, BATCHES[2:4])
    assert train(p.model, BATCHES, **options).epochs == 4
    assert_close(weights(p.model), weights(twin.model))
    with pytest.raises(ValueError, match=r"^in validation, Expecting property name"):
        train(p.model, BATCHES, validation=broken_off)


def test_a_run_on_a_stream_may_diverge():
    p = make(loss="squared_error")
    with pytest.raises(TrainingDiverged, match="training stopped in epoch 1 at update 3: the loss"):
        train(p.model, [(p.x, p.targets)] * 2 + [(p.x, p.targets + 1e200)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 3}, "batch_size is given, expected None beside a stream"),
        ({"lengths": [5, 5, 5]}, "lengths is given, expected None beside a stream"),
        ({"mask": [True]}, "mask is given, expected None beside a stream"),
        ({"updates": 0}, "updates is 0, expected at least 1"),
        ({"targets": targets}, "x is not a regular array"),
    ],
)
def test_options_that_do_not_go_with_a_stream(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train(make().model, BATCHES, **{"rng": np.random.default_rng(0), **options})


def test_updates_do_not_go_with_arrays(rng):
    with pytest.raises(ValueError, match="updates is 3, expected None: it is for streams"):
        fit(make().model, x, targets, updates=3, optimizer=SGD(0.1), rng=rng)
    with pytest.raises(TypeError, match="rng is None, expected a generator"):
        fit(make().model, x, targets, optimizer=SGD(0.1))


# ---------------------------------------------------------------- validation by a stream


def test_validation_may_be_a_stream_and_is_measured_over_all_of_it():
    p = make()
    for validation in (BATCHES, lambda: iter(BATCHES)):
        history = train(p.model, BATCHES, validation=validation, metrics=["accuracy"])
        E = np.mean([p.model.loss(*batch) for batch in BATCHES])  # batches of one size
        right = np.mean([p.model.predict(x).argmax(-1) == t for x, t in BATCHES])
        assert_close(history.validation_loss, [E])
        assert_close(history.metrics["accuracy"], [right])


@pytest.mark.parametrize(
    ("validation", "error", "message"),
    [
        (iter(BATCHES), TypeError, "in validation, there is a list_iterator, expected"),
        (BATCHES[0], TypeError, "in validation, there is a tuple, expected a mapping"),
        (x, TypeError, "in validation, there is a ndarray, expected"),
        ([], ValueError, "in validation, the stream gives no batch"),
        ([(x[0], targets)], ValueError, "^in validation, in batch 1 of the stream, x has shape"),
    ],
)
def test_a_validation_that_does_not_fit_changes_nothing(validation, error, message):
    p = make()
    before = weights(p.model)
    with pytest.raises(error, match=message):
        train(p.model, BATCHES, validation=validation)
    assert_same(p.model, before)


# ---------------------------------------------------------------- exact resumption


STREAMS = {
    "endless iterator": (drawn, {"updates": 3}),
    "function of an endless one": (lambda rng: lambda: drawn(rng), {"updates": 3}),
    "fresh batches in each pass": (
        lambda rng: lambda: itertools.islice(drawn(rng), 4),
        {"updates": 3},
    ),
    "an order drawn by its first batch": (lambda rng: lambda: shuffled(rng), {"updates": 3}),
    "an order drawn by a call": (
        lambda rng: lambda: [BATCHES[n] for n in rng.permutation(5)],
        {"updates": 3},
    ),
    "a pass an epoch": (lambda rng: lambda: itertools.islice(drawn(rng), 4), {}),
    "a list": (lambda rng: BATCHES, {"updates": 3}),
    "an iterator that ends": (lambda rng: itertools.islice(drawn(rng), 13), {"updates": 3}),
}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("stop", [1, 3])
def test_an_interrupted_run_on_a_stream_resumes_exactly(tmp_path, kind, stop):
    stream, options = STREAMS[kind]
    path = tmp_path / "c.npz"

    def fresh(seed):
        return make(seed).model, Adam(0.05), np.random.default_rng(seed)

    def run(start, **more):
        model, optimizer, rng = start
        options_2 = {"optimizer": optimizer, "rng": rng, "validation": BATCHES, **more}
        history = train(model, stream(rng), epochs=7, **options, **options_2)
        return outcome(model, optimizer, rng, history)

    whole = run(fresh(3))

    class Killed(Exception):
        pass

    def kill(history, model):
        if history.epochs == stop + 1:
            raise Killed

    with pytest.raises(Killed):
        run(fresh(3), checkpoint=path, on_epoch=kill)
    assert run(fresh(99), checkpoint=path, resume=True) == whole
    assert run(fresh(98), checkpoint=path, resume=True) == whole  # nothing is left to do


def test_a_stream_is_read_again_only_as_far_as_it_was_had(tmp_path):
    """Not at all after whole passes, nor when it has ended."""
    loader, options = Loader(BATCHES), {"checkpoint": tmp_path / "c.npz", "resume": True}
    for epochs in (2, 3):
        train(make().model, loader, epochs=epochs, **options)
    assert loader.begun == 3 + 2  # once a run to see whether it is an iterator
    ends, options["checkpoint"] = iter(BATCHES), tmp_path / "d.npz"
    history = train(make().model, ends, updates=2, epochs=9, **options)
    assert history.stopped == "the stream ended"
    assert train(make().model, ends, updates=2, epochs=9, **options) == history


def test_a_resumed_stream_that_is_shorter_or_missing_is_refused(tmp_path):
    path, p = tmp_path / "c.npz", make()
    rng = np.random.default_rng(5)
    train(p.model, BATCHES, updates=4, rng=rng, checkpoint=path)
    rng.random()
    before, generator = weights(p.model), rng.bit_generator.state
    more = {"rng": rng, "checkpoint": path, "resume": True, "epochs": 2}
    with pytest.raises(ValueError, match="not fit: x is a stream of 3 batches, expected the 4"):
        train(p.model, BATCHES[:3], updates=4, **more)
    with pytest.raises(ValueError, match="its updates is 4, expected None"):
        fit(p.model, x, targets, optimizer=SGD(0.1), progress=False, **more)
    assert_same(p.model, before)
    assert rng.bit_generator.state == generator
    train(p.model, BATCHES, rng=rng, checkpoint=path)
    before, generator = weights(p.model), rng.bit_generator.state
    with pytest.raises(ValueError, match="it was trained on a stream, expected a run on arrays"):
        fit(p.model, x, targets, optimizer=SGD(0.1), progress=False, **more)
    with pytest.raises(ValueError, match="rng is None, expected a generator as in that run"):
        train(p.model, BATCHES, **{**more, "rng": None})
    assert_same(p.model, before)
    assert rng.bit_generator.state == generator
