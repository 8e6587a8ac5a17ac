"""What tasks over items have in common: pairs are cut in parts, become numbers, and are judged in batches.

An item is a short text of its own with its answer. Each task says how some items become a batch (`assemble`), and what
the network's answers to it are worth.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Batch, Ids
from charrnn.errors import DataError
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.judging.surprise import ScoredLine
from charrnn.nn import head
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.stack import State
from charrnn.tasks.base import Batching, Scores, Split, Symbols
from charrnn.tasks.parts import Items, cut_in_parts, cut_in_pieces, joined, part_named, taken
from charrnn.tasks.writer import character_names
from charrnn.text.corpus import Library
from charrnn.text.items import Buckets, encode_items, replace_rare
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs, read_pairs, refuse_columns_of_objects
from charrnn.text.tables import remarks
from charrnn.text.vocabulary import Vocabulary

CHARS = 4096
"""Symbols that are judged side by side."""

UNKNOWN = ("unknown", "character")
"""Stands for what was never seen, among the names of symbols."""


class Assemble(Protocol):
    """Makes a batch of items, from the ids of each source and of each answer."""

    def __call__(self, sources: Sequence[Ids], answers: Sequence[Ids]) -> Batch:
        """Returns the batch."""


@dataclass(frozen=True)
class ItemBatches:
    """Gives batches of items of like length, each item once in an epoch, in an order of its own."""

    items: Items
    assemble: Assemble
    buckets: Buckets
    unknown: int
    """What takes the place of a character now and then, and the rarer it is the more often."""

    def __len__(self) -> int:
        return len(self.buckets)

    def batch(self, iteration: int) -> Batch:
        """Returns the batch of an iteration: for the same number always the same."""
        rows = self.buckets.rows(iteration)
        batch = self.assemble([self.items.sources[i] for i in rows], [self.items.answers[i] for i in rows])
        seed = self.buckets.seed
        if batch.source is None:
            return batch._replace(x=replace_rare(batch.x, self.counts, self.unknown, seed, iteration))
        return batch._replace(source=replace_rare(batch.source, self.counts, self.unknown, seed, iteration))

    @cached_property
    def counts(self) -> Array:
        """How often each character is there: (V,)."""
        return np.bincount(np.concatenate(self.items.sources), minlength=self.unknown)[: self.unknown]


@dataclass(frozen=True)
class ItemTask:
    """Learns the answers to items. A task is this, with its network and with what its answers are worth."""

    vocabulary: Vocabulary
    """The characters of the sources. An id behind them stands for any other."""

    columns: ClassVar[tuple[str, str]] = ("source", "target")
    """What the two texts of a pair are called."""
    source_column: ClassVar[int] = 0
    """Which of them goes in."""
    takes_folder: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"chance", "predict", "lines", "pieces"})
    data_keys: ClassVar[frozenset[str]] = frozenset({"columns", "validation", "test", "vocabulary"})

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Pairs:
        """Reads the pairs of `sources`, and those to validate and test on, where they are files of their own.

        Raises DataError with file, line and column of what is wrong.
        """
        return read_pairs(library, sources, data, cls.columns, cls.takes_folder)

    @classmethod
    def parts(cls, pairs: Pairs, data: DataConfig, seed: int) -> dict[str, Pairs | None]:
        """Returns the parts `train`, `validation` and `test`; equal sources are never in two. None for an empty one.

        A part that has a file of its own takes no share of the others' file. Raises DataError where nothing is left.
        """
        return cut_in_parts(pairs, cls.inputs(pairs), data, seed, taken)

    @classmethod
    def inputs(cls, pairs: Pairs) -> list[str]:
        """Returns what goes in, of each pair."""
        return (pairs.first, pairs.second)[cls.source_column]

    @classmethod
    def of(cls, examples: Pairs, data: DataConfig, batching: Batching) -> Self:
        """Returns the task that knows the symbols of the training part. Raises DataError for nothing to learn."""
        refuse_columns_of_objects(examples.name, data)
        train = cls.parts(examples, data, batching.seed)["train"]
        assert train is not None
        return cls.of_training(train, data)

    @classmethod
    @abstractmethod
    def of_training(cls, train: Pairs, data: DataConfig) -> Self:
        """Returns the task that knows the symbols of these pairs. Raises DataError for nothing to learn."""

    @abstractmethod
    def encode_answers(self, pairs: Pairs) -> list[Ids]:
        """Returns the answers as numbers."""

    @abstractmethod
    def assemble(self, sources: Sequence[Ids], answers: Sequence[Ids]) -> Batch:
        """Returns a batch of items."""

    @property
    def unknown(self) -> int:
        """The id that stands for characters that were never seen."""
        return len(self.vocabulary)

    def encode(self, pairs: Pairs) -> Items:
        """Returns pairs as numbers."""
        return Items(encode_items(self.vocabulary, self.inputs(pairs), self.unknown), self.encode_answers(pairs), pairs)

    def split(self, examples: Pairs, data: DataConfig, batching: Batching) -> Split:
        """Cuts the pairs in three; an evaluation reads at most `most` characters of the validation part.

        Raises DataError where the training part has nothing of the answers to validate on: that would tell nothing.
        """
        parts = self.parts(examples, data, batching.seed)
        train, validation, test = (None if part is None else self.encode(part) for part in parts.values())
        assert train is not None
        buckets = Buckets(self.lengths(train), batching.batch_size * batching.seq_length, batching.seed)
        batches = ItemBatches(train, self.assemble, buckets, self.unknown)
        judged = validation and validation.first(batching.most)
        if judged and not any((answer >= 0).any() for answer in judged.answers):
            what = self.columns[1 - self.source_column]
            raise DataError(
                f"{judged.pairs.name}: nothing of the {len(judged):,} {what}s to validate on is in the training "
                f"part; add items, name another file in data.validation, or leave the part out with "
                f"{advice.setting('data.split', [1, 0, 0])}"
            )
        return Split(batches, judged, test)

    def lengths(self, items: Items) -> Array:
        """Returns what an item takes of a batch, in symbols: (N,), or (N, 2) where the answer is read as well."""
        return items.lengths[:, 0]

    def part(self, examples: Pairs, data: DataConfig, batching: Batching, name: str | None = None) -> Items:
        """Returns what is judged of the pairs: all of them, or the part of that name. Raises DataError for none."""
        return self.encode(part_named(name, examples, lambda: self.parts(examples, data, batching.seed)))

    @abstractmethod
    def report(self, model: Any, params: dict[str, Array], part: Items) -> dict[str, Any]:
        """Returns all scores of a model on some items."""

    def lines(self, model: Any, params: dict[str, Array], part: Items) -> Iterator[ScoredLine]:
        """Yields the loss of each answer, in the order of the items.

        What was never learnt, as a label or a character of an answer, is not scored.
        """
        nats, counts = np.zeros(len(part)), np.zeros(len(part), np.int64)
        for rows, batch in self.in_batches(part):
            with overflow_allowed():  # of weights that have exploded, which shows in the loss
                each = head.nats(model.predict(params, batch).astype(np.float64), batch.y)  # (B,) or (T, B)
            scored = np.ones_like(each, bool) if batch.weights is None else batch.weights > 0
            each = np.where(scored, each, 0)
            nats[rows], counts[rows] = (np.atleast_2d(some).sum(axis=0) for some in (each, scored))
        pairs = part.pairs
        several = len(set(pairs.files)) > 1
        for i in sorted(range(len(part)), key=pairs.where):
            cells = dict(zip(self.columns, (pairs.first[i], pairs.second[i]), strict=True))
            file, number = pairs.where(i)
            yield ScoredLine(float(nats[i]), int(counts[i]), number, cells, file if several else "")

    def pieces(self, part: Items, count: int) -> list[Items | None]:
        """Cuts a part in pieces that are judged apart; None where there are too few items."""
        return cut_in_pieces(part, self.inputs(part.pairs), count)

    def total(
        self,
        model: Any,
        params: dict[str, Array],
        parts: Sequence[Items],
        reports: Sequence[dict[str, Any]],
        **asked: Any,
    ) -> dict[str, Any]:
        """Returns the report on the items of all parts together; `asked` is what `report` is asked for besides."""
        return self.report(model, params, joined(parts), **asked)

    def invite(self, run: object) -> str:
        """Says that it answers."""
        return f"ask it: {advice.command('predict', run)}"

    def extent(self, report: dict[str, Any]) -> str:
        """Says how many items a report is about."""
        return f"{report['items']:,} items"

    def baselines(self, examples: Pairs, data: DataConfig, batching: Batching, name: str) -> dict[str, Scores]:
        """Returns what is reached on the part of that name by counting in the training part, by what reaches it."""
        parts = self.parts(examples, data, batching.seed)
        train, part = parts["train"], parts[name]
        if part and name == "validation":
            part = self.encode(part).first(batching.most).pairs
        return self.compare(train, part) if train and part else {}

    def compare(self, train: Pairs, part: Pairs) -> dict[str, Scores]:
        """Returns what baselines that have seen the pairs of `train` reach on those of `part`."""
        return {}

    def remarks(self, examples: Pairs) -> list[str]:
        """Returns a line for each sign that the pairs are not what they should be."""
        return list(remarks(examples.first, examples.second, labelled=self.columns[0] == "label"))

    def describe(self, split: Split) -> str:
        """Says it as in `18,045 items, 87 distinct characters, to learn from; 1,002 to validate on`."""
        batches: Any = split.train
        validated = len(split.validation) if split.validation else 0
        return (
            f"{len(batches.items):,} items, {len(self.vocabulary)} distinct characters, to learn from; "
            f"{validated:,} to validate on"
        )

    def explain(
        self, model: Any, params: dict[str, Array], split: Split, iteration: int, state: State
    ) -> list[dict[str, Any]]:
        """Returns each row's item, and its mean nats."""
        batches: Any = split.train
        rows, batch = batches.buckets.rows(iteration), batches.batch(iteration)
        inputs = self.inputs(batches.items.pairs)
        found = []
        for b, i in enumerate(rows):
            with overflow_allowed():
                nats, _ = model.loss(params, batch.rows(slice(b, b + 1)), state)
            found.append({"row": b, "item": batches.items.pairs.place(int(i)), "nats": float(nats), "text": inputs[i]})
        return found

    def some(self, split: Split, count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
        """Draws some items to look at, of the validation part where there is one: what goes in, and what should come.

        Where an item has several answers, it is one of them.
        """
        batches: Any = split.train
        items: Any = split.validation or batches.items
        pairs: Pairs = items.pairs
        answers = (pairs.second, pairs.first)[self.source_column]
        numbers = rng.choice(len(pairs), size=min(count, len(pairs)), replace=False)
        return [(self.inputs(pairs)[i], answers[i]) for i in numbers.tolist()]

    def in_batches(
        self, items: Items, stop: Callable[[], bool] = lambda: False, chars: int = CHARS
    ) -> Iterator[tuple[Ids, Batch]]:
        """Yields the items in batches of like length, with their numbers. Raises EvaluationStopped on `stop()`."""
        buckets = Buckets(self.lengths(items), chars, seed=0)
        for k in range(len(buckets)):
            rows = buckets.rows(k)
            yield rows, self.assemble([items.sources[i] for i in rows], [items.answers[i] for i in rows])
            if stop():
                raise EvaluationStopped

    def unknown_counts(self, inputs: Sequence[str]) -> list[int]:
        """Returns how many characters of each input were never seen."""
        known = set(self.vocabulary.symbols)
        return [sum(character not in known for character in text) for text in inputs]

    def source_symbols(self, rows: dict[str, int]) -> dict[str, Symbols]:
        """Returns where the sources' characters are in parameters, given where the first of them is in each."""
        names = [*character_names(self.vocabulary), UNKNOWN]
        return {name: Symbols(0, row, names) for name, row in rows.items()}


def known_or_not(vocabulary: Vocabulary, texts: Sequence[str]) -> list[Ids]:
    """Returns the ids of each text, with -1 for a character that the vocabulary lacks: no answer can be that."""
    V = len(vocabulary)
    return [np.where(ids < V, ids.astype(np.int64), -1) for ids in encode_items(vocabulary, texts, V)]


def vocabulary_of(texts: Sequence[str], encoding: str) -> Vocabulary:
    """Returns the vocabulary of all these texts. Raises DataError for too many symbols."""
    return Vocabulary.of("".join(texts), encoding)
