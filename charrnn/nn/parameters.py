"""Named arrays that are views of one flat vector.

The network speaks of `params["layers.0.W"]`; the optimizer, the clipping and the norm see `params.vector`, and need
one pass over memory instead of one for each name.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array

Shapes = dict[str, tuple[int, ...]]

LayerParams = dict[str, Array]
"""The parameters of one layer, or their gradients, under their short names: W, b, ..."""


class Parameters(dict[str, Array]):
    """Maps each name to its array, a view of `vector`, in the order of `shapes`."""

    def __init__(self, shapes: Shapes, vector: Array) -> None:
        """`vector (N,)` holds exactly the elements of all `shapes`."""
        super().__init__()
        self.shapes = shapes
        self.vector = vector
        start = 0
        for name, shape in shapes.items():
            stop = start + math.prod(shape)
            self[name] = vector[start:stop].reshape(shape)
            start = stop
        if start != vector.size:
            raise ValueError(f"shapes need {start} elements, the vector has {vector.size}")

    @classmethod
    def zeros(cls, shapes: Shapes, dtype: npt.DTypeLike) -> Parameters:
        """Returns parameters that are all zero."""
        return cls(shapes, np.zeros(sum(math.prod(s) for s in shapes.values()), dtype))
