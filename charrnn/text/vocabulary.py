"""Characters (or bytes) to integers and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn import advice
from charrnn.arrays import Ids
from charrnn.errors import DataError
from charrnn.text.utf8 import BYTES_THERE_ARE, MOST_BYTES, spell

BYTES = "bytes"
"""The encoding that makes each byte a symbol of its own, whatever it means; symbol b is written chr(b)."""

MOST_SYMBOLS = 1 << 16
"""Symbols that a model may have. No text of people has so many, and each costs a row in every matrix at both ends."""


class UnknownCharacters(DataError):
    """Says that a text has `characters` that a vocabulary lacks."""

    def __init__(self, characters: str, place: str = "", encoding: str = "utf-8") -> None:
        """`place` is the name of the text, and `encoding` that of the vocabulary."""
        self.described = describe(characters, encoding)
        never = f"the model never saw {self.described}"
        super().__init__(f"{place}: {never}; take them out, or train on a text that has them" if place else never)
        self.characters, self.place = characters, place


@dataclass(frozen=True)
class Vocabulary:
    """Holds the symbols of a model, in the order of their ids: `symbols[i]` is the character with id i.

    With a byte fallback, any other character is spelled: it is the bytes of its UTF-8, each a symbol behind those of
    the characters. So no character is unknown, and one that is rare costs no row of its own at both ends of a network.
    """

    symbols: str
    encoding: str = "utf-8"
    fallback: bool = False
    """Whether other characters are spelled in bytes: byte b has the id `len(symbols) + b`."""

    @classmethod
    def of(cls, text: str, encoding: str = "utf-8") -> Vocabulary:
        """Returns the vocabulary of `text`: its distinct characters, by code point. Raises DataError for too many."""
        symbols = "".join(sorted(set(text)))
        if len(symbols) > MOST_SYMBOLS:
            most = advice.setting("data.max_vocab", MOST_SYMBOLS >> 4)
            raise DataError(
                f"the text has {len(symbols):,} distinct characters, and a model may have at most {MOST_SYMBOLS:,}; "
                f"is its encoding right? else spell the rarest in bytes with {most}"
            )
        return cls(symbols, encoding)

    @classmethod
    def of_frequent(cls, symbols: str, counts: Ids, encoding: str, most: int | None, least: int | None) -> Vocabulary:
        """Returns a vocabulary with a byte fallback, whose characters are the most frequent of `symbols`.

        They are at most `most`, and each occurs `least` times or more, as `counts (n,)` tell; None is no bound, though
        what never occurs is spelled. Of equals, those of lower code points come first.
        """
        points = code_points(symbols)
        order = np.lexsort([points, -counts])
        kept = order[counts[order] >= max(1, least or 1)][: MOST_SYMBOLS if most is None else min(most, MOST_SYMBOLS)]
        return cls("".join(map(chr, np.sort(points[kept]).tolist())), encoding, fallback=True)

    @classmethod
    def from_meta(cls, meta: Any, encoding: str) -> Vocabulary:
        """Returns the vocabulary that a checkpoint tells. Raises ValueError where it can be none in this encoding."""
        vocabulary = cls(**meta)
        symbols, fallback = vocabulary.symbols, vocabulary.fallback
        if type(fallback) is not bool or (fallback and encoding == BYTES):
            raise ValueError("its vocabulary has no such byte fallback")
        is_text = isinstance(symbols, str) and (not fallback) <= len(symbols) <= MOST_SYMBOLS
        if not is_text or list(symbols) != sorted(set(symbols)):
            raise ValueError("its vocabulary is not a sorted set of characters")
        if any("\ud800" <= symbol <= "\udfff" for symbol in symbols):
            raise ValueError("its vocabulary has lone surrogates, which are no characters")
        if vocabulary.encoding != encoding:
            raise ValueError("its vocabulary is not in the encoding of its configuration")
        return vocabulary

    def facts(self) -> dict[str, Any]:
        """Returns what `charrnn info` says of it."""
        bytes_too = {"byte_fallback": BYTES_THERE_ARE} if self.fallback else {}
        return {"vocabulary": len(self), "symbols": self.symbols, **bytes_too, "encoding": self.encoding}

    def in_words(self) -> str:
        """Says what it has, as in `66 distinct characters`."""
        if not self.fallback:
            return f"{len(self):,} distinct characters"
        return f"{len(self.symbols):,} characters with symbols of their own, and {BYTES_THERE_ARE} bytes for all others"

    def __len__(self) -> int:
        return len(self.symbols) + BYTES_THERE_ARE * self.fallback

    @cached_property
    def _index(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    @property
    def dtype(self) -> npt.DTypeLike:
        """The smallest integer type that holds every id."""
        return np.min_scalar_type(len(self) - 1)

    def unknown(self, text: str) -> str:
        """Returns the distinct characters of `text` that the vocabulary lacks, in order of appearance."""
        lacking = (c for c in text if c not in self._index)
        return "".join(dict.fromkeys(c for c in lacking if not self.fallback or "\ud800" <= c <= "\udfff"))

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of the characters of `text`: one for each, or more for those that are spelled.

        Raises UnknownCharacters that names those the vocabulary lacks.
        """
        if self.fallback:
            spelled, sizes = self.spellings(text)
            return spelled[np.arange(MOST_BYTES) < sizes[:, None]]
        points = code_points(text)
        known = code_points(self.symbols)
        table = np.full(max(points.max(initial=0), known.max(initial=0)) + 1, -1)
        table[known] = np.arange(len(known))
        ids = table[points]
        if (ids < 0).any():
            raise UnknownCharacters(self.unknown(text), encoding=self.encoding)
        return ids.astype(self.dtype)

    def spellings(self, characters: str) -> tuple[Ids, Ids]:
        """Returns the ids that each of these n characters is made of, (n, 4), and how many there are: (n,).

        Of each row, the first ids count alone. This is for a vocabulary with a byte fallback, in which only lone
        surrogates are unknown: raises UnknownCharacters that names them.
        """
        if lone := self.unknown(characters):
            raise UnknownCharacters(lone)
        points, known = code_points(characters), code_points(self.symbols)
        spelled, sizes = spell(points)
        ids = (spelled.astype(np.int64) + len(known)).astype(self.dtype)
        if len(known):
            found = np.searchsorted(known, points).clip(0, len(known) - 1)
            is_known = known[found] == points
            ids[is_known, 0], sizes[is_known] = found[is_known], 1
        return ids, sizes

    def name(self, symbol: int) -> str:
        """Returns the character with this id; a byte that is part of others is written as in `<e6>`."""
        own = len(self.symbols)
        return self.symbols[symbol] if symbol < own else f"<{symbol - own:02x}>"

    def encode_known(self, text: str, unknown: int) -> Ids:
        """Returns the ids (N,) of the characters of `text`; those that the vocabulary lacks become `unknown`."""
        points = code_points(text)
        known = code_points(self.symbols)
        order = known.argsort()
        found = order.take(np.searchsorted(known, points, sorter=order), mode="clip")
        ids = np.where(known[found] == points, found, unknown)
        return ids.astype(np.min_scalar_type(max(len(self) - 1, unknown)))

    def decode(self, ids: Ids) -> str:
        """Returns the text whose ids are `ids (N,)`. Bytes that are no whole character, as at an end, are left out."""
        if not self.fallback:
            return "".join(self.symbols[i] for i in ids)
        own = len(self.symbols)
        parts = (self.symbols[i].encode() if i < own else bytes([i - own]) for i in map(int, ids))
        return b"".join(parts).decode("utf-8", "ignore")

    def readable(self, text: str) -> str:
        """Returns a text as people read it: in bytes mode what the bytes mean in UTF-8, with escapes for others."""
        return self.to_bytes(text).decode(errors="backslashreplace") if self.encoding == BYTES else text

    def quoted(self, text: str) -> str:
        """Returns a text in quotes for a message, with escapes for bytes that are no characters."""
        if self.encoding != BYTES:
            return repr(text)
        read = self.to_bytes(text).decode(errors="surrogateescape")
        parts = (f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else repr(c)[1:-1] for c in read)
        return f"'{''.join(parts)}'"

    def describe(self, characters: str) -> str:
        """Lists characters, or bytes, for a message."""
        return describe(characters, self.encoding)

    def to_bytes(self, text: str) -> bytes:
        """Returns what is written where `text` is shown or stored: the bytes themselves in bytes mode, else UTF-8."""
        return text.encode("latin-1" if self.encoding == BYTES else "utf-8")


def code_points(text: str) -> Ids:
    """Returns the code points of the characters of `text`: (N,), of four bytes each."""
    # A command-line argument that was not valid text holds lone surrogates; they are characters no model has seen.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def describe(characters: str, encoding: str = "utf-8", most: int = 10) -> str:
    """Lists characters for an error message: 'é' (U+00E9), 'ß' (U+00DF), and 3 more; or bytes, as in byte 0xe9."""
    named = ", ".join(
        f"byte 0x{ord(c):02x}" if encoding == BYTES and not c.isascii() else f"{c!r} (U+{ord(c):04X})"
        for c in characters[:most]
    )
    more = len(characters) - most
    return f"{named}, and {more:,} more" if more > 0 else named
