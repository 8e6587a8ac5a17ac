"""Keys that are set, and that make no difference with what is chosen beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from charrnn.config.schema import Config
from charrnn.cores import find
from charrnn.keys import Choice
from charrnn.nn import INITIALIZERS
from charrnn.optim import OPTIMIZERS, SCHEDULES

TABLES: dict[str, Mapping[str, Choice]] = {
    "optim.name": OPTIMIZERS,
    "optim.schedule": SCHEDULES,
    "model.init": INITIALIZERS,
}
"""The keys whose choices say which other keys of their section they read."""

WITHOUT_FORGET_GATE = ("rnn", "gru", "gru_reset_before", "lstm_nfg")
WITHOUT_C = ("rnn", "gru", "gru_reset_before", "mgu")

RULES: dict[str, tuple[str, Callable[[Config], bool]]] = {
    "model.forget_bias": ("model.cell", lambda config: config.model.cell in WITHOUT_FORGET_GATE),
    "model.zoneout_c": ("model.cell", lambda config: config.model.cell in WITHOUT_C),
    "model.state_noise": ("model.initial_state", lambda config: config.model.initial_state != "random"),
    "model.dropout_per": ("model.dropout", lambda config: not config.model.dropout),
    "model.context": ("task.name", lambda config: config.task.name != "transduce"),
    "model.attention": (
        "model.context",
        lambda config: config.task.name != "transduce" or config.model.context != "attention",
    ),
    "train.layout": ("train.gradient", lambda config: config.train.gradient == "rtrl"),
    "model.pooling": ("task.name", lambda config: config.task.name not in ("classify", "transduce")),
}
"""By the key: another, and in which configurations that one leaves it without effect."""


def unread(config: Config, origins: Mapping[str, str]) -> list[str]:
    """Returns a line for each key that was typed to no effect; `origins` says where each was read.

    A file may be the whole configuration of a run, which has the keys of all choices; so of those nothing is said.
    """
    return [
        f"{origins[path]}: {path} has no effect where {chooser} is {_value(config, chooser)}"
        + (f"; it has with {' or '.join(readers)}" if readers else "")
        for path, chooser, readers in _pointless(config)
        if origins.get(path, "").startswith("-")
    ] + _idle_threads(config)


def _idle_threads(config: Config) -> list[str]:
    """Returns a line where more threads are asked for than there are cores, and one where more processes are."""
    cores, threads, layout = find().given, config.train.threads, config.train.layout
    said = []
    if threads is not None and threads > cores:
        said.append(f"train.threads is {threads:,}, and {cores:,} cores can be used here: more make it no faster")
    if layout is not None and math.prod(map(int, layout.split("x"))) > cores:
        said.append(
            f"train.layout is {layout}, and {cores:,} cores can be used here: processes will wait for each other"
        )
    return said


def _pointless(config: Config) -> Iterator[tuple[str, str, list[str]]]:
    """Yields each key that makes no difference, the key whose value is why, and what of that would read it."""
    for chooser, table in TABLES.items():
        section = chooser.partition(".")[0]
        chosen = table[str(_value(config, chooser))]
        for name in dict.fromkeys(name for choice in table.values() for name in choice.keys):
            if name not in chosen.keys:
                yield f"{section}.{name}", chooser, [choice for choice, row in table.items() if name in row.keys]
    for path, (chooser, is_pointless) in RULES.items():
        if is_pointless(config):
            yield path, chooser, []


def _value(config: Config, path: str) -> object:
    section, _, name = path.partition(".")
    return getattr(getattr(config, section), name)
