"""Numerically safe elementary functions. Those that end in an underscore work in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from charrnn.arrays import Array


def constant(value: float) -> dict[np.dtype[Any], Array]:
    """Returns a number, by type, as an array without dimensions: NumPy spends half of a small call on Python's."""
    return {np.dtype(kind): np.array(value, kind) for kind in (np.float32, np.float64, np.complex128)}


ONE, HALF, MINUS_HALF = constant(1), constant(0.5), constant(-0.5)

IN_CACHE = 1 << 15
"""Elements of a long array that are worked on at a time, so that they stay in cache from pass to pass."""


def _tanh_is_fast() -> bool:
    """Tells whether NumPy has kernels for AVX-512 here: with them `tanh` takes half the time of `exp`, else twice."""
    try:
        from numpy.lib.introspect import opt_func_info  # NumPy 2.1

        found = opt_func_info(func_name="^tanh$", signature="float32")["tanh"].values()
    except (ImportError, KeyError):
        return False
    return any(kernel.get("current") in ("X86_V4", "AVX512_SKX") for kernel in found)


TANH_IS_FAST = _tanh_is_fast()

SIGMOID, TANH, AS_IT_IS = (-0.5, -1.0, 1.0) if TANH_IS_FAST else (-1.0, -2.0, 1.0)
"""The scale of a pre-activation `a`, by what becomes of it. With an `exp` that is fast, as `sigmoid(a) = 1 / (1 +
exp(-a))` and `tanh(a) = 2 sigmoid(2a) - 1`, both begin with `exp` of -a or -2a. With a `tanh` that is faster, as
`sigmoid(a) = (1 - tanh(-a/2)) / 2`, they begin with that of -a/2 or -a. These numbers are multiplied into a copy of W
and b once for each batch, which saves a pass over every step's pre-activations."""


def overflow_allowed() -> np.errstate:
    """Returns a context without NumPy's warnings of overflow, for the whole of a pass.

    Where a sigmoid saturates, overflow is meant (see `scaled_sigmoid_`). Anywhere else it shows in the loss or in the
    gradient, and training looks at both.
    """
    return np.errstate(over="ignore", invalid="ignore")


def sigmoid_by_exp_(a: Array) -> None:
    """Replaces `a` by `1 / (1 + exp(a))`, the sigmoid of -a.

    `exp` overflows to infinity for large `a`, and 1 / inf is the right limit, 0: callers run in `overflow_allowed`.
    """
    np.exp(a, a)
    np.add(a, ONE[a.dtype], a)
    np.reciprocal(a, a)


def sigmoid_by_tanh_(a: Array) -> None:
    """Replaces `a` by `(1 - tanh(a)) / 2`, the sigmoid of -2a."""
    np.tanh(a, a)
    np.multiply(a, MINUS_HALF[a.dtype], a)
    np.add(a, HALF[a.dtype], a)


def scaled_sigmoid_(a: Array) -> None:
    """Replaces `a`, which is a pre-activation times SIGMOID, by its sigmoid."""
    if TANH_IS_FAST:
        sigmoid_by_tanh_(a)
    else:
        sigmoid_by_exp_(a)


def scaled_tanh_(a: Array) -> None:
    """Replaces `a`, which is a pre-activation times TANH, by its tanh."""
    if TANH_IS_FAST:
        np.tanh(a, a)
        np.negative(a, a)
    else:
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
    """Writes `tanh(a)` to `out`; of many elements as `2 sigmoid(2a) - 1`, where that takes less time than `np.tanh`."""
    if TANH_IS_FAST or a.size <= SMALL:
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
