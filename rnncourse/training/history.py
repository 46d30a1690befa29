"""The record of a training run."""

from dataclasses import dataclass, field


@dataclass
class History:
    """What happened in a training run.

    Attributes
    ----------
    loss : training loss of each epoch, each batch measured just before its own update: the mean
        over the predictions that count, or their sum for a model with reduction="sum"
    validation_loss : validation loss after each epoch; empty without validation data
    gradient_norm : global norm of the gradient before clipping, one for each update
    best_epoch : epoch (from 1) with the lowest validation loss; 0 without validation data
    stopped : why the run ended, in words; empty while it goes on
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def epochs(self) -> int:
        """Number of epochs completed."""
        return len(self.loss)
