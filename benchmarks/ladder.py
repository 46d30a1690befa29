"""A ladder: one training step of an LSTM, written six times.

A step here is forward and backward through time, without a readout. The first rung is the code that
a careful course writes; each further rung adds one idea to the rung before; the last is the
package's own layer. What a rung saves over the rung before is what its idea is worth.

>>> step = make("packed", W, T, B, D, H)
>>> h, dx, grads = step(x, dh)

    python benchmarks/ladder.py packed 100 20 8 64        milliseconds for a step, the median

Every rung computes the same numbers, by the same equations (eq-forget … eq-lstm-sums, listed in
`rnncourse.layers.lstm`), from initial states of zero.

Time each rung in a process of its own: memory that one rung has left behind spares the next one the
cost of getting it from the system, and that cost can be most of what the last rung saves.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from textbook import Array, Weights, by_gate, sigmoid, textbook_lstm

from rnncourse import LSTM

RUNGS = (
    ("textbook", "one product for each gate and each source, batch as rows, float64"),
    ("float32", "the same code on numbers of half the size"),
    ("packed", "all weights in one matrix: one product a step, one for all their gradients"),
    ("feature_major", "the batch as columns: every gate is one contiguous block"),
    ("one_tanh", "σ(a) = ½ + ½ tanh(½a): one tanh for all four gates"),
    ("reused", "memory used again, local derivatives by blocks of steps: rnncourse.LSTM"),
)

Step = Callable[[Array, Array], tuple[Array, Array, Weights]]

I_F_O_G = [0, 1, 3, 2]  # brings i, f, g, o into the order i, f, o, g, and back


def dtype_of(name: str) -> np.dtype:
    """Return the dtype in which a rung computes, and expects x and dh."""
    return np.dtype(np.float64 if name == "textbook" else np.float32)


def make(name: str, W: Weights, T: int, B: int, D: int, H: int) -> Step:
    """Return a rung's training step for given weights.

    Parameters
    ----------
    name : str
        One of those in `RUNGS`.
    W : dict
        W_xh (4H, D), W_hh (4H, H) and b_h (4H,), the gates stacked in the order i, f, g, o.
    T, B, D, H : int
        Steps, batch, input size, hidden size.

    Returns
    -------
    step : callable
        ``h, dx, grads = step(x, dh)`` for x (T, B, D) and dh (T, B, H) in the rung's dtype; h is
        (T, B, H), dx is (T, B, D), and grads has the names and shapes of W.
    """
    dtype = dtype_of(name)
    step: Step
    match name:
        case "textbook" | "float32":
            step = partial(textbook_lstm, by_gate(W, dtype))
        case "packed":
            step = partial(packed, _pack(W, dtype))
        case "feature_major" | "one_tanh":
            step = partial(feature_major, _pack(W, dtype), one_tanh=name == "one_tanh")
        case "reused":
            lstm = LSTM(D, H, rng=np.random.default_rng(0), dtype=dtype)
            lstm.load_params(W)
            step = partial(reused, lstm)
        case _:
            raise ValueError(f"no rung is called {name!r}; there are {[name for name, _ in RUNGS]}")
    # In a training all steps but the first find the memory of the step before; so does this one.
    step(np.zeros((T, B, D), dtype), np.zeros((T, B, H), dtype))
    return step


def packed(W: Array, x: Array, dh: Array) -> tuple[Array, Array, Weights]:
    """Rung 2: W = [W_hh | W_xh | b_h] acts on packed rows [h_{t-1}; x_t; 1].

    The gates are stacked in the order i, f, o, g, the three sigmoids as neighbours.
    """
    (T, B, _), H = x.shape, len(W) // 4
    z = np.ones((T + 1, B, W.shape[1]), x.dtype)
    z[0, :, :H] = 0
    z[:T, :, H:-1] = x

    cache = []
    c = np.zeros((B, H), x.dtype)
    for t in range(T):
        a = z[t] @ W.T
        i_f_o, g = sigmoid(a[:, : 3 * H]), np.tanh(a[:, 3 * H :])
        i, f, o = i_f_o[:, :H], i_f_o[:, H : 2 * H], i_f_o[:, 2 * H :]
        c_prev, c = c, f * c + i * g
        tanh_c = np.tanh(c)
        z[t + 1, :, :H] = o * tanh_c
        cache.append((c_prev, i, f, g, o, tanh_c))

    delta_a = np.empty((T, B, 4 * H), x.dtype)
    from_next = carried = np.zeros((B, H), x.dtype)
    for t in reversed(range(T)):
        c_prev, i, f, g, o, tanh_c = cache[t]
        delta_h = dh[t] + from_next
        delta_c = delta_h * o * (1 - tanh_c**2) + carried
        delta_i = delta_c * g * i * (1 - i)
        delta_f = delta_c * c_prev * f * (1 - f)
        delta_g = delta_c * i * (1 - g**2)
        delta_o = delta_h * tanh_c * o * (1 - o)
        carried = f * delta_c
        np.concatenate((delta_i, delta_f, delta_o, delta_g), axis=1, out=delta_a[t])
        from_next = delta_a[t] @ W[:, :H]
    dx = delta_a.reshape(T * B, -1) @ W[:, H:-1]
    dW = delta_a.reshape(T * B, -1).T @ z[:T].reshape(T * B, -1)
    return z[1:, :, :H], dx.reshape(x.shape), _unpack(dW)


def feature_major(
    W: Array, x: Array, dh: Array, one_tanh: bool = False
) -> tuple[Array, Array, Weights]:
    """Rung 3: `packed` with the batch as columns; and rung 4, which differs where it says so."""
    (T, B, _), H = x.shape, len(W) // 4
    z = np.ones((T + 1, W.shape[1], B), x.dtype)
    z[0, :H] = 0
    z[:T, H:-1] = x.transpose(0, 2, 1)

    if one_tanh:  # The ½ in tanh(½a) goes into the weights: in each step, as training alters them.
        W_halved = W.copy()
        W_halved[: 3 * H] *= 0.5
    cache = []
    c = np.zeros((H, B), x.dtype)
    for t in range(T):
        if one_tanh:
            a = np.tanh(W_halved @ z[t])
            a[: 3 * H] = 0.5 + 0.5 * a[: 3 * H]
            i_f_o, g = a[: 3 * H], a[3 * H :]
        else:
            a = W @ z[t]
            i_f_o, g = sigmoid(a[: 3 * H]), np.tanh(a[3 * H :])
        i, f, o = i_f_o[:H], i_f_o[H : 2 * H], i_f_o[2 * H :]
        c_prev, c = c, f * c + i * g
        tanh_c = np.tanh(c)
        z[t + 1, :H] = o * tanh_c
        cache.append((c_prev, i, f, g, o, tanh_c))

    delta_a = np.empty((T, 4 * H, B), x.dtype)
    from_next = carried = np.zeros((H, B), x.dtype)
    for t in reversed(range(T)):
        c_prev, i, f, g, o, tanh_c = cache[t]
        delta_h = dh[t].T + from_next
        delta_c = delta_h * o * (1 - tanh_c**2) + carried
        delta_i = delta_c * g * i * (1 - i)
        delta_f = delta_c * c_prev * f * (1 - f)
        delta_g = delta_c * i * (1 - g**2)
        delta_o = delta_h * tanh_c * o * (1 - o)
        carried = f * delta_c
        np.concatenate((delta_i, delta_f, delta_o, delta_g), out=delta_a[t])
        from_next = W[:, :H].T @ delta_a[t]
    # The columns of all steps side by side, (4H, T · B) and (H + D + 1, T · B).
    delta_a, z_prev = np.hstack(list(delta_a)), np.hstack(list(z[:T]))
    dx = delta_a.T @ W[:, H:-1]
    dW = delta_a @ z_prev.T
    return z[1:, :H].transpose(0, 2, 1), dx.reshape(x.shape), _unpack(dW)


def reused(lstm: LSTM, x: Array, dh: Array) -> tuple[Array, Array, Weights]:
    """Rung 5: the package's layer, which also checks what it is given, as the others do not."""
    h, _, trace = lstm.forward(x)
    dx, _, grads = lstm.backward(trace, dh)
    return h, dx, grads


