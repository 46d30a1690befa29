"""No public function depends on NumPy's error settings: what underflows or overflows inside gives
the same numbers, to the last bit, whether the caller lets NumPy raise, warn or ignore.
"""

import inspect
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import make_layer, make_model, make_state, mapped

import rnncourse
from rnncourse import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Embedding,
    Model,
    Readout,
    Stack,
    bptt,
    check_gradients,
    clip_by_global_norm,
    clip_by_value,
    equations,
    global_norm,
    initializers,
    interop,
    jacobians,
    log_softmax,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    squared_error,
    tasks,
)

TINY, HUGE = 1e-200, 1e200  # whose squares are too small, and too large, for float64
LAYERS = ("RNN", "LSTM", "GRU", "GRU-before", "stack", "bidirectional", "embedding")


def tiny(*shape):
    return TINY * (1 + np.arange(np.prod(shape)).reshape(shape))


def small_layer(kind, dtype=np.float64, scale=TINY):
    layer = make_layer(kind, 2, 3, rng=np.random.default_rng(0), dtype=dtype)
    layer.load_params({n: scale * W for n, W in layer.params.items()})
    return layer


def small_model(loss="squared_error", **options):
    options = {"rng": np.random.default_rng(0), "loss": loss, **options}
    return make_model(2, 3, 2, scale=TINY, **options)


def readout(scale):
    made = Readout(3, 2, rng=np.random.default_rng(0))
    made.load_params({n: np.full(W.shape, scale) for n, W in made.params.items()})
    return made


def of_embedding():
    embedding = Embedding(2, 2, rng=np.random.default_rng(0))
    _, _, trace = embedding.forward([[1], [1], [0]])
    return embedding.backward(trace, np.full((3, 1, 2), 1.7e308))


def passes(kind, dtype=np.float64, scale=TINY):
    """Return the passes of a layer as functions, on numbers whose products underflow."""
    layer, labels = small_layer(kind, dtype, scale), kind == "embedding"
    x = np.ones((4, 2), int) if labels else scale * np.ones((4, 2, 2), dtype)
    state = mapped(lambda s: scale * s, make_state(layer, 2, np.random.default_rng(1)))
    n = layer.hidden_size

    def backward():
        _, _, trace = layer.forward(x, state, [4, 2])
        return layer.backward(trace, np.full((4, 2, n), scale, dtype), state)

    found = {"forward": lambda: layer.forward(x, state, [4, 2])[:2], "backward": backward}
    found |= {"run": lambda: layer.run(x, state, [4, 2])}
    if kind != "bidirectional":
        found["step"] = lambda: layer.step(x[0], state)
    return found


def long_float32():
    """A float32 RNN over 200 steps, whose gradient shrinks at each: it fades out below 10⁻⁴⁵."""
    rng = np.random.default_rng(0)
    layer = RNN(2, 8, rng=rng, dtype=np.float32)
    layer.params["W_hh"][...] *= 0.3
    model = Model(layer, Readout(8, 2, rng=rng, dtype=np.float32), arrangement="many-to-one")
    found = model.loss_and_gradients(rng.normal(size=(200, 4, 2)), [0, 1, 1, 0])
    return found.E, found.grads, found.dx, found.dstate_0, found.state_T


def gradients(function, *arguments):
    """Return what a function returns that alters gradients in place, and the gradients."""
    grads = {"a": np.array([3e-200, 4e200, 5.0]), "b": np.array([1e-7, 6e4], np.float16)}
    return function(grads, *arguments), grads


def checked(scale):
    W = np.array([scale, 2 * scale])
    report = check_gradients(lambda: float(np.sum(W * scale)), {"W": W}, {"W": [scale, scale]})
    return report.errors, report.worst.numeric


def loaded(layer, values):
    layer.load_params(values)
    return dict(layer.params)


def of_torch():
    layer = RNN(2, 3, rng=np.random.default_rng(0), dtype=np.float32)
    interop.load_torch_state(layer, interop.torch_state(small_layer("RNN")))
    return interop.torch_state(layer)


