"""Every architecture that there is to check."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from charrnn.nn import cells
from charrnn.nn.cells import ACTIVATIONS
from charrnn.nn.options import ModelConfig

(INITIAL_STATES,) = (f.metadata["choices"] for f in dataclasses.fields(ModelConfig) if f.name == "initial_state")


def architectures(of_cells: Iterable[str]) -> Iterator[ModelConfig]:
    """Yields every architecture: for each cell, stacks with each initial state and dropout, then each regularizer."""
    for cell in of_cells:
        kind = cells.build(cell)
        options: list[dict[str, Any]] = [
            {"num_layers": layers, "initial_state": state, "dropout": 0.3}
            for layers, state in itertools.product((1, 2), INITIAL_STATES)
        ]
        options += [{"dropout": 0.3, "dropout_per": "window"}, {"zoneout_h": 0.3}]
        if "c" in kind.state:
            options += [{"zoneout_c": 0.3}]
        if kind.has_candidate:
            options += [{"recurrent_dropout": 0.3}]
        if kind.product == "added":
            options += [{"layer_norm": True}]
        options += [{"bidirectional": True}]
        for activation in ACTIVATIONS if cell == "rnn" else ("tanh",):
            for chosen in options:
                yield ModelConfig(cell=cell, activation=activation, **chosen)
