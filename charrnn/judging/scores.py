"""Scores: how many answers are right, and how far the others are from it.

Labels, characters and words are judged alike by integers that stand for them; K is how many there are. What is padding
must be gone before: a score knows nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from charrnn.arrays import Ids


def accuracy(truth: Ids, answers: Ids) -> float:
    """Returns the share of `answers` that equal the `truth`, of the same shape; not a number where there are none."""
    return float(np.mean(truth == answers)) if truth.size else math.nan


def mean(total: float, count: int) -> float:
    """Returns the mean of values that add up to `total`; not a number where there are none."""
    return total / count if count else math.nan


def confusion(truth: Ids, answers: Ids, K: int) -> Ids:
    """Returns how often the label k was answered with j, at [k, j] of (K, K) whole numbers."""
    pairs = truth.astype(np.int64) * K + answers  # as one number each; the small types of labels would overflow
    return np.bincount(pairs.ravel(), minlength=K * K).reshape(K, K)


def macro_f1(confusion: Ids) -> float:
    """Returns the mean, over the labels, of F1, the harmonic mean of precision and recall: rare labels count as much.

        F1_k = 2 n_kk / (how often k was true + how often k was answered)

    A label that is neither in the truth nor in the answers is left out: nothing can be said of it.
    """
    seen = confusion.sum(axis=0) + confusion.sum(axis=1)
    known = seen > 0
    return float(np.mean(2 * confusion.diagonal()[known] / seen[known])) if known.any() else math.nan


def mcc(confusion: Ids) -> float:
    """Returns Matthews' correlation of truth and answers: 1 where all are right, about 0 where they are unrelated.

        (n c - t . a) / sqrt((n^2 - t . t) (n^2 - a . a))

    n items, of which c are right; t_k and a_k are how often k was true and was answered. Where one of them is a single
    label for all items, nothing varies and the correlation is 0. Source: Gorodkin 2004, which for two labels is
    Matthews 1975.
    """
    counts = confusion.astype(np.float64)  # whose squares do not overflow
    t, a, n = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    scale = math.sqrt((n * n - t @ t) * (n * n - a @ a))
    return float((n * np.trace(counts) - t @ a) / scale) if scale else 0.0


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Returns how many symbols must be put in, taken out or exchanged to make `b` of `a` (Levenshtein 1966).

    A table would hold the distance of each beginning of `a` to each of `b`. Neighbours in it differ by 1 at most, so a
    column is kept as two whole numbers of as many bits as `a` has symbols: `more` has the bit i where the distance
    grows from i to i + 1 symbols of `a`, `less` where it falls. A step of the loop computes the next column, all its
    bits at once. Source: Myers 1999, as Hyyrö 2003 writes it.
    """
    if not a:
        return len(b)
    places: dict[Hashable, int] = {}
    for i, symbol in enumerate(a):
        places[symbol] = places.get(symbol, 0) | 1 << i
    every, last = (1 << len(a)) - 1, 1 << len(a) - 1
    more, less, distance = every, 0, len(a)
    for symbol in b:
        equal = places.get(symbol, 0)
        diagonal = ((equal & more) + more ^ more) | equal | less  # where the distance stays as it was up and left
        right_more = less | every & ~(diagonal | more)
        right_less = more & diagonal
        distance += bool(right_more & last) - bool(right_less & last)
        right_more = right_more << 1 | 1  # the first row grows with each symbol of `b`
        right_less <<= 1
        more = every & (right_less | ~(equal | less | right_more))
        less = right_more & (equal | less)
    return distance


def exact_match_and_edit_rate(answers: Sequence[str], targets: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Returns the share of answers that are right, and the edits that the answers need, for each symbol of a target.

    See `edits`. Both are not a number where there are no items; where all targets are empty, the edits are spread over
    one symbol.
    """
    return shares_of_edits(len(answers), *edits(answers, targets))


def shares_of_edits(items: int, right: int, needed: int, symbols: int) -> tuple[float, float]:
    """Returns what `exact_match_and_edit_rate` does, from what `edits` has counted."""
    return (right / items, needed / max(1, symbols)) if items else (math.nan, math.nan)


def edits(answers: Sequence[str], targets: Sequence[Sequence[str]]) -> tuple[int, int, int]:
    """Returns how many answers are right, how many edits the others need, and over how many symbols they are spread.

    `targets[i]` are the right answers to item i, of which any counts. The edits are those to the nearest, and of
    equally near ones to the longest; its length is what they are spread over. Long items so count for more.
    """
    right = needed = symbols = 0
    for answer, known in zip(answers, targets, strict=True):
        right += answer in known
        distance, minus_length = min((edit_distance(answer, target), -len(target)) for target in known)
        needed += distance
        symbols -= minus_length
    return right, needed, symbols
