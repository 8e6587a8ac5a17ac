"""The words that all wings share for what they hand each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

Array = npt.NDArray[Any]
"""Floating point in use; complex in the complex-step gradient check, which differentiates the forward pass as it is."""

Ids = npt.NDArray[Any]
"""Symbols as integers."""


class Batch(NamedTuple):
    """Holds what one update learns from: B rows, read side by side. The last axis of each array runs along the rows."""

    x: Ids
    """What goes in: symbols (T, B)."""
    y: Ids
    """What should come out, in a language model the symbol after each: (T, B), or one answer for each row: (B,)."""
    starts: Array
    """Which rows begin a text here, and so take the initial state: bools (B,)."""
    weights: Array | None = None
    """How much each answer counts, in the shape of y: 0 where a row is padded. None means 1 throughout, at no cost."""

    @property
    def answers(self) -> float:
        """How many answers count: what a mean over the batch divides by. 1 where none does, so that it is 0."""
        return self.y.size if self.weights is None else float(self.weights.sum()) or 1.0

    @property
    def chars(self) -> int:
        """How many symbols are read: where a row has weights for its steps, those up to its last answer that counts."""
        if self.weights is None or self.weights.ndim == 1:
            return int(self.x.size)
        counts = self.weights > 0
        lengths = len(counts) - counts[::-1].argmax(axis=0)  # (B,), of rows in which any answer counts
        return int(lengths[counts.any(axis=0)].sum())

    def rows(self, rows: slice) -> Batch:
        """Returns some of the rows, as a batch of their own."""
        weights = None if self.weights is None else self.weights[..., rows]
        return Batch(self.x[..., rows], self.y[..., rows], self.starts[rows], weights)
