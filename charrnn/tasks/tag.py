"""N to N: a text is given another of the same length, such as the same one with its capital letters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.errors import DataError
from charrnn.judging import scores
from charrnn.judging.baselines import MostFrequentTag
from charrnn.judging.gradcheck.subject import VOCAB_SIZE, random_lengths
from charrnn.judging.tallies import Tally
from charrnn.nn import head
from charrnn.nn.build import build_model
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.options import ModelConfig
from charrnn.tasks.base import Scores, Symbols
from charrnn.tasks.items import ItemTask, known_or_not, vocabulary_of
from charrnn.tasks.parts import Items
from charrnn.tasks.writer import character_names
from charrnn.text.items import encode_items, pad
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs, escape
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


class Tagged(NamedTuple):
    """Is the answer to one text."""

    input: str
    text: str
    """What the characters of the input became, as many."""
    unknown: int
    """How many characters of the input were never seen in training."""

    @property
    def answer(self) -> str:
        """What it says: the text."""
        return self.text

    @property
    def ended(self) -> bool:
        """Whether the answer is whole: it always is."""
        return True

    def line(self) -> str:
        """Returns the text, in one line."""
        return escape(self.text)

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return self._asdict()


@dataclass(frozen=True)
class Tag(ItemTask):
    """Tells which of `targets` stands in the place of each character."""

    targets: Vocabulary

    measure: ClassVar[str] = "accuracy"
    in_words: ClassVar[dict[str, str]] = {
        "accuracy": "accuracy, the share of characters that are right",
        "item_accuracy": "of the items have no mistake",
        "nats": "nats per character",
    }

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Pairs:
        """Reads the pairs of `sources`. Raises DataError for what is wrong, as a pair of unequal length."""
        pairs = super().read(library, sources, data)
        for part in (pairs, pairs.validation, pairs.test):
            if part is not None:
                refuse_unequal(part)
        return pairs

    @classmethod
    def of_training(cls, train: Pairs, data: DataConfig) -> Self:
        """Returns the task with the characters of the training part. Raises DataError for nothing to learn."""
        targets = vocabulary_of(train.second, data.encoding)
        if len(targets) < 2:
            raise DataError(f"{train.name}: every character becomes {targets.symbols!r}; there is nothing to learn")
        return cls(vocabulary_of(train.first, data.encoding), targets)

    def encode_answers(self, pairs: Pairs) -> list[Ids]:
        """Returns the number of each character of each target; -1 for one that was not in the training part."""
        return known_or_not(self.targets, pairs.second)

    def assemble(self, sources: Sequence[Ids], answers: Sequence[Ids]) -> Batch:
        """Returns a batch of texts, and what each of their characters becomes."""
        x, lengths = pad(sources)
        y, _ = pad([np.asarray(answer, np.int64) for answer in answers])
        inside = np.arange(len(x))[:, None] < lengths
        counts = inside & (y >= 0)
        return Batch(x, np.where(counts, y, 0), None, None if counts.all() else counts.astype(np.float32), lengths)

    def model(self, config: ModelConfig) -> CharLM:
        """Returns the network, which reads in both directions if not told otherwise."""
        return _network(config, len(self.vocabulary) + 1, len(self.targets))

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[CharLM, Callable[[np.random.Generator], Batch]]:
        """Returns a network over a few characters, and what draws batches with padding for it."""
        targets = 3

        def draw(rng: np.random.Generator) -> Batch:
            x, lengths = random_lengths(rng, VOCAB_SIZE)
            weights = rng.uniform(0.5, 1.5, x.shape) * (np.arange(len(x))[:, None] < lengths)
            return Batch(x, rng.integers(targets, size=x.shape), None, weights, lengths)

        return _network(config, VOCAB_SIZE, targets), draw

    def judge(self, model: CharLM, params: dict[str, Array], part: Items, stop: Callable[[], bool]) -> Scores:
        """Returns the mean nats of the right characters, the share of them, and that of items without a mistake."""
        return self.scores_of(self.tally(model, params, part, stop), part)

    def tally(self, model: CharLM, params: dict[str, Array], part: Items, stop: Callable[[], bool]) -> Tally:
        """Returns how many characters and whole items are right, and the nats of those that have some."""
        right, whole, nats = 0, 0, list[float]()
        for rows, batch in self.in_batches(part, stop):
            logits = model.predict(params, batch)
            answers = logits.argmax(axis=-1)
            with overflow_allowed():  # of weights that have exploded, which shows in the loss
                each = head.nats(logits.astype(np.float64), batch.y)
            for b, i in enumerate(rows):
                truth = part.answers[i]
                hits = truth == answers[: len(truth), b]
                right, whole = right + int(hits.sum()), whole + int(hits.all())
                nats += each[: len(truth), b][truth >= 0].tolist()
        return {"right": right, "whole": whole, "nats": math.fsum(nats), "known": len(nats)}

    def scores_of(self, tally: Tally, part: Items) -> Scores:
        """Returns the scores that `judge` does."""
        return {
            "nats": scores.mean(tally["nats"], tally["known"]),
            "accuracy": tally["right"] / sum(map(len, part.answers)),
            "item_accuracy": tally["whole"] / len(part),
        }

    def report(
        self, model: CharLM, params: dict[str, Array], part: Items, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Returns all scores. Characters that the training part never had as an answer are wrong, and have no nats."""
        found = self.judge(model, params, part, stop)
        names = ("accuracy", "item_accuracy", "nats")
        return {name: found[name] for name in names} | {
            "items": len(part),
            "characters": sum(map(len, part.answers)),
        }

    def extent(self, report: dict[str, Any]) -> str:
        """Says how many items and characters a report is about."""
        return f"{report['items']:,} items, {report['characters']:,} characters"

    def compare(self, train: Pairs, part: Pairs) -> dict[str, Scores]:
        """Returns what is reached by what each character became most often, wherever it stands."""
        refuse_unequal(part)
        answers = MostFrequentTag.fit(train.first, train.second).predict(part.first)
        truth, found = (np.array(list("".join(texts))) for texts in (part.second, answers))
        whole = np.array([answer == target for answer, target in zip(answers, part.second, strict=True)])
        reached = {"accuracy": float((truth == found).mean()), "item_accuracy": float(whole.mean())}
        return {"most_frequent_tag": reached}

    def predict(self, model: CharLM, params: dict[str, Array], inputs: Sequence[str]) -> Iterator[Tagged]:
        """Yields what becomes of each input, in the order of the inputs."""
        sources = encode_items(self.vocabulary, inputs, self.unknown)
        found = [""] * len(inputs)
        for rows, batch in self.in_batches(Items(sources, sources, Pairs("", 0, "", list(inputs), list(inputs)))):
            answers = model.predict(params, batch).argmax(axis=-1)
            for b, i in enumerate(rows):
                found[i] = self.targets.decode(answers[: len(sources[i]), b])
        for text, answer, unknown in zip(inputs, found, self.unknown_counts(inputs), strict=True):
            yield Tagged(text, answer, unknown)

    def facts(self) -> dict[str, Any]:
        """Returns the characters of both sides, and their encoding."""
        return {**self.vocabulary.facts(), "answers": self.targets.symbols}

    def symbols(self, model: CharLM) -> dict[str, Symbols]:
        """Returns the axes of the characters that go in, and of those that come out."""
        targets: list[object] = [("target", name) for name in character_names(self.targets)]
        of_head = {"head.W": Symbols(1, 0, targets), "head.b": Symbols(0, 0, targets)}
        return self.source_symbols(model.stack.symbol_rows) | of_head

    def to_meta(self) -> dict[str, Any]:
        """Returns both vocabularies, as JSON."""
        return {"vocabulary": dataclasses.asdict(self.vocabulary), "targets": dataclasses.asdict(self.targets)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task that `to_meta` told. Raises ValueError where that can be none."""
        return cls(
            Vocabulary.from_meta(meta["vocabulary"], data.encoding),
            Vocabulary.from_meta(meta["targets"], data.encoding),
        )


def refuse_unequal(pairs: Pairs) -> None:
    """Raises DataError for a pair whose texts are not of one length: file, line and column where one ends."""
    for i, (source, target) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        if len(source) != len(target):
            column = min(len(source), len(target)) + 1
            raise DataError(
                f"{pairs.place(i)}:{column}: the source has {len(source)} characters and the target {len(target)}; "
                f"a tag needs one for each"
            )


def _network(config: ModelConfig, vocab_size: int, targets: int) -> CharLM:
    both = config.bidirectional is None or config.bidirectional
    return build_model(dataclasses.replace(config, bidirectional=both), vocab_size, outputs=targets)
