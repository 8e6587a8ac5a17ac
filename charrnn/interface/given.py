"""What a Python program may learn from: files and corpora by their names, or a text or pairs that it has in memory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from charrnn.cli import common
from charrnn.errors import ConfigError, DataError
from charrnn.text.corpus import Library
from charrnn.text.pairs import escape
from charrnn.text.reading import Remarks
from charrnn.text.sources import Opened
from charrnn.text.vocabulary import BYTES

IN_MEMORY = "what was given in Python"
"""The name of a text that has none."""

LONGEST_NAME = 255
"""Characters of a name of a file: what is longer is a text."""

Source = str | bytes | os.PathLike[str] | Iterable[Any]
"""What `train` and `evaluate` take; `sources_of` says which is which."""


@dataclass(frozen=True)
class Shelf(Library):
    """Is the library of the command line, in which one text more is found, under the name `IN_MEMORY`."""

    data: bytes = b""

    def _files(self, sources: tuple[str, ...], remarks: Remarks) -> Iterator[Opened]:
        if sources == (IN_MEMORY,):
            yield Opened(IN_MEMORY, iter([self.data]))
        else:
            yield from super()._files(sources, remarks)


def sources_of(
    source: Source, encoding: str, library: Library | None = None, or_utf8: bool = False
) -> tuple[Library, list[str]]:
    """Returns where examples are read, and by which names.

    A string with a line break, or longer than any name, is a text itself, and so are bytes; another is a file or
    a corpus. A list is of such names, or of pairs `(label, text)` or `(source, target)`. Raises ConfigError for
    anything else, DataError for a text that is not of the `encoding`, unless UTF-8 will do.
    """
    library = library or common.library()
    if isinstance(source, bytes):
        return _shelf(library, source), [IN_MEMORY]
    if isinstance(source, str):
        if not {"\n", "\r"} & {*source[: LONGEST_NAME + 1]} and len(source) <= LONGEST_NAME:
            return library, [source]
        return _shelf_of(library, source, encoding, or_utf8), [IN_MEMORY]
    if isinstance(source, os.PathLike):
        return library, [os.fspath(source)]
    given = list(source) if isinstance(source, Iterable) else []
    if given and all(isinstance(one, str | os.PathLike) for one in given):
        return library, [os.fspath(one) for one in given]
    if given and all(_is_pair(one) for one in given):
        rows = "".join(f"{escape(first)}\t{escape(second)}\n" for first, second in given)
        return _shelf_of(library, rows, encoding, or_utf8), [IN_MEMORY]
    raise ConfigError(
        f"a {type(source).__name__} is nothing to read; give a file, the name of a corpus, a text, a list of files, or "
        f"a list of pairs such as ('label', 'text')"
    )


def encoded(text: str, encoding: str) -> bytes:
    """Returns the bytes of a text; where each byte is a symbol, those of UTF-8. Raises DataError."""
    try:
        return text.encode("utf-8" if encoding == BYTES else encoding)
    except UnicodeError as error:
        raise DataError(f"{IN_MEMORY} cannot be written in {encoding}: {error}; choose another encoding") from error


def _shelf_of(library: Library, text: str, encoding: str, or_utf8: bool) -> Shelf:
    """Returns a library with a text in it, whose encoding is certain: no other is tried when it is read."""
    try:
        data = encoded(text, encoding)
    except DataError:
        if not or_utf8:
            raise
        encoding, data = "utf-8", encoded(text, "utf-8")
    return _shelf(dataclasses.replace(library, encoding=encoding), data)


def _shelf(library: Library, data: bytes) -> Shelf:
    return Shelf(**vars(library), data=data)


def _is_pair(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) == 2 and all(isinstance(part, str) for part in value)
