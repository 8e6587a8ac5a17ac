"""The cells by name. A new cell is a file beside this one and a line in `CELLS`; every generic test then runs on it."""

from __future__ import annotations

from collections.abc import Callable

from charrnn.nn.cells.base import Cell
from charrnn.nn.cells.gru import GRU
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.cells.rnn import ACTIVATIONS, RNN

CELLS: dict[str, Callable[[str], Cell]] = {
    "rnn": lambda activation: RNN(activation),
    "gru": lambda activation: GRU(),
    "lstm": lambda activation: LSTM(),
}

__all__ = ["ACTIVATIONS", "CELLS", "Cell", "build"]


def build(name: str, activation: str = "tanh") -> Cell:
    """The cell of that name. `activation` ("tanh", "relu", "sigmoid") is the plain RNN's alone."""
    return CELLS[name](activation)
