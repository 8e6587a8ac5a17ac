"""Characters of a text on which a language model is judged: all but the first, or those of a part of the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.judging.dynamic import Adapting, evaluate_dynamically
from charrnn.judging.evaluation import Score, evaluate, guesses_of_characters
from charrnn.judging.surprise import Guesses, Passage
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.text.encoding import encoded_size
from charrnn.text.streams import Streams
from charrnn.text.text import Text


@dataclass(frozen=True)
class Stretch:
    """Holds characters of a text that are predicted: those that `streams` predict."""

    text: Text
    """The text that the model reads."""
    streams: Streams
    as_read: Text
    """The text before characters were left out of it that the model does not know; often the same."""

    def __len__(self) -> int:
        return self.streams.characters

    def predicted(self) -> Iterator[str]:
        """Yields the characters, some at a time."""
        for start, stop in self.streams.spans():
            yield from self.text.pieces(start, stop)

    def score(self, model: CharLM, params: dict[str, Array]) -> Score:
        """Returns how well a model predicts them."""
        size = encoded_size(self.predicted(), self.text.encoding)
        return Score(evaluate(model, params, self.streams), len(self), size)

    def report(self, model: CharLM, params: Parameters, dynamic: Adapting | None) -> dict[str, Any]:
        """Returns the score by name; with `dynamic`, under that name also that of a model which learns from them."""
        score = self.score(model, params)
        report: dict[str, Any] = score.facts()
        if dynamic is not None:
            nats = evaluate_dynamically(model, params, self.streams, dynamic)
            report["dynamic"] = Score(nats, score.chars, score.bytes).facts() | dynamic.facts()
        return report

    @property
    def skipped(self) -> int:
        """How many characters were left out, those before the first that is read too."""
        if self.text is self.as_read:
            return 0
        before = int(self._places[0]) if self.streams.spans()[0][0] == 1 else 0
        return before + sum(stop - start for start, stop in self._pieces) - len(self)

    @property
    def strange(self) -> str:
        """The distinct characters that were left out, anywhere in the text."""
        known = set(self.text.symbols)
        return "".join(symbol for symbol in self.as_read.symbols if symbol not in known)

    def passages(self, model: CharLM, params: dict[str, Array]) -> Iterator[Passage]:
        """Yields each piece of the text as it was read, with what a model thinks of its characters."""
        guesses = guesses_of_characters(model, params, self.streams)
        done = line = offset = 0
        before = ""
        for start, stop in self._pieces:
            for piece in self.as_read.pieces(offset, start):
                line += piece.count("\n")
                before = (before + piece).rpartition("\n")[2]
            text = "".join(self.as_read.pieces(start, stop))
            scored = self._scored(start, stop)
            found, count = Guesses.empty(len(text)), int(scored.sum())
            found.put(np.flatnonzero(scored), guesses.some(slice(done, done + count)))
            yield Passage(text, found, scored, line + 1, start, before)
            done, offset = done + count, stop
            line += text.count("\n")
            before = (before + text).rpartition("\n")[2]

    @cached_property
    def _pieces(self) -> list[tuple[int, int]]:
        """Where each piece of the text as it was read begins and ends; streams that touch are one piece."""
        joined: list[tuple[int, int]] = []
        for first, stop in self.streams.spans():
            if joined and joined[-1][1] == first:
                first = joined.pop()[0]
            joined.append((first, stop))
        if self.text is self.as_read:
            return joined
        bounds = np.append(self._places, len(self.as_read))
        return [(int(bounds[first - 1]) + 1, int(bounds[stop])) for first, stop in joined]

    @cached_property
    def _places(self) -> Ids:
        """Where each character that the model reads stood in the text as it was read."""
        return np.flatnonzero(self._known(0, len(self.as_read)))

    def _scored(self, start: int, stop: int) -> Array:
        """Returns which characters of the text as it was read are scored: bools."""
        return np.ones(stop - start, bool) if self.text is self.as_read else self._known(start, stop)

    def _known(self, start: int, stop: int) -> Array:
        symbols = set(self.text.symbols)
        known = np.array([symbol in symbols for symbol in self.as_read.symbols])
        blocks = self.as_read.codes.blocks(start, stop)
        return np.concatenate([np.zeros(0, bool), *(known.take(block) for block in blocks)])
