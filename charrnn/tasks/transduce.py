"""N to M: a text is given another of a length of its own, such as the pronunciation of a word."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.judging import scores
from charrnn.judging.gradcheck.subject import VOCAB_SIZE, random_lengths
from charrnn.judging.tallies import Tally
from charrnn.nn import head
from charrnn.nn.build import build_network
from charrnn.nn.decoding import Answers, decode
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.options import ModelConfig
from charrnn.tasks.base import Scores, Symbols
from charrnn.tasks.items import CHARS, ItemTask, known_or_not, vocabulary_of
from charrnn.tasks.parts import Items
from charrnn.tasks.writer import character_names
from charrnn.text.items import encode_items, pad
from charrnn.text.options import DataConfig
from charrnn.text.pairs import Pairs, escape
from charrnn.text.vocabulary import Vocabulary

BOUNDARY = ("boundary", "of an answer")
"""Stands for the beginning and the end of an answer, among the names of symbols."""


class Written(NamedTuple):
    """Is the answer to one text."""

    input: str
    text: str
    log_probability: float
    """How likely the answer is, with its end, in nats."""
    ended: bool
    """Whether the model ended it; if not, it was cut off where answers are longer than any in training."""
    top: list[tuple[str, float]]
    """The likeliest answers found, with their log-probabilities, the first of which is `text`."""
    unknown: int
    """How many characters of the input were never seen in training."""
    looks: Array | None
    """How much each step of the answer, and its end, looked at each character: (T + 1, S); None without attention,
    or where nobody asked."""

    @property
    def answer(self) -> str:
        """What it says: the likeliest text."""
        return self.text

    def line(self) -> str:
        """Returns the answer; where more are asked for, each with its log-probability, with tabs between."""
        if len(self.top) == 1:
            return escape(self.text)
        return "\t".join(f"{escape(text)}\t{log_probability:.4f}" for text, log_probability in self.top)

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        found = {**self._asdict(), "top": [list(pair) for pair in self.top]}
        del found["looks"]
        return found


@dataclass(frozen=True)
class Transduce(ItemTask):
    """Writes the answer to a text, in the characters of `targets`."""

    targets: Vocabulary
    longest_ratio: float
    """How many times longer than its source an answer may be: what the training part had at most."""

    measure: ClassVar[str] = "exact_match"
    abilities: ClassVar[frozenset[str]] = ItemTask.abilities | {"top", "beam", "attention"}
    in_words: ClassVar[dict[str, str]] = {
        "exact_match": "exact match, the share of answers that are right",
        "edit_rate": "edits for each character of the targets",
        "nats_per_char": "nats per character of the targets",
    }

    @classmethod
    def of_training(cls, train: Pairs, data: DataConfig) -> Self:
        """Returns the task with the characters of the training part."""
        ratio = max(len(target) / len(source) for source, target in zip(train.first, train.second, strict=True))
        return cls(vocabulary_of(train.first, data.encoding), vocabulary_of(train.second, data.encoding), ratio)

    @property
    def end(self) -> int:
        """The id that ends an answer where it is written, and begins it where it is read."""
        return len(self.targets)

    def encode_answers(self, pairs: Pairs) -> list[Ids]:
        """Returns the characters of each target, and the end; -1 for one that was not in the training part."""
        return [np.append(ids, self.end) for ids in known_or_not(self.targets, pairs.second)]

    def assemble(self, sources: Sequence[Ids], answers: Sequence[Ids]) -> Batch:
        """Returns a batch of sources, and their answers: as the decoder reads them, and as it should write them."""
        source, source_lengths = pad(sources)
        y, lengths = pad(answers)
        known = np.where(y < 0, 0, y)
        x = np.concatenate([np.full((1, y.shape[1]), self.end), known[:-1]])
        counts = (np.arange(len(y))[:, None] < lengths) & (y >= 0)
        weights = None if counts.all() else counts.astype(np.float32)
        return Batch(x, known, None, weights, lengths, source=source, source_lengths=source_lengths)

    def lengths(self, items: Items) -> Array:
        """Returns how many symbols the source and the answer of each item have: (N, 2)."""
        return items.lengths

    def model(self, config: ModelConfig) -> EncoderDecoder:
        """Returns the network, whose encoder reads in both directions if not told otherwise."""
        return _network(config, len(self.vocabulary) + 1, len(self.targets) + 1)

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[EncoderDecoder, Callable[[np.random.Generator], Batch]]:
        """Returns a network over a few characters, and what draws batches with padding on both sides for it."""
        targets = VOCAB_SIZE - 1

        def draw(rng: np.random.Generator) -> Batch:
            source, source_lengths = random_lengths(rng, VOCAB_SIZE)
            x, lengths = random_lengths(rng, targets, longest=3)
            weights = rng.uniform(0.5, 1.5, x.shape) * (np.arange(len(x))[:, None] < lengths)
            y = rng.integers(targets, size=x.shape)
            return Batch(x, y, None, weights, lengths, source=source, source_lengths=source_lengths)

        return _network(config, VOCAB_SIZE, targets), draw

    def judge(self, model: EncoderDecoder, params: dict[str, Array], part: Items, stop: Callable[[], bool]) -> Scores:
        """Returns the mean nats of the right characters, the share of answers that are right, and the edit rate."""
        return self.scores_of(self.tally(model, params, part, stop), part)

    def tally(
        self, model: EncoderDecoder, params: dict[str, Array], part: Items, stop: Callable[[], bool], beam: int = 1
    ) -> Tally:
        """Returns the nats of the right characters, and how many answers are right or need how many edits."""
        nats: list[float] = []
        for _, batch in self.in_batches(part, stop):
            with overflow_allowed():  # of weights that have exploded, which shows in the loss
                each = head.nats(model.predict(params, batch).astype(np.float64), batch.y)
            nats += each[np.ones_like(each, bool) if batch.weights is None else batch.weights > 0].tolist()
        targets = _by_source(part.pairs)
        answers = [found.text for found in self.predict(model, params, list(targets), beam=beam, stop=stop)]
        right, edits, symbols = scores.edits(answers, list(targets.values()))
        counts = {"sources": len(targets), "right": right, "edits": edits, "symbols": symbols}
        return {"nats": math.fsum(nats), "known": len(nats), **counts}

    def scores_of(self, tally: Tally, part: Items) -> Scores:
        """Returns the scores that `judge` does."""
        counted = (tally[name] for name in ("sources", "right", "edits", "symbols"))
        exact_match, edit_rate = scores.shares_of_edits(*counted)
        return {"nats": scores.mean(tally["nats"], tally["known"]), "exact_match": exact_match, "edit_rate": edit_rate}

    def report(
        self,
        model: EncoderDecoder,
        params: dict[str, Array],
        part: Items,
        stop: Callable[[], bool] = lambda: False,
        beam: int = 1,
    ) -> dict[str, Any]:
        """Returns all scores. Where a source has several targets, any of them is right."""
        tally = self.tally(model, params, part, stop, beam)
        found = self.scores_of(tally, part)
        return {
            "exact_match": found["exact_match"],
            "edit_rate": found["edit_rate"],
            "nats_per_char": found["nats"],
            "items": tally["sources"],
        }

    def extent(self, report: dict[str, Any]) -> str:
        """Says how many texts a report is about; one with several targets counts once."""
        return f"{report['items']:,} different sources"

    def compare(self, train: Pairs, part: Pairs) -> dict[str, Scores]:
        """Returns what is reached by the source itself as the answer."""
        targets = _by_source(part)
        exact_match, edit_rate = scores.exact_match_and_edit_rate(list(targets), list(targets.values()))
        return {"copy_of_the_source": {"exact_match": exact_match, "edit_rate": edit_rate}}

    def predict(
        self,
        model: EncoderDecoder,
        params: dict[str, Array],
        inputs: Sequence[str],
        top: int = 1,
        beam: int = 1,
        stop: Callable[[], bool] = lambda: False,
        looks: bool = False,
    ) -> Iterator[Written]:
        """Yields the `top` best answers to each input that a beam of at least as many finds, in the order of inputs.

        With `looks`, each has what it looked at.
        """
        sources = encode_items(self.vocabulary, inputs, self.unknown)
        nothing = [np.full(1, self.end)] * len(inputs)
        beam = max(beam, top)
        found: list[Written | None] = [None] * len(inputs)
        unknown = self.unknown_counts(inputs)
        items = Items(sources, nothing, Pairs("", 0, "", list(inputs), list(inputs)))
        for rows, batch in self.in_batches(items, stop, CHARS // beam):  # a row of each for each place in its beam
            longest = np.array([math.ceil(self.longest_ratio * max(1, len(sources[i]))) for i in rows])
            answers = decode(model, params, batch, longest, beam, keep_looks=looks)
            for b, i in enumerate(rows):
                found[i] = self._written(inputs[i], unknown[i], answers, b, len(sources[i]), top)
        return (answer for answer in found if answer is not None)

    def _written(self, text: str, unknown: int, answers: Answers, b: int, length: int, top: int) -> Written:
        best = []
        for n in range(top):
            log_probability = float(answers.log_probabilities[b, n])
            if n == 0 or log_probability != -math.inf:  # there may be fewer answers than are asked for, but always one
                symbols = answers.symbols[b, n, : answers.lengths[b, n]]
                best.append((self.targets.decode(symbols), log_probability))
        looks = answers.looks
        if looks is not None:
            looks = looks[b, : answers.lengths[b, 0] + 1, :length]
        return Written(text, *best[0], bool(answers.ended[b, 0]), best, unknown, looks)

    def facts(self) -> dict[str, Any]:
        """Returns the characters of both sides, and their encoding."""
        return {**self.vocabulary.facts(), "answers": self.targets.symbols}

    def symbols(self, model: EncoderDecoder) -> dict[str, Symbols]:
        """Returns the axes of the characters that the encoder reads, and of those that the decoder reads and writes."""
        targets: list[object] = [*(("target", name) for name in character_names(self.targets)), BOUNDARY]
        of_decoder = {name: Symbols(0, row, targets) for name, row in model.decoder.symbol_rows.items()}
        of_head = {"head.W": Symbols(1, 0, targets), "head.b": Symbols(0, 0, targets)}
        return self.source_symbols(model.encoder.symbol_rows) | of_decoder | of_head

    def to_meta(self) -> dict[str, Any]:
        """Returns both vocabularies and the longest ratio, as JSON."""
        return {
            "vocabulary": dataclasses.asdict(self.vocabulary),
            "targets": dataclasses.asdict(self.targets),
            "longest_ratio": self.longest_ratio,
        }

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task that `to_meta` told. Raises ValueError where that can be none."""
        ratio = meta["longest_ratio"]
        if type(ratio) not in (int, float) or not 0 < ratio < 1e6:
            raise ValueError("its longest ratio is no positive number")
        return cls(
            Vocabulary.from_meta(meta["vocabulary"], data.encoding),
            Vocabulary.from_meta(meta["targets"], data.encoding),
            float(ratio),
        )


def _by_source(pairs: Pairs) -> dict[str, list[str]]:
    """Returns the targets of each source, any of which is right."""
    targets: dict[str, list[str]] = {}
    for source, target in zip(pairs.first, pairs.second, strict=True):
        targets.setdefault(source, []).append(target)
    return targets


def _network(config: ModelConfig, source_size: int, target_size: int) -> EncoderDecoder:
    both = config.bidirectional is None or config.bidirectional
    sizes = {"source_size": source_size, "target_size": target_size, "bidirectional": both}
    return build_network(EncoderDecoder, config, **sizes)