SMALL = {name: TINY * W for name, W in make_model(2, 3, 2, np.random.default_rng(0)).params.items()}
X, D = tiny(4, 2), tiny(4, 2)
PATH = bptt.Path("b_h", 2, 1, tiny(3), (tiny(3, 3),), tiny(3, 3))
CASES = {
    "sigmoid": lambda: sigmoid([TINY, 5e-324, -HUGE, 1j * TINY]),
    "softmax": lambda: softmax([[0.0, -800.0], [-1.7e308, 1.7e308], [-np.inf, 1.0]]),
    "log_softmax": lambda: log_softmax([[0.0, -800.0], [-1.7e308, 1.7e308], [-np.inf, 1.0]]),
    "softmax, float32": lambda: softmax(np.array([0.0, -100.0], np.float32)),
    "squared_error": lambda: squared_error(tiny(2, 3), -tiny(2, 3)),
    "squared_error, huge": lambda: squared_error([[HUGE, 1.0]], [[-HUGE, 0.0]]),
    "softmax_cross_entropy": lambda: softmax_cross_entropy([[0.0, -800.0], [800.0, 0.0]], [0, 1]),
    "global_norm": lambda: [global_norm({"a": [a, 2 * a]}) for a in (5e-324, TINY, HUGE, 1.7e308)],
    "clip_by_global_norm": lambda: gradients(clip_by_global_norm, 1e-5),
    "clip_by_value": lambda: gradients(clip_by_value, 1e5),
    "check_gradients": lambda: (checked(TINY), checked(HUGE)),
    "a long float32 RNN": long_float32,
    "Readout.forward": lambda: readout(TINY).forward(tiny(4, 3)),
    "Readout.forward, huge": lambda: readout(HUGE).forward([[HUGE, HUGE, HUGE]]),
    "Readout.backward": lambda: readout(TINY).backward(tiny(4, 3), tiny(4, 2)),
    "Embedding.backward": of_embedding,
    "Readout.load_params": lambda: loaded(
        Readout(3, 2, rng=np.random.default_rng(0), dtype=np.float32),
        {"W_hy": tiny(2, 3), "b_y": tiny(2)},
    ),
    "initializers.gaussian": lambda: initializers.gaussian(
        3, gain=5e-324, rng=np.random.default_rng(0)
    ),
    "initializers.orthogonal": lambda: initializers.orthogonal(
        3, gain=1e-310, rng=np.random.default_rng(0)
    ),
    "initializers.identity": lambda: initializers.identity(3, gain=1e-310),
    "jacobians.singular_values": lambda: jacobians.singular_values(tiny(2, 3)),
    "jacobians.spectral_radius": lambda: jacobians.spectral_radius(
        [[1.7e308, -1.7e308], [1.7e308, 1.7e308]]
    ),
    "jacobians.step_jacobians": lambda: jacobians.step_jacobians(small_layer("LSTM"), X),
    "jacobians.products": lambda: jacobians.products(tiny(3, 2, 2)),
    "jacobians.norms_by_lag": lambda: jacobians.norms_by_lag(small_layer("RNN"), X),
    "jacobians.bound_by_lag": lambda: jacobians.bound_by_lag(tiny(3, 2, 2)),
    "jacobians.gradient_by_step": lambda: jacobians.gradient_by_step(
        small_model(), X[:, None], D[:, None]
    ),
    "jacobians.norm_by_step": lambda: jacobians.norm_by_step({"W": [[TINY], [1.0], [HUGE]]}),
    "bptt.forward": lambda: bptt.forward(SMALL, X),
    "bptt.bptt": lambda: bptt.bptt(SMALL, X, D),
    "bptt.bptt, huge": lambda: bptt.bptt(
        {**SMALL, "b_y": [HUGE, HUGE]}, X, -HUGE * np.ones((4, 2))
    ),
    "bptt.truncated_bptt": lambda: bptt.truncated_bptt(SMALL, X, D, every=1, back=2),
    "bptt.paths": lambda: [p.value for p in bptt.paths("W_hh", 4, SMALL, X, D)],
    "bptt.Path": lambda: (PATH.carried, PATH.value),
    "interop": of_torch,
    "Model.load_params": lambda: loaded(
        make_model(2, 3, 2, np.random.default_rng(0), dtype=np.float32), SMALL
    ),
    "tasks": lambda: [
        tasks.temporal_order(2, 20, rng=np.random.default_rng(0)),
        tasks.adding(2, 20, rng=np.random.default_rng(0)),
        tasks.copy(2, 3, rng=np.random.default_rng(0)),
    ],
    "equations.hidden_state": lambda: equations.hidden_state(
        X[0], np.zeros(3), SMALL["W_xh"], SMALL["W_hh"], SMALL["b_h"]
    ),
    "equations.delta_a": lambda: equations.delta_a(X[0], X[0]),
    "equations.half_life": lambda: equations.half_life(800.0),
}
for _kind in LAYERS:
    CASES |= {f"{_kind}.{name}": f for name, f in passes(_kind).items()}
    CASES |= {f"{_kind}.{n}, float32": f for n, f in passes(_kind, np.float32, 1e-30).items()}
