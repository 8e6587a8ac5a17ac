"""Text that is written symbol by symbol, where some are bytes: only text can be, and each character comes whole."""

from __future__ import annotations

import codecs
import functools
import itertools
import sys
from collections.abc import Callable

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.text.utf8 import BYTES_THERE_ARE, ByteRules, size_of
from charrnn.text.vocabulary import Vocabulary


@functools.cache
def characters_of(encoding: str) -> str | None:
    """Returns the characters that an encoding of one or more bytes has; None where it may have all there are."""
    if codecs.lookup(encoding).name.startswith("utf") or encodes("\U0010ffff", encoding):
        return None
    points = itertools.chain(range(0xD800), range(0xE000, sys.maxunicode + 1))
    return "".join(character for character in map(chr, points) if encodes(character, encoding))


def encodes(character: str, encoding: str) -> bool:
    """Tells whether an encoding has a character."""
    try:
        return bool(character.encode(encoding))
    except UnicodeError:
        return False


class WholeCharacters:
    """Keeps several texts, which are drawn side by side, valid UTF-8, and each character spelled in one way alone.

    Its methods are those of a constraint in sampling. Ids behind those of the vocabulary, such as the end of a
    document, may be drawn wherever a character may begin.
    """

    def __init__(self, vocabulary: Vocabulary, rows: int, allow: str | None = None, ban: str = "") -> None:
        """Lets a character be spelled that is in `allow`, or any where that is None, but none that is in `ban`.

        What is written shall be read again as the text was: so none that the text's encoding has not.
        """
        self._own = len(vocabulary.symbols)
        there_are = characters_of(vocabulary.encoding)
        if there_are is not None:
            allow = there_are if allow is None else "".join(set(allow).intersection(there_are))
        self._rules = ByteRules(vocabulary.symbols + ban, allow)
        self._begun = [b""] * rows
        """The bytes of the character that each row is in the middle of."""
        self._masks: dict[bytes, Array] = {}

    def forbid(self, logits: Array) -> None:
        """Writes -inf into the logits (B, V) of what may not come next in each row."""
        for row, begun in zip(logits, self._begun, strict=True):
            if begun not in self._masks:
                self._masks[begun] = self._forbidden(begun, len(row))
            row[self._masks[begun]] = -np.inf

    def drawn(self, ids: Ids) -> None:
        """Is told what each row drew: (B,)."""
        for b, byte in enumerate((ids.astype(np.int64) - self._own).tolist()):
            begun = self._begun[b] + bytes([byte]) if 0 <= byte < BYTES_THERE_ARE else b""
            self._begun[b] = begun if begun and len(begun) < size_of(begun[0]) else b""

    def open(self) -> Array | None:
        """Returns which rows are in the middle of a character, and may not end: bools (B,); None for none."""
        inside = np.array([bool(begun) for begun in self._begun])
        return inside if inside.any() else None

    def _forbidden(self, begun: bytes, size: int) -> Array:
        forbidden = np.full(size, bool(begun))
        forbidden[self._own : self._own + BYTES_THERE_ARE] = ~self._rules.allowed(begun)
        return forbidden


def reader(vocabulary: Vocabulary) -> Callable[[int], str]:
    """Returns what makes characters of the ids of one text, as they come: "" while a character is not whole."""
    return Joiner(vocabulary).push if vocabulary.fallback else vocabulary.symbols.__getitem__


class Joiner:
    """Makes characters of the symbols of one text, some of which are bytes, as they come."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._own = len(vocabulary.symbols)
        self._begun = b""

    def push(self, symbol: int) -> str:
        """Returns the character that is whole with this symbol, or "" while there is none."""
        if symbol < self._own:
            return self._vocabulary.symbols[symbol]
        self._begun += bytes([symbol - self._own])
        if len(self._begun) < size_of(self._begun[0]):
            return ""
        character, self._begun = self._begun.decode("utf-8", "ignore"), b""
        return character
