"""Long vectors in short parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array

BLOCK_BYTES = 1 << 17
"""Bytes of one part of one vector: a few of them stay in cache while they are worked on again and again."""


def blocks(*vectors: Array, dtype: npt.DTypeLike | None = None) -> Iterator[list[Array]]:
    """Yields views of the same part of each of the `vectors`, until all parts have had their turn.

    `dtype` is the type that the caller computes in, if it is not that of the vectors.
    """
    length = BLOCK_BYTES // np.dtype(dtype or vectors[0].dtype).itemsize
    for start in range(0, len(vectors[0]), length):
        yield [vector[start : start + length] for vector in vectors]


def blocks_and_scratch(*vectors: Array) -> Iterator[list[Array]]:
    """Yields what `blocks` does, and behind it in each list memory of the same length to compute in."""
    scratch = np.empty(min(len(vectors[0]), BLOCK_BYTES // vectors[0].itemsize), vectors[0].dtype)
    for parts in blocks(*vectors):
        yield [*parts, scratch[: len(parts[0])]]
