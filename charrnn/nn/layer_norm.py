"""Layer normalization (Ba et al. 2016, arXiv 1607.06450) of a cell's pre-activations.

    (1) s = x @ W_x + h @ W_h
    (2) n = (s - mean(s)) / sqrt(mean((s - mean(s))^2) + EPS)         over the H units of a gate, for each row
    (3) a = gain * n + b

It stands between the product and the cell, which sees `a` as ever, so every cell whose product simply adds to its
pre-activations takes it (`Cell.product`). Ba et al. normalize the two products apart, and c as well; to normalize their
sum is cheaper, and c is left as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array
from charrnn.nn.layout import Layout
from charrnn.nn.parameters import LayerParams
from charrnn.nn.state_products import Empty
from charrnn.nn.tape import Tape

EPS = 1e-5


class NormalizedTape(Tape):
    """Is a tape that normalizes. It keeps the gradient of s in `dhW`, which is also `dxW`, and that of a in `da`."""

    adds_bias_to_input = False

    def __init__(
        self,
        layout: Layout,
        seq_length: int,
        batch_size: int,
        hidden_size: int,
        dtype: npt.DTypeLike,
        empty: Empty = np.empty,
    ) -> None:
        super().__init__(layout, seq_length, batch_size, hidden_size, dtype, empty)
        self.n = empty(self.a.shape, self.dtype)
        self.root = empty((*self.a.shape[:3], 1), self.dtype)  # 1 / sqrt(...), (T, G, B, 1)
        # A cell wants its pre-activations times its gates' scale. A scale of W would be normalized away: it is for (3).
        self.scale_of_a = self.scale
        self.scale = np.ones_like(self.scale)

    def begin_forward(self, params: LayerParams, reads_ids: bool) -> None:
        """Prepares W as it is, and `gain` and b times the gates' scale."""
        super().begin_forward(params, reads_ids)
        self.gain = params["gain"].reshape(-1, 1, self.hidden_size)
        scale = self.scale_of_a.reshape(self.gain.shape)
        self.scaled_gain = self.gain * scale
        self.scaled_b = params["b"].reshape(self.gain.shape) * scale

    def _allocate_product_gradients(self) -> None:
        self.dhW = self.dxW = self.empty(self.da.shape, self.dtype)

    def add_state_product(self, t: int) -> Array:
        """Returns the normalized pre-activations of step t, scaled: (G, B, H)."""
        s = super().add_state_product(t)  # (1)
        n = self.n[t]
        # (2) n = (s - mean(s)) / sqrt(...)
        np.subtract(s, s.mean(axis=-1, keepdims=True), n)
        np.multiply(n, n, s)
        np.add(s.mean(axis=-1, keepdims=True), EPS, self.root[t])
        np.reciprocal(np.sqrt(self.root[t], self.root[t]), self.root[t])
        np.multiply(n, self.root[t], n)
        # (3) a = gain * n + b
        np.multiply(n, self.scaled_gain, s)
        s += self.scaled_b
        return s

    def backward_state_product(self, t: int, dh: Array) -> None:
        """Writes to `dhW[t]` the gradient of s, which follows from `da[t]`, and to `dh` that of h."""
        n, ds = self.n[t], self.dhW_blocks[t]
        u = self.a[t]  # scratch: the cell is done with the gates of this step
        # (3) a = gain * n + b
        np.multiply(self.da_blocks[t], self.gain, ds)
        # (2) n depends on each s of its row by itself, by the mean, and by the root
        np.multiply(ds, n, u)
        np.multiply(n, u.mean(axis=-1, keepdims=True), u)
        np.subtract(ds, ds.mean(axis=-1, keepdims=True), ds)
        np.subtract(ds, u, ds)
        np.multiply(ds, self.root[t], ds)
        # (1) s = x @ W_x + h @ W_h
        super().backward_state_product(t, dh)

    def own_grads(self, grads: LayerParams) -> None:
        """Writes the gradients of b and `gain`."""
        # (3) a = gain * n + b
        np.sum(self.da, axis=(0, 1), out=grads["b"])
        da = self.da.reshape(*self.shape, -1, self.hidden_size)
        np.einsum("tbgh,tgbh->gh", da, self.n, out=grads["gain"].reshape(da.shape[2:]))
