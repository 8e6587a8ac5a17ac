"""Which arrays a cell wants on its tape, and how an array is cut into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from charrnn.arrays import Array


@dataclass(frozen=True)
class Layout:
    """Says which arrays a cell wants on its tape, as `Cell` declares them. A size of n is n times (B, H)."""

    scales: tuple[float, ...]
    """For each gate, what its pre-activation has been multiplied by when the cell sees it."""
    parts: tuple[int, ...]
    """How many gates each part has; all parts together are all gates."""
    state: tuple[str, ...]
    """Names of what crosses time."""
    saved: tuple[str, ...]
    """Names of what a step leaves for the backward pass beside the gates and states."""
    partials: tuple[int, ...]
    """The size of each partial derivative."""
    product: Literal["added", "gated", "of a gated state"]
    """What becomes of `h @ W_h`, see `Cell.product`."""

    @property
    def product_is_gated(self) -> bool:
        """Whether the gradient of `h @ W_h` is another than that of the pre-activations."""
        return self.product == "gated"


def split(blocks: Array, widths: Iterable[int]) -> tuple[Array, ...]:
    """Cuts `blocks (n, ...)` into neighbouring views, one for each width: (...) where it is 1, else (width, ...)."""
    found, start = [], 0
    for width in widths:
        found.append(blocks[start] if width == 1 else blocks[start : start + width])
        start += width
    return tuple(found)
