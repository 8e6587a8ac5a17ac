"""The files that a source stands for, one after another, as bytes: itself, those of a folder, those in an archive."""

from __future__ import annotations

import difflib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from charrnn import advice
from charrnn.errors import DataError
from charrnn.nearness import nearest_file
from charrnn.text.compressed import Readable, format_of, members_of, stream_of
from charrnn.text.kinds import archive_kind, is_no_text, kind_of, remedy_for
from charrnn.text.origin import MOST_NAMED, STDIN

CHUNK = 1 << 20
"""Bytes that are read at a time."""

RUN_FILES = ("last.npz", "best.npz")
"""What only the directory of a run has."""


@dataclass(frozen=True)
class Opened:
    """Is a file that is being read. Its chunks must be taken before the next file is."""

    name: str
    """What it is called in messages."""
    chunks: Iterator[bytes]
    """Its bytes, some at a time: first as many as tell what it is."""


@dataclass
class Opener:
    """Opens the files of sources, and remembers what it passed over."""

    find: Callable[[str], Path]
    """Returns the path of a source, which may be the name of a corpus."""
    names: Callable[[], list[str]]
    """Returns the names of all corpora."""
    raw: bool = False
    """Whether any bytes will do, so that a file need be no text."""
    notes: list[str] = field(default_factory=list)
    """What a user may want to know, a line each."""

    def files(self, source: str) -> Iterator[Opened]:
        """Yields each file of a source. Raises DataError where there are none, and for what cannot be read."""
        if source == "-":
            yield from self._of_file(sys.stdin.buffer, STDIN, None)
            return
        with self._readable(source):
            path = self.find(source)
            if path.is_dir():
                yield from self._of_folder(path)
            else:
                with self._open(path) as file:
                    yield from self._of_file(file, source, None)

    def given(self, file: BinaryIO, name: str) -> Iterator[Opened]:
        """Yields a file that is open already, or what it holds if it is an archive."""
        yield from self._of_file(file, name, None)

    def _open(self, path: Path) -> BinaryIO:
        return open(path, "rb")

    def _of_file(self, file: BinaryIO, name: str, skipped: _Skipped | None) -> Iterator[Opened]:
        """Yields an open file, or what is in it if it is an archive.

        One that is no text is noted in `skipped`, if that is given, and else refused.
        """
        before = _status(file)
        if before and stat.S_ISCHR(before.st_mode) and not file.isatty():
            raise DataError(f"{name} is a device, not a text; give a file")
        with self._readable(name):
            head = file.read(CHUNK)
        kind = format_of(head)
        if kind == "zip":
            yield from self._of_archive(file, name, skipped)
            self._refuse_changed(file, before, name, read_whole=False)
            return
        whole: Readable = file
        if kind:
            whole = stream_of(_Again(head, file), name, kind)
            head = whole.read(CHUNK)
        if self._is_text(head, name, skipped, packed=bool(kind)):
            unchanged = partial(self._refuse_changed, file, before, name)
            yield Opened(name, self._chunks(head, whole, name, unchanged))

    def _refuse_changed(
        self, file: BinaryIO, before: os.stat_result | None, name: str, read_whole: bool = True
    ) -> None:
        """Raises DataError where a file has changed since `before`, while it was read."""
        with self._readable(name):
            if before and stat.S_ISREG(before.st_mode) and _changed(file, before, read_whole):
                raise DataError(f"{name} changed while it was read; try again when nobody writes it")

    def _chunks(
        self, head: bytes, file: Readable, name: str, at_end: Callable[[], None] = lambda: None
    ) -> Iterator[bytes]:
        """Yields the bytes of an open file."""
        if head:
            yield head
        size = len(head)
        while size == CHUNK:  # else it was the end, for which a terminal should not be asked twice
            with self._readable(name):
                chunk = file.read(CHUNK)
            size = len(chunk)
            if chunk:
                yield chunk
        at_end()

    def _is_text(self, head: bytes, name: str, skipped: _Skipped | None, packed: bool = False) -> bool:
        """Tells whether a file may be a text. Raises DataError for what is surely none and may not be passed over.

        `packed` says that it was compressed, or is in an archive.
        """
        if self.raw:
            return True
        twice = format_of(head) if packed else None
        if skipped is not None:
            if twice or is_no_text(head):
                skipped.no_text.append(name)
                return False
        elif twice:
            raise DataError(
                f"{name} is compressed twice, last with {twice}; unpack it yourself, and give what it holds"
            )
        elif kind := kind_of(head):
            raise DataError(f"{name} is {kind.what}, not a text; {remedy_for(kind, name, packed)}")
        return True

    def _of_archive(self, file: BinaryIO, name: str, above: _Skipped | None) -> Iterator[Opened]:
        """Yields the files in a zip archive, in its order, but for hidden ones and those that are no text.

        An archive that is a document or a checkpoint is refused, or noted in `above` if that is given.
        """
        members, read, skipped = list(members_of(file, name)), [], _Skipped()
        if what := archive_kind([path for path, _ in members]):
            if above is None:
                raise DataError(f"{name} is {what}, not a text; give a text")
            above.no_text.append(name)
            return
        for path, opened in members:
            if any(part.startswith(".") or part == "__MACOSX" for part in path.split("/")):
                skipped.hidden += 1
                continue
            place = f"{name}/{path}"
            member = opened()
            head = member.read(CHUNK)
            if self._is_text(head, place, skipped, packed=True):
                read.append(path)
                yield Opened(place, self._chunks(head, member, place))
        self._conclude(name, read, skipped, "in the order of the archive")

    def _of_folder(self, folder: Path) -> Iterator[Opened]:
        """Yields the files below a folder, in the order of their paths, but for those that are hidden or no text."""
        if is_run(folder):
            raise DataError(f"{folder} is the directory of a run, not a text; give what it shall learn from")
        read, skipped = [], _Skipped()
        for path in _paths_below(folder, skipped):
            try:
                file = self._open(path) if path.is_file() else None
            except OSError:
                file = None
            if file is None:
                skipped.unreadable.append(str(path))
                continue
            with file:
                for opened in self._of_file(file, str(path), skipped):
                    read.append(str(path.relative_to(folder)))
                    yield opened
        self._conclude(str(folder), read, skipped, "in the order of their paths")

    def _conclude(self, name: str, read: list[str], skipped: _Skipped, order: str) -> None:
        """Notes which files were read and which were not. Raises DataError where none were."""
        if not read:
            raise DataError(f"{name} has no files that are texts{skipped.told()}; give a text")
        files = f"{len(read):,} files, {order}" if len(read) > 1 else "1 file"
        self.notes.append(f"{name}: {files}: {_some(read)}{skipped.told()}")

    @contextmanager
    def _readable(self, source: str) -> Iterator[None]:
        """Turns the errors of the system into ours, naming `source`."""
        try:
            yield
        except FileNotFoundError:
            near = difflib.get_close_matches(source, self.names(), n=1)
            hint = f"`{advice.command('corpus', 'list')}` names corpora"
            if near:
                hint = f"did you mean the corpus {near[0]!r}?"
            elif file := nearest_file(source):
                hint = f"did you mean {advice.word(file)}?"
            raise DataError(f"{source}: no such file; {hint}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{source!r} cannot be read: {reason}; give a readable file") from error


