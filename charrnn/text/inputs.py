"""What is to be predicted from, one in each line: texts, escaped as in a table of pairs, or JSON objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from charrnn.errors import DataError
from charrnn.text.lines import each_line
from charrnn.text.options import KEEP
from charrnn.text.pairs import is_named_so
from charrnn.text.rows import Fault, from_json, is_json, unescape
from charrnn.text.text import EmptyText

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


def read_inputs(
    library: Library,
    source: str,
    encoding: str,
    newlines: str = KEEP,
    tell: Callable[[Sequence[str]], None] = lambda notes: None,
    column: str = "",
) -> Iterator[str]:
    """Reads what is to be predicted from: the text of each line of `source`, one at a time.

    Where the lines are JSON objects, it is what each has under the name `column`. An empty line is an empty input, and
    an empty file has none. `tell` is called with what is to be said of how they were read. Raises DataError if it
    cannot be read or decoded, before there is a first, and in its turn for an object that has no such text.
    """
    try:
        text = library.read([source], encoding, newlines)
    except EmptyText:
        return iter(())
    tell(text.origin.notes)
    lines = each_line(text)
    first = next(lines, "")
    lines = itertools.chain([first], lines)
    if column and (is_named_so(text.name) or (f'"{column}"' in first and is_json(first, (column,)))):
        return _from_objects(lines, column, encoding, text.name)
    return map(unescape, lines)


def _from_objects(lines: Iterable[str], column: str, encoding: str, name: str) -> Iterator[str]:
    """Yields what the object in each line has under the name of a column. Raises DataError for a line without it."""
    for number, line in enumerate(lines, 1):
        try:
            (text,) = from_json(line, (column,), encoding) if line else ("",)
        except Fault as fault:
            raise DataError(f"{name}:{number}:{fault.column}: {fault}") from None
        yield text
