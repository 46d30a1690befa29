"""What the tests share: random problems, and two independent ways to their gradients.

`plain_loss` says what a model computes in plain loops, without the package. It takes complex
numbers, so that `complex_step` can differentiate it to full precision: for an analytic E,
∂E/∂w = Im E(w + iε) / ε with no difference of close numbers (Squire and Trapp, 1998).

A state has the structure of its layer: h of an RNN or GRU, (h, c) of an LSTM, () of an Embedding,
a tuple of these of a Stack, and a pair of a Bidirectional. `named` gives its arrays by name: h, c;
layer1.h, layer1.c, layer2.h; forward.h, reverse.h.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from rnncourse import GRU, LSTM, RNN, Bidirectional, Embedding, Model, Readout, Stack
from rnncourse import equations as eq
from rnncourse.layers import gru, lstm
from rnncourse.layers.packed import PackedTrace

CAUSAL = ("RNN", "LSTM", "GRU", "GRU-before", "stack")
LAYERS = (*CAUSAL, "bidirectional", "mixed")
GATES = ("i", "f", "g", "o")  # as stacked in the rows of an LSTM's weights
GRU_GATES = ("r", "z", "n")  # and of a GRU's
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
        """What enters at each step, (T, B, D), or labels (T, B)."""
        if self.model.arrangement != "one-to-many":
            return self.x
        spread = np.zeros((len(self.targets), *self.x.shape), self.x.dtype)
        spread[0] = self.x
        return spread

    def counted(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """(step, sequence, index of its target) of each prediction that counts."""
        T, B = self.inputs.shape[:2]
        n = np.full(B, T) if self.lengths is None else self.lengths
        if self.model.arrangement == "many-to-one":
            every = [(n[b] - 1, b, (b,)) for b in range(B)]
        else:
            every = [(t, b, (t, b)) for b in range(B) for t in range(n[b])]
        return [c for c in every if self.mask is None or self.mask[c[2]]]

    @property
    def reads_both_ends(self) -> bool:
        """True if the readout reads the last state of each direction, and thus of two steps."""
        return self.model.arrangement == "many-to-one" and units_from_the_end(self.model.layer) > 0

    def read(self, h: NDArray, t: int) -> NDArray:
        """Return what the readout reads of h (T, H), for a prediction of step t."""
        if not self.reads_both_ends:
            return h[t]
        forward = h.shape[1] - units_from_the_end(self.model.layer)
        return np.concatenate([h[t, :forward], h[0, forward:]])


def make_layer(
    kind: str,
    D: int = 2,
    H: int = 4,
    *,
    rng: np.random.Generator,
    dtype: type = np.float64,
) -> Any:
    """Return a layer whose weights, biases too, are all drawn at random.

    Of a layer that reads both ways the two directions have H units together, and 2 at least.
    """
    few = max(1, H // 3)
    rest = max(1, H - few)
    options: dict[str, Any] = {"rng": rng, "dtype": dtype}
    layer = {
        "RNN": lambda: RNN(D, H, **options),
        "LSTM": lambda: LSTM(D, H, **options),
        "GRU": lambda: GRU(D, H, **options),
        "GRU-before": lambda: GRU(D, H, reset="before", **options),
        "stack": lambda: Stack(LSTM(D, H + 1, **options), RNN(H + 1, H, **options)),
        "LSTMs": lambda: Stack(LSTM(D, H, **options), LSTM(H, H, **options)),
        "bidirectional": lambda: Bidirectional(LSTM(D, few, **options), RNN(D, rest, **options)),
        "mixed": lambda: Stack(
            GRU(D, 2, **options),
            Bidirectional(GRU(2, few, reset="before", **options), LSTM(2, rest, **options)),
        ),
        "embedding": lambda: Stack(Embedding(D, 3, **options), LSTM(3, H, **options)),
    }[kind]()
    layer.load_params({n: rng.normal(size=W.shape) for n, W in layer.params.items()})
    return layer


def make_state(layer: Any, B: int, rng: np.random.Generator) -> Any:
    """Draw a state, or a gradient for it, for a batch of B."""
    if isinstance(layer, Stack):
        return tuple(make_state(own, B, rng) for own in layer.layers)
    if isinstance(layer, Bidirectional):
        return tuple(make_state(own, B, rng) for own in (layer.forward_layer, layer.reverse_layer))
    if isinstance(layer, Embedding):
        return ()
    h, c = rng.normal(size=(2, B, layer.hidden_size)).astype(layer.dtype)
    return (h, c) if isinstance(layer, LSTM) else h


def mapped(f: Callable[[NDArray], Any], state: Any) -> Any:
    """Return a state with `f` applied to each of its arrays."""
    return tuple(mapped(f, s) for s in state) if isinstance(state, tuple) else f(state)


def parts(layer: Any) -> list[tuple[str, Any]]:
    """Return the layers that a Stack or a Bidirectional is made of, with the prefix of each."""
    if isinstance(layer, Stack):
        return [(f"layer{n}.", own) for n, own in enumerate(layer.layers, 1)]
    if isinstance(layer, Bidirectional):
        return [("forward.", layer.forward_layer), ("reverse.", layer.reverse_layer)]
    return []


def owners(layer: Any) -> list[tuple[str, Any]]:
    """Return each RNN, LSTM, GRU or Embedding of a layer with the prefix of its names."""
    if not parts(layer):
        return [("", layer)]
    return [(prefix + p, leaf) for prefix, own in parts(layer) for p, leaf in owners(own)]


def units_from_the_end(layer: Any) -> int:
    """Return how many of a layer's units, the last ones, read in reverse."""
    if isinstance(layer, Stack):
        return units_from_the_end(layer.layers[-1])
    return layer.reverse_layer.hidden_size if isinstance(layer, Bidirectional) else 0


