"""Compressed files as the texts that they are, a piece at a time: gzip, bzip2 and xz, and the members of a zip archive.

A small file may stand for more than any disk holds. What is unpacked is therefore bounded, both by itself and
by what it was unpacked from.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Protocol

from charrnn.errors import DataError

FREE = 64 << 20
"""Bytes that may be unpacked from a file however small it is."""

RATIO = 250
"""How many times its own size a file may have when unpacked. Texts have 2 to 10, and logs of equal lines 100."""

MOST = 64 << 30
"""Bytes that may be unpacked from one file."""

MAX_DIRECTORY = 8 << 20
"""Bytes of a zip archive's list of members, of which zipfile makes an object each."""

XZ_MEMORY = 256 << 20
"""Bytes that a file may ask of the decompressor of xz; its highest level asks for 65 MiB."""

MAGIC = {
    "gzip": (b"\x1f\x8b\x08",),
    "bzip2": tuple(b"BZh%d" % level + after for level in range(1, 10) for after in (b"1AY&SY", b"\x17rE8P\x90")),
    "xz": (b"\xfd7zXZ\x00",),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
}
"""How files begin that are unpacked."""

_FAULTS = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError, struct.error)
"""What is raised for files that are damaged."""


def format_of(head: bytes) -> str | None:
    """Returns in which format, a key of MAGIC, a file is that begins with `head`; None for any other."""
    return next((name for name, magic in MAGIC.items() if head.startswith(magic)), None)


class Readable(Protocol):
    """Is all that is asked of a file that is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """Returns the next `size` bytes, or fewer at the end."""


class Budget:
    """Counts what comes out of a file, and stops where it is more than any text could be."""

    def __init__(self, name: str, packed: Callable[[], int]) -> None:
        """`packed` tells how many bytes of the file have been read so far."""
        self.name, self.packed, self.unpacked = name, packed, 0

    def spend(self, count: int) -> None:
        """Raises DataError where `count` bytes more are too many."""
        self.unpacked += count
        if self.unpacked > FREE and self.unpacked > RATIO * self.packed():
            raise DataError(
                f"{self.name} unpacks to more than {RATIO} times its size, which no text does, but a bomb; "
                f"if it is yours, unpack it yourself and give what it holds"
            )
        if self.unpacked > MOST:
            raise DataError(f"{self.name} unpacks to more than {MOST >> 30} GiB; unpack it yourself, and give a part")


@contextmanager
def damage_named(name: str, what: str) -> Iterator[None]:
    """Turns what is raised for a damaged file into DataError, in one line."""
    try:
        yield
    except lzma.LZMAError as error:
        if "emory" in str(error):
            raise DataError(f"{name} needs more memory to unpack than a text may; unpack it yourself") from error
        raise _damaged(name, what, error) from error
    except _FAULTS as error:
        if getattr(error, "errno", None):  # of the disk, and not of the file
            raise
        raise _damaged(name, what, error) from error


def _damaged(name: str, what: str, error: Exception) -> DataError:
    return DataError(f"{name} is a damaged or incomplete {what} file ({error}); get it again")


def stream_of(file: Readable, name: str, kind: str) -> Readable:
    """Returns what a file of gzip, bzip2 or xz holds, as a file that is read from its beginning to its end."""
    counted = Counted(file)
    unpacked: Any
    if kind == "gzip":
        unpacked = gzip.GzipFile(fileobj=counted)
    elif kind == "bzip2":
        unpacked = bz2.BZ2File(counted)
    else:
        unpacked = io.BufferedReader(_Xz(counted))
    return _Bounded(unpacked, Budget(name, counted.tell), name, kind)


def members_of(file: BinaryIO, name: str) -> Iterator[tuple[str, Callable[[], Readable]]]:
    """Yields the path of each file in a zip archive, in its order, and what opens it.

    Raises DataError where the archive is damaged, and where a file of it, which is then opened, is encrypted.
    """
    if not file.seekable():
        raise DataError(f"{name} has a zip archive, which cannot be read from a pipe; give the file itself")
    with damage_named(name, "zip"):
        size = file.seek(0, io.SEEK_END)
        if _directory_size(file, size) > MAX_DIRECTORY:
            raise DataError(f"{name} has too many members; unpack it yourself and give the folder")
        archive = zipfile.ZipFile(file)
    budget = Budget(name, lambda: size)
    for info in archive.infolist():
        if not info.is_dir():
            yield info.filename, partial(_member, archive, info, budget)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Readable:
    """Opens a member."""
    place = f"{budget.name}/{info.filename}"
    if info.flag_bits & 1:
        raise DataError(f"{place} is encrypted; unpack it with its password, and give what it holds")
    try:
        with damage_named(place, "zip"):
            return _Bounded(archive.open(info), budget, place, "zip")
    except NotImplementedError as error:
        raise DataError(f"{place} is compressed in an unknown way ({error}); unpack it yourself") from error


def _directory_size(file: BinaryIO, size: int) -> int:
    """Returns how many bytes a zip archive says that its directory has; 0 where it says nothing."""
    file.seek(max(0, size - (1 << 16) - 22 - 76))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 16:
        return 0
    (found,) = struct.unpack_from("<I", tail, end + 12)
    large = tail.rfind(b"PK\x06\x06")
    if found == 0xFFFFFFFF and 0 <= large <= len(tail) - 48:
        (found,) = struct.unpack_from("<Q", tail, large + 40)
    return int(found)


class Counted(io.RawIOBase):
    """Is a file that is read once, from its beginning to its end, and tells how far it was read."""

    def __init__(self, file: Readable) -> None:
        super().__init__()
        self._file, self._count = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        return len(data)

    def tell(self) -> int:
        """Returns how many bytes have been read."""
        return self._count


class _Bounded:
    """Is what a compressed file holds: it is read through `budget`, and its damage is named."""

    def __init__(self, file: Readable, budget: Budget, name: str, what: str) -> None:
        self._file, self._budget, self._name, self._what = file, budget, name, what

    def read(self, size: int) -> bytes:
        """Returns the next `size` bytes, or fewer at the end. Raises DataError for damage, and for too many."""
        with damage_named(self._name, self._what):
            data = self._file.read(size)
        self._budget.spend(len(data))
        return data


class _Xz(io.RawIOBase):
    """Reads xz, one stream after another, within a bound of memory that `lzma.LZMAFile` does not have."""

    def __init__(self, file: Counted) -> None:
        super().__init__()
        self._file, self._left = file, b""
        self._unpacker: lzma.LZMADecompressor | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            if self._unpacker is None or self._unpacker.eof:
                if not self._begin_stream(self._unpacker.unused_data if self._unpacker else b""):
                    return 0
            elif self._unpacker.needs_input:
                self._left = self._file.read(1 << 16) or b""
                if not self._left:
                    raise EOFError("it ends before its end")
            assert self._unpacker is not None
            data = self._unpacker.decompress(self._left, len(buffer))
            self._left = b""
        buffer[: len(data)] = data
        return len(data)

    def _begin_stream(self, left: bytes) -> bool:
        """Begins the next stream, of which `left` may have been read already; returns whether there is one."""
        while not (left := left.lstrip(b"\0")):  # what pads the stream before it
            left = self._file.read(1 << 16) or b""
            if not left:
                return False
        self._left = left
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        return True
