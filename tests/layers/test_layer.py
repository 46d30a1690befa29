"""A layer of the user's own works everywhere, and one that breaks the protocol is told how."""

import numpy as np
import pytest
from helpers import assert_close
from numpy.testing import assert_array_equal

from rnncourse import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    Bidirectional,
    Embedding,
    Model,
    Readout,
    Stack,
    check_gradients,
    fit,
    jacobians,
)
from rnncourse.interop import load_torch_state, torch_state


class Leaky:
    """h_t = (1 − α) h_{t-1} + α tanh(W_hh h_{t-1} + W_xh x_t + b_h), by plain loops."""

    alpha = 0.3

    def __init__(self, D, H, *, rng):
        self.input_size, self.hidden_size, self.dtype = D, H, np.dtype(np.float64)
        self.params = {n: rng.normal(size=s) for n, s in (("W_xh", (H, D)), ("W_hh", (H, H)))}
        self.params["b_h"] = np.zeros(H)

    def forward(self, x, state=None, lengths=None):
        x = np.asarray(x)
        T, B, _ = x.shape
        inside = np.arange(T)[:, None, None] < np.reshape(
            T if lengths is None else lengths, (-1, 1)
        )
        h = [np.zeros((B, self.hidden_size)) if state is None else np.asarray(state)]
        W, active = self.params, []
        for t in range(T):
            active.append(np.tanh(h[-1] @ W["W_hh"].T + x[t] @ W["W_xh"].T + W["b_h"]))
            new = (1 - self.alpha) * h[-1] + self.alpha * active[-1]
            h.append(np.where(inside[t], new, h[-1]))
        return np.where(inside, h[1:], 0), h[-1], (x, h, active, inside)

    def backward(self, trace, dh=None, dstate_T=None):
        (x, h, active, inside), W = trace, self.params
        grads, dx = {n: np.zeros_like(a) for n, a in W.items()}, np.zeros_like(x, dtype=float)
        d = np.zeros_like(h[0]) if dstate_T is None else np.array(dstate_T)
        for t in reversed(range(len(x))):
            d = d + (0 if dh is None else np.where(inside[t], dh[t], 0))
            delta_a = np.where(inside[t], d * self.alpha * (1 - active[t] ** 2), 0)
            grads["W_xh"] += delta_a.T @ np.where(inside[t], x[t], 0)
            grads["W_hh"] += delta_a.T @ h[t]
            grads["b_h"] += delta_a.sum(axis=0)
            dx[t] = delta_a @ W["W_xh"]
            d = np.where(inside[t], (1 - self.alpha) * d, d) + delta_a @ W["W_hh"]
        return dx, d, grads


ARRANGED = {
    "alone": lambda rng: Leaky(3, 4, rng=rng),
    "in a stack, below": lambda rng: Stack(Leaky(3, 5, rng=rng), LSTM(5, 4, rng=rng)),
    "in a stack, above": lambda rng: Stack(GRU(3, 5, rng=rng), Leaky(5, 4, rng=rng)),
    "both ways": lambda rng: Bidirectional(Leaky(3, 2, rng=rng), RNN(3, 2, rng=rng)),
    "copied both ways": lambda rng: Bidirectional(Leaky(3, 2, rng=rng)),
}


@pytest.mark.parametrize("make", ARRANGED.values(), ids=ARRANGED)
@pytest.mark.parametrize("arrangement", ["many-to-many", "many-to-one"])
@pytest.mark.parametrize("lengths", [None, [5, 2, 3]])
def test_a_layer_of_ones_own_learns_in_a_model(rng, make, arrangement, lengths):
    model = Model(make(rng), Readout(4, 2, rng=rng), arrangement=arrangement)
    x = rng.normal(size=(5, 3, 3))
    labels = rng.integers(2, size=(5, 3) if arrangement == "many-to-many" else 3)
    state = model.layer.forward(x)[1]
    data = {"x": x, "targets": labels, "lengths": lengths, "state": state}
    found = model.loss_and_gradients(**data)
    report = check_gradients(
        lambda: model.loss(**data), {**model.params, "x": x}, {**found.grads, "x": found.dx}
    )
    assert report.ok(1e-7), report
    data.pop("state")
    options = {"epochs": 5, "optimizer": SGD(0.1), "rng": rng, "progress": False}
    history = fit(model, **data, **options, batch_size=2)
    assert history.loss[-1] < history.loss[0]


