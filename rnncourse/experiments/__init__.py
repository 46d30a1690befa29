"""Experiments that take minutes: what each is, how it is run, and the results it gave.

`sweep` runs an experiment, one of these or one of your own, over a grid of settings and seeds, and
`results` is the file that it writes. The other modules are experiments of the book: `sunspots`,
`starts`, `forget_bias`, `marked_numbers`, `character_seeds`, `playground` and `own_text`. Each has
`EXPERIMENT`, `run` for one run, `saved` for the results that travel with the package, and `table`.
`temporal_order` is the training that two of them share, and `characters` the network that
`character_seeds` searched for.
`__main__` is the command line: ``python -m rnncourse.experiments`` lists them.
"""

from .results import Results, SweepError, Trial, read
from .sweep import Experiment, table

__all__ = ["Experiment", "Results", "SweepError", "Trial", "read", "table"]
