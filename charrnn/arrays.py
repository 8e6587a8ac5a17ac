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
    starts: Array | None
    """Which rows begin a text here, and so take the initial state: bools (B,). None where every row is an item of its
    own, so that none goes on from the batch before, or in the next."""
    weights: Array | None = None
    """How much each answer counts, in the shape of y: 0 where a row is padded. None means 1 throughout, at no cost."""
    lengths: Array | None = None
    """How many steps of x each row has, (B,); what is behind them is padding. None means all T."""
    labels: Ids | None = None
    """What each row is told at every step beside x: (B,)."""
    source: Ids | None = None
    """What an encoder reads first, of a length of its own: symbols (S, B)."""
    source_lengths: Array | None = None
    """How many symbols each source has, (B,); what is behind them is padding. None means all S."""

    @property
    def answers(self) -> float:
        """How many answers count: what a mean over the batch divides by. 1 where none does, so that it is 0."""
        return self.y.size if self.weights is None else float(self.weights.sum()) or 1.0

    @property
    def num_rows(self) -> int:
        """B, how many rows there are, empty ones too."""
        return int(self.x.shape[-1])

    @property
    def chars(self) -> int:
        """How many symbols are read, without padding."""
        return _without_padding(self.x, self.lengths) + _without_padding(self.source, self.source_lengths)

    def rows(self, rows: slice) -> Batch:
        """Returns some of the rows, as a batch of their own."""
        return Batch(*(None if array is None else array[..., rows] for array in self))  # type: ignore[arg-type]


def _without_padding(symbols: Ids | None, lengths: Array | None) -> int:
    if symbols is None:
        return 0
    return int(symbols.size if lengths is None else lengths.sum())
