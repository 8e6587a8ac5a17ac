"""What may not be drawn next, whatever the model thinks of it: characters that are banned, no end at the beginning.

A constraint watches several texts, one a row, as they are drawn. It writes -inf where a row may not go on, before any
filter sees the logits, so that temperature and filters share out what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from charrnn.arrays import Array, Ids


class Constraint(Protocol):
    """Forbids ids, row by row, and is told each id that was drawn."""

    def forbid(self, logits: Array) -> None:
        """Writes -inf into logits (B, V) where a row may not draw this id next."""

    def drawn(self, ids: Ids) -> None:
        """Is told what each row drew: (B,)."""

    def open(self) -> Array | None:
        """Returns which rows may not end here, as within the bytes of a character: bools (B,); None for none."""


class Always:
    """Forbids the same ids in every row and at every place."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = np.array(ids, np.intp)

    def forbid(self, logits: Array) -> None:
        """Forbids them."""
        logits[:, self.ids] = -np.inf

    def drawn(self, ids: Ids) -> None:
        """Keeps nothing of it."""

    def open(self) -> None:
        """Lets a text end anywhere."""


class NotFirst:
    """Forbids an id as the first in some rows: no document is empty, so none that is drawn may be."""

    def __init__(self, symbol: int, rows: Array) -> None:
        """`rows (B,)` are bools."""
        self.symbol = symbol
        self.rows: Array | None = rows

    def forbid(self, logits: Array) -> None:
        """Forbids it until something was drawn."""
        if self.rows is not None:
            logits[self.rows, self.symbol] = -np.inf

    def drawn(self, ids: Ids) -> None:
        """Allows it from now on."""
        self.rows = None

    def open(self) -> None:
        """Lets a text end anywhere."""


def may_not_end(constraints: Sequence[Constraint], rows: int) -> Array:
    """Returns which rows some constraint does not let end here: bools (B,)."""
    found = np.zeros(rows, bool)
    for constraint in constraints:
        open_rows = constraint.open()
        if open_rows is not None:
            found |= open_rows
    return found
