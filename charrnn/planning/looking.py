"""What a text is made of, as far as that tells how it can be learnt: its characters, its lines, what repeats itself."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.planning.repeats import repeated
from charrnn.tasks.base import Examples, Split
from charrnn.text.documents import Documents
from charrnn.text.pairs import Pairs
from charrnn.text.streams import Streams, Windows
from charrnn.text.text import Text
from charrnn.text.vocabulary import BYTES, code_points

MOST = 1 << 26
"""Characters of a text that are counted at most: of a longer one, as many evenly spaced parts as that."""

MOST_COMPARED = 1 << 24
"""Characters, from the first on, among which repeated passages are looked for."""

PART = 1 << 20
"""Characters of each part, where not all are counted."""

RARE = 5
"""A character seen less often than that is rare: hardly anything can be learnt of it."""

ODD = {"Cc": "control", "Co": "private use", "Cn": "no character", "Cf": "invisible"}
"""Categories of Unicode that are odd in a text, and what they are called."""

REPLACEMENT = "\ufffd"
"""What a program writes for bytes that it could not decode."""


@dataclass(frozen=True)
class Character:
    """Is a character that is odd in a text, and how often it is there."""

    symbol: str
    what: str
    count: int

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {"character": self.symbol, "code": f"U+{ord(self.symbol):04X}", "what": self.what, "count": self.count}


@dataclass
class Looked:
    """Says what the characters of a text are."""

    characters: int
    """How many there are in all."""
    looked_at: int = 0
    """How many of them were counted."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often each is among those that were counted."""
    line_ends: dict[str, int] = field(default_factory=lambda: {"LF": 0, "CRLF": 0, "CR": 0})
    """How many line ends there are of each kind, among those."""
    odd: list[Character] = field(default_factory=list)
    """Characters that hardly belong in a text, the commonest first."""

    @property
    def rare(self) -> int:
        """How many different characters are seen less than `RARE` times."""
        return sum(count < RARE for count in self.counts.values())

    @property
    def once(self) -> int:
        """How many different characters are seen once."""
        return sum(count == 1 for count in self.counts.values())


@dataclass(frozen=True)
class Repeats:
    """Says how much of a text is in passages that stood in it before."""

    looked_at: int
    """How many characters were compared, from the first on; of documents and items, all."""
    share: float
    of_validation: float | None
    """The share of the characters to validate on that stand before, for a part of the text; None where unknown."""


def look(examples: Examples, encoding: str) -> Looked:
    """Counts the characters of examples; of a long text, those of evenly spaced parts."""
    size = len(examples) if isinstance(examples, Text) else sum(map(len, texts_of(examples)))
    found = Looked(size)
    counts, before = np.zeros(0, np.int64), ""
    for piece in _pieces(examples):
        new = np.bincount(code_points(piece), minlength=len(counts))
        new[: len(counts)] += counts
        counts = new
        found.looked_at += len(piece)
        _count_line_ends(found.line_ends, before, piece)
        before = piece[-1:]
    found.counts = {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}
    if encoding != BYTES:
        odd = [Character(c, what, n) for c, n in found.counts.items() if (what := _oddity(c))]
        found.odd = sorted(odd, key=lambda character: -character.count)
    return found


def texts_of(examples: Examples) -> Iterator[str]:
    """Yields the texts of documents, or both columns of pairs, with those to validate and test on."""
    if not isinstance(examples, Documents | Pairs):
        return
    for part in (examples, examples.validation, examples.test):
        if isinstance(part, Documents):
            yield from part.texts
        elif isinstance(part, Pairs):
            yield from itertools.chain(part.first, part.second)


def _pieces(examples: Examples) -> Iterator[str]:
    """Yields what is counted, some at a time."""
    if not isinstance(examples, Text):
        texts = texts_of(examples)
        while some := list(itertools.islice(texts, 10_000)):
            yield "".join(some)
    elif len(examples) <= MOST:
        yield from examples.pieces()
    else:
        for start in np.linspace(0, len(examples) - PART, MOST // PART).astype(int).tolist():
            yield from examples.pieces(start, start + PART)


def _count_line_ends(ends: dict[str, int], before: str, piece: str) -> None:
    """Adds the line ends of a piece to those of the text so far, whose last character is `before`."""
    both = before + piece
    pairs = both.count("\r\n")
    ends["CRLF"] += pairs
    ends["LF"] += piece.count("\n") - pairs
    # One that ends the piece is an end by itself, until what comes next takes it back.
    ends["CR"] += piece.count("\r") - pairs


def _oddity(character: str) -> str | None:
    """Returns what is odd about a character; None where nothing is."""
    if character in "\t\n\r\u200c\u200d":  # the joiners are spelling in many scripts
        return None
    return "replacement" if character == REPLACEMENT else ODD.get(unicodedata.category(character))


def repeats_of(examples: Examples, split: Split, inputs: Sequence[str] | None) -> Repeats:
    """Returns how much of the examples is there twice: passages of a text, or whole documents and `inputs`.

    Equal documents and inputs are never in two parts, so nothing of them leaks.
    """
    if inputs is not None:
        return Repeats(len(inputs), 1 - len(set(inputs)) / max(1, len(inputs)), None)
    assert isinstance(examples, Text)
    looked_at = min(len(examples), MOST_COMPARED)
    codes = np.concatenate([np.zeros(0, np.uint8), *examples.codes.blocks(0, looked_at)])
    marks = repeated(codes)
    return Repeats(looked_at, float(marks.mean()) if looked_at else 0.0, _of_validation(marks, split))


def _of_validation(marks: Array, split: Split) -> float | None:
    """Returns the share of the validation text that stands before it; None where not all of it was compared."""
    part = split.validation
    if not isinstance(part, Streams) or not isinstance(split.train, Windows):
        return None
    spans = part.spans()
    if not len(part) or max(stop for _, stop in spans) > len(marks):
        return None
    inside: list[Ids] = [marks[start:stop] for start, stop in spans]
    return float(np.concatenate(inside).mean())
