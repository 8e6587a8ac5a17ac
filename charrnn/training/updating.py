"""An update of the parameters, or of some of them: what one process does alone, several can do side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from charrnn.arrays import Array
from charrnn.nn.parameters import Parameters
from charrnn.optim import OPTIMIZERS, average, optimizers
from charrnn.optim.options import OptimConfig


class UpdateStep(NamedTuple):
    """Says how long a step an update takes."""

    learning_rate: float
    grad_norm: float
    """The norm of the gradient, of all parameters: some clip by it."""
    made: int
    """How many steps the optimizer has made before."""
    number: int
    """Which update of the average of the parameters it is, counted from 1."""


class Updater:
    """Makes the updates of one part of the flat vector of parameters. No element of it needs another in an update."""

    def __init__(
        self,
        optim: OptimConfig,
        params: Parameters,
        gradient: Array,
        slots: Sequence[Array],
        mean: Array | None,
        part: slice = slice(None),
    ) -> None:
        """`gradient` has N elements as the parameters have; so has each of the `slots`, in the optimizer's order.

        `mean`, where it is not None, has the average of the parameters, which is kept as well.
        """
        self.optimizer = optimizers.build(optim)
        row = OPTIMIZERS[optim.name]
        self.params, self.gradient = params.vector[part], gradient[part]
        self.mean = None if mean is None else mean[part]
        self.slots = {name: slot[part] for name, slot in zip(row.slots, slots, strict=True)}
        self._count = np.zeros(1, np.int64)
        if row.counts:
            self.slots["count"] = self._count
        self.matrices = _matrices(params, part)

    def update(self, step: UpdateStep) -> None:
        """Makes an update by the gradient, and uses that up."""
        optim = self.optimizer.optim
        self._count[0] = step.made  # a run has this number once, and each part counts for itself
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is found before it is saved or used
            self.optimizer.update(self.gradient, self.slots, step.learning_rate, step.grad_norm)
            optimizers.decay_weights(self.matrices, step.learning_rate, optim)
            np.subtract(self.params, self.gradient, self.params)
            if self.mean is not None and optim.average:
                average.update(self.mean, self.params, optim.average, step.number)


def _matrices(params: Parameters, part: slice) -> list[Array]:
    """Returns what a part of the vector has of each matrix: views of it."""
    found, start = [], 0
    first, last, _ = part.indices(params.vector.size)
    for array in params.values():
        stop = start + array.size
        if array.ndim == 2 and max(start, first) < min(stop, last):
            found.append(params.vector[max(start, first) : min(stop, last)])
        start = stop
    return found
