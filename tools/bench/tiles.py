"""What tiles bring: `python tools/bench/tiles.py [ROWSxINNERxCOLUMNS ...]`, on one core.

For products `(rows, inner) @ (inner, columns)` as training makes them step by step, it prints billions of operations a
second: of the whole product, and in the tiles that `charrnn.nn.tiles` chooses for the kernels of BLAS that are in use.
A variable such as OPENBLAS_CORETYPE, which chooses these, should not be set. Times are the best of many.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn import processor
from charrnn.arrays import Array
from charrnn.environment import environment
from charrnn.nn.tiles import Tiles, tiles

PRODUCTS = [(25, 128, 512), (64, 512, 1024), (8, 512, 1024)]
"""Those that the docstring of `charrnn.nn.tiles` has figures of."""
PRODUCTS += [(1, 512, 2048), (16, 512, 1024), (32, 512, 2048), (64, 256, 1024), (64, 1024, 2048), (128, 512, 1024)]

SECONDS = 0.4
"""For each of the two ways."""


def in_tiles(x: Array, W: Array, cut: Tiles) -> tuple[Array, Array, Array]:
    """What `np.matmul` needs for `x @ W` in tiles: x, W and the place of the result, whose tiles are in its order.

    As training does, W is copied beforehand, so that each block of columns is a matrix of its own.
    """
    (rows, inner), columns = x.shape, W.shape[1]
    r, c = cut
    blocks = np.ascontiguousarray(W.reshape(inner, columns // c, c).transpose(1, 0, 2))
    out = np.empty((rows, columns), W.dtype)
    return x.reshape(rows // r, 1, r, inner), blocks, out.reshape(rows // r, r, columns // c, c).transpose(0, 2, 1, 3)


def best(call: Callable[[], object], seconds: float = SECONDS) -> float:
    """Seconds of the fastest of the calls that fit into so many."""
    call()
    fastest, end = math.inf, time.perf_counter() + seconds
    while (began := time.perf_counter()) < end or fastest == math.inf:
        call()
        fastest = min(fastest, time.perf_counter() - began)
    return fastest


def line(rows: int, inner: int, columns: int, seconds: float = SECONDS) -> str:
    """A line of the table."""
    rng = np.random.default_rng(0)
    x, W = rng.random((rows, inner), np.float32), rng.random((inner, columns), np.float32)
    operations, out = 2e-9 * rows * inner * columns, np.empty((rows, columns), np.float32)
    cut = tiles(rows, inner, columns, np.float32)
    whole = operations / best(lambda: np.matmul(x, W, out=out), seconds)
    if cut == (rows, columns):
        return f"{rows:>5}{inner:>7}{columns:>9}{whole:>8.0f}    none"
    arguments = in_tiles(x, W, cut)
    tiled = operations / best(lambda: np.matmul(*arguments), seconds)
    return f"{rows:>5}{inner:>7}{columns:>9}{whole:>8.0f}{tiled:>8.0f}   of {cut.rows} x {cut.columns}"


def main(arguments: list[str]) -> None:
    """Prints the table."""
    products = [tuple(map(int, words.split("x"))) for words in arguments] or PRODUCTS
    print(f"{processor.name()}, {environment()['blas']}, one core; billions of operations a second")
    print(f"{'rows':>5}{'inner':>7}{'columns':>9}{'whole':>8}{'tiles':>8}")
    with threadpool_limits(1, user_api="blas"):
        for rows, inner, columns in products:
            print(line(rows, inner, columns), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
