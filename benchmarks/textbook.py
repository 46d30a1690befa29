"""A training step as it is usually written from scratch: the yardstick of the benchmarks.

One step of the sequence at a time, lists for what the way back needs, a matrix for each gate and
each source, fresh arrays everywhere, the batch as rows (B, H). Forward and backward through time,
without a readout, from initial states of zero; the equations are those of `rnncourse.equations`.
"""

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]  # a layer's W_xh (R, D), W_hh (R, H) and b_h (R,), or their gradients

GATES = "ifgo"  # of an LSTM, as stacked in a layer's weights
GRU_GATES = "rzn"


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def by_gate(W: Weights, dtype: np.dtype, gates: str = GATES) -> dict[str, Weights]:
    """Return a layer's weights with an array for each gate: ``W["W_hh"]["f"]``.

    A GRU's b_hh_n, of one gate only, becomes ``W["b_hh_n"]["n"]``.
    """
    result = {}
    for key, value in W.items():
        of = "n" if key == "b_hh_n" else gates
        result[key] = dict(zip(of, np.split(value.astype(dtype), len(of)), strict=True))
    return result


def textbook_rnn(W: Weights, x: Array, dh: Array) -> tuple[Array, Array, Weights]:
    """Return h (T, B, H), dx (T, B, D) and the gradients of the weights of a tanh RNN."""
    W_xh, W_hh, b_h = W["W_xh"], W["W_hh"], W["b_h"]
    (T, B, _), H = x.shape, len(b_h)

    h = [np.zeros((B, H), x.dtype)]
    for x_t in x:
        h.append(np.tanh(x_t @ W_xh.T + h[-1] @ W_hh.T + b_h))

    grads = {key: np.zeros_like(value) for key, value in W.items()}
    dx = np.zeros_like(x)
    from_next = np.zeros((B, H), x.dtype)  # W_hhᵀ δ^a_{t+1}
    for t in reversed(range(T)):
        delta_a = (dh[t] + from_next) * (1 - h[t + 1] ** 2)
        grads["W_xh"] += delta_a.T @ x[t]
        grads["W_hh"] += delta_a.T @ h[t]
        grads["b_h"] += delta_a.sum(axis=0)
        dx[t] = delta_a @ W_xh
        from_next = delta_a @ W_hh
    return np.stack(h[1:]), dx, grads


def textbook_lstm(W: dict[str, Weights], x: Array, dh: Array) -> tuple[Array, Array, Weights]:
    """Return what `textbook_rnn` returns, for an LSTM whose weights come from `by_gate`."""
    W_x, W_h, b = W["W_xh"], W["W_hh"], W["b_h"]
    (T, B, _), H = x.shape, len(b["i"])

    h, cache = [], []
    h_t, c_t = np.zeros((B, H), x.dtype), np.zeros((B, H), x.dtype)
    for x_t in x:
        h_prev, c_prev = h_t, c_t
        i = sigmoid(x_t @ W_x["i"].T + h_prev @ W_h["i"].T + b["i"])
        f = sigmoid(x_t @ W_x["f"].T + h_prev @ W_h["f"].T + b["f"])
        g = np.tanh(x_t @ W_x["g"].T + h_prev @ W_h["g"].T + b["g"])
        o = sigmoid(x_t @ W_x["o"].T + h_prev @ W_h["o"].T + b["o"])
        c_t = f * c_prev + i * g
        tanh_c = np.tanh(c_t)
        h_t = o * tanh_c
        h.append(h_t)
        cache.append((h_prev, c_prev, i, f, g, o, tanh_c))

    grads = {key: {q: np.zeros_like(W[key][q]) for q in GATES} for key in W}
    dW_x, dW_h, db = grads["W_xh"], grads["W_hh"], grads["b_h"]
    dx = np.zeros_like(x)
    from_next = np.zeros((B, H), x.dtype)  # Σ_q W_hh,qᵀ δ^{a_q}_{t+1}
    carried = np.zeros((B, H), x.dtype)  # f_{t+1} ⊙ δ^c_{t+1}
    for t in reversed(range(T)):
        h_prev, c_prev, i, f, g, o, tanh_c = cache[t]
        delta_h = dh[t] + from_next
        delta_c = delta_h * o * (1 - tanh_c**2) + carried
        delta_i = delta_c * g * i * (1 - i)
        delta_f = delta_c * c_prev * f * (1 - f)
        delta_g = delta_c * i * (1 - g**2)
        delta_o = delta_h * tanh_c * o * (1 - o)
        carried = f * delta_c
        from_next = np.zeros_like(carried)
        for q, delta_q in zip(GATES, (delta_i, delta_f, delta_g, delta_o), strict=True):
            dW_x[q] += delta_q.T @ x[t]
            dW_h[q] += delta_q.T @ h_prev
            db[q] += delta_q.sum(axis=0)
            dx[t] += delta_q @ W_x[q]
            from_next += delta_q @ W_h[q]
    return np.stack(h), dx, {key: np.concatenate(list(dW.values())) for key, dW in grads.items()}


def textbook_gru(W: dict[str, Weights], x: Array, dh: Array) -> tuple[Array, Array, Weights]:
    """Return what `textbook_rnn` returns, for a GRU whose weights come from `by_gate`.

    The reset gate acts after the product, as in PyTorch.
    """
    W_x, W_h, b, b_hh_n = W["W_xh"], W["W_hh"], W["b_h"], W["b_hh_n"]["n"]
    (T, B, _), H = x.shape, len(b["r"])

    h, cache = [], []
    h_t = np.zeros((B, H), x.dtype)
    for x_t in x:
        h_prev = h_t
        r = sigmoid(x_t @ W_x["r"].T + h_prev @ W_h["r"].T + b["r"])
        z = sigmoid(x_t @ W_x["z"].T + h_prev @ W_h["z"].T + b["z"])
        u = h_prev @ W_h["n"].T + b_hh_n
        n = np.tanh(x_t @ W_x["n"].T + b["n"] + r * u)
        h_t = z * h_prev + (1 - z) * n
        h.append(h_t)
        cache.append((h_prev, r, z, u, n))

    grads = {key: {q: np.zeros_like(W[key][q]) for q in W[key]} for key in W}
    dW_x, dW_h, db = grads["W_xh"], grads["W_hh"], grads["b_h"]
    dx = np.zeros_like(x)
    from_next = np.zeros((B, H), x.dtype)  # all that step t + 1 sends back to h_t
    for t in reversed(range(T)):
        h_prev, r, z, u, n = cache[t]
        delta_h = dh[t] + from_next
        delta_n = delta_h * (1 - z) * (1 - n**2)
        delta_z = delta_h * (h_prev - n) * z * (1 - z)
        delta_u = delta_n * r
        delta_r = delta_n * u * r * (1 - r)
        from_next = z * delta_h
        for q, delta_q in zip(GRU_GATES, (delta_r, delta_z, delta_n), strict=True):
            dW_x[q] += delta_q.T @ x[t]
            db[q] += delta_q.sum(axis=0)
            dx[t] += delta_q @ W_x[q]
        for q, delta_q in zip(GRU_GATES, (delta_r, delta_z, delta_u), strict=True):
            dW_h[q] += delta_q.T @ h_prev
            from_next += delta_q @ W_h[q]
        grads["b_hh_n"]["n"] += delta_u.sum(axis=0)
    return np.stack(h), dx, {key: np.concatenate(list(dW.values())) for key, dW in grads.items()}
