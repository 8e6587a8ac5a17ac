"""Which rows of a batch those are that one rank is given, where several share it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Batch, Ids
from charrnn.nn.noise import Noise
from charrnn.tasks.base import Model


class Portion(NamedTuple):
    """Says what a batch of some rows is a part of."""

    start: int
    """Where its first row is in the whole batch."""
    rows: int
    """B, the rows of the whole batch."""
    answers: float
    """How many answers of the whole batch count: what its mean divides by."""

    @classmethod
    def whole(cls, batch: Batch) -> Portion:
        """Returns the portion that is all of a batch."""
        return cls(0, batch.num_rows, batch.answers)

    def noise(self, model: Model, seed: int, batch: Batch, dtype: npt.DTypeLike, rows: slice) -> Noise | None:
        """Returns what is random in some rows of `batch`, which is this portion.

        Whoever has a portion draws the noise of the whole batch, of which it keeps its own: so it is what one process
        draws that has all.
        """
        if batch.num_rows == self.rows:
            return model.noise_of_seed(seed, batch, dtype, rows)
        source = None if batch.source is None else self._widened(batch.source)
        shapes = batch._replace(x=self._widened(batch.x), source=source)
        return model.noise_of_seed(seed, shapes, dtype, slice(self.start + rows.start, self.start + rows.stop))

    def _widened(self, ids: Ids) -> Ids:
        """Returns ids, without a meaning, in the shape that the whole batch has; they take no memory."""
        return np.broadcast_to(np.zeros((), ids.dtype), (*ids.shape[:-1], self.rows))
