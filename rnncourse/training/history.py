"""The record of a training run."""

from dataclasses import dataclass, field


@dataclass
class History:
    """What happened in a training run, or in several that went on from one another.

    Attributes
    ----------
    loss : training loss of each epoch, each batch measured just before its own update: the mean
        over the predictions that count, or their sum for a model with reduction="sum"
    validation_loss : validation loss after each epoch; empty without validation data, and NaN for
        epochs without them before epochs with them
    metrics : by name, what was measured on the validation data after each epoch, as in
        validation_loss
    update_loss : training loss of each update
    gradient_norm : global norm of the gradient before clipping, one for each update
    best_epoch : epoch (from 1) with the lowest validation loss of the latest run that had
        validation data; 0 without them
    stopped : why the run ended, in words; empty while it goes on
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    update_loss: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def epochs(self) -> int:
        """Number of epochs completed."""
        return len(self.loss)

    def add_validation(self, E: float, metrics: dict[str, float]) -> None:
        """Note what was measured after the latest epoch."""
        _place(self.validation_loss, self.epochs, E)
        for name, value in metrics.items():
            _place(self.metrics.setdefault(name, []), self.epochs, value)


def _place(values: list[float], epoch: int, value: float) -> None:
    values += [float("nan")] * (epoch - 1 - len(values)) + [value]
