"""Curves over iterations as a part of a page: lines in an SVG that stretches, and letters around it that do not.

So the letters have the same size on a phone as on a wide screen, and nothing is computed by a script.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.pages.scales import HIGH, Point, Scale, number

STYLES = 8
"""How many lines can be told apart, by colour and by dashes."""

LABEL = 0.08
"""The height of a label, as a share of that of the chart."""

MOST_POINTS = 400
"""Points of a line that are drawn: where there are more, the lowest and the highest of each stretch."""

WIDE = 1000
"""The width of the picture in units of its own; it is stretched to its place."""

STYLE = """
figure.chart { margin: 0 0 1.8em }
.chart figcaption { font-weight: 600; margin: 0 0 .5em }
.chart figcaption small { font-weight: 400; color: var(--soft) }
.frame { display: grid; grid-template-columns: auto 1fr; font-size: 12px; color: var(--soft) }
.frame .up { position: relative; width: 4.2em }
.frame .up span { position: absolute; right: .6em; transform: translateY(50%); line-height: 1 }
.frame .field { position: relative; height: 15em; border-bottom: 1px solid var(--soft) }
.small .frame .field { height: 9em }
.frame svg { position: absolute; inset: 0; width: 100%; height: 100% }
.frame .on { position: relative; grid-column: 2; height: 1.8em }
.frame .on span { position: absolute; top: .4em; transform: translateX(-50%); line-height: 1 }
.frame .on span:last-child { transform: translateX(-100%) }
.field b { position: absolute; transform: translate(-50%, 50%); color: var(--ink); font-weight: 600 }
.field b.ring { width: 9px; height: 9px; border: 2px solid var(--ink); border-radius: 50%; background: var(--paper) }
.field b.end, .field i { transform: translateY(50%); line-height: 1.3; padding: 0 3px; border-radius: 3px;
                         background: var(--paper) }
.field i { position: absolute; font-style: normal; color: var(--soft); opacity: .92 }
.grid { stroke: var(--line); fill: none }
.level { stroke: var(--soft); stroke-dasharray: 1 4; fill: none }
.chart path { vector-effect: non-scaling-stroke }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2em 1.6em; padding: 0; margin: .3em 0 0 4.2em;
          font-size: 13px }
