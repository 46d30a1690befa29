"""Weights from and to PyTorch.

`torch.nn.RNN` computes tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), and `torch.nn.LSTM` has the
same inside each gate. Its W_ih is our W_xh, its W_hh is ours, and our b_h is the sum of its two
biases; no rows or columns change places. The same holds for `torch.nn.GRU` and a `GRU` with
reset="after", except that the candidate keeps both biases: b_hh of its rows is our b_hh_n.
A `Stack` is a PyTorch module with as many layers, a `Bidirectional` layer a module with
bidirectional=True, and an `Embedding` is a `torch.nn.Embedding`.

A layer of your own travels too if it says which of these modules computes the same, in an attribute
`torch_kind` such as "RNN", and has parameters of the same names and shapes. The functions that take
or give a state dict work without PyTorch: any mapping of arrays will do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .layers.bidirectional import Bidirectional
from .layers.layer import Layer, require_layer
from .layers.stack import Stack
from .validation import (
    Array,
    copy_params,
    fitting_params,
    real_array,
    require_writable,
)

if TYPE_CHECKING:
    import torch

# PyTorch's name for each of our weights; its other bias, bias_hh, is added to b_h.
NAMES = {"W_xh": "weight_ih", "W_hh": "weight_hh", "b_h": "bias_ih"}
# How many blocks of H rows a module's weights have, and so what a state dict is of.
KIND_BY_BLOCKS = {1: "RNN", 3: "GRU", 4: "LSTM"}


@dataclass(frozen=True)
class _Part:
    """One direction of one layer of a PyTorch module, and the layer of ours that is it."""

    layer: Layer
    suffix: str  # of its names: _l0, _l0_reverse, _l1, …

    @property
    def kind(self) -> str:
        return str(self.layer.torch_kind)  # type: ignore[attr-defined]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its weights and biases by PyTorch's names."""
        params = self.layer.params
        named = {f"{theirs}{self.suffix}": params[ours].shape for ours, theirs in NAMES.items()}
        return named | {f"bias_hh{self.suffix}": params["b_h"].shape}

    def from_torch(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return our parameters, given PyTorch's; biases may be missing."""
        b_h = self.layer.params["b_h"]
        b_ih = arrays.get(f"bias_ih{self.suffix}", np.zeros_like(b_h))
        b_hh = arrays.get(f"bias_hh{self.suffix}", np.zeros_like(b_h)).copy()
        own = {ours: arrays[f"{NAMES[ours]}{self.suffix}"] for ours in ("W_xh", "W_hh")}
        if self.kind == "GRU":
            n = slice(2 * self.layer.hidden_size, None)
            own["b_hh_n"] = b_hh[n].copy()
            b_hh[n] = 0
        with np.errstate(all="ignore"):  # a sum that overflows is reported below as infinity
            own["b_h"] = b_ih + b_hh
        return fitting_params(self.layer.params, own)

    def to_torch(self) -> dict[str, Array]:
        """Return PyTorch's weights and biases by name, as copies."""
        params = self.layer.params
        b_hh = np.zeros_like(params["b_h"])
        if self.kind == "GRU":
            b_hh[2 * self.layer.hidden_size :] = params["b_hh_n"]
        named = {f"{theirs}{self.suffix}": params[ours].copy() for ours, theirs in NAMES.items()}
        return named | {f"bias_hh{self.suffix}": b_hh}


def load_torch_state(layer: Layer, state: Mapping[str, Any]) -> None:
    """Copy the weights of a PyTorch module into `layer`.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Embedding, Bidirectional or Stack of the same sizes
    state : mapping
        ``module.state_dict()``, or arrays under the same names. For an RNN weight_ih_l0 (H, D),
        weight_hh_l0 (H, H), bias_ih_l0 (H,) and bias_hh_l0 (H,); for an LSTM 4H and for a GRU 3H in
        the place of the first H; for the layers of a stack l0, l1, … from the bottom up; for what
        reads from the end l0_reverse. All biases may be left out together (``bias=False``). For an
        embedding weight (V, D). A state dict does not tell an RNN's nonlinearity: it must be tanh,
        PyTorch's default. Tensors may require a gradient, lie on a GPU, and be of any floating
        dtype, also bfloat16.

    Raises
    ------
    TypeError, ValueError
        Weights of another kind of module, or of a whole model, with a prefix; names or shapes that
        do not fit; NaN or infinity; a tensor without data, sparse or quantized; a layer that is
        read-only or has no counterpart. `layer` is then unchanged.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"state is a {type(state).__name__}, expected the mapping state_dict() gives"
        )
    if other := [name for name in state if not isinstance(name, str)]:
        raise TypeError(f"state has the name {other[0]!r}, expected text such as 'weight_hh_l0'")
    if _is_embedding(layer):
        _require_kind(state, "Embedding")
        table = layer.params["table"]
        weight = _read("weight", state["weight"])
        values = {"table": real_array("weight", weight, table.shape, layer.dtype)}
        copy_params(layer.params, values)
        return
    parts = _parts(layer)
    for part in parts:
        _require_kind(state, part.kind, part.suffix)
    shapes = {name: shape for part in parts for name, shape in part.shapes.items()}
    weights = {name for name in shapes if name.startswith("weight")}
    if set(state) not in (weights, set(shapes)):
        layers = sum(not part.suffix.endswith("_reverse") for part in parts)
        directions = "two directions" if len(parts) > layers else "one direction"
        raise ValueError(
            f"state has {sorted(state)}, expected {sorted(shapes)}: "
            f"{layers} layer{'s' * (layers > 1)}, {directions}"
        )
    checked = {n: real_array(n, _read(n, a), shapes[n], layer.dtype) for n, a in state.items()}
    require_writable(layer.params)
    values_of_parts = [part.from_torch(checked) for part in parts]
    for part, values in zip(parts, values_of_parts, strict=True):
        copy_params(part.layer.params, values)


def torch_state(layer: Layer) -> dict[str, Array]:
    """Return the weights of `layer` under PyTorch's names, as copies.

    b_h becomes bias_ih, and bias_hh is zero but for a GRU's b_hh_n.
    """
    if _is_embedding(layer):
        return {"weight": layer.params["table"].copy()}
    return {name: a for part in _parts(layer) for name, a in part.to_torch().items()}


def to_torch(
    layer: Layer,
) -> "torch.nn.RNN | torch.nn.LSTM | torch.nn.GRU | torch.nn.Embedding":
    """Return a PyTorch module with the weights and dtype of `layer`.

    Needs PyTorch. The outputs are equal. Training goes on equally only if ``bias_hh_l0`` (and
    ``bias_hh_l1`` …) is kept from learning: PyTorch would move both biases where we have one.

    Raises
    ------
    ValueError
        A stack that mixes kinds, directions or hidden sizes, which one PyTorch module cannot hold.
    """
    import torch

    require_layer("layer", layer)
    dtype = getattr(torch, layer.dtype.name)
    if _is_embedding(layer):
        module = torch.nn.Embedding(layer.input_size, layer.hidden_size, dtype=dtype)
    else:
        parts = _parts(layer)
        layers = sum(not part.suffix.endswith("_reverse") for part in parts)
        kinds = {(part.kind, part.layer.hidden_size) for part in parts}
        if len(kinds) > 1:
            raise ValueError(f"layer stacks {sorted(kinds)}, expected one kind and one hidden size")
        if len(parts) not in (layers, 2 * layers):
            raise ValueError("layer stacks one direction on two, expected one or two throughout")
        module = getattr(torch.nn, parts[0].kind)(
            layer.input_size,
            parts[0].layer.hidden_size,
            num_layers=layers,
            bidirectional=len(parts) > layers,
            dtype=dtype,
        )
    module.load_state_dict({n: torch.from_numpy(a) for n, a in torch_state(layer).items()})
    return module


def _is_embedding(layer: Layer) -> bool:
    require_layer("layer", layer)
    return getattr(layer, "torch_kind", None) == "Embedding"


def _parts(layer: Layer) -> list[_Part]:
    """Return the layers of PyTorch's, of one direction each, that compute what `layer` does."""
    require_layer("layer", layer)
    parts = []
    for k, own in enumerate(layer.layers if isinstance(layer, Stack) else (layer,)):
        if isinstance(own, Bidirectional):
            parts += [
                _Part(own.forward_layer, f"_l{k}"),
                _Part(own.reverse_layer, f"_l{k}_reverse"),
            ]
        else:
            parts.append(_Part(own, f"_l{k}"))
    for part in parts:
        if getattr(part.layer, "torch_kind", None) not in KIND_BY_BLOCKS.values():
            raise ValueError(
                f"{part.layer!r} has no counterpart in torch.nn, expected layers of one of the "
                f"kinds {', '.join(KIND_BY_BLOCKS.values())} (an attribute torch_kind says which)"
            )
    return parts


def _read(name: str, value: Any) -> Any:
    """Return a PyTorch tensor as an array, what NumPy has no dtype for as float32."""
    if not hasattr(value, "detach"):
        return value
    try:
        tensor = value.detach().cpu()
        short = tensor.is_floating_point() and tensor.element_size() < 4
        return (tensor.float() if short else tensor).numpy()
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"{name} cannot be read ({error}), expected a dense tensor of real numbers"
        ) from error


