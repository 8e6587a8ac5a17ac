"""The whole network: one-hot characters, recurrent layers, an output matrix, softmax and cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.textbook.base import Weights
from charrnn.textbook.functions import cross_entropy, one_hot
from charrnn.textbook.layers import Layer


class Net:
    """Runs layers below an output layer, `logits = h @ W_y + b_y`."""

    def __init__(self, layers: Sequence[Layer], p: Weights, symbols: int | None = None) -> None:
        """`p` holds `W_y (H, V)` and `b_y (V,)`; the layers have their own.

        `symbols` is how many the first layer reads, where they are others than the V that are answered.
        """
        self.layers, self.p = layers, p
        self.symbols = symbols or len(p["b_y"])

    def forward(self, ids: Ids) -> Array:
        """Returns logits (T, B, V) for `ids (T, B)`: everywhere a score for each character that may come next."""
        x = one_hot(ids, self.symbols)
        for layer in self.layers:
            x = layer.forward(x)
        self.h = x
        return np.asarray(x @ self.p["W_y"] + self.p["b_y"])

    def backward(self, dlogits: Array) -> Weights:
        """Returns the gradients of W_y and b_y; the layers then hold theirs."""
        grads = {"W_y": np.einsum("tbh,tbv->hv", self.h, dlogits), "b_y": dlogits.sum(axis=(0, 1))}
        dh = dlogits @ self.p["W_y"].T
        for layer in reversed(self.layers):
            dh = layer.backward(dh)
        return grads

    def loss_and_grads(self, ids: Ids, targets: Ids, weights: Array | None = None) -> tuple[float, Weights]:
        """Returns the mean nats per character, and the gradients of W_y and b_y; the layers then hold theirs."""
        loss, dlogits = cross_entropy(self.forward(ids), targets, weights)
        return loss, self.backward(dlogits)
