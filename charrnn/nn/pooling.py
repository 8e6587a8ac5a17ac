"""From the outputs at all steps to one vector a row: the last state, the mean, or the maximum. Padding has no part.

Each way is a function of `outputs (T, B, D)` and `lengths (B,)`, and one more, `NAME_backward`, for its derivative. D
is 2H where layers read in both directions: the first half is of the one that reads forward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array
from charrnn.nn import POOLINGS


@dataclass(frozen=True)
class Pooling:
    """Sums up all steps of each row."""

    forward: Callable[[Array, Array, bool], Array]
    """Takes outputs (T, B, D), lengths (B,) and whether layers read in both directions; returns (B, D)."""
    backward: Callable[[Array, Array, Array, bool, Array], None]
    """Takes the gradient of that, (B, D), then the same, and an array (T, B, D) to write the outputs' gradient to."""


def build(name: str) -> Pooling:
    """Returns the way called `name`. Raises ValueError if there is none."""
    if name not in POOLINGS:
        raise ValueError(f"pooling {name!r} is not one of {', '.join(POOLINGS)}")
    return Pooling(globals()[f"{name}"], globals()[f"{name}_backward"])


def last(outputs: Array, lengths: Array, both: bool) -> Array:
    """Returns the state after all of the row has been read: at its end, and at its beginning by who reads backwards.

    The state stays as it is in padding, so that of a row's own end is found at step T - 1.
    """
    pooled: Array = outputs[-1].copy()
    if both:
        H = outputs.shape[-1] // 2
        pooled[:, H:] = outputs[0][:, H:]
    return pooled


def last_backward(dpooled: Array, outputs: Array, lengths: Array, both: bool, dout: Array) -> None:
    """Differentiates `last`."""
    dout[...] = 0
    H = outputs.shape[-1] // (2 if both else 1)
    dout[-1, :, :H] = dpooled[:, :H]
    dout[0, :, H:] = dpooled[:, H:]


def mean(outputs: Array, lengths: Array, both: bool) -> Array:
    """Returns the mean over a row's own steps; zero where it has none."""
    pooled: Array = np.einsum("tbd,tb->bd", outputs, _shares(outputs, lengths))
    return pooled


def mean_backward(dpooled: Array, outputs: Array, lengths: Array, both: bool, dout: Array) -> None:
    """Differentiates `mean`."""
    np.multiply(dpooled, _shares(outputs, lengths)[:, :, None], dout)


def max(outputs: Array, lengths: Array, both: bool) -> Array:  # noqa: A001  # it is named as its key is
    """Returns the largest value of each unit over a row's own steps; zero where it has none."""
    largest = np.take_along_axis(outputs, _places(outputs, lengths), axis=0)[0]
    return np.where(lengths[:, None] > 0, largest, 0)


def max_backward(dpooled: Array, outputs: Array, lengths: Array, both: bool, dout: Array) -> None:
    """Differentiates `max`: all of the gradient is that of the step whose value was taken."""
    dout[...] = 0
    given = np.where(lengths[:, None] > 0, dpooled, 0)
    np.put_along_axis(dout, _places(outputs, lengths), given[None], axis=0)


def _shares(outputs: Array, lengths: Array) -> Array:
    """Returns the share of each step in the mean of its row: (T, B)."""
    inside = np.arange(len(outputs))[:, None] < lengths
    return (inside / np.maximum(lengths, 1)).astype(outputs.dtype)


def _places(outputs: Array, lengths: Array) -> Array:
    """Returns at which step each unit is largest, (1, B, D); of complex numbers the real parts are compared."""
    outside = np.arange(len(outputs))[:, None] >= lengths
    places: Array = np.where(outside[:, :, None], -np.inf, outputs.real).argmax(axis=0)[None]
    return places
