"""What `charrnn eval` prints of a text, of several, of their lines, and of their most surprising places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from charrnn.errors import one_line
from charrnn.judging.surprise import ScoredLine, SurprisingPlace
from charrnn.pages.heat import END
from charrnn.text.pairs import escape


def report_lines(task: Any, report: dict[str, Any], name: str) -> Iterator[str]:
    """Yields a line for each score, and one for each baseline."""
    for score, words in task.in_words.items():
        yield f"{report[score]:.4f} {words}"
    if adapted := report.get("dynamic"):
        yield f"{adapted['nats_per_char']:.4f} nats, {adapted['bits_per_char']:.4f} bits per character, learning on"
    yield f"over {task.extent(report)} of {one_line(name)}"
    for baseline, scores in report.get("baselines", {}).items():
        told = ", ".join(f"{score.replace('_', ' ')} {value:.4f}" for score, value in scores.items())
        yield f"baseline, {baseline.replace('_', ' ')}: {told}"


def table(task: Any, reports: Sequence[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    """Yields a heading and a line for each report: its scores, how much it is about, and its name.

    Those of a model that goes on learning are told as its nats per character.
    """
    counts = [key for key, value in reports[-1].items() if type(value) is int]
    learns = "dynamic" in reports[-1]
    rows = [[*task.in_words, *(["dynamic nats"] if learns else []), *counts]]
    for report in reports:
        scores = [report[score] for score in task.in_words]
        scores += [report["dynamic"]["nats_per_char"]] if learns else []
        rows.append([*(f"{score:.4f}" for score in scores), *(f"{report[key]:,}" for key in counts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, name in zip(rows, ["text", *names], strict=True):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([*cells, one_line(name)])


def line(scored: ScoredLine, file: str) -> str:
    """Returns a line with tabs between: nats, nats per character, its number, behind that of its file, its text."""
    file = scored.file or file
    place = f"{one_line(file)}:{scored.number}" if file else str(scored.number)
    return "\t".join(
        [f"{scored.nats:.4f}", f"{scored.nats_per_char:.4f}", place, *(escape(cell) for cell in scored.cells.values())]
    )


def places(found: Sequence[tuple[str, SurprisingPlace]]) -> Iterator[str]:
    """Yields a heading and a line for each surprising place, given with the name of its file, if it has to be told."""
    rows = [["nats", "place", "offset", "what surprised", "expected"]]
    for file, place in found:
        file = place.file or file
        where = f"{f'{one_line(file)}:' if file else ''}{place.line}:{place.column}"
        here = END if place.character is None else place.character
        context = f"\u2026{place.before}\u00bb{here}\u00ab{place.after}\u2026"
        expected = f"{place.probability:.4f} {END if place.expected is None else repr(place.expected)}"
        rows.append([f"{place.nats:.4f}", where, f"{place.offset:,}", one_line(context), one_line(expected)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for nats, where, offset, context, expected in rows:
        first = [nats.rjust(widths[0]), where.rjust(widths[1]), offset.rjust(widths[2]), context.ljust(widths[3])]
        yield "  ".join([*first, expected])
