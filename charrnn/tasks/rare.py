"""What a user is told of the rare characters of a text: that they cost much, and how many are spelled in bytes."""

from __future__ import annotations

import numpy as np

from charrnn import advice
from charrnn.arrays import Ids
from charrnn.text.utf8 import BYTES_THERE_ARE
from charrnn.text.vocabulary import BYTES, Vocabulary

LEAST = 5
"""A character that occurs less often is rare: so few examples teach a model little of it."""

MUCH = 1 / 4
"""From which share of all distinct characters on the rare ones are told of."""


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
