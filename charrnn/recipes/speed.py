"""How large a network will be and how fast it will be trained, foreseen from the cost model and what is known here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from charrnn import cores, known_machine
from charrnn.config.schema import Config
from charrnn.nn.build import build_model
from charrnn.nn.costs import ProcessGrid, seconds
from charrnn.nn.options import ModelConfig
from charrnn.nn.work import work_of
from charrnn.recipes.rule import Shape
from charrnn.training import layouts

KEPT = 0.75
"""The share of the foreseen speed that a whole run keeps: the cost model knows no masks of dropout, no evaluations, and
not what cores take from each other. Whole runs of 384 and 448 units kept 0.63 to 0.92 of it."""


def foresee(config: Config, symbols: int, ranks: int = 1, each: int | None = None) -> Callable[[Shape], float]:
    """Returns what foresees the characters per second of a configuration in other shapes, over so many `symbols`.

    `ranks` train together, with `each` so many cores; by default as many as there are.
    """
    most = config.train.threads or each or cores.available_cores()

    def speed(shape: Shape) -> float:
        model = build_model(_wide(config, shape.hidden_size), symbols)
        train = dataclasses.replace(config.train, batch_size=shape.batch_size, seq_length=shape.seq_length)
        rows = -(-shape.batch_size // ranks)
        plan = layouts.of(dataclasses.replace(config, train=train), model, rows, most)
        processes = ProcessGrid(plan.rows, plan.units)
        taken = seconds(known_machine.known(), work_of(model, rows, shape.seq_length), processes)
        return KEPT * shape.batch_size * shape.seq_length / taken

    return speed


def count(config: Config, symbols: int) -> Callable[[int], int]:
    """Returns what counts the parameters of a configuration in other widths, over so many `symbols`."""
    return lambda hidden_size: build_model(_wide(config, hidden_size), symbols).num_parameters


def _wide(config: Config, hidden_size: int) -> ModelConfig:
    return dataclasses.replace(config.model, hidden_size=hidden_size)
