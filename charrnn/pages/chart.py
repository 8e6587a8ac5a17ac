"""Curves on a logarithmic scale: as an SVG file, and as bars of text."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from charrnn.arrays import Array

COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bb5566", "#000000")
"""Told apart by colour-blind eyes too (after Paul Tol's schemes)."""

LEFT, TOP, WIDTH, HEIGHT, LEGEND = 70, 50, 560, 340, 170
FLOOR = -12
"""The lowest power of ten that is drawn."""

BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Curve:
    """Holds positive values at 0, 1, 2, ..., to be drawn as one curve."""

    name: str
    values: Array


def draw(curves: list[Curve], title: str, x_label: str) -> str:
    """Returns an SVG picture of the curves, which needs no other file."""
    logs = [[math.log10(v) if v > 0 else -math.inf for v in curve.values.tolist()] for curve in curves]
    finite = [y for ys in logs for y in ys if math.isfinite(y)]
    low, high = max(FLOOR, math.floor(min(finite))), max(1, math.ceil(max(finite)))
    last = max(len(ys) for ys in logs) - 1

    def x(k: float) -> float:
        return LEFT + WIDTH * k / last

    def y(log: float) -> float:
        return TOP + HEIGHT * (high - max(log, low)) / (high - low)

    step = max(1, (high - low) // 8)
    grid = []
    for power in range(low, high + 1, step):
        grid.append(f'<path d="M{LEFT} {y(power):.1f}H{LEFT + WIDTH}" stroke="#ddd"/>')
        grid.append(f'<text x="{LEFT - 8}" y="{y(power) + 4:.1f}" text-anchor="end">1e{power}</text>')
    ticks = range(0, last + 1, max(1, 10 ** int(math.log10(max(last, 1))) // 5))
    grid += [f'<text x="{x(k):.1f}" y="{TOP + HEIGHT + 20}" text-anchor="middle">{k}</text>' for k in ticks]
    lines = []
    for n, (curve, ys) in enumerate(zip(curves, logs, strict=True)):
        colour = COLOURS[n % len(COLOURS)]
        points = " ".join(f"{x(k):.1f},{y(log):.1f}" for k, log in enumerate(ys) if log >= low)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = TOP + 10 + 20 * n
        lines.append(f'<path d="M{LEFT + WIDTH + 15} {at}h20" stroke="{colour}" stroke-width="3"/>')
        lines.append(f'<text x="{LEFT + WIDTH + 41}" y="{at + 4}">{html.escape(curve.name)}</text>')
    body = "\n".join([*grid, *lines])
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + LEGEND} {TOP + HEIGHT + 50}" \
font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="25" font-size="15">{html.escape(title)}</text>
{body}
<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 42}" text-anchor="middle">{html.escape(x_label)}</text>
</svg>
"""


def bars(values: Array, low: int, high: int, width: int = 60) -> str:
    """Draws the values, from 10^low to 10^high, as a line of at most `width` bars of eight heights."""
    count = min(width, len(values))
    picked = [float(values[round(k * (len(values) - 1) / max(1, count - 1))]) for k in range(count)]
    heights = [(math.log10(v) - low) / (high - low) if v > 0 else 0.0 for v in picked]
    return "".join(BARS[min(8, max(0, math.ceil(h * 8)))] for h in heights)
