"""What `starts` and `forget_bias` share: a network learns the temporal order of two symbols.

It is experiment 6a of Hochreiter and Schmidhuber (1997), `rnncourse.data.tasks.temporal_order`.
"""

import numpy as np

from ..data.tasks import temporal_order
from ..model import Model
from ..training.fit import ASKED, fit
from ..training.history import History
from ..training.metrics import accuracy
from ..training.optim import Adam
from ..validation import require_size


def learn(
    model: Model,
    length: int,
    rng: np.random.Generator,
    *,
    max_updates: int,
    progress: bool = False,
) -> int | None:
    """Train `model` until it solves the task; return after how many updates, None if it did not.

    Adam with learning rate .01, fresh batches of 32 sequences, gradients clipped to norm 1. The
    task counts as solved when at least 99 % of 500 held-out sequences are classified right, which
    is looked at after every 20 updates.

    Parameters
    ----------
    model : many-to-one, of 8 inputs and 4 outputs; trained in place
    length : int
        T, from 10.
    rng : numpy.random.Generator
        Draws the training sequences. The held-out ones are always the same.
    max_updates : int
    progress : bool
        Show a bar in a terminal or notebook.
    """
    require_size("max_updates", max_updates)
    x_test, labels_test = temporal_order(500, length, rng=np.random.default_rng(2**32))

    def solved(history: History, model: Model) -> bool:
        return accuracy(model.predict(x_test), labels_test) >= 0.99

    history = fit(
        model,
        (temporal_order(32, length, rng=rng) for _ in range(max_updates)),
        updates=20,
        epochs=max(1, max_updates // 20),
        optimizer=Adam(learning_rate=0.01),
        clip_norm=1.0,
        on_epoch=solved,
        progress=progress,
    )
    return len(history.update_loss) if history.stopped == ASKED else None
