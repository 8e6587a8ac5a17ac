"""Derivatives from the forward pass alone, one coordinate at a time: slow, and right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from charrnn.arrays import Array
from charrnn.judging.gradcheck.subject import Judge

STEP = float(np.cbrt(np.finfo(np.float64).eps))
"""Where the truncation error (step^2) and the rounding error (eps / step) of a central difference meet."""


def finite_difference(loss: Callable[[], Any], array: Array, where: tuple[int, ...]) -> float:
    """Returns `(loss(x + s) - loss(x - s)) / 2s` with `s = eps^(1/3) max(1, abs(x))`; good to about 1e-9."""
    x = array[where]
    # The step is what x really moves by, which is not quite what is asked for.
    step = STEP * max(1.0, abs(x))
    above, below = x + step, x - step
    array[where] = above
    loss_above = loss()
    array[where] = below
    loss_below = loss()
    array[where] = x
    return float((loss_above - loss_below) / (above - below))


def complex_step(loss: Callable[[], Any], array: Array, where: tuple[int, ...]) -> float:
    """Returns the imaginary part of `loss(x + i s) / s` with s = 1e-30 (Squire and Trapp 1998); exact to 1e-14.

    `array`, and all that `loss` computes with, must be complex128. Comparisons, as in relu, must be of real parts;
    NumPy's maximum of complex numbers is, unless these are equal.
    """
    x = array[where]
    array[where] = x + 1e-30j
    derivative = loss().imag / 1e-30
    array[where] = x
    return float(derivative)


FINITE_DIFFERENCE = Judge(lambda subject: finite_difference)
COMPLEX_STEP = Judge(lambda subject: complex_step, dtype=np.complex128)
