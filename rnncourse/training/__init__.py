"""Training: a model learns from its data, and a run can stop and go on.

`fit` is the run itself: updates, clipping, validation, early stop. `batches` cuts arrays into
batches or takes them from a stream. `optim` has the update rules, `schedules` learning rates that
change, and `metrics` what can be measured besides the loss. `checkpoint` saves a run in one file
and brings it back, `history` is its record, and `progress` shows how far it has come. The name
``rnncourse.training.fit`` is the function; its module is reached with
``from rnncourse.training.fit import …``.
"""

from . import metrics, schedules
from .checkpoint import load_checkpoint, save_checkpoint
from .fit import TrainingDiverged, fit
from .history import History
from .optim import SGD, Adam, Optimizer, RMSprop
from .progress import ProgressBar

__all__ = [
    "SGD",
    "Adam",
    "History",
    "Optimizer",
    "ProgressBar",
    "RMSprop",
    "TrainingDiverged",
    "fit",
    "load_checkpoint",
    "metrics",
    "save_checkpoint",
    "schedules",
]
