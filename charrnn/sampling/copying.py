"""What is copied from the training text: how it is found, and how no more than so many characters in a row are.

Passages are compared by numbers of 64 bits: of n symbols, the sum of t[symbol k] * BASE**k, where t has a random number
for each symbol. It rolls: from one place to the next it takes a product and two sums. Two passages that differ have the
same number once in some 10**19 pairs, and where that happens a character is forbidden that need not have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.errors import DataError
from charrnn.text.streams import LongIds
from charrnn.text.vocabulary import Vocabulary

BASE = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that there is a number to divide by it."""

INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))

BLOCK = 1 << 20
"""Symbols of a text that are worked on at a time."""

MOST = 1 << 27
"""Symbols of a text that passages are looked up in at most; each takes eight bytes."""


@dataclass(frozen=True)
class Copy:
    """Is the longest passage that a text has in common with the training text."""

    sample: int
    """Which text it is in, counted from 0."""
    length: int
    """How many symbols it has."""
    position: int
    """Where in the training text it begins, in symbols."""


class TrainingText:
    """Is what a run has learnt from, as ids, to look passages up in."""

    def __init__(self, ids: LongIds, vocab_size: int, separator: int | None = None) -> None:
        """`separator` is an id that stands between documents, of which no passage has two. Raises DataError for length.

        `vocab_size` counts it too.
        """
        if len(ids) > MOST:
            raise DataError(
                f"the training text has {len(ids):,} characters, and copies are looked for in {MOST:,} at most; leave "
                f"out --max-copy"
            )
        self.ids = ids
        self.separator = separator
        self.table = np.random.default_rng(0).integers(1 << 64, size=vocab_size, dtype=np.uint64)
        """t, a random number for each symbol: (V,)."""

    def index(self, n: int) -> Array:
        """Returns a sorted number for each passage of n + 1 symbols: in the low bits its last one, above it the others.

        What follows n symbols of a row can so be looked up in one search, in eight bytes for each symbol of the text.
        """
        bits, size = self.symbol_bits, max(0, len(self.ids) - n)
        keys, count = np.empty(size, np.uint64), 0
        for _, symbols in self._blocks(n):
            found = (self._numbers(symbols[:-1], n) >> bits << bits) | symbols[n:].astype(np.uint64)
            if self.separator is not None:
                found = found[symbols[n:] != self.separator]
            keys[count : count + len(found)] = found
            count += len(found)
        keys = keys[:count]
        keys.sort()
        return keys

    @property
    def symbol_bits(self) -> np.uint64:
        """How many bits a symbol takes."""
        return np.uint64(int(len(self.table) - 1).bit_length())

    def longest(self, texts: Sequence[Ids], most: int | None = None) -> Copy | None:
        """Returns the longest passage that one of the texts has in common with this; None where not even a symbol.

        `most` is a length that none has more than, if that is known. What is common at a length is so at any below.
        """
        low, high, best = 0, max((len(text) for text in texts), default=0), None
        high = high if most is None else min(high, most)
        while low < high:
            n = (low + high + 1) // 2
            found = self._common(texts, n)
            if found is None:
                high = n - 1
            else:
                low, best = n, found
        return best

    def passage(self, vocabulary: Vocabulary, found: Copy) -> str:
        """Returns the characters of a passage."""
        places = np.arange(found.position, found.position + found.length)
        return vocabulary.decode(self.ids.take(places[:, None], mode="clip")[:, 0])

    def count(self, position: int, kind: Array) -> int:
        """Returns how many symbols of a kind, bools (V,), there are before a position."""
        return sum(int(np.count_nonzero(kind[block])) for _, block in self._blocks(0, position))

    def _common(self, texts: Sequence[Ids], n: int) -> Copy | None:
        """Returns a passage of n symbols that one of the texts has in common with this."""
        numbers = [self._numbers(text, n) for text in texts]
        known, owners = np.concatenate(numbers), np.repeat(np.arange(len(texts)), [len(some) for some in numbers])
        order = np.argsort(known, kind="stable")
        known, owners = known[order], owners[order]
        sieve = np.zeros(1 << 16, bool)
        sieve[known >> np.uint64(48)] = True
        for start, symbols in self._blocks(n - 1):
            here = self._numbers(symbols, n)
            candidates = np.flatnonzero(sieve[here >> np.uint64(48)])
            place = np.searchsorted(known, here[candidates]).clip(0, len(known) - 1)
            hits = np.flatnonzero(known[place] == here[candidates])
            if len(hits):
                return Copy(int(owners[place[hits[0]]]), n, start + int(candidates[hits[0]]))
        return None

    def _numbers(self, symbols: Ids, n: int) -> Array:
        """Returns the number of each passage of n symbols: (len - n + 1,), or none."""
        if len(symbols) < n:
            return np.zeros(0, np.uint64)
        sums = np.zeros(len(symbols) + 1, np.uint64)
        np.cumsum(self.table[symbols] * powers(BASE, len(symbols)), out=sums[1:])
        count: int = len(symbols) - n + 1
        numbers: Array = (sums[n:] - sums[:count]) * powers(INVERSE, count)
        return numbers

    def _blocks(self, overlap: int, stop: int | None = None) -> Iterator[tuple[int, Any]]:
        """Yields where a block begins, and its ids with so many of the next, so that no passage is cut."""
        stop = len(self.ids) if stop is None else stop
        for start in range(0, max(0, stop - overlap), BLOCK):
            places = np.arange(start, min(stop, start + BLOCK + overlap))
            yield start, self.ids.take(places[:, None], mode="clip")[:, 0].astype(np.intp)


