"""A penalty on what was written of late, as of Keskar et al. 2019 (CTRL, arXiv 1909.05858)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.sampling.filters import log_softmax


class Repetition:
    """Multiplies the log-probability of each symbol that is among the last of its row.

    CTRL divides such logits by the penalty, which raises those below 0; and adding a number to all logits, which says
    the same, would change what comes out. Log-probabilities are never above 0, and are what they are: so p becomes
    p ** penalty, and the whole is made a distribution again by what draws from it.
    """

    def __init__(self, penalty: float, window: int, vocab_size: int, before: Sequence[Ids]) -> None:
        """`window` symbols of each row count; `before` is what each has before anything is drawn, its prompt."""
        self.penalty = penalty
        self.counts = np.zeros((len(before), vocab_size), np.int32)
        """How often each symbol stands in the window of each row: (B, V)."""
        self._rows = np.arange(len(before))
        self._last = np.full((len(before), window), -1)
        self._place = 0
        for row, ids in enumerate(before):
            some = ids[-window:].astype(np.intp)
            if len(some):
                self._last[row, -len(some) :] = some
                np.add.at(self.counts[row], some, 1)

    def weigh(self, logits: Array) -> None:
        """Makes log-probabilities of logits (B, V), with the penalty."""
        logits[...] = log_softmax(logits)
        logits[self.counts > 0] *= self.penalty

    def drawn(self, ids: Ids) -> None:
        """Is told what each row drew: (B,)."""
        oldest = self._last[:, self._place]
        known = oldest >= 0
        self.counts[self._rows[known], oldest[known]] -= 1
        self.counts[self._rows, ids] += 1
        self._last[:, self._place] = ids
        self._place = (self._place + 1) % self._last.shape[1]
