"""Arithmetic coding: choices, each of a known probability, become a number of about as many bits as they must.

Everything here is a whole number, so that both sides compute the same on every machine. The coder narrows an interval
`[low, low + width)`: each choice takes its share of it, and any number within the last one tells all choices. Bytes
that are settled are written. Where an addition carries into those, they are corrected. Sources: Rissanen 1976; the
form, a range coder, is that of Martin 1979.
"""

from __future__ import annotations

WIDTH_BITS = 64
"""Bits of the widest interval."""

BYTES = WIDTH_BITS // 8

FULL = (1 << WIDTH_BITS) - 1

LEAST = 1 << (WIDTH_BITS - 8)
"""The interval is made wider, by a byte, once it is narrower than this: so a total of 2^32 costs less than a millionth
of a bit for each choice."""

MOST_TOTAL = 1 << 32
"""What the counts of all choices may add up to."""


class Encoder:
    """Takes choices, one after another, and has the bytes that tell them."""

    def __init__(self) -> None:
        self._low, self._width = 0, FULL
        self._written = bytearray()

    def put(self, start: int, count: int, total: int) -> None:
        """Takes a choice of probability `count / total`; those before it in their order have `start / total` together.

        `count` is at least 1, and `total` at most `MOST_TOTAL`.
        """
        share = self._width // total
        self._low += share * start
        self._width = share * count
        if self._low > FULL:
            self._low &= FULL
            self._carry()
        while self._width < LEAST:
            self._written.append(self._low >> (WIDTH_BITS - 8))
            self._low = (self._low << 8) & FULL
            self._width <<= 8

    def _carry(self) -> None:
        """Adds 1 to the number that is written so far."""
        place = len(self._written) - 1
        while self._written[place] == 0xFF:
            self._written[place] = 0
            place -= 1
        self._written[place] += 1

    def finish(self) -> bytes:
        """Returns the bytes of the shortest number within the interval; nothing may be put behind it."""
        for size in range(BYTES + 1):
            unit = 1 << (WIDTH_BITS - 8 * size)
            number = -(-self._low // unit) * unit  # the first one at or above `low` that needs no more bytes than that
            if number < self._low + self._width:
                break
        if number > FULL:
            number &= FULL
            self._carry()
        self._written += number.to_bytes(BYTES, "big")[:size]
        return bytes(self._written.rstrip(b"\0"))


class Decoder:
    """Takes the bytes of an encoder, and has its choices again. Behind their end, bytes are taken to be 0."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, BYTES
        self._offset = int.from_bytes(data[:BYTES].ljust(BYTES, b"\0"), "big")
        """Where in the interval the number is that was written: it minus `low`."""
        self._width = FULL
        self._share = 0

    def target(self, total: int) -> int:
        """Returns a number below `total` that lies in what was chosen: from its `start` to before `start + count`.

        `take` must follow, with these two.
        """
        self._share = self._width // total
        return min(self._offset // self._share, total - 1)

    def take(self, start: int, count: int) -> None:
        """Goes on behind the choice that the target is in."""
        self._offset -= self._share * start
        self._width = self._share * count
        while self._width < LEAST:
            following = self._data[self._place] if self._place < len(self._data) else 0
            self._offset = ((self._offset << 8) | following) & FULL
            self._place += 1
            self._width <<= 8
