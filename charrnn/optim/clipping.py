"""The norm of a gradient, and two ways to keep a gradient small."""

from __future__ import annotations

import math

import numpy as np

from charrnn.arrays import Array
from charrnn.optim.blocks import blocks


def norm(vector: Array) -> float:
    """Returns the Euclidean norm of a flat vector."""
    return math.sqrt(sum_of_squares(vector))


def sum_of_squares(vector: Array) -> float:
    """Returns the square of the norm of a flat vector, summed in float64 so that large models lose no digits."""
    total = 0.0
    for (part,) in blocks(vector, dtype=np.float64):
        exact = part.astype(np.float64)
        total += float(np.dot(exact, exact))
    return total


def clip_by_norm(gradient: Array, limit: float, size: float | None = None) -> None:
    """Scales `gradient` in place by `limit / norm(gradient)` where its norm exceeds `limit`.

    `size` is the norm, for those who know it already. Source: Pascanu et al. 2013, arXiv 1211.5063.
    """
    if size is None:
        size = norm(gradient)
    if size > limit:
        gradient *= limit / size


def clip_by_value(gradient: Array, limit: float) -> None:
    """Moves each element of `gradient` into `[-limit, limit]`, in place.

    This changes the direction of the gradient, as min-char-rnn and char-rnn do.
    """
    np.clip(gradient, -limit, limit, out=gradient)
