"""New runs from old weights: what fits is taken over, and symbols are matched by themselves, not by their index."""

from __future__ import annotations

import dataclasses
import shlex

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.errors import CheckpointError
from charrnn.nn.build import OF_TRAINING
from charrnn.nn.options import ModelConfig
from charrnn.runs.run import Run
from charrnn.tasks.base import Symbols


def take_over(run: Run, old: Run) -> list[str]:
    """Copies into the new `run` what it shares with `old`, and returns a line for each kind of thing that it does not.

    A parameter is taken over where it has the same name and, symbols apart, the same shape; the weights of symbols that
    `old` does not know stay as initialized. Raises CheckpointError where no layer or no symbol is shared.
    """
    ours, theirs = run.task.symbols(run.model), old.task.symbols(old.model)
    taken, new = [], []
    for name, array in run.params.items():
        source = old.params.get(name)
        if source is not None and _copy(array, source, ours.get(name), theirs.get(name)):
            taken.append(name)
        else:
            new.append(name)
    differing = _differing(run, old)
    if not any(name.startswith("layers.") for name in taken):
        words = [f"--set {shlex.quote(f'model.{name}={before}')}" for name, (before, _) in differing.items()]
        raise CheckpointError(
            f"no layer of the weights to begin from fits this network; "
            f"{'give ' + ' '.join(words) if words else 'leave out --init-from'}"
        )
    unknown = _unknown(ours, theirs)
    if unknown is None:
        raise CheckpointError("the weights to begin from know no character of this text; leave out --init-from")
    if run.average is not None:
        run.average.vector[...] = run.params.vector
    left = [name for name in old.params if name not in taken]
    notes = [
        f"model.{name} was {was!r} in the weights to begin from, and is {now!r}"
        for name, (was, now) in differing.items()
    ]
    if new:
        notes.append(f"new, and not in the weights to begin from: {', '.join(new)}")
    if left:
        notes.append(f"in the weights to begin from, and not taken over: {', '.join(left)}")
    if unknown:
        notes.append(f"characters new to the weights: {unknown!r}")
    return notes


def _copy(array: Array, source: Array, ours: Symbols | None, theirs: Symbols | None) -> bool:
    """Copies `source` into `array` where they fit, and tells whether they do."""
    if ours is None or theirs is None:
        if ours is not theirs or array.shape != source.shape:
            return False
        array[...] = source
        return True
    if ours[:2] != theirs[:2] or _without(array, ours) != _without(source, theirs):
        return False
    mine, old = np.moveaxis(array, ours.axis, 0), np.moveaxis(source, theirs.axis, 0)
    mine[: ours.start] = old[: theirs.start]
    here, there = _shared(ours, theirs)
    mine[ours.start + here] = old[theirs.start + there]
    return True


def _without(array: Array, symbols: Symbols) -> tuple[int, ...]:
    """The shape but for the axis of the symbols."""
    return array.shape[: symbols.axis] + array.shape[symbols.axis + 1 :]


def _shared(ours: Symbols, theirs: Symbols) -> tuple[Ids, Ids]:
    """Where the symbols that both have stand among ours, and among theirs."""
    place = {symbol: k for k, symbol in enumerate(theirs.names)}
    both = [(k, place[symbol]) for k, symbol in enumerate(ours.names) if symbol in place]
    return np.array([k for k, _ in both], int), np.array([k for _, k in both], int)


def _unknown(ours: dict[str, Symbols], theirs: dict[str, Symbols]) -> str | None:
    """The symbols that are new, as a text; None where all are."""
    known = {symbol for symbols in theirs.values() for symbol in symbols.names}
    all_ours = dict.fromkeys(symbol for symbols in ours.values() for symbol in symbols.names)
    new = [symbol for symbol in all_ours if symbol not in known]
    if all_ours and len(new) == len(all_ours):
        return None
    return "".join(symbol if isinstance(symbol, str) else chr(symbol) for symbol in new)  # type: ignore[arg-type]


def _differing(run: Run, old: Run) -> dict[str, tuple[object, object]]:
    """What the old network is and the new one is not, by the key of the configuration: before, and now."""
    before, now = old.config.model, run.config.model
    names = [field.name for field in dataclasses.fields(ModelConfig) if field.name not in OF_TRAINING]
    values = {name: (getattr(before, name), getattr(now, name)) for name in names}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}
