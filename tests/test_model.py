"""Layer, readout and loss together: gradients by independent ways, prediction, generation."""

import copy
import pickle

import numpy as np
import pytest
from helpers import (
    ARRANGEMENTS,
    LAYERS,
    LOSSES,
    assert_close,
    composed_gradients,
    make_layer,
    make_model,
    make_problem,
    make_state,
    measured_gradients,
    named,
    percent,
    plain_run,
    problems,
)
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import RNN, Model, Readout, check_gradients, softmax
from rnncourse.layers.layer import is_causal

CAUSAL = [k for k in LAYERS if is_causal(make_layer(k, rng=np.random.default_rng(0)))]


def plain(p):
    """The states of a problem's layer, by plain loops."""
    values = {**p.model.params, **named(p.model.layer, p.state)}
    return plain_run(p.model.layer, values, p.inputs, p.lengths)


def parts(found):
    """What `loss_and_gradients` returns, as a tuple."""
    return found.E, found.grads, found.dx, found.dstate_0, found.state_T


# ---------------------------------------------------------------- loss and gradients


@percent(60)
@given(problems())
def test_gradients_agree_with_complex_steps_and_with_the_equations(p):
    found = p.model.loss_and_gradients(**p.data, state=p.state)
    E_composed, composed = composed_gradients(p)
    measured = measured_gradients(p)
    assert_close(composed, measured)
    assert_close(found.E, E_composed)
    assert set(found.grads) == set(p.model.params)
    dx = measured["x"][0] if p.model.arrangement == "one-to-many" else measured["x"]
    start = named(p.model.layer, found.dstate_0)
    assert_close({**found.grads, "x": found.dx, **start}, {**measured, "x": dx})
    assert_close(found.E, p.model.loss(**p.data, state=p.state), 1e-14)
    T, B, _ = p.inputs.shape
    ends = np.full(B, T) if p.lengths is None else p.lengths
    _, run = plain(p)
    assert_close(
        named(p.model.layer, found.state_T), {n: s[ends, np.arange(B)] for n, s in run.items()}
    )


@percent(40)
@given(problems())
def test_gradients_agree_with_finite_differences(p):
    grads = p.model.loss_and_gradients(**p.data, state=p.state).grads
    report = check_gradients(lambda: p.model.loss(**p.data, state=p.state), p.model.params, grads)
    assert report.ok(1e-7), report


