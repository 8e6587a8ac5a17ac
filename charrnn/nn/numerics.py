"""Numerically safe elementary functions. Those that end in an underscore work in place."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array

ONE = {np.dtype(kind): np.ones((), kind) for kind in (np.float32, np.float64, np.complex128)}
"""The number 1 as an array without dimensions: for small arrays, NumPy spends half of a call on converting Python's."""

IN_CACHE = 1 << 15
"""Elements of a long array that are worked on at a time, so that they stay in cache from pass to pass."""

SIGMOID, TANH, AS_IT_IS = -1.0, -2.0, 1.0
"""The scale of a pre-activation `a`, by what becomes of it. As `sigmoid(a) = 1 / (1 + exp(-a))` and
`tanh(a) = 2 sigmoid(2a) - 1`, they begin with `exp` of -a and of -2a. The -1 and -2 are multiplied into a copy of W and
b once for each batch, which saves a pass over every step's pre-activations."""


def overflow_allowed() -> np.errstate:
    """Returns a context without NumPy's warnings of overflow, for the whole of a pass.

    Where a sigmoid saturates, overflow is meant (see `scaled_sigmoid_`). Anywhere else it shows in the loss or in the
    gradient, and training looks at both.
    """
    return np.errstate(over="ignore", invalid="ignore")


def scaled_sigmoid_(a: Array) -> None:
    """Replaces `a`, which is a pre-activation times SIGMOID, by its sigmoid: `1 / (1 + exp(a))`.

    `exp` overflows to infinity for large `a`, and 1 / inf is the right limit, 0: callers run in `overflow_allowed`.
    """
    np.exp(a, a)
    np.add(a, ONE[a.dtype], a)
    np.reciprocal(a, a)


def scaled_tanh_(a: Array) -> None:
    """Replaces `a`, which is a pre-activation times TANH, by its tanh."""
    scaled_sigmoid_(a)
    tanh_from_sigmoid_(a)


def tanh_from_sigmoid_(s: Array) -> None:
    """Replaces `s = sigmoid(2a)` by `tanh(a) = 2s - 1`."""
    np.add(s, s, s)
    np.subtract(s, ONE[s.dtype], s)


def sigmoid_derivative(s: Array, out: Array) -> None:
    """Writes the derivative of `s = sigmoid(a)`, `s * (1 - s)`, to `out`, which is not `s`."""
    np.subtract(ONE[s.dtype], s, out)
    np.multiply(out, s, out)


def tanh_derivative(g: Array, out: Array) -> None:
    """Writes the derivative of `g = tanh(a)`, `1 - g^2`, to `out`."""
    np.multiply(g, g, out)
    np.subtract(ONE[g.dtype], out, out)


def interpolate(start: Array, end: Array, weight: Array, out: Array, scratch: Array) -> None:
    """Writes `(1 - weight) * start + weight * end` to `out`, as `start + weight * (end - start)`."""
    np.subtract(end, start, scratch)
    np.multiply(scratch, weight, scratch)
    np.add(start, scratch, out)


SMALL = 4096
"""Up to so many elements, `np.tanh`'s one call is faster than our six."""


def tanh(a: Array, out: Array) -> None:
    """Writes `tanh(a)` to `out`; where that is many elements, as `2 sigmoid(2a) - 1`, in half the time of `np.tanh`."""
    if a.size <= SMALL:
        np.tanh(a, out)
    else:
        np.multiply(a, TANH, out)
        scaled_tanh_(out)


def log_softmax(logits: Array) -> Array:
    """Returns the logarithm of the softmax over the last axis: of logits (..., V), (..., V).

    The maximum is subtracted first, so logits of any size are safe.
    """
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_p
