"""A classifier without a network, to compare with: logistic regression on the n-grams of a text. It takes seconds.

On most short texts it is as good as its cousins in other libraries: what a network reaches beyond it is worth having.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.text.vocabulary import code_points

LONGEST = 5
"""Characters of the longest n-grams."""

EDGE = 0x110000
"""Stands before and after each text, and is no code point: names are known by how they begin and end."""

EPOCHS = 5
BATCH_SIZE = 16
LEARNING_RATE = 1.0
"""Adagrad's, with which it begins to fall to 0: each row of the table divides it by the root of the sum of its squared
gradients."""

FIRST_SQUARES = 1e-4
"""What that sum begins with, so that a first gradient, however small, makes no leap."""

MOST_ROWS = 1 << 18
"""Rows of the table of n-grams: several may share one, which does little harm."""

MOST_NUMBERS = 1 << 24
"""Numbers in that table, so it has fewer rows where there are many labels; and a batch makes no more."""

WORK = 1 << 27
"""What may be computed: characters that are read in training, times the labels. It takes some ten seconds."""

LONGEST_TEXT = 4096
"""Characters of a text that are looked at."""

CHUNK = 1 << 18
"""Characters of which n-grams are made at a time."""


class Features(NamedTuple):
    """Holds the n-grams of some texts: those of text i are from `starts[i]` on, up to `starts[i + 1]`."""

    starts: Ids
    places: Ids
    """The row of the table that each n-gram has."""
    values: Array
    """1 + log(how often it is in the text), divided so that the squares of a text add up to 1."""

    def of(self, texts: Ids) -> Features:
        """Returns the n-grams of some of the texts, in their order."""
        lengths = self.starts[texts + 1] - self.starts[texts]
        starts = np.concatenate([[0], lengths.cumsum()])
        index = np.arange(starts[-1]) + np.repeat(self.starts[texts] - starts[:-1], lengths)
        return Features(starts, self.places[index], self.values[index])


@dataclass(frozen=True)
class NGramModel:
    """Answers a text with the label whose weights agree best with its n-grams: logistic regression.

    p = softmax(values @ weights[places] + bias)
    """

    weights: Array
    """For each row of the table, and each label: (rows, K)."""
    bias: Array
    """For each label: (K,)."""

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Ids, K: int) -> NGramModel:
        """Returns the model of examples: texts, of which there is at least one, and their labels (N,) below K.

        For the same examples it is always the same. Of more than `WORK` allows it learns from some, drawn at random.
        """
        rng = np.random.default_rng(0)
        rows = MOST_ROWS
        while rows * K > MOST_NUMBERS and rows > 2:
            rows //= 2
        kept = _affordable(texts, K, rng)
        features = _features([texts[i] for i in kept], rows)
        weights, bias = np.zeros((rows, K), np.float32), np.zeros(K, np.float32)
        squares = np.full(rows, FIRST_SQUARES, np.float32)
        order = np.concatenate([rng.permutation(len(kept)) for _ in range(EPOCHS)])
        size = _batch_size(features, K)
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            rate = LEARNING_RATE * (1 - first / len(order))
            _update(weights, bias, squares, features.of(batch), labels[kept[batch]], rate)
        return cls(weights, bias)

    def predict(self, texts: Sequence[str]) -> Ids:
        """Returns a label for each text: (N,)."""
        rows, K = self.weights.shape
        answers = [np.zeros(0, np.int64)]
        for first, stop in _chunks(texts):
            features = _features(texts[first:stop], rows)
            size = _batch_size(features, K)
            for start in range(0, stop - first, size):
                batch = features.of(np.arange(start, min(start + size, stop - first)))
                answers.append(_logits(self.weights, self.bias, batch).argmax(axis=1))
        return np.concatenate(answers)


def _logits(weights: Array, bias: Array, batch: Features) -> Array:
    logits: Array = np.add.reduceat(weights[batch.places] * batch.values[:, None], batch.starts[:-1])
    return logits + bias


def _update(weights: Array, bias: Array, squares: Array, batch: Features, labels: Ids, rate: float) -> None:
    """Takes a step against the gradient of `-log p` of each text: dlogits = p - one_hot(label).

    The batch is a matrix of its n-grams, once each, and its texts, so that its K labels are multiplied and not looped.
    """
    places, numbers = np.unique(batch.places, return_inverse=True)
    values = np.zeros((len(places), len(labels)), np.float32)
    values[numbers, np.repeat(np.arange(len(labels)), np.diff(batch.starts))] = batch.values
    rows = weights[places]
    dlogits = values.T @ rows + bias
    dlogits = np.exp(dlogits - dlogits.max(axis=1, keepdims=True))
    dlogits /= dlogits.sum(axis=1, keepdims=True)
    dlogits[np.arange(len(labels)), labels] -= 1
    squares[places] += (values * values) @ (dlogits * dlogits).sum(axis=1)  # of what each text has to say alone
    weights[places] = rows - (values @ dlogits) * (rate / np.sqrt(squares[places]))[:, None]
    bias -= 0.01 * rate * dlogits.sum(axis=0)


def _affordable(texts: Sequence[str], K: int, rng: np.random.Generator) -> Ids:
    """Returns the numbers of the texts to learn from, of which the first is always one."""
    order = rng.permutation(len(texts))
    characters = np.minimum([len(texts[i]) for i in order], LONGEST_TEXT).cumsum()
    most = max(WORK // (K + 10), WORK >> 8) // EPOCHS
    return order[: max(1, int(np.searchsorted(characters, most, side="right")))]


def _batch_size(features: Features, K: int) -> int:
    """Returns how many texts are read at a time: fewer where they are long and the labels many."""
    longest = int(np.diff(features.starts).max())
    return min(max(MOST_NUMBERS // (longest * K), 1), BATCH_SIZE)


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields the first of texts that have about `CHUNK` characters together, and the one after their last."""
    first = characters = 0
    for i, text in enumerate(texts):
        characters += min(len(text), LONGEST_TEXT) + 2
        if characters >= CHUNK or i == len(texts) - 1:
            yield first, i + 1
            first, characters = i + 1, 0


