"""Weights from and to PyTorch.

`torch.nn.RNN` computes tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), and `torch.nn.LSTM` has the
same inside each gate. Its W_ih is our W_xh, its W_hh is ours, and our b_h is the sum of its two
biases; no rows or columns change places. A `Stack` is a PyTorch module with as many layers. The
functions that take or give a state dict work without PyTorch: any mapping of arrays will do.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .layers.lstm import LSTM
from .layers.rnn import RNN
from .layers.stack import Stack
from .validation import Array, fitting_params, real_array

if TYPE_CHECKING:
    import torch

# PyTorch's name for each of our weights; its other bias, bias_hh, is added to b_h.
NAMES = {"W_xh": "weight_ih", "W_hh": "weight_hh", "b_h": "bias_ih"}


def load_torch_state(layer: RNN | LSTM | Stack, state: Mapping[str, Any]) -> None:
    """Copy the weights of a `torch.nn.RNN` or `torch.nn.LSTM` into `layer`.

    Parameters
    ----------
    layer : RNN, LSTM or Stack of the same sizes
    state : mapping
        ``module.state_dict()``, or arrays under the same names. For an RNN weight_ih_l0 (H, D),
        weight_hh_l0 (H, H), bias_ih_l0 (H,) and bias_hh_l0 (H,); for an LSTM 4H in the place of
        the first H; for the layers of a stack l0, l1, … from the bottom up. All biases may be left
        out together (``bias=False``). A state dict does not tell an RNN's nonlinearity: it must
        be tanh, PyTorch's default.

    Raises
    ------
    TypeError, ValueError
        Names or shapes that do not fit, or NaN or infinity; `layer` is then unchanged.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"state is a {type(state).__name__}, expected the mapping state_dict() gives"
        )
    layers = _layers(layer)
    shapes = {
        f"{theirs}_l{k}": own.params[ours].shape
        for k, own in enumerate(layers)
        for ours, theirs in NAMES.items()
    }
    shapes |= {f"bias_hh_l{k}": own.params["b_h"].shape for k, own in enumerate(layers)}
    weights = {name for name in shapes if name.startswith("weight")}
    if set(state) not in (weights, set(shapes)):
        raise ValueError(
            f"state has {sorted(state)}, expected {sorted(shapes)}: "
            f"{len(layers)} layer{'s' * (len(layers) > 1)}, one direction"
        )
    values_of = {n: v.detach().cpu() if hasattr(v, "detach") else v for n, v in state.items()}
    arrays = {n: real_array(n, v, shapes[n], layer.dtype) for n, v in values_of.items()}
    values = []
    for k, own in enumerate(layers):
        zero = np.zeros_like(own.params["b_h"])
        with np.errstate(over="ignore"):  # a sum that overflows is reported below as infinity
            b_h = arrays.get(f"bias_ih_l{k}", zero) + arrays.get(f"bias_hh_l{k}", zero)
        given = {
            "W_xh": arrays[f"weight_ih_l{k}"],
            "W_hh": arrays[f"weight_hh_l{k}"],
            "b_h": b_h,
        }
        values.append(fitting_params(own.params, given))
    for own, fitting in zip(layers, values, strict=True):
        own.load_params(fitting)


def torch_state(layer: RNN | LSTM | Stack) -> dict[str, Array]:
    """Return the weights of `layer` under PyTorch's names, as copies.

    b_h becomes bias_ih, and bias_hh is zero.
    """
    state: dict[str, Array] = {}
    for k, own in enumerate(_layers(layer)):
        state |= {f"{theirs}_l{k}": own.params[ours].copy() for ours, theirs in NAMES.items()}
        state[f"bias_hh_l{k}"] = np.zeros_like(own.params["b_h"])
    return state


def to_torch(layer: RNN | LSTM | Stack) -> "torch.nn.RNN | torch.nn.LSTM":
    """Return a `torch.nn.RNN` or `torch.nn.LSTM` with the weights and dtype of `layer`.

    Needs PyTorch. The outputs are equal. Training goes on equally only if ``bias_hh_l0`` (and
    ``bias_hh_l1`` …) is kept from learning: PyTorch would move both biases where we have one.

    Raises
    ------
    ValueError
        A stack that mixes kinds or hidden sizes, which one PyTorch module cannot hold.
    """
    import torch

    layers = _layers(layer)
    kinds = {("LSTM" if isinstance(own, LSTM) else "RNN", own.hidden_size) for own in layers}
    if len(kinds) > 1:
        raise ValueError(f"layer stacks {sorted(kinds)}, expected one kind and one hidden size")
    kind = torch.nn.LSTM if isinstance(layers[0], LSTM) else torch.nn.RNN
    module = kind(
        layer.input_size,
        layer.hidden_size,
        num_layers=len(layers),
        dtype=getattr(torch, layer.dtype.name),
    )
    module.load_state_dict({n: torch.from_numpy(a) for n, a in torch_state(layer).items()})
    return module


def _layers(layer: RNN | LSTM | Stack) -> tuple[RNN | LSTM, ...]:
    if not isinstance(layer, RNN | LSTM | Stack):
        raise TypeError(f"layer is {layer!r}, expected an RNN, LSTM or Stack")
    return layer.layers if isinstance(layer, Stack) else (layer,)
