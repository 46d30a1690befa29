"""A network that learns a text of one's own, in the page."""

from typing import Any, get_args

import traitlets

from ..data.datasets import tea_party
from ..experiments import own_text
from ..experiments.playground import Kind
from .base import Choice, Explorable, Number

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 1.0, 10.0]
LAST = 119  # the last character of the piece that can be looked at; the one after it is foretold


class _Text(traitlets.TraitType):  # no value of a link: a text may be long, and private
    """A text that can be learned, as `rnncourse.experiments.own_text.clean` lets it pass."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return `value`; raise ``TraitError`` unless it can be learned."""
        try:
            own_text.clean(value)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from None
        return value


class Writer(Explorable):
    """A network that learns a text character by character, and writes lines meanwhile.

    The values are those of `rnncourse.experiments.own_text.Settings`. `temperature` is that of the
    lines, and `position` the character that "More" looks at.

    Parameters
    ----------
    text : str, optional
        2 to 50,000 characters. Left out, it is `rnncourse.data.datasets.tea_party`. It can be set
        and read later, and it is part of no link.
    **values
        temperature, position and the settings.
    """

    name = "writer"
    text = _Text().tag(sync=True)
    temperature = Number(0.5, 0.1, 2.0, 0.1)
    layer = Choice("gru", get_args(Kind))
    units = Number(64, 1, 128, 1)
    learning_rate = Choice(0.01, RATES)
    chunk = Number(32, 1, 64, 1)
    streams = Number(8, 1, 32, 1)
    seed = Number(1, 0, 99, 1)
    position = Number(60, 1, LAST, 1)

    def __init__(self, text: str | None = None, **values: Any) -> None:
        self.first_text = _Text().validate(self, tea_party() if text is None else text)
        super().__init__(**values)

    @traitlets.default("text")
    def _first_text(self) -> str:
        return self.first_text

    def data(self) -> dict[str, Any]:
        """Return the text that a reset brings back."""
        return {"text": self.first_text}

    def reset(self) -> None:
        """Set all values, and the text, to those that the figure was made with."""
        self.text = self.first_text
        super().reset()
