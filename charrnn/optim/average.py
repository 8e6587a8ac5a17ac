"""An exponential average of the weights: often a better model than the weights that training has just reached."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array
from charrnn.optim.blocks import blocks_and_scratch


def update(average: Array, params: Array, decay: float, n: int) -> None:
    """Moves `average` towards `params` after the `n`-th update, counted from 1: both are flat vectors.

        d = min(decay, (1 + n) / (10 + n))
        average = d * average + (1 - d) * params

    It works in place. While `n` is small, d is too: an average that kept 0.999 of itself from the beginning would
    consist of the random weights that training began with for thousands of updates. With this rule, what is left of
    them after 20 updates is less than a millionth. Polyak and Juditsky 1992 average weights; the rule for d is that of
    TensorFlow's ExponentialMovingAverage.
    """
    d = min(decay, (1 + n) / (10 + n))
    for a, p, u in blocks_and_scratch(average, params):
        np.subtract(p, a, out=u)
        u *= 1 - d
        a += u