def _pack(W: Weights, dtype: np.dtype) -> Array:
    """Return [W_hh | W_xh | b_h] with the gates in the order i, f, o, g."""
    return _reorder(np.column_stack((W["W_hh"], W["W_xh"], W["b_h"])).astype(dtype))


def _unpack(dW: Array) -> Weights:
    """Return the parts of a packed gradient by name, the gates in the order i, f, g, o."""
    dW, H = _reorder(dW), len(dW) // 4
    return {"W_xh": dW[:, H:-1], "W_hh": dW[:, :H], "b_h": dW[:, -1]}


def _reorder(W: Array) -> Array:
    return W.reshape(4, -1, W.shape[1])[I_F_O_G].reshape(W.shape)


def main() -> None:
    name, *sizes = sys.argv[1:]
    T, B, D, H = map(int, sizes)
    rng, dtype = np.random.default_rng(0), dtype_of(name)
    layer = LSTM(D, H, rng=rng)
    x = rng.normal(size=(T, B, D)).astype(dtype)
    dh = rng.normal(size=(T, B, H)).astype(dtype)
    step = make(name, dict(layer.params), T, B, D, H)
    times: list[float] = []
    while len(times) < 5 or sum(times) < 1:
        begin = time.perf_counter()
        step(x, dh)
        times.append(time.perf_counter() - begin)
    print(f"{1e3 * np.median(times):.3f}")


if __name__ == "__main__":
    main()
