"""A penalty on what was written of late, as of Keskar et al. 2019 (CTRL, arXiv 1909.05858)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from charrnn.arrays import Array, Ids


class Repetition:
    """Divides the probability of each symbol that is among the last of its row, before it is divided by all of them.

    CTRL divides the logit. But logits may be below 0, which that would raise; the same number added to all, which says
    the same, would change what comes out; and where all that is likely was there of late, as is usual with characters,
    it is a higher temperature. A probability is free of that: where all were there of late, nothing changes.
    """

    def __init__(self, penalty: float, window: int, vocab_size: int, before: Sequence[Ids]) -> None:
        """`window` symbols of each row count; `before` is what each has before anything is drawn, its prompt."""
        self.logarithm = math.log(penalty)
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
        """Takes the logarithm of the penalty from those of the logits (B, V) that it is for."""
        logits[self.counts > 0] -= self.logarithm

    def drawn(self, ids: Ids) -> None:
        """Is told what each row drew: (B,)."""
        oldest = self._last[:, self._place]
        known = oldest >= 0
        self.counts[self._rows[known], oldest[known]] -= 1
        self.counts[self._rows, ids] += 1
        self._last[:, self._place] = ids
        self._place = (self._place + 1) % self._last.shape[1]
