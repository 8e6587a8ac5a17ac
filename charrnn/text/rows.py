r"""One line to a pair of texts: a row of a table, or a JSON object.

In a table a tab stands between the two, and `\t`, `\n` and `\\` are for a tab, a line end and a backslash in a text. A
backslash before anything else is a backslash.
"""

from __future__ import annotations

import json
import re

from charrnn import advice
from charrnn.text.text import SURROGATE
from charrnn.text.vocabulary import BYTES


class Fault(Exception):
    """Says what is wrong in a line and what to do about it, and in which column, counted from 1."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(what)
        self.column = column


class NoTab(Fault):
    """Says that a line of a table has but one column."""


def escape(text: str) -> str:
    """Returns the text as it stands in a table: without tabs and line ends, for which there are escapes."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def unescape(text: str) -> str:
    """Returns the text that `escape` turned into this; a backslash that begins no escape stays as it is."""
    return _ESCAPE.sub(lambda match: _ESCAPED[match[0]], text) if "\\" in text else text


_ESCAPED = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}
_ESCAPE = re.compile(r"\\[tn\\]")


def from_table(line: str, columns: tuple[str, str], chosen: tuple[int, int] | None) -> tuple[str, str]:
    """Returns the pair in a line of a table. A text that has a tab must have it as an escape."""
    cells = line.split("\t")
    if chosen is None:
        if len(cells) == 1:
            raise NoTab(len(line) + 1, f"no tab; write {columns[0]}, a tab, {columns[1]}")
        if len(cells) > 2:
            raise Fault(
                _column(cells, 3),
                f"{len(cells)} columns and not two; write a tab that is part of a text as \\t, keep two columns with "
                f"`cut -f 1,2`, or choose two in training: {advice.setting('data.columns', [1, 2])}",
            )
        chosen = 1, 2
    for name, number in zip(columns, chosen, strict=True):
        if number > len(cells):
            raise Fault(
                len(line) + 1,
                f"no column {number}, from which the {name} is read, as data.columns says; it ends after column "
                f"{len(cells)}: complete it, or keep the columns that were trained on",
            )
        if not cells[number - 1]:
            raise Fault(_column(cells, number), f"the {name} is empty; complete the line or take it out")
    return unescape(cells[chosen[0] - 1]), unescape(cells[chosen[1] - 1])


def _column(cells: list[str], number: int) -> int:
    """Returns where in its line a cell begins; both are counted from 1."""
    return sum(len(cell) + 1 for cell in cells[: number - 1]) + 1


def from_json(line: str, columns: tuple[str, ...], encoding: str) -> tuple[str, ...]:
    """Returns the texts in a line that is a JSON object, by the names of columns. It may have other keys."""
    example = "{" + ", ".join(f'"{name}": "..."' for name in columns) + "}"
    try:
        row = json.loads(line)
    except RecursionError:
        raise Fault(1, f"not JSON that can be read: nested too deep; write {example}") from None
    except ValueError as error:
        reason, column = getattr(error, "msg", "a number is too long"), getattr(error, "colno", 1)
        raise Fault(column, f"not JSON: {reason}; write {example}") from None
    if not isinstance(row, dict):
        raise Fault(1, f"not an object; write {example}")
    for name in columns:
        if name not in row:
            raise Fault(1, f"the key {name!r} is missing; write {example}")
        place, value = max(0, line.find(f'"{name}"')) + 1, row[name]
        if not isinstance(value, str):
            raise Fault(place, f"the {name} is no string; write it in double quotes")
        if not value:
            raise Fault(place, f"the {name} is empty; complete the line or take it out")
        if lone := SURROGATE.search(value):
            raise Fault(place, f"the {name} has the lone surrogate U+{ord(lone[0]):04X}, no character; take it out")
        if encoding == BYTES and max(value) > "\xff":
            raise Fault(place, f"the {name} has {max(value)!r}, which is no byte; name another data.encoding")
    return tuple(row[name] for name in columns)


def is_json(line: str, columns: tuple[str, ...]) -> bool:
    """Tells whether a line, such as the first of standard input, is a JSON object and no row of a table.

    Where it has a tab it could be both, and is the object if that has the two keys.
    """
    try:
        row = json.loads(line) if line.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and ("\t" not in line or all(name in row for name in columns))
