"""Live agreement with PyTorch over random shapes. Skipped where PyTorch is not installed."""

import numpy as np
import pytest
from helpers import assert_close
from hypothesis import given
from hypothesis import strategies as st
from test_reference import CASES, OPTIMIZERS, part, run

from rnncourse import RNN, clip_by_global_norm
from rnncourse.interop import load_torch_state, to_torch

torch = pytest.importorskip(
    "torch",
    reason="PyTorch is not installed: live parity is skipped, saved arrays are still checked",
    exc_type=ImportError,
)

from reference import make_reference  # noqa: E402


@st.composite
def cases(draw):
    """Arguments of `make_reference.run` for any sizes from 1."""
    T, B, D, H, O = (draw(st.integers(1, n)) for n in (8, 4, 3, 5, 3))
    loss = draw(st.sampled_from(["cross_entropy", "squared_error"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    shapes = {"W_xh": (H, D), "W_hh": (H, H), "b_h": (H,), "W_hy": (O, H), "b_y": (O,)}
    shapes |= {"x": (T, B, D), "state": (B, H), "dstate_T": (B, H), "targets": (T, B, O)}
    drawn = {n: rng.normal(size=s) for n, s in shapes.items()}
    if loss == "cross_entropy":
        drawn["targets"] = rng.integers(O, size=(T, B))
    drawn["lengths"] = rng.integers(1, T + 1, B) if draw(st.booleans()) else np.full(B, T)
    return drawn, loss, draw(st.sampled_from(["mean", "sum"]))


@given(cases())
def test_outputs_losses_and_every_gradient(case):
    assert_close(run(*case), make_reference.run(*case), 1e-10)


def test_the_saved_arrays_are_what_the_script_makes():
    assert {n: c[-2:] for n, c in make_reference.CASES.items()} == CASES
    for i, name in enumerate(CASES):
        drawn = make_reference.case(name, 2024 + i)
        assert_close(part(f"{name}/given/"), drawn)
        assert_close(part(f"{name}/torch/"), make_reference.run(drawn, *CASES[name]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_step_alike(name, rng):
    optimizer = type(OPTIMIZERS[name])(
        *[v for n, v in vars(OPTIMIZERS[name]).items() if n not in ("steps", "memory")]
    )
    W, gradients = rng.normal(size=(4, 3)), rng.normal(size=(50, 4, 3))
    expected = make_reference.trajectory(name, W, gradients)
    for gradient, after in zip(gradients, expected, strict=True):
        optimizer.step({"W": W}, {"W": gradient})
        assert_close(W, after, 1e-12)


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipping_is_alike(rng, max_norm):
    """PyTorch divides by norm + 10⁻⁶ where this package divides by the norm."""
    grads = {"a": rng.normal(size=(4, 3)), "b": rng.normal(size=5)}
    norm_torch, expected = make_reference.clipped([g.copy() for g in grads.values()], max_norm)
    norm = clip_by_global_norm(grads, max_norm)
    assert_close(norm, norm_torch, 1e-12)
    assert_close(grads["a"], expected[0], 1e-6)
    factor = max_norm / norm if norm > max_norm else 1
    factor_torch = min(1, max_norm / (norm + 1e-6))
    for mine, theirs in zip(grads.values(), expected, strict=True):
        assert_close(mine / factor, theirs / factor_torch, 1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_travel_both_ways_unpermuted(rng, dtype, bias):
    torch.manual_seed(0)
    module = torch.nn.RNN(3, 5, bias=bias, dtype=getattr(torch, np.dtype(dtype).name))
    layer = RNN(3, 5, rng=rng, dtype=dtype)
    load_torch_state(layer, module.state_dict())
    x, state = rng.normal(size=(6, 2, 3)).astype(dtype), rng.normal(size=(2, 5)).astype(dtype)
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    for network in (module, to_torch(layer)):
        h, state_T = network(torch.tensor(x), torch.tensor(state)[None])
        assert_close(layer.forward(x, state)[0], h.detach().numpy(), tolerance)
        assert_close(layer.forward(x, state)[1], state_T[0].detach().numpy(), tolerance)
    assert to_torch(layer).weight_hh_l0.dtype == module.weight_hh_l0.dtype


def test_the_converted_module_has_its_own_weights(rng):
    layer = RNN(2, 3, rng=rng)
    module, before = to_torch(layer), layer.params["W_hh"].copy()
    with torch.no_grad():
        module.weight_hh_l0.zero_()
    assert_close(layer.params["W_hh"], before)
