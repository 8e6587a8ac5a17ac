"""Files as symbols of a model, and back: every byte of any file, also those that no symbol stands for.

A file is decoded into characters. One that the vocabulary lacks, or what is no character, becomes *escaped* bytes: byte
b has the id `V + b`, behind the V symbols of the model. The bytes of all ids, one after another, are the file.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from charrnn.arrays import Ids
from charrnn.text.vocabulary import BYTES, Vocabulary, code_points

UTF_8 = "utf-8"

MOST_OWN = 1024
"""Characters up to which a file that brings its own alphabet is made of characters, and else of bytes."""


@dataclass(frozen=True)
class Alphabet:
    """Holds the symbols of a vocabulary, and what each is in a file of one encoding."""

    vocabulary: Vocabulary
    codec: str
    """The encoding of the file, as Python names it; "latin-1" where each byte is a symbol."""

    def __len__(self) -> int:
        """Returns V, how many symbols the model has."""
        return len(self.vocabulary)

    def split(self, data: bytes) -> Ids:
        """Returns the ids (N,) that are this file, those of escaped bytes being V and above.

        Raises UnicodeError where this is not its encoding.
        """
        points = code_points(data.decode(self.codec, "surrogateescape"))
        distinct, places = np.unique(points, return_inverse=True)
        spelled = [self._ids(chr(point)) for point in distinct.tolist()]
        sizes = np.array([len(ids) for ids in spelled], np.int64)
        table = np.zeros((len(spelled), max(sizes, default=0)), np.int64)
        for row, ids in zip(table, spelled, strict=True):
            row[: len(ids)] = ids
        found: Ids = table[places][np.arange(table.shape[1]) < sizes[places, None]]
        return found

    def join(self, ids: Ids) -> bytes:
        """Returns the file that these ids are."""
        return b"".join(map(self._spellings.__getitem__, ids.tolist()))

    def _ids(self, character: str) -> list[int]:
        """Returns the symbol that a character is, or else the bytes that it is spelled in."""
        known = self._index.get(character)
        if known is not None:
            return [known]
        first = len(self.vocabulary.symbols) if self.vocabulary.fallback else len(self)
        return [first + byte for byte in character.encode(self.codec, "surrogateescape")]

    @cached_property
    def _index(self) -> dict[str, int]:
        """The id of each character that this encoding can write."""
        return {c: i for i, c in enumerate(self.vocabulary.symbols) if _can_write(self.codec, c)}

    @cached_property
    def _spellings(self) -> list[bytes]:
        """The bytes of each id; a character that the encoding cannot write stands in no file, and has none."""
        every = [bytes([byte]) for byte in range(256)]
        known = self._index
        own = [c.encode(self.codec) if c in known else b"" for c in self.vocabulary.symbols]
        return own + every * (2 if self.vocabulary.fallback else 1)


def fitting(vocabulary: Vocabulary, data: bytes) -> tuple[Alphabet, Ids]:
    """Returns the alphabet in whose encoding fewest bytes of a file must be escaped, and the ids of the file.

    The encodings are UTF-8 and that of the vocabulary; where its symbols are bytes, there is but one.
    """
    best: tuple[Alphabet, Ids] | None = None
    for codec in codecs_of(vocabulary):
        alphabet = Alphabet(vocabulary, codec)
        try:
            ids = alphabet.split(data)
        except UnicodeError:
            continue
        fewer = best is None or np.count_nonzero(ids >= len(alphabet)) < np.count_nonzero(best[1] >= len(alphabet))
        if fewer and alphabet.join(ids) == data:
            best = alphabet, ids
    assert best is not None, "UTF-8 and latin-1 take every file"
    return best


def codecs_of(vocabulary: Vocabulary) -> list[str]:
    """Returns the encodings, by Python's names, in which a file may be for a vocabulary."""
    if vocabulary.encoding == BYTES:
        return ["latin-1"]
    own = codecs.lookup(vocabulary.encoding).name
    if vocabulary.fallback or own in (UTF_8, "utf-8-sig"):
        return [UTF_8]
    return [UTF_8, f"{own}-le", f"{own}-be"] if own in ("utf-16", "utf-32") else [UTF_8, own]


def own_alphabet(data: bytes) -> Alphabet:
    """Returns an alphabet of what is in a file: its characters, or its bytes where it is no UTF-8, or has too many."""
    try:
        symbols = sorted(set(data.decode(UTF_8)))
    except UnicodeDecodeError:
        symbols = []
    if 0 < len(symbols) <= MOST_OWN:
        return Alphabet(Vocabulary("".join(symbols)), UTF_8)
    return Alphabet(Vocabulary("".join(map(chr, sorted(set(data)))), BYTES), "latin-1")


def _can_write(codec: str, character: str) -> bool:
    try:
        return bool(character.encode(codec))
    except UnicodeError:
        return False
