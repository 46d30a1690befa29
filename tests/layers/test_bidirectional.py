"""What a layer promises that reads both ways; test_layers has what it shares with the others."""

import numpy as np
import pytest
from helpers import (
    assert_close,
    make_layer,
    make_model,
    make_state,
    mapped,
    named,
    percent,
    reversed_within,
)
from hypothesis import given
from hypothesis import strategies as st

from rnncourse import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Bidirectional,
    Embedding,
    Model,
    Readout,
    Stack,
    fit,
    jacobians,
)

X = np.ones((3, 2, 2))
KINDS = ("RNN", "LSTM", "GRU", "GRU-before", "stack")


@st.composite
def runs(draw):
    """Two layers of any kinds, with inputs, states, lengths (or None) and outer gradients."""
    T, B, D = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    layer = Bidirectional(
        *(
            make_layer(draw(st.sampled_from(KINDS)), D, draw(st.integers(1, 3)), rng=rng)
            for _ in range(2)
        )
    )
    lengths = rng.integers(1, T + 1, B) if draw(st.booleans()) else None
    x, dh = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, layer.hidden_size))
    return layer, x, make_state(layer, B, rng), lengths, dh, make_state(layer, B, rng)


@given(runs())
def test_it_is_its_two_layers_run_by_hand_one_sequence_at_a_time(run):
    layer, x, state, lengths, dh, dstate_T = run
    first, second = layer.forward_layer, layer.reverse_layer
    H = first.hidden_size
    assert (layer.input_size, layer.hidden_size) == (x.shape[2], H + second.hidden_size)
    assert (layer.backward_size, layer.causal) == (second.hidden_size, False)
    h, state_T, trace = layer.forward(x, state, lengths)
    dx, dstate_0, grads = layer.backward(trace, dh, dstate_T)
    total = {name: np.zeros(W.shape) for name, W in layer.params.items()}
    for b in range(x.shape[1]):
        n = len(x) if lengths is None else lengths[b]

        def only(state, one=slice(b, b + 1)):
            return mapped(lambda s: s[one], state)

        alone, dh_b = x[:n, b : b + 1], dh[:n, b : b + 1]
        h_f, end_f, trace_f = first.forward(alone, only(state[0]))
        h_r, end_r, trace_r = second.forward(alone[::-1], only(state[1]))
        assert_close(h[:n, b], np.concatenate([h_f[:, 0], h_r[::-1, 0]], axis=1))
        assert (h[n:, b] == 0).all()
        assert_close(only(state_T), (end_f, end_r))
        dx_f, d0_f, grads_f = first.backward(trace_f, dh_b[:, :, :H], only(dstate_T[0]))
        dx_r, d0_r, grads_r = second.backward(trace_r, dh_b[::-1, :, H:], only(dstate_T[1]))
        assert_close(dx[:n, b], dx_f[:, 0] + dx_r[::-1, 0])
        assert (dx[n:, b] == 0).all()
        assert_close(only(dstate_0), (d0_f, d0_r))
        for prefix, own in (("forward.", grads_f), ("reverse.", grads_r)):
            for name, gradient in own.items():
                total[prefix + name] += gradient
    assert_close(grads, total)


@given(runs())
def test_a_run_is_a_forward_pass_without_its_trace(run):
    layer, x, state, lengths, _, _ = run
    assert_close(layer.run(x, state, lengths), layer.forward(x, state, lengths)[:2])


@given(runs(), st.sampled_from([np.nan, 1e300]))
@percent(50)
def test_what_lies_past_an_end_is_not_read_by_either_direction(run, filler):
    layer, x, state, lengths, dh, dstate_T = run
    lengths = np.arange(x.shape[1]) % len(x) + 1
    h, state_T, trace = layer.forward(x, state, lengths)
    back = layer.backward(trace, dh, dstate_T)
    past = np.arange(len(x))[:, None] >= lengths
    x[past], dh[past] = filler, filler
    h_2, state_2, trace_2 = layer.forward(x, state, lengths)
    assert_close((h_2, state_2), (h, state_T), 0)
    assert_close(layer.backward(trace_2, dh, dstate_T), back, 0)


