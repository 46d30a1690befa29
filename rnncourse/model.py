"""A recurrent layer, a readout and a loss, joined into a trainable model.

The arrangement says where the inputs enter and which outputs count:

    many-to-many   an input and an output at every step
    many-to-one    an input at every step, one output after the last
    one-to-many    one input at the first step (zeros after it), an output at every step

A network that reads first and answers later (encoder-decoder) is many-to-many with a mask that
counts the answering steps only, or two layers chained through `state`.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as shortened
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .files import PathLike, load_arrays, save_arrays
from .layers import architecture
from .layers import layer as call
from .layers.layer import Layer
from .layers.readout import Readout, Reduction, softmax_cross_entropy, squared_error
from .validation import (
    Array,
    Params,
    boolean_array,
    copy_params,
    numeric,
    real_array,
    require_choice,
    require_finite,
    require_positive,
    require_rng,
    require_shape,
    require_size,
    sequences,
)

Arrangement = Literal["many-to-many", "many-to-one", "one-to-many"]
Loss = Literal["cross_entropy", "squared_error"]
LOSSES = {"squared_error": squared_error, "cross_entropy": softmax_cross_entropy}
L = TypeVar("L", bound=Layer)
MODEL_FORMAT = "rnncourse model 2"  # of a file with a model, and of a checkpoint
VERSION_0_1 = "rnncourse checkpoint 1"  # of version 0.1, which did not say how a model is made


@dataclass(frozen=True, eq=False, slots=True)
class LossAndGradients:
    """A loss, what it depends on and how, and the state after it.

    Attributes
    ----------
    E : the loss
    grads : dE/dW for every parameter W, by name, each in its parameter's shape
    dx : dE/dx in the shape of x; None if the inputs are labels
    dstate_0 : the gradient for the layer's initial state, in its structure
    state_T : the layer's final state
    """

    E: float
    grads: dict[str, Array]
    dx: Array | None
    dstate_0: Any
    state_T: Any


class Model(Generic[L]):
    """A recurrent layer with a linear readout and a loss.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Bidirectional, Stack, or any other that meets `Layer`
        The recurrent layer.
    readout : Readout
        Has the layer's hidden size and dtype.
    loss : "cross_entropy" (labels) or "squared_error" (real targets)
    arrangement : "many-to-many", "many-to-one" or "one-to-many"
    reduction : "mean" over the counted predictions (default) or their "sum"

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> model = Model(RNN(3, 8, rng=rng), Readout(8, 2, rng=rng), arrangement="many-to-one")
    >>> x, labels = rng.normal(size=(5, 4, 3)), [0, 1, 1, 0]
    >>> result = model.loss_and_gradients(x, labels)
    >>> result.grads["W_hh"].shape, result.dx.shape
    ((8, 8), (5, 4, 3))
    """

    def __init__(
        self,
        layer: L,
        readout: Readout,
        *,
        loss: Loss = "cross_entropy",
        arrangement: Arrangement = "many-to-many",
        reduction: Reduction = "mean",
    ) -> None:
        call.require_layer("layer", layer)
        if not isinstance(readout, Readout):
            raise TypeError(f"readout is {readout!r}, expected a Readout")
        if readout.hidden_size != layer.hidden_size:
            raise ValueError(
                f"readout has hidden_size {readout.hidden_size}, "
                f"expected the layer's {layer.hidden_size}"
            )
        if readout.dtype != layer.dtype:
            raise ValueError(f"readout has dtype {readout.dtype}, expected {layer.dtype}")
        self.layer, self.readout = layer, readout
        self.loss_name = require_choice("loss", loss, get_args(Loss))
        self.arrangement = require_choice("arrangement", arrangement, get_args(Arrangement))
        self.reduction = require_choice("reduction", reduction, get_args(Reduction))
        if arrangement == "one-to-many" and call.takes_labels(layer):
            raise ValueError(
                "arrangement is 'one-to-many', expected another: it fills the later steps with "
                "zeros, and a layer that takes labels has no input that means nothing"
            )

    @property
    def params(self) -> Params:
        """Every parameter by name. The mapping is read-only; write into its arrays in place.

        A step of one's own is ``for name, W in model.params.items(): W -= 0.1 * grads[name]``. To
        keep the weights of now for `load_params`, copy them: ``{n: W.copy() for n, W in …}``.
        """
        return MappingProxyType({**self.layer.params, **self.readout.params})

    def __repr__(self) -> str:
        return (
            f"Model({self.layer!r}, {self.readout!r}, loss={self.loss_name!r}, "
            f"arrangement={self.arrangement!r}, reduction={self.reduction!r})"
        )

    @property
    def description(self) -> dict[str, Any]:
        """How the model is made, as data that JSON can hold: sizes and options, no weights."""
        readout = self.readout
        sizes = {"hidden_size": readout.hidden_size, "output_size": readout.output_size}
        return {
            "layer": architecture.describe(self.layer),
            "readout": sizes,
            "dtype": readout.dtype.name,
            "loss": self.loss_name,
            "arrangement": self.arrangement,
            "reduction": self.reduction,
        }

    @property
    def parameter_count(self) -> int:
        """Number of trainable numbers. It does not depend on the sequence length."""
        return sum(p.size for p in self.params.values())

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` into the model; nothing changes unless every name and shape fits."""
        copy_params(self.params, values)

    def save(self, path: PathLike) -> None:
        """Write the model to a ``.npz`` file, from which `load` makes it again, weights included.

        The file appears whole or not at all, and holds plain numbers only (no pickle). To go on
        with a training run later, save a checkpoint instead.

        Parameters
        ----------
        path : file to write or replace, by the name that is given; its folder must exist

        Raises
        ------
        TypeError
            A layer of your own does not say how it is made: see `Layer`.
        ValueError
            A weight is NaN or infinite.
        OSError
            The file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> rng = np.random.default_rng(0)
        >>> model = Model(GRU(3, 4, rng=rng), Readout(4, 2, rng=rng))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.npz")
        ...     model.save(path)
        ...     again = Model.load(path)
        >>> x = rng.normal(size=(5, 1, 3))
        >>> bool((again.predict(x) == model.predict(x)).all())
        True
        """
        architecture.describe(self.layer, complete=True)
        for name, W in self.params.items():
            require_finite(name, W)
        arrays = {f"params/{name}": W for name, W in self.params.items()}
        header = {"model": self.description, "training": None}
        save_arrays(path, arrays, header, format=MODEL_FORMAT)

    @classmethod
    def load(cls, path: PathLike, *, layers: Iterable[type[Any]] = ()) -> "Model[Layer]":
        """Make a model from a file that `save` or `save_checkpoint` wrote.

        Nothing in the file is executed, and nothing larger is made than the file itself. Of a
        checkpoint, what belongs to the training run is left aside.

        Parameters
        ----------
        path : file
        layers : classes, optional
            Of the layers of your own in the model, by whose `arguments` they are made again. One
            that takes an `rng` is given a new one.

        Raises
        ------
        FileNotFoundError, PermissionError
            The file is not there, or may not be read.
        ValueError
            The file is damaged, is no such file, or has a layer whose class is not known.
        """
        kinds = architecture.kinds(layers)
        arrays, header = load_arrays(path, MODEL_FORMAT, VERSION_0_1)
        try:
            return cast("type[Model[Layer]]", cls)._made(arrays, header, kinds)
        except Exception as error:  # what is damaged, and a class of one's own, may raise anything
            reason = str(error) if isinstance(error, TypeError | ValueError) else repr(error)
            if isinstance(error, RecursionError):
                reason = "its layers are nested too deep"
            reason = reason if len(reason) < 500 else f"{reason[:500]}…"
            raise ValueError(f"model {os.fspath(path)} cannot be loaded: {reason}") from error

    @classmethod
    def _made(
        cls, arrays: Mapping[str, NDArray], header: Any, kinds: architecture.Kinds
    ) -> "Model[L]":
        """Make a model from what a file holds; nothing in it has been checked."""
        described = header.get("model") if isinstance(header, dict) else header
        if isinstance(described, str):
            raise ValueError(
                f"a checkpoint of version 0.1 ({described}) does not have the sizes of its layers; "
                "make the model as it was, then load_checkpoint(path, model)"
            )
        values = {n.removeprefix("params/"): a for n, a in arrays.items() if n[:7] == "params/"}
        keys = {"layer", "readout", "dtype", "loss", "arrangement", "reduction"}
        if not isinstance(described, dict) or set(described) != keys:
            raise ValueError(f"its model is {shortened(described)}, expected {sorted(keys)}")
        sizes = described["readout"]
        if not isinstance(sizes, dict) or set(sizes) != {"hidden_size", "output_size"}:
            raise ValueError(f"its readout is {shortened(sizes)}, expected two sizes")
        H, O = (require_size(name, sizes[name]) for name in ("hidden_size", "output_size"))
        count = architecture.count_parameters(described["layer"], kinds) + O * (H + 1)
        given = sum(value.size for value in values.values())
        if count > given:  # found out before memory is asked for
            names = shortened(sorted(values))
            raise ValueError(f"it needs {count} parameters, expected the {given} of its {names}")
        rng = np.random.default_rng(0)  # what it draws is replaced below
        options = {name: described[name] for name in ("loss", "arrangement", "reduction")}
        layer = cast(L, architecture.build(described["layer"], kinds))
        readout = Readout(H, O, rng=rng, dtype=described["dtype"])
        model = cls(layer, readout, **options)
        if words := architecture.difference(described, model.description):
            raise ValueError(words)
        for name, value in values.items():
            if value.dtype.newbyteorder("=") != readout.dtype:
                raise ValueError(f"{name} has dtype {value.dtype}, expected {readout.dtype}")
        copy_params(model.params, values)
        return model

    def predict(
        self,
        x: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        steps: int | None = None,
    ) -> Array:
        """Return the outputs y.

        Parameters
        ----------
        x : (T, B, D); for one-to-many (B, D); for a layer that takes labels (T, B)
        state : initial state, optional
        lengths : (B,) lengths, optional
        steps : int
            For one-to-many only, where it is needed: how many outputs to give.

        Returns
        -------
        (T, B, O); for many-to-one (B, O); for one-to-many (steps, B, O). What stands past a
        sequence's length means nothing.

        Raises
        ------
        TypeError, ValueError
            A wrong dtype or shape, a length outside 1..T, NaN or infinity in x, in the state or
            in a parameter; a masked entry.
        """
        return self.run(x, state=state, lengths=lengths, steps=steps)[0]

    @np.errstate(all="ignore")
    def run(
        self,
        x: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        steps: int | None = None,
    ) -> tuple[Array, Any]:
        """Return the outputs y and the layer's final state, with which a later run can go on.

        Arguments, outputs and errors are those of `predict`. Nothing else is kept.
        """
        if steps is not None and self.arrangement != "one-to-many":
            raise ValueError(f"steps is {steps}, expected None for a {self.arrangement} model")
        h, state_T = call.run(self.layer, self._inputs(x, steps), state, lengths)
        return self.readout.forward(self._read_at(h, lengths)), state_T

    @np.errstate(all="ignore")
    def loss(
        self,
        x: ArrayLike,
        targets: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> float:
        """Return the loss E; arguments as for `loss_and_gradients`."""
        x, targets = self._spread(x, targets)
        h, _ = call.run(self.layer, x, state, lengths)
        return self._read(h, targets, lengths, mask)[0]

    @np.errstate(all="ignore")
    def loss_and_gradients(
        self,
        x: ArrayLike,
        targets: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> LossAndGradients:
        """Return the loss E, its gradients, and the final state.

        Parameters
        ----------
        x : (T, B, D); for one-to-many (B, D); for a layer that takes labels (T, B)
        targets : one per prediction
            Labels (T, B) or targets (T, B, O); for many-to-one (B,) or (B, O).
        state : optional
            Initial state of the layer. Handing in the final state of the chunk before, and leaving
            its gradient where it is, is truncated backpropagation through time.
        lengths : (B,) of whole numbers from 1 to T, optional
            Steps past a sequence's length do not count.
        mask : bool, one per prediction, optional
            True for the predictions that count.

        Returns
        -------
        LossAndGradients
            With E, grads, dx, dstate_0 and state_T.

        Raises
        ------
        TypeError, ValueError
            As for `predict`; besides, targets that do not fit the loss, or a mask that counts
            nothing.
        """
        inputs, targets = self._spread(x, targets)
        h, state_T, trace = call.forward(self.layer, inputs, state, lengths)
        E, dy, read = self._read(h, targets, lengths, mask)
        dh, grads = self._read_back(dy, h, read, lengths)
        dx, dstate_0, layer_grads = call.backward(self.layer, trace, dh)
        if self.arrangement == "one-to-many":
            dx = dx[0]
        return LossAndGradients(E, {**layer_grads, **grads}, dx, dstate_0, state_T)

    @np.errstate(all="ignore")
    def layer_signals(
        self,
        x: ArrayLike,
        targets: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return what enters the layer at each step, and what comes back to it from the readout.

        Parameters
        ----------
        x, targets, state, lengths, mask
            As for `loss_and_gradients`.

        Returns
        -------
        x : (T, B, D)
            The inputs, step by step; zeros past a sequence's length. For a layer that takes labels
            (T, B).
        dh : (T, B, H)
            ∂E/∂h_t by way of y_t, W_hyᵀ δ^y_t: what `layer.backward` is given.

        Raises
        ------
        TypeError, ValueError
            As for `loss_and_gradients`.
        """
        inputs, targets = self._spread(x, targets)
        h, _ = call.run(self.layer, inputs, state, lengths)
        _, dy, read = self._read(h, targets, lengths, mask)
        if call.takes_labels(self.layer):
            signals = np.array(inputs)
            if lengths is not None:
                signals[np.arange(len(h))[:, None] >= np.asarray(lengths)] = 0
        else:
            D, dtype = self.layer.input_size, self.layer.dtype
            signals = sequences(inputs, lengths, D, dtype)[0].copy()
        return signals, self._read_back(dy, h, read, lengths)[0]

    @np.errstate(all="ignore")
    def generate(
        self,
        x: ArrayLike,
        steps: int,
        *,
        state: Any = None,
        rng: np.random.Generator | None = None,
        temperature: float = 1.0,
    ) -> NDArray:
        """Read `x`, then go on alone: each output becomes the next input.

        Parameters
        ----------
        x : (T, B, D), or labels (T, B) for a layer that takes them
            The beginning. The input size must equal the output size O.
        state : optional
            Initial state of the layer; zeros if left out.
        steps : int
            How many outputs to generate.
        rng : numpy.random.Generator, optional
            For a cross-entropy model: draws each label from softmax(y / temperature). Left out,
            the most probable label is taken. A squared-error model draws nothing.
        temperature : float above 0
            Below 1 the draws keep closer to the most probable label, above 1 they spread. Used
            with `rng` only.

        Returns
        -------
        (steps, B) labels for a cross-entropy model; (steps, B, O) values otherwise
        """
        D, O = self.layer.input_size, self.readout.output_size
        if self.arrangement != "many-to-many" or D != O:
            raise ValueError(
                f"the model is {self.arrangement} with input size {D} and output size {O}; to "
                "feed outputs back it must be many-to-many with equal sizes"
            )
        require_size("steps", steps)
        require_positive("temperature", temperature)
        if rng is not None:
            require_rng(rng)
        call.require_causal(self.layer, "generate")
        labels, as_inputs = self.loss_name == "cross_entropy", np.eye(O, dtype=self.layer.dtype)
        h, state = call.run(self.layer, x, state, None)
        h_t, made = h[-1], []
        for n in range(steps):
            y = self.readout.forward(h_t)
            made.append(_choose(y, rng, temperature) if labels else y)
            if n + 1 == steps:
                break
            x_t = as_inputs[made[-1]] if labels and not call.takes_labels(self.layer) else made[-1]
            h_t, state = call.step(self.layer, x_t, state)
        return np.stack(made)

    def _inputs(self, x: ArrayLike, steps: int | None) -> ArrayLike:
        """For one-to-many, spread x (B, D) over `steps` steps: x first, zeros after it."""
        if self.arrangement != "one-to-many":
            return x
        if steps is None:
            raise ValueError("steps is missing: a one-to-many model needs a number of outputs")
        x = real_array("x", x, ("B", self.layer.input_size), self.layer.dtype)
        spread = np.zeros((require_size("steps", steps), *x.shape), x.dtype)
        spread[0] = x
        return spread

    def _read_at(self, h: Array, lengths: ArrayLike | None) -> Array:
        """Return the states that the readout reads: all, or each sequence's last."""
        if self.arrangement != "many-to-one":
            return h
        T, B, _ = h.shape
        read = h[_last(lengths, T, B)]
        if reverse := call.backward_size(self.layer):  # what reads from the end ends at step 1
            read[:, -reverse:] = h[0, :, -reverse:]
        return read

    def _read_back(
        self, dy: Array, h: Array, read: Array, lengths: ArrayLike | None
    ) -> tuple[Array, dict[str, Array]]:
        """Return ∂E/∂h_t by way of y_t, (T, B, H), and the readout's gradients."""
        dread, grads = self.readout.backward(read, dy)
        if self.arrangement != "many-to-one":
            return dread, grads
        T, B, _ = h.shape
        dh = np.zeros_like(h)
        dh[_last(lengths, T, B)] = dread
        if reverse := call.backward_size(self.layer):
            dh[:, :, -reverse:] = 0
            dh[0, :, -reverse:] = dread[:, -reverse:]
        return dh, grads

    def _spread(self, x: ArrayLike, targets: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """Return the inputs of every step; for one-to-many the targets say how many there are."""
        if self.arrangement != "one-to-many":
            return x, targets
        targets = numeric("targets", targets, "iuf", "real numbers")
        labels = self.loss_name == "cross_entropy"
        require_shape("targets", targets, ("T", "B") if labels else ("T", "B", "O"))
        return self._inputs(x, len(targets)), targets

    def _read(
        self, h: Array, targets: ArrayLike, lengths: ArrayLike | None, mask: ArrayLike | None
    ) -> tuple[float, Array, Array]:
        """Return E, ∂E/∂y, and the states that were read."""
        read = self._read_at(h, lengths)
        y = self.readout.forward(read)
        if lengths is not None and self.arrangement != "many-to-one":
            inside = np.arange(len(h))[:, None] < np.asarray(lengths)
            mask = inside if mask is None else inside & boolean_array("mask", mask, inside.shape)
        E, dy = LOSSES[self.loss_name](y, targets, mask, self.reduction)
        return E, dy, read


def _last(lengths: ArrayLike | None, T: int, B: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the index of each sequence's last step in an array (T, B, ...).

    The layer has checked the lengths.
    """
    last = np.full(B, T) if lengths is None else np.asarray(lengths)
    return last - 1, np.arange(B)


def _choose(y: Array, rng: np.random.Generator | None, temperature: float) -> NDArray[np.intp]:
    """Return one label for each row of outputs y (B, O)."""
    if rng is None:
        return y.argmax(axis=-1)
    below_largest = np.subtract(y, y.max(axis=-1, keepdims=True), dtype=np.float64)
    # e⁻⁸⁰⁰ is 0, and a temperature near 0 must not make a number too large.
    exponents = np.maximum(below_largest, -800 * temperature) / temperature
    cumulative = np.exp(exponents).cumsum(axis=-1)  # of probabilities, but for a common factor
    draws = rng.random((len(y), 1)) * cumulative[:, -1:]
    return (cumulative[:, :-1] <= draws).sum(axis=-1)