.legend svg { width: 34px; height: 10px; vertical-align: middle; margin-right: .5em }
"""

DASHES = ("none", "7 5", "2 4", "10 4 2 4", "14 5", "5 3", "2 7", "12 3 2 3 2 3")
LIGHT = ("#1d5fae", "#b0450a", "#1d7a3e", "#93308f", "#7a6100", "#0f7380", "#b3264a", "#4c4f58")
DARK = ("#7db4f5", "#f0a35c", "#6fd08c", "#e294de", "#d9c34f", "#5fd0dd", "#ff8ba4", "#b4b9c4")


def colours() -> str:
    """Returns the colours and dashes of the lines, by day and by night."""
    by_day = [f"--c{k}: {colour}" for k, colour in enumerate(LIGHT)]
    by_night = [f"--c{k}: {colour}" for k, colour in enumerate(DARK)]
    rules = [f".c{k} {{ stroke: var(--c{k}); stroke-dasharray: {dash} }}" for k, dash in enumerate(DASHES)]
    night = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {'; '.join(by_night)} }} }}"
    return "\n".join([f":root {{ {'; '.join(by_day)} }}", night, *rules, ".curve.alone { stroke-dasharray: none }"])


@dataclass(frozen=True)
class Line:
    """Holds the points of a line, in the order of their iterations, and how it is drawn."""

    name: str
    points: Sequence[Point]
    style: int = 0
    """Its number among those that can be told apart."""
    letter: str = ""
    """What stands at its end."""


@dataclass(frozen=True)
class Chart:
    """Holds lines over the same iterations."""

    title: str
    lines: Sequence[Line]
    unit: str = ""
    best: Point | None = None
    """A point to be marked."""
    levels: Sequence[tuple[str, float]] = ()
    """Values to compare with, each a name and a height; those outside of what is drawn are left out."""
    logarithmic: bool = False
    small: bool = False

    def draw(self) -> str:
        """Returns the chart as a `<figure>`; nothing where no line has a point."""
        lines = [line for line in self.lines if line.points]
        if not lines:
            return ""
        points = [point for line in lines for point in line.points]
        scale = Scale.of([*points, *((points[0][0], value) for _, value in self.levels)], self.logarithmic)
        cut = "higher values are cut off" if max(y for _, y in points) > scale.high else ""
        unit = html.escape(", ".join(filter(None, [self.unit, cut])))
        grid = "".join(f"M0 {scale.y(tick):.1f}H{WIDE}" for tick in scale.ticks())
        levels = [(name, value) for name, value in self.levels if scale.low <= value <= scale.high]
        paths = [f'<path class="grid" d="{grid}"/>']
        paths += [f'<path class="level" d="M0 {scale.y(value):.1f}H{WIDE}"/>' for _, value in levels]
        alone = " alone" if len(lines) == 1 else ""
        paths += [
            f'<path class="curve c{line.style % STYLES}{alone}" d="{_path(line.points, scale)}"/>' for line in lines
        ]
        edge = scale.right
        marks = [_at("i", scale, x, y, text) for text, (x, y) in _apart([(n, (edge, y)) for n, y in levels], scale)]
        ends = _apart([(line.letter, line.points[-1]) for line in lines if line.letter], scale)
        marks += [_at("b class=end", scale, x, y, text) for text, (x, y) in ends]
        if self.best:
            marks.append(_at("b class=ring", scale, *self.best, ""))
        up = "".join(_at("span", scale, None, tick, number(tick)) for tick in scale.ticks())
        on = "".join(f'<span style="left:{100 * scale.share(x):.1f}%">{x:,}</span>' for x in scale.iterations())
        return (
            f'<figure class="chart{" small" if self.small else ""}"><figcaption>{html.escape(self.title)}'
            f"{f' <small>{unit}</small>' if unit else ''}</figcaption>\n"
            f'<div class="frame"><div class="up" aria-hidden="true">{up}</div><div class="field">'
            f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" '
            f'aria-label="{html.escape(self.in_words(lines))}">{"".join(paths)}</svg>{"".join(marks)}</div>\n'
            f'<div class="on" aria-hidden="true">{on}</div></div>{_legend(lines)}</figure>\n'
        )

    def in_words(self, lines: Sequence[Line]) -> str:
        """Says what the chart shows to those who cannot see it."""
        said = [
            f"{line.name} from {number(line.points[0][1])} at iteration {line.points[0][0]:,} to "
            f"{number(line.points[-1][1])} at iteration {line.points[-1][0]:,}"
            for line in lines
        ]
        best = f"; the best is {number(self.best[1])} at iteration {self.best[0]:,}" if self.best else ""
        return f"{self.title}: {'; '.join(said)}{best}"


def _path(points: Sequence[Point], scale: Scale) -> str:
    drawn = _thinned(points)
    if len(drawn) == 1:  # a line of one point is a dot
        drawn = [*drawn, drawn[0]]
    return "M" + "L".join(f"{WIDE * scale.share(x):.1f} {scale.y(y):.1f}" for x, y in drawn)


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Returns the lowest and the highest point of each stretch, in their order, so that no peak is lost."""
    if len(points) <= MOST_POINTS:
        return points
    size = 2 * len(points) / MOST_POINTS
    kept: list[Point] = []
    for k in range(MOST_POINTS // 2):
        some = points[int(k * size) : int((k + 1) * size)]
        ends = {min(some, key=lambda point: point[1]), max(some, key=lambda point: point[1])}
        kept += sorted(ends)
    return [points[0], *kept[1:-1], points[-1]]


def _apart(labels: Sequence[tuple[str, Point]], scale: Scale) -> list[tuple[str, Point]]:
    """Returns labels where their points are; where some would overlap, they are one."""
    found: list[tuple[str, Point]] = []
    for text, (x, y) in sorted(labels, key=lambda label: label[1][1]):
        for k, (other, (x_of_other, y_of_other)) in enumerate(found):
            near = abs(scale.share(x) - scale.share(x_of_other)) < LABEL
            if near and scale.height(y) - scale.height(y_of_other) < LABEL:
                found[k] = (f"{other} / {text}", (x_of_other, y_of_other))
                break
        else:
            found.append((text, (x, y)))
    return found


def _at(tag: str, scale: Scale, x: float | None, y: float, text: str) -> str:
    """Returns an element with a text, at a point of the chart; where `x` is None, beside it."""
    share = None if x is None else scale.share(x)
    ring = "ring" in tag
    left = "" if share is None else "right:0;" if share > 0.95 and not ring else f"left:{100 * share:.2f}%;"
    return f'<{tag} style="{left}bottom:{100 * scale.height(y):.2f}%">{html.escape(text)}</{tag.partition(" ")[0]}>'


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    items = [
        f'<li><svg viewBox="0 0 34 10" aria-hidden="true">'
        f'<path class="curve c{line.style % STYLES}" d="M1 5H33"/></svg>'
        f"{f'<b>{html.escape(line.letter)}</b> ' if line.letter else ''}{html.escape(line.name)}</li>"
        for line in lines
    ]
    return f'\n<ul class="legend">{"".join(items)}</ul>'
