"""Inverted dropout (Srivastava et al. 2014), for the non-recurrent connections alone (Zaremba et al. 2014)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from charrnn.nn.numerics import Array


def mask(rng: np.random.Generator, shape: tuple[int, ...], probability: float, dtype: npt.DTypeLike) -> Array:
    """Zero with `probability`, else `1 / (1 - probability)`, so that the mean is 1 and sampling needs no scaling."""
    keep = rng.random(shape, dtype=np.float32) >= probability
    return np.multiply(keep, 1 / (1 - probability), dtype=dtype)
