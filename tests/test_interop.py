"""State dicts of torch.nn.RNN, LSTM, GRU and Embedding, as plain arrays (with PyTorch:
test_torch).
"""

import numpy as np
import pytest
from helpers import assert_close, owners
from numpy.testing import assert_array_equal
from test_reference import build

from rnncourse import GRU, LSTM, RNN, Bidirectional, Embedding, Stack
from rnncourse.interop import load_torch_state, to_torch, torch_state

# kind, layers, directions
KINDS = {
    "RNN": ("RNN", 1, 1),
    "LSTM": ("LSTM", 1, 1),
    "GRU": ("GRU", 1, 1),
    "LSTMs": ("LSTM", 2, 1),
    "GRUs": ("GRU", 2, 1),
    "RNN both ways": ("RNN", 1, 2),
    "LSTMs both ways": ("LSTM", 2, 2),
    "GRUs both ways": ("GRU", 2, 2),
}
each_layer = pytest.mark.parametrize("kind", KINDS)
# Rows of the weights of one layer, in units of H: an LSTM stacks four gates, a GRU three.
ROWS = {"RNN": 1, "GRU": 3, "LSTM": 4}


def make(kind, rng):
    layer = build(*KINDS[kind], 2, 4)
    layer.load_params({n: rng.normal(size=W.shape) for n, W in layer.params.items()})
    return layer


def suffixed(layer):
    """Each RNN, LSTM or GRU, with how the names of its weights end in PyTorch."""
    both = isinstance(getattr(layer, "layers", [layer])[0], Bidirectional)
    for n, (_, own) in enumerate(owners(layer)):
        k, reverse = divmod(n, 2) if both else (n, 0)
        yield f"_l{k}{'_reverse' * reverse}", own


def draw_state(layer, rng):
    """A state dict of a module with the sizes of `layer`."""
    state = {}
    for suffix, own in suffixed(layer):
        D, H = own.input_size, own.hidden_size
        rows = H * ROWS[type(own).__name__]
        shapes = {"weight_ih": (rows, D), "weight_hh": (rows, H), "bias_ih": (rows,)}
        shapes["bias_hh"] = (rows,)
        state |= {f"{name}{suffix}": rng.normal(size=shape) for name, shape in shapes.items()}
    return state


def snapshot(layer):
    return {name: W.copy() for name, W in layer.params.items()}


@each_layer
def test_names_and_the_sum_of_the_biases(rng, kind):
    """But a GRU's candidate keeps both: the reset gate acts on one of them alone."""
    layer = make(kind, rng)
    state = draw_state(layer, rng)
    load_torch_state(layer, state)
    back = torch_state(layer)
    assert set(back) == set(state)
    for suffix, own in suffixed(layer):
        b_h, second = state[f"bias_ih{suffix}"], state[f"bias_hh{suffix}"]
        b_h, kept = b_h + second, np.zeros_like(second)
        if isinstance(own, GRU):
            b_h[8:], kept[8:] = state[f"bias_ih{suffix}"][8:], second[8:]
            assert_array_equal(own.params["b_hh_n"], second[8:])
        assert_array_equal(own.params["W_xh"], state[f"weight_ih{suffix}"])
        assert_array_equal(own.params["W_hh"], state[f"weight_hh{suffix}"])
        assert_array_equal(own.params["b_h"], b_h)
        assert_array_equal(back[f"weight_ih{suffix}"], state[f"weight_ih{suffix}"])
        assert_array_equal(back[f"weight_hh{suffix}"], state[f"weight_hh{suffix}"])
        assert_array_equal(back[f"bias_ih{suffix}"], b_h)
        assert_array_equal(back[f"bias_hh{suffix}"], kept)


@each_layer
def test_what_is_loaded_is_not_shared_and_is_left_as_it_was(rng, kind):
    layer = make(kind, rng)
    state = draw_state(layer, rng)
    given = {n: a.copy() for n, a in state.items()}
    load_torch_state(layer, state)
    before = snapshot(layer)
    assert_close(state, given, 0)
    for array in state.values():
        array[...] = 9
    assert_close(snapshot(layer), before, 0)


