"""What surprised a model in a text: the loss of each character with the place where it stands, of lines, of the worst.

A passage is what was scored in one go: a stretch of a text, or a whole document with its end. In it each character has
its loss; those that the model does not know, where they are skipped, have none.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn.numerics import log_softmax, overflow_allowed

BEFORE, AFTER = 20, 10
"""Characters that are shown on each side of a surprising one."""


class Guesses(NamedTuple):
    """Holds what a model thought of each of N characters before it read them."""

    nats: Array
    """The loss of each character, (N,), float64."""
    best: Ids
    """The symbol that was thought likeliest in its place: (N,)."""
    best_nats: Array
    """The loss that this symbol would have had: (N,)."""

    @classmethod
    def of(cls, logits: Array, targets: Ids) -> Guesses:
        """Returns what `logits (..., V)` say of the symbols `targets (...)`: arrays of that shape."""
        with overflow_allowed():  # of weights that have exploded, which shows in the loss
            log_p = log_softmax(logits)
        nats = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
        best = logits.argmax(axis=-1)
        return cls(nats, best, -np.take_along_axis(log_p, best[..., None], axis=-1)[..., 0])

    @classmethod
    def empty(cls, count: int) -> Guesses:
        """Returns room for what is thought of so many characters; their nats are 0."""
        return cls(np.zeros(count), np.zeros(count, np.int64), np.zeros(count))

    def put(self, places: Ids, others: Guesses) -> None:
        """Writes the guesses `others` at these places."""
        for mine, theirs in zip(self, others, strict=True):
            mine[places] = theirs

    def joined(self, begins: Ids) -> Guesses:
        """Returns the guesses of characters that are several symbols: they begin at these places, (M,) of N symbols.

        Nats add up; what was thought likeliest is what was in the place of the first symbol.
        """
        return Guesses(np.add.reduceat(self.nats, begins), self.best[begins], self.best_nats[begins])

    def some(self, places: slice) -> Guesses:
        """Returns the guesses of some of the characters."""
        return Guesses(*(array[places] for array in self))


@dataclass(frozen=True)
class Passage:
    """Holds a stretch of text, or a document, and what a model thought of each of its n characters."""

    text: str
    guesses: Guesses
    """What was thought of each character: arrays (n,), or (n + 1,) where the passage is a document, which ends."""
    scored: Array
    """Which of these were scored: bools of the same shape. The others were skipped, and their nats are 0."""
    number: int = 1
    """The line in which it begins, counted from 1, or the number of the document."""
    offset: int = 0
    """How many characters stand before it in the text; 0 for a document."""
    before: str = ""
    """What stands before it in its line."""
    is_document: bool = False
    label: str | None = None
    """What the model was told of the document."""
    file: str = ""
    """The file that it is from, where there are several."""


class ScoredLine(NamedTuple):
    """Holds the loss of a line, of a document, or of the answer to an item."""

    nats: float
    """The sum over all that was scored of it."""
    chars: int
    """How many characters that was, with a line break or an end; 1 for a label."""
    number: int
    """The line, counted from 1."""
    cells: dict[str, str]
    """What it says: its `text`, or both texts of a pair, by their names."""
    file: str = ""
    """The file that it is from, where there are several."""

    @property
    def nats_per_char(self) -> float:
        """The mean; not a number where nothing was scored."""
        return self.nats / self.chars if self.chars else math.nan

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        here = {"file": self.file} if self.file else {}
        scores = {"nats": self.nats, "nats_per_char": self.nats_per_char, "chars": self.chars}
        return {**here, "line": self.number, **scores, **self.cells}


class SurprisingPlace(NamedTuple):
    """Holds a character that surprised the model, and what it had expected instead; None for the end of a document."""

    nats: float
    line: int
    """The line, or the number of the document, counted from 1."""
    column: int
    """Which character of it this is, counted from 1."""
    offset: int
    """How many characters of the text, or of the document, stand before it."""
    character: str | None
    before: str
    """Some characters before it."""
    after: str
    """Some characters behind it."""
    expected: str | None
    """What the model thought likeliest."""
    probability: float
    """How likely it thought that."""
    file: str = ""
    """The file, where there are several."""

    @property
    def surprise(self) -> float:
        """What places are sorted by: the nats; of weights that have exploded, none is more surprising."""
        return math.inf if math.isnan(self.nats) else self.nats

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        facts = {name: value for name, value in self._asdict().items() if name != "file"}
        return {**({"file": self.file} if self.file else {}), **facts}


def scored_lines(passage: Passage) -> Iterator[ScoredLine]:
    """Yields the lines of a passage in their order, each with its break; a document is yielded as one.

    A line of which nothing was scored is left out, such as the first where it has but one character.
    """
    nats, counts = passage.guesses.nats, passage.scored
    if passage.is_document:
        cells = ({} if passage.label is None else {"label": passage.label}) | {"text": passage.text}
        yield ScoredLine(math.fsum(nats), int(counts.sum()), passage.number, cells, passage.file)
        return
    start, before = 0, passage.before
    for number, line in enumerate(passage.text.split("\n"), passage.number):
        stop = start + len(line) + 1
        if count := int(counts[start:stop].sum()):
            text = (before + line).removesuffix("\r")
            yield ScoredLine(math.fsum(nats[start:stop]), count, number, {"text": text}, passage.file)
        start, before = stop, ""


def most_surprising(
    passages: Iterable[Passage], count: int, spell: Callable[[int], str | None]
) -> list[SurprisingPlace]:
    """Returns the `count` characters of the greatest loss, the greatest first; of equal ones those that come earlier.

    `spell` tells the character that a symbol is, None for the end of a document.
    """
    found = itertools.chain.from_iterable(_worst(passage, count, spell) for passage in passages)
    return worst_of(found, count)


def worst_of(places: Iterable[SurprisingPlace], count: int) -> list[SurprisingPlace]:
    """Returns the `count` places of the greatest loss, the greatest first; of equal ones those that come earlier."""
    return heapq.nlargest(count, places, key=lambda place: place.surprise)


def _worst(passage: Passage, count: int, spell: Callable[[int], str | None]) -> Iterator[SurprisingPlace]:
    """Yields the most surprising characters of one passage."""
    nats = np.nan_to_num(passage.guesses.nats, nan=np.inf, posinf=np.inf)  # of weights that have exploded
    order = np.argsort(-np.where(passage.scored, nats, -1), kind="stable")[: min(count, int(passage.scored.sum()))]
    whole, shift = passage.before + passage.text, len(passage.before)
    for i in order.tolist():
        last_break = -1 if passage.is_document else whole.rfind("\n", 0, i + shift)
        lines_above = 0 if passage.is_document else passage.text.count("\n", 0, i)
        yield SurprisingPlace(
            float(passage.guesses.nats[i]),
            passage.number + lines_above,
            i + shift - last_break,
            passage.offset + i,
            passage.text[i] if i < len(passage.text) else None,
            whole[max(0, i + shift - BEFORE) : i + shift],
            passage.text[i + 1 : i + 1 + AFTER],
            spell(int(passage.guesses.best[i])),
            math.exp(-float(passage.guesses.best_nats[i])),
            passage.file,
        )