def _require_kind(state: Mapping[str, Any], expected: str, suffix: str = "_l0") -> None:
    """Raise ``ValueError`` if a state dict is plainly of another kind of module, or of a model that
    holds the module as one of its parts.
    """
    wanted = f"a torch.nn.{expected}"
    if found := _modules_within(state):
        given = ", ".join(f"{kind} under {prefix!r}" for prefix, kind in found.items())
        strip = ""
        if fitting := [prefix for prefix, kind in found.items() if kind == wanted]:
            strip = (
                f": strip the prefix, {{n.removeprefix({fitting[0]!r}): a for n, a in "
                f"state.items() if n.startswith({fitting[0]!r})}}"
            )
        raise ValueError(
            f"state is of a whole model, with {given}, expected that of {wanted} alone{strip}"
        )
    kind = _kind(state, suffix)
    if expected == "Embedding" and set(state) != {"weight"}:
        kind = kind or "another module"
    if kind not in (None, wanted):
        raise ValueError(f"state is of {kind}, expected that of {wanted}")


def _modules_within(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the kind of each module that is a part of a model, by the prefix of its names."""
    parts: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        prefix, dot, own = name.rpartition(".")
        parts.setdefault(prefix + dot, {})[own] = value
    kinds = {prefix: _kind(part) for prefix, part in parts.items() if prefix}
    return {prefix: kind for prefix, kind in kinds.items() if kind}


def _kind(state: Mapping[str, Any], suffix: str = "_l0") -> str | None:
    """Return of what module a state dict is, as far as its names and shapes tell."""
    if any(name.startswith("weight_hr") for name in state):
        return "an LSTM with projections"
    if set(state) == {"weight"} and len(np.shape(state["weight"])) == 2:
        return "a torch.nn.Embedding"
    for end, cell in ((suffix, ""), ("", "Cell")):
        match np.shape(state.get(f"weight_hh{end}", ())):
            case (R, H) if H and R % H == 0 and R // H in KIND_BY_BLOCKS:
                return f"a torch.nn.{KIND_BY_BLOCKS[R // H]}{cell}"
    return None
