"""Independent documents: each begins anew, ends with an end symbol, and has nothing to do with the one read before it.

A document of n characters is n + 1 steps. What goes in is the symbol that begins it and then its characters; what
should come out is its characters and then the symbol that ends it. Both symbols have the id behind the vocabulary's.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from charrnn.arrays import Batch, Ids
from charrnn.errors import DataError
from charrnn.text.items import Buckets, alike_up_to
from charrnn.text.lines import characters_of, joint_checksum, lines_of
from charrnn.text.options import DataConfig
from charrnn.text.origin import NOWHERE, FileRead, Origin, joint_origin, listed, name_of
from charrnn.text.pairs import Pairs
from charrnn.text.text import EmptyText, Text

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


@dataclass(frozen=True)
class Documents:
    """Holds documents as read, none of them empty."""

    name: str
    """Where they came from, as a user would name it."""
    size: int
    """How many bytes were read, those for validation and test as well."""
    sha256: str
    """The checksum of all that was read."""
    texts: list[str]
    labels: list[str] | None = None
    """What each document is told at every step, if anything."""
    validation: Documents | None = None
    """What to validate on, if a file was given."""
    test: Documents | None = None
    """What to test on, if a file was given."""
    origin: Origin = NOWHERE
    """Where they are found again."""
    encoding: str | None = None
    """What they were read in, where that is known."""
    numbers: Sequence[int] = ()
    """Which line of its file each document is, or which document, counted from 1; () for documents 1, 2, ..."""
    files: Sequence[str] = ()
    """The file that each document is from; () where all are from one."""

    @classmethod
    def of_pairs(cls, pairs: Pairs) -> Documents:
        """Returns the texts of pairs as documents, with their labels."""
        validation, test = (cls.of_pairs(part) if part else None for part in (pairs.validation, pairs.test))
        given = pairs.second, pairs.first, validation, test, pairs.origin, pairs.encoding
        files = pairs.files if len(set(pairs.files)) > 1 else ()
        return cls(pairs.name, pairs.size, pairs.sha256, *given, numbers=pairs.lines, files=files)

    def __len__(self) -> int:
        return len(self.texts)


def read_documents(library: Library, sources: Sequence[str], data: DataConfig) -> Documents:
    """Reads the documents of `sources`, as `data.documents` says, and those for validation and test that `data` names.

    Windows line ends and a byte order mark are nothing, and so is an empty document. Raises DataError where there are
    none, or what there is cannot be read or decoded.
    """
    documents = _read_part(library, listed(sources), data)
    validation, test = (
        None if path is None else _read_part(library, (path,), data) for path in (data.validation, data.test)
    )
    return dataclasses.replace(
        documents,
        size=sum(part.size for part in (documents, validation, test) if part),
        sha256=joint_checksum(documents.sha256, *(part.sha256 if part else None for part in (validation, test))),
        validation=validation,
        test=test,
        origin=joint_origin(documents.origin, *(part.origin for part in (validation, test) if part)),
    )


def _read_part(library: Library, sources: tuple[str, ...], data: DataConfig) -> Documents:
    """Reads the documents of one part of the data. No document is in two files."""
    name, texts, files, numbers, names = name_of(sources), list[str](), list[FileRead](), list[int](), list[str]()
    notes: tuple[str, ...] = ()
    for text in library.each(sources, data.encoding, data.newlines):
        found = {number: one for number, one in enumerate(_documents_in(text, data.documents or ""), 1) if one}
        texts += found.values()
        numbers += found
        names += [text.name] * len(found)
        files.append(FileRead(text.name, text.size, text.sha256))
        encoding, notes = text.encoding, text.origin.notes
    if not files:
        raise EmptyText(f"{name} has no characters; give a text that has some")
    if not texts:
        raise DataError(f"{name} has no documents; give one with texts in it, or choose another data.documents")
    size, sha256 = sum(file.size for file in files), joint_checksum(*(file.sha256 for file in files))
    origin = Origin(sources, tuple(files), notes)
    return Documents(
        name,
        size,
        sha256,
        texts,
        origin=origin,
        encoding=encoding,
        numbers=numbers,
        files=names if len(files) > 1 else (),
    )


def _documents_in(text: Text, documents: str) -> list[str]:
    """Returns the documents of a file, as `data.documents` says; some may be empty."""
    if documents == "files":
        return [characters_of(text)]
    return lines_of(text) if documents == "lines" else cut(characters_of(text), documents)


def cut(characters: str, separator: str) -> list[str]:
    """Cuts a text in documents at a separator; a text without it is one document. The end of the last line is nothing.

    Where the separator begins with a line end, as an empty line does, there are none at the ends of the documents.
    """
    characters = characters.replace("\r\n", "\n")
    open_end = separator.endswith("\n") and not characters.endswith("\n")
    texts = (characters + "\n" * open_end).split(separator) if separator else [characters]
    if open_end:
        texts[-1] = texts[-1].removesuffix("\n")
    return [text.strip("\n") for text in texts] if separator.startswith("\n") else texts


MOST_PADDING = 0.35
"""The share of the steps of short documents that may be padding, so that those of unlike length share a batch."""


class _Order(NamedTuple):
    """Says what is read in which batch of an epoch."""

    units: Ids
    """What each batch is: the number of a bucket of short documents, or behind these that of a row of what follows."""
    documents: Ids
    """The long document that each row reads in each window: (W, B), -1 for none."""
    starts: Ids
    """The step from which on it does: (W, B)."""


@dataclass(frozen=True)
class DocumentBatches:
    """Gives batches of documents; in an epoch each is read once, in an order of its own.

    Those of at most `seq_length` steps are read whole, and mixed: where all of a batch end at the same step, it teaches
    that documents end there. So short ones and long ones are together, as far as padding allows. Longer ones are cut in
    as few windows as can be, all alike, that carry their state: a last one of few steps would be a batch in which each
    counts too much. Each of `batch_size` rows reads its share of them, one after another; rows that are done before the
    others have no steps then. Batches of short documents, which have no part in that state, stand anywhere between.
    """

    symbols: Ids
    """All documents, one after another, with the boundary before and behind each: (the sum of all lengths + 1,)."""
    lengths: Ids
    """How many steps each document has: (N,)."""
    batch_size: int
    seq_length: int
    seed: int
    labels: Ids | None = None
    """What each document is told at every step: (N,)."""
    _kept: dict[int, _Order] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        documents: Sequence[Ids],
        boundary: int,
        batch_size: int,
        seq_length: int,
        seed: int,
        labels: Ids | None = None,
    ) -> DocumentBatches:
        """Takes the ids of each document, and the id that begins and ends them all."""
        lengths = np.fromiter(map(len, documents), np.int64, len(documents)) + 1
        symbols = np.full(lengths.sum() + 1, boundary, np.min_scalar_type(boundary))
        is_character = np.ones(len(symbols), bool)
        is_character[np.r_[0, lengths.cumsum()]] = False
        if len(documents):
            symbols[is_character] = np.concatenate(documents)
        return cls(symbols, lengths, batch_size, seq_length, seed, labels)

    def __len__(self) -> int:
        """Returns how many batches an epoch has."""
        return len(self._buckets) + int(self._shares[1].max(initial=0))

    @property
    def padded(self) -> float:
        """Which share of all steps is padding, those of rows without a document too."""
        steps = sum(batch.x.size for batch in map(self.batch, range(len(self))))
        return 1 - float(self.lengths.sum()) / steps if steps else 0.0

    def rows(self, iteration: int) -> tuple[Ids, Ids]:
        """Returns which document each row of a batch reads, and from which step on: (B,) both.

        Rows that have no document, which are the last, have -1.
        """
        epoch, batch = divmod(iteration, len(self))
        if epoch not in self._kept:
            kept = self._order(epoch)
            self._kept.clear()
            self._kept[epoch] = kept
        order, whole = self._kept[epoch], len(self._buckets)
        unit = int(order.units[batch])
        if unit < whole:
            rows = self._short[self._buckets.rows(epoch * whole + unit)]
            return rows, np.zeros(len(rows), np.int64)
        return order.documents[unit - whole], order.starts[unit - whole]

    def batch(self, iteration: int) -> Batch:
        """Returns the batch of an iteration: for the same number always the same."""
        rows, start = self.rows(iteration)
        lengths = np.where(rows < 0, 0, np.minimum(self.lengths[rows] - start, self._window[rows]))
        T = int(lengths.max())
        steps = np.arange(T + 1)[:, None]
        both = self.symbols.take(self._first[rows] + start + steps, mode="clip")  # (T + 1, B)
        x, y = both[:-1], both[1:]
        starts = start == 0 if self.lengths[rows[0]] > self.seq_length else None
        labels = None if self.labels is None else np.where(rows < 0, 0, self.labels[rows])
        if lengths.min() == T:
            return Batch(x, y, starts, labels=labels)
        is_step = steps[:-1] < lengths
        return Batch(x * is_step, y * is_step, starts, is_step.astype(np.float32), lengths, labels)

    def _order(self, epoch: int) -> _Order:
        """Returns what an epoch reads in which batch.

        Long documents are shuffled among those of as many windows, so each row has as much to read in every epoch.
        """
        rng = np.random.default_rng([self.seed, epoch, 2])
        units, whole = rng.permutation(len(self)), len(self._buckets)
        units[units >= whole] = np.arange(whole, len(self))  # windows in their order, short documents anywhere
        row_of, sizes = self._shares
        long = rng.permutation(np.flatnonzero(self.lengths > self.seq_length))
        long = long[np.argsort(-self._windows_of(long), kind="stable")]
        order = np.lexsort([rng.permutation(len(long)), row_of])
        long, row_of = long[order], row_of[order]
        windows = self._windows_of(long)
        each = np.repeat(np.arange(len(long)), windows)  # the document of each window, row after row
        window = np.arange(len(each)) - np.repeat(windows.cumsum() - windows, windows)
        rows = row_of[each]
        place = np.arange(len(each)) - (sizes.cumsum() - sizes)[rows]
        documents = np.full((int(sizes.max(initial=0)), self.batch_size), -1)
        starts = np.zeros_like(documents)
        documents[place, rows], starts[place, rows] = long[each], window * self._window[long[each]]
        return _Order(units, documents, starts)

    def _windows_of(self, documents: Ids) -> Ids:
        """Returns in how many windows each of these documents is read."""
        return -(-self.lengths[documents] // self.seq_length)

    @cached_property
    def _shares(self) -> tuple[Ids, Ids]:
        """The row that reads each long document, where those of most windows come first, and the windows of each row.

        The next document is always for the row that has least to read, and the first row has most.
        """
        windows = -np.sort(-self._windows_of(np.flatnonzero(self.lengths > self.seq_length)))
        rows = [(0, row) for row in range(self.batch_size)]
        row_of = np.zeros(len(windows), np.int64)
        for rank, count in enumerate(windows.tolist()):
            size, row = rows[0]
            row_of[rank] = row
            heapq.heapreplace(rows, (size + count, row))
        sizes = np.bincount(row_of, windows, self.batch_size).astype(np.int64)
        order = np.argsort(-sizes, kind="stable")
        return order.argsort()[row_of], sizes[order]

    @cached_property
    def _first(self) -> Ids:
        """Where the boundary before each document stands: (N,)."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def _window(self) -> Ids:
        """How many steps of each document are read at once: (N,)."""
        return -(-self.lengths // self._windows_of(np.arange(len(self.lengths))))

    @cached_property
    def _short(self) -> Ids:
        """The numbers of the documents that are read whole."""
        return np.flatnonzero(self.lengths <= self.seq_length)

    @cached_property
    def _buckets(self) -> Buckets:
        alike = alike_up_to(self.lengths[self._short], MOST_PADDING)
        return Buckets(alike, self.batch_size * self.seq_length, self.seed)
