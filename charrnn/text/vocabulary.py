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

BYTES = "bytes"
"""The encoding that makes each byte a symbol of its own, whatever it means; symbol b is written chr(b)."""

MOST_SYMBOLS = 1 << 16
"""Symbols that a model may have. No text of people has so many, and each costs a row in every matrix at both ends."""


class UnknownCharacters(DataError):
    """Says that a text has `characters` that a vocabulary lacks."""

    def __init__(self, characters: str, place: str = "") -> None:
        never = f"the model never saw {describe(characters)}"
        super().__init__(f"{place}: {never}; take them out, or train on a text that has them" if place else never)
        self.characters, self.place = characters, place


@dataclass(frozen=True)
class Vocabulary:
    """Holds the symbols of a model, in the order of their ids: `symbols[i]` is the character with id i."""

    symbols: str
    encoding: str = "utf-8"

    @classmethod
    def of(cls, text: str, encoding: str = "utf-8") -> Vocabulary:
        """Returns the vocabulary of `text`: its distinct characters, by code point. Raises DataError for too many."""
        symbols = "".join(sorted(set(text)))
        if len(symbols) > MOST_SYMBOLS:
            raise DataError(
                f"the text has {len(symbols):,} distinct characters, and a model may have at most {MOST_SYMBOLS:,}; "
                f"is its encoding right? else read it as bytes with {advice.setting('data.encoding', BYTES)}"
            )
        return cls(symbols, encoding)

    @classmethod
    def from_meta(cls, meta: Any, encoding: str) -> Vocabulary:
        """Returns the vocabulary that a checkpoint tells. Raises ValueError where it can be none in this encoding."""
        vocabulary = cls(**meta)
        symbols = vocabulary.symbols
        is_text = isinstance(symbols, str) and 0 < len(symbols) <= MOST_SYMBOLS
        if not is_text or list(symbols) != sorted(set(symbols)):
            raise ValueError("its vocabulary is not a sorted set of characters")
        if any("\ud800" <= symbol <= "\udfff" for symbol in symbols):
            raise ValueError("its vocabulary has lone surrogates, which are no characters")
        if vocabulary.encoding != encoding:
            raise ValueError("its vocabulary is not in the encoding of its configuration")
        return vocabulary

    def facts(self) -> dict[str, Any]:
        """Returns what `charrnn info` says of it."""
        return {"vocabulary": len(self), "symbols": self.symbols, "encoding": self.encoding}

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    @property
    def dtype(self) -> npt.DTypeLike:
        """The smallest integer type that holds every id."""
        return np.min_scalar_type(len(self) - 1)

    def unknown(self, text: str) -> str:
        """Returns the distinct characters of `text` that the vocabulary lacks, in order of appearance."""
        return "".join(dict.fromkeys(c for c in text if c not in self._index))

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of the characters of `text`.

        Raises UnknownCharacters that names those the vocabulary lacks.
        """
        points = code_points(text)
        known = code_points(self.symbols)
        table = np.full(max(points.max(initial=0), known.max(initial=0)) + 1, -1)
        table[known] = np.arange(len(known))
        ids = table[points]
        if (ids < 0).any():
            raise UnknownCharacters(self.unknown(text))
        return ids.astype(self.dtype)

    def encode_known(self, text: str, unknown: int) -> Ids:
        """Returns the ids (N,) of the characters of `text`; those that the vocabulary lacks become `unknown`."""
        points = code_points(text)
        known = code_points(self.symbols)
        order = known.argsort()
        found = order.take(np.searchsorted(known, points, sorter=order), mode="clip")
        ids = np.where(known[found] == points, found, unknown)
        return ids.astype(np.min_scalar_type(max(len(self) - 1, unknown)))

    def decode(self, ids: Ids) -> str:
        """Returns the text whose ids are `ids (N,)`."""
        return "".join(self.symbols[i] for i in ids)

    def to_bytes(self, text: str) -> bytes:
        """Returns what is written where `text` is shown or stored: the bytes themselves in bytes mode, else UTF-8."""
        return text.encode("latin-1" if self.encoding == BYTES else "utf-8")


def code_points(text: str) -> Ids:
    """Returns the code points of the characters of `text`: (N,), of four bytes each."""
    # A command-line argument that was not valid text holds lone surrogates; they are characters no model has seen.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def describe(characters: str, most: int = 10) -> str:
    """Lists characters for an error message: 'é' (U+00E9), 'ß' (U+00DF), and 3 more."""
    named = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:most])
    more = len(characters) - most
    return f"{named}, and {more:,} more" if more > 0 else named
