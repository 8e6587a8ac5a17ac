"""New runs from old weights: what fits is taken over, and symbols are matched by themselves, not by their index."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Ids
from charrnn.errors import CheckpointError
from charrnn.nn.build import INITIALIZATION_KEYS
from charrnn.nn.options import ModelConfig
from charrnn.runs.run import Run
from charrnn.tasks.base import Symbols


def take_over(run: Run, old: Run) -> list[str]:
    """Copies into the new `run` what it shares with `old`; returns what a user is told of the rest, in a line or two.

    A parameter is taken over where it has the same name and, symbols apart, the same shape and blocks; the weights of
    symbols that `old` does not know stay as initialized. Raises CheckpointError where no layer or no symbol is shared.
    """
    ours, theirs = run.task.symbols(run.model), old.task.symbols(old.model)
    taken = [name for name in run.params if _fits(name, run, old) and _copy(name, run, old, ours, theirs)]
    changed = _changed(run, old)
    if not any(_is_of_layer(name) for name in taken):
        raise CheckpointError(_nothing_fits(changed))
    unknown = _unknown(ours, theirs)
    if unknown is None:
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
    if unknown:
        notes.append(f"characters new to the weights: {unknown!r}")
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


def _unknown(ours: dict[str, Symbols], theirs: dict[str, Symbols]) -> str | None:
    """Returns the characters that are new, as a text; None where all are. Other symbols, as labels, do not count."""
    known = {symbol for symbols in theirs.values() for symbol in symbols.names}
    named = (symbol for symbols in ours.values() for symbol in symbols.names)
    all_ours = dict.fromkeys(symbol for symbol in named if isinstance(symbol, str | int))
    new = [symbol for symbol in all_ours if symbol not in known]
    if all_ours and len(new) == len(all_ours):
        return None
    return "".join(symbol if isinstance(symbol, str) else chr(symbol) for symbol in new)


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
