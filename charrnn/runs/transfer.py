"""New runs from old weights: what fits is taken over, and symbols are matched by themselves, not by their index."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Ids
from charrnn.errors import CheckpointError
from charrnn.nn.build import INITIALIZATION_KEYS
from charrnn.nn.options import ModelConfig
from charrnn.runs.run import Run
from charrnn.tasks.base import Symbols
from charrnn.text.vocabulary import Vocabulary

MOST_LISTED = 60
"""Characters that are told one by one; of more, how many."""


def take_over(run: Run, old: Run) -> list[str]:
    """Copies into the new `run` what it shares with `old`; returns what a user is told of the rest, in a few lines.

    A parameter is taken over where it has the same name and, symbols apart, the same shape and blocks; the weights of
    symbols that `old` does not know stay as initialized. Raises CheckpointError where no layer or no symbol is shared.
    """
    ours, theirs = run.task.symbols(run.model), old.task.symbols(old.model)
    taken = [name for name in run.params if _fits(name, run, old) and _copy(name, run, old, ours, theirs)]
    changed = _changed(run, old)
    if not any(_is_of_layer(name) for name in taken):
        raise CheckpointError(_nothing_fits(changed))
    mine, others = _characters(ours), _characters(theirs)
    if mine and not any(symbol in others for symbol in mine):
        raise CheckpointError("the weights to begin from know no character of this text; leave out --init-from")
    if run.average is not None:
        run.average.vector[...] = run.params.vector
    differences = [
        f"model.{key} was {json.dumps(was)} in the weights to begin from, and is {json.dumps(now)}"
        for key, was, now in changed
    ]
    new = [name for name in run.params if name not in taken]
    left = [name for name in old.params if name not in taken]
    of_another = run.config.task.name != old.config.task.name
    named = {"taken over": taken if of_another else [], "new here": new, "left behind": left}
    differences += [f"{what}: {', '.join(names)}" for what, names in named.items() if names]
    notes = ["; ".join(differences)] if differences else []
    return notes + _about_characters(run, old, mine, others)


def _about_characters(run: Run, old: Run, mine: Iterable[str | int], others: Iterable[str | int]) -> list[str]:
    """Returns what a user is told of characters that only one of the two knows: `mine` are those of `run`."""
    spelled, spelled_before = _spells(run), _spells(old)
    # The bytes of a spelled character are none that are told one by one.
    here = {symbol: None for symbol in mine if not (spelled and isinstance(symbol, int))}
    before = {symbol: None for symbol in others if not (spelled_before and isinstance(symbol, int))}
    notes = []
    if new := [symbol for symbol in here if symbol not in before]:
        notes.append(f"characters new to the weights: {_listed(new)}")
    if spelled and not spelled_before:
        notes.append("new to the weights: the bytes in which all other characters are spelled")
    if gone := [symbol for symbol in before if symbol not in here]:
        now = "spelled in bytes now" if spelled else "lost"
        kept = advice.setting("data.vocabulary", "union")
        notes.append(f"characters of the old run that this text has not: {_listed(gone)}, {now}; to keep them, {kept}")
    return notes


def _fits(name: str, run: Run, old: Run) -> bool:
    """Tells whether a parameter of this name means the same in both."""
    same_blocks = run.model.blocks == old.model.blocks or not _is_of_layer(name)
    return name in old.params and same_blocks


def _is_of_layer(name: str) -> bool:
    """Tells whether a parameter is a recurrent layer's: `layers.0.W`, or `encoder.layers.0.W`."""
    return "layers" in name.split(".")


def _copy(name: str, run: Run, old: Run, ours: dict[str, Symbols], theirs: dict[str, Symbols]) -> bool:
    """Copies a parameter where its shape allows it, and tells whether it did."""
    array, source = run.params[name], old.params[name]
    known = ours.get(name) or theirs.get(name)
    if known is None:
        if array.shape != source.shape:
            return False
        array[...] = source
        return True
    mine = ours.get(name, Symbols(known.axis, array.shape[known.axis], []))
    other = theirs.get(name, Symbols(known.axis, source.shape[known.axis], []))
    if mine[:2] != other[:2] or _without(array, mine) != _without(source, other):
        return False
    to, start = np.moveaxis(array, mine.axis, 0), np.moveaxis(source, other.axis, 0)
    to[: mine.start] = start[: other.start]
    here, there = _shared(mine, other)
    to[mine.start + here] = start[other.start + there]
    return bool(mine.start or len(here))


def _without(array: Array, symbols: Symbols) -> tuple[int, ...]:
    """Returns the shape without the axis of the symbols."""
    return array.shape[: symbols.axis] + array.shape[symbols.axis + 1 :]


def _shared(ours: Symbols, theirs: Symbols) -> tuple[Ids, Ids]:
    """Returns where the symbols that both have stand among ours, and among theirs: (n,) and (n,)."""
    place = {symbol: k for k, symbol in enumerate(theirs.names)}
    both = [(k, place[symbol]) for k, symbol in enumerate(ours.names) if symbol in place]
    return np.array([k for k, _ in both], int), np.array([k for _, k in both], int)


def _characters(symbols: dict[str, Symbols]) -> dict[str | int, None]:
    """Returns the characters and bytes among symbols, in their order. Other symbols, as labels, do not count."""
    named = (name for each in symbols.values() for name in each.names)
    return dict.fromkeys(name for name in named if isinstance(name, str | int))


def _listed(characters: Sequence[str | int]) -> str:
    """Returns characters as one text, the first of them if there are many."""
    text = "".join(symbol if isinstance(symbol, str) else chr(symbol) for symbol in characters)
    more = len(text) - MOST_LISTED
    return f"{text[:MOST_LISTED]!r} and {more:,} more" if more > 0 else repr(text)


def _spells(run: Run) -> bool:
    """Tells whether the characters of a run are spelled in bytes where they have no symbol."""
    return getattr(run.task, "vocabulary", Vocabulary("")).fallback


def _changed(run: Run, old: Run) -> list[tuple[str, object, object]]:
    """Returns the keys of the configuration in which the networks differ, with the old value and the new."""
    before, now = old.config.model, run.config.model
    keys = [field.name for field in dataclasses.fields(ModelConfig) if field.name not in INITIALIZATION_KEYS]
    values = [(key, getattr(before, key), getattr(now, key)) for key in keys]
    return [(key, was, is_now) for key, was, is_now in values if was != is_now]


def _nothing_fits(changed: list[tuple[str, object, object]]) -> str:
    """Returns what a user is told where no layer can be taken over."""
    if not changed:
        return "no layer of the weights to begin from fits; leave out --init-from"
    said = ", ".join(
        f"model.{key} {json.dumps(was)}, and the configuration has {json.dumps(now)}" for key, was, now in changed
    )
    words = " ".join(advice.setting(f"model.{key}", was) for key, was, _ in changed)
    return f"no layer of the weights to begin from fits: they have {said}; give {words}"
