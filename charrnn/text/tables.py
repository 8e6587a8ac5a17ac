"""What tables look like that were made for another program: other separators, names of columns, quotes, blanks."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from pathlib import Path

from charrnn import advice

SEPARATORS = {",": "commas", ";": "semicolons", "|": "bars"}
"""What may stand between columns in the place of a tab, and what it is called."""

LOOKED_AT = 1000
"""Lines that tell what a table looks like."""

_HEADERS = """
answer author category class classification content country document id input intent kind label labels
language line message name names nationality original output phrase plural pos question response review
sentence sentiment singular source spam src surname tag tags target text texts tgt topic translation type
utterance word words x y
"""
HEADERS = frozenset(_HEADERS.split())
"""Words that name columns."""

CONVERTER = (
    r"import csv, sys; [print(*(c.replace('\\', '\\\\').replace('\t', '\\t').replace('\n', '\\n') "
    r"for c in row), sep='\t') for row in csv.reader(sys.stdin, delimiter=sys.argv[1])]"
)
"""A program for Python that turns a table with quotes into one with tabs."""


def conversion(lines: Sequence[str], name: str) -> str:
    """Says what stands where a tab should, and the command that puts tabs there; empty where nothing is in each line.

    `name` is the file that the lines are from, as a user would name it.
    """
    some = [line for line in lines[:LOOKED_AT] if line]
    in_all = [separator for separator in SEPARATORS if some and all(separator in line for line in some)]
    if not in_all:
        return ""
    alike = {separator: len({line.count(separator) for line in some}) for separator in in_all}
    separator = min(in_all, key=alike.__getitem__)
    path = Path(name)
    said = f"; {SEPARATORS[separator]} stand there in each line"
    if not path.is_file():
        return said
    new = path.with_suffix(".tsv") if path.suffix != ".tsv" else path.with_name(f"{path.stem}-tabs.tsv")
    if any('"' in line for line in some):
        make = f"python3 -c {advice.word(CONVERTER)} {advice.word(separator)}"
    else:  # the first alone, for a text may have others
        make = f"""sed "s/{"[|]" if separator == "|" else separator}/$(printf '\\t')/\""""
    return f"{said}: {make} < {advice.word(path)} > {advice.word(new)}"


def remarks(first: Sequence[str], second: Sequence[str], labelled: bool) -> Iterator[str]:
    """Yields a line for each sign that pairs are not what they should be; `labelled` if the first are labels."""
    if _names_columns(first, second, labelled):
        yield (
            f"the first pair, {first[0]!r} and {second[0]!r}, looks like the names of columns, and is learnt like the "
            f"others; if it names them, take its line out"
        )
    for what, cells in (("first", first), ("second", second)):
        quoted = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells[:LOOKED_AT])
        if 2 * quoted > min(len(cells), LOOKED_AT):
            yield f'most of the {what} column is in quotes ("), which are learnt as characters; take them out'
    if labelled:
        yield from _alike(first)


def _names_columns(first: Sequence[str], second: Sequence[str], labelled: bool) -> bool:
    """Tells whether the first row has the names of columns: both cells do, or its label does and is nobody else's."""
    one, other = (cells[0].strip().strip('"').casefold() in HEADERS for cells in (first, second))
    return one and (other or (labelled and first.count(first[0]) == 1))


def _alike(labels: Sequence[str]) -> Iterator[str]:
    """Yields a line where labels differ in nothing but blanks or capitals."""
    spelled = collections.defaultdict(set)
    for label in labels:
        spelled[" ".join(label.split()).casefold()].add(label)
    several = [sorted(same) for same in spelled.values() if len(same) > 1]
    if several:
        more = f", and {len(several) - 1} more such" if len(several) > 1 else ""
        yield (
            f"{' and '.join(map(repr, several[0]))} are learnt as {len(several[0])} labels, though only blanks or "
            f"capitals differ{more}; write each label in one way"
        )
    elif any(label != label.strip() for label in labels):
        label = next(label for label in labels if label != label.strip())
        yield f"labels have blanks around them, such as {label!r}, which predictions will have too; take them out"
