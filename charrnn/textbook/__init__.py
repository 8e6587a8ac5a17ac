"""The network as books write it: one step at a time, a matrix for each gate, every derivative on a line of its own.

Read `rnn.py` and `lstm.py` first, then `layers.py`, `net.py` and `train.py`. Nothing here is made for speed, and
nothing is shared with `charrnn.nn`: what that computes fast, this computes plainly, and `charrnn gradcheck --oracle
textbook` compares the two.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.textbook.base import Cell

CELLS: dict[str, tuple[str, str, str]] = {
    "rnn": ("rnn", "RNN", "a"),
    "gru": ("gru", "GRU", "r z n"),
    "gru_reset_before": ("gru_reset_before", "GRUResetBefore", "r z n"),
    "mgu": ("mgu", "MGU", "f n"),
    "lstm": ("lstm", "LSTM", "i f c o"),
    "lstm_peephole": ("lstm_peephole", "PeepholeLSTM", "i f c o"),
    "lstm_cifg": ("lstm_without", "CoupledLSTM", "i c o"),
    "lstm_nfg": ("lstm_without", "NoForgetGate", "i c o"),
    "lstm_nig": ("lstm_without", "NoInputGate", "f c o"),
    "lstm_nog": ("lstm_without", "NoOutputGate", "i f c"),
    "lstm_niaf": ("lstm_without", "NoInputActivation", "i f c o"),
    "lstm_noaf": ("lstm_without", "NoOutputActivation", "i f c o"),
    "lstm_fgr": ("lstm_fgr", "FullGateRecurrence", "i f c o"),
}
"""By the name it has in a configuration: a cell's module in this folder, its class, and its gates, in the order in
which they stand side by side in the one matrix of a checkpoint (see `packed.py`)."""


def build(name: str, activation: str = "tanh") -> Cell:
    """Returns the cell called `name`, a key of CELLS. `activation` is read by the plain RNN alone.

    Raises ValueError where there is no such cell.
    """
    if name not in CELLS:
        raise ValueError(f"the textbook has no cell {name!r}")
    module, kind, _ = CELLS[name]
    make = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    found: Cell = make(activation) if name == "rnn" else make()
    return found
