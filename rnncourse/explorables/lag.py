"""How far a gradient reaches in a small RNN: its norm by lag, and the numbers that foretell it.

The recurrent weights are W_hh = ρ (A + α B) with A = Q D Qᵀ and B = Q N Qᵀ, where Q is orthogonal,
D block diagonal with eigenvalues of modulus at most 1 (that of the first pair is 1), and N strictly
block upper triangular. So the spectral radius is ρ whatever α is, and for α = 0 W_hh is normal.
"""

from typing import Any, NamedTuple

import numpy as np

from ..gradients import jacobians
from ..layers.initializers import orthogonal
from ..layers.rnn import RNN
from ..validation import Array, require_number
from .base import Choice, Explorable, Number, Truth

H, D_IN, LAGS = 8, 4, 50
SMALL, LARGE = 1e-3, 1e3  # the norm at lag 50: vanished below, exploded above
INPUTS = np.round(np.random.default_rng(0).normal(size=(LAGS, D_IN)), 2)  # x_1 … x_T


class Parts(NamedTuple):
    """What a network is made of."""

    eigenvalues: Array  # (H/2, 2), the pairs a ± b i of A
    A: Array  # (H, H), normal, spectral radius 1
    B: Array  # (H, H), what makes W_hh non-normal
    W_xh: Array  # (H, D_IN), at input scale 1


def _draw(seed: int, first: tuple[float, float]) -> Parts:
    """Return a random network whose largest eigenvalues, of modulus 1, are the pair `first`."""
    rng = np.random.default_rng(seed)
    Q = orthogonal(H, rng=rng)
    modulus, angle = 0.95 * np.sqrt(rng.random(3)), np.pi * rng.random(3)
    others = np.round(modulus * [np.cos(angle), np.sin(angle)], 2).T
    pairs = np.vstack([first, others])
    D = np.zeros((H, H))
    for i, (a, b) in enumerate(pairs):
        D[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[a, b], [-b, a]]
    # With entries of this size, D + N is about the Schur form of a random Gaussian matrix.
    block = np.arange(H) // 2
    N = np.where(block[:, None] < block, rng.normal(size=(H, H)) / np.sqrt(H), 0.0)
    # Rounded, they are the same on every machine.
    A, B = (np.round(Q @ M @ Q.T, 12) for M in (D, N))
    return Parts(pairs, A, B, np.round(rng.normal(size=(H, D_IN)) / np.sqrt(D_IN), 2))


NETWORKS = {1: _draw(4, (0.8, 0.6)), 2: _draw(29, (0.28, 0.96)), 3: _draw(30, (-0.6, 0.8))}


def layer(rho: float, scale: float, nonnormal: float, network: int = 1) -> RNN:
    """Return the network as a layer.

    Parameters
    ----------
    rho : spectral radius ρ of W_hh, above 0
    scale : input scale, the factor of W_xh, from 0; at 0 the state stays 0, the layer linear
    nonnormal : α, from 0
    network : 1, 2 or 3
    """
    for name, value in {"rho": rho, "scale": scale, "nonnormal": nonnormal}.items():
        require_number(name, value)
    if network not in NETWORKS:
        raise ValueError(f"network is {network!r}, expected 1, 2 or 3")
    parts = NETWORKS[network]
    rnn = RNN(D_IN, H, rng=np.random.default_rng(0))
    W_hh = rho * (parts.A + nonnormal * parts.B)
    rnn.load_params({"W_xh": scale * parts.W_xh, "W_hh": W_hh, "b_h": np.zeros(H)})
    return rnn


class Measured(NamedTuple):
    """What the figure shows of a network."""

    norms: Array  # (LAGS + 1,) ‖∂h_T/∂h_{T−n}‖₂ for n = 0 … 50, T = 50 (eq-jacobian-product)
    bound: Array  # (LAGS + 1,) ∏ ‖J_t‖₂ over the same steps (eq-norm-bound, first line)
    sigma: float  # σ_max(W_hh)
    slope: float  # the mean of 1 − h_t² over all units and steps: 0 saturated, 1 linear


def measure(rho: float, scale: float, nonnormal: float, network: int = 1) -> Measured:
    """Measure the network that `layer` returns on `INPUTS`, from h_0 = 0."""
    rnn = layer(rho, scale, nonnormal, network)
    h, _, _ = rnn.forward(INPUTS[:, None])
    return Measured(
        jacobians.norms_by_lag(rnn, INPUTS),
        jacobians.bound_by_lag(jacobians.step_jacobians(rnn, INPUTS)),
        float(jacobians.singular_values(rnn.params["W_hh"])[0]),
        float(np.mean(1 - h**2)),
    )


def verdict(norm: float) -> str:
    """Return "vanish", "explode" or "neither" for the norm at lag 50."""
    return "vanish" if norm < SMALL else "explode" if norm > LARGE else "neither"


class GradientByLag(Explorable):
    """The norm of the gradient by lag in an RNN of 8 units, and what ρ foretells of it."""

    name = "lag"
    rho = Number(1.2, 0.2, 1.8, 0.05)
    scale = Number(0.5, 0.0, 3.0, 0.05)
    nonnormal = Number(1.0, 0.0, 5.0, 0.1)
    lag = Number(LAGS, 0, LAGS, 1)
    network = Choice(1, [1, 2, 3])
    bounds = Truth(False)

    def data(self) -> dict[str, Any]:
        """Return the inputs and what the networks are made of."""
        networks = {n: [part.tolist() for part in parts] for n, parts in NETWORKS.items()}
        return {"inputs": INPUTS.tolist(), "networks": networks}