@each_layer
def test_without_biases_every_bias_is_zero(rng, kind):
    layer = make(kind, rng)
    state = draw_state(layer, rng)
    load_torch_state(layer, {n: a for n, a in state.items() if n.startswith("weight")})
    for _, own in owners(layer):
        for name, W in own.params.items():
            assert (W != 0).all() if name.startswith("W") else (W == 0).all()


@each_layer
def test_the_state_is_a_copy(rng, kind):
    layer = make(kind, rng)
    before = snapshot(layer)
    for array in torch_state(layer).values():
        array[...] = 9
    assert_close(snapshot(layer), before, 0)


def replaced(name, change):
    return lambda state: {**state, name: change(state[name])}


def without(*names):
    return lambda state: {n: a for n, a in state.items() if n not in names}


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("RNN", lambda s: s | {"weight_ih_l1": 0}, "state has .*weight_ih_l1.*, expected"),
        ("RNN", without("bias_hh_l0"), "expected .*: 1 layer, one direction"),
        ("RNN", replaced("weight_ih_l0", lambda a: a[1:]), r"weight_ih_l0 has shape \(3, 2\), exp"),
        ("LSTM", replaced("weight_ih_l0", lambda a: a[:4]), r"\(4, 2\), expected \(16, 2\)"),
        ("LSTM", replaced("weight_hh_l0", lambda a: a * np.nan), "weight_hh_l0 contains NaN"),
        ("LSTM", replaced("bias_ih_l0", lambda a: a[:1]), r"bias_ih_l0 has shape \(1,\), expec"),
        ("LSTM", without("bias_ih_l0"), "1 layer, one direction"),
        ("GRU", replaced("weight_ih_l0", lambda a: a[:9]), r"\(9, 2\), expected \(12, 2\)"),
        ("GRU", replaced("bias_hh_l0", lambda a: a * np.nan), "bias_hh_l0 contains NaN"),
        ("GRU", without("bias_hh_l0"), "1 layer, one direction"),
        ("GRU", replaced("weight_hh_l0", lambda a: a[:8]), r"\(8, 4\), expected \(12, 4\)"),
        ("GRUs", replaced("bias_hh_l1", lambda a: a[1:]), r"bias_hh_l1 has shape \(11,\), expec"),
        ("GRUs", replaced("weight_hh_l1", lambda a: a * np.inf), "weight_hh_l1 contains NaN or"),
        ("GRUs", without("bias_ih_l1", "bias_hh_l1"), "2 layers, one direction"),
        ("LSTMs", lambda s: s | {"weight_ih_l0_reverse": 0}, "2 layers, one direction"),
        (
            "LSTMs both ways",
            lambda s: {n: a for n, a in s.items() if not n.endswith("_reverse")},
            "2 layers, two directions",
        ),
        (
            "GRUs both ways",
            replaced("bias_hh_l1_reverse", lambda a: a * np.inf),
            "bias_hh_l1_reverse contains NaN or infinity",
        ),
        (
            "GRUs both ways",
            replaced("weight_ih_l1", lambda a: a[:, :4]),
            r"weight_ih_l1 has shape \(12, 4\), expected \(12, 8\)",
        ),
        ("LSTMs", lambda s: s | {f"{n[:-1]}2": a for n, a in s.items()}, "2 layers, one direction"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(rng, kind, change, message):
    layer = make(kind, rng)
    before = snapshot(layer)
    with pytest.raises(ValueError, match=message):
        load_torch_state(layer, change(draw_state(layer, rng)))
    assert_close(snapshot(layer), before, 0)


@pytest.mark.parametrize("kind", ["LSTMs", "GRUs", "LSTMs both ways"])
def test_biases_whose_sum_overflows_change_nothing(rng, kind):
    """Found after the weights of the layers below were read, and before one was written."""
    layer = make(kind, rng)
    before, state = snapshot(layer), draw_state(layer, rng)
    state["bias_ih_l1"][:] = state["bias_hh_l1"][:] = 1.7e308
    with pytest.raises(ValueError, match="b_h contains NaN or infinity"):
        load_torch_state(layer, state)
    assert_close(snapshot(layer), before, 0)


def test_a_module_is_not_its_state(rng):
    with pytest.raises(TypeError, match=r"state is a list, expected the mapping state_dict\(\)"):
        load_torch_state(make("LSTM", rng), [])


def test_the_two_biases_of_a_candidate_are_not_added(rng):
    layer = make("GRU", rng)
    state = draw_state(layer, rng)
    state["bias_ih_l0"][8:] = state["bias_hh_l0"][8:] = 1.7e308
    load_torch_state(layer, state)
    assert_array_equal(layer.params["b_hh_n"], 1.7e308)


# ---------------------------------------------------------------- an embedding


def test_the_weights_of_an_embedding_are_its_table(rng):
    layer, table = Embedding(5, 3, rng=rng), rng.normal(size=(5, 3))
    load_torch_state(layer, {"weight": table})
    state = torch_state(layer)
    assert_close(state, {"weight": table}, 0)
    for array in (table, state["weight"]):
        array[...] = 9
    assert (layer.params["table"] != 9).all()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"weight": np.ones((3, 5))}, r"weight has shape \(3, 5\), expected \(5, 3\)"),
        ({"weight": np.full((5, 3), np.nan)}, "weight contains NaN or infinity"),
        ({}, r"state is of another module, expected that of a torch\.nn\.Embedding"),
        ({"weight": np.ones((5, 3)), "bias": np.ones(3)}, "state is of another module"),
        ({"weight_hh_l0": np.ones((9, 3))}, r"state is of a torch\.nn\.GRU, expected"),
    ],
)
def test_a_state_that_is_no_table_changes_nothing(rng, state, message):
    layer = Embedding(5, 3, rng=rng)
    before = snapshot(layer)
    with pytest.raises(ValueError, match=f"^{message}"):
        load_torch_state(layer, state)
    assert_close(snapshot(layer), before, 0)


