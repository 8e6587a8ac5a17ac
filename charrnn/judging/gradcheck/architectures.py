"""Every architecture that there is to check."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from charrnn.nn import cells
from charrnn.nn.build import OWN_KEYS
from charrnn.nn.cells import ACTIVATIONS
from charrnn.nn.options import ModelConfig

CHOICES = {f.name: f.metadata["choices"] for f in dataclasses.fields(ModelConfig) if f.metadata["choices"]}


def architectures(of_cells: Iterable[str]) -> Iterator[ModelConfig]:
    """Yields every architecture: for each cell, stacks with each initial state and dropout, then each regularizer."""
    for cell in of_cells:
        kind = cells.build(cell)
        options: list[dict[str, Any]] = [
            {"num_layers": layers, "initial_state": state, "dropout": 0.3}
            for layers, state in itertools.product((1, 2), CHOICES["initial_state"])
        ]
        options += [{"dropout": 0.3, "dropout_per": "window"}, {"zoneout_h": 0.3}]
        if "c" in kind.state:
            options += [{"zoneout_c": 0.3}]
        if kind.has_candidate:
            options += [{"recurrent_dropout": 0.3}]
        if kind.product == "added":
            options += [{"layer_norm": True}]
        options += [{"bidirectional": True}, {"embedding_size": 3}]
        for activation in ACTIVATIONS if cell == "rnn" else ("tanh",):
            for chosen in options:
                yield ModelConfig(cell=cell, activation=activation, **chosen)


def few_architectures(of_cells: Iterable[str]) -> Iterator[ModelConfig]:
    """Yields three for each cell, for networks whose layers are checked elsewhere and stand among other matrices."""
    deep: dict[str, Any] = {"num_layers": 2, "initial_state": "learned", "dropout": 0.3, "embedding_size": 3}
    for cell in of_cells:
        for chosen in ({"bidirectional": False}, {"bidirectional": True}, deep):
            yield ModelConfig(cell=cell, **chosen)


def above_the_layers(cell: str, fields: Collection[str]) -> Iterator[ModelConfig]:
    """Yields every choice of what stands above layers of one cell, in a network that has these `fields`.

    Layers read in one direction and in both. Some choices do not go together: who builds them will be told.
    """
    own = [name for name in OWN_KEYS if name in fields]
    if own:
        for both, *chosen in itertools.product((False, True), *(CHOICES[name] for name in own)):
            yield ModelConfig(cell=cell, bidirectional=both, **dict(zip(own, chosen, strict=True)))
