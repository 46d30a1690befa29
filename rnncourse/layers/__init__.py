"""The layers: what turns a batch of sequences into hidden states, and hidden states into outputs.

`rnn` and `lstm` each hold one recurrent layer with its way back, `stack` puts layers on top of each
other, and `initializers` has starting values for the recurrent weights. `readout` goes from hidden
states to outputs and losses. `packed` and `buffers` are what the layers share to be fast: one
matrix for all parameters, and memory that is used again.
"""

from . import initializers
from .lstm import LSTM
from .readout import Readout, softmax_cross_entropy, squared_error
from .rnn import RNN
from .stack import Stack

__all__ = [
    "LSTM",
    "RNN",
    "Readout",
    "Stack",
    "initializers",
    "softmax_cross_entropy",
    "squared_error",
]
