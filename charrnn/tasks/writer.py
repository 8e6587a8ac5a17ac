"""What language models of every kind have in common: they predict the next character, and so they can write."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Ids
from charrnn.errors import ConfigError
from charrnn.judging.evaluation import Score
from charrnn.judging.surprise import Passage, ScoredLine, scored_lines
from charrnn.nn.model import CharLM
from charrnn.nn.options import ModelConfig
from charrnn.tasks.base import Batches
from charrnn.text.options import DataConfig
from charrnn.text.speller import encodes
from charrnn.text.streams import LongIds
from charrnn.text.vocabulary import BYTES, Vocabulary

VOCABULARY_KEYS = ("max_vocab", "min_count", "vocabulary")
"""The keys of the section `data` that say which characters have symbols."""


class Writer:
    """Is a task whose model can write: one character after another, in the symbols of `vocabulary`."""

    vocabulary: Vocabulary

    abilities: ClassVar[frozenset[str]] = frozenset({"lines", "surprise", "skip", "pieces"})
    in_words: ClassVar[dict[str, str]] = {
        "nats_per_char": "nats per character",
        "bits_per_char": "bits per character",
        "bits_per_byte": "bits per byte",
        "perplexity": "perplexity",
    }

    def invite(self, run: object) -> str:
        """Says that it can write."""
        return f"let it write: {advice.command('sample', run)}"

    def facts(self) -> dict[str, Any]:
        """Returns the characters and their encoding."""
        return self.vocabulary.facts()

    def remarks(self, examples: Any) -> list[str]:
        """Returns none."""
        return []

    def extent(self, report: dict[str, Any]) -> str:
        """Says how many characters and bytes a report is about."""
        return f"{report['chars']:,} characters ({report['bytes']:,} bytes)"

    @abstractmethod
    def passages(self, model: CharLM, params: dict[str, Array], part: Any) -> Iterator[Passage]:
        """Yields what was judged, in the order of the text, with what the model thinks of each character."""

    def lines(self, model: CharLM, params: dict[str, Array], part: Any) -> Iterator[ScoredLine]:
        """Yields the loss of each line, or of each document, in the order of the text."""
        for passage in self.passages(model, params, part):
            yield from scored_lines(passage)

    def spell(self, symbol: int) -> str | None:
        """Returns the character that a symbol is, or the name of a byte; None for the end of a document."""
        return self.vocabulary.name(symbol)

    def total(
        self,
        model: CharLM,
        params: dict[str, Array],
        parts: Sequence[Any],
        reports: Sequence[dict[str, Any]],
        dynamic: Any = None,
    ) -> dict[str, Any]:
        """Returns the report on several parts as one, of which each has its own: every character counts as much.

        With `dynamic`, an `Adapting`, that of the model that learns too; in each part it begins with the first weights.
        """
        report: dict[str, Any] = _joined(reports).facts()
        if dynamic is not None:
            report["dynamic"] = _joined([one["dynamic"] for one in reports]).facts() | dynamic.facts()
        return report

    @property
    def end(self) -> int | None:
        """The id that ends a text where it is written, and begins it where it is read; None where texts have no end."""
        return None

    @property
    def writes_lines(self) -> bool:
        """Whether each text is a line, as of documents that have no line ends in them."""
        return self.end is not None and "\n" not in self.vocabulary.symbols

    def unwritable(self, text: str) -> str:
        """Returns the distinct characters of `text` that are never written: unknown ones, and such as cannot be read.

        What is spelled in bytes is read as the text was, so it is neither a line end within a line nor a character that
        the text's encoding has not.
        """
        vocabulary = self.vocabulary
        if not vocabulary.fallback:
            return vocabulary.unknown(text)
        others = (c for c in dict.fromkeys(text) if c not in vocabulary.symbols)
        return "".join(c for c in others if not encodes(c, vocabulary.encoding) or (c == "\n" and self.writes_lines))

    def openings(self, batches: Batches) -> list[list[int]]:
        """Returns the ids before some places at which the text that is trained on begins anew, as lines do.

        They are read where a text is to be written that follows nothing. There are none where texts have a beginning
        of their own.
        """
        return []

    def all_ids(self, examples: Any) -> LongIds:
        """Returns the ids of all parts of the examples, one text after another; between documents there is `end`.

        Raises DataError for characters that the vocabulary lacks.
        """
        raise NotImplementedError

    def told(self, label: str | None, samples: int, rng: np.random.Generator) -> Ids | None:
        """Returns what each of `samples` texts is told at every step: (samples,); None where there is nothing to tell.

        `label` is what a user asked for, None for no wish. Raises ConfigError for one that the model does not know.
        """
        if label is not None:
            raise ConfigError(
                f"--label {label!r}: the texts of this run had no labels; leave it out, or train with "
                f"{advice.setting('task.name', 'generate')}"
            )
        return None


def _joined(reports: Sequence[dict[str, Any]]) -> Score:
    """Returns the score of all characters that these reports are about."""
    chars, size = (sum(report[name] for report in reports) for name in ("chars", "bytes"))
    nats = math.fsum(report["nats_per_char"] * report["chars"] for report in reports)
    return Score(nats / chars, chars, size)


def writer_of(task: Any, model: Any, run: object = "RUN") -> tuple[Writer, CharLM]:
    """Returns both as what they are where the task can write. Raises ConfigError, which says what else can be done.

    `run` is where they come from, as a user would type it.
    """
    if not isinstance(task, Writer) or not isinstance(model, CharLM):
        raise ConfigError(f"only language models can write, and this run has learnt something else; {task.invite(run)}")
    return task, model


def refuse_both_ways(config: ModelConfig) -> None:
    """Raises ConfigError for a network that would see the character that it is to predict."""
    if config.bidirectional:
        raise ConfigError(
            "model.bidirectional: a model that reads the text from its end as well sees the character that it is "
            "to predict, and would learn to copy it; set it to false"
        )


def character_names(vocabulary: Vocabulary) -> list[object]:
    """Returns the characters as names of symbols, by which `--init-from` finds them in another vocabulary.

    A byte of 128 or more is part of a character, or another one than that of the same number: its name is a number.
    """
    if vocabulary.encoding == BYTES:
        return [symbol if symbol.isascii() else ord(symbol) for symbol in vocabulary.symbols]
    return [*vocabulary.symbols, *range(len(vocabulary) - len(vocabulary.symbols))]


def with_fallback(symbols: str, counts: Ids, data: DataConfig) -> Vocabulary:
    """Returns the vocabulary with a byte fallback that `data` asks for; `counts (n,)` are of the training part.

    Raises ConfigError where the text is read as bytes.
    """
    if data.encoding == BYTES:
        raise ConfigError(
            "data.encoding: bytes makes each byte a symbol, and data.max_vocab and data.min_count choose which "
            "characters have one; leave them out, or name the text's encoding"
        )
    return Vocabulary.of_frequent(symbols, counts, data.encoding, data.max_vocab, data.min_count)