@given(runs())
@percent(50)
def test_reading_the_other_way_around_exchanges_the_directions(run):
    layer, x, state, lengths, _, _ = run
    twin = Bidirectional(layer.reverse_layer, layer.forward_layer)
    h, state_T, _ = layer.forward(x, state, lengths)
    h_2, state_2, _ = twin.forward(reversed_within(x, lengths), state[::-1], lengths)
    H = layer.forward_layer.hidden_size
    swapped = np.concatenate([h[:, :, H:], h[:, :, :H]], axis=2)
    assert_close(h_2, reversed_within(swapped, lengths))
    assert_close(state_2, state_T[::-1])


def test_each_direction_knows_what_it_has_read(rng):
    """A change at step 3 shows forward from there on, and in reverse up to there."""
    layer = make_layer("bidirectional", rng=rng)
    x = rng.normal(size=(5, 1, 2))
    h, H = layer.forward(x)[0], layer.forward_layer.hidden_size
    x[2] += 1
    moved = (np.abs(layer.forward(x)[0] - h) > 1e-9)[:, 0]
    assert moved[:, :H].all(axis=1).tolist() == [False, False, True, True, True]
    assert moved[:, H:].all(axis=1).tolist() == [True, True, True, False, False]
    assert not moved[:2, :H].any()
    assert not moved[3:, H:].any()


# ---------------------------------------------------------------- what it is made of


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_layer_the_other_is_a_copy(rng, kind):
    layer = make_layer(kind, rng=rng)
    both = Bidirectional(layer)
    assert both.forward_layer is layer
    assert type(both.reverse_layer) is type(layer)
    for name, W in layer.params.items():
        assert_close(both.params[f"reverse.{name}"], W, 0)
        assert not np.shares_memory(both.params[f"reverse.{name}"], W)
        W += 1
        assert_close(both.params[f"forward.{name}"], W, 0)
        assert (both.params[f"reverse.{name}"] != W).all()


def test_the_parameters_are_those_of_the_layers_by_direction(rng):
    first, second = LSTM(2, 3, rng=rng), GRU(2, 4, rng=rng)
    both = Bidirectional(first, second)
    expected = [f"forward.{n}" for n in first.params] + [f"reverse.{n}" for n in second.params]
    assert list(both.params) == expected
    with pytest.raises(TypeError, match="does not support item assignment"):
        both.params["forward.b_h"] = 0
    both.load_params({name: W + 1 for name, W in both.params.items()})
    assert (first.params["b_h"] >= 1).all()
    assert_close(both.params["reverse.b_h"], second.params["b_h"], 0)
    assert (second.params["b_h"] == 1).all()
    assert repr(both) == "Bidirectional(LSTM(2, 3, dtype=float64), GRU(2, 4, dtype=float64))"


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (lambda o: RNN(3, 4, **o), ValueError, "reverse_layer has input_size 3, expected 2"),
        (
            lambda o: RNN(2, 4, dtype=np.float32, **o),
            ValueError,
            "reverse_layer has dtype float32, expected float64",
        ),
        (lambda o: 3, TypeError, "reverse_layer is 3, without input_size, .* expected a layer"),
        (lambda o: RNN, TypeError, "reverse_layer is .*, a class, expected a layer"),
        (
            lambda o: Embedding(2, 4, **o),
            ValueError,
            "one of the layers takes labels, expected both",
        ),
        (
            lambda o: Bidirectional(RNN(2, 4, **o)),
            ValueError,
            r"reverse_layer is Bidirectional\(.*, which reads both ways already",
        ),
        (
            lambda o: Stack(RNN(2, 4, **o), Bidirectional(RNN(4, 4, **o))),
            ValueError,
            r"reverse_layer is Stack\(.*, which reads both ways already",
        ),
    ],
)
def test_layers_that_do_not_go_together(rng, second, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Bidirectional(RNN(2, 4, rng=rng), second({"rng": rng}))


def test_what_else_it_cannot_be_made_of(rng):
    layer = RNN(2, 4, rng=rng)
    with pytest.raises(
        ValueError, match=r"^reverse_layer shares weights with layer, expected weights of"
    ):
        Bidirectional(layer, layer)
    with pytest.raises(ValueError, match=r"^reverse_layer shares weights with layer"):
        Bidirectional(layer, Stack(layer))
    with pytest.raises(ValueError, match=r"^layer is Bidirectional\(.*, which reads both ways alr"):
        Bidirectional(Bidirectional(layer))
    with pytest.raises(TypeError, match=r"^layer is None, without"):
        Bidirectional(None)


# ---------------------------------------------------------------- states and traces


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (
            np.ones((2, 4)),
            TypeError,
            r"state is a ndarray, expected a pair: forward's and rev",
        ),
        ((np.ones((2, 4)),), ValueError, "state has 1 parts, expected a pair: forward's and"),
        ((None,) * 3, ValueError, "state has 3 parts, expected a pair"),
        (3, TypeError, "state is a int, expected a pair"),
        (np.array(1.0), TypeError, "state is a ndarray, expected a pair"),
    ],
)
def test_a_state_that_is_no_pair(rng, kind, state, error, message):
    both = Bidirectional(make_layer(kind, rng=rng))
    for call in (both.forward, both.run):
        with pytest.raises(error, match=f"^{message}"):
            call(X, state)
    _, _, trace = both.forward(X)
    with pytest.raises(error, match=f"^d{message.replace('state', 'state_T', 1)}"):
        both.backward(trace, np.ones((3, 2, 8)), state)


