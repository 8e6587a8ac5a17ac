"""From a grid to its combinations: every one of them a configuration that was checked before any run begins."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charrnn import tasks
from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import Config
from charrnn.config.writing import scalar
from charrnn.errors import CharrnnError, ConfigError
from charrnn.sweeping.grid import Axis, Grid
from charrnn.sweeping.naming import name_of
from charrnn.tasks.base import Task
from charrnn.tasks.writer import Writer, refuse_both_ways
from charrnn.training import limits

MOST_RUNS = 10_000
"""Runs of a sweep."""

MOST_ERRORS = 20
"""Messages that are told of one grid."""


@dataclass(frozen=True)
class Combination:
    """Holds one value of each key that varies."""

    name: str
    """What its run is called."""
    settings: tuple[Setting, ...]
    values: dict[str, Any]
    """The values by their keys, as the configuration has them."""
    config: Config

    @property
    def kind(self) -> type[Task]:
        """The task."""
        return tasks.find(self.config.task.name, self.config.data)


def combine(grid: Grid, own: Sequence[Setting], errors: Sequence[str]) -> list[Combination]:
    """Returns all combinations of a grid, where `own` are settings for all of them, over those of its base.

    Raises ConfigError with all that is wrong with any of them, behind the `errors` that are known already.
    """
    if grid.size > MOST_RUNS:
        raise ConfigError(f"{grid.name}: {grid.size:,} runs; a sweep has {MOST_RUNS:,} at most: give fewer values")
    wrong = dict.fromkeys(errors)
    varying = {axis.key: axis for axis in grid.axes}
    for setting in own:
        if setting.path in varying:
            place = varying[setting.path].values[0].origin
            wrong[f"{setting.origin}: {setting.path} varies in {place}; leave one of the two out"] = None
    found = []
    for choice in itertools.product(*(axis.values for axis in grid.axes)):
        try:
            config, _ = resolve(grid.base, own, choice)
            _check(config, grid.name)
        except ConfigError as error:
            wrong |= dict.fromkeys(error.messages)
            continue
        values = {setting.path: value_of(config, setting.path) for setting in choice}
        found.append(Combination(name_of(values), choice, values, config))
    if not wrong:
        wrong |= dict.fromkeys(message for axis in grid.axes for message in _repeated(axis, found))
        wrong |= dict.fromkeys(_of_several_measures(grid.name, found))
    if wrong:
        more = [f"{grid.name}: and {len(wrong) - MOST_ERRORS:,} more errors"] if len(wrong) > MOST_ERRORS else []
        raise ConfigError(*[*wrong][:MOST_ERRORS], *more)
    return found


def _check(config: Config, name: str) -> None:
    """Raises ConfigError for what can be told of a configuration without a text."""
    try:
        kind = tasks.find(config.task.name, config.data)
        if issubclass(kind, Writer):
            refuse_both_ways(config.model)
        limits.refuse_hopeless(config, kind.probe(config.model)[0])
    except CharrnnError as error:
        raise ConfigError(*(f"{name}: {message}" for message in error.messages)) from None


def value_of(config: Config, path: str) -> Any:
    """Returns the value of a key by its dotted path."""
    section, _, key = path.partition(".")
    return getattr(getattr(config, section), key)


def _repeated(axis: Axis, found: Sequence[Combination]) -> list[str]:
    """Returns a message for each value that a key is given twice, however it is written."""
    checked = {}
    for combination in found:
        setting = next(setting for setting in combination.settings if setting.path == axis.key)
        checked[id(setting)] = combination.values[axis.key]
    first: dict[Any, Setting] = {}
    messages = []
    for setting in axis.values:
        value = checked[id(setting)]
        if value in first:
            line = first[value].origin.rpartition(":")[2]
            messages.append(f"{setting.origin}: {axis.key} is {scalar(value)} in line {line} already; remove one")
        first.setdefault(value, setting)
    return messages


def _of_several_measures(name: str, found: Sequence[Combination]) -> list[str]:
    """Returns a message where the runs are of tasks that are not measured alike, and could not be sorted."""
    measures = {combination.kind.measure: combination.config.task.name for combination in found}
    if len(measures) < 2:
        return []
    told = ", ".join(f"{task} by {measure}" for measure, task in measures.items())
    return [f"{name}: task.name: runs that are measured differently are not compared ({told}); make a grid for each"]
