"""Characters spelled in the bytes of UTF-8, and which byte may follow others where a text is written byte by byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from charrnn.arrays import Array, Ids

BYTES_THERE_ARE = 256
"""Different bytes; 13 of them stand nowhere in UTF-8."""

MOST_BYTES = 4
"""Bytes of the longest character."""


def spell(points: Ids) -> tuple[Ids, Ids]:
    """Returns the bytes of the characters with these code points `(n,)`: (n, 4), filled up with 0, and how many: (n,).

    Lone surrogates are spelled like others of their size, though they are no characters.
    """
    points = np.asarray(points, np.int64)
    sizes = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
    lead = np.array([0, 0, 0xC0, 0xE0, 0xF0])[sizes]
    place = np.arange(MOST_BYTES)
    shifts = 6 * (sizes[:, None] - 1 - place)
    six_bits = points[:, None] >> shifts.clip(0)
    spelled = np.where(place == 0, lead[:, None] | six_bits, 0x80 | six_bits & 0x3F)
    return np.where(shifts >= 0, spelled, 0).astype(np.uint8), sizes


class ByteRules:
    """Knows which byte may follow those that a character has so far, so that every text is written in one way only.

    Allowed is what leads to a character that has no symbol of its own: so no byte is drawn that stands nowhere in
    UTF-8, none that would begin a surrogate, a number beyond U+10FFFF or a longer way to write a shorter character, and
    no character in bytes that is written as one symbol. What is written is then read as the very symbols drawn.
    """

    def __init__(self, taken: str, among: str | None = None) -> None:
        """`taken` are characters that are not spelled, as those with symbols of their own.

        `among`, where given, are the only ones that are.
        """
        self._taken = _prefixes(set(taken))
        self._among = None if among is None else _prefixes(set(among) - set(taken))
        self._masks: dict[bytes, Array] = {}

    def allowed(self, begun: bytes) -> Array:
        """Returns which bytes may follow `begun`, the bytes of a character that is not whole: bools (256,).

        Behind what is allowed, something always is, until the character is whole. All 256 are False where every
        character has a symbol of its own.
        """
        if begun not in self._masks:
            longer = [begun + bytes([b]) for b in range(BYTES_THERE_ARE)]
            self._masks[begun] = np.array([self._is_open(each) for each in longer])
        return self._masks[begun]

    def _is_open(self, begun: bytes) -> bool:
        """Tells whether these bytes begin a character that may be written, or are one."""
        if self._among is not None:
            return self._among[begun] > 0
        return _characters(begun) > self._taken[begun]


def _prefixes(characters: Iterable[str]) -> Counter[bytes]:
    """Counts how many of the characters begin with each row of bytes."""
    spelled = [character.encode() for character in characters if not "\ud800" <= character <= "\udfff"]
    return Counter(each[:size] for each in spelled for size in range(1, len(each) + 1))


def size_of(lead: int) -> int:
    """Returns how many bytes a character has that begins with this one."""
    return 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0)


def _characters(begun: bytes) -> int:
    """Counts the characters whose bytes begin so."""
    lead = begun[0]
    if lead < 0x80:
        return int(len(begun) == 1)
    size = size_of(lead)
    if not 0xC2 <= lead <= 0xF4 or len(begun) > size or any(not 0x80 <= byte < 0xC0 for byte in begun[1:]):
        return 0
    low, high = _SECOND.get(lead, (0x80, 0xBF))
    if len(begun) == 1:
        return int(64 ** (size - 2) * (high - low + 1))
    return int(64 ** (size - len(begun))) if low <= begun[1] <= high else 0


_SECOND = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
"""The second bytes that may follow these first ones; others may be followed by any from 0x80 to 0xBF."""
