"""Examples of a run that are read once more, which may be elsewhere by now, or seen from another directory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.errors import DataError
from charrnn.runs.run import Corpus, Run
from charrnn.tasks.base import Examples
from charrnn.text.options import DataConfig
from charrnn.text.origin import STDIN

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


class MovedError(DataError):
    """Says that what a run learnt from is not where it was."""

    def __init__(self, sources: Sequence[str], missing: Sequence[str]) -> None:
        """Takes what the run was given, and what of it is missing."""
        self.sources, self.missing = sources, missing
        seen = "" if all(map(os.path.isabs, missing)) else f", seen from {os.path.abspath('.')}"
        what = f"{len(missing):,} sources, such as {missing[0]}," if len(missing) > 1 else f"{missing[0]},"
        super().__init__(f"the run learnt from {what} which {'are' if len(missing) > 1 else 'is'} not there{seen}")

    def given(self, name: str) -> list[str | Path]:
        """Returns what is to be given in place of the sources: `name` stands for what is missing."""
        return [name if source in self.missing else Path(source) for source in self.sources]


def read_again(run: Run, library: Library, place: Path | None = None, data: DataConfig | None = None) -> Examples:
    """Reads what a run learns from once more: where it was, as seen from here, or else from above its `place`.

    `place` is the directory of the run, or a checkpoint in it, and `data` says how to read where that is not as the
    run was configured. Whether the examples are still the same is for the caller to compare. Raises MovedError where
    they are not there, DataError where they cannot be read.
    """
    data, names = data or run.config.data, library.names()
    sources = [_found(source, names, place) for source in run.corpus.found_at]
    if missing := _missing(run, names, place):
        raise MovedError(sources, missing)
    validation, test = (path and _found(path, names, place) for path in (data.validation, data.test))
    examples: Examples = run.task.read(library, sources, dataclasses.replace(data, validation=validation, test=test))
    return examples


def name_anew(run: Run, examples: Examples, library: Library, place: Path) -> None:
    """Lets a run remember where its examples were read, if they are not where they were."""
    if _missing(run, library.names(), place):
        run.corpus = Corpus.of(examples)


def _missing(run: Run, names: Sequence[str], place: Path | None) -> list[str]:
    """Returns the sources of a run that are nowhere."""
    return [source for source in run.corpus.found_at if not _is_there(_found(source, names, place), names)]


def _found(source: str, names: Sequence[str], place: Path | None) -> str:
    """Returns where a source is: where it was, or above the run, for a run that is named from another directory."""
    if place is None or os.path.isabs(source) or _is_there(source, names):
        return source
    above = (folder / source for folder in Path(os.path.abspath(place)).parents)
    return next((str(path) for path in above if os.path.exists(path)), source)


def _is_there(source: str, names: Sequence[str]) -> bool:
    return source in ("-", STDIN, *names) or os.path.exists(source)
