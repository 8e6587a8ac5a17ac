"""Compares the gradients of any function with an oracle, coordinate by coordinate. Knows nothing of networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array

RTOL, ATOL = 1e-6, 1e-8
SMALLEST = 1e-3
"""A parameter whose largest gradient is below this has not been tested: any gradient near zero would pass."""

Oracle = Callable[[Callable[[], Any], Array, tuple[int, ...]], float]
"""Given a function without arguments, an array that it reads, and an index into it: the derivative."""


@dataclass(frozen=True)
class Row:
    """Holds the verdict on one array."""

    name: str
    shape: tuple[int, ...]
    checked: int
    """Coordinates compared: all of them."""
    error: float
    """Largest `abs(analytic - oracle) / (abs(oracle) + ATOL / RTOL)`: relative, but near zero."""
    where: tuple[int, ...]
    """The coordinate of the largest error."""
    analytic: float
    oracle: float
    largest: float
    """Largest gradient in the array."""

    @property
    def ok(self) -> bool:
        """Whether every coordinate agrees, and the array was put to a test at all."""
        return self.error <= RTOL and self.largest >= SMALLEST


def check(loss: Callable[[], Any], arrays: dict[str, Array], gradients: dict[str, Array], oracle: Oracle) -> list[Row]:
    """Returns a row for each of `arrays`, which `loss` reads; `gradients` has the analytic ones under the same names.

    All must be float64 (or complex128, for the complex step): float32 cannot tell a wrong gradient from a rounded one.
    """
    rows = []
    for name, array in arrays.items():
        if array.dtype not in (np.float64, np.complex128):
            raise ValueError(f"{name} is {array.dtype}; gradients are checked in float64")
        worst = (-1.0, (), 0.0, 0.0)
        for where in np.ndindex(array.shape):
            analytic, expected = float(gradients[name][where].real), oracle(loss, array, where)
            error = abs(analytic - expected) / (abs(expected) + ATOL / RTOL)
            if error > worst[0] or math.isnan(error) > math.isnan(worst[0]):  # nothing is worse than a NaN
                worst = (error, where, analytic, expected)
        largest = float(np.abs(gradients[name]).max())
        rows.append(Row(name, array.shape, array.size, *worst, largest))
    return rows