def test_the_state_of_one_direction_is_no_pair_of_states(rng):
    lstm = Bidirectional(make_layer("LSTM", rng=rng))
    h = np.ones((2, 4))
    with pytest.raises(TypeError, match=r"^state is a ndarray, expected a pair \(h, c\)"):
        lstm.forward(X, (h, h))
    with pytest.raises(ValueError, match=r"^state has shape \(2, 3\), expected \(2, 4\)"):
        Bidirectional(make_layer("RNN", rng=rng)).forward(X, (h, h[:, :3]))
    with pytest.raises(ValueError, match=r"^state has shape \(1, 4\), expected \(2, 4\)"):
        Bidirectional(make_layer("RNN", rng=rng)).run(X, (h, h[:1]))


@pytest.mark.parametrize("lengths", [None, [3, 1]])
def test_a_direction_whose_state_is_left_out_starts_at_zero(rng, lengths):
    both = Bidirectional(make_layer("LSTM", rng=rng), make_layer("GRU", rng=rng))
    state, dh = make_state(both, 2, rng), rng.normal(size=(3, 2, 8))
    for some in ((state[0], None), (None, state[1])):
        whole = tuple(
            mapped(np.zeros_like, s) if one is None else one
            for one, s in zip(some, state, strict=True)
        )
        assert_close(both.forward(X, some, lengths)[:2], both.forward(X, whole, lengths)[:2], 0)
        assert_close(both.run(X, some, lengths), both.run(X, whole, lengths), 0)
        _, _, trace = both.forward(X, None, lengths)
        assert_close(both.backward(trace, dh, some), both.backward(trace, dh, whole), 0)
        assert_close(both.backward(trace, None, some), both.backward(trace, 0 * dh, whole), 0)
        assert_close(
            both.forward(X, list(some), lengths)[:2], both.forward(X, some, lengths)[:2], 0
        )


def test_a_trace_of_another_layer_is_refused(rng):
    both, dh = Bidirectional(make_layer("RNN", rng=rng)), np.ones((3, 2, 8))
    with pytest.raises(TypeError, match=r"^trace is not what this layer's forward returned"):
        both.backward(make_layer("RNN", rng=rng).forward(X)[2], dh)
    with pytest.raises(TypeError, match=r"^trace is not what this layer's forward returned"):
        both.backward((), dh)
    with pytest.raises(TypeError, match=r"^trace is a rnncourse\.layers\.lstm\.Trace, expected"):
        both.backward(Bidirectional(make_layer("LSTM", rng=rng)).forward(X)[2], dh)


@pytest.mark.parametrize("lengths", [None, [2, 3]])
def test_a_dh_of_another_shape_is_named(rng, lengths):
    both = Bidirectional(make_layer("RNN", rng=rng))
    _, _, trace = both.forward(X, lengths=lengths)
    for shape in ((3, 2, 4), (2, 2, 8), (4, 2, 8), (3, 1, 8), (3, 2)):
        given_ = str(shape).replace("(", r"\(").replace(")", r"\)")
        with pytest.raises(ValueError, match=rf"^dh has shape {given_}, expected \(3, 2, 8\)"):
            both.backward(trace, np.ones(shape))