# ---------------------------------------------------------------- what has no counterpart


@pytest.mark.parametrize("function", [torch_state, lambda layer: load_torch_state(layer, {})])
@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda o: GRU(2, 3, reset="before", **o), r"GRU\(2, 3, reset='before', .* no counterpart"),
        (lambda o: Stack(Embedding(2, 3, **o), RNN(3, 3, **o)), "Embedding.* has no counterpart"),
        (lambda o: Stack(Stack(RNN(2, 3, **o))), r"Stack\(RNN.* has no counterpart in torch\.nn"),
    ],
)
def test_a_layer_without_a_counterpart_is_refused(rng, function, layer, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        function(layer({"rng": rng}))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            lambda o: Stack(RNN(2, 3, **o), LSTM(3, 3, **o)),
            r"layer stacks \[\('LSTM', 3\), \('RNN'",
        ),
        (lambda o: Stack(RNN(2, 3, **o), RNN(3, 4, **o)), "layer stacks .* one hidden size"),
        (lambda o: Bidirectional(GRU(2, 3, **o), GRU(2, 4, **o)), "layer stacks .*one hidden size"),
        (lambda o: Bidirectional(GRU(2, 3, **o), RNN(2, 3, **o)), "layer stacks .* expected one"),
        (
            lambda o: Stack(Bidirectional(RNN(2, 3, **o)), RNN(6, 3, **o)),
            "layer stacks one direction on two, expected one or two throughout",
        ),
        (
            lambda o: Stack(
                Bidirectional(RNN(2, 3, **o)), RNN(6, 3, **o), Bidirectional(RNN(3, 3, **o))
            ),
            "layer stacks one direction on two",
        ),
    ],
)
def test_a_layer_that_is_no_one_module_has_a_state_dict_all_the_same(rng, layer, message):
    mine = layer({"rng": rng})
    twin = layer({"rng": np.random.default_rng(99)})
    load_torch_state(twin, torch_state(mine))
    assert_close(dict(twin.params), dict(mine.params), 0)
    pytest.importorskip("torch", exc_type=ImportError)
    with pytest.raises(ValueError, match=f"^{message}"):
        to_torch(mine)


