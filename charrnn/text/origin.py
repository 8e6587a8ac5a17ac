"""Where examples came from: what a user named, and which files were read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STDIN = "standard input"
"""The name of a text that was read from there."""

MOST_NAMED = 3
"""Sources that a name lists at most."""


@dataclass(frozen=True)
class FileRead:
    """Tells one file from another: its name, how many bytes its text has, and their checksum."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Origin:
    """Says how examples are found again, and what was found."""

    sources: tuple[str, ...] = ()
    """What a user named: files, folders, names of corpora, or '-'."""
    files: tuple[FileRead, ...] = ()
    """The files that were read, in their order; those to validate and test on are not among them."""
    notes: tuple[str, ...] = ()
    """What a user may want to know of how they were read, a line each."""


NOWHERE = Origin()
"""Of examples that were made, and not read."""


def listed(sources: Sequence[str]) -> tuple[str, ...]:
    """Returns sources as they are kept; a string alone, which is a sequence too, is one."""
    return (sources,) if isinstance(sources, str) else tuple(sources)


def name_of(sources: Sequence[str]) -> str:
    """Returns what sources are called in messages, as in `5 sources: a.txt, b.txt, c.txt, ...`."""
    names = [STDIN if source == "-" else source for source in listed(sources)]
    if len(names) == 1:
        return names[0]
    return f"{len(names)} sources: {', '.join(names[:MOST_NAMED])}{', ...' if len(names) > MOST_NAMED else ''}"
