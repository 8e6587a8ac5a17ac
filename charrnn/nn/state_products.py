"""The products with W_h at a step, forward and back, in tiles: `h[t] @ W_h`, and the gradient times its transpose.

Both are one NumPy call each. The views that it takes are made once for a tape, and the weights are copied into the
order of the tiles once for a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.layout import Layout
from charrnn.nn.tiles import Tiles, add_all, parts, tiles, transpose_into_tiles

Empty = Callable[[tuple[int, ...], np.dtype[Any]], Array]
"""Gives memory for an array of a shape and type, with anything in it."""


class StateProducts:
    """Is what a tape knows of its products with W_h. R is the number of units whose state they read: H, or of all.

    Of a tape that has some of the units only, `tensor_parallel` says what is otherwise.
    """

    layout: Layout
    shape: tuple[int, int]
    hidden_size: int
    dtype: np.dtype[Any]
    empty: Empty
    a: Array
    """The pre-activations: (T, G, B, H)."""
    a_blocks: list[Array]
    dhW: Array  # noqa: N815
    """The gradients of `h[t] @ W_h`: (T, B, G*H)."""
    W_hT: Array
    """The transpose of W_h, as the batch at hand has it: (parts, 1, n, G*H/parts, R/n)."""

    @property
    def read(self) -> Array:
        """What the product with W_h reads: the states h, (T + 1, B, R)."""
        raise NotImplementedError

    # --- forward ---

    def _cut_state_product(self) -> None:
        """Makes the memory of W_h, and the views in which `h[t] @ W_h` is one call: all gates, in tiles.

        For one row BLAS is faster with all gates at once. A cell that multiplies them apart has a matrix of each.
        """
        (T, B), H, R = self.shape, self.hidden_size, self.read.shape[-1]
        G = len(self.layout.scales)
        if B == 1:
            self.W_h = self.empty((1, R, G * H), self.dtype)
            self._W_h_rows = self.W_h.reshape(R, G, H)
            self._read_tiles = list(self.read)
            self._products = [block.reshape(1, 1, G * H) for block in self.a]
        else:
            cut = tiles(B, R, H, self.dtype) if self.layout.product != "of a gated state" else Tiles(B, H)
            r, c = cut
            self.W_h = self.empty((G, H // c, R, c), self.dtype)
            self._W_h_rows = self.W_h.transpose(2, 0, 1, 3)
            self._read_tiles = list(self.read.reshape(T + 1, B // r, 1, 1, r, R))
            self._products = list(self.a.reshape(T, G, B // r, r, H // c, c).transpose(0, 2, 1, 4, 3, 5))
        self.W_h_of = list(self._W_h_rows.reshape(R, G, H).transpose(1, 0, 2))  # of a cell with a matrix for each gate

    def multiply_state(self, t: int) -> Array:
        """Computes `a[t] = h[t] @ W_h`, scaled, and returns it: (G, B, H)."""
        np.matmul(self._read_tiles[t], self.W_h, self._products[t])
        a: Array = self.a_blocks[t]
        return a

    # --- backward ---

    def _cut_backward_product(self) -> None:
        """Makes the memory of the transpose of W_h, and the views in which the product with it is one call.

        It has n tiles of columns, and where very many numbers are summed, parts of them: (parts, 1, n, G*H/parts, N/n).
        """
        (T, B, inner), N = self.dhW.shape, self.read.shape[-1]
        p, (r, c) = 1, Tiles(B, N)
        if self.layout.product != "of a gated state":
            p = self.parts_of_sum()
            r, c = tiles(B, inner // p, N, self.dtype)
        cut = self.dhW.reshape(T, B // r, r, p, inner // p).transpose(0, 3, 1, 2, 4)
        self._dhW_tiles = list(cut[:, :, :, None])
        self._rows_of_tile = r
        self._terms = self.empty((p, B, N), self.dtype) if p > 1 else None
        if B > 1:
            self._W_hT = self.empty((p, 1, N // c, inner // p, c), self.dtype)

    def parts_of_sum(self) -> int:
        """Returns in how many parts the gates are, whose products with the transpose of W_h are added up."""
        return parts(self.shape[1], len(self.layout.scales), self.hidden_size, self.dtype)

    def transposed_state_rows(self, W: Array) -> Array:
        """Returns the transpose of the rows of W that meet the state: (parts, 1, n, G*H/parts, H/n)."""
        W_h = W[: self.hidden_size]
        if self.shape[1] == 1:  # a product with one row is as fast with a view
            return W_h.T[None, None, None]
        return transpose_into_tiles(W_h.reshape(len(W_h), -1, self.hidden_size), self._W_hT)

    def multiply_back(self, t: int, terms: Array) -> None:
        """Computes what reaches `h[t]` through the product with W_h: `terms (parts, B, N)`, of which it is the sum."""
        p, B, N = terms.shape
        n, r = self.W_hT.shape[2], self._rows_of_tile
        np.matmul(self._dhW_tiles[t], self.W_hT, terms.reshape(p, B // r, r, n, N // n).transpose(0, 1, 3, 2, 4))

    def backward_state_product(self, t: int, dh: Array) -> None:
        """Writes to `dh (B, H)` the gradient that reaches `h[t]` through the product with W_h."""
        if self._terms is None:
            self.multiply_back(t, dh[None])
        else:
            self.multiply_back(t, self._terms)
            add_all(list(self._terms), dh)