@given(problems(ragged=True))
def test_padding_does_not_matter(p):
    """What lies past a sequence's end, in inputs, targets or mask, changes nothing."""
    before = parts(p.model.loss_and_gradients(**p.data, state=p.state))
    past = np.arange(len(p.inputs))[:, None] >= p.lengths
    if p.model.arrangement != "one-to-many":
        p.x[past] = np.nan
    if p.model.arrangement != "many-to-one":
        p.targets[past] = np.nan if p.model.loss_name == "squared_error" else -7
        if p.mask is not None:
            p.mask[past] ^= True
    assert_close(before, parts(p.model.loss_and_gradients(**p.data, state=p.state)), 0)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_float32_stays_float32_and_close_to_float64(layer, arrangement, loss):
    results = []
    options = {"layer": layer, "arrangement": arrangement, "loss": loss, "ragged": True}
    for dtype in (np.float32, np.float64):
        p = make_problem(np.random.default_rng(3), dtype=dtype, **options)
        found = p.model.loss_and_gradients(**p.data, state=p.state)
        states = (named(p.model.layer, s).values() for s in (found.state_T, found.dstate_0))
        arrays = (*found.grads.values(), found.dx, *(a for s in states for a in s))
        assert {a.dtype for a in arrays} == {np.dtype(dtype)}
        y = p.model.predict(p.x, steps=5 if arrangement == "one-to-many" else None)
        assert y.dtype == dtype
        results.append({**found.grads, "E": found.E})
    assert_close(*results, 1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_are_the_callers_own(rng, layer):
    """Clipping or zeroing returned arrays leaves the weights alone."""
    p = make_problem(rng, layer=layer)
    before = {n: W.copy() for n, W in p.model.params.items()}
    found = p.model.loss_and_gradients(**p.data)
    for a in (*found.grads.values(), found.dx, *named(p.model.layer, found.state_T).values()):
        a[...] = 0
    for name, W in p.model.params.items():
        assert_array_equal(W, before[name])


# ---------------------------------------------------------------- prediction


@given(problems())
def test_predictions_are_what_the_loss_is_taken_over(p):
    steps = len(p.targets) if p.model.arrangement == "one-to-many" else None
    y = p.model.predict(p.x, state=p.state, lengths=p.lengths, steps=steps)
    h, _ = plain(p)
    W = p.model.params
    for t, b, at in p.counted():
        assert_close(y[at], W["W_hy"] @ p.read(h[:, b], t) + W["b_y"])
    assert (
        y.shape[:-1]
        == (p.targets.shape if p.targets.ndim < 3 else p.targets.shape[:2])[: y.ndim - 1]
    )


@given(problems())
def test_layer_signals_are_what_the_layer_is_given(p):
    """The inputs of every step, and the gradient of the loss for every state by way of y_t."""
    x, dh = p.model.layer_signals(**p.data, state=p.state)
    T, B, _ = p.inputs.shape
    inside = np.arange(T)[:, None] < (np.full(B, T) if p.lengths is None else p.lengths)
    assert_close(x, np.where(inside[..., None], p.inputs, 0), 0)
    W, h = p.model.params, plain(p)[0]
    counted, expected, H = p.counted(), np.zeros(h.shape), h.shape[2]
    step = np.repeat(np.arange(T)[:, None], H, axis=1)
    for t, b, at in counted:
        y = W["W_hy"] @ p.read(h[:, b], t) + W["b_y"]
        if p.model.loss_name == "squared_error":
            delta_y = y - p.targets[at]
        else:
            delta_y = softmax(y) - np.eye(len(y))[p.targets[at]]
        expected[p.read(step, t), b, np.arange(H)] = W["W_hy"].T @ delta_y
    if p.model.reduction == "mean":
        expected /= len(counted)
    assert_close(dh, expected)
    # Sent back through the layer, they are the gradients of the loss.
    _, _, trace = p.model.layer.forward(x, p.state, p.lengths)
    grads = p.model.loss_and_gradients(**p.data, state=p.state).grads
    layer_grads = p.model.layer.backward(trace, dh)[2]
    assert_close(layer_grads, {name: grads[name] for name in layer_grads})


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        ("RNN", 5 * 3 + 5 * 5 + 5),
        ("LSTM", 4 * (5 * 3 + 5 * 5 + 5)),
        ("stack", 4 * (6 * 3 + 6 * 6 + 6) + 5 * 6 + 5 * 5 + 5),
    ],
)
def test_parameter_count_does_not_depend_on_the_length(rng, layer, count):
    model = make_model(3, 5, 2, rng, layer=layer)
    assert model.parameter_count == count + 2 * 5 + 2
    own = ["W_xh", "W_hh", "b_h"]
    if layer == "stack":
        own = [f"layer{n}.{name}" for n in (1, 2) for name in own]
    assert list(model.params) == [*own, "W_hy", "b_y"]


def test_the_model_shares_its_parts_parameters(rng):
    layer, readout = RNN(2, 3, rng=rng), Readout(3, 2, rng=rng)
    model = Model(layer, readout)
    model.load_params({n: np.ones(W.shape) for n, W in model.params.items()})
    assert_array_equal(layer.params["W_hh"], 1)
    assert_array_equal(readout.params["b_y"], 1)
    assert_allclose(model.predict(np.zeros((1, 1, 2))), 1 + 3 * np.tanh(1))


@pytest.mark.parametrize("layer", LAYERS)
def test_parameters_are_written_in_place_and_not_replaced(rng, layer):
    model = make_model(2, 3, 2, rng, layer=layer)
    for owner in (model, model.layer, model.readout):
        for name in owner.params:
            with pytest.raises(TypeError, match="does not support item assignment"):
                owner.params[name] = 0


# ---------------------------------------------------------------- generation


@pytest.fixture(params=CAUSAL)
def writer(rng, request):
    return make_model(4, 6, 4, rng, layer=request.param, scale=1.5)


@pytest.mark.parametrize("primed", [False, True])
def test_greedy_generation_equals_a_manual_loop(writer, rng, primed):
    x = np.eye(4)[rng.integers(4, size=(3, 2))]
    state = make_state(writer.layer, 2, rng) if primed else None
    made = writer.generate(x, 5, state=state)
    assert made.shape == (5, 2)
    for k in range(5):
        label = writer.predict(x, state=state)[-1].argmax(-1)
        assert_array_equal(made[k], label)
        x = np.concatenate([x, np.eye(4)[label][None]])


@pytest.mark.parametrize("layer", CAUSAL)
def test_generation_with_a_squared_error_feeds_values_back(rng, layer):
    model = make_model(3, 5, 3, rng, layer=layer, loss="squared_error")
    x, state = rng.normal(size=(2, 4, 3)), make_state(model.layer, 4, rng)
    made = model.generate(x, 3, state=state)
    assert made.shape == (3, 4, 3)
    for k in range(3):
        y = model.predict(x, state=state)[-1]
        assert_close(made[k], y)
        x = np.concatenate([x, y[None]])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_samples_are_spread_as_softmax_says(writer, rng, temperature):
    n = 20_000
    x = np.broadcast_to(np.eye(4)[0], (1, n, 4))
    p = softmax(writer.predict(x[:, :1])[0, 0] / temperature)
    labels = writer.generate(x, 1, rng=rng, temperature=temperature)[0]
    share = np.bincount(labels, minlength=4) / n
    # Five standard errors.
    assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n) + 1e-4).all()


