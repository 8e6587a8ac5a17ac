"""Pictures of figures: curves over a quantity, and dots beside names. Each is an SVG that needs no other file."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from charrnn.pages.chart import COLOURS
from charrnn.pages.scales import Point, Scale, number

LEFT, TOP, WIDTH, HEIGHT, LEGEND = 64, 52, 620, 360, 120
"""Of the field that curves are drawn in, and of what stands to its right."""
NAMES, PANEL, ROW, GAP = 150, 300, 24, 34
"""Of dots: the width of the names, that of a panel, the height of a row, and what is between two panels."""
GRID, INK, SOFT = "#dddddd", "#26323c", "#5d6b76"


class Curve(NamedTuple):
    """A line through points, in their order."""

    name: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """Dots on one scale: several for each name."""

    title: str
    dots: Mapping[str, Sequence[float]]


def curves(
    drawn: Sequence[Curve], title: str, labels: tuple[str, str], levels: Sequence[float] = (), top: float = math.inf
) -> str:
    """Draws curves in one field. `labels` are those of both axes; `levels` are heights to compare with.

    What is higher than `top` is left out, so that a steep beginning does not press the rest flat; unless that is all.
    """
    if all(y > top for curve in drawn for _, y in curve.points):
        top = math.inf
    points = [point for curve in drawn for point in curve.points if point[1] <= top]
    ys = [*(y for _, y in points), *levels]
    margin = 0.06 * (max(ys) - min(ys)) or 0.1
    scale = Scale(0, max(x for x, _ in points), min(ys) - margin, max(ys) + margin, False)

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + WIDTH * scale.share(x), TOP + HEIGHT * (1 - scale.height(y))

    parts = [_text(LEFT, 26, title, size=15, colour=INK)]
    for tick in scale.ticks():
        _, y = at(0, tick)
        parts += [f'<path d="M{LEFT} {y:.1f}h{WIDTH}" stroke="{GRID}"/>']
        parts += [_text(LEFT - 8, y + 4, number(tick), "end")]
    parts += [_text(at(x, 0)[0], TOP + HEIGHT + 18, f"{x:,}", "middle") for x in scale.iterations()]
    for level in levels:
        _, y = at(0, level)
        parts += [f'<path d="M{LEFT} {y:.1f}h{WIDTH}" stroke="{SOFT}" stroke-dasharray="2 5"/>']
        parts += [_text(LEFT + WIDTH - 4, y - 5, number(level), "end")]
    for k, curve in enumerate(drawn):
        colour = COLOURS[(0, 4, 2, 3, 5)[k % 5]]
        way = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in curve.points if y <= top)
        parts += [f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>']
        parts += [f'<path d="M{LEFT + WIDTH + 14} {TOP + 10 + 20 * k}h20" stroke="{colour}" stroke-width="3"/>']
        parts += [_text(LEFT + WIDTH + 40, TOP + 14 + 20 * k, curve.name, colour=INK)]
    parts += [_text(LEFT + WIDTH / 2, TOP + HEIGHT + 40, labels[0], "middle"), _text(8, TOP - 8, labels[1])]
    return _picture(LEFT + WIDTH + LEGEND, TOP + HEIGHT + 54, title, parts)


def dots(panels: Sequence[Panel], names: Sequence[str], title: str, label: str, beside: str = "") -> str:
    """Draws, for each name, a row of dots and a bar at their mean, in panels beside each other.

    `label` is that of all scales. `beside` is a name whose mean is a line through the panel, to compare with. Where a
    dot is infinite, there is no mean, and a word stands at the edge.
    """
    height = ROW * len(names)
    parts = [_text(8, 26, title, size=15, colour=INK)]
    parts += [_text(NAMES - 12, TOP + 30 + ROW * k, name, "end", colour=INK) for k, name in enumerate(names)]
    for k, panel in enumerate(panels):
        parts += _panel(panel, names, NAMES + k * (PANEL + GAP), height, beside)
    width = NAMES + len(panels) * (PANEL + GAP)
    parts += [_text((NAMES + width) / 2, TOP + height + 54, label, "middle")]
    return _picture(width, TOP + height + 68, title, parts)


def _panel(panel: Panel, names: Sequence[str], left: float, height: float, beside: str) -> Iterator[str]:
    found = {name: [value for value in panel.dots.get(name, ()) if math.isfinite(value)] for name in names}
    values = [value for some in found.values() for value in some] or [0.0]
    margin = 0.05 * (max(values) - min(values)) or 0.1
    scale = Scale(0, 1, min(values) - margin, max(values) + margin, False)

    def x(value: float) -> float:
        return left + PANEL * scale.height(value)

    top = TOP + 12
    yield _text(left, TOP, panel.title, size=13, colour=INK)
    for tick in scale.ticks():
        yield f'<path d="M{x(tick):.1f} {top}v{height}" stroke="{GRID}"/>'
        yield _text(x(tick), top + height + 18, number(tick), "middle")
    if found.get(beside):
        mean = sum(found[beside]) / len(found[beside])
        yield f'<path d="M{x(mean):.1f} {top}v{height}" stroke="{SOFT}" stroke-dasharray="2 5"/>'
    for k, name in enumerate(names):
        y = top + ROW * (k + 0.5)
        if len(found[name]) < len(panel.dots.get(name, ())):
            yield _text(left + PANEL, y + 4, "diverged", "end")
        elif found[name]:
            mean = sum(found[name]) / len(found[name])
            yield f'<path d="M{x(mean):.1f} {y - 7}v14" stroke="{COLOURS[0]}" stroke-width="3"/>'
        for value in found[name]:
            yield f'<circle cx="{x(value):.1f}" cy="{y}" r="4" fill="{COLOURS[4]}" fill-opacity="0.55"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 12, colour: str = SOFT) -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {at}>{html.escape(words)}</text>"


def _picture(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">
<title>{html.escape(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
{body}
</svg>
"""
