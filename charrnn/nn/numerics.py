"""Numerically safe elementary functions. Those that end in an underscore work in place."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array

ONE = {np.dtype(kind): np.ones((), kind) for kind in (np.float32, np.float64, np.complex128)}
"""The number 1 as an array without dimensions: for small arrays, NumPy spends half of a call on converting Python's."""


def logistic_(a: Array) -> None:
    """Replaces `a` by `1 / (1 + exp(a))`: the sigmoid of `-a`, and of `-2a` what `tanh_from_logistic_` wants.

    `exp` overflows to infinity for large `a`, and 1 / inf is the right limit, 0: callers run under
    `np.errstate(over="ignore")`.
    """
    np.exp(a, a)
    np.add(a, ONE[a.dtype], a)
    np.reciprocal(a, a)


def sigmoid_(a: Array) -> None:
    """Replaces `a` by `sigmoid(a) = 1 / (1 + exp(-a))`."""
    np.negative(a, a)
    logistic_(a)


def tanh_from_logistic_(s: Array) -> None:
    """Replaces `s = 1 / (1 + exp(-2a))` by `tanh(a) = 2s - 1`."""
    np.add(s, s, s)
    np.subtract(s, ONE[s.dtype], s)


SMALL = 4096
"""Up to so many elements, `np.tanh`'s one call is faster than our six."""


def tanh(a: Array, out: Array) -> None:
    """Writes `tanh(a)` to `out`; where that is many elements, as `2 sigmoid(2a) - 1`, in half the time of `np.tanh`."""
    if a.size <= SMALL:
        np.tanh(a, out)
    else:
        np.multiply(a, -2, out)
        logistic_(out)
        tanh_from_logistic_(out)


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax over the last axis: `(..., V)` to `(..., V)`.

    The maximum is subtracted first, so logits of any size are safe.
    """
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_p
