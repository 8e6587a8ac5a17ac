"""A text as it was read: its distinct symbols, and a small integer for each character."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Ids
from charrnn.errors import DataError
from charrnn.text.codes import Codes
from charrnn.text.origin import NOWHERE, Origin
from charrnn.text.spelled import SpelledIds, TextIds
from charrnn.text.vocabulary import Vocabulary, code_points

MARK = "\ufeff"
"""The byte order mark as a character."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""Finds what is no character, and may yet be in a Python string."""


class EmptyText(DataError):
    """Says that a text has no characters."""


@dataclass(frozen=True)
class Text:
    """Holds a text as read: nothing is translated, if not asked for, so CRLF are characters like others.

    A byte order mark at its beginning is no part of it, unless it was read as bytes.
    """

    symbols: str
    """Its distinct characters, in order of appearance."""
    codes: Codes
    """Character i is `symbols[codes[i]]`."""
    name: str
    encoding: str
    size: int
    """How many bytes were read."""
    sha256: str
    """The checksum of those bytes."""
    origin: Origin = NOWHERE
    """Where it is found again."""
    marked: bool = False
    """Whether there was a byte order mark."""

    def __len__(self) -> int:
        return len(self.codes)

    def counts(self, start: int = 0, stop: int | None = None) -> Ids:
        """Returns how often each of `symbols` occurs from character `start` to `stop`: (S,)."""
        S = len(self.symbols)
        counts = np.zeros(S, np.int64)
        for codes in self.codes.blocks(start, stop):
            counts += np.bincount(codes, minlength=S)
        return counts

    def ids(self, vocabulary: Vocabulary) -> TextIds | SpelledIds:
        """Returns the text in the ids of a vocabulary. Raises DataError that names the characters it lacks."""
        if vocabulary.fallback:
            spelled, sizes = vocabulary.spellings(self.symbols)
            return SpelledIds(self.codes, spelled, sizes) if sizes.max() > 1 else TextIds(self.codes, spelled[:, 0])
        return TextIds(self.codes, vocabulary.encode(self.symbols))

    def with_mark(self) -> Text:
        """Returns the text with the byte order mark before it that was left out, as a symbol."""
        symbols = self.symbols + MARK
        codes = self.codes.emptied(np.min_scalar_type(len(self.symbols)))
        codes.append(np.array([len(self.symbols)]))
        for block in self.codes.blocks():
            codes.append(block)
        return dataclasses.replace(self, symbols=symbols, codes=codes, marked=False)

    def without(self, symbols: str) -> Text:
        """Returns the text without some of its characters, as if they had never stood in it."""
        left_out = set(symbols)
        kept = [symbol not in left_out for symbol in self.symbols]
        table = np.where(kept, np.cumsum(kept) - 1, -1)
        codes = self.codes.translated(table, np.min_scalar_type(max(0, sum(kept) - 1)))
        return dataclasses.replace(self, symbols="".join(itertools.compress(self.symbols, kept)), codes=codes)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Yields the characters from `start` to `stop`, about a million at a time."""
        return pieces_of(self.symbols, self.codes, start, stop)


def pieces_of(symbols: str, codes: Codes, start: int = 0, stop: int | None = None) -> Iterator[str]:
    """Yields the characters from `start` to `stop`, about a million at a time; character i is `symbols[codes[i]]`."""
    points = code_points(symbols)
    for block in codes.blocks(start, stop):
        yield points.take(block).tobytes().decode("utf-32-le")
