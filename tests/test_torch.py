"""Live agreement with PyTorch over random shapes. Skipped where PyTorch is not installed."""

import numpy as np
import pytest
from helpers import assert_close, make_layer, percent
from hypothesis import given
from hypothesis import strategies as st
from test_reference import CASES, OPTIMIZERS, as_arrays, as_state, run, saved

from rnncourse import LSTM, RNN, Stack, clip_by_global_norm
from rnncourse import equations as eq
from rnncourse.interop import load_torch_state, to_torch

torch = pytest.importorskip(
    "torch",
    reason="PyTorch is not installed: live parity is skipped, saved arrays are still checked",
    exc_type=ImportError,
)

from reference import make_reference  # noqa: E402


@st.composite
def cases(draw, layer, layers):
    """Arguments of `make_reference.run` for any sizes from 1."""
    sizes = [draw(st.integers(1, n)) for n in (8, 4, 3, 5, 3)]
    T, B, _, _, O = sizes
    loss = draw(st.sampled_from(["cross_entropy", "squared_error"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    shapes = make_reference.shapes(*sizes, layer, layers)
    drawn = {n: rng.normal(size=s) for n, s in shapes.items()}
    if loss == "cross_entropy":
        drawn["targets"] = rng.integers(O, size=(T, B))
    drawn["lengths"] = rng.integers(1, T + 1, B) if draw(st.booleans()) else np.full(B, T)
    return drawn, layer, layers, loss, draw(st.sampled_from(["mean", "sum"]))


def agree(case):
    assert_close(run(*case), make_reference.run(*case), 1e-10)


@given(cases("RNN", 1))
def test_rnn_outputs_losses_and_every_gradient(case):
    agree(case)


@given(cases("LSTM", 1))
def test_lstm_outputs_losses_and_every_gradient(case):
    agree(case)


@pytest.mark.parametrize("layer", ["RNN", "LSTM"])
@percent(50)
@given(data=st.data())
def test_two_layers_outputs_losses_and_every_gradient(layer, data):
    agree(data.draw(cases(layer, 2)))


def test_the_saved_arrays_are_what_the_script_makes():
    assert {n: c[1] for n, c in make_reference.CASES.items()} == CASES
    for i, name in enumerate(CASES):
        drawn = make_reference.case(name, 2024 + i)
        assert_close(saved(f"{name}/given/"), drawn)
        assert_close(saved(f"{name}/torch/"), make_reference.run(drawn, *CASES[name]))


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


@pytest.mark.parametrize("layer", ["RNN", "LSTM"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_travel_both_ways_unpermuted(rng, layer, layers, dtype, bias):
    torch.manual_seed(0)
    name = np.dtype(dtype).name
    module = getattr(torch.nn, layer)(
        3, 5, num_layers=layers, bias=bias, dtype=getattr(torch, name)
    )
    kind = {"RNN": RNN, "LSTM": LSTM}[layer]
    each = [kind(5 if k else 3, 5, rng=rng, dtype=dtype) for k in range(layers)]
    mine = Stack(*each) if layers > 1 else each[0]
    load_torch_state(mine, module.state_dict())
    x = rng.normal(size=(6, 2, 3)).astype(dtype)
    start = rng.normal(size=(2 if layer == "LSTM" else 1, layers, 2, 5)).astype(dtype)
    h, state_T, _ = mine.forward(x, as_state(layer, layers, start))
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    back = to_torch(mine)
    for network in (module, back):
        given_ = tuple(torch.tensor(start)) if layer == "LSTM" else torch.tensor(start)[0]
        theirs, end = network(torch.tensor(x), given_)
        assert_close(h, theirs.detach().numpy(), tolerance)
        end = end if layer == "LSTM" else (end,)
        for own, other in zip(as_arrays(layer, layers, state_T).values(), end, strict=True):
            assert_close(own, other.detach().numpy(), tolerance)
    assert type(back) is type(module)
    assert back.weight_hh_l0.dtype == module.weight_hh_l0.dtype
    for k in range(layers):
        assert torch.equal(getattr(back, f"weight_ih_l{k}"), getattr(module, f"weight_ih_l{k}"))
        assert torch.equal(getattr(back, f"weight_hh_l{k}"), getattr(module, f"weight_hh_l{k}"))


def test_the_converted_module_has_its_own_weights(rng):
    layer = RNN(2, 3, rng=rng)
    module, before = to_torch(layer), layer.params["W_hh"].copy()
    with torch.no_grad():
        module.weight_hh_l0.zero_()
    assert_close(layer.params["W_hh"], before)


def test_a_mixed_stack_is_no_single_module(rng):
    with pytest.raises(ValueError, match=r"layer stacks \[\('LSTM', 5\), \('RNN', 4\)\], expected"):
        to_torch(make_layer("stack", rng=rng))
    uneven = Stack(RNN(2, 3, rng=rng), RNN(3, 4, rng=rng))
    with pytest.raises(ValueError, match="expected one kind and one hidden size"):
        to_torch(uneven)
    with pytest.raises(ValueError, match="expected one kind and one hidden size"):
        to_torch(Stack(RNN(2, 3, rng=rng), LSTM(3, 3, rng=rng)))


@given(st.integers(0, 2**20), st.integers(1, 3), st.integers(1, 5))
def test_a_gru_step_where_both_conventions_agree(seed, D, H):
    """PyTorch resets after the product with W_hh,n: for a diagonal matrix that is the same."""
    rng = np.random.default_rng(seed)
    W_xh, W_hh = rng.normal(size=(3, H, D)), rng.normal(size=(3, H, H))
    W_hh[2] = np.diag(rng.normal(size=H))
    b_h, x, h_prev = rng.normal(size=(3, H)), rng.normal(size=D), rng.normal(size=H)
    r = eq.reset_gate(x, h_prev, W_xh[0], W_hh[0], b_h[0])
    z = eq.update_gate(x, h_prev, W_xh[1], W_hh[1], b_h[1])
    n = eq.gru_candidate(x, h_prev, r, W_xh[2], W_hh[2], b_h[2])
    cell = torch.nn.GRUCell(D, H, dtype=torch.float64)
    stacked = {"weight_ih": W_xh, "weight_hh": W_hh, "bias_ih": b_h, "bias_hh": 0 * b_h}
    with torch.no_grad():
        for name, W in stacked.items():
            getattr(cell, name).copy_(torch.tensor(W.reshape(getattr(cell, name).shape)))
        theirs = cell(torch.tensor(x)[None], torch.tensor(h_prev)[None])[0]
    assert_close(eq.gru_hidden(z, h_prev, n), theirs.numpy(), 1e-10)