class Leaky(RNN):
    """A layer of one's own that says what it is."""

    torch_kind = "RNN"


def test_a_layer_of_ones_own_travels_if_it_says_as_what(rng):
    own, other = Leaky(2, 4, rng=rng), RNN(2, 4, rng=rng)
    load_torch_state(own, torch_state(other))
    assert_close(dict(own.params), dict(other.params), 0)
    own.torch_kind = "Conv1d"
    with pytest.raises(ValueError, match="one of the kinds RNN, GRU, LSTM"):
        torch_state(own)


@pytest.mark.parametrize(
    "function", [torch_state, to_torch, lambda layer: load_torch_state(layer, {})]
)
def test_what_is_no_layer_is_refused(function):
    pytest.importorskip("torch", exc_type=ImportError)
    with pytest.raises(TypeError, match=r"^layer is None, without .*, expected a layer such as"):
        function(None)


# ---------------------------------------------------------------- what else a state dict may be of


def state_of(kind, rng, H=4):
    """Return a state dict of a module of this kind, with 2 inputs and H units."""
    if kind == "Embedding":
        return {"weight": rng.normal(size=(2, H))}
    name, cell = (kind.removesuffix("Cell"), kind.endswith("Cell"))
    end, R = "" if cell else "_l0", ROWS[name] * H
    return {
        f"weight_ih{end}": rng.normal(size=(R, 2)),
        f"weight_hh{end}": rng.normal(size=(R, H)),
        f"bias_ih{end}": rng.normal(size=R),
        f"bias_hh{end}": rng.normal(size=R),
    }


OURS = {
    "RNN": lambda o: RNN(2, 4, **o),
    "LSTM": lambda o: LSTM(2, 4, **o),
    "GRU": lambda o: GRU(2, 4, **o),
    "Embedding": lambda o: Embedding(2, 4, **o),
}
SINGLE = {name: build for name, build in OURS.items() if name != "Embedding"}
BOTH = {f"{n} both ways": lambda o, b=build: Bidirectional(b(o)) for n, build in SINGLE.items()}
STACKS = {f"{n} in a stack": lambda o, b=build: Stack(b(o)) for n, build in SINGLE.items()}


@pytest.mark.parametrize("ours", [*OURS, *BOTH, *STACKS])
@pytest.mark.parametrize("theirs", [*OURS, "RNNCell", "LSTMCell", "GRUCell"])
def test_a_state_of_another_kind_is_named_with_and_without_a_prefix(rng, ours, theirs):
    layer = (OURS | BOTH | STACKS)[ours]({"rng": rng})
    before, state, kind = snapshot(layer), state_of(theirs, rng), ours.split()[0]
    if theirs != kind:
        message = rf"^state is of a torch\.nn\.{theirs}, expected that of a torch\.nn\.{kind}$"
        with pytest.raises(ValueError, match=message):
            load_torch_state(layer, state)
    for prefix in ("rnn.", "module.encoder.0."):
        whole = {f"{prefix}{n}": a for n, a in state.items()} | {"out.bias": np.ones(2)}
        message = rf"^state is of a whole model, with a torch\.nn\.{theirs} under '{prefix}', .* a "
        message += rf"torch\.nn\.{kind} alone"
        if theirs == kind:
            message += rf": strip the prefix, {{n\.removeprefix\('{prefix}'\): a for n, a in "
        with pytest.raises(ValueError, match=message + ("" if theirs == kind else "$")):
            load_torch_state(layer, whole)
    assert_close(snapshot(layer), before, 0)


