"""Numbers as a line of small bars, for a terminal that has such letters."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"

WIDTH = 16
"""How many numbers are shown at most: the last."""

LEAST = 4
"""Where there is not room for so many, there is no line."""


def sparkline(values: Sequence[float], encoding: str | None, width: int = WIDTH) -> str:
    """Returns the last `width` values as bars between the lowest and the highest of them.

    Nothing where there are less than two, or where the encoding has no bars.
    """
    shown = [value for value in values if math.isfinite(value)][-width:]
    if len(shown) < 2 or not _has_bars(encoding):
        return ""
    low, high = min(shown), max(shown)
    steps = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * steps)] for value in shown)


def _has_bars(encoding: str | None) -> bool:
    try:
        BARS.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
