"""`charrnn eval --heat -`: the coloured text in a terminal, or with digits under it where colours are not wanted."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence

from charrnn.errors import one_line
from charrnn.judging.evaluation import Score
from charrnn.judging.surprise import Passage
from charrnn.pages.heat import END, LEVELS, SKIPPED, Shown, levels, summary

COLOURS = [0, 230, 229, 223, 216, 209, 203, 196]
"""The background of each level among the 256 colours of terminals: from a light yellow to red; none for 0."""

SIGNS = {"\n": "\u21b5", "\t": "\u21e5", "\r": "\u240d"}
"""What is shown for what would not be seen, or would move the cursor."""

UNKNOWN = "?"
"""Stands under a character that was skipped."""


def wants_colours() -> bool:
    """Tells whether the user has not refused colours: they go into a pipe too, as `less -R` shows them."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def lines(shown: Sequence[Shown], score: Score, colours: bool, width: int) -> Iterator[str]:
    """Yields the lines of the text, under a legend; `width` is how many columns there are for digits and text."""
    yield f"{summary(score)} {_legend(shown, colours)}"
    for source in shown:
        yield ""
        if len(shown) > 1:
            yield f"== {one_line(source.name)} =="
        for number, passage in enumerate(source.passages):
            if number and not passage.is_document:
                yield "..."
            for line in _lines_of(passage):
                yield from [_coloured(line)] if colours else _marked(line, width)


def _legend(shown: Sequence[Shown], colours: bool) -> str:
    names = [f" {level}{'+' if level == LEVELS - 1 else ''} " for level in range(LEVELS)]
    if colours:
        legend = "Bits of surprise: " + "".join(map(_paint, names, range(LEVELS)))
    else:
        legend = f"The digit under a character is its surprise in bits, {LEVELS - 1} for more, none for less than 1."
    passages = [passage for source in shown for passage in source.passages]
    if any(passage.is_document for passage in passages):
        legend += f" {END} is the end of a document."
    if not all(passage.scored.all() for passage in passages):
        legend += " What is struck out is skipped." if colours else f" {UNKNOWN} is under what is skipped."
    return legend


_Line = list[tuple[str, int]]
"""What is shown in a line: signs, each with its level."""


def _lines_of(passage: Passage) -> Iterator[_Line]:
    """Yields the lines of a passage; a line break is seen where it is a surprise, or was skipped."""
    before = passage.before if passage.label is None else f"{passage.label}: "
    line: _Line = [(SIGNS.get(character, one_line(character)), 0) for character in before]
    text = passage.text + END * passage.is_document
    for character, level in zip(text, levels(passage), strict=True):
        if character not in SIGNS:
            line.append((one_line(character), level))
        elif level or character == "\t":
            line.append((SIGNS[character], level))
        if character == "\n":
            yield line
            line = []
    if line:
        yield line


def _paint(text: str, level: int) -> str:
    if level == SKIPPED:
        return f"\x1b[9m{text}\x1b[0m"
    return f"\x1b[38;5;16;48;5;{COLOURS[level]}m{text}\x1b[0m" if level else text


def _coloured(line: _Line) -> str:
    """Returns a line with what surprised in colours; neighbours of one colour are painted at once."""
    painted, run, level = "", "", 0
    for sign, its_level in [*line, ("", 0)]:
        if its_level != level:
            painted, run, level = painted + (_paint(run, level) if run else ""), "", its_level
        run += sign
    return painted + run


def _marked(line: _Line, width: int) -> Iterator[str]:
    """Yields a line of at most `width` columns after the other, and under each the digits of what surprised in it."""
    row = marks = ""
    for sign, level in line:
        columns = sum(map(_columns, sign))
        if _width(row) + columns > width and row:
            yield from _with_marks(row, marks)
            row = marks = ""
        mark = UNKNOWN if level == SKIPPED else str(level) if level else ""
        row, marks = row + sign, marks + mark.ljust(columns)[:columns]
    yield from _with_marks(row, marks)


def _with_marks(row: str, marks: str) -> Iterator[str]:
    yield row
    if marks.strip():
        yield marks.rstrip()


def _width(text: str) -> int:
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    """Returns how many columns a terminal gives a character: none to one that stands on another, two to a wide one."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
