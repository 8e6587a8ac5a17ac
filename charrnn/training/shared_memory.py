"""Memory that several processes see: a file without a name, which each of them maps."""

from __future__ import annotations

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Self

import numpy as np

from charrnn.arrays import Array

ArrayLayout = tuple[tuple[int, ...], str]
"""Shape and type of an array, as JSON can tell them."""

LINE = 64
"""Bytes of a cache line: arrays begin on one, so that no two processes write to the same."""


def layout_of(array: Array) -> ArrayLayout:
    """Returns shape and type of an array."""
    return array.shape, array.dtype.str


class SharedMemory:
    """Holds arrays at the same places for each process that has its `descriptor`. It grows as needed."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def new(cls) -> Self:
        """Returns memory that is new and empty."""
        if hasattr(os, "memfd_create"):  # in memory: no disk is written to, and none can be full when a page is touched
            return cls(os.memfd_create("charrnn"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def arrays(self, layout: Sequence[ArrayLayout | None]) -> list[Array | None]:
        """Returns arrays of these shapes and types, one behind the other; None in the place of None.

        They share their memory with those of earlier calls, and with those that other processes get for the same
        layout. Raises MemoryError where there is no more memory.
        """
        placed, size = [], 0
        for entry in layout:
            placed.append(size)
            if entry is not None:
                shape, dtype = entry
                size += -(-math.prod(shape) * np.dtype(dtype).itemsize // LINE) * LINE
        block = self._mapped(max(size, LINE))
        return [
            None
            if entry is None
            else np.frombuffer(block, entry[1], math.prod(entry[0]), start).reshape(tuple(entry[0]))
            for entry, start in zip(layout, placed, strict=True)
        ]

    def _mapped(self, size: int) -> mmap.mmap:
        """Returns the memory, of at least `size` bytes. Arrays of a smaller mapping stay what they are."""
        if self._map is None or len(self._map) < size:
            try:
                if os.fstat(self.descriptor).st_size < size:
                    os.truncate(self.descriptor, size)
                self._map = mmap.mmap(self.descriptor, size)
            except OSError as error:
                if error.errno == errno.ENOMEM:
                    raise MemoryError from error
                raise
        return self._map

    def close(self) -> None:
        """Lets go of the descriptor; arrays that are in use stay."""
        os.close(self.descriptor)
