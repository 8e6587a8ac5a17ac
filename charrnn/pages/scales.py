"""From numbers to places in a chart, and to the round numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
"""An iteration, and a value there."""

HIGH = 400
"""The height of a chart, in units of its own."""


@dataclass(frozen=True)
class Scale:
    """Says where a point is drawn: from `left` to `right`, and from `low` up to `high`."""

    left: float
    right: float
    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, points: Sequence[Point], logarithmic: bool) -> Scale:
        """Returns the scale that shows these points, and leaves out a few that are far above the others."""
        xs, ys = [x for x, _ in points], sorted(y for _, y in points)
        if logarithmic and ys[0] > 0:
            low, high = math.log10(ys[0]), math.log10(ys[-1])
            margin = max(0.05 * (high - low), 0.02)
            return cls(min(xs), max(xs), 10 ** (low - margin), 10 ** (high + margin), True)
        low, high = ys[0], ys[-1]
        usual = ys[len(ys) * 9 // 10]
        if high - low > 5 * (usual - low) > 0:  # a few that are far off would press all others flat
            high = low + 1.4 * (usual - low)
        margin = 0.06 * (high - low) or abs(high) * 0.05 or 1.0
        least = 0.0 if low >= 0 else -math.inf
        return cls(min(xs), max(xs), max(least, low - margin), high + margin, False)

    def share(self, x: float) -> float:
        """Returns how far to the right an iteration is, between 0 and 1."""
        return (x - self.left) / (self.right - self.left) if self.right > self.left else 0.5

    def height(self, y: float) -> float:
        """Returns how high a value is, between 0 and 1."""
        if self.logarithmic:
            if y <= 0:
                return 0.0
            y, low, high = math.log10(y), math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        return min(max((y - low) / (high - low), 0.0), 1.0)

    def y(self, value: float) -> float:
        return HIGH * (1 - self.height(value))

    def ticks(self) -> list[float]:
        """Returns round numbers to be written beside the chart."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            few = (1, 2, 5) if len(decades) <= 3 else (1,)
            found = [factor * 10.0**power for power in decades for factor in few]
            found = [tick for tick in found if self.low <= tick <= self.high]
            return found[:: max(1, len(found) // 5)]
        return _round_numbers(self.low, self.high, 5)

    def iterations(self) -> list[int]:
        """Returns round iterations to be written below the chart, and the last one."""
        if self.right == self.left:
            return [int(self.left)]
        found = [int(x) for x in _round_numbers(self.left, self.right, 5) if x == int(x)]
        kept = [x for x in found if 0.04 < self.share(x) < 0.86]
        return [*kept, int(self.right)]


def _round_numbers(low: float, high: float, count: int) -> list[float]:
    """Returns about `count` numbers between two others: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def number(value: float) -> str:
    """Writes a number in a few characters: 71k, 1.52, 0.002, 3e-05."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:.4g}"
