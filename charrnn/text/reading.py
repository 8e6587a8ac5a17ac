"""Files to a text in the encoding that they have: the one that was named, or what a model's own words may stand in.

What charrnn writes is UTF-8, whatever the encoding was of the text that a model learnt from. So a text that a model is
given later may be in either. Both are tried, and what the model knows decides (see docs/decisions/0010-encodings.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from charrnn import advice
from charrnn.errors import DataError
from charrnn.text.detecting import marked, same_encoding, wide
from charrnn.text.encoding import Reader
from charrnn.text.origin import MOST_NAMED, FileRead
from charrnn.text.sources import Opened
from charrnn.text.vocabulary import BYTES

MANY = 60
"""Files from which on they can be learnt as documents, of which each part of the data has some."""


class Known(NamedTuple):
    """Is what a model knows of texts."""

    symbols: str
    """Its characters."""
    sha256: str
    """The checksum of the text that it learnt from."""


class Manner(NamedTuple):
    """Says how texts are read."""

    encoding: str
    newlines: str
    naming: str
    """The option or the key that names an encoding, for messages: `--encoding`."""
    or_bytes: bool = False
    """Whether what cannot be decoded is read as bytes."""
    certain: bool = False
    """Whether the user has named the encoding for these very texts."""
    known: Known | None = None
    """What the model knows that is to read them, where their encoding may differ from that of its own text."""

    def others(self, head: bytes) -> list[str]:
        """Returns the other encodings that a text may have which begins with `head`."""
        if self.or_bytes:
            return [BYTES]
        if self.known is None or self.encoding == BYTES:
            return []
        of_windows = "cp1252" if same_encoding(self.encoding, "latin-1") else None
        others = filter(None, [marked(head), wide(head) if b"\0" in head else None, "utf-8", of_windows])
        return [other for other in others if not same_encoding(other, self.encoding)]


class Readers:
    """Reads files in each encoding that they may have, until it is known which it is."""

    def __init__(self, manner: Manner, cache: Path) -> None:
        self._manner, self._cache, self._stack = manner, cache, ExitStack()
        self._readers: list[Reader] = []
        self._fault: DataError | None = None
        """What is wrong with the files in the encoding that they should have."""

    def __enter__(self) -> Self:
        self._own = self._add(self._manner.encoding)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _add(self, encoding: str) -> Reader:
        reader = Reader(encoding, self._cache, self._manner.newlines, self._manner.naming)
        self._readers.append(self._stack.enter_context(reader))
        return reader

    def take(self, file: Opened) -> None:
        """Reads a file. Raises DataError where it fits no encoding."""
        is_first = not self._own.files
        for reader in self._readers:
            reader.begin(file.name)
        for k, chunk in enumerate(itertools.chain(file.chunks, [b""])):
            if is_first and k == 0:
                for other in self._manner.others(chunk):
                    self._add(other).begin(file.name)
            for reader in [*self._readers]:
                try:
                    reader.feed(chunk)
                except DataError as error:
                    self._drop(reader, error)

    def _drop(self, reader: Reader, error: DataError) -> None:
        """Goes on without a reader. Raises the error of the first where it was the last."""
        self._readers.remove(reader)
        if reader is self._own:
            self._fault = error
        if not self._readers:
            raise self._fault or error

    @property
    def fit_own(self) -> bool:
        """Whether the files can be decoded in the encoding that they should have."""
        return self._own in self._readers

    def chosen(self) -> Reader:
        """Returns the reader of the encoding that knows best what it has read: in doubt not the model's own."""
        known, own = self._manner.known, self._own
        if len(self._readers) == 1 or known is None:
            return self._readers[0]
        if own in self._readers:
            alike = all(
                (reader.symbols, len(reader.codes)) == (own.symbols, len(own.codes)) for reader in self._readers
            )
            if alike or own.sha256 == known.sha256:
                return own
        return min(self._readers, key=lambda reader: (len({*reader.symbols} - {*known.symbols}), reader is own))


@dataclass
class Remarks:
    """Collects what a user may want to know of how files were read."""

    manner: Manner
    lines: list[str] = field(default_factory=list)
    """What is to be said of folders and archives, a line each."""
    _marks: list[str] = field(default_factory=list)
    _doubts: list[str] = field(default_factory=list)
    _others: list[str] = field(default_factory=list)
    _open_ends: int = 0
    _files: list[FileRead] = field(default_factory=list)

    def add(self, readers: Readers) -> None:
        """Takes note of what was read."""
        reader, own = readers.chosen(), self.manner.encoding
        self._marks += reader.marks
        self._open_ends += reader.open_ends
        self._files += reader.files
        if self.manner.known is None or own == BYTES:  # else what would be in doubt has been decided
            self._doubts += [] if self.manner.certain else reader.doubts
        elif reader.encoding != own:
            as_own = f"; to read it as that: {advice.option(self.manner.naming, own)}" if readers.fit_own else ""
            names = _some([file.name for file in reader.files])
            self._others.append(f"{names}: read as {reader.encoding}, though the model's text was {own}{as_own}")

    def notes(self, joined: bool) -> tuple[str, ...]:
        """Returns all of it, a line each; `joined` says that the files became one text."""
        lines = [*self.lines, *_first(self._doubts)]
        if self._marks:
            begin = "begins" if len(self._marks) == 1 else "begin"
            lines.append(f"{_some(self._marks)} {begin} with a byte order mark, which is no part of the text")
        lines += _first(self._others) + self._repeated()
        if joined and self._open_ends and self.manner.known is None and not self.manner.or_bytes:
            apart = f"; to keep files apart: {advice.setting('data.documents', 'files')}"
            lines.append(
                f"files whose last line has no end, so that the next file goes on in it: {self._open_ends:,}"
                f"{apart * (len(self._files) >= MANY)}"
            )
        return tuple(lines)

    def _repeated(self) -> list[str]:
        """Returns a line if a text to be learnt has some file twice, by whatever names, or none."""
        if self.manner.known is not None or self.manner.or_bytes:
            return []
        before: set[str] = set()
        names = []
        for file in self._files:
            if file.size and file.sha256 in before:
                names.append(file.name)
            before.add(file.sha256)
        have = "has" if len(names) == 1 else "have"
        told = f"{_some(names)} {have} the same bytes as a file before; to learn them but once, leave out the copies"
        return [told] * bool(names)


def _first(lines: Sequence[str]) -> list[str]:
    """Returns the first of some lines, and how many more there are."""
    more = len(lines) - MOST_NAMED
    return [*lines[:MOST_NAMED], *[f"and {more:,} more files like these"] * (more > 0)]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + f" and {len(names) - MOST_NAMED:,} more" * (len(names) > MOST_NAMED)