def test_what_the_message_says_about_a_prefix_works(rng):
    layer, own = LSTM(2, 4, rng=rng), state_of("LSTM", rng)
    state = {f"lstm.{n}": a for n, a in own.items()} | {"embed.weight": np.ones((3, 2))}
    with pytest.raises(ValueError, match=r"under 'embed\.'.* strip the prefix") as caught:
        load_torch_state(layer, state)
    stripped = str(caught.value).partition("strip the prefix, ")[2]
    load_torch_state(layer, eval(stripped, {"state": state}))
    assert_array_equal(layer.params["W_hh"], own["weight_hh_l0"])


def test_the_kind_of_every_layer_of_a_stack_is_looked_at(rng):
    layer = Stack(LSTM(2, 4, rng=rng), RNN(4, 4, rng=rng))
    state = torch_state(Stack(LSTM(2, 4, rng=rng), GRU(4, 4, rng=rng)))
    with pytest.raises(ValueError, match=r"^state is of a torch\.nn\.GRU, expected .*\.RNN$"):
        load_torch_state(layer, state)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({0: 1}, TypeError, "state has the name 0, expected text such as 'weight_hh_l0'"),
        (
            {"fc.bias": [1]},
            ValueError,
            r"state has \['fc\.bias'\], expected \['bias_hh_l0', ",
        ),
    ],
)
def test_a_state_with_other_names_is_refused(rng, state, error, message):
    with pytest.raises(error, match=f"^{message}"):
        load_torch_state(RNN(2, 4, rng=rng), state)


# ---------------------------------------------------------------- tensors, and layers read-only


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e5m2"])
@pytest.mark.parametrize("kind", OURS)
def test_tensors_of_any_floating_dtype_are_read(rng, kind, dtype):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    layer, state = OURS[kind]({"rng": rng}), state_of(kind, rng)
    tensors = {n: torch.tensor(a).to(getattr(torch, dtype)) for n, a in state.items()}
    load_torch_state(layer, {n: t.requires_grad_() for n, t in tensors.items()})
    other = OURS[kind]({"rng": rng})
    load_torch_state(other, {n: t.detach().double().numpy() for n, t in tensors.items()})
    assert_close(snapshot(layer), snapshot(other), 1e-6 if kind != "Embedding" else 0)


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of quantization and sparse layouts
@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda torch, t: t.to("meta"), r"cannot be read \(.*meta tensor.*\), expected a dense"),
        (lambda torch, t: t.to_sparse(), r"cannot be read \(.*[Ss]parse.*\), expected a dense"),
        (lambda torch, t: t.to_sparse_csr(), r"cannot be read \(.*[Ss]parse.*\), expected a dense"),
        (
            lambda torch, t: torch.quantize_per_tensor(t.float(), 0.1, 0, torch.qint8),
            r"cannot be read \(.*QInt8\), expected a dense",
        ),
        (lambda torch, t: (t + 1j).conj(), r"cannot be read \(.*conjugate.*\), expected a dense"),
        (lambda torch, t: t + 1j, "has dtype complex128, expected real numbers"),
        (lambda torch, t: t > 0, "has dtype bool, expected real numbers"),
    ],
)
def test_tensors_that_cannot_be_read_are_named(rng, kind, change, message):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    layer, state = OURS[kind]({"rng": rng}), state_of(kind, rng)
    before, name = snapshot(layer), next(n for n in reversed(state) if "weight" in n)
    state[name] = change(torch, torch.tensor(state[name]))
    with pytest.raises(TypeError, match=f"^{name} {message}"):
        load_torch_state(layer, state)
    assert_close(snapshot(layer), before, 0)


@pytest.mark.parametrize("kind", ["LSTMs", "GRUs both ways"])
def test_a_layer_that_is_read_only_in_part_is_left_as_it_is(rng, kind):
    layer = make(kind, rng)
    before = snapshot(layer)
    last = owners(layer)[-1][1]
    last._W.flags.writeable = False
    with pytest.raises(ValueError, match=r"^layer2\.\S*W_xh is read-only, .*copy\.deepcopy"):
        load_torch_state(layer, draw_state(layer, rng))
    assert_close(snapshot(layer), before, 0)
