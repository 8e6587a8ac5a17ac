"""What the ranks of a job hand each other, and what each of them does with its rows of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.cores import Plan
from charrnn.files import Warn
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim.options import OptimConfig
from charrnn.tasks.base import Model
from charrnn.training import gradients
from charrnn.training.portion import Portion
from charrnn.training.world import World

OfPortion = Callable[[Batch, State, Parameters, int, Portion], tuple[float, State]]
"""Computes a gradient as `Gradients` does, of a batch that is only a portion of one."""


class Beginning(NamedTuple):
    """Says what a rank needs to compute gradients, and to follow the updates."""

    model: dict[str, Any]
    """The address of the model, see `team.address_of`."""
    dtype: str
    optim: OptimConfig
    plan: Plan


class Fate(NamedTuple):
    """Says what rank 0 did with the last gradient, so that the others do the same. There is none for one dropped."""

    learning_rate: float
    grad_norm: float


class RankStep(NamedTuple):
    """Holds one rank's part of an update."""

    fate: Fate | None
    """What became of the gradient before; None where it was dropped, or there is none."""
    batch: Batch
    """The rows of this rank."""
    portion: Portion
    """What the batch is a part of."""
    seed: int
    """Decides the noise of the whole batch."""
    state: State | None
    """What the rows begin from; None where that is what they left behind."""


class RankWork:
    """Is what one rank does in an update: it has a copy of all parameters, and the state of its own rows."""

    def __init__(self, world: World, params: Parameters, compute: OfPortion) -> None:
        self.world = world
        self.params = params
        self.compute = compute
        self.before: State = []
        """The state before the last batch."""
        self.state: State = []
        """The state after it."""

    def part(self, wanted: str | None) -> State:
        """Returns the state of our rows before the last batch (`before`), after it (`state`), or none of it (None)."""
        return getattr(self, wanted) if wanted else []

    def step(self, step: RankStep, grads: Parameters) -> float:
        """Writes the gradient of the whole batch to `grads`, and returns its loss; both are the same on all ranks."""
        carries = step.batch.starts is not None
        if step.state is not None:
            self.state = step.state
        given = self.state if carries else []
        loss, after = self.compute(step.batch, given, grads, step.seed, step.portion)
        if carries:
            self.before, self.state = self.state, after
        self.world.add(grads.vector)
        return float(np.sum(self.world.all_of(loss)))


def checksum(params: Parameters, slots: dict[str, Array]) -> str:
    """Returns a checksum of the parameters and of what the optimizer keeps: where one bit differs, it is another."""
    digest = hashlib.sha256(np.ascontiguousarray(params.vector).data)
    for name in sorted(slots):
        digest.update(np.ascontiguousarray(slots[name]).data)
    return digest.hexdigest()


@contextmanager
def of_portions(
    model: Model, params: Parameters, plan: Plan, warn: Warn = lambda message: None
) -> Iterator[tuple[Parameters, OfPortion]]:
    """Yields what computes the gradients of portions of batches, and the parameters.

    It is this process or a team of them, which has moved the parameters into memory that they share; see
    `gradients.choose`.
    """
    if (team := gradients.begin_team(model, params, plan, warn)) is None:
        yield params, _backpropagation_of_portion(model, params)
        return
    try:
        yield team.params, team.loss_and_grads
    finally:
        team.close()


def _backpropagation_of_portion(model: Model, params: Parameters) -> OfPortion:
    """Returns what computes gradients of portions in this process."""

    def compute(batch: Batch, state: State, grads: Parameters, seed: int, portion: Portion) -> tuple[float, State]:
        if not batch.num_rows:  # there are more ranks than rows
            grads.vector[...] = 0
            return 0.0, state
        noise = portion.noise(model, seed, batch, params.vector.dtype, slice(0, batch.num_rows))
        return model.loss_and_grads(params, batch, state, grads, noise, count=portion.answers)

    return compute
