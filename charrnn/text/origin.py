"""Where examples came from: what a user named, and which files were read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from charrnn.errors import ConfigError

STDIN = "standard input"
"""The name of a text that was read from there."""

ENDINGS = (".gz", ".bz2", ".xz", ".zip")
"""How the names of compressed files end that are read."""

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
"""The origin of examples that were made, and not read."""


def origin_of(examples: object) -> Origin:
    """Returns the origin of examples, of which a task need not tell any."""
    found = getattr(examples, "origin", NOWHERE)
    assert isinstance(found, Origin)
    return found


def listed(sources: Sequence[str]) -> tuple[str, ...]:
    """Returns sources as they are kept; a string alone, which is a sequence too, is one.

    Raises ConfigError for an empty name, which would mean the current directory, and for standard input given twice.
    """
    sources = (sources,) if isinstance(sources, str) else tuple(sources)
    if "" in sources:
        raise ConfigError("the name of a text is empty; name a file")
    if sources.count("-") > 1:
        raise ConfigError("'-' is given twice, and stdin can be read but once; give it once")
    return sources


def unpacked_name(name: str) -> str:
    """Returns the name of a file without the ending of a compressed one: that of what it holds."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.lower().endswith(ending)), name)


def stem_of(sources: Sequence[str]) -> str:
    """Returns what a run on these sources is called after: the first, without its folder and endings."""
    first = listed(sources)[0]
    if first == "-":
        return "stdin"
    return PurePath(unpacked_name(first)).stem or Path(first).resolve().name or "text"


def joint_origin(origin: Origin, *others: Origin) -> Origin:
    """Returns the origin with what is to be said of others, too."""
    notes = [*origin.notes, *(note for other in others for note in other.notes)]
    return Origin(origin.sources, origin.files, tuple(dict.fromkeys(notes)))


def name_of(sources: Sequence[str]) -> str:
    """Returns what sources are called in messages, as in `5 sources: a.txt, b.txt, c.txt, ...`."""
    names = [STDIN if source == "-" else source for source in listed(sources)]
    if len(names) == 1:
        return names[0]
    return f"{len(names)} sources: {', '.join(names[:MOST_NAMED])}{', ...' if len(names) > MOST_NAMED else ''}"
