"""The functions that every cell and the loss are made of, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from charrnn.arrays import Array, Ids


def sigmoid(a: Array) -> Array:
    """Returns `1 / (1 + exp(-a))` without an overflow. Its derivative is `s * (1 - s)`, where s is its value."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -a)))


class Activation(NamedTuple):
    """Holds a function of each element, `value(a)`, and its derivative, `slope(a)`."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


ACTIVATIONS = {
    "tanh": Activation(np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "sigmoid": Activation(sigmoid, lambda a: sigmoid(a) * (1 - sigmoid(a))),
    "relu": Activation(lambda a: np.where(a > 0, a, 0.0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "identity": Activation(lambda a: a, np.ones_like),
}
"""Activation functions by name. The derivative of relu at 0 is taken as 0."""


def one_hot(ids: Ids, size: int) -> Array:
    """Returns for each id a row of zeros with a one in the column of that number: of ids (...), (..., size)."""
    return np.eye(size)[ids]


def log_softmax(logits: Array) -> Array:
    """Returns `log(exp(logits) / sum(exp(logits)))` over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)  # which changes nothing, and keeps exp from overflowing
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def cross_entropy(logits: Array, targets: Ids, weights: Array | None = None) -> tuple[float, Array]:
    """Returns the loss and its derivative by the logits (T, B, V).

    The loss is the mean over `targets (T, B)` of `-log p`, in nats, where p is the probability that `softmax(logits)`
    gives the target. `weights (T, B)` make it a weighted mean; a position with weight 0 does not count at all.

        d(-log p)/dlogits = softmax(logits) - one_hot(target)
    """
    if weights is None:
        weights = np.ones(targets.shape)
    log_p, y = log_softmax(logits), one_hot(targets, logits.shape[-1])
    share = weights / weights.sum()  # (T, B)
    loss = -(share * (log_p * y).sum(axis=-1)).sum()
    return float(loss), share[:, :, None] * (np.exp(log_p) - y)