def test_samples_are_fed_back(writer):
    x = np.eye(4)[[[0]]]
    made = writer.generate(x, 30, rng=np.random.default_rng(5))
    again, state = np.random.default_rng(5), None
    for label in made[:, 0]:
        h, state, _ = writer.layer.forward(x, state)
        p = softmax(writer.readout.forward(h[-1]))[0]
        assert label == np.searchsorted(p.cumsum(), again.random(), side="right")
        x = np.eye(4)[[[label]]]


@pytest.mark.parametrize("temperature", [1e-3, 1e-308])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_temperature_near_zero_is_greedy(rng, temperature, dtype):
    """Near the smallest number of float64, and below that of float32."""
    writer = make_model(4, 6, 4, rng, scale=1.5, dtype=dtype)
    x = np.eye(4)[rng.integers(4, size=(2, 50))]
    cold = writer.generate(x, 4, rng=rng, temperature=temperature)
    assert_array_equal(cold, writer.generate(x, 4))


def test_a_high_temperature_is_uniform(writer, rng):
    x = np.broadcast_to(np.eye(4)[0], (1, 8000, 4))
    hot = writer.generate(x, 1, rng=rng, temperature=1e9)
    assert_allclose(np.bincount(hot[0], minlength=4) / 8000, 0.25, atol=0.03)


def test_the_edges_of_the_random_numbers_give_labels_that_are_possible(rng):
    class Edge(np.random.Generator):
        def random(self, size):
            return np.full(size, self.value)

    model = make_model(3, 2, 3, rng)
    model.params["W_hy"][...] = 0
    model.params["b_y"][...] = [-1e4, 0, -1e4]  # only label 1 has a probability
    for value in (0.0, np.nextafter(1, 0)):
        edge = Edge(np.random.PCG64(0))
        edge.value = value
        assert model.generate(np.zeros((1, 2, 3)), 1, rng=edge).tolist() == [[1, 1]]


def test_the_last_label_takes_what_rounding_leaves(rng):
    """Cumulative sums may end a little below 1; no draw may fall off the end."""

    class Edge(np.random.Generator):
        def random(self, size):
            return np.full(size, np.nextafter(1, 0))

    for O in range(2, 40):
        model = make_model(O, 2, O, rng)
        made = model.generate(np.zeros((1, 20, O)), 1, rng=Edge(np.random.PCG64(0)))
        assert made.max() < O


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((5, 3, 9))}, ValueError, "x has shape"),
        ({"targets": np.zeros((4, 3), int)}, ValueError, "targets has shape"),
        ({"targets": [[0], [0, 1]]}, TypeError, "targets is not a regular array"),
        ({"state": np.ones((3, 9))}, ValueError, "state has shape"),
        ({"lengths": [1, 2, 6]}, ValueError, "lengths holds 6"),
        ({"mask": np.ones((5, 3))}, TypeError, "mask has dtype float64"),
        ({"mask": np.ones((1, 3), bool)}, ValueError, r"mask has shape \(1, 3\)"),
        ({"lengths": [1, 2, 3], "mask": np.ones((5, 3))}, TypeError, "mask has dtype float64"),
        ({"lengths": [1, 2, 3], "mask": np.ones((1, 3), bool)}, ValueError, "mask has shape"),
        ({"lengths": [1, 2, 3], "mask": np.arange(5)[:, None] > [3, 3, 3]}, ValueError, "mask co"),
    ],
)
def test_a_loss_says_what_is_wrong(rng, arguments, error, message):
    p = make_problem(rng)
    with pytest.raises(error, match=message):
        p.model.loss(**{**p.data, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((5, 3, 2))}, ValueError, r"x has shape \(5, 3, 2\), expected \(B, 2\)"),
        ({"x": np.ones((3, 2), complex)}, TypeError, "x has dtype complex128"),
        ({"targets": np.zeros((0, 3), int)}, ValueError, r"targets has shape .* T at least 1"),
        ({"targets": 3}, ValueError, r"targets has shape \(\)"),
        ({"targets": [[0], [0, 1]]}, TypeError, "targets is not a regular array"),
    ],
)
def test_a_one_to_many_loss_says_what_is_wrong(rng, arguments, error, message):
    p = make_problem(rng, arrangement="one-to-many")
    with pytest.raises(error, match=message):
        p.model.loss(**{**p.data, **arguments})


