"""Vectors for whole numbers: words, characters, days of the week.

    e_t = table[x_t],    dtable[v] = Σ of dE/de_t over the places where x_t = v

A table's row is what a matrix makes of a one-hot vector, found without the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..validation import (
    Array,
    Params,
    copy_params,
    float_dtype,
    incoming,
    numeric,
    require_finite,
    require_rng,
    require_shape,
    require_size,
    whole_numbers,
)
from .packed import cleared


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """What `Embedding.backward` needs: the labels (T, B), 0 past a sequence's length, and inside.

    Attributes
    ----------
    labels : (T, B) int
    inside : (T, B) bool, True where step t belongs to sequence b; None if all have length T
    table_shape : (V, D) of the table that was used
    """

    labels: NDArray[np.intp]
    inside: NDArray[np.bool_] | None
    table_shape: tuple[int, ...]


class Embedding:
    """A table with a vector for each whole number, as the first layer of a `Stack`.

    ``Stack(Embedding(V, D, rng=rng), LSTM(D, H, rng=rng))`` reads whole numbers (T, B). It computes
    what an LSTM with V inputs computes from one-hot vectors, without the product over V columns.
    An embedding has no state, which is written ().

    Parameters
    ----------
    input_size, hidden_size : int
        V, how many different whole numbers there are, and D, the size of a vector; at least 1.
    rng : numpy.random.Generator
        Draws the table from the standard normal distribution, as `torch.nn.Embedding` does.
    dtype : float64 (default) or float32

    Examples
    --------
    >>> embedding = Embedding(20, 4, rng=np.random.default_rng(0))
    >>> e, state, trace = embedding.forward([[3, 7], [19, 0], [3, 3]])
    >>> e.shape, state, bool((e[0, 0] == e[2, 1]).all())
    ((3, 2, 4), (), True)
    """

    takes_labels = True
    torch_kind = "Embedding"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float64,
    ) -> None:
        V = self.input_size = require_size("input_size", input_size)
        D = self.hidden_size = require_size("hidden_size", hidden_size)
        self.dtype = float_dtype(dtype)
        self._table = require_rng(rng).normal(size=(V, D)).astype(self.dtype)

    def __repr__(self) -> str:
        return f"Embedding({self.input_size}, {self.hidden_size}, dtype={self.dtype})"

    @property
    def arguments(self) -> dict[str, Any]:
        """What makes an embedding of the same form, but for the rng."""
        sizes = {"input_size": self.input_size, "hidden_size": self.hidden_size}
        return {**sizes, "dtype": self.dtype.name}

    @classmethod
    def count_parameters(cls, input_size: int, hidden_size: int, **options: Any) -> int:
        """Return how many trainable numbers an embedding of these sizes has."""
        return require_size("input_size", input_size) * require_size("hidden_size", hidden_size)

    @property
    def params(self) -> Params:
        """The table (V, D) by name. The mapping is read-only; write into its array."""
        return MappingProxyType({"table": self._table})

    def load_params(self, values: Mapping[str, ArrayLike]) -> None:
        """Copy `values` (table) into the layer; nothing changes unless it fits."""
        copy_params(self.params, values)

    def forward(
        self, x: ArrayLike, state: tuple[()] | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, tuple[()], Trace]:
        """Look up the vector of each whole number.

        Parameters
        ----------
        x : (T, B) whole numbers from 0 to V − 1; anything past a sequence's length
        state : (), optional
        lengths : (B,) of whole numbers from 1 to T, optional

        Returns
        -------
        e : (T, B, D), zeros past a sequence's length
        state_T : ()
        trace : Trace, for `backward`

        Raises
        ------
        TypeError, ValueError
            A wrong dtype or shape; a number outside 0..V−1; NaN or infinity in the table.
        """
        _require_no_state("state", state)
        labels = numeric("x", x, "iu", "whole numbers")
        require_shape("x", labels, ("T", "B"))
        T, B = labels.shape
        inside = None
        if lengths is not None:
            inside = np.arange(T)[:, None] < whole_numbers("lengths", lengths, (B,), 1, T)
            labels = np.where(inside, labels, 0)
        labels = whole_numbers("x", labels, (T, B), 0, self.input_size - 1)
        require_finite("table", self._table)
        e = cleared(self._table[labels], inside)
        return e, (), Trace(labels, inside, self._table.shape)

    def run(
        self, x: ArrayLike, state: tuple[()] | None = None, lengths: ArrayLike | None = None
    ) -> tuple[Array, tuple[()]]:
        """As `forward`, without a trace."""
        return self.forward(x, state, lengths)[:2]

    def step(self, x_t: ArrayLike, state: tuple[()] | None = None) -> tuple[Array, tuple[()]]:
        """Look up the vectors (B, D) of the whole numbers (B,) of one step."""
        _require_no_state("state", state)
        vectors = self._table[whole_numbers("x_t", x_t, ("B",), 0, self.input_size - 1)]
        if not np.isfinite(vectors).all():
            require_finite("table", self._table)
        return vectors, ()

    @np.errstate(all="ignore")
    def backward(
        self, trace: Trace, dh: ArrayLike | None = None, dstate_T: tuple[()] | None = None
    ) -> tuple[None, tuple[()], dict[str, Array]]:
        """Add up for each row of the table the gradients of the places where it was used.

        Parameters
        ----------
        trace : Trace
            From `forward`.
        dh : (T, B, D), optional
            dE/de_t; entries past a sequence's length are ignored; zeros if left out.
        dstate_T : (), optional

        Returns
        -------
        dx : None
            Whole numbers have no gradient.
        dstate_0 : ()
        grads : dict
            The gradient of the table.
        """
        if not isinstance(trace, Trace):
            raise TypeError(f"trace is a {type(trace).__name__}, expected an embedding's Trace")
        if trace.table_shape != self._table.shape:
            raise ValueError(
                f"trace comes from a table of shape {trace.table_shape}, expected "
                f"{self._table.shape}"
            )
        _require_no_state("dstate_T", dstate_T)
        dtable = np.zeros_like(self._table)
        if dh is not None:
            dh = incoming(dh, (*trace.labels.shape, self.hidden_size), trace.inside, self.dtype)
            np.add.at(dtable, trace.labels, dh)
        return None, (), {"table": dtable}


def _require_no_state(name: str, state: object) -> None:
    if state is not None and (not isinstance(state, tuple) or state):
        raise ValueError(f"{name} is given, expected () or None: an embedding has no state")