def takes_labels(layer: Any) -> bool:
    return isinstance(owners(layer)[0][1], Embedding)


def traces(trace: Any) -> list[PackedTrace]:
    """Return the traces of the recurrent layers that a trace is made of."""
    if isinstance(trace, tuple):
        return [own for part in trace for own in traces(part)]
    return [trace] if isinstance(trace, PackedTrace) else []


def use_as_matmul(patch: pytest.MonkeyPatch, product: Callable[..., Any]) -> None:
    """Let every layer call `product` in the place of `np.matmul`."""
    for module in (np, gru, lstm):
        patch.setattr(module, "matmul", product)


def named(layer: Any, state: Any) -> dict[str, NDArray]:
    """Return the arrays of a state, or of a gradient for it, by name."""
    if parts(layer):
        each = zip(parts(layer), state, strict=True)
        return {p + n: a for (p, own), s in each for n, a in named(own, s).items()}
    arrays = state if isinstance(state, tuple) else (state,)
    return dict(zip("hc", arrays, strict=False))


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
    readout = Readout(recurrent.hidden_size, O, rng=rng, dtype=dtype)
    model = Model(recurrent, readout, **options)
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
    x = rng.normal(size=(B, D) if arrangement == "one-to-many" else (T, B, D)).astype(dtype)
    if takes_labels(model.layer):
        x = rng.integers(D, size=(T, B))
    targets = rng.normal(size=(*each, O))
    if loss == "cross_entropy":
        targets = rng.integers(O, size=each)
    lengths = rng.integers(1, T + 1, B) if ragged else None
    mask = None
    if masked:
        mask = rng.random(each) < 0.6
        mask[0] = True  # something counts, whatever the lengths
    state = make_state(model.layer, B, rng)
    return Problem(model, x, targets, state, lengths, mask)