for _method in ("predict", "run"):
    CASES[f"Model.{_method}"] = lambda m=_method: getattr(small_model(), m)(X[:, None])
for _method in ("loss", "loss_and_gradients", "layer_signals"):
    for _loss, _targets in (("squared_error", D[:, None]), ("cross_entropy", [[0], [1], [0], [1]])):
        CASES[f"Model.{_method}, {_loss}"] = lambda m=_method, n=_loss, d=_targets: vars_of(
            getattr(small_model(n), m)(X[:, None], d)
        )
for _loss in ("squared_error", "cross_entropy"):
    CASES[f"Model.generate, {_loss}"] = lambda n=_loss: small_model(n).generate(
        X[:, None], 3, rng=np.random.default_rng(0), temperature=5e-324
    )
# What computes nothing that could underflow or overflow.
SAFE = {"initializers.identity", "jacobians.singular_values", "tasks"}
# In these only products of matrices underflow, and not every NumPy says so.
PRODUCTS = {"RNN.step", "LSTM.step", "stack.step", "embedding.step", "Readout.forward"}


def vars_of(found):
    if isinstance(found, float | tuple):
        return found
    return found.E, found.grads, found.dx, found.dstate_0, found.state_T


def settled(value):
    """Return a result as nested dicts and tuples of arrays."""
    if isinstance(value, dict):
        return {n: settled(v) for n, v in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(settled, value))
    return np.asarray(value)


def assert_same_bits(given, expected):
    if isinstance(expected, dict):
        assert given.keys() == expected.keys()
        given, expected = tuple(given.values()), tuple(expected.values())
    if isinstance(expected, tuple):
        for one, other in zip(given, expected, strict=True):
            assert_same_bits(one, other)
        return
    assert given.dtype == expected.dtype
    assert given.shape == expected.shape
    assert given.tobytes() == expected.tobytes()


def under(setting, case):
    with warnings.catch_warnings(), np.errstate(all=setting):
        warnings.simplefilter("error")
        return settled(case())


@pytest.mark.parametrize("name", CASES)
def test_error_settings_change_nothing(name):
    expected = under("ignore", CASES[name])
    for setting in ("raise", "warn"):
        assert_same_bits(under(setting, CASES[name]), expected)


def public_functions():
    """Yield the name of every public function and method that takes or gives numbers."""
    modules = {"": rnncourse, "bptt.": bptt, "initializers.": initializers}
    modules |= {"jacobians.": jacobians, "equations.": equations}
    for prefix, module in modules.items():
        for name, f in vars(module).items():
            home = getattr(f, "__module__", "")
            own = home == module.__name__ or (module is rnncourse and ".training" not in home)
            if inspect.isfunction(f) and own and not name.startswith("_"):
                yield prefix + name, f
    for kind in (RNN, LSTM, GRU, Stack, Bidirectional, Embedding, Readout, Model):
        label = kind.__name__
        label = label.lower() if kind in (Stack, Bidirectional, Embedding) else label
        for name, f in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and name not in ("gate", "load_params"):
                yield f"{label}.{name}", f


def test_every_public_function_has_a_case():
    functions = dict(public_functions())
    assert len(functions) > 100
    covered = {name.split(",")[0] for name in CASES}
    covered |= {
        "bidirectional.step",
        "Model.save",
    }  # the first is refused, the second computes nothing
    missing = set(functions) - covered
    assert {name for name in missing if not name.startswith("equations.")} == set()
    # The equations are many and of one kind: each is marked, and a few have cases.
    marked = {name for name, f in functions.items() if hasattr(f, "__wrapped__")}
    assert {name for name in missing if name not in marked} == set()


UNPROTECTED = """
import contextlib, numpy as np

class Errstate(contextlib.ContextDecorator):
    def __init__(self, **settings): pass
    def __enter__(self): pass
    def __exit__(self, *error): pass

np.errstate = Errstate
import test_error_settings as t
np.seterr(all="raise")
for name, case in t.CASES.items():
    try:
        case()
    except FloatingPointError:
        continue
    print(name)
"""


def test_without_protection_every_case_fails():
    """So the cases above would show it if one function were not protected."""
    paths = [str(Path(__file__).parent), str(Path(rnncourse.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", UNPROTECTED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    calm = {name.split(",")[0] for name in done.stdout.splitlines()}
    assert calm - PRODUCTS == SAFE
