"""The vocabulary of a run that begins from old weights: of its own text, of the old run, or of both."""

from __future__ import annotations

import dataclasses
from typing import Any

from charrnn import advice
from charrnn.errors import ConfigError, DataError
from charrnn.tasks.base import Task
from charrnn.tasks.writer import Writer
from charrnn.text.options import DataConfig
from charrnn.text.vocabulary import BYTES, MOST_SYMBOLS, Vocabulary


def inherit(task: Task, old: Task | None, data: DataConfig, name: str) -> Task:
    """Returns `task` with the vocabulary that `data.vocabulary` asks for; `old` is the task of the old weights.

    `name` is that of the text. Raises ConfigError where there are no such weights, or their symbols are of another
    kind, and DataError for characters that have no place in the vocabulary.
    """
    if data.vocabulary == "new":
        return task
    if old is None:
        raise ConfigError(
            f"data.vocabulary: {data.vocabulary} is about the weights to begin from; "
            f"give some with --init-from CHECKPOINT, or {advice.setting('data.vocabulary', 'new')}"
        )
    ours: Vocabulary = _with_vocabulary(task).vocabulary
    theirs: Vocabulary = _with_vocabulary(old).vocabulary
    if (ours.encoding == BYTES) != (theirs.encoding == BYTES):
        raise ConfigError(
            f"data.vocabulary: {data.vocabulary} needs symbols of one kind, and those of the old run are of "
            f"data.encoding {theirs.encoding}, not {ours.encoding}; {advice.setting('data.vocabulary', 'new')}"
        )
    writes = isinstance(task, Writer)  # others have a symbol for what is unknown
    fallback = writes and (ours.fallback or theirs.fallback)
    known = set(theirs.symbols)
    if data.vocabulary == "keep":
        lacking = "".join(c for c in ours.symbols if c not in known)
        if lacking and writes and not fallback:
            spell = f", or spell them in bytes with {advice.setting('data.min_count', 1)}"
            raise DataError(
                f"{name}: the weights to begin from never saw {ours.describe(lacking)}; take them in with "
                f"`{advice.setting('data.vocabulary', 'union')}`{'' if ours.encoding == BYTES else spell}"
            )
        symbols = theirs.symbols
    else:
        symbols = "".join(sorted(known.union(ours.symbols)))
        if len(symbols) > MOST_SYMBOLS:
            raise DataError(
                f"{name} and the old run have {len(symbols):,} distinct characters, and a model may have at most "
                f"{MOST_SYMBOLS:,}; {advice.setting('data.vocabulary', 'new')}"
            )
    vocabulary = Vocabulary(symbols, ours.encoding, fallback)
    inherited: Task = dataclasses.replace(_with_vocabulary(task), vocabulary=vocabulary)
    return inherited


def _with_vocabulary(task: Any) -> Any:
    """Returns a task as one that has a vocabulary, as all tasks do that read `data.vocabulary`."""
    if not hasattr(task, "vocabulary"):
        raise ConfigError("data.vocabulary: the weights to begin from have no vocabulary; leave it out")
    return task
