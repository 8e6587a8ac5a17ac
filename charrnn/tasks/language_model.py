"""The language model: one text, in which each character is predicted from those before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Batch
from charrnn.errors import ConfigError, DataError
from charrnn.judging import text_baselines
from charrnn.judging.dynamic import Adapting
from charrnn.judging.evaluation import evaluate, piece_of
from charrnn.judging.gradcheck.subject import VOCAB_SIZE, random_batch
from charrnn.judging.stretch import Stretch
from charrnn.judging.surprise import Passage
from charrnn.judging.tallies import Tally
from charrnn.nn import head
from charrnn.nn.build import build_model
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.options import ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.tasks import rare
from charrnn.tasks.base import Batches, Batching, Model, Scores, Split, Symbols, Task
from charrnn.tasks.writer import VOCABULARY_KEYS, Writer, character_names, refuse_both_ways, with_fallback
from charrnn.text.openings import openings
from charrnn.text.options import DataConfig
from charrnn.text.streams import (
    CUTS,
    Cut,
    LongIds,
    Spelled,
    Streams,
    Windows,
    begun_before,
    characters_of,
    side_by_side,
    sizes_of_tail,
)
from charrnn.text.text import MARK, Text
from charrnn.text.vocabulary import UnknownCharacters, Vocabulary

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


LOOKED_AT = 10_000
"""Characters of a text that are looked at for signs of another task."""


@dataclass(frozen=True)
class LanguageModel(Writer):
    """Predicts the next character of a text in the symbols of `vocabulary`."""

    vocabulary: Vocabulary

    abilities: ClassVar[frozenset[str]] = Writer.abilities | {"dynamic"}
    data_keys: ClassVar[frozenset[str]] = frozenset({"split_by", *VOCABULARY_KEYS})
    measure: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Text:
        """Reads the text of `sources`, one after another. Raises DataError."""
        return library.read(sources, data.encoding, data.newlines)

    @classmethod
    def of(cls, examples: Text, data: DataConfig, batching: Batching) -> Self:
        """Returns the task with the characters of this text. Raises DataError where there is but one, or too many.

        With a byte fallback, characters get symbols as they occur in the training part.
        """
        if len(examples.symbols) < 2:
            raise DataError(
                f"{examples.name} has one distinct character, {examples.symbols!r}; there is nothing to predict"
            )
        if not data.has_fallback:
            return cls(Vocabulary.of(examples.symbols, examples.encoding))
        if data.split_by == "columns":
            raise ConfigError(
                "data.split_by: columns cuts where there are as many symbols, which may be inside a character that is "
                f"spelled in bytes; {advice.setting('data.split_by', 'tail')}"
            )
        counts = examples.counts(0, sizes_of_tail(len(examples), data.split)[0])
        return cls(with_fallback(examples.symbols, counts, data))

    def cut(self, ids: LongIds, data: DataConfig, batch_size: int, seq_length: int) -> Cut:
        """Cuts a text into its training, validation and test streams. Raises DataError if it is too short."""
        return CUTS[data.split_by](ids, data.split, batch_size, seq_length)

    def split(self, examples: Text, data: DataConfig, batching: Batching) -> Split:
        """Cuts the text in three; an evaluation reads at most `most` characters of the validation text.

        Raises DataError if the text is too short, or has characters that the vocabulary lacks.
        """
        examples = self._with_known_mark(examples)
        try:
            train, validation, test = self.cut(
                examples.ids(self.vocabulary), data, batching.batch_size, batching.seq_length
            )
        except DataError as error:
            if pairs := self.remarks(examples):
                raise DataError(f"{examples.name} is short for one text; {pairs[0]}") from error
            raise
        windows = Windows(train, batching.seq_length)
        return Split(windows, _at_most(validation, batching.most, data.split_by), test if len(test) else None)

    def openings(self, batches: Batches) -> list[list[int]]:
        """Returns the ids before some places at which a line begins."""
        assert isinstance(batches, Windows)
        return openings(batches.streams, self.vocabulary.symbols)

    def all_ids(self, examples: Text) -> LongIds:
        """Returns the ids of the whole text."""
        return examples.ids(self.vocabulary)

    def _with_known_mark(self, examples: Text) -> Text:
        """Returns the text, with its byte order mark where the model knows it: runs did, before it was left out."""
        symbols = self.vocabulary.symbols
        return (
            examples.with_mark() if examples.marked and MARK in symbols and MARK not in examples.symbols else examples
        )

    def remarks(self, examples: Text) -> list[str]:
        """Returns a line if the text looks like pairs, which are for other tasks, and one of its rare characters."""
        found = []
        if rare.may_matter(self.vocabulary, len(examples.symbols)):
            found += rare.remark(self.vocabulary, examples.symbols, examples.counts())
        lines = next(examples.pieces(0, min(LOOKED_AT, len(examples))), "").split("\n")[:-1]
        if len(lines) < 3 or any(line.count("\t") != 1 for line in lines):
            return found
        return [
            *found,
            "each line has one tab, as pairs have; to learn answers give another task, for labels "
            f"{advice.setting('task.name', 'classify')}",
        ]

    def describe(self, split: Split) -> str:
        """Says it as in `118,140 characters, 66 distinct; 106,320 to learn from, 5,906 to validate on`."""
        assert isinstance(split.train, Windows)
        streams = split.train.streams
        validated = split.validation.characters if isinstance(split.validation, Streams) else 0
        learnt = f"{len(streams):,} to learn from, {validated:,} to validate on"
        if isinstance(streams.ids, Spelled):
            learnt = f"{len(streams):,} symbols to learn from, {validated:,} characters to validate on"
        return f"{characters_of(streams.ids):,} characters, {self.vocabulary.in_words()}; {learnt}"

    def model(self, config: ModelConfig) -> CharLM:
        """Returns the network. Raises ConfigError for one that would see the character that it is to predict."""
        refuse_both_ways(config)
        return build_model(config, len(self.vocabulary))

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[CharLM, Callable[[np.random.Generator], Batch]]:
        """Returns a network over a few characters, in both directions too, and what draws batches for it."""
        model = build_model(config, VOCAB_SIZE)
        return model, partial(random_batch, model)

    def judge(self, model: CharLM, params: dict[str, Array], part: Streams, stop: Callable[[], bool]) -> Scores:
        """Returns the mean nats per character."""
        return {"nats": evaluate(model, params, part, stop)}

    def pieces(self, part: Streams, count: int) -> list[Streams | None]:
        """Cuts a part in pieces that are judged apart, of some of the streams; None where there are too few."""
        B = part.batch_size
        rows = [slice(B * k // count, B * (k + 1) // count) for k in range(count)]
        return [piece_of(part, some) if some.start < some.stop else None for some in rows]

    def tally(self, model: CharLM, params: dict[str, Array], part: Streams, stop: Callable[[], bool]) -> Tally:
        """Returns the nats of all symbols."""
        return {"nats": evaluate(model, params, part, stop) * part.characters}

    def scores_of(self, tally: Tally, part: Streams) -> Scores:
        """Returns the scores that `judge` does: of the nats of all symbols, the mean over the characters."""
        return {"nats": tally["nats"] / part.characters}

    def part(
        self, examples: Text, data: DataConfig, batching: Batching, name: str | None = None, skip: bool = False
    ) -> Stretch:
        """Returns all characters but the first, which nothing comes before, or those of a part of the text.

        Raises DataError where there are none, or some that the vocabulary lacks. With `skip` these are left out: the
        model reads the text as if they had never stood in it.
        """
        examples = self._with_known_mark(examples)
        strange = self.vocabulary.unknown(examples.symbols)
        if strange and not skip:
            raise UnknownCharacters(strange, examples.name, self.vocabulary.encoding)
        text = examples.without(strange) if strange else examples
        if len(text) < 2:
            count = "no character" if not len(text) else "one character"
            raise DataError(
                f"{examples.name} has {count}{' that the model knows' if strange else ''}; two are needed, one to "
                f"predict from and one to predict"
            )
        ids = text.ids(self.vocabulary)
        if name is None:
            return Stretch(text, side_by_side(ids, 0, len(text)), examples)
        try:
            streams: Streams = getattr(self.cut(ids, data, batching.batch_size, batching.seq_length), name)
        except DataError as error:
            raise DataError(
                f"{examples.name} is too short to be split as the run's text was; leave out --split"
            ) from error
        if not len(streams):
            raise DataError(f"the run's data.split leaves no {name} text; leave out --split")
        return Stretch(text, streams, examples)

    def report(
        self, model: CharLM, params: Parameters, part: Stretch, dynamic: Adapting | None = None
    ) -> dict[str, Any]:
        """Returns the loss per character in several units; as `dynamic`, that of a model that goes on learning too."""
        return part.report(model, params, dynamic)

    def passages(self, model: CharLM, params: dict[str, Array], part: Stretch) -> Iterator[Passage]:
        """Yields each piece of the text that is judged, with what the model thinks of its characters."""
        return part.passages(model, params)

    def baselines(self, examples: Text, data: DataConfig, batching: Batching, name: str) -> dict[str, Scores]:
        """Returns what n-grams and compressors reach on a part that they have not seen; none for the training part."""
        cut = self.cut(examples.ids(self.vocabulary), data, batching.batch_size, batching.seq_length)
        part: Streams | None = getattr(cut, name)
        if part is not None and name == "validation":
            part = _at_most(part, batching.most, data.split_by)
        if part is None or not len(part) or name == "train":
            return {}
        return text_baselines.of_streams(cut.train, part, self.vocabulary)

    def explain(
        self, model: CharLM, params: dict[str, Array], split: Split, iteration: int, state: State
    ) -> list[dict[str, Any]]:
        """Returns each row's text, where in the data it stands, and its mean nats."""
        assert isinstance(split.train, Windows)
        streams, batch, start = split.train.streams, split.train.batch(iteration), split.train.start(iteration)
        logits, _ = model.forward(params, batch.x, state, batch.starts)
        with overflow_allowed():
            nats = head.nats(logits, batch.y).mean(axis=0)  # (B,)
        return [
            {
                "row": b,
                "offset": begun_before(streams.ids, int(first) + start),
                "nats": float(nats[b]),
                "text": self.vocabulary.decode(batch.x[:, b]),
            }
            for b, first in enumerate(streams.first)
        ]

    def symbols(self, model: CharLM) -> dict[str, Symbols]:
        """Returns the axes of the characters: the first layer's rows that meet the input, and the head's columns."""
        names = character_names(self.vocabulary)
        of_input = {name: Symbols(0, row, names) for name, row in model.stack.symbol_rows.items()}
        return of_input | {"head.W": Symbols(1, 0, names), "head.b": Symbols(0, 0, names)}

    def to_meta(self) -> dict[str, Any]:
        """Returns the vocabulary, as JSON."""
        return {"vocabulary": dataclasses.asdict(self.vocabulary)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task with the vocabulary that `to_meta` told. Raises ValueError where that can be none."""
        return cls(Vocabulary.from_meta(meta["vocabulary"], data.encoding))


def language_model_of(task: Task, model: Model, run: object) -> tuple[LanguageModel, CharLM]:
    """Returns both as what they are in a run of this task. Raises ConfigError where they are of another.

    `run` is where they come from, as a user would type it.
    """
    if not isinstance(task, LanguageModel) or not isinstance(model, CharLM):
        raise ConfigError(
            f"this is for language models of one text, and the run has learnt another task; see: "
            f"{advice.command('info', run)}"
        )
    return task, model


def _at_most(validation: Streams, most: int | None, split_by: str) -> Streams | None:
    """Returns what an evaluation reads of the validation text: at most `most` characters; None where there is none."""
    if not len(validation):
        return None
    if most is None or validation.characters < most:
        return validation
    if split_by == "tail":
        start = begun_before(validation.ids, int(validation.first[0]) + 1) - 1
        return side_by_side(validation.ids, start, start + most)
    return dataclasses.replace(validation, lengths=np.minimum(validation.lengths, -(-most // validation.batch_size)))
