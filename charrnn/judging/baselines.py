"""Baselines: what is reached without learning anything but how often things are, which tells what a network is worth.

Each has `fit`, which counts in examples, and `predict`, which answers. A stronger one is in `ngrams.py`. For pairs of a
text and its answer, the source itself as the answer is one that needs no code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Ids


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