def test_it_needs_neither_run_nor_step(rng):
    """Both are forward passes then, also inside a stack."""
    stack = Stack(Leaky(3, 3, rng=rng), RNN(3, 3, rng=rng))
    x, state = rng.normal(size=(5, 2, 3)), None
    h, state_T, _ = stack.forward(x)
    assert_close(stack.run(x), (h, state_T), 1e-14)
    for x_t, expected in zip(x, h, strict=True):
        h_t, state = stack.step(x_t, state)
        assert_close(h_t, expected)
    assert_close(state, state_T)


def test_it_generates_and_its_jacobians_are_measured(rng):
    layer = Leaky(3, 3, rng=rng)
    model = Model(layer, Readout(3, 3, rng=rng))
    made = model.generate(np.eye(3)[[[0]]], 6)
    x = np.eye(3)[[0]]
    h, state, _ = layer.forward(x[None])
    for label in made[:, 0]:
        assert label == model.readout.forward(h[-1]).argmax()
        h, state, _ = layer.forward(np.eye(3)[[[label]]], state)
    h = layer.forward(x[None])[0][0, 0]
    a = np.arctanh((h - 0) / layer.alpha)
    expected = 0.7 * np.eye(3) + 0.3 * np.diag(1 - np.tanh(a) ** 2) @ layer.params["W_hh"]
    assert_close(jacobians.step_jacobians(layer, x)[0], expected)
    terms = jacobians.gradient_by_step(model, np.eye(3)[[[0], [1], [2]]], [[1], [2], [0]])
    found = model.loss_and_gradients(np.eye(3)[[[0], [1], [2]]], [[1], [2], [0]])
    assert_close({n: t.sum(axis=0) for n, t in terms.items()}, {n: found.grads[n] for n in terms})


def test_its_weights_travel_if_it_says_what_it_is(rng):
    layer = Leaky(3, 4, rng=rng)
    with pytest.raises(ValueError, match=r"Leaky.* has no counterpart in torch\.nn"):
        torch_state(layer)
    layer.torch_kind = "RNN"
    other = RNN(3, 4, rng=rng)
    load_torch_state(layer, torch_state(other))
    assert_close(layer.params, dict(other.params), 0)


# ---------------------------------------------------------------- a layer that breaks the protocol


def broken(method, change):
    """Return a class whose method returns something else."""
    original = getattr(Leaky, method)
    return type("Broken", (Leaky,), {method: lambda self, *a: change(original(self, *a))})


@pytest.mark.parametrize(
    ("method", "change", "error", "message"),
    [
        ("forward", lambda r: r[:2], TypeError, r"a tuple of 2, expected a tuple \(h, state_T, tr"),
        ("forward", lambda r: r[0], TypeError, r"a ndarray, expected a tuple \(h, state_T, trace"),
        (
            "forward",
            lambda r: (r[0].tolist(), *r[1:]),
            TypeError,
            "h as list, expected an array of",
        ),
        (
            "forward",
            lambda r: (r[0] > 0, *r[1:]),
            TypeError,
            "h as bool, expected an array of floats",
        ),
        (
            "forward",
            lambda r: (r[0][:-1], *r[1:]),
            ValueError,
            r"h with shape \(4, 2, 4\), expected \(5, 2, 4\)",
        ),
        ("backward", lambda r: r[2], TypeError, r"a dict, expected a tuple \(dx, dstate_0, grads"),
        (
            "backward",
            lambda r: (r[0].transpose(1, 0, 2), *r[1:]),
            ValueError,
            r"dx with shape \(2, 5, 3\), expected \(5, 2, 3\)",
        ),
        (
            "backward",
            lambda r: (*r[:2], {"W_xh": r[2]["W_xh"]}),
            TypeError,
            r"grads \['W_xh'\], expected \['W_hh', 'W_xh', 'b_h'\]",
        ),
        ("backward", lambda r: (*r[:2], [1]), TypeError, "grads list, expected"),
        (
            "backward",
            lambda r: (*r[:2], r[2] | {"b_h": r[2]["b_h"][1:]}),
            ValueError,
            r"the gradient of b_h with shape \(3,\), expected \(4,\)",
        ),
    ],
)
@pytest.mark.parametrize("where", ["model", "stack", "bidirectional"])
def test_what_a_layer_returns_is_checked(rng, method, change, error, message, where):
    layer = broken(method, change)(3, 4, rng=rng)
    whole = {
        "model": lambda: layer,
        "stack": lambda: Stack(layer, RNN(4, 4, rng=rng)),
        "bidirectional": lambda: Bidirectional(RNN(3, 4, rng=rng), layer),
    }[where]()
    model = Model(whole, Readout(whole.hidden_size, 2, rng=rng))
    with pytest.raises(error, match=rf"^Broken\.{method} returned {message}"):
        model.loss_and_gradients(rng.normal(size=(5, 2, 3)), np.zeros((5, 2), int))


