"""The cells by name. A new cell is a file beside this one and a line in `CELLS`; every generic test then runs on it.

The table holds names and switches alone, and imports nothing: what can be chosen is known without NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.nn.cells.base import Cell

CELLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rnn": ("rnn", "RNN", {}),
    "gru": ("gru", "GRU", {}),
    "gru_reset_before": ("gru_reset_before", "GRUResetBefore", {}),
    "mgu": ("mgu", "MGU", {}),
    "lstm": ("lstm", "LSTM", {}),
    "lstm_peephole": ("lstm_variants", "LSTMVariant", {"peepholes": True}),
    "lstm_cifg": ("lstm_cifg", "CIFG", {}),
    "lstm_nfg": ("lstm_variants", "LSTMVariant", {"without": "f"}),
    "lstm_nig": ("lstm_variants", "LSTMVariant", {"without": "i"}),
    "lstm_nog": ("lstm_variants", "LSTMVariant", {"without": "o"}),
    "lstm_niaf": ("lstm_variants", "LSTMVariant", {"input_activation": False}),
    "lstm_noaf": ("lstm_variants", "LSTMVariant", {"output_activation": False}),
    "lstm_fgr": ("lstm_variants", "LSTMVariant", {"gate_recurrence": True}),
}
"""Each cell's module in this folder, its class, and what the class is made with."""

ACTIVATIONS = ("tanh", "relu", "sigmoid")
"""The activations of the plain RNN."""


def build(name: str, activation: str = "tanh") -> Cell:
    """Returns the cell called `name`, a key of CELLS. `activation` is read by the plain RNN alone.

    Raises ValueError where there is no such cell or activation.
    """
    if name not in CELLS or activation not in ACTIVATIONS:
        raise ValueError(
            f"there is no cell {name!r}" if name not in CELLS else f"there is no activation {activation!r}"
        )
    module, kind, switches = CELLS[name]
    if name == "rnn":
        switches = {"activation": activation}
    found: Cell = getattr(importlib.import_module(f"{__name__}.{module}"), kind)(**switches)
    return found
