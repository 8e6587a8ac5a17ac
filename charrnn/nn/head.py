"""The output layer: `logits = h @ W + b`, softmax, and the mean cross-entropy in nats per character."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.numerics import IN_CACHE, log_softmax
from charrnn.nn.parameters import Shapes


def shapes(hidden_size: int, vocab_size: int) -> Shapes:
    """Returns the name and shape of each parameter of the output layer: W (H, V) and b (V,)."""
    return {"W": (hidden_size, vocab_size), "b": (vocab_size,)}


def affine(x: Array, W: Array, b: Array, out: Array | None = None) -> Array:
    """Returns `x (N, I) @ W (I, O) + b (O,)`, which is (N, O); in `out` where that is given."""
    out = np.matmul(x, W, out=out)
    out += b
    return out


def affine_backward(x: Array, W: Array, dout: Array, dW: Array, db: Array, dx: Array | None = None) -> Array:
    """Differentiates `affine`: writes dW and db, and returns dx (N, I), in `dx` where that is given."""
    np.matmul(x.T, dout, out=dW)
    np.sum(dout, axis=0, out=db)
    return np.matmul(dout, W.T, out=dx)


def nats(logits: Array, targets: Array) -> Array:
    """Returns the loss of each target, `-log softmax(logits)[target]`: of logits (..., V) and integers (...), (...)."""
    log_p = log_softmax(logits)
    return -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]


def cross_entropy_(logits: Array, targets: Array, count: float | None = None, weights: Array | None = None) -> float:
    """Returns the mean nats per target; turns `logits (N, V)` into its gradient, `(softmax - one-hot) / count`.

    The mean is over `count` targets: all N, unless these are only a part of a batch. It is a mean over time too, so
    that a gradient does not grow with T; where a paper sums over time, its clipping threshold must be divided
    by T. With `weights (N,)`, each target's nats and gradient are multiplied by its own, and `count` should be the sum
    of the weights: a target of weight 0, which stands in the padding, has no part in anything.
    """
    N, V = logits.shape
    count = N if count is None else count
    rows = max(1, IN_CACHE // V)
    total = 0.0
    for start in range(0, N, rows):
        some = slice(start, start + rows)
        total += _cross_entropy_(logits[some], targets[some], count, None if weights is None else weights[some])
    return total / count


def _cross_entropy_(a: Array, targets: Array, count: float, weights: Array | None) -> float:
    """Does the same for a few rows, but returns the sum of their nats instead of the mean."""
    here = np.arange(len(a)), targets
    a -= a.max(axis=-1, keepdims=True)  # which changes nothing, and keeps exp from overflowing
    at_target = a[here]
    np.exp(a, a)
    sums = a.sum(axis=-1)
    nats: Array = np.log(sums) - at_target
    scale = np.reciprocal(sums * count)
    if weights is None:
        a *= scale[:, None]
        a[here] -= 1 / count
    else:
        a *= (scale * weights)[:, None]
        a[here] -= weights / count
        nats *= weights
    return float(nats.real.sum(dtype=np.float64))
