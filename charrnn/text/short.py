"""What to do with a text that is too short: all that must be set, at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from charrnn import advice

Fault = Callable[[tuple[float, float, float], int, int], str]
"""Says what a text is too short for, given the shares of its parts, B and T; empty where it is long enough."""


def remedy(fault: Fault, fractions: tuple[float, float, float], batch_size: int, seq_length: int) -> str:
    """Returns the end of a message about a text that is too short: with these settings it is long enough.

    B gets smaller as far as it must, then T, and only then there is but a training part.
    """
    for shares in dict.fromkeys([fractions, (1.0, 0.0, 0.0)]):
        B = _largest(batch_size, partial(_fits, fault, shares, T=seq_length))
        T = seq_length if B else _largest(seq_length, partial(_fits, fault, shares, 1))
        if not T:
            continue
        wanted = {"train.batch_size": (B or 1, batch_size), "train.seq_length": (T, seq_length)}
        settings = [advice.setting(key, value) for key, (value, was) in wanted.items() if value != was]
        if shares != fractions:
            settings.append(advice.setting("data.split", [1, 0, 0]))
        return f"use more text, or {' '.join(settings)}"
    return "use more text"


def _fits(fault: Fault, shares: tuple[float, float, float], B: int, T: int) -> bool:
    return not fault(shares, B, T)


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Returns the largest number up to `most` that fits, where all below one that fits do; 0 for none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
