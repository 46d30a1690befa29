"""What the tests share: random problems, and two independent ways to their gradients.

`plain_loss` says what a model computes in plain loops, without the package. It takes complex
numbers, so that `complex_step` can differentiate it to full precision: for an analytic E,
∂E/∂w = Im E(w + iε) / ε with no difference of close numbers (Squire and Trapp, 1998).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from rnncourse import RNN, Model, Readout
from rnncourse import equations as eq

ARRANGEMENTS = ("many-to-many", "many-to-one", "one-to-many")
LOSSES = ("squared_error", "cross_entropy")


@dataclass
class Problem:
    """A model with data for it."""

    model: Model
    x: NDArray
    targets: NDArray
    state: NDArray
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


def make_model(
    D: int,
    H: int,
    O: int,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
    dtype: type = np.float64,
    **options: str,
) -> Model:
    """Return a model whose weights, biases too, are all drawn at random."""
    model = Model(RNN(D, H, rng=rng, dtype=dtype), Readout(H, O, rng=rng, dtype=dtype), **options)
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
    ragged: bool = False,
    masked: bool = False,
    loss: str = "cross_entropy",
    arrangement: str = "many-to-many",
    reduction: str = "mean",
    dtype: type = np.float64,
) -> Problem:
    model = make_model(
        D, H, O, rng, dtype=dtype, loss=loss, arrangement=arrangement, reduction=reduction
    )
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
    state = rng.normal(size=(B, H))
    return Problem(model, x.astype(dtype), targets, state.astype(dtype), lengths, mask)


@st.composite
def problems(draw: st.DrawFn, **fixed: Any) -> Problem:
    """Draw models and data of every kind and of sizes from 1."""
    choices: dict[str, st.SearchStrategy] = {
        "T": st.integers(1, 5),
        "B": st.integers(1, 3),
        "D": st.integers(1, 3),
        "H": st.integers(1, 4),
        "O": st.integers(1, 3),
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
    """Return h_0 … h_T (T + 1, B, H); real or complex."""
    h = [state]
    for x_t in x:
        a = h[-1] @ params["W_hh"].T + x_t @ params["W_xh"].T + params["b_h"]
        h.append(np.tanh(a))
    return np.array(h)


def plain_loss(p: Problem, params: Mapping[str, NDArray], x: NDArray, state: NDArray) -> Any:
    """Return the loss of `p.model` for inputs x (T, B, D); real or complex."""
    h = plain_states(params, x, state)
    counted, E = p.counted(), 0
    for t, b, at in counted:
        y = params["W_hy"] @ h[t + 1, b] + params["b_y"]
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


def measured_gradients(p: Problem) -> dict[str, NDArray]:
    """Return the gradient of the loss for every parameter, "x" and "state" by complex steps."""
    everything = {**p.model.params, "x": p.inputs, "state": p.state}

    def loss_with(name: str, value: NDArray) -> Any:
        args = {**everything, name: value}
        return plain_loss(p, args, args["x"], args["state"])

    return {
        name: complex_step(lambda w, name=name: loss_with(name, w), value)
        for name, value in everything.items()
    }


# ---------------------------------------------------------------- the same out of equations.py


def composed_gradients(p: Problem) -> tuple[float, dict[str, NDArray]]:
    """Return the loss and all its gradients from `rnncourse.equations`, one step at a time."""
    W = p.model.params
    x = p.inputs
    counted = p.counted()
    error, delta_error = {
        "squared_error": (eq.squared_error, eq.delta_y_squared_error),
        "cross_entropy": (eq.cross_entropy, eq.delta_y_cross_entropy),
    }[p.model.loss_name]
    weight = 1 / len(counted) if p.model.reduction == "mean" else 1.0
    E = 0.0
    grads = {name: np.zeros(a.shape) for name, a in {**W, "x": x, "state": p.state}.items()}
    for b in range(x.shape[1]):
        h = [p.state[b]]
        for x_t in x[:, b]:
            h.append(eq.hidden_state(x_t, h[-1], W["W_xh"], W["W_hh"], W["b_h"]))
        targets = {t: p.targets[at] for t, sequence, at in counted if sequence == b}
        delta_a = np.zeros_like(h[0])
        for t in reversed(range(len(x))):
            delta_y = np.zeros_like(W["b_y"])
            if t in targets:
                y = eq.output(h[t + 1], W["W_hy"], W["b_y"])
                E += weight * error(y, targets[t])
                delta_y = weight * delta_error(y, targets[t])
            delta_h = eq.delta_h(delta_y, delta_a, W["W_hy"], W["W_hh"])
            delta_a = eq.delta_a(delta_h, h[t + 1])
            grads["W_hy"] += eq.grad_W_hy(delta_y, h[t + 1])
            grads["b_y"] += eq.grad_b_y(delta_y)
            grads["W_hh"] += eq.grad_W_hh(delta_a, h[t])
            grads["W_xh"] += eq.grad_W_xh(delta_a, x[t, b])
            grads["b_h"] += eq.grad_b_h(delta_a)
            grads["x"][t, b] = eq.grad_x(delta_a, W["W_xh"])
        grads["state"][b] = eq.grad_h0(delta_a, W["W_hh"])
    return E, grads


def assert_close(given: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Assert that arrays, or mappings of arrays, agree to `tolerance` of the largest entry or 1."""
    if isinstance(expected, Mapping):
        assert set(given) == set(expected)
        for name in expected:
            assert_close(given[name], expected[name], tolerance)
        return
    given, expected = np.asarray(given), np.asarray(expected)
    assert given.shape == expected.shape
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    assert_allclose(given, expected, rtol=0, atol=tolerance * size)