def test_predict_says_what_is_wrong(rng):
    with pytest.raises(ValueError, match="steps is missing"):
        make_model(2, 3, 2, rng, arrangement="one-to-many").predict(np.ones((1, 2)))
    with pytest.raises(ValueError, match="steps is 0, expected at least 1"):
        make_model(2, 3, 2, rng, arrangement="one-to-many").predict(np.ones((1, 2)), steps=0)
    with pytest.raises(ValueError, match="steps is 3, expected None for a many-to-one model"):
        make_model(2, 3, 2, rng, arrangement="many-to-one").predict(np.ones((1, 1, 2)), steps=3)
    with pytest.raises(ValueError, match="lengths holds 2"):
        make_model(2, 3, 2, rng, arrangement="many-to-one").predict(np.ones((1, 1, 2)), lengths=[2])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps is 0"),
        ({"steps": 1.5}, TypeError, "steps is 1.5, expected a whole number"),
        ({"temperature": 0}, ValueError, "temperature is 0, expected a finite number above 0"),
        ({"temperature": np.nan}, ValueError, "temperature is nan"),
        ({"temperature": "hot"}, TypeError, "temperature is 'hot'"),
        ({"rng": 3}, TypeError, "rng is 3, expected a generator"),
        ({"x": np.ones((1, 4))}, ValueError, "x has shape"),
    ],
)
def test_generate_says_what_is_wrong(writer, arguments, error, message):
    with pytest.raises(error, match=message):
        writer.generate(**{"x": np.ones((1, 1, 4)), "steps": 1, **arguments})


@pytest.mark.parametrize("options", [{"O": 3}, {"O": 2, "arrangement": "many-to-one"}])
def test_only_a_model_whose_outputs_fit_its_inputs_generates(rng, options):
    with pytest.raises(ValueError, match="must be many-to-many with equal sizes"):
        make_model(2, 3, rng=rng, **options).generate(np.ones((1, 1, 2)), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "loss is 'hinge', expected one of 'cross_entropy', 'squared_error'"),
        ({"arrangement": "many"}, "arrangement is 'many', expected one of"),
        ({"reduction": "none"}, "reduction is 'none'"),
    ],
)
def test_a_model_says_what_it_cannot_be_made_of(rng, options, message):
    with pytest.raises(ValueError, match=message):
        Model(RNN(2, 3, rng=rng), Readout(3, 2, rng=rng), **options)
    with pytest.raises(ValueError, match="readout has hidden_size 4, expected the layer's 3"):
        Model(RNN(2, 3, rng=rng), Readout(4, 2, rng=rng))
    with pytest.raises(TypeError, match="readout is None, expected a Readout"):
        Model(RNN(2, 3, rng=rng), None)
    with pytest.raises(ValueError, match="readout has dtype float32, expected float64"):
        Model(RNN(2, 3, rng=rng), Readout(3, 2, rng=rng, dtype=np.float32))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_computes_the_same_and_shares_nothing(rng, layer, copied):
    model, x = make_model(2, 3, 2, rng, layer=layer), rng.normal(size=(4, 2, 2))
    before = model.predict(x)
    twin = copied(model)
    assert_array_equal(twin.predict(x), before)
    for W in twin.params.values():
        W += 1
    assert_array_equal(model.predict(x), before)
    assert not np.allclose(twin.predict(x), before)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "stack"])
def test_a_run_can_go_on_from_the_state_of_another(rng, kind):
    layer = make_layer(kind, rng=rng)
    model = Model(layer, Readout(layer.hidden_size, 2, rng=rng))
    x = rng.normal(size=(6, 3, layer.input_size))
    whole, state_T = model.run(x)
    first, state = model.run(x[:2])
    rest, state_end = model.run(x[2:], state=state)
    assert_close(np.concatenate([first, rest]), whole)
    assert_close(whole, model.predict(x), 0)
    for one, other in zip(leaves(state_end), leaves(state_T), strict=True):
        assert_close(one, other)


def leaves(state):
    return [a for s in state for a in leaves(s)] if isinstance(state, tuple) else [state]


def test_the_signals_of_a_layer_are_copies(rng):
    p = make_problem(rng, arrangement="many-to-one")
    before = p.x.copy()
    x, _ = p.model.layer_signals(**p.data)
    x[:] = 0
    assert_close(p.x, before, 0)


def test_a_model_shows_its_parts_and_refuses_what_is_no_layer(rng):
    model = Model(RNN(2, 3, rng=rng), Readout(3, 4, rng=rng))
    assert repr(model) == (
        "Model(RNN(2, 3, dtype=float64), Readout(3, 4, dtype=float64), loss='cross_entropy', "
        "arrangement='many-to-many', reduction='mean')"
    )
    for value, shown in ((None, "None, without input_size"), (RNN, "<class .*>, a class")):
        with pytest.raises(TypeError, match=f"^layer is {shown}.* expected a layer such as RNN"):
            Model(value, Readout(3, 4, rng=rng))
