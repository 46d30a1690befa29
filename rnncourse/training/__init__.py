"""Training: a model learns from its data, and a run can stop and go on.

`fit` is the run itself: batches, clipping, early stop. `optim` has the update rules, `checkpoint`
saves a run in one file and brings it back, `history` is its record, and `progress` shows how far
it has come. The name ``rnncourse.training.fit`` is the function; its module is reached with
``from rnncourse.training.fit import …``.
"""

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
    "save_checkpoint",
]
