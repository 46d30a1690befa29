"""A recurrent layer, a readout and a loss, joined into a trainable model.

The arrangement says where the inputs enter and which outputs count:

    many-to-many   an input and an output at every step
    many-to-one    an input at every step, one output after the last
    one-to-many    one input at the first step (zeros after it), an output at every step

A network that reads first and answers later (encoder-decoder) is many-to-many with a mask that
counts the answering steps only, or two layers chained through `state`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .layers.readout import Readout, softmax_cross_entropy, squared_error
from .nonlinear import softmax
from .validation import (
    Array,
    Params,
    boolean_array,
    copy_params,
    numeric,
    real_array,
    require_choice,
    require_positive,
    require_rng,
    require_shape,
    require_size,
    sequences,
)

ARRANGEMENTS = ("many-to-many", "many-to-one", "one-to-many")
LOSSES = {"squared_error": squared_error, "cross_entropy": softmax_cross_entropy}


class Layer(Protocol):
    """What a model asks of its recurrent layer: `RNN`, `LSTM` and `Stack` have it."""

    input_size: int
    hidden_size: int
    dtype: np.dtype

    @property
    def params(self) -> Params:
        """The parameters by name, as arrays that are written in place."""

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Array, Any, Any]:
        """Return states (T, B, H), final state, trace."""

    def backward(
        self, trace: Any, dh: Any, dstate_T: Any = None
    ) -> tuple[Array, Any, Mapping[str, Array]]:
        """Return the gradients for inputs, initial state and parameters."""


class Model:
    """A recurrent layer with a linear readout and a loss.

    Parameters
    ----------
    layer : RNN, LSTM or Stack
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
    >>> E, grads, state_T = model.loss_and_gradients(x, labels)
    >>> grads["W_hh"].shape
    (8, 8)
    """

    def __init__(
        self,
        layer: Layer,
        readout: Readout,
        *,
        loss: str = "cross_entropy",
        arrangement: str = "many-to-many",
        reduction: str = "mean",
    ) -> None:
        if not (hasattr(layer, "forward") and hasattr(layer, "backward")):
            raise TypeError(f"layer is {layer!r}, expected an RNN, LSTM or Stack")
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
        self.loss_name = require_choice("loss", loss, tuple(LOSSES))
        self.arrangement = require_choice("arrangement", arrangement, ARRANGEMENTS)
        self.reduction = require_choice("reduction", reduction, ("mean", "sum"))

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
    def parameter_count(self) -> int:
        """Number of trainable numbers. It does not depend on the sequence length."""
        return sum(p.size for p in self.params.values())

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` into the model; nothing changes unless every name and shape fits."""
        copy_params(self.params, values)

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
        x : (T, B, D); for one-to-many (B, D)
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
            in a parameter.
        """
        return self.run(x, state=state, lengths=lengths, steps=steps)[0]

    def run(
        self,
        x: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        steps: int | None = None,
    ) -> tuple[Array, Any]:
        """Return the outputs y and the layer's final state, with which a later run can go on.

        Arguments, outputs and errors are those of `predict`.
        """
        if steps is not None and self.arrangement != "one-to-many":
            raise ValueError(f"steps is {steps}, expected None for a {self.arrangement} model")
        h, state_T, _ = self.layer.forward(self._inputs(x, steps), state, lengths)
        return self.readout.forward(self._read_at(h, lengths)), state_T

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
        return self._forward(x, targets, state, lengths, mask)[0]

    def loss_and_gradients(
        self,
        x: ArrayLike,
        targets: ArrayLike,
        *,
        state: Any = None,
        lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> tuple[float, dict[str, Array], Any]:
        """Return the loss E, its gradient for every parameter, and the final state.

        Parameters
        ----------
        x : (T, B, D); for one-to-many (B, D)
        targets : one per prediction
            Labels (T, B) or targets (T, B, O); for many-to-one (B,) or (B, O).
        state : optional
            Initial state of the layer. No gradient is returned for it: handing in the final
            state of the chunk before is truncated backpropagation through time.
        lengths : (B,) of whole numbers from 1 to T, optional
            Steps past a sequence's length do not count.
        mask : bool, one per prediction, optional
            True for the predictions that count.

        Returns
        -------
        E : float
        grads : dict of arrays, each in its parameter's shape
        state_T : the layer's final state

        Raises
        ------
        TypeError, ValueError
            As for `predict`; besides, targets that do not fit the loss, or a mask that counts
            nothing.
        """
        E, dy, h, read, trace, state_T = self._forward(x, targets, state, lengths, mask)
        dh, grads = self._read_back(dy, h, read, lengths)
        _, _, layer_grads = self.layer.backward(trace, dh)
        return E, {**layer_grads, **grads}, state_T

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
            The inputs, step by step; zeros past a sequence's length.
        dh : (T, B, H)
            ∂E/∂h_t by way of y_t, W_hyᵀ δ^y_t: what `layer.backward` is given.

        Raises
        ------
        TypeError, ValueError
            As for `loss_and_gradients`.
        """
        _, dy, h, read, _, _ = self._forward(x, targets, state, lengths, mask)
        D, dtype = self.layer.input_size, self.layer.dtype
        steps = len(h) if self.arrangement == "one-to-many" else None
        x, _, _ = sequences(self._inputs(x, steps), lengths, D, dtype)
        return x.copy(), self._read_back(dy, h, read, lengths)[0]

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
        x : (T, B, D)
            The beginning. D must equal the output size O.
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
        made: list[NDArray] = []
        x_t, one_hot = x, np.eye(O)
        for _ in range(steps):
            h, state, _ = self.layer.forward(x_t, state)
            y = self.readout.forward(h[-1])
            if self.loss_name == "squared_error":
                made.append(y)
                x_t = y[None]
            else:
                label = _choose(y, rng, temperature)
                made.append(label)
                x_t = one_hot[label][None]
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
        return h[_last(lengths, T, B)]

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
        return dh, grads

    def _forward(
        self,
        x: ArrayLike,
        targets: ArrayLike,
        state: Any,
        lengths: ArrayLike | None,
        mask: ArrayLike | None,
    ) -> tuple[float, Array, Array, Array, Any, Any]:
        """Return E, ∂E/∂y, all states, the states that were read, the trace, the final state."""
        steps = None
        if self.arrangement == "one-to-many":
            targets = numeric("targets", targets, "iuf", "real numbers")
            labels = self.loss_name == "cross_entropy"
            require_shape("targets", targets, ("T", "B") if labels else ("T", "B", "O"))
            steps = len(targets)
        h, state_T, trace = self.layer.forward(self._inputs(x, steps), state, lengths)
        read = self._read_at(h, lengths)
        y = self.readout.forward(read)
        if lengths is not None and self.arrangement != "many-to-one":
            inside = np.arange(len(h))[:, None] < np.asarray(lengths)
            mask = inside if mask is None else inside & boolean_array("mask", mask, inside.shape)
        E, dy = LOSSES[self.loss_name](y, targets, mask, self.reduction)
        return E, dy, h, read, trace, state_T


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
    y = y.astype(np.float64)
    with np.errstate(over="ignore"):  # a temperature near 0 sends all but the largest to −∞
        p = softmax((y - y.max(axis=-1, keepdims=True)) / temperature)
    below = p.cumsum(axis=-1) <= rng.random((len(y), 1))
    return np.minimum(below.sum(axis=-1), y.shape[-1] - 1)
