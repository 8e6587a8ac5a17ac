"""How the product of a step is cut into tiles, which BLAS multiplies without copying.

A step multiplies few rows by a large matrix, `(B, R) @ (R, N)`. For a product of any size BLAS first copies the matrix
into an order of its own; with few rows that takes as long as the product. OpenBLAS spares the copy where rows * R *
columns is at most a million, and its kernels for AVX-512 are as fast then as for the largest product, or faster. So
the rows are cut into groups and the columns into blocks, small enough for that. One NumPy call does them all.

Measured on one core of an AMD EPYC with AVX-512, in billions of operations a second, whole and in tiles: 25 rows with
128 x 512, 156 and 244; 64 with 512 x 1024, 170 and 256; 8 with 512 x 1024, 66 and 242 (`python tools/bench/tiles.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn import blas
from charrnn.arrays import Array

WITHOUT_A_COPY = 100**3
"""Multiplications up to which OpenBLAS takes the matrix as it is (`sgemm_small_kernel_permit`)."""

FAST_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}
"""Kernels of OpenBLAS that are as fast without the copy as with it: those for AVX-512."""

COLUMNS, LEAST_COLUMNS = 64, 32
"""Columns of a tile: four registers of AVX-512 hold 64 numbers."""

MOST_INNER = 1024
"""Numbers that are summed in one product, where that can be chosen."""

COLUMNS_AT_ONCE = 16
"""Columns of W that are transposed at a time: as many as a cache line holds."""

FEW_ROWS, LEAST_ROWS = 8, 4
"""Up to `FEW_ROWS` tiles help any processor; with less than `LEAST_ROWS` in each, more would not be faster."""


class Tiles(NamedTuple):
    """Says how large the tiles of a product `(B, R) @ (R, N)` are."""

    rows: int
    columns: int


def tiles(rows: int, inner: int, columns: int, dtype: npt.DTypeLike) -> Tiles:
    """Returns the tiles for `(rows, inner) @ (inner, columns)`; the whole product where none are faster.

    They depend on the processor and on nothing that is measured, so that a run gives the same bytes each time.
    """
    whole = Tiles(rows, columns)
    if rows == 1 or np.dtype(dtype) != np.float32 or not (rows <= FEW_ROWS or _kernels_are_fast()):
        return whole
    wide = _largest_divisor(columns, COLUMNS)
    for width in (wide, wide // 2 if wide % 2 == 0 else wide):
        if width >= min(LEAST_COLUMNS, columns):
            group = _largest_divisor(rows, WITHOUT_A_COPY // (inner * width))
            if group >= min(LEAST_ROWS, rows):
                return Tiles(group, width)
    return whole


def parts(rows: int, gates: int, width: int, dtype: npt.DTypeLike) -> int:
    """Returns in how many parts a product over `gates * width` numbers is done, which are added up; it divides `gates`.

    The more numbers are summed, the fewer rows a tile has: more than a thousand, and that is what a product loses by.
    """
    if rows == 1 or np.dtype(dtype) != np.float32 or not _kernels_are_fast():
        return 1
    return next(p for p in range(1, gates + 1) if gates % p == 0 and (p == gates or gates // p * width <= MOST_INNER))


@functools.cache
def _kernels_are_fast() -> bool:
    return not FAST_KERNELS.isdisjoint(blas.kernels())


@functools.cache
def _largest_divisor(number: int, limit: int) -> int:
    """Returns the largest divisor of a number that is not above a limit; 1 where the limit is below that."""
    return next((found for found in range(min(number, limit), 0, -1) if number % found == 0), 1)


def transpose_into_tiles(W_h: Array, out: Array) -> Array:
    """Writes the transpose of `W_h (N, G, H)` to `out (parts, 1, n, G/parts*H, N/n)`, and returns that."""
    _, G, H = W_h.shape
    p, _, n, _, c = out.shape
    rows, blocks = W_h.reshape(n, c, p, G // p, H), out.reshape(p, n, G // p, H, c)
    for tile in range(n):
        for columns in columns_at_once(c):
            blocks[:, tile, :, :, columns] = rows[tile, columns].transpose(1, 2, 3, 0)
    return out


def add_all(terms: Sequence[Array], out: Array) -> None:
    """Writes the sum of at least two arrays to `out`, added in their order."""
    np.add(terms[0], terms[1], out)
    for term in terms[2:]:
        np.add(out, term, out)


def columns_at_once(count: int) -> Iterator[slice]:
    """Yields slices of `count` columns for a transposing copy, which as a whole would be half as fast."""
    for start in range(0, count, COLUMNS_AT_ONCE):
        yield slice(start, min(count, start + COLUMNS_AT_ONCE))