# ---------------------------------------------------------------- in a model


@pytest.mark.parametrize("kind", ["bidirectional", "mixed"])
@pytest.mark.parametrize("lengths", [None, [4, 1, 3, 5]])
def test_many_to_one_reads_the_last_state_of_each_direction(rng, kind, lengths):
    """Each sequence alone: forward's state after its last step, reverse's after its first."""
    model = make_model(2, 6, 3, rng, layer=kind, arrangement="many-to-one", loss="squared_error")
    x, targets = rng.normal(size=(5, 4, 2)), rng.normal(size=(4, 3))
    y = model.predict(x, lengths=lengths)
    found = model.loss_and_gradients(x, targets, lengths=lengths)
    total, E = dict.fromkeys(found.grads, 0), 0
    for b, n in enumerate(lengths or [5] * 4):
        _, end, trace = model.layer.forward(x[:n, b : b + 1])
        top = end if kind == "bidirectional" else end[1]
        layer = model.layer if kind == "bidirectional" else model.layer.layers[1]
        last = [named(layer, top)[f"{direction}.h"][0] for direction in ("forward", "reverse")]
        read = np.concatenate(last)
        assert_close(y[b], model.params["W_hy"] @ read + model.params["b_y"])
        dy = (y[b] - targets[b]) / 4
        E += ((y[b] - targets[b]) ** 2).sum() / 8
        dread = (model.params["W_hy"].T @ dy)[None]
        zero = mapped(np.zeros_like, top)
        few = len(last[0])
        dtop = tuple(
            (d, zero_[1]) if isinstance(zero_, tuple) else d
            for d, zero_ in zip((dread[:, :few], dread[:, few:]), zero, strict=True)
        )
        outer = dtop if kind == "bidirectional" else (None, dtop)
        dx_b, _, grads_b = model.layer.backward(trace, None, outer)
        assert_close(found.dx[:n, b : b + 1], dx_b)
        grads_b |= {"W_hy": np.outer(dy, read), "b_y": dy}
        total = {name: total[name] + grads_b[name] for name in total}
    assert_close(found.E, E)
    assert_close(found.grads, total)
    assert_close(model.loss(x, targets, lengths=lengths), E)


def test_a_layer_above_reads_in_one_direction_again(rng):
    stack = Stack(Bidirectional(make_layer("GRU", 2, 3, rng=rng)), make_layer("RNN", 6, 4, rng=rng))
    assert stack.backward_size == 0
    model = Model(stack, Readout(4, 3, rng=rng), arrangement="many-to-one")
    x = rng.normal(size=(5, 2, 2))
    h, _ = stack.run(x, lengths=[2, 5])
    y = model.predict(x, lengths=[2, 5])
    assert_close(y, model.readout.forward(np.stack([h[1, 0], h[4, 1]])))


@pytest.mark.parametrize("kind", ["bidirectional", "mixed", "below"])
def test_what_goes_step_by_step_refuses_it(rng, kind):
    if kind == "below":
        layer = Stack(Bidirectional(RNN(3, 4, rng=rng)), RNN(8, 4, rng=rng))
        model = Model(layer, Readout(4, 3, rng=rng))
    else:
        model = make_model(3, 4, 3, rng, layer=kind)
    x, labels = rng.normal(size=(4, 2, 3)), rng.integers(3, size=(4, 2))
    before = {name: W.copy() for name, W in model.params.items()}

    def refused(purpose):
        message = rf"^layer is (Stack|Bidirectional)\(.*, which reads from the end: {purpose} goes"
        return pytest.raises(ValueError, match=message)

    with refused("step"):
        model.layer.step(x[0])
    with refused("generate"):
        model.generate(x, 3)
    with refused("truncation"):
        fit(model, x, labels, epochs=1, optimizer=SGD(0.1), rng=rng, truncate=2, progress=False)
    with refused("step_jacobians"):
        jacobians.step_jacobians(model.layer, x[:, 0])
    with refused("gradient_by_step"):
        jacobians.gradient_by_step(model, x, labels)
    assert_close(dict(model.params), before, 0)
    fit(model, x, labels, epochs=1, optimizer=SGD(0.1), rng=rng, progress=False)
    assert (model.params["b_y"] != before["b_y"]).all()
