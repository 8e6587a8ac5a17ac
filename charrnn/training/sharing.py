"""What the ranks of a job hand each other, and what each of them does with its rows of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
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
from charrnn.training.accumulation import Accumulation, OfPortion, Piece
from charrnn.training.portion import Portion
from charrnn.training.world import World


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
    pieces: list[Piece]
    """The rows of this rank, of each batch."""
    state: State | None
    """What the rows begin from; None where that is what they left behind."""


class RankWork:
    """Is what one rank does in an update: it has a copy of all parameters, and the state of its own rows."""

    def __init__(self, world: World, params: Parameters, compute: OfPortion) -> None:
        self.world = world
        self.params = params
        self.accumulation = Accumulation(compute)
        self.before: State = []
        """The state before the last update."""
        self.state: State = []
        """The state after it."""

    def part(self, wanted: str | None) -> State:
        """Returns the state of our rows before the last update (`before`), after it (`state`), or none of it (None)."""
        return getattr(self, wanted) if wanted else []

    def step(self, step: RankStep, grads: Parameters) -> float:
        """Writes the gradient of the whole update to `grads`, and returns its loss; both are the same on all ranks."""
        if step.state is not None:
            self.state = step.state
        self.before = self.state
        loss, self.state = self.accumulation.add_up(step.pieces, self.state, grads)
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
    world: World, model: Model, params: Parameters, plan: Plan, warn: Warn = lambda message: None
) -> Iterator[tuple[Parameters, OfPortion, Plan]]:
    """Yields what computes the gradients of portions of batches, the parameters, and how this rank shares its rows.

    It is this process or a team of them, which has moved the parameters into memory that they share; see
    `gradients.choose`. Where the team of any rank cannot begin, no rank has one: all would wait for the slowest, and a
    run has one plan, which is kept with it. Then `warn` is told which rank it was. All ranks must call this together.
    """
    said: list[str] = []
    team = gradients.begin_team(model, params, plan, said.append)
    failed = [(rank, why) for rank, whys in enumerate(world.comm.allgather(said)) for why in whys]
    if failed and team is not None:
        team.close()
        team = None
    for rank, why in failed[:1]:
        warn(f"{world.name_of(rank)}: {why} on each rank")
    if team is None:
        yield params, _backpropagation_of_portion(model, params), plan._replace(processes=1)
        return
    try:
        yield team.params, team.loss_and_grads, plan
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
