"""Companion package of the course on recurrent neural networks: NumPy, nothing hidden.

`equations` holds each equation of the course as one function. `RNN`, `LSTM`, `GRU`, `Readout` and
`Model` are the same equations over batches, and `Stack`, `Bidirectional` and `Embedding` put them
together; `bptt` takes the chain rule apart, path by path;
`jacobians` measures how far a gradient reaches; `tasks` draws sequences to learn; `fit` trains,
with learning rates from `schedules` and `metrics` of what was learned.
Arrays are time-major: inputs (T, B, D), hidden states (T, B, H).
"""

from . import equations, interop
from .data import datasets, tasks
from .gradients import (
    bptt,
    check_gradients,
    clip_by_global_norm,
    clip_by_value,
    global_norm,
    jacobians,
)
from .layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Embedding,
    Layer,
    Readout,
    Stack,
    initializers,
    softmax_cross_entropy,
    squared_error,
)
from .model import LossAndGradients, Model
from .nonlinear import log_softmax, sigmoid, softmax
from .training import (
    SGD,
    Adam,
    History,
    RMSprop,
    TrainingDiverged,
    fit,
    load_checkpoint,
    metrics,
    save_checkpoint,
    schedules,
)
from .validation import NotFiniteError

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "Bidirectional",
    "Embedding",
    "History",
    "Layer",
    "LossAndGradients",
    "Model",
    "NotFiniteError",
    "RMSprop",
    "Readout",
    "Stack",
    "TrainingDiverged",
    "bptt",
    "check_gradients",
    "clip_by_global_norm",
    "clip_by_value",
    "datasets",
    "equations",
    "fit",
    "global_norm",
    "initializers",
    "interop",
    "jacobians",
    "load_checkpoint",
    "log_softmax",
    "metrics",
    "save_checkpoint",
    "schedules",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "squared_error",
    "tasks",
]
