"""Live agreement with PyTorch over random shapes. Skipped where PyTorch is not installed."""

import numpy as np
import pytest
from helpers import assert_close, make_layer
from hypothesis import given
from hypothesis import strategies as st
from test_reference import CASES, OPTIMIZERS, RECURRENT, as_arrays, as_state, build, run, saved

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
    clip_by_global_norm,
    fit,
)
from rnncourse import equations as eq
from rnncourse.interop import load_torch_state, to_torch

torch = pytest.importorskip(
    "torch",
    reason="PyTorch is not installed: live parity is skipped, saved arrays are still checked",
    exc_type=ImportError,
)

from reference import make_reference  # noqa: E402

each_kind = pytest.mark.parametrize("layer", RECURRENT)


@st.composite
def cases(draw, layer, layers=1, directions=1, embedding=False):
    """Arguments of `make_reference.run` for any sizes from 1."""
    sizes = [draw(st.integers(1, n)) for n in (8, 4, 3, 5, 3)]
    T, B, D, _, O = sizes
    loss = draw(st.sampled_from(["cross_entropy", "squared_error"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    shapes = make_reference.shapes(*sizes, layer, layers, directions)
    drawn = {n: rng.normal(size=s) for n, s in shapes.items()}
    if loss == "cross_entropy":
        drawn["targets"] = rng.integers(O, size=(T, B))
    if embedding:
        V = draw(st.integers(1, 5))
        drawn["table"], drawn["x"] = rng.normal(size=(V, D)), rng.integers(V, size=(T, B))
    ragged = draw(st.sampled_from([True, True, False]))
    drawn["lengths"] = rng.integers(1, T + 1, B) if ragged else np.full(B, T)
    return drawn, layer, layers, loss, draw(st.sampled_from(["mean", "sum"])), directions


def agree(case):
    assert_close(run(*case), make_reference.run(*case), 1e-10)


@each_kind
@given(data=st.data())
def test_outputs_losses_and_every_gradient(layer, data):
    agree(data.draw(cases(layer)))


@each_kind
@given(data=st.data())
def test_two_directions_outputs_losses_and_every_gradient(layer, data):
    agree(data.draw(cases(layer, directions=2)))


@each_kind
@given(data=st.data())
def test_two_layers_outputs_losses_and_every_gradient(layer, data):
    agree(data.draw(cases(layer, 2)))


@each_kind
@given(data=st.data())
def test_two_layers_of_two_directions_outputs_losses_and_every_gradient(layer, data):
    agree(data.draw(cases(layer, 2, 2)))


@each_kind
@pytest.mark.parametrize("directions", [1, 2])
@given(data=st.data())
def test_over_an_embedding_outputs_losses_and_every_gradient(layer, directions, data):
    agree(data.draw(cases(layer, 1, directions, embedding=True)))


def test_the_saved_arrays_are_what_the_script_makes():
    assert {n: c[1] for n, c in make_reference.CASES.items()} == CASES
    for i, name in enumerate(CASES):
        drawn = make_reference.case(name, 2024 + i)
        assert_close(saved(f"{name}/given/"), drawn)
        assert_close(saved(f"{name}/torch/"), make_reference.run(drawn, *CASES[name]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_step_alike(name, rng):
    optimizer = type(OPTIMIZERS[name])(**OPTIMIZERS[name].settings())
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


@each_kind
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_travel_both_ways_unpermuted(rng, layer, layers, directions, dtype, bias):
    torch.manual_seed(0)
    module = getattr(torch.nn, layer)(
        3,
        5,
        num_layers=layers,
        bidirectional=directions > 1,
        bias=bias,
        dtype=getattr(torch, np.dtype(dtype).name),
    )
    mine = build(layer, layers, directions, 3, 5, dtype)
    load_torch_state(mine, module.state_dict())
    x = rng.normal(size=(6, 2, 3)).astype(dtype)
    parts = 2 if layer == "LSTM" else 1
    start = rng.normal(size=(parts, layers * directions, 2, 5)).astype(dtype)
    h, state_T, _ = mine.forward(x, as_state(layer, layers, start, directions))
    tolerance = 1e-12 if dtype == np.float64 else 2e-6
    back = to_torch(mine)
    for network in (module, back):
        given_ = tuple(torch.tensor(start)) if layer == "LSTM" else torch.tensor(start)[0]
        theirs, end = network(torch.tensor(x), given_)
        assert_close(h, theirs.detach().numpy(), tolerance)
        end = end if layer == "LSTM" else (end,)
        finals = as_arrays(layer, layers, state_T, directions)
        for own, other in zip(finals.values(), end, strict=True):
            assert_close(own, other.detach().numpy(), tolerance)
    assert type(back) is type(module)
    assert back.weight_hh_l0.dtype == module.weight_hh_l0.dtype
    for name, W in module.state_dict().items():
        if name.startswith("weight"):
            assert torch.equal(back.state_dict()[name], W)
    again = build(layer, layers, directions, 3, 5, dtype)
    load_torch_state(again, back.state_dict())
    assert_close(dict(again.params), dict(mine.params), 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_table_travels_both_ways(rng, dtype):
    torch.manual_seed(0)
    module = torch.nn.Embedding(7, 3, dtype=getattr(torch, np.dtype(dtype).name))
    mine = Embedding(7, 3, rng=rng, dtype=dtype)
    load_torch_state(mine, module.state_dict())
    labels, back = rng.integers(7, size=(5, 2)), to_torch(mine)
    assert type(back) is type(module)
    for network in (module, back):
        assert network.weight.dtype == module.weight.dtype
        expected = network(torch.tensor(labels)).detach().numpy()
        assert_close(mine.forward(labels)[0], expected, 0)


MODULES = {
    "RNN": lambda **options: torch.nn.RNN(3, 4, **options),
    "LSTM": lambda **options: torch.nn.LSTM(3, 4, **options),
    "GRU": lambda **options: torch.nn.GRU(3, 4, **options),
    "Embedding": lambda: torch.nn.Embedding(3, 4),
}


@pytest.mark.parametrize("expected", MODULES)
@pytest.mark.parametrize("given_", MODULES)
def test_a_state_dict_of_another_kind_is_named(rng, expected, given_):
    layer = {**RECURRENT, "Embedding": Embedding}[expected](3, 4, rng=rng)
    state, before = MODULES[given_]().state_dict(), {n: W.copy() for n, W in layer.params.items()}
    if given_ == expected:
        load_torch_state(layer, state)
        assert any((layer.params[n] != W).any() for n, W in before.items())
        return
    message = rf"^state is of a torch\.nn\.{given_}, expected that of a torch\.nn\.{expected}$"
    with pytest.raises(ValueError, match=message):
        load_torch_state(layer, state)
    assert_close(dict(layer.params), before, 0)


def test_what_else_a_state_dict_may_be_of_is_named(rng):
    lstm, both = (build("LSTM", 1, directions, 3, 4) for directions in (1, 2))
    with pytest.raises(ValueError, match=r"^state is of an LSTM with projections, expected that"):
        load_torch_state(lstm, MODULES["LSTM"](proj_size=2).state_dict())
    with pytest.raises(ValueError, match=r"weight_ih_l0_reverse.*: 1 layer, one direction$"):
        load_torch_state(lstm, MODULES["LSTM"](bidirectional=True).state_dict())
    with pytest.raises(ValueError, match=r": 1 layer, two directions$"):
        load_torch_state(both, MODULES["LSTM"]().state_dict())
    with pytest.raises(ValueError, match=r"^state is of a torch\.nn\.GRU, expected .*\.LSTM$"):
        load_torch_state(both, MODULES["GRU"](bidirectional=True).state_dict())
    with pytest.raises(ValueError, match=r"^state is of another module, expected .*\.Embedding$"):
        load_torch_state(Embedding(3, 4, rng=rng), torch.nn.Linear(3, 4).state_dict())


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
    with pytest.raises(ValueError, match="expected one kind and one hidden size"):
        to_torch(Bidirectional(RNN(2, 3, rng=rng), RNN(2, 4, rng=rng)))
    for directions in ((1, 2), (2, 1)):
        each = [
            build("GRU", 1, d, n, 3)
            for d, n in zip(directions, (3, 3 * directions[0]), strict=True)
        ]
        with pytest.raises(
            ValueError, match="one direction on two, expected one or two throughout"
        ):
            to_torch(Stack(*each))
    for none in (GRU(2, 3, reset="before", rng=rng), Stack(Embedding(2, 3, rng=rng))):
        with pytest.raises(
            ValueError, match=r"has no counterpart in torch\.nn, expected layers of"
        ):
            to_torch(none)


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


def test_a_dataloader_is_a_stream(rng):
    """Its batches are lists of tensors, sequences first; `collate_fn` puts time first."""
    x, labels = rng.normal(size=(10, 6, 3)).astype(np.float32), rng.integers(0, 2, 10)
    data = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(labels))

    def time_first(pairs):
        xs, ys = zip(*pairs, strict=True)
        return torch.stack(xs, dim=1), torch.stack(ys)

    loader = torch.utils.data.DataLoader(data, batch_size=4, collate_fn=time_first)
    ours, twin = (
        Model(
            LSTM(3, 4, rng=np.random.default_rng(1), dtype=np.float32),
            Readout(4, 2, rng=np.random.default_rng(2), dtype=np.float32),
            arrangement="many-to-one",
        )
        for _ in range(2)
    )
    fit(ours, loader, epochs=2, optimizer=SGD(0.1), validation=loader, progress=False)
    cuts = [(x[k : k + 4].swapaxes(0, 1), labels[k : k + 4]) for k in (0, 4, 8)]
    fit(twin, cuts, epochs=2, optimizer=SGD(0.1), progress=False)
    for name, W in ours.params.items():
        np.testing.assert_array_equal(W, twin.params[name])
