"""Passages of a text that stood in it before, word for word."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from charrnn.arrays import Array, Ids

PASSAGE = 64
"""Characters of a block. A repeated passage of twice as many has a whole block in it, and is always found."""

CHUNK = 1 << 20
"""Windows that are compared at a time."""

BITS = 24
"""Bits of a fingerprint that are looked up in a table before it is searched for."""

BASE = 0x9E3779B97F4A7C15
"""The base of the polynomial that is the fingerprint: any odd number, here 2^64 divided by the golden ratio."""


def repeated(codes: Ids) -> Array:
    """Tells which characters are in a passage that stood in the text before: bools (N,).

    `codes (N,)` are the characters as small integers. The text is cut in blocks of `PASSAGE` characters, and each is
    looked for wherever a window of that length may begin, as `rsync` does (Tridgell and Mackerras 1996). So a passage
    of `2 * PASSAGE - 1` characters is found wherever it stands, and most of one half as long. They are compared by
    fingerprints of 64 bits, of which two that differ are not equal in a lifetime. What is kept for it is 16 bytes for
    each block, and a byte for each character.
    """
    begins = np.zeros(len(codes), bool)
    table = np.random.default_rng(0).integers(2**64, size=int(codes.max(initial=0)) + 1, dtype=np.uint64)
    known, places = _blocks(codes, table)
    if not len(known):
        return begins
    possible = np.zeros(1 << BITS, bool)
    possible[known >> np.uint64(64 - BITS)] = True
    for start, prints in _fingerprints(codes, table):
        windows = np.flatnonzero(possible[prints >> np.uint64(64 - BITS)])
        near = np.minimum(np.searchsorted(known, prints[windows]), len(known) - 1)
        same = known[near] == prints[windows]
        here, there = start + windows[same], places[near[same]]
        begins[np.maximum(here, there)[np.abs(here - there) >= PASSAGE]] = True
    return _spread(begins)


def _blocks(codes: Ids, table: Array) -> tuple[Array, Array]:
    """Returns the fingerprints of all blocks in ascending order, and where each stands for the first time: (M,)."""
    prints = [found[-start % PASSAGE :: PASSAGE] for start, found in _fingerprints(codes, table)]
    known, first = np.unique(np.concatenate([np.zeros(0, np.uint64), *prints]), return_index=True)
    return known, first * PASSAGE


def _fingerprints(codes: Ids, table: Array) -> Iterator[tuple[int, Array]]:
    """Yields where some windows begin, and the fingerprint of each window from there on: (n,), modulo 2^64.

    That of a window is the sum of `table[c] * BASE^j` over its characters. All of them are differences of sums from a
    first character on, divided by a power of BASE, which has an inverse as it is odd.
    """
    powers = np.full(CHUNK + PASSAGE, BASE, np.uint64)
    inverses = np.full(CHUNK, pow(BASE, -1, 2**64), np.uint64)
    powers[0] = inverses[0] = 1
    np.multiply.accumulate(powers, out=powers)
    np.multiply.accumulate(inverses, out=inverses)
    for start in range(0, len(codes) - PASSAGE + 1, CHUNK):
        part = table[codes[start : start + CHUNK + PASSAGE - 1]]
        sums = np.zeros(len(part) + 1, np.uint64)
        np.cumsum(part * powers[: len(part)], out=sums[1:])
        count = len(part) - PASSAGE + 1
        yield start, (sums[PASSAGE:] - sums[:count]) * inverses[:count]


def _spread(begins: Array) -> Array:
    """Marks the `PASSAGE` characters from each place on where a block begins that stood in the text before."""
    counts = np.cumsum(begins, dtype=np.int32)
    counts[PASSAGE:] -= counts[:-PASSAGE].copy()
    return np.greater(counts, 0)
