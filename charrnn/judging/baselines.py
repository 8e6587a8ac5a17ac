"""Baselines: what is reached without a network, which tells what the network is worth. All take seconds.

Each has `fit`, which learns from examples, and `predict`, which answers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.text.vocabulary import code_points

LONGEST = 5
"""Characters of the longest n-grams."""

ALPHA = 0.03
"""What is added to each count of an n-gram, so that one that a label has never shown is improbable, not impossible."""

MOST_ROWS = 1 << 18
"""Rows of the table of n-grams: several may share one, which does little harm."""

MOST_NUMBERS = 1 << 24
"""Numbers in that table: with many labels it has fewer rows."""

CHUNK = 1 << 20
"""Characters of which n-grams are made at a time."""

EDGE = 0x110000
"""Stands before and after each text, and is no code point: names are known by how they begin and end."""


@dataclass(frozen=True)
class MostFrequent:
    """Answers each text with the label that most examples had."""

    label: int

    @classmethod
    def fit(cls, labels: Ids) -> MostFrequent:
        """Returns the baseline for examples of these labels (N,); of equally frequent ones it takes the first."""
        return cls(int(np.bincount(labels).argmax()))

    def predict(self, texts: Sequence[str]) -> Ids:
        """Returns a label for each text: (N,)."""
        return np.full(len(texts), self.label)


@dataclass(frozen=True)
class NGramModel:
    """Answers a text with the label that makes its n-grams likely: multinomial naive Bayes.

        score_k = log(share of k) + sum over n-grams g of the text: log((n_gk + ALPHA) / (n_k + ALPHA G))

    n_gk is how often g, of 1 to `LONGEST` characters, was in texts of label k, n_k how many n-grams these had, and G
    how many different ones there were in all. An n-gram that no example had says nothing.
    """

    log_shares: Array
    """What each label begins with: (K,)."""
    log_probabilities: Array
    """What an n-gram in this row of the table says for each label: (rows, K)."""

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Ids, K: int) -> NGramModel:
        """Returns the model of examples: texts and their labels (N,), whole numbers below K."""
        rows = MOST_ROWS
        while rows * K > MOST_NUMBERS and rows > 2:
            rows //= 2
        counts: Array = np.zeros(rows * K, np.float32)
        for items, places in _ngrams(texts, rows):
            np.add.at(counts, places * K + labels[items].astype(np.int64), 1)
        counts = counts.reshape(rows, K)
        seen = counts.any(axis=1)
        totals = counts.sum(axis=0, dtype=np.float64) + ALPHA * max(1, int(seen.sum()))
        counts += ALPHA
        np.log(counts, out=counts)
        counts -= np.log(totals)
        counts[~seen] = 0
        return cls(np.log(np.bincount(labels, minlength=K) + ALPHA), counts)

    def predict(self, texts: Sequence[str]) -> Ids:
        """Returns a label for each text: (N,)."""
        rows, K = self.log_probabilities.shape
        scores = np.tile(self.log_shares, (len(texts), 1))
        for items, places in _ngrams(texts, rows):
            for k in range(K):
                scores[:, k] += np.bincount(items, self.log_probabilities[places, k], len(texts))
        answers: Ids = scores.argmax(axis=1)
        return answers


def _ngrams(texts: Sequence[str], rows: int) -> Iterator[tuple[Ids, Ids]]:
    """Yields n-grams, many at a time: of which text each is, and its row in a table of a power of two `rows`."""
    lengths = np.array([len(text) + 2 for text in texts])
    chunk = (lengths.cumsum() - 1) // CHUNK
    for first, stop in zip(*_runs(chunk), strict=True):
        edged = [np.pad(code_points(text).astype(np.uint64), 1, constant_values=EDGE) for text in texts[first:stop]]
        points = np.concatenate(edged)
        items = np.repeat(np.arange(first, stop), lengths[first:stop])
        hashes = np.zeros(len(points), np.uint64)
        for n in range(1, LONGEST + 1):
            # The n-gram that begins at each place, made of the shorter one there; none reaches into another text.
            count = max(0, len(points) - n + 1)
            whole = items[:count] == items[n - 1 :]
            hashes = _mix(hashes[:count] + points[n - 1 :])
            yield items[:count][whole], (hashes[whole] % np.uint64(rows)).astype(np.int64)


def _runs(values: Ids) -> tuple[list[int], list[int]]:
    """Returns where the runs of equal values begin and stop."""
    changes = (np.flatnonzero(np.diff(values)) + 1).tolist()
    return ([0, *changes], [*changes, len(values)]) if len(values) else ([], [])


def _mix(numbers: Ids) -> Ids:
    """Returns for each number one of 64 bits that depends on all of its bits. Source: Steele et al. 2014."""
    numbers = (numbers + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)  # which wrap around
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    mixed: Ids = numbers ^ numbers >> np.uint64(31)
    return mixed


@dataclass(frozen=True)
class MostFrequentTag:
    """Answers each character with the one that it became most often, wherever it stands."""

    table: dict[str, str]

    @classmethod
    def fit(cls, sources: Sequence[str], targets: Sequence[str]) -> MostFrequentTag:
        """Returns the baseline for pairs of texts, each as long as the other."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for source, target in zip(sources, targets, strict=True):
            for character, answer in zip(source, target, strict=True):
                counts[character][answer] += 1
        return cls({character: found.most_common(1)[0][0] for character, found in counts.items()})

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Returns an answer of the same length for each text; a character that was in no example stays as it is."""
        return ["".join(self.table.get(character, character) for character in text) for text in texts]
