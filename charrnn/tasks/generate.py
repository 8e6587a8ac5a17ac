"""1 to N: a label is given a text, such as a language a name. It is the language model of documents, told the label."""

from __future__ import annotations

import collections
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from charrnn import advice
from charrnn.arrays import Batch, Ids
from charrnn.errors import ConfigError, DataError
from charrnn.judging.gradcheck.subject import VOCAB_SIZE
from charrnn.nn.build import build_model
from charrnn.nn.model import CharLM
from charrnn.nn.options import ModelConfig
from charrnn.tasks.base import Batching, Symbols
from charrnn.tasks.classify import labels_from
from charrnn.tasks.documents import DocumentModel, random_window
from charrnn.tasks.writer import VOCABULARY_KEYS, refuse_both_ways
from charrnn.text.documents import Documents
from charrnn.text.options import DataConfig
from charrnn.text.pairs import read_pairs, refuse_columns_of_objects
from charrnn.text.tables import remarks

if TYPE_CHECKING:
    from charrnn.text.corpus import Library

MOST_LISTED = 20
"""Labels that a message lists; of more it names the nearest alone."""


@dataclass(frozen=True)
class Generate(DocumentModel):
    """Predicts the next character of a text that has one of `labels`, or that it ends."""

    labels: tuple[str, ...]
    """All labels, in their order, those of texts that are validated and tested on too."""
    counts: tuple[int, ...]
    """How many texts of the training part have each."""

    data_keys: ClassVar[frozenset[str]] = frozenset({"columns", "validation", "test", *VOCABULARY_KEYS})

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Documents:
        """Reads texts with their labels: a table, JSON lines, or a folder with a file for each label."""
        return Documents.of_pairs(read_pairs(library, sources, data, ("label", "text"), folder=True))

    @classmethod
    def of(cls, examples: Documents, data: DataConfig, batching: Batching) -> Self:
        """Returns the task with the characters and labels of all texts. Raises DataError where the labels are one."""
        refuse_columns_of_objects(examples.name, data)
        parts = (examples, examples.validation, examples.test)
        labels = sorted({label for part in parts if part for label in _labels(part)})
        if len(labels) < 2:
            raise DataError(f"{examples.name}: all texts have the label {labels[0]!r}; give texts of another one, too")
        train = cls.parts(examples, data, batching.seed)["train"]
        assert train is not None
        counts = collections.Counter(_labels(train))
        vocabulary = cls.vocabulary_of(examples, data, batching)
        return cls(vocabulary, tuple(labels), tuple(counts[label] for label in labels))

    def remarks(self, examples: Documents) -> list[str]:
        """Returns a line for each sign that labels and texts are not what they should be."""
        return list(remarks(_labels(examples), examples.texts, labelled=True))

    def labels_of(self, documents: Documents) -> Ids:
        """Returns the number of each text's label: (N,). Raises DataError for one that was not in training."""
        numbers = {label: k for k, label in enumerate(self.labels)}
        for label in _labels(documents):
            if label not in numbers:
                raise DataError(f"{documents.name}: the model never saw the label {label!r}; {self._nearest(label)}")
        return np.array([numbers[label] for label in _labels(documents)])

    def told(self, label: str | None, samples: int, rng: np.random.Generator) -> Ids:
        """Returns the number of a label for each text: (samples,); where none is given, drawn as often as it was seen.

        Raises ConfigError for a label that the model does not know.
        """
        if label is None:
            p = np.array(self.counts, float)
            return rng.choice(len(p), size=samples, p=p / p.sum())
        if label not in self._learnt:
            held_back = " that was learnt from" if label in self.labels else ""
            raise ConfigError(f"--label {label!r}: no text{held_back} had it; {self._nearest(label)}")
        return np.full(samples, self.labels.index(label))

    @property
    def _learnt(self) -> list[str]:
        """The labels that a text of the training part had; others are known from the parts that are held back."""
        return [label for label, count in zip(self.labels, self.counts, strict=True) if count]

    def _nearest(self, label: str) -> str:
        learnt = self._learnt
        spelled = {known.casefold(): known for known in learnt}
        near = difflib.get_close_matches(label.casefold(), spelled, n=1, cutoff=0.0)
        all_of_them = f": {', '.join(learnt)}" if len(learnt) <= MOST_LISTED else ""
        return f"the nearest is {spelled[near[0]]!r}, of {len(learnt)}{all_of_them}"

    def invite(self, run: object) -> str:
        """Says that it can write, and that it may be told the label that it has seen most."""
        often = self.labels[self.counts.index(max(self.counts))]
        return f"let it write: {advice.command('sample', run, '--label', often)}"

    def facts(self) -> dict[str, Any]:
        """Returns the labels, and the characters with their encoding."""
        return {"labels": list(self.labels), **super().facts()}

    def model(self, config: ModelConfig) -> CharLM:
        """Returns the network. Raises ConfigError for one that would see the character that it is to predict."""
        refuse_both_ways(config)
        return build_model(config, len(self.vocabulary) + 1, labels=len(self.labels))

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[CharLM, Callable[[np.random.Generator], Batch]]:
        """Returns a network over a few characters and labels, and what draws windows with padding for it."""
        refuse_both_ways(config)
        model = build_model(config, VOCAB_SIZE, labels=3)
        return model, lambda rng: random_window(model, rng)

    def symbols(self, model: CharLM) -> dict[str, Symbols]:
        """Returns the axes of the characters, their boundary, and the labels, which have the last rows of W."""
        found = super().symbols(model)
        labels: list[object] = [("label", label) for label in self.labels]
        name = f"{model.stack.prefixes[0]}W"
        if name in found:
            return found | {name: found[name]._replace(names=[*found[name].names, *labels])}
        return found | {name: Symbols(0, model.stack.shapes()[name][0] - len(labels), labels)}

    def to_meta(self) -> dict[str, Any]:
        """Returns the vocabulary and the labels, with how often each was seen, as JSON."""
        return {**super().to_meta(), "labels": list(self.labels), "counts": list(self.counts)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task that `to_meta` told. Raises ValueError where that can be none."""
        labels, counts = labels_from(meta["labels"]), meta["counts"]
        if not isinstance(counts, list) or len(counts) != len(labels) or not any(counts):
            raise ValueError("it does not say how often each label was seen")
        if not all(type(count) is int and 0 <= count < 1 << 53 for count in counts):
            raise ValueError("how often a label was seen is not a whole number")
        vocabulary = DocumentModel.from_meta(meta, data).vocabulary
        return cls(vocabulary, labels, tuple(counts))


def _labels(documents: Documents) -> Sequence[str]:
    """Returns the label of each document."""
    assert documents.labels is not None, "it was read with them"
    return documents.labels