@st.composite
def problems(draw: st.DrawFn, kinds: Sequence[str] = LAYERS, **fixed: Any) -> Problem:
    """Draw models and data of every kind and of sizes from 1."""
    choices: dict[str, st.SearchStrategy] = {
        "T": st.integers(1, 5),
        "B": st.integers(1, 3),
        "D": st.integers(1, 3),
        "H": st.integers(1, 4),
        "O": st.integers(1, 3),
        "layer": st.sampled_from(kinds),
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


def plain_gru(
    params: Mapping[str, NDArray], x: NDArray, h_0: NDArray, reset: str = "after"
) -> dict[str, NDArray]:
    """Return h_0 … h_T of a GRU, (T + 1, B, H), and its gates, (T, B, H)."""
    run: dict[str, list[NDArray]] = {"h": [h_0], "r": [], "z": [], "n": []}
    W_xh, W_hh, b_h = (np.split(params[name], 3) for name in ("W_xh", "W_hh", "b_h"))
    for x_t in x:
        h = run["h"][-1]
        from_x = [x_t @ W_xh[q].T + b_h[q] for q in range(3)]
        r, z = (1 / (1 + np.exp(-(from_x[q] + h @ W_hh[q].T))) for q in range(2))
        if reset == "after":
            n = np.tanh(from_x[2] + r * (h @ W_hh[2].T + params["b_hh_n"]))
        else:
            n = np.tanh(from_x[2] + (r * h) @ W_hh[2].T)
        for name, value in {"r": r, "z": z, "n": n, "h": (1 - z) * n + z * h}.items():
            run[name].append(value)
    return {name: np.array(steps) for name, steps in run.items()}


def reversed_within(x: NDArray, lengths: Any) -> NDArray:
    """Return x (T, B, …) with each sequence turned around; what lies past its end stays."""
    turned = x.copy()
    for b in range(x.shape[1]):
        n = len(x) if lengths is None else lengths[b]
        turned[:n, b] = x[:n, b][::-1]
    return turned


def plain_run(
    layer: Any, values: Mapping[str, NDArray], x: NDArray, lengths: Any = None
) -> tuple[NDArray, dict[str, NDArray]]:
    """Return the last layer's h_1 … h_T, and every state from step 0 to T by name.

    `values` has the parameters and the initial state of the layer by name; real or complex.
    What reads in reverse counts its states from the end of a sequence. `lengths` matters to no
    other layer: past a sequence's end the states go on.
    """
    if isinstance(layer, Stack):
        h, run = x, {}
        for prefix, own in parts(layer):
            h, states = plain_run(own, part(values, prefix), h, lengths)
            run |= {prefix + name: s for name, s in states.items()}
        return h, run
    if isinstance(layer, Bidirectional):
        back = reversed_within(x, lengths)
        h, run = plain_run(layer.forward_layer, part(values, "forward."), x, lengths)
        h_r, run_r = plain_run(layer.reverse_layer, part(values, "reverse."), back, lengths)
        run = {f"forward.{n}": s for n, s in run.items()}
        run |= {f"reverse.{n}": s for n, s in run_r.items()}
        return np.concatenate([h, reversed_within(h_r, lengths)], axis=2), run
    if isinstance(layer, Embedding):
        return values["table"][x], {}
    if isinstance(layer, LSTM):
        states = plain_lstm(values, x, values["h"], values["c"])
        return states["h"][1:], {"h": states["h"], "c": states["c"]}
    if isinstance(layer, GRU):
        h = plain_gru(values, x, values["h"], layer.reset)["h"]
    else:
        h = plain_states(values, x, values["h"])
    return h[1:], {"h": h}


def plain_loss(p: Problem, values: Mapping[str, NDArray]) -> Any:
    """Return the loss of `p.model`; real or complex.

    `values` has every parameter, the initial state and the inputs "x" (T, B, D) by name; without
    "x" the inputs are those of `p`.
    """
    h, _ = plain_run(p.model.layer, values, values.get("x", p.inputs), p.lengths)
    counted, E = p.counted(), 0
    for t, b, at in counted:
        y = values["W_hy"] @ p.read(h[:, b], t) + values["b_y"]
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
    """Return the gradient of the loss for every parameter, "x" and the state by complex steps.

    Labels have none.
    """
    everything = {**p.model.params, **named(p.model.layer, p.state)}
    if not takes_labels(p.model.layer):
        everything["x"] = p.inputs
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


def composed_gru(
    W: Mapping[str, NDArray], x: NDArray, start: Mapping[str, NDArray], reset: str = "after"
) -> tuple[list[NDArray], Callable[..., Iterator[tuple[str, Any, NDArray]]]]:
    """Run a GRU of either form over one sequence (T, D); return h_0 … h_T and its way back."""
    H, after = len(start["h"]), reset == "after"
    rows = {q: slice(k * H, (k + 1) * H) for k, q in enumerate(GRU_GATES)}
    W_xh, W_hh, b_h = ({q: W[name][rows[q]] for q in GRU_GATES} for name in ("W_xh", "W_hh", "b_h"))
    h, steps = [start["h"]], []
    for x_t in x:
        r, z = (
            gate(x_t, h[-1], W_xh[q], W_hh[q], b_h[q])
            for q, gate in (("r", eq.reset_gate), ("z", eq.update_gate))
        )
        u = eq.gru_state_share(h[-1], W_hh["n"], W["b_hh_n"]) if after else None
        if after:
            n = eq.gru_candidate_after(x_t, u, r, W_xh["n"], b_h["n"])
        else:
            n = eq.gru_candidate(x_t, h[-1], r, W_xh["n"], W_hh["n"], b_h["n"])
        steps.append((r, z, n, u))
        h.append(eq.gru_hidden(z, h[-1], n))

    def back(above: list[NDArray], W_above: NDArray) -> Iterator[tuple[str, Any, NDArray]]:
        from_next = np.zeros(H)
        for t in reversed(range(len(x))):
            r, z, n, u = steps[t]
            delta_h = eq.gru_delta_h(above[t], from_next, W_above)
            delta_n, delta_z = (
                eq.gru_delta_a_n(delta_h, z, n),
                eq.gru_delta_a_z(delta_h, h[t], n, z),
            )
            if after:
                delta_u, source = eq.gru_delta_u(delta_n, r), h[t]
                delta_r = eq.gru_delta_a_r_after(delta_n, u, r)
                to_state = {"r": delta_r, "z": delta_z, "n": delta_u}
                from_next = eq.gru_from_next_after(delta_h, z, to_state, W_hh)
                yield "b_hh_n", ..., eq.grad_b_h(delta_u)
            else:
                delta_s, source = eq.gru_delta_s(delta_n, W_hh["n"]), r * h[t]
                delta_r = eq.gru_delta_a_r(delta_s, h[t], r)
                to_state = {"r": delta_r, "z": delta_z, "n": delta_n}
                from_next = eq.gru_from_next(delta_h, z, r, delta_s, to_state, W_hh)
            for q, delta in {"r": delta_r, "z": delta_z, "n": delta_n}.items():
                yield "W_hh", rows[q], eq.grad_W_hh(to_state[q], source if q == "n" else h[t])
                yield "W_xh", rows[q], eq.grad_W_xh(delta, x[t])
                yield "b_h", rows[q], eq.grad_b_h(delta)
                yield "x", t, eq.grad_x(delta, W_xh[q])
        yield "h", ..., from_next

    return h, back


Back = Callable[[list[NDArray], NDArray], Iterator[tuple[str, Any, NDArray]]]


def composed(
    layer: Any, W: Mapping[str, NDArray], x: NDArray, start: Mapping[str, NDArray]
) -> tuple[NDArray, Back]:
    """Run any layer over one sequence (T, D); return h_1 … h_T and its way back.

    The way back takes for each step a δ and the matrix by which h_t acts on it, and yields every
    term of a gradient, with the name of what it belongs to and the place there.
    """
    if isinstance(layer, Stack):
        h, ways_back = x, []
        for prefix, own in parts(layer):
            h, back = composed(own, part(W, prefix), h, part(start, prefix))
            ways_back.append((prefix, own.input_size, back))

        def through_the_stack(above: list[NDArray], W_above: NDArray) -> Iterator[Any]:
            for prefix, D, back in reversed(ways_back):
                below = np.zeros((len(x), D))
                for name, at, term in back(above, W_above):
                    if name == "x":
                        below[at] += term
                    else:
                        yield prefix + name, at, term
                # What reaches the inputs of a layer reaches the states of the layer below.
                above, W_above = list(below), np.eye(D)
            if not takes_labels(layer):
                yield from (("x", t, term) for t, term in enumerate(above))

        return h, through_the_stack
    if isinstance(layer, Bidirectional):
        (_, own), (_, own_r) = parts(layer)
        h, back = composed(own, part(W, "forward."), x, part(start, "forward."))
        h_r, back_r = composed(own_r, part(W, "reverse."), x[::-1], part(start, "reverse."))

        def through_both(above: list[NDArray], W_above: NDArray) -> Iterator[Any]:
            H = own.hidden_size
            for name, at, term in back(above, W_above[:, :H]):
                yield name if name == "x" else f"forward.{name}", at, term
            for name, at, term in back_r(above[::-1], W_above[:, H:]):
                if name == "x":
                    yield name, len(x) - 1 - at, term
                else:
                    yield f"reverse.{name}", at, term

        return np.concatenate([h, h_r[::-1]], axis=1), through_both
    if isinstance(layer, Embedding):

        def into_the_table(above: list[NDArray], W_above: NDArray) -> Iterator[Any]:
            yield from (("table", x_t, W_above.T @ d) for x_t, d in zip(x, above, strict=True))

        return W["table"][x], into_the_table
    if isinstance(layer, GRU):
        h, back = composed_gru(W, x, start, layer.reset)
    else:
        h, back = (composed_lstm if isinstance(layer, LSTM) else composed_rnn)(W, x, start)
    return np.array(h[1:]), back


def composed_gradients(p: Problem) -> tuple[float, dict[str, NDArray]]:
    """Return the loss and all its gradients from `rnncourse.equations`, one step at a time."""
    layer, W = p.model.layer, p.model.params
    T, B = p.inputs.shape[:2]
    ends = np.full(B, T) if p.lengths is None else p.lengths
    counted = p.counted()
    error, delta_error = {
        "squared_error": (eq.squared_error, eq.delta_y_squared_error),
        "cross_entropy": (eq.cross_entropy, eq.delta_y_cross_entropy),
    }[p.model.loss_name]
    weight = 1 / len(counted) if p.model.reduction == "mean" else 1.0
    E, start = 0.0, named(layer, p.state)
    inputs = {} if takes_labels(layer) else {"x": p.inputs}
    grads = {name: np.zeros(a.shape) for name, a in {**W, **inputs, **start}.items()}
    for b in range(B):
        h, back = composed(layer, W, p.inputs[: ends[b], b], {n: a[b] for n, a in start.items()})
        above, W_above = np.zeros((len(h), len(W["b_y"]))), W["W_hy"]
        if p.reads_both_ends:
            above, W_above = np.zeros(h.shape), np.eye(h.shape[1])
        for t, sequence, at in counted:
            if sequence == b:
                read = p.read(h, t)
                y = eq.output(read, W["W_hy"], W["b_y"])
                E += weight * error(y, p.targets[at])
                delta_y = weight * delta_error(y, p.targets[at])
                grads["W_hy"] += eq.grad_W_hy(delta_y, read)
                grads["b_y"] += eq.grad_b_y(delta_y)
                if p.reads_both_ends:
                    forward, delta = len(read) - units_from_the_end(layer), W["W_hy"].T @ delta_y
                    above[t, :forward], above[0, forward:] = delta[:forward], delta[forward:]
                else:
                    above[t] = delta_y
        for name, at, term in back(list(above), W_above):
            gradient = grads[name]
            if name == "x":
                gradient[at, b] += term
            elif name in start:
                gradient[b] = term
            else:
                gradient[at] += term
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


def weights(model: Model) -> dict[str, NDArray]:
    """Return a copy of a model's parameters."""
    return {name: W.copy() for name, W in model.params.items()}


def assert_same(model: Model, before: Mapping[str, NDArray]) -> None:
    """Compare a model's parameters with what `weights` returned, bit for bit."""
    for name, W in model.params.items():
        assert_array_equal(W, before[name])


def outcome(model: Model, optimizer: Any, rng: np.random.Generator, history: Any) -> list[Any]:
    """Return all of a training run that must be equal, bit for bit."""
    return [
        {n: W.tobytes() for n, W in model.params.items()},
        {n: a.tobytes() for n, a in optimizer.state().items()},
        rng.bit_generator.state,
        asdict(history),
    ]
