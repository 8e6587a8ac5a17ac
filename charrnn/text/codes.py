"""The characters of a text as integers of its own, its codes: kept in memory, or on disk where they are many."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Ids
from charrnn.errors import OutputError
from charrnn.files import as_output_error

IN_MEMORY = 1 << 24
"""Bytes up to which codes are kept in memory."""

BLOCK = 1 << 20
"""Codes that are worked on at a time."""


class Codes:
    """Holds integers (N,), to which more may be added.

    Those on disk are read and not mapped: what is mapped counts as memory of the process, by the megabyte where a few
    bytes are read, and a disk that fails would end it. The file has no name, or loses it at once, so that nothing is
    left behind however the process ends. Methods raise OutputError where the disk is full or fails.
    """

    def __init__(self, folder: Path, dtype: npt.DTypeLike = np.uint8) -> None:
        """`folder` is where there will be a file, if there must be one."""
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.folder = folder
        """Where there is a file, if there is one."""
        self._count = 0
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    def append(self, codes: Ids) -> None:
        """Adds `codes (n,)`, which must be in the range of the type."""
        data = np.ascontiguousarray(codes, self.dtype).view(np.uint8).data
        if self._file is None and len(self._memory) + len(data) <= IN_MEMORY:
            self._memory += data
        else:
            with as_output_error(self.folder):
                if self._file is None:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    self._file = tempfile.TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115  # closed with us
                    weakref.finalize(self, self._file.close)
                    _write(self._file, memoryview(self._memory))
                    self._memory = bytearray()
                _write(self._file, data)
        self._count += len(codes)

    def emptied(self, dtype: npt.DTypeLike) -> Codes:
        """Returns a place for other integers, in the same folder."""
        return Codes(self.folder, dtype)

    def widened(self, dtype: npt.DTypeLike) -> Codes:
        """Returns the same integers in a wider type."""
        wider = self.emptied(dtype)
        for block in self.blocks():
            wider.append(block)
        return wider

    def translated(self, table: Ids, dtype: npt.DTypeLike) -> Codes:
        """Returns the integers `table[code]`, in another type, without those that it makes -1."""
        others = Codes(self.folder, dtype)
        for block in self.blocks():
            new = table.take(block)
            others.append(new[new >= 0])
        return others

    def take(self, index: Ids) -> Ids:
        """Returns the codes (T, B) at `index (T, B)`, whose columns run along the text; beyond an end, the last."""
        if self._file is None:
            return np.frombuffer(self._memory, self.dtype).take(index, mode="clip")
        inside = index.clip(0, len(self) - 1)
        starts, sizes = inside[0], inside[-1] - inside[0] + 1
        read = b"".join([self._read(start, size) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)])
        found: Ids = np.frombuffer(read, self.dtype).take(inside - starts + (sizes.cumsum() - sizes))
        return found

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Ids]:
        """Yields the codes from `start` to `stop`, in pieces."""
        stop = len(self) if stop is None else stop
        for begin in range(start, stop, BLOCK):
            yield np.frombuffer(self._read(begin, min(BLOCK, stop - begin)), self.dtype)

    def _read(self, start: int, count: int) -> bytes | bytearray:
        offset, size = start * self.dtype.itemsize, count * self.dtype.itemsize
        if self._file is None:
            return self._memory[offset : offset + size]
        try:
            self._file.seek(offset)
            data = self._file.read(size)
            if len(data) != size:
                raise OSError("some of it is gone")
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot read what was written in {self.folder}: {reason}; try again") from error
        return data


def _write(file: IO[bytes], data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]
