"""N to 1: a text is given a label, such as the language of a name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Batch, Ids
from charrnn.errors import DataError
from charrnn.judging import scores
from charrnn.judging.baselines import MostFrequent
from charrnn.judging.gradcheck.subject import VOCAB_SIZE, random_lengths
from charrnn.judging.ngrams import NGramModel
from charrnn.judging.tallies import Tally
from charrnn.nn import head
from charrnn.nn.build import build_network
from charrnn.nn.classifier import Classifier
from charrnn.nn.numerics import log_softmax, overflow_allowed
from charrnn.nn.options import ModelConfig
from charrnn.tasks.base import Scores, Split, Symbols
from charrnn.tasks.items import ItemTask, vocabulary_of
from charrnn.tasks.parts import Items
from charrnn.text.items import encode_items, pad
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs, escape
from charrnn.text.vocabulary import Vocabulary

NEVER_LEARNT = "a label never learnt"
"""What all labels are called, where scores are told, that the training part did not have."""


class Label(NamedTuple):
    """Is the answer to one text."""

    input: str
    label: str
    probability: float
    top: list[tuple[str, float]]
    """The likeliest labels with their probabilities, the first of which is `label`."""
    unknown: int
    """How many characters of the input were never seen in training."""

    @property
    def answer(self) -> str:
        """What it says: the label."""
        return self.label

    @property
    def ended(self) -> bool:
        """Whether the answer is whole: it always is."""
        return True

    def line(self) -> str:
        """Returns the labels and their probabilities, with tabs between."""
        return "\t".join(f"{escape(label)}\t{probability:.4f}" for label, probability in self.top)

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {**self._asdict(), "top": [list(pair) for pair in self.top]}


@dataclass(frozen=True)
class Classify(ItemTask):
    """Tells which of `labels` a text has."""

    labels: tuple[str, ...]

    columns: ClassVar[tuple[str, str]] = ("label", "text")
    source_column: ClassVar[int] = 1
    takes_folder: ClassVar[bool] = True
    measure: ClassVar[str] = "accuracy"
    abilities: ClassVar[frozenset[str]] = ItemTask.abilities | {"top", "confusion"}
    in_words: ClassVar[dict[str, str]] = {
        "accuracy": "accuracy, the share of items that are right",
        "macro_f1": "macro F1, the mean over the labels",
        "mcc": "Matthews' correlation",
        "nats": "nats per item",
    }

    @classmethod
    def of_training(cls, train: Pairs, data: DataConfig) -> Self:
        """Returns the task with the labels of the training part. Raises DataError where they are one."""
        labels = tuple(sorted(set(train.first)))
        if len(labels) < 2:
            raise DataError(f"{train.name}: all texts have the label {labels[0]!r}; give texts of another one, too")
        if len(labels) > 10 and len(labels) > 2 * (texts := len(set(train.second))):
            raise DataError(
                f"{train.name}: {len(labels)} labels for {texts} different texts: are the columns swapped? "
                f"to read them the other way round, {advice.setting('data.columns', [2, 1])}"
            )
        return cls(vocabulary_of(train.second, data.encoding), labels)

    def encode_answers(self, pairs: Pairs) -> list[Ids]:
        """Returns the number of each label, (1,); -1 for one that was not in the training part."""
        numbers = {label: np.array([k]) for k, label in enumerate(self.labels)}
        return [numbers.get(label, np.array([-1])) for label in pairs.first]

    def assemble(self, sources: Sequence[Ids], answers: Sequence[Ids]) -> Batch:
        """Returns a batch of texts, and the label of each."""
        x, lengths = pad(sources)
        y: Ids = np.concatenate(answers)  # (B,)
        known: Array = np.greater_equal(y, 0)
        weights = None if known.all() else known.astype(np.float32)
        return Batch(x, np.maximum(y, 0), None, weights, lengths)

    def model(self, config: ModelConfig) -> Classifier:
        """Returns the network, which reads in both directions if not told otherwise."""
        return _network(config, len(self.vocabulary) + 1, len(self.labels))

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[Classifier, Callable[[np.random.Generator], Batch]]:
        """Returns a network over a few characters and labels, and what draws batches with padding for it."""
        labels = 3

        def draw(rng: np.random.Generator) -> Batch:
            x, lengths = random_lengths(rng, VOCAB_SIZE)
            B = lengths.shape
            return Batch(x, rng.integers(labels, size=B), None, rng.uniform(0.5, 1.5, B), lengths)

        return _network(config, VOCAB_SIZE, labels), draw

    def judge(self, model: Classifier, params: dict[str, Array], part: Items, stop: Callable[[], bool]) -> Scores:
        """Returns the mean nats of the right labels, the accuracy, and the mean F1 of all labels."""
        return self.scores_of(self.tally(model, params, part, stop), part)

    def tally(self, model: Classifier, params: dict[str, Array], part: Items, stop: Callable[[], bool]) -> Tally:
        """Returns how often each label was taken for each, all never learnt being one, and the nats of the others."""
        K = len(self.labels)
        truth, answers, nats = np.concatenate(part.answers), np.zeros(len(part), int), list[float]()
        for rows, batch in self.in_batches(part, stop):
            logits = model.predict(params, batch)
            answers[rows] = logits.argmax(axis=-1)
            known = truth[rows] >= 0
            with overflow_allowed():  # of weights that have exploded, which shows in the loss
                nats += head.nats(logits[known].astype(np.float64), batch.y[known]).tolist()
        table = scores.confusion(np.where(truth < 0, K, truth), answers, K + 1)
        return {"confusion": table, "nats": math.fsum(nats), "known": len(nats)}

    def scores_of(self, tally: Tally, part: Items) -> Scores:
        """Returns the scores that `judge` does."""
        table = tally["confusion"]
        return {
            "nats": scores.mean(tally["nats"], tally["known"]),
            "accuracy": int(np.trace(table)) / len(part),
            "macro_f1": scores.macro_f1(table),
        }

    def report(
        self, model: Classifier, params: dict[str, Array], part: Items, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Returns all scores, and how often each label was taken for each."""
        truth = np.concatenate(part.answers)
        if not (truth >= 0).any():
            raise DataError(
                f"{part.pairs.name}: the run knows none of its labels, such as {part.pairs.first[0]!r}, but "
                f"{', '.join(map(repr, self.labels[:5]))}{', ...' if len(self.labels) > 5 else ''}; are the columns "
                f"swapped, or is it another file?"
            )
        tally = self.tally(model, params, part, stop)
        labels = [*self.labels, *([NEVER_LEARNT] if (truth < 0).any() else [])]
        table = tally["confusion"][: len(labels), : len(labels)]
        found = self.scores_of(tally, part)
        return {
            "accuracy": found["accuracy"],
            "macro_f1": found["macro_f1"],
            "mcc": scores.mcc(table),
            "nats": found["nats"],
            "items": len(part),
            "labels": labels,
            "confusion": table.tolist(),
        }

    def compare(self, train: Pairs, part: Pairs) -> dict[str, Scores]:
        """Returns what the most frequent label reaches, and a logistic regression on the n-grams of a text."""
        K = len(self.labels)
        truth = np.concatenate(self.encode_answers(part))
        truth = np.where(truth < 0, K, truth)  # which no answer equals
        numbers = np.concatenate(self.encode_answers(train))
        fitted: dict[str, MostFrequent | NGramModel] = {
            "most_frequent": MostFrequent.fit(numbers),
            "n_grams": NGramModel.fit(train.second, numbers, K),
        }
        found: dict[str, Scores] = {}
        for name, baseline in fitted.items():
            answers = baseline.predict(part.second)
            table = scores.confusion(truth, answers, K + 1)
            accuracy = scores.accuracy(truth, answers)
            found[name] = {"accuracy": accuracy, "macro_f1": scores.macro_f1(table), "mcc": scores.mcc(table)}
        return found

    def predict(
        self, model: Classifier, params: dict[str, Array], inputs: Sequence[str], top: int = 1
    ) -> Iterator[Label]:
        """Yields the `top` likeliest labels of each input, in the order of the inputs."""
        sources = encode_items(self.vocabulary, inputs, self.unknown)
        items = Items(sources, [np.zeros(1, int)] * len(inputs), Pairs("", 0, "", [], list(inputs)))
        p = np.zeros((len(inputs), len(self.labels)))
        for rows, batch in self.in_batches(items):
            with overflow_allowed():
                p[rows] = np.exp(log_softmax(model.predict(params, batch).astype(np.float64)))
        for text, row, unknown in zip(inputs, p, self.unknown_counts(inputs), strict=True):
            best = [(self.labels[k], float(row[k])) for k in np.argsort(-row, kind="stable")[:top]]
            yield Label(text, *best[0], best, unknown)

    def describe(self, split: Split) -> str:
        """Says it with the number of labels, which would show a file that was made for something else."""
        return f"{super().describe(split)}; {len(self.labels)} labels"

    def facts(self) -> dict[str, Any]:
        """Returns the labels, and the characters with their encoding."""
        return {"labels": list(self.labels), **self.vocabulary.facts()}

    def symbols(self, model: Classifier) -> dict[str, Symbols]:
        """Returns the axes of the characters and of the labels."""
        labels: list[object] = [("label", label) for label in self.labels]
        of_head = {"head.W": Symbols(1, 0, labels), "head.b": Symbols(0, 0, labels)}
        return self.source_symbols(model.stack.symbol_rows) | of_head

    def to_meta(self) -> dict[str, Any]:
        """Returns vocabulary and labels, as JSON."""
        return {"vocabulary": dataclasses.asdict(self.vocabulary), "labels": list(self.labels)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task that `to_meta` told. Raises ValueError where that can be none."""
        return cls(Vocabulary.from_meta(meta["vocabulary"], data.encoding), labels_from(meta["labels"]))


def labels_from(labels: Any) -> tuple[str, ...]:
    """Returns the labels that a checkpoint tells. Raises ValueError where they are no sorted set of texts."""
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("its labels are not texts")
    if len(labels) < 2 or labels != sorted(set(labels)):
        raise ValueError("its labels are not a sorted set of two or more")
    return tuple(labels)


def _network(config: ModelConfig, vocab_size: int, labels: int) -> Classifier:
    both = config.bidirectional is None or config.bidirectional
    return build_network(Classifier, config, vocab_size=vocab_size, outputs=labels, bidirectional=both)
