"""The output layer: `logits = h @ W + b`, softmax, and the mean cross-entropy in nats per character."""

from __future__ import annotations

from typing import Any

import numpy as np

from charrnn.nn.numerics import Array, log_softmax
from charrnn.nn.parameters import Shapes


def shapes(hidden_size: int, vocab_size: int) -> Shapes:
    """Name and shape of each parameter."""
    return {"W": (hidden_size, vocab_size), "b": (vocab_size,)}


def affine(x: Array, W: Array, b: Array) -> Array:
    """`x (N, I) @ W (I, O) + b (O,)`: (N, O)."""
    out: Array = x @ W
    out += b
    return out


def affine_backward(x: Array, W: Array, dout: Array, dW: Array, db: Array) -> Array:
    """The derivative of `affine`: writes dW and db, returns dx (N, I)."""
    np.matmul(x.T, dout, out=dW)
    np.sum(dout, axis=0, out=db)
    dx: Array = dout @ W.T
    return dx


def nats(logits: Array, targets: Array) -> Array:
    """`-log softmax(logits)[target]`: (..., V) and integers (...) to (...)."""
    log_p = log_softmax(logits)
    return -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]


def cross_entropy(logits: Array, targets: Array) -> tuple[Any, Array]:
    """Mean nats per character over all N rows, and its gradient `(softmax - one-hot) / N`: (N, V).

    The loss is a mean over time too, so that a gradient does not grow with the window; where a paper sums over time,
    its clipping threshold must be divided by T.
    """
    N = len(logits)
    log_p = log_softmax(logits)
    loss = -log_p[np.arange(N), targets].mean()
    dlogits = np.exp(log_p, out=log_p)
    dlogits[np.arange(N), targets] -= 1
    dlogits /= N
    return loss, dlogits
