"""Pairs of texts, a line each: a label and a text, or a source and its target. Tables, JSON, or a file for each label.

Windows line ends, a byte order mark and a missing last line end are nothing, and neither is an empty line, except among
the inputs of a prediction, each of which is answered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from charrnn.errors import ConfigError, DataError
from charrnn.text.lines import files_in, joint_checksum, lines_of
from charrnn.text.options import DataConfig
from charrnn.text.origin import NOWHERE, FileRead, Origin, joint_origin, listed, name_of, unpacked_name
from charrnn.text.rows import Fault, NoTab, from_json, from_table, is_json, unescape
from charrnn.text.rows import escape as escape
from charrnn.text.tables import conversion
from charrnn.text.text import EmptyText, Text

if TYPE_CHECKING:
    from charrnn.text.corpus import Library

JSON_LINES = (".jsonl", ".ndjson")
"""How the names of files end that have a JSON object in each line."""


def is_named_so(name: str) -> bool:
    """Tells whether a file, which may be packed, is named as one that has a JSON object in each line."""
    return unpacked_name(name).lower().endswith(JSON_LINES)


@dataclass(frozen=True)
class Pairs:
    """Holds pairs as read: `first[i]` is the label or the source of pair i, `second[i]` its text or target."""

    name: str
    """Where they came from, as a user would name it."""
    size: int
    """How many bytes were read, those for validation and test as well."""
    sha256: str
    """The checksum of all that was read."""
    first: list[str]
    second: list[str]
    files: Sequence[str] = ()
    """The name of the file that each pair is from; where there are none, `name`."""
    lines: Sequence[int] = ()
    """The line of each pair in its file, counted from 1; where there are none, pair i is in line i + 1."""
    validation: Pairs | None = None
    """What to validate on, if a file was given."""
    test: Pairs | None = None
    """What to test on, if a file was given."""
    origin: Origin = NOWHERE
    """Where they are found again."""
    encoding: str | None = None
    """What they were read in, where that is known."""

    def __len__(self) -> int:
        return len(self.first)

    def where(self, i: int) -> tuple[str, int]:
        """Returns the file in which pair i stands, and the line."""
        return self.files[i] if self.files else self.name, self.lines[i] if self.lines else i + 1

    def place(self, i: int) -> str:
        """Returns where pair i stands, for messages: `FILE:LINE`."""
        file, line = self.where(i)
        return f"{file}:{line}"


def read_pairs(
    library: Library,
    sources: Sequence[str],
    data: DataConfig,
    columns: tuple[str, str] = ("label", "text"),
    folder: bool = False,
) -> Pairs:
    """Reads the pairs of `sources`, and those of the files for validation and test that `data` names.

    `columns` names the two, as the keys of JSON objects and in messages; in a table they are the first two columns, or
    those that `data.columns` says. With `folder`, a folder may be given that has a file for each label, named after it,
    with a text in each line. Raises DataError with file, line and column of what is wrong.
    """
    read = partial(_read_part, library, data=data, columns=columns, folder=folder)
    pairs = read(listed(sources))
    for key in ("validation", "test"):
        _refuse_missing(library, key, getattr(data, key))
    validation, test = (None if path is None else read((path,)) for path in (data.validation, data.test))
    return dataclasses.replace(
        pairs,
        size=sum(part.size for part in (pairs, validation, test) if part),
        sha256=joint_checksum(pairs.sha256, *(part.sha256 if part else None for part in (validation, test))),
        validation=validation,
        test=test,
        origin=joint_origin(pairs.origin, *(part.origin for part in (validation, test) if part)),
    )


def _refuse_missing(library: Library, key: str, path: str | None) -> None:
    """Raises DataError where a key of the configuration names a file that is not there."""
    if path not in (None, "-") and path not in library.names() and not Path(str(path)).exists():
        raise DataError(f"data.{key} is {path}, and there is no such file; give its path as seen from {Path.cwd()}")


def refuse_columns_of_objects(name: str, data: DataConfig) -> None:
    """Raises ConfigError where columns are chosen of what has none: the objects in the file of that name."""
    if data.columns is not None and is_named_so(name):
        raise ConfigError(
            f"data.columns: it counts the columns of a table, and {name} has objects, which name theirs; leave it out"
        )


def _read_part(
    library: Library, sources: tuple[str, ...], data: DataConfig, columns: tuple[str, str], folder: bool
) -> Pairs:
    """Reads the pairs of one part of the data."""
    parts: list[Pairs] = []
    for source in sources:
        if folder and source not in library.names() and Path(source).is_dir():
            parts.append(_read_folder(library, source, data))
        else:
            parts += _read_tables(library, source, data, columns, folder)
    if not parts:
        raise EmptyText(f"{name_of(sources)} is empty; give some with pairs")
    return _one_of(parts, name_of(sources), joint_checksum(*(part.sha256 for part in parts)), sources)


def _one_of(parts: list[Pairs], name: str, sha256: str, sources: tuple[str, ...]) -> Pairs:
    """Returns the pairs of all parts."""
    read = [file for part in parts for file in part.origin.files]
    notes = [note for part in parts for note in part.origin.notes]
    return Pairs(
        name,
        sum(part.size for part in parts),
        sha256,
        _joined(part.first for part in parts),
        _joined(part.second for part in parts),
        _joined(part.files for part in parts),
        _joined(part.lines for part in parts),
        origin=Origin(sources, tuple(read), tuple(notes)),
        encoding=parts[-1].encoding,
    )


def _read_tables(
    library: Library, source: str, data: DataConfig, columns: tuple[str, str], folder: bool
) -> list[Pairs]:
    """Reads the files of a source, each a table or JSON lines; with `folder`, several of an archive are for a label."""
    texts = list(library.each((source,), data.encoding, data.newlines))
    if folder and len(texts) > 1 and all(text.name.startswith(f"{source}/") for text in texts):
        return _labelled_parts((PurePath(text.name), text) for text in texts)
    return [_read_table(text, data, columns) for text in texts]


def _read_table(text: Text, data: DataConfig, columns: tuple[str, str]) -> Pairs:
    """Reads a table or JSON lines."""
    lines = lines_of(text)
    if is_named_so(text.name) or is_json(next(filter(None, lines), ""), columns):
        parse: _Parse = partial(from_json, columns=columns, encoding=data.encoding)
    else:
        parse = partial(from_table, columns=columns, chosen=data.columns)
        _refuse_header(lines, parse, columns, text)
    return _parsed(lines, parse, text)


def _refuse_header(lines: list[str], parse: _Parse, columns: tuple[str, str], text: Text) -> None:
    """Raises DataError where the first line of a table only names the two columns: it would be learnt like a pair."""
    number, first = next(((number, line) for number, line in enumerate(lines, 1) if line), (0, ""))
    with suppress(Fault):
        if tuple(cell.strip().lower() for cell in parse(first)) == columns:
            raise DataError(f"{text.name}:{number}:1: names of columns, and no pair; take this line out")


def _read_folder(library: Library, source: str, data: DataConfig) -> Pairs:
    """Reads a folder with a file for each label. Raises DataError where two files are for the same."""
    texts = ((path, library.read([str(path)], data.encoding, data.newlines)) for path in files_in(source))
    parts = _labelled_parts(texts)
    checksums = [checksum for part in parts for checksum in (part.first[0], part.sha256)]
    return _one_of(parts, source, joint_checksum(*checksums), (source,))


def _labelled_parts(texts: Iterable[tuple[PurePath, Text]]) -> list[Pairs]:
    """Returns the pairs of texts of which each has the items of a label, after which its file is named."""
    parts: list[Pairs] = []
    paths: dict[str, PurePath] = {}
    for path, text in texts:
        label = PurePath(unpacked_name(path.name)).stem
        if label in paths:
            raise DataError(f"{path} and {paths[label]} are both for the label {label!r}; join or rename them")
        paths[label] = path
        parts.append(_parsed(lines_of(text), partial(_labelled, label), text))
    return parts


def _labelled(label: str, line: str) -> tuple[str, str]:
    return label, unescape(line)


def _joined(lists: Iterable[Sequence[Any]]) -> list[Any]:
    return [item for some in lists for item in some]


_Parse = Callable[[str], tuple[str, ...]]
"""Turns a line into a pair, or raises a fault."""


def _parsed(lines: list[str], parse: _Parse, text: Text) -> Pairs:
    """Returns the pairs of the lines of a text, but for empty ones."""
    numbers = [number for number, line in enumerate(lines, 1) if line]
    first, second = [], []
    for number in numbers:
        try:
            one, other = parse(lines[number - 1])
        except Fault as fault:
            other_table = conversion(lines, text.name) if isinstance(fault, NoTab) else ""
            raise DataError(f"{text.name}:{number}:{fault.column}: {fault}{other_table}") from None
        first.append(one)
        second.append(other)
    if not numbers:
        raise DataError(f"{text.name} has empty lines alone; give one with a pair in each line")
    origin = Origin((), (FileRead(text.name, text.size, text.sha256),), text.origin.notes)
    return Pairs(
        text.name,
        text.size,
        text.sha256,
        first,
        second,
        [text.name] * len(numbers),
        numbers,
        origin=origin,
        encoding=text.encoding,
    )
