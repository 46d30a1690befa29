"""What is measured on validation data besides the loss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers.readout import softmax_cross_entropy
from ..validation import Array

# Of the outputs that count (N, O) and their labels (N,) or targets (N, O).
Metric = Callable[[Array, NDArray], float]


def accuracy(y: Array, labels: NDArray[np.intp]) -> float:
    """Return the fraction of predictions whose largest output is that of the label.

    Parameters
    ----------
    y : (N, O)
    labels : (N,) int from 0 to O − 1
    """
    return float(np.mean(y.argmax(axis=-1) == labels))


def perplexity(y: Array, labels: NDArray[np.intp]) -> float:
    """Return e to the mean cross-entropy: among how many labels an even guess would be as good.

    Parameters
    ----------
    y : (N, O)
    labels : (N,) int from 0 to O − 1
    """
    with np.errstate(over="ignore"):
        return float(np.exp(softmax_cross_entropy(y, labels)[0]))


NAMED: dict[str, Metric] = {"accuracy": accuracy, "perplexity": perplexity}


def by_name(
    metrics: Sequence[str | Metric] | Mapping[str, str | Metric], loss: str
) -> dict[str, Metric]:
    """Return the metrics that `fit` was asked for, by the names they have in a history.

    Raises
    ------
    TypeError, ValueError
        Something that is neither a function nor the name of one; a function without a name; two
        of one name; a metric of labels for a model without them.
    """
    if isinstance(metrics, str) or not isinstance(metrics, Sequence | Mapping):
        raise TypeError(f"metrics is {metrics!r}, expected a list such as ['accuracy', my_metric]")
    if not isinstance(metrics, Mapping):
        named = [(_name(metric), metric) for metric in metrics]
        metrics = dict(named)
        if len(metrics) < len(named):
            raise ValueError(
                f"metrics has the names {[n for n, _ in named]}, expected no name twice"
            )
    found: dict[str, Metric] = {}
    for name, metric in metrics.items():
        if isinstance(metric, str):
            if metric not in NAMED:
                raise ValueError(
                    f"metrics has {metric!r}, expected a function or one of "
                    f"{', '.join(map(repr, NAMED))}"
                )
            if loss != "cross_entropy":
                raise ValueError(f"metrics has {metric!r}, expected a model with cross_entropy")
            metric = NAMED[metric]
        if not callable(metric):
            raise TypeError(f"metrics has {metric!r}, expected a function of (y, targets)")
        found[str(name)] = metric
    return found


def _name(metric: Any) -> str:
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", None)
    if name is None or name == "<lambda>":
        raise ValueError(
            f"metrics has {metric!r}, which has no name, expected a mapping: {{'name': function}}"
        )
    return str(name)
