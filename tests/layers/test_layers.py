"""What every recurrent layer promises: RNN, LSTM, both GRUs, and what is made of them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from helpers import (
    CAUSAL,
    LAYERS,
    assert_close,
    complex_steps,
    make_layer,
    make_state,
    mapped,
    named,
    percent,
    plain_run,
    traces,
    use_as_matmul,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from rnncourse import NotFiniteError, check_gradients

each_layer = pytest.mark.parametrize("kind", LAYERS)
each_causal_layer = pytest.mark.parametrize("kind", CAUSAL)
each_packed_layer = pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "GRU-before"])


@dataclass
class Run:
    """A layer with inputs, state, lengths (or None), and gradients from outside."""

    layer: Any
    x: NDArray
    state: Any
    lengths: NDArray | None
    dh: NDArray
    dstate_T: Any

    @property
    def ends(self):
        T, B, _ = self.x.shape
        return np.full(B, T) if self.lengths is None else self.lengths

    @property
    def values(self):
        """Everything that E depends on, by name."""
        return {**self.layer.params, "x": self.x, **named(self.layer, self.state)}

    def forward(self):
        return self.layer.forward(self.x, self.state, self.lengths)

    def backward(self, trace):
        """The gradients that `backward` returns, by name."""
        dx, dstate_0, grads = self.layer.backward(trace, self.dh, self.dstate_T)
        return {**grads, "x": dx, **named(self.layer, dstate_0)}

    def gradients(self):
        return self.backward(self.forward()[2])

    def E(self, values):
        """Σ h ⊙ dh + Σ state_T ⊙ dstate_T up to the sequences' ends, in plain loops.

        Its gradients are known at the layer's border, so they are what `backward` must return.
        """
        h, states = plain_run(self.layer, values, values["x"], self.lengths)
        T, B, _ = h.shape
        inside = (np.arange(T)[:, None] < self.ends)[:, :, None]
        outer = named(self.layer, self.dstate_T)
        at_end = sum((s[self.ends, np.arange(B)] * outer[n]).sum() for n, s in states.items())
        return (h * self.dh * inside).sum() + at_end


def make_run(kind, T=4, B=3, D=2, H=4, ragged=False, seed=0):
    rng = np.random.default_rng(seed)
    layer = make_layer(kind, D, H, rng=rng)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    x, dh = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, layer.hidden_size))
    return Run(layer, x, make_state(layer, B, rng), lengths, dh, make_state(layer, B, rng))


def runs(**fixed):
    """Functions that make a run from the kind of its layer; sizes from 1."""
    sizes = {
        "T": st.integers(1, 5),
        "B": st.integers(1, 3),
        "D": st.integers(1, 3),
        "H": st.integers(1, 4),
        "ragged": st.booleans(),
        "seed": st.integers(0, 2**20),
    }
    sizes |= {name: st.just(value) for name, value in fixed.items()}
    return st.builds(partial, st.just(make_run), **sizes)


# ---------------------------------------------------------------- values and gradients


@each_layer
@given(run=runs())
def test_forward_follows_the_equations_to_the_end_of_each_sequence(kind, run):
    r = run(kind)
    T, B, _ = r.x.shape
    h, state_T, _ = r.forward()
    expected, states = plain_run(r.layer, r.values, r.x, r.lengths)
    past = np.arange(T)[:, None] >= r.ends
    assert_close(h, np.where(past[..., None], 0, expected))
    assert_array_equal(h[past], 0)
    state_T = named(r.layer, state_T)
    assert_close(state_T, {n: s[r.ends, np.arange(B)] for n, s in states.items()})


@each_layer
@percent(50)
@given(run=runs())
def test_backward_agrees_with_complex_steps(kind, run):
    r = run(kind)
    assert_close(r.gradients(), complex_steps(r.E, r.values))


@each_layer
@percent(25)
@given(run=runs())
def test_backward_agrees_with_finite_differences(kind, run):
    r = run(kind)
    outer = named(r.layer, r.dstate_T)

    def E():
        h, state_T, _ = r.forward()
        return (h * r.dh).sum() + sum(
            (s * outer[n]).sum() for n, s in named(r.layer, state_T).items()
        )

    report = check_gradients(E, r.values, r.gradients())
    assert report.ok(1e-7), report


@each_layer
def test_without_a_state_the_layer_starts_at_zero(kind):
    r = make_run(kind)
    zeros = mapped(np.zeros_like, r.state)
    h, state_T, trace = r.layer.forward(r.x)
    assert_close((h, state_T), r.layer.forward(r.x, zeros)[:2], 0)
    # Nothing reaches the final state from outside unless it is said.
    assert_close(r.layer.backward(trace, r.dh), r.layer.backward(trace, r.dh, zeros), 0)


# ---------------------------------------------------------------- what never changes the result


@each_layer
@percent(50)
@given(run=runs(), filler=st.sampled_from([np.nan, np.inf, 1e300, 7.0]))
def test_what_lies_past_the_end_of_a_sequence_does_not_matter(kind, run, filler):
    r = run(kind)
    r.lengths = np.arange(r.x.shape[1]) % len(r.x) + 1
    h, state_T, trace = r.forward()
    gradients = r.backward(trace)
    past = np.arange(len(r.x))[:, None] >= r.lengths
    r.x[past], r.dh[past] = filler, filler
    h_2, state_2, trace_2 = r.forward()
    assert_close((h, state_T), (h_2, state_2), 0)
    assert_close(gradients, r.backward(trace_2), 0)
    assert_array_equal(gradients["x"][past], 0)


@each_layer
@percent(50)
@given(run=runs())
def test_a_batch_equals_its_sequences_one_by_one(kind, run):
    r = run(kind)
    h, state_T, trace = r.forward()
    dx, dstate_0, grads = r.layer.backward(trace, r.dh, r.dstate_T)
    total = dict.fromkeys(grads, 0)
    for b, n in enumerate(r.ends):
        one = slice(b, b + 1)

        def only(state, one=one):
            return mapped(lambda s: s[one], state)

        h_b, state_b, trace_b = r.layer.forward(r.x[:n, one], only(r.state))
        back_b = r.layer.backward(trace_b, r.dh[:n, one], only(r.dstate_T))
        assert_close((h[:n, one], only(state_T)), (h_b, state_b))
        assert_close((dx[:n, one], only(dstate_0)), back_b[:2])
        total = {name: total[name] + back_b[2][name] for name in grads}
    assert_close(grads, total)


@each_causal_layer
@percent(50)
@given(run=runs(ragged=False), cut=st.integers(1, 4))
def test_two_chunks_equal_one_pass_forward_and_backward(kind, run, cut):
    r = run(kind)
    if cut >= len(r.x):
        return
    h, state_T, trace = r.forward()
    dx, dstate_0, grads = r.layer.backward(trace, r.dh, r.dstate_T)
    h_1, carried, trace_1 = r.layer.forward(r.x[:cut], r.state)
    h_2, state_2, trace_2 = r.layer.forward(r.x[cut:], carried)
    dx_2, dcarried, grads_2 = r.layer.backward(trace_2, r.dh[cut:], r.dstate_T)
    dx_1, dstate_1, grads_1 = r.layer.backward(trace_1, r.dh[:cut], dcarried)
    assert_close((h, state_T), (np.concatenate([h_1, h_2]), state_2))
    assert_close((dx, dstate_0), (np.concatenate([dx_1, dx_2]), dstate_1))
    assert_close(grads, {n: grads_1[n] + grads_2[n] for n in grads})


@each_causal_layer
@percent(30)
@given(run=runs(), t=st.integers(1, 4))
def test_states_do_not_depend_on_later_inputs(kind, run, t):
    r = run(kind)
    changed = r.x.copy()
    changed[t:] += 1
    assert_array_equal(
        r.layer.forward(r.x, r.state)[0][:t], r.layer.forward(changed, r.state)[0][:t]
    )


# ---------------------------------------------------------------- precision and ownership


@each_layer
@pytest.mark.parametrize("lengths", [None, [6, 1, 4]])
def test_float32_stays_float32_and_close_to_float64(kind, lengths):
    r, results = make_run(kind, T=6), []
    single = make_layer(kind, rng=np.random.default_rng(0), dtype=np.float32)
    single.load_params(r.layer.params)
    r.lengths, double = lengths, r.layer
    for r.layer in (single, double):
        h, state_T, trace = r.forward()
        gradients = {f"d{name}": g for name, g in r.backward(trace).items()}
        results.append({"out": h, **named(r.layer, state_T), **gradients})
    assert {a.dtype for a in results[0].values()} == {np.dtype(np.float32)}
    assert_close(results[0], results[1], 2e-5)


@each_layer
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (1, 1, 2, 4), (1, 3, 2, 1), (4, 1, 1, 1), (5, 3, 2, 4)]
)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_trace_owns_its_numbers(kind, shape, ragged):
    """Nothing done after `forward` changes what `backward` returns."""
    T, B, D, H = shape
    r = make_run(kind, T, B, D, H)
    if ragged:
        r.lengths = np.full(B, T)
    h, state_T, trace = r.forward()
    outer = mapped(np.copy, (r.dh, r.dstate_T))
    gradients = r.backward(trace)
    assert_close((r.dh, r.dstate_T), outer, 0)
    before = {name: g.copy() for name, g in gradients.items()}
    theirs = (r.x, h, *named(r.layer, r.state).values(), *named(r.layer, state_T).values())
    for array in (*theirs, *gradients.values()):
        array[...] = 99
    if ragged:
        r.lengths[...] = 1
    for W in r.layer.params.values():
        W += 1
    r.layer.forward(np.ones((T, B, D)))
    assert_close(r.backward(trace), before, 0)


@each_layer
def test_returned_arrays_do_not_overlap(kind):
    """Writing into one of them leaves the others as they are."""
    for T in (1, 4):
        r = make_run(kind, T)
        h, state_T, trace = r.forward()
        returned = [h, *named(r.layer, state_T).values(), *r.backward(trace).values()]
        given_ = [r.x, r.dh, *named(r.layer, r.state).values(), *r.layer.params.values()]
        for i, one in enumerate(returned):
            for other in [*returned[:i], *given_]:
                assert not np.shares_memory(one, other)


@each_layer
@pytest.mark.parametrize("ragged", [False, True])
def test_no_number_is_used_before_it_is_written(kind, ragged, monkeypatch):
    """Fresh memory holds anything: here NaN."""
    r = make_run(kind, ragged=ragged)
    h, state_T, trace = r.forward()
    gradients = r.backward(trace)
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))
    monkeypatch.setattr(np, "empty_like", lambda array: np.full_like(array, np.nan))
    h_2, state_2, trace = r.forward()
    assert_close((h, state_T), (h_2, state_2), 0)
    assert_close(gradients, r.backward(trace), 0)
    for own in traces(trace):
        assert np.isfinite(own.columns).all()


@each_layer
def test_parameters_are_written_in_place_and_cannot_be_swapped(kind):
    r = make_run(kind)
    for name, W in r.layer.params.items():
        before = r.forward()[0]
        W += 0.5
        assert not np.allclose(r.forward()[0], before)
        with pytest.raises(TypeError, match="does not support item assignment"):
            r.layer.params[name] = W


# ---------------------------------------------------------------- bad input

X = np.ones((3, 2, 2))


def holding(array, value):
    array = array.copy()
    array.flat[-1] = value
    return array


@each_layer
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((3, 2))}, ValueError, r"x has shape \(3, 2\), expected \(T, B, 2\)"),
        ({"x": np.ones((3, 2, 5))}, ValueError, r"x has shape \(3, 2, 5\), expected \(T, B, 2\)"),
        ({"x": np.ones((0, 2, 2))}, ValueError, r"x has shape \(0, 2, 2\).* T at least 1"),
        ({"x": np.ones((3, 0, 2))}, ValueError, r"x has shape \(3, 0, 2\).* B at least 1"),
        ({"x": np.ones((0, 2, 2)), "lengths": [1, 1]}, ValueError, "x has shape .* T at least 1"),
        ({"x": np.ones((3, 0, 2)), "lengths": []}, ValueError, "x has shape .* B at least 1"),
        ({"x": X * 1j}, TypeError, "x has dtype complex128, expected real numbers"),
        ({"x": X * 1j, "lengths": [1, 3]}, TypeError, "x has dtype complex128"),
        ({"x": X > 0}, TypeError, "x has dtype bool, expected real numbers"),
        ({"x": X > 0, "lengths": [1, 3]}, TypeError, "x has dtype bool"),
        ({"x": X.astype(str)}, TypeError, "x has dtype <U"),
        ({"x": X.astype(object)}, TypeError, "x has dtype object"),
        ({"x": None}, TypeError, "x has dtype object"),
        ({"x": [[[1, 2]], [[1]]]}, TypeError, "x is not a regular array"),
        ({"x": [[[1, 2]], [[1]]], "lengths": [2]}, TypeError, "x is not a regular array"),
        ({"x": holding(X, np.nan)}, ValueError, r"x contains NaN .* 1 of 12 .* \(2, 1, 1\)"),
        ({"x": holding(X, -np.inf)}, ValueError, "x contains NaN or infinity: 1 of 12"),
        ({"x": holding(X, np.nan), "lengths": [1, 3]}, ValueError, "x contains NaN or infinity"),
        ({"lengths": [4, 1]}, ValueError, "lengths holds 4 at index .* from 1 to 3"),
        ({"lengths": [1, 0]}, ValueError, r"lengths holds 0 at index \(1,\), expected .* 1 to 3"),
        ({"lengths": [-1, 1]}, ValueError, "lengths holds -1"),
        ({"lengths": [1, 2, 3]}, ValueError, r"lengths has shape \(3,\), expected \(2,\)"),
        ({"lengths": 2}, ValueError, r"lengths has shape \(\)"),
        ({"lengths": [1.0, 2.0]}, TypeError, "lengths has dtype float64, expected whole numbers"),
        ({"lengths": [True, True]}, TypeError, "lengths has dtype bool"),
    ],
)
def test_forward_says_what_is_wrong(kind, rng, arguments, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make_layer(kind, rng=rng).forward(**{"x": X, **arguments})


@each_layer
@pytest.mark.parametrize("lengths", [None, [3, 1]])
@pytest.mark.parametrize(
    ("dh", "error", "message"),
    [
        (np.ones((3, 2, 3)), ValueError, r"dh has shape \(3, 2, 3\), expected \(3, 2, 4\)"),
        (np.ones((1, 2, 4)), ValueError, "dh has shape"),
        (np.ones((3, 2, 4), bool), TypeError, "dh has dtype bool"),
        (np.ones((3, 2, 4), complex), TypeError, "dh has dtype complex128"),
        ([[1], [1, 2]], TypeError, "dh is not a regular array"),
        (np.full((3, 2, 4), np.nan), ValueError, "dh contains NaN"),
    ],
)
def test_backward_says_what_is_wrong(kind, rng, lengths, dh, error, message):
    layer = make_layer(kind, rng=rng)
    _, _, trace = layer.forward(X, lengths=lengths)
    with pytest.raises(error, match=f"^{message}"):
        layer.backward(trace, dh)


@each_layer
def test_values_too_large_for_the_dtype_are_infinite(kind, rng):
    with pytest.raises(ValueError, match="x contains NaN or infinity"):
        make_layer(kind, rng=rng, dtype=np.float32).forward(1e300 * X)


@each_layer
def test_weights_that_are_not_finite_are_found(kind, rng):
    for name in make_layer(kind, rng=rng).params:
        layer = make_layer(kind, rng=rng)
        layer.params[name].flat[0] = np.nan
        own = "b_hh_n" if name.endswith("b_hh_n") else "the layer's packed weights .*"
        for call in (layer.forward, layer.run):
            with pytest.raises(NotFiniteError, match=rf"^{own} contains NaN or inf.*: 1 of \d+"):
                call(X)


@each_layer
def test_parameters_are_loaded_all_or_none(kind, rng):
    layer = make_layer(kind, rng=rng)
    before = {n: W.copy() for n, W in layer.params.items()}
    changed = {n: W + 1 for n, W in before.items()}
    for name, W in before.items():
        shape = str(W.shape).replace("(", r"\(").replace(")", r"\)")
        for value, message in (
            (W[:-1], rf"{name} has shape \(.*\), expected {shape}"),
            (W * np.nan, f"{name} contains NaN"),
        ):
            with pytest.raises(ValueError, match=message):
                layer.load_params({**changed, name: value})
    with pytest.raises(ValueError, match=r"parameters given are .* expected"):
        layer.load_params({**changed, "b_y": np.ones(4)})
    assert_close(dict(layer.params), before, 0)
    layer.load_params(changed)
    assert_close(dict(layer.params), changed, 0)


@each_packed_layer
def test_a_trace_of_another_kind_or_dtype_is_refused(rng, kind):
    layer, module = make_layer(kind, rng=rng), kind.removesuffix("-before").lower()
    x = np.ones((3, 2, layer.input_size))
    h, _, trace = layer.forward(x)
    for other in {"RNN", "LSTM", "GRU"} - {module.upper()}:
        message = rf"^trace is a rnncourse\.layers\.{module}\.Trace(Before)?, expected the "
        with pytest.raises(TypeError, match=message):
            make_layer(other, rng=rng).backward(trace, h)
    with pytest.raises(TypeError, match=r"^trace is a numpy\.ndarray, expected the "):
        layer.backward(h, trace)
    narrow = make_layer(kind, layer.input_size, layer.hidden_size, rng=rng, dtype=np.float32)
    with pytest.raises(ValueError, match=r"dtype float64, expected .* float32$"):
        narrow.backward(trace, h)


@each_packed_layer
def test_a_state_that_overflows_is_reported_and_does_not_warn(rng, monkeypatch, kind):
    """Whether ∞ − ∞ arises in a product of huge numbers depends on the processor's order of sums:
    here it arises at step 2 for sequence 3, whatever the processor.
    """
    layer, matmul, calls = make_layer(kind, rng=rng), np.matmul, []
    each_step = 2 if kind == "GRU-before" else 1

    def product(a, b, out):
        matmul(a, b, out=out)
        if out.ndim == 2:  # and not for all steps at once
            calls.append(out)
        if len(calls) == each_step + 1:
            out[:, 2] = np.inf
            out[:, 2] -= np.inf

    use_as_matmul(monkeypatch, product)
    expected = (
        r"^h \(inputs or weights are too large\) contains NaN .* the first at index \(1, 2, 0\)"
    )
    for call in (layer.forward, layer.run):
        calls.clear()
        with pytest.raises(NotFiniteError, match=expected):
            call(np.ones((3, 4, layer.input_size)))


@each_packed_layer
def test_a_trace_shows_the_hidden_states(rng, kind):
    layer = make_layer(kind, rng=rng)
    h, _, trace = layer.forward(np.ones((3, 2, layer.input_size)), lengths=[3, 1])
    assert_close(trace.h, h, 0)
    with pytest.raises(ValueError, match="read-only"):
        trace.h[0] = 1
