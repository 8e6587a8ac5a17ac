"""What a process needs of the others with which it shares the units of a network: memory, and a place to meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from charrnn.arrays import Array


@dataclass(frozen=True)
class Partner:
    """Is one of the processes that share the units of a network."""

    number: int
    """Which of them: 0, 1, ..."""
    members: int
    """How many there are."""
    meet: Callable[[], None]
    """Returns once all have called it."""
    shared: Callable[[Sequence[tuple[tuple[int, ...], str]]], Sequence[Array | None]]
    """Returns arrays of these shapes and types, in one place for all. Those of the next call take the same place."""

    def part(self, size: int, number: int | None = None) -> slice:
        """Returns which of `size` things are this member's, or another's: as equal parts as can be."""
        number = self.number if number is None else number
        return slice(size * number // self.members, size * (number + 1) // self.members)
