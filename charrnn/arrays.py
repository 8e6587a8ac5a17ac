"""The words that all wings share for what they hand each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

Array = npt.NDArray[Any]
"""Floating point in use; complex in the complex-step gradient check, which differentiates the forward pass as it is."""

Ids = npt.NDArray[Any]
"""Symbols as integers."""


class Batch(NamedTuple):
    """One window of all streams."""

    x: Ids
    """Characters (T, B)."""
    y: Ids
    """The character after each of them (T, B)."""
    starts: Array
    """Which rows begin a text here, and so take the initial state: bools (B,)."""