def test_run_and_step_are_checked_too(rng):
    layer = Leaky(3, 4, rng=rng)
    layer.run = lambda x, state, lengths: np.zeros((5, 2, 4))
    model = Model(layer, Readout(4, 2, rng=rng))
    with pytest.raises(TypeError, match=r"Leaky\.run returned a ndarray, expected a tuple \(h, st"):
        model.predict(np.zeros((5, 2, 3)))
    layer.step = lambda x_t, state: (np.zeros((2, 3)), None)
    message = r"Leaky\.step returned h with shape \(2, 3\), expected \(2, 4\)"
    with pytest.raises(ValueError, match=message):
        Stack(layer).step(np.zeros((2, 3)))


@pytest.mark.parametrize("missing", ["input_size", "params", "backward"])
def test_what_is_missing_of_a_layer_is_named(rng, missing):
    class Part:
        """Has what a layer has, but one."""

    full = Leaky(3, 4, rng=rng)
    for name in ("input_size", "hidden_size", "dtype", "params", "forward", "backward"):
        if name != missing:
            setattr(Part, name, getattr(full, name))
    for build in (
        lambda: Model(Part(), Readout(4, 2, rng=rng)),
        lambda: Stack(full, Part()),
        lambda: Bidirectional(Part()),
        lambda: jacobians.step_jacobians(Part(), np.zeros((2, 3))),
        lambda: torch_state(Part()),
    ):
        with pytest.raises(TypeError, match=f"layer.* without {missing}, expected a layer such as"):
            build()
    with pytest.raises(TypeError, match="a class, expected a layer"):
        Stack(RNN)


# ---------------------------------------------------------------- put together by the user


def test_an_encoder_and_a_decoder_train_through_the_state(rng):
    """The decoder repeats in reverse what the encoder has read; 24 lines without the asserts."""
    V, T, H = 5, 4, 24
    encoder = Stack(Embedding(V, 8, rng=rng), GRU(8, H, rng=rng))
    decoder = Model(Stack(Embedding(V + 1, 8, rng=rng), GRU(8, H, rng=rng)), Readout(H, V, rng=rng))
    params = {f"encoder.{n}": W for n, W in encoder.params.items()}
    params |= {f"decoder.{n}": W for n, W in decoder.params.items()}
    optimizer = Adam(0.01)
    for _ in range(300):
        x = rng.integers(V, size=(T, 32))
        targets = x[::-1]
        given = np.concatenate([np.full((1, 32), V), targets[:-1]])  # V: begin
        _, (_, state), trace = encoder.forward(x)
        found = decoder.loss_and_gradients(given, targets, state=((), state))
        _, _, grads = encoder.backward(trace, dstate_T=found.dstate_0)
        optimizer.step(
            params,
            {f"encoder.{n}": g for n, g in grads.items()}
            | {f"decoder.{n}": g for n, g in found.grads.items()},
        )
    x = rng.integers(V, size=(T, 200))
    _, (_, state) = encoder.run(x)
    label, state, made = np.full(200, V), ((), state), []
    for _ in range(T):
        h_t, state = decoder.layer.step(label, state)
        label = decoder.readout.forward(h_t).argmax(axis=-1)
        made.append(label)
    assert np.mean(made == x[::-1]) > 0.95


def test_the_gradient_through_the_state_is_that_of_the_whole(rng):
    encoder = LSTM(2, 4, rng=rng)
    decoder = Model(LSTM(3, 4, rng=rng), Readout(4, 2, rng=rng), loss="squared_error")
    x, given, targets = (rng.normal(size=(5, 3, n)) for n in (2, 3, 2))
    lengths = [5, 2, 3]

    def E():
        return decoder.loss(given, targets, state=encoder.run(x, lengths=lengths)[1])

    _, state, trace = encoder.forward(x, lengths=lengths)
    found = decoder.loss_and_gradients(given, targets, state=state)
    dx, _, grads = encoder.backward(trace, dstate_T=found.dstate_0)
    report = check_gradients(E, {**encoder.params, "x": x}, {**grads, "x": dx})
    assert report.ok(1e-7), report