@lru_cache(maxsize=4)
def powers(base: np.uint64, count: int) -> Array:
    """Returns base**k for k from 0 to count - 1, without what is beyond 64 bits."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)


class MaxCopy:
    """Forbids what would make a passage of more than n symbols one of the training text. It is a `Constraint`.

    Where all that a row could go on with is forbidden, nothing is left, and its text ends.
    """

    def __init__(self, training: TrainingText, n: int, before: Sequence[Ids]) -> None:
        """`before` is what each row has before anything is drawn, its prompt: a passage may begin in it."""
        self.table, self.bits, self.keys = training.table, training.symbol_bits, training.index(n)
        self.last = np.zeros((len(before), n), np.intp)
        """The last n symbols of each row, in a ring: (B, n)."""
        self.numbers = np.zeros(len(before), np.uint64)
        """What the last n symbols of each row are looked up by: (B,)."""
        self.seen = np.zeros(len(before), np.intp)
        self._place = 0
        self._first = powers(BASE, n)[-1]
        self._nothing = np.uint64(0)
        longest = max((min(n, len(ids)) for ids in before), default=0)
        for step in range(longest, 0, -1):
            here = np.array([len(ids) >= step for ids in before])
            self._roll(np.array([int(ids[-step]) if h else 0 for ids, h in zip(before, here, strict=True)]), here)

    def forbid(self, logits: Array) -> None:
        """Forbids what follows the last n symbols somewhere in the training text."""
        rows = np.flatnonzero(self.seen >= self.last.shape[1])
        mask = (np.uint64(1) << self.bits) - np.uint64(1)
        first = np.searchsorted(self.keys, self.numbers[rows] & ~mask)
        last = np.searchsorted(self.keys, self.numbers[rows] | mask, side="right")
        for k in np.flatnonzero(last > first):
            following = self.keys[first[k] : last[k]] & mask
            logits[rows[k], following.astype(np.intp)] = -np.inf

    def drawn(self, ids: Ids) -> None:
        """Is told what each row drew: (B,)."""
        self._roll(ids, np.ones(len(ids), bool))

    def open(self) -> None:
        """Lets a text end anywhere."""

    def _roll(self, ids: Ids, rows: Array) -> None:
        """Takes a symbol more into account, in some rows; all of these have the same place in their rings."""
        full = self.seen >= self.last.shape[1]
        leaving = np.where(full, self.table[self.last[:, self._place]], self._nothing)
        entering = np.where(rows, self.table[ids], self._nothing)
        self.numbers = (self.numbers - leaving) * INVERSE + entering * self._first
        self.last[:, self._place] = ids
        self.seen += rows
        self._place = (self._place + 1) % self.last.shape[1]
