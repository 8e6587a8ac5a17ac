"""Rare characters: what a user is told of them, and how the bytes that spell them begin."""

from __future__ import annotations

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Ids
from charrnn.tasks.base import Batches
from charrnn.text.utf8 import BYTES_THERE_ARE
from charrnn.text.vocabulary import BYTES, Vocabulary

LEAST = 5
"""A character that occurs less often is rare: so few examples teach a model little of it."""

MUCH = 1 / 4
"""From which share of all distinct characters on the rare ones are told of."""


LOOKED_AT = 64
"""Batches in which bytes are counted before training begins."""


def lower_biases(b: Array, vocabulary: Vocabulary, batches: Batches) -> None:
    """Lowers the output biases `b` of the bytes to the logarithm of how often each occurs, beside a mean character.

    Most bytes occur never, or hardly ever. If each began as likely as a character, it would be unlearnt by way of the
    state and the weights that all symbols share: on a text in which nothing is spelled, a run ended 0.15 nats worse.
    """
    bytes_of = slice(len(vocabulary.symbols), len(vocabulary))
    step = max(1, len(batches) // LOOKED_AT)
    read = np.concatenate([batches.batch(n).y.ravel() for n in range(0, len(batches), step)])
    counts = np.bincount(read, minlength=len(b))
    mean = len(read) / (len(vocabulary.symbols) or BYTES_THERE_ARE)
    b[bytes_of] += np.minimum(0, np.log((counts[bytes_of] + 1) / mean))


def may_matter(vocabulary: Vocabulary, symbols: int) -> bool:
    """Tells whether there may be something to say of so many distinct characters, for which they must be counted."""
    return vocabulary.fallback or (vocabulary.encoding != BYTES and symbols > BYTES_THERE_ARE)


def remark(vocabulary: Vocabulary, symbols: str, counts: Ids) -> list[str]:
    """Returns a line, or none, about the characters of a text, which are `symbols` and occur `counts (S,)` times."""
    if vocabulary.fallback:
        own = set(vocabulary.symbols)
        spelled = np.array([symbol not in own for symbol in symbols], bool)
        return [f"{_some(spelled, counts)}, are spelled in bytes"] if spelled.any() else []
    rare = counts < LEAST
    # Spelled, they would cost the rows of the bytes instead of their own.
    if rare.sum() < max(BYTES_THERE_ARE, MUCH * len(symbols)):
        return []
    return [
        f"{_some(rare, counts)}, occur less than {LEAST} times, {int((counts == 1).sum()):,} of them once, and each "
        f"has weights of its own at both ends of the network; to spell those "
        f"that are so rare in the training part in bytes: {advice.setting('data.min_count', LEAST)}"
    ]


def _some(chosen: Ids, counts: Ids) -> str:
    """Says how many characters are chosen, and which share of the text they are."""
    share = 100 * float(counts[chosen].sum()) / float(counts.sum())
    return f"{int(chosen.sum()):,} of {len(chosen):,} distinct characters, {share:.2g} % of the text"