def test_a_model_over_text_learns_from_whole_numbers(rng):
    """Predict the next letter of a sentence that repeats, then write it; 12 lines."""
    text = "the rain in spain stays mainly in the plain. " * 30
    alphabet = sorted(set(text))
    labels = np.array([alphabet.index(c) for c in text])
    V = len(alphabet)
    layer = Stack(Embedding(V, 12, rng=rng), GRU(12, 48, rng=rng))
    model = Model(layer, Readout(48, V, rng=rng))
    x = np.stack([labels[k : k + 90] for k in range(0, 900, 30)], axis=1)
    targets = np.stack([labels[k + 1 : k + 91] for k in range(0, 900, 30)], axis=1)
    options = {"optimizer": Adam(0.02), "rng": rng, "clip_norm": 1.0, "progress": False}
    history = fit(model, x, targets, epochs=20, batch_size=10, **options)
    assert history.loss[-1] < 0.15 < 2 < history.loss[0]
    made = model.generate(labels[:45, None], 45)
    assert "".join(alphabet[k] for k in made[:, 0]) == text[45:90]


def test_a_model_over_text_truncates_and_predicts_alike(rng):
    layer = Stack(Embedding(5, 3, rng=rng), LSTM(3, 4, rng=rng))
    model, x = Model(layer, Readout(4, 5, rng=rng)), rng.integers(5, size=(12, 4))
    options = {"epochs": 2, "optimizer": SGD(0.1), "rng": rng, "progress": False}
    before = model.params["layer1.table"].copy()
    assert len(fit(model, x, x, truncate=5, **options).gradient_norm) == 6
    assert not np.array_equal(model.params["layer1.table"], before)
    y = model.predict(x, lengths=[12, 1, 3, 7])
    one_by_one = np.stack([model.predict(x[:, b : b + 1])[:, 0] for b in range(4)], axis=1)
    inside = np.arange(12)[:, None] < [12, 1, 3, 7]
    assert_close(y[inside], one_by_one[inside])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.eye(5)[[[0, 1]]], TypeError, "x has dtype float64, expected whole numbers"),
        ([[0, 5]], ValueError, r"x holds 5 at index \(0, 1\), expected whole numbers from 0 to 4"),
        ([0, 1], ValueError, r"x has shape \(2,\), expected \(T, B\)"),
    ],
)
def test_labels_that_do_not_fit_are_named(rng, x, error, message):
    layer = Stack(Embedding(5, 3, rng=rng), RNN(3, 4, rng=rng))
    model = Model(layer, Readout(4, 5, rng=rng))
    before = {n: W.copy() for n, W in model.params.items()}
    with pytest.raises(error, match=message):
        model.predict(x)
    with pytest.raises(error, match=message):
        fit(model, x, np.zeros((1, 2), int), epochs=1, optimizer=SGD(1), rng=rng, progress=False)
    assert_close(dict(model.params), before, 0)


def test_one_to_many_has_no_label_that_means_nothing(rng):
    layer = Stack(Embedding(5, 3, rng=rng), RNN(3, 4, rng=rng))
    with pytest.raises(ValueError, match="arrangement is 'one-to-many', expected another"):
        Model(layer, Readout(4, 5, rng=rng), arrangement="one-to-many")


def test_jacobians_of_labels(rng):
    """The embedding has no state; the Jacobians are those of the layer above it."""
    embedding, rnn = Embedding(5, 3, rng=rng), RNN(3, 4, rng=rng)
    J = jacobians.step_jacobians(Stack(embedding, rnn), [1, 4, 0])
    assert_array_equal(J, jacobians.step_jacobians(rnn, embedding.params["table"][[1, 4, 0]]))
    model = Model(Stack(embedding, rnn), Readout(4, 2, rng=rng))
    terms = jacobians.gradient_by_step(model, [[1], [4], [1]], [[0], [1], [1]])
    found = model.loss_and_gradients([[1], [4], [1]], [[0], [1], [1]])
    assert_close({n: t.sum(axis=0) for n, t in terms.items()}, {n: found.grads[n] for n in terms})


def test_labels_past_the_end_do_not_matter_step_by_step(rng):
    model = Model(Stack(Embedding(5, 3, rng=rng), RNN(3, 4, rng=rng)), Readout(4, 2, rng=rng))
    data = {"targets": [[0, 1], [1, 0], [1, 7]], "lengths": [3, 2]}
    x = np.array([[1, 4], [0, 2], [3, 99]])
    terms = jacobians.gradient_by_step(model, x, **data)
    found = model.loss_and_gradients(x, **data)
    assert_close({n: t.sum(axis=0) for n, t in terms.items()}, {n: found.grads[n] for n in terms})
    assert x[2, 1] == 99
