"""Chooses a recipe where a user gives a text and none: the keys that are left free, and a line on what and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from charrnn.config.resolve import Setting, is_set, resolve
from charrnn.config.schema import Config
from charrnn.config.writing import CHOSEN
from charrnn.nn import cells
from charrnn.recipes import rule
from charrnn.recipes.rule import Recipe, Situation
from charrnn.recipes.speed import count, foresee
from charrnn.tasks.writer import with_fallback
from charrnn.text.options import DataConfig
from charrnn.text.text import Text
from charrnn.training.more import duration

if TYPE_CHECKING:
    from charrnn.tasks.base import Examples

OF_ADAM = "adam", "adamw"
"""Optimizers for which the rates hold, and what goes with them; of any other, no key of `optim` is chosen."""

FEW = 20_000
"""Characters of a text below which a user is told what so little is good for."""


class Chosen(NamedTuple):
    """Holds what was chosen."""

    settings: list[Setting]
    """Every key that was free, with its value: a layer below what a user has set."""
    line: str
    """What was chosen, and why; empty where nothing was, or nothing that is worth a word."""
    notes: list[str]
    """What else a user is told, a line each."""

    @property
    def told(self) -> list[str]:
        """All that a user is told."""
        return [*filter(None, [self.line]), *self.notes]

    @property
    def keys(self) -> list[str]:
        """The keys that were chosen."""
        return [setting.path for setting in self.settings]


NOTHING = Chosen([], "", [])

Number = TypeVar("Number", int, float)


def choose(settings: Sequence[Setting], examples: Examples, ranks: int = 1, cores: int | None = None) -> Chosen:
    """Chooses what `settings` leave free, for a text; for other examples, or documents, it chooses nothing.

    `ranks` train together, with so many `cores` each; by default as many as there are. Raises ConfigError
    for settings that contradict each other, or that no network has.
    """
    config, origins = resolve(settings)
    if not isinstance(examples, Text) or config.data.documents is not None or config.train.gradient == "rtrl":
        return NOTHING
    free = {path for path, origin in origins.items() if not is_set(origin)}
    found = situation(config, free, examples, ranks, cores)
    if not found.characters:
        return NOTHING
    recipe = rule.recipe(found)
    values = {path: value for path, value in _values(recipe, config, found).items() if path in free}
    chosen = [Setting(path, value, CHOSEN) for path, value in values.items()]
    return Chosen(chosen, _line(values, recipe, found), _of_few(len(examples)))


def situation(config: Config, free: set[str], text: Text, ranks: int = 1, cores: int | None = None) -> Situation:
    """Returns what a recipe is to be chosen for; `free` are the keys that may be chosen."""
    train, data = config.train, config.data
    if "model.cell" in free:
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, cell=rule.CELL))
    symbols = max(2, _symbols(text, data))

    def unless_free(path: str, value: Number) -> Number | None:
        return None if path in free else value

    judged = int(len(text) * data.split[1])
    return Situation(
        characters=int(len(text) * data.split[0]),
        judged=judged if train.eval_chars is None else min(judged, train.eval_chars),
        speed=foresee(config, symbols, ranks, cores),
        parameters=count(config, symbols),
        seconds=train.time_budget,
        epochs=None if "train.epochs" in free else train.epochs,
        endless="train.epochs" not in free and train.epochs is None,
        updates=train.iterations,
        hidden_size=unless_free("model.hidden_size", config.model.hidden_size),
        batch_size=unless_free("train.batch_size", train.batch_size),
        seq_length=unless_free("train.seq_length", train.seq_length),
        least_rows=ranks * int((train.layout or "1x1").partition("x")[0]),
        accumulate=train.accumulate,
        eval_every=unless_free("train.eval_every", train.eval_every),
        dropout=unless_free("model.dropout", config.model.dropout),
        cell=config.model.cell,
    )


def _symbols(text: Text, data: DataConfig) -> int:
    """Returns how many symbols the network will have: of rare characters the bytes, where `data` says so."""
    if not data.has_fallback:
        return len(text.symbols)
    return len(with_fallback(text.symbols, text.counts(0, int(len(text) * data.split[0])), data))


def _values(recipe: Recipe, config: Config, found: Situation) -> dict[str, Any]:
    """Returns the values of all keys that a recipe may set."""
    values: dict[str, Any] = {
        "model.cell": found.cell,
        "model.hidden_size": recipe.shape.hidden_size,
        "model.init": rule.INIT,
        "model.dropout": recipe.dropout,
        "train.batch_size": recipe.shape.batch_size,
        "train.seq_length": recipe.shape.seq_length,
    }
    if cells.build(found.cell).has_candidate:
        values["model.recurrent_dropout"] = recipe.recurrent_dropout
    if config.optim.name in OF_ADAM:
        values["optim.weight_decay"] = rule.WEIGHT_DECAY
        if config.optim.clip_value is None:
            values["optim.clip_norm"] = rule.CLIP_NORM
        values["optim.learning_rate"] = max(recipe.learning_rate, config.optim.min_learning_rate)
    if recipe.epochs is not None:
        values["train.epochs"] = recipe.epochs
    if recipe.time_budget is not None:
        values["train.time_budget"] = recipe.time_budget
    if found.judged:
        values["train.eval_every"] = recipe.eval_every
    may_end = found.judged and found.has_no_length  # passes or updates that are given are all made
    if recipe.patience and may_end and config.optim.schedule != "plateau":  # which waits itself, and lowers the rate
        values["train.patience"] = recipe.patience
    return values


WORDS = {
    "model.cell": "{}",
    "model.hidden_size": "{:,} units",
    "model.dropout": "dropout {:g}",
    "model.recurrent_dropout": "recurrent dropout {:g}",
    "optim.learning_rate": "rate {:g}",
    "train.batch_size": "{:,} rows",
    "train.seq_length": "{:,} steps",
    "train.epochs": "epochs {:,}",
    "train.time_budget": "time budget {:g} s",
    "train.patience": "patience {:,}",
}
"""How a key that was chosen is said; of others, `config.yaml` tells."""


def _line(values: dict[str, Any], recipe: Recipe, found: Situation) -> str:
    """Says in one line what was chosen, and why; nothing where nothing was."""
    said = [words.format(values[path]) for path, words in WORDS.items() if path in values]
    if not said:
        return ""
    often = "in part" if recipe.passes < 0.75 else "once"
    read = f"read {often if recipe.passes < 1.5 else f'about {recipe.passes:,.0f} times'}"
    why = []
    if "model.hidden_size" in values:
        why.append(_why_no_wider(recipe, found))
    if "train.patience" in values:
        why.append("it ends earlier if validation stops improving")
    for_what = f"{found.characters:,} characters, {read} in about {_roughly(recipe.seconds)} on this machine"
    return f"chosen for {for_what}: {'; '.join([', '.join(said), *why])}"


def _why_no_wider(recipe: Recipe, found: Situation) -> str:
    if not recipe.is_short_of_time:
        return "a wider network is for more text"
    if found.seconds is None and not found.is_open:  # all of its passes or updates are made, whatever its width
        return "a wider network would take too long"
    return "a wider network would read too little in that time"


def _roughly(seconds: float) -> str:
    """Says a time that is foreseen, as in `45s`, `9m` or `3h56m`: from two minutes on in whole ones."""
    return duration(seconds if seconds < 120 else 60 * round(seconds / 60))


def _of_few(characters: int) -> list[str]:
    """Says what is possible with a text that is short."""
    if characters >= FEW:
        return []
    return [
        f"{characters:,} characters are few: which letters follow each other, and some words, is what can be learnt of "
        f"them; for sentences it takes 100,000 and more"
    ]
