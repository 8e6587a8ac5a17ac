"""The sections of a configuration put together: every key with its type, default, range and help.

They are the one table of keys. From it come the checks of `resolve`, the errors' nearest key, `charrnn config schema`,
and the table in `docs/configuration.md` (a test compares them). Each wing declares the section of its own; that of
training is here.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from dataclasses import dataclass, field
from typing import Any

from charrnn.keys import key, parse_duration, parse_layout
from charrnn.nn.options import ModelConfig
from charrnn.optim.options import OptimConfig
from charrnn.tasks.options import TaskConfig
from charrnn.text.options import DataConfig


@dataclass(frozen=True)
class TrainConfig:
    """How long, in what pieces, and with what care."""

    batch_size: int = key(32, "B, streams of the text read side by side", at_least=1)
    seq_length: int = key(64, "T, characters through which a gradient reaches back", at_least=1)
    accumulate: int = key(
        1,
        "batches whose gradients are added for each update, which is an iteration: as one batch of so many times the "
        "answers, in the memory of one",
        at_least=1,
    )
    epochs: int | None = key(
        10, "passes over the training text; the default is set aside where one of the next two is set", at_least=1
    )
    iterations: int | None = key(None, "updates after which to stop", at_least=1)
    time_budget: float | None = key(
        None,
        "time after which to stop, such as 90s, 10m or 1h30m; the schedule follows the clock",
        parse=parse_duration,
    )
    patience: int | None = key(
        None,
        "evaluations in a row without an improvement by more than chance, after which to stop; with null it never "
        "stops for that",
        at_least=1,
    )
    gradient: str = key(
        "bptt",
        "`bptt`, through the T steps of a batch, or `rtrl`, which is not cut off and for a few units alone",
        choices=("bptt", "rtrl"),
    )
    seed: int | None = key(None, "of all that is random; drawn and written down if not set", at_least=0)
    threads: int | None = key(
        None,
        "cores to use, as processes or as threads of BLAS, whichever is fastest for the shape; all if null",
        at_least=1,
    )
    layout: str | None = key(
        None,
        "how processes share a batch: `2x1` in two groups of rows, `1x2` in one group, in which each has half of the "
        "units; chosen for this machine if null",
        parse=parse_layout,
    )
    eval_every: int = key(200, "iterations between evaluations", at_least=1)
    eval_chars: int | None = key(
        200_000, "characters of the validation text that an evaluation reads; all if null", at_least=2
    )
    checkpoint_every: int = key(200, "iterations between checkpoints", at_least=1)
    sample_every: int | None = key(
        None,
        "iterations between short samples that the model writes, or answers that it gives: shown, and kept in "
        "samples.jsonl; none if null",
        at_least=1,
    )
    on_divergence: str = key(
        "stop",
        "where a loss or gradient is infinite or not a number, or ten losses in a row are hopeless: `stop`, `skip` the "
        "batch, or `rollback` to the last checkpoint at half the rate",
        choices=("stop", "skip", "rollback"),
    )
    dtype: str = key("float32", "of all numbers", choices=("float32", "float64"))


@dataclass(frozen=True)
class Config:
    """Holds all that can be chosen, in five sections."""

    task: TaskConfig = field(default_factory=TaskConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)


SECTIONS: dict[str, type[Any]] = {
    "task": TaskConfig,
    "data": DataConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "optim": OptimConfig,
}


@functools.cache
def keys() -> dict[str, dataclasses.Field[Any]]:
    """Returns every key by its dotted path, in the order of the sections."""
    return {f"{name}.{f.name}": f for name, section in SECTIONS.items() for f in dataclasses.fields(section)}


@functools.cache
def types_of_keys() -> dict[str, Any]:
    """Returns the type of every key by its dotted path."""
    return {
        f"{name}.{attribute}": annotation
        for name, section in SECTIONS.items()
        for attribute, annotation in typing.get_type_hints(section).items()
    }
