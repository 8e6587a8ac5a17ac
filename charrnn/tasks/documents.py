"""The language model of independent documents: each begins anew, and the model says where it ends, as with names.

It knows one symbol more than the characters, the boundary: read, it begins a document, and predicted, it ends one.
Where nats are counted, an end is a character like any other.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.errors import DataError
from charrnn.judging import text_baselines
from charrnn.judging.documents import ROWS, Judged, nats_of_documents
from charrnn.judging.documents import WINDOW as WINDOW
from charrnn.judging.evaluation import Score
from charrnn.judging.gradcheck.subject import VOCAB_SIZE, random_lengths
from charrnn.judging.surprise import Passage
from charrnn.judging.tallies import Tally
from charrnn.nn.build import build_model
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.options import ModelConfig
from charrnn.nn.stack import State
from charrnn.tasks import rare
from charrnn.tasks.base import Batching, Scores, Split, Symbols
from charrnn.tasks.items import vocabulary_of
from charrnn.tasks.parts import cut_in_parts, part_named, taken_documents
from charrnn.tasks.writer import VOCABULARY_KEYS, Writer, character_names, refuse_both_ways, with_fallback
from charrnn.text.documents import DocumentBatches, Documents, read_documents
from charrnn.text.encoding import encoded_size
from charrnn.text.items import encode_items
from charrnn.text.options import DataConfig
from charrnn.text.vocabulary import UnknownCharacters, Vocabulary

if TYPE_CHECKING:
    from charrnn.text.corpus import Library

BOUNDARY = ("boundary", "of a document")
"""Stands for the beginning and the end of a document, among the names of symbols."""


@dataclass(frozen=True)
class DocumentModel(Writer):
    """Predicts the next character of a document, or that it ends, in the symbols of `vocabulary`.

    These are the characters of all documents, those that are validated and tested on too, as in the language model of
    one text: a document has no place for a character that is not known. With a byte fallback, there is none such.
    """

    vocabulary: Vocabulary

    abilities: ClassVar[frozenset[str]] = Writer.abilities | {"chance"}
    data_keys: ClassVar[frozenset[str]] = frozenset({"documents", "validation", "test", *VOCABULARY_KEYS})
    measure: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Documents:
        """Reads the documents of `sources`, as `data.documents` cuts them. Raises DataError."""
        return read_documents(library, sources, data)

    @classmethod
    def of(cls, examples: Documents, data: DataConfig, batching: Batching) -> Self:
        """Returns the task with the characters of all documents. Raises DataError where they are too many."""
        return cls(cls.vocabulary_of(examples, data, batching))

    @classmethod
    def vocabulary_of(cls, examples: Documents, data: DataConfig, batching: Batching) -> Vocabulary:
        """Returns the characters of all documents; with a byte fallback, as they occur in the training part."""
        if not data.has_fallback:
            return vocabulary_of(all_texts(examples), data.encoding)
        train = cls.parts(examples, data, batching.seed)["train"]
        return with_fallback(*_counted(train.texts if train else []), data)

    def remarks(self, examples: Documents) -> list[str]:
        """Returns a line if there are many rare characters, or some that are spelled in bytes."""
        if not rare.may_matter(self.vocabulary, len(self.vocabulary)):
            return []
        return rare.remark(self.vocabulary, *_counted(all_texts(examples)))

    @property
    def end(self) -> int:
        """The id of the boundary, which begins a document and ends it."""
        return len(self.vocabulary)

    @classmethod
    def parts(cls, documents: Documents, data: DataConfig, seed: int) -> dict[str, Documents | None]:
        """Returns the parts `train`, `validation` and `test`; equal texts are never in two. None for an empty one.

        Raises DataError where nothing is left for a part that has a share.
        """
        return cut_in_parts(documents, documents.texts, data, seed, taken_documents)

    def labels_of(self, documents: Documents) -> Ids | None:
        """Returns what each document is told, as numbers: (N,). Raises DataError for what the model does not know."""
        return None

    def batches(self, documents: Documents, batch_size: int, seq_length: int, seed: int) -> DocumentBatches:
        """Returns the documents in batches. Raises DataError for what the model does not know."""
        try:
            ids = encode_items(self.vocabulary, documents.texts)
        except UnknownCharacters as error:
            raise UnknownCharacters(error.characters, documents.name, self.vocabulary.encoding) from error
        return DocumentBatches.of(ids, self.end, batch_size, seq_length, seed, self.labels_of(documents))

    def all_ids(self, examples: Documents) -> Ids:
        """Returns the ids of all documents, one after another, with the boundary before and behind each."""
        ids = encode_items(self.vocabulary, all_texts(examples))
        return DocumentBatches.of(ids, self.end, 1, 1, 0).symbols

    def judged(self, documents: Documents, data: DataConfig, skip: bool = False) -> Judged:
        """Returns documents as what a model is judged on; with `skip`, without what it does not know of them.

        Raises DataError for what the model does not know, or where nothing is left.
        """
        strange = self.vocabulary.unknown("".join(documents.texts)) if skip else ""
        as_read, read = (documents, documents) if not strange else _without(documents, strange)
        batches = self.batches(read, ROWS, WINDOW, 0)
        size = encoded_size([text + _between(data) for text in read.texts], documents.encoding or data.encoding)
        count = sum(map(len, documents.texts)) - sum(map(len, read.texts))
        sizes = self._sizes(read.texts) if self.vocabulary.fallback else None
        return Judged(batches, size, as_read, strange, count, sizes)

    def _sizes(self, texts: Sequence[str]) -> Ids:
        """Returns how many symbols each character of these documents has, with their ends, which have one."""
        _, sizes = self.vocabulary.spellings("".join(texts))
        return np.insert(sizes, np.cumsum([len(text) for text in texts]), 1)

    def split(self, examples: Documents, data: DataConfig, batching: Batching) -> Split:
        """Cuts the documents in three; an evaluation reads about `most` characters of the validation part at most."""
        parts = self.parts(examples, data, batching.seed)
        train, validation, test = parts.values()
        assert train is not None
        batches = self.batches(train, batching.batch_size, batching.seq_length, batching.seed)
        some = validation and _at_most(validation, batching.most)
        return Split(batches, some and self.judged(some, data), test and self.judged(test, data))

    def part(
        self, examples: Documents, data: DataConfig, batching: Batching, name: str | None = None, skip: bool = False
    ) -> Judged:
        """Returns what is judged of the documents: all of them, or the part of that name. Raises DataError for none.

        With `skip`, characters that the vocabulary lacks are left out.
        """
        return self.judged(part_named(name, examples, lambda: self.parts(examples, data, batching.seed)), data, skip)

    def describe(self, split: Split) -> str:
        """Says it as in `28,829 documents to learn from, 1,602 to validate on; 26 distinct characters`."""
        train: Any = split.train
        validation: Any = split.validation
        validated = len(validation.batches.lengths) if validation else 0
        return (
            f"{len(train.lengths):,} documents to learn from, {validated:,} to validate on; "
            f"{self.vocabulary.in_words()}"
        )

    def model(self, config: ModelConfig) -> CharLM:
        """Returns the network. Raises ConfigError for one that would see the character that it is to predict."""
        refuse_both_ways(config)
        return build_model(config, len(self.vocabulary) + 1)

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[CharLM, Callable[[np.random.Generator], Batch]]:
        """Returns a network over a few characters, and what draws windows of documents with padding for it."""
        refuse_both_ways(config)
        model = build_model(config, VOCAB_SIZE)
        return model, lambda rng: random_window(model, rng)

    def judge(self, model: CharLM, params: dict[str, Array], part: Judged, stop: Callable[[], bool]) -> Scores:
        """Returns the mean nats per character, of which the end of a document is one."""
        return self.scores_of(self.tally(model, params, part, stop), part)

    def pieces(self, part: Judged, count: int) -> list[Judged | None]:
        """Cuts a part in pieces that are judged apart; None where there are too few documents."""
        return part.pieces(count)

    def tally(self, model: CharLM, params: dict[str, Array], part: Judged, stop: Callable[[], bool]) -> Tally:
        """Returns the nats of all characters and ends."""
        nats = (value for some in nats_of_documents(model, params, part, stop) for value in some.tolist())
        return {"nats": math.fsum(nats)}

    def scores_of(self, tally: Tally, part: Judged) -> Scores:
        """Returns the scores that `judge` does."""
        return {"nats": tally["nats"] / len(part)}

    def report(
        self, model: CharLM, params: dict[str, Array], part: Judged, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Returns the mean nats per character in all units, and over how many characters and bytes."""
        score = Score(self.judge(model, params, part, stop)["nats"], len(part), part.bytes)
        return score.facts()

    def passages(self, model: CharLM, params: dict[str, Array], part: Judged) -> Iterator[Passage]:
        """Yields each document with what the model thinks of its characters and its end, in their order."""
        return part.passages(model, params)

    def spell(self, symbol: int) -> str | None:
        """Returns the character that a symbol is, None for the end of a document."""
        return None if symbol == self.end else super().spell(symbol)

    def baselines(self, examples: Documents, data: DataConfig, batching: Batching, name: str) -> dict[str, Scores]:
        """Returns what n-grams and compressors reach on a part that they have not seen; none for the training part."""
        parts = self.parts(examples, data, batching.seed)
        train, part = parts["train"], parts[name]
        if train is None or part is None or name == "train":
            return {}
        part = _at_most(part, batching.most if name == "validation" else None)
        encode = self.vocabulary.encode
        return text_baselines.of_documents(train.texts, part.texts, _between(data), encode, self.vocabulary)

    def explain(
        self, model: CharLM, params: dict[str, Array], split: Split, iteration: int, state: State
    ) -> list[dict[str, Any]]:
        """Returns what each row reads of its document, at which offset in it, and its mean nats."""
        batches: Any = split.train
        (_, offsets), batch = batches.rows(iteration), batches.batch(iteration)
        found = []
        for b in np.flatnonzero(np.ones(batch.num_rows) if batch.lengths is None else batch.lengths):
            row = batch.rows(slice(b, b + 1))
            before = state if row.starts is None else [{k: a[b : b + 1] for k, a in entry.items()} for entry in state]
            with overflow_allowed():
                nats, _ = model.loss(params, row, before)
            characters = row.x[: None if row.lengths is None else row.lengths[0], 0]
            text = self.vocabulary.decode(characters[characters < self.end])
            found.append({"row": int(b), "offset": int(offsets[b]), "nats": float(nats), "text": text})
        return found

    def symbols(self, model: CharLM) -> dict[str, Symbols]:
        """Returns the axes of the characters and their boundary: what meets the input, and the head's columns."""
        names = [*character_names(self.vocabulary), BOUNDARY]
        of_input = {name: Symbols(0, row, names) for name, row in model.stack.symbol_rows.items()}
        return of_input | {"head.W": Symbols(1, 0, names), "head.b": Symbols(0, 0, names)}

    def to_meta(self) -> dict[str, Any]:
        """Returns the vocabulary, as JSON."""
        return {"vocabulary": dataclasses.asdict(self.vocabulary)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task that `to_meta` told. Raises ValueError where that can be none."""
        return cls(Vocabulary.from_meta(meta["vocabulary"], data.encoding))


def _between(data: DataConfig) -> str:
    """Returns what stands between documents in a file."""
    return {"lines": "\n", "files": ""}.get(data.documents or "lines", data.documents or "")


def all_texts(documents: Documents) -> list[str]:
    """Returns the texts of all parts."""
    return [text for part in (documents, documents.validation, documents.test) if part for text in part.texts]


def _counted(texts: Sequence[str]) -> tuple[str, Ids]:
    """Returns the distinct characters of these texts, and how often each occurs: (S,)."""
    counts = collections.Counter("".join(texts))
    return "".join(counts), np.array([*counts.values()], np.int64)


def random_window(model: CharLM, rng: np.random.Generator) -> Batch:
    """Returns a batch of rows of unlike length, some of which go on and others begin, for `gradcheck`."""
    x, lengths = random_lengths(rng, model.vocab_size)
    T, B = x.shape
    weights = rng.uniform(0.5, 1.5, x.shape) * (np.arange(T)[:, None] < lengths)
    starts = (np.arange(B) % 2 == 1) & (model.initial_state != "zero")
    labels: Ids | None = rng.integers(model.labels, size=(B,)) if model.labels else None
    return Batch(x, rng.integers(model.num_outputs, size=x.shape), starts, weights, lengths, labels)


def _without(documents: Documents, strange: str) -> tuple[Documents, Documents]:
    """Returns the documents that have other characters than these, as they are and without these.

    Raises DataError where there are none.
    """
    table = dict.fromkeys(map(ord, strange))
    texts = [text.translate(table) for text in documents.texts]
    left = taken_documents(documents, np.flatnonzero([bool(text) for text in texts]))
    if not left:
        raise DataError(f"{documents.name} has no character that the model knows; give another text")
    return left, dataclasses.replace(left, texts=list(filter(None, texts)))


def _at_most(documents: Documents, most: int | None) -> Documents:
    """Returns the first documents, of about `most` characters and ends; all for None."""
    if most is None:
        return documents
    ends = np.cumsum([len(text) + 1 for text in documents.texts])
    return taken_documents(documents, np.arange(max(1, int(np.searchsorted(ends, most, side="right")))))
