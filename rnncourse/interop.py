"""Weights from and to PyTorch.

`torch.nn.RNN` computes tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh). Its W_ih is our W_xh, its
W_hh is ours, and our b_h is the sum of its two biases; no rows or columns change places. The
functions that take or give a state dict work without PyTorch: any mapping of arrays will do.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .rnn import RNN
from .validation import Array, real_array

if TYPE_CHECKING:
    import torch


def load_torch_state(rnn: RNN, state: Mapping[str, Any]) -> None:
    """Copy the weights of a one-layer `torch.nn.RNN` into `rnn`.

    Parameters
    ----------
    rnn : RNN of the same sizes
    state : mapping
        ``module.state_dict()``, or arrays under the same names: weight_ih_l0 (H, D),
        weight_hh_l0 (H, H), bias_ih_l0 (H,) and bias_hh_l0 (H,); the biases may be left out
        together (``bias=False``). A state dict does not tell the nonlinearity: it must be tanh,
        PyTorch's default.

    Raises
    ------
    ValueError
        Names or shapes that do not fit; `rnn` is then unchanged.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"state is a {type(state).__name__}, expected the mapping state_dict() gives"
        )
    D, H = rnn.input_size, rnn.hidden_size
    weights = {"weight_ih_l0": (H, D), "weight_hh_l0": (H, H)}
    shapes = weights | {"bias_ih_l0": (H,), "bias_hh_l0": (H,)}
    if set(state) not in (set(weights), set(shapes)):
        raise ValueError(
            f"state has {sorted(state)}, expected {sorted(shapes)}: one layer, one direction"
        )
    arrays = {
        name: real_array(name, value, shapes[name], rnn.dtype) for name, value in state.items()
    }
    zero = np.zeros(H)
    rnn.load_params(
        {
            "W_xh": arrays["weight_ih_l0"],
            "W_hh": arrays["weight_hh_l0"],
            "b_h": arrays.get("bias_ih_l0", zero) + arrays.get("bias_hh_l0", zero),
        }
    )


def torch_state(rnn: RNN) -> dict[str, Array]:
    """Return the weights of `rnn` under the names of `torch.nn.RNN`, as copies.

    b_h becomes bias_ih_l0, and bias_hh_l0 is zero.
    """
    p = rnn.params
    return {
        "weight_ih_l0": p["W_xh"].copy(),
        "weight_hh_l0": p["W_hh"].copy(),
        "bias_ih_l0": p["b_h"].copy(),
        "bias_hh_l0": np.zeros_like(p["b_h"]),
    }


def to_torch(rnn: RNN) -> "torch.nn.RNN":
    """Return a `torch.nn.RNN` with the weights and dtype of `rnn`; needs PyTorch."""
    import torch

    module = torch.nn.RNN(rnn.input_size, rnn.hidden_size, dtype=getattr(torch, rnn.dtype.name))
    module.load_state_dict({n: torch.from_numpy(a) for n, a in torch_state(rnn).items()})
    return module
