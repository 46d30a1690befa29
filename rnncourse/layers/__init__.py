"""The layers: what turns a batch of sequences into hidden states, and hidden states into outputs.

`layer` says what a layer is. `rnn`, `lstm` and `gru` each hold one recurrent layer with its way
back, and `embedding` a table of vectors for whole numbers. `stack` puts layers on top of each
other, and `bidirectional` lets two read a sequence from both ends. `initializers` has starting
values for the recurrent weights. `readout` goes from hidden states to outputs and losses. `packed`
and `buffers` are what the recurrent layers share to be fast: one matrix for all parameters, and
memory that is used again. `architecture` says how a layer is made, in plain data, and makes it
again.
"""

from . import initializers
from .bidirectional import Bidirectional
from .embedding import Embedding
from .gru import GRU
from .layer import Layer
from .lstm import LSTM
from .readout import Readout, softmax_cross_entropy, squared_error
from .rnn import RNN
from .stack import Stack

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "Embedding",
    "Layer",
    "Readout",
    "Stack",
    "initializers",
    "softmax_cross_entropy",
    "squared_error",
]
