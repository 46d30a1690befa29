"""What the tests share: random problems, and two independent ways to their gradients.

`plain_loss` says what a model computes in plain loops, without the package. It takes complex
numbers, so that `complex_step` can differentiate it to full precision: for an analytic E,
∂E/∂w = Im E(w + iε) / ε with no difference of close numbers (Squire and Trapp, 1998).

A state has the structure of its layer: h of an RNN, (h, c) of an LSTM, a tuple of these of a
Stack. `named` gives its arrays by name: h, c; layer1.h, layer1.c, layer2.h.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from rnncourse import LSTM, RNN, Model, Readout, Stack
from rnncourse import equations as eq

LAYERS = ("RNN", "LSTM", "stack")
GATES = ("i", "f", "g", "o")  # as stacked in the rows of an LSTM's weights
ARRANGEMENTS = ("many-to-many", "many-to-one", "one-to-many")
LOSSES = ("squared_error", "cross_entropy")


def percent(share: int) -> settings:
    """Return settings with this share of the profile's examples, for slower tests."""
    return settings(max_examples=max(1, settings().max_examples * share // 100))


@dataclass
class Problem:
    """A model with data for it."""

    model: Model
    x: NDArray
    targets: NDArray
    state: Any
    lengths: NDArray | None
    mask: NDArray | None

    @property
    def data(self) -> dict[str, Any]:
        """All keyword arguments of `Model.loss` but the state."""
        return {"x": self.x, "targets": self.targets, "lengths": self.lengths, "mask": self.mask}

    @property
    def inputs(self) -> NDArray:
        """What enters at each step, (T, B, D)."""
        if self.model.arrangement != "one-to-many":
            return self.x
        spread = np.zeros((len(self.targets), *self.x.shape), self.x.dtype)
        spread[0] = self.x
        return spread

    def counted(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """(step, sequence, index of its target) of each prediction that counts."""
        T, B, _ = self.inputs.shape
        n = np.full(B, T) if self.lengths is None else self.lengths
        if self.model.arrangement == "many-to-one":
            every = [(n[b] - 1, b, (b,)) for b in range(B)]
        else:
            every = [(t, b, (t, b)) for b in range(B) for t in range(n[b])]
        return [c for c in every if self.mask is None or self.mask[c[2]]]


def make_layer(
    kind: str,
    D: int = 2,
    H: int = 4,
    *,
    rng: np.random.Generator,
    dtype: type = np.float64,
) -> Any:
    """Return a layer whose weights, biases too, are all drawn at random."""
    options: dict[str, Any] = {"rng": rng, "dtype": dtype}
    layer = {
        "RNN": lambda: RNN(D, H, **options),
        "LSTM": lambda: LSTM(D, H, **options),
        "stack": lambda: Stack(LSTM(D, H + 1, **options), RNN(H + 1, H, **options)),
        "LSTMs": lambda: Stack(LSTM(D, H, **options), LSTM(H, H, **options)),
    }[kind]()
    layer.load_params({n: rng.normal(size=W.shape) for n, W in layer.params.items()})
    return layer


def make_state(layer: Any, B: int, rng: np.random.Generator) -> Any:
    """Draw a state, or a gradient for it, for a batch of B."""
    if isinstance(layer, Stack):
        return tuple(make_state(own, B, rng) for own in layer.layers)
    h, c = rng.normal(size=(2, B, layer.hidden_size)).astype(layer.dtype)
    return (h, c) if isinstance(layer, LSTM) else h


def mapped(f: Callable[[NDArray], Any], state: Any) -> Any:
    """Return a state with `f` applied to each of its arrays."""
    return tuple(mapped(f, s) for s in state) if isinstance(state, tuple) else f(state)


def owners(layer: Any) -> list[tuple[str, Any]]:
    """Return each RNN or LSTM of a layer, from the bottom up, with the prefix of its names."""
    if isinstance(layer, Stack):
        return [(f"layer{n}.", own) for n, own in enumerate(layer.layers, 1)]
    return [("", layer)]


def named(layer: Any, state: Any) -> dict[str, NDArray]:
    """Return the arrays of a state, or of a gradient for it, by name."""
    each = state if isinstance(layer, Stack) else (state,)
    return {
        prefix + name: array
        for (prefix, _), own in zip(owners(layer), each, strict=True)
        for name, array in zip("hc", own if isinstance(own, tuple) else (own,), strict=False)
    }


def part(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the entries whose names begin with `prefix`, without it."""
    return {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}


def make_model(
    D: int,
    H: int,
    O: int,
    rng: np.random.Generator,
    *,
    layer: str = "RNN",
    scale: float = 1.0,
    dtype: type = np.float64,
    **options: str,
) -> Model:
    """Return a model whose weights, biases too, are all drawn at random."""
    recurrent = make_layer(layer, D, H, rng=rng, dtype=dtype)
    model = Model(recurrent, Readout(H, O, rng=rng, dtype=dtype), **options)
    model.load_params({n: scale * rng.normal(size=W.shape) for n, W in model.params.items()})
    return model


def make_problem(
    rng: np.random.Generator,
    *,
    T: int = 5,
    B: int = 3,
    D: int = 2,
    H: int = 4,
    O: int = 3,
    layer: str = "RNN",
    ragged: bool = False,
    masked: bool = False,
    loss: str = "cross_entropy",
    arrangement: str = "many-to-many",
    reduction: str = "mean",
    dtype: type = np.float64,
) -> Problem:
    options = {"loss": loss, "arrangement": arrangement, "reduction": reduction}
    model = make_model(D, H, O, rng, layer=layer, dtype=dtype, **options)
    each = (B,) if arrangement == "many-to-one" else (T, B)
    x = rng.normal(size=(B, D) if arrangement == "one-to-many" else (T, B, D))
    targets = rng.normal(size=(*each, O))
    if loss == "cross_entropy":
        targets = rng.integers(O, size=each)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    mask = None
    if masked:
        mask = rng.random(each) < 0.6
        mask[0] = True  # something counts, whatever the lengths
    state = make_state(model.layer, B, rng)
    return Problem(model, x.astype(dtype), targets, state, lengths, mask)


@st.composite
def problems(draw: st.DrawFn, **fixed: Any) -> Problem:
    """Draw models and data of every kind and of sizes from 1."""
    choices: dict[str, st.SearchStrategy] = {
        "T": st.integers(1, 5),
        "B": st.integers(1, 3),
        "D": st.integers(1, 3),
        "H": st.integers(1, 4),
        "O": st.integers(1, 3),
        "layer": st.sampled_from(LAYERS),
        "ragged": st.booleans(),
        "masked": st.booleans(),
        "loss": st.sampled_from(LOSSES),
        "arrangement": st.sampled_from(ARRANGEMENTS),
        "reduction": st.sampled_from(("mean", "sum")),
    }
    drawn = {n: draw(s) for n, s in choices.items() if n not in fixed}
    return make_problem(np.random.default_rng(draw(st.integers(0, 2**20))), **drawn, **fixed)


# ---------------------------------------------------------------- the network in plain loops


def plain_states(params: Mapping[str, NDArray], x: NDArray, state: NDArray) -> NDArray:
    """Return h_0 … h_T of an RNN, (T + 1, B, H); real or complex."""
    h = [state]
    for x_t in x:
        a = h[-1] @ params["W_hh"].T + x_t @ params["W_xh"].T + params["b_h"]
        h.append(np.tanh(a))
    return np.array(h)


def plain_lstm(
    params: Mapping[str, NDArray], x: NDArray, h_0: NDArray, c_0: NDArray
) -> dict[str, NDArray]:
    """Return h_0 … h_T and c_0 … c_T of an LSTM, (T + 1, B, H), and its gates, (T, B, H)."""
    run: dict[str, list[NDArray]] = {"h": [h_0], "c": [c_0], "i": [], "f": [], "g": [], "o": []}
    for x_t in x:
        a = run["h"][-1] @ params["W_hh"].T + x_t @ params["W_xh"].T + params["b_h"]
        for q, a_q in zip(GATES, np.split(a, 4, axis=-1), strict=True):
            run[q].append(np.tanh(a_q) if q == "g" else 1 / (1 + np.exp(-a_q)))
        run["c"].append(run["f"][-1] * run["c"][-1] + run["i"][-1] * run["g"][-1])
        run["h"].append(run["o"][-1] * np.tanh(run["c"][-1]))
    return {name: np.array(steps) for name, steps in run.items()}


def plain_run(
    layer: Any, values: Mapping[str, NDArray], x: NDArray
) -> tuple[NDArray, dict[str, NDArray]]:
    """Return the last layer's h_1 … h_T, and every state from step 0 to T by name.

    `values` has the parameters and the initial state of the layer by name; real or complex.
    """
    h, run = x, {}
    for prefix, own in owners(layer):
        v = part(values, prefix)
        if isinstance(own, LSTM):
            states = plain_lstm(v, h, v["h"], v["c"])
            run[f"{prefix}c"] = states["c"]
        else:
            states = {"h": plain_states(v, h, v["h"])}
        run[f"{prefix}h"] = states["h"]
        h = states["h"][1:]
    return h, run


def plain_loss(p: Problem, values: Mapping[str, NDArray]) -> Any:
    """Return the loss of `p.model`; real or complex.

    `values` has every parameter, the initial state and the inputs "x" (T, B, D) by name.
    """
    h, _ = plain_run(p.model.layer, values, values["x"])
    counted, E = p.counted(), 0
    for t, b, at in counted:
        y = values["W_hy"] @ h[t, b] + values["b_y"]
        if p.model.loss_name == "squared_error":
            E += sum((y - p.targets[at]) ** 2) / 2
        else:
            E += np.log(sum(np.exp(y))) - y[p.targets[at]]
    return E / len(counted) if p.model.reduction == "mean" else E


def complex_step(f: Callable[[NDArray], Any], w: NDArray) -> NDArray:
    """Return ∂f/∂w for a real analytic f, at w of any shape; the shape is (*w.shape, *f.shape)."""
    epsilon = 1e-30
    columns = []
    for index in np.ndindex(w.shape):
        moved = w.astype(complex)
        moved[index] += 1j * epsilon
        columns.append(np.imag(f(moved)) / epsilon)
    return np.array(columns).reshape(*w.shape, *np.shape(columns[0]))


def complex_steps(
    f: Callable[[Mapping[str, NDArray]], Any], values: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """Return ∂f/∂w for every array w of `values`, the others held fixed."""
    return {
        name: complex_step(lambda w, name=name: f({**values, name: w}), value)
        for name, value in values.items()
    }


def measured_gradients(p: Problem) -> dict[str, NDArray]:
    """Return the gradient of the loss for every parameter, "x" and the state by complex steps."""
    everything = {**p.model.params, "x": p.inputs, **named(p.model.layer, p.state)}
    return complex_steps(lambda values: plain_loss(p, values), everything)


# ---------------------------------------------------------------- the same out of equations.py


def composed_rnn(
    W: Mapping[str, NDArray], x: NDArray, start: Mapping[str, NDArray]
) -> tuple[list[NDArray], Callable[..., Iterator[tuple[str, Any, NDArray]]]]:
    """Run an RNN over one sequence (T, D); return h_0 … h_T and its way back."""
    h = [start["h"]]
    for x_t in x:
        h.append(eq.hidden_state(x_t, h[-1], W["W_xh"], W["W_hh"], W["b_h"]))

    def back(above: list[NDArray], W_above: NDArray) -> Iterator[tuple[str, Any, NDArray]]:
        delta_a = np.zeros_like(h[0])
        for t in reversed(range(len(x))):
            delta_h = eq.delta_h(above[t], delta_a, W_above, W["W_hh"])
            delta_a = eq.delta_a(delta_h, h[t + 1])
            yield "W_hh", ..., eq.grad_W_hh(delta_a, h[t])
            yield "W_xh", ..., eq.grad_W_xh(delta_a, x[t])
            yield "b_h", ..., eq.grad_b_h(delta_a)
            yield "x", t, eq.grad_x(delta_a, W["W_xh"])
        yield "h", ..., eq.grad_h0(delta_a, W["W_hh"])

    return h, back


def composed_lstm(
    W: Mapping[str, NDArray], x: NDArray, start: Mapping[str, NDArray]
) -> tuple[list[NDArray], Callable[..., Iterator[tuple[str, Any, NDArray]]]]:
    """Run an LSTM over one sequence (T, D); return h_0 … h_T and its way back."""
    H = len(start["h"])
    rows = {q: slice(k * H, (k + 1) * H) for k, q in enumerate(GATES)}
    W_xh, W_hh = ({q: W[name][rows[q]] for q in GATES} for name in ("W_xh", "W_hh"))
    h, c = [start["h"]], [start["c"]]
    gates: dict[str, list[NDArray]] = {q: [] for q in GATES}
    functions = {"f": eq.forget_gate, "i": eq.input_gate, "o": eq.output_gate, "g": eq.candidate}
    for x_t in x:
        for q, gate in functions.items():
            gates[q].append(gate(x_t, h[-1], W_xh[q], W_hh[q], W["b_h"][rows[q]]))
        i, f, g, o = (gates[q][-1] for q in GATES)
        c.append(eq.cell_state(f, c[-1], i, g))
        h.append(eq.lstm_hidden(o, c[-1]))

    def back(
        above: list[NDArray], W_above: NDArray, dc_T: NDArray | None = None
    ) -> Iterator[tuple[str, Any, NDArray]]:
        delta_a = {q: np.zeros(H) for q in GATES}
        f_next, delta_c = np.ones(H), np.zeros(H) if dc_T is None else dc_T
        for t in reversed(range(len(x))):
            i, f, g, o = (gates[q][t] for q in GATES)
            delta_h = eq.lstm_delta_h(above[t], delta_a, W_above, W_hh)
            delta_c = eq.delta_c(delta_h, o, c[t + 1], f_next, delta_c)
            f_next = f
            delta_a = {
                "f": eq.delta_a_f(delta_c, c[t], f),
                "i": eq.delta_a_i(delta_c, g, i),
                "o": eq.delta_a_o(delta_h, c[t + 1], o),
                "g": eq.delta_a_g(delta_c, i, g),
            }
            for q in GATES:
                yield "W_hh", rows[q], eq.grad_W_hh(delta_a[q], h[t])
                yield "W_xh", rows[q], eq.grad_W_xh(delta_a[q], x[t])
                yield "b_h", rows[q], eq.grad_b_h(delta_a[q])
            yield "x", t, eq.lstm_grad_x(delta_a, W_xh)
        yield "h", ..., eq.lstm_grad_h0(delta_a, W_hh)
        yield "c", ..., eq.lstm_grad_c0(f_next, delta_c)

    return h, back


def composed_gradients(p: Problem) -> tuple[float, dict[str, NDArray]]:
    """Return the loss and all its gradients from `rnncourse.equations`, one step at a time."""
    layer, W = p.model.layer, p.model.params
    counted = p.counted()
    error, delta_error = {
        "squared_error": (eq.squared_error, eq.delta_y_squared_error),
        "cross_entropy": (eq.cross_entropy, eq.delta_y_cross_entropy),
    }[p.model.loss_name]
    weight = 1 / len(counted) if p.model.reduction == "mean" else 1.0
    E, start = 0.0, named(layer, p.state)
    grads = {name: np.zeros(a.shape) for name, a in {**W, "x": p.inputs, **start}.items()}
    for b in range(p.inputs.shape[1]):
        h, ways_back = list(p.inputs[:, b]), []
        for prefix, own in owners(layer):
            compose = composed_lstm if isinstance(own, LSTM) else composed_rnn
            h_0 = {name: a[b] for name, a in part(start, prefix).items()}
            h, back = compose(part(W, prefix), np.array(h), h_0)
            h = h[1:]
            ways_back.append((prefix, back))
        above = [np.zeros_like(W["b_y"]) for _ in h]
        for t, sequence, at in counted:
            if sequence == b:
                y = eq.output(h[t], W["W_hy"], W["b_y"])
                E += weight * error(y, p.targets[at])
                above[t] = weight * delta_error(y, p.targets[at])
                grads["W_hy"] += eq.grad_W_hy(above[t], h[t])
                grads["b_y"] += eq.grad_b_y(above[t])
        W_above = W["W_hy"]
        for prefix, back in reversed(ways_back):
            below = [np.zeros(0)] * len(h)
            for name, at, term in back(above, W_above):
                if name == "x":
                    below[at] = term
                elif name in ("h", "c"):
                    grads[prefix + name][b] = term
                else:
                    grads[prefix + name][at] += term
            # What reaches the inputs of a layer reaches the states of the layer below.
            above, W_above = below, np.eye(len(below[0]))
        grads["x"][:, b] = above
    return E, grads


def assert_close(given: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Assert that arrays, or mappings or tuples of them, agree.

    The tolerance is relative to the largest entry or 1; at 0 every number must be the same.
    """
    if isinstance(expected, Mapping):
        assert set(given) == set(expected)
        for name in expected:
            assert_close(given[name], expected[name], tolerance)
        return
    if isinstance(expected, tuple):
        assert isinstance(given, tuple)
        for one, other in zip(given, expected, strict=True):
            assert_close(one, other, tolerance)
        return
    given, expected = np.asarray(given), np.asarray(expected)
    assert given.shape == expected.shape
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    assert_allclose(given, expected, rtol=0, atol=tolerance * size)