def _features(texts: Sequence[str], rows: int) -> Features:
    """Returns the n-grams of texts, each once, in a table of a power of two `rows`."""
    counts, places, values = [np.zeros(1, np.int64)], [], []
    for first, stop in _chunks(texts):
        keys = np.concatenate([text * rows + row for text, row in _ngrams(texts[first:stop], rows)])
        different, times = np.unique(keys, return_counts=True)
        text = different // rows
        value = 1 + np.log(times)
        value /= np.sqrt(np.bincount(text, value * value))[text]
        counts.append(np.bincount(text))  # of every text: the edges of an empty one are n-grams, too
        places.append((different % rows).astype(np.int32))
        values.append(value.astype(np.float32))
    return Features(np.concatenate(counts).cumsum(), np.concatenate(places), np.concatenate(values))


def _ngrams(texts: Sequence[str], rows: int) -> Iterator[tuple[Ids, Ids]]:
    """Yields the n-grams of texts, first all of one character: of which text each is, and its row in the table."""
    edged = [np.pad(code_points(t[:LONGEST_TEXT]).astype(np.uint64), 1, constant_values=EDGE) for t in texts]
    points = np.concatenate(edged)
    text = np.repeat(np.arange(len(texts)), [len(e) for e in edged])
    hashes = np.zeros(len(points), np.uint64)
    for n in range(1, min(LONGEST, len(points)) + 1):
        # The n-gram that begins at each place, made of the shorter one there; none reaches into another text.
        count = len(points) - n + 1
        whole = text[:count] == text[n - 1 :]
        hashes = _mix(hashes[:count] + points[n - 1 :])
        yield text[:count][whole], (hashes[whole] % np.uint64(rows)).astype(np.int64)


def _mix(numbers: Ids) -> Ids:
    """Returns for each number one of 64 bits that depends on all of its bits. Source: Steele et al. 2014."""
    numbers = (numbers + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)  # which wrap around
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    mixed: Ids = numbers ^ numbers >> np.uint64(31)
    return mixed