@dataclass
class _Skipped:
    """Counts what was passed over in a folder or an archive."""

    hidden: int = 0
    no_text: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    folders: int = 0
    """Links to folders, which may lead in circles, and directories of runs."""

    def told(self) -> str:
        """Says it as in `; passed over: 2 hidden, 1 no text (cat.png)`; an empty string where there is nothing."""
        counts = [
            f"{self.hidden:,} hidden" * bool(self.hidden),
            f"{len(self.no_text):,} no text ({_some(self.no_text)})" * bool(self.no_text),
            f"{len(self.unreadable):,} unreadable ({_some(self.unreadable)})" * bool(self.unreadable),
            f"{self.folders:,} linked folders or runs" * bool(self.folders),
        ]
        return f"; passed over: {', '.join(filter(None, counts))}" if any(counts) else ""


def _paths_below(folder: Path, skipped: _Skipped) -> list[Path]:
    """Returns the files below a folder, by their paths, without those that are hidden or in hidden folders."""
    paths = []
    for place, folders, files in os.walk(folder, onerror=lambda error: skipped.unreadable.append(str(error.filename))):
        skipped.hidden += sum(name.startswith(".") for name in [*folders, *files])
        paths += [Path(place, name) for name in files if not name.startswith(".")]
        kept = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in kept if not os.path.islink(os.path.join(place, name))]
        folders[:] = [name for name in folders if not is_run(Path(place, name))]
        skipped.folders += len(kept) - len(folders)
    return sorted(paths, key=lambda path: path.parts)


def is_run(folder: Path) -> bool:
    """Tells whether a folder is the directory of a run."""
    return any((folder / name).is_file() for name in RUN_FILES)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + ", ..." * (len(names) > MOST_NAMED)


class _Again:
    """Is an open file that is read from its beginning again, of which the first bytes are `head`."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def read(self, size: int, /) -> bytes:
        """Returns the next `size` bytes, or fewer; none at the end."""
        if not self._head:
            return self._file.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data


def _status(file: BinaryIO) -> os.stat_result | None:
    """Returns what the system says of a file; None if it is none of the system's."""
    try:
        return os.fstat(file.fileno())
    except io.UnsupportedOperation:
        return None


def _changed(file: BinaryIO, before: os.stat_result, read_whole: bool) -> bool:
    """Tells whether a file that was read, to its end if `read_whole`, has changed since `before`."""
    after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return True
    return read_whole and after.st_size not in (0, file.tell())  # those of /proc have contents and no size
