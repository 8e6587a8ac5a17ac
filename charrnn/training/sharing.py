"""What the ranks of a job hand each other, and what each of them does with its rows of a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from charrnn.arrays import Array
from charrnn.cores import Plan
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim.options import OptimConfig
from charrnn.training.accumulation import Piece, add_up
from charrnn.training.gradients import Alone
from charrnn.training.team import Team
from charrnn.training.updating import UpdateStep
from charrnn.training.world import World


class Beginning(NamedTuple):
    """Says what a rank needs to compute gradients, and to follow the updates."""

    model: dict[str, Any]
    """The address of the model, see `team.address_of`."""
    dtype: str
    optim: OptimConfig
    plan: Plan


class RankStep(NamedTuple):
    """Holds one rank's part of an update."""

    update: UpdateStep | None
    """What rank 0 did with the gradient before, and all are to do; None where it was dropped, or there is none."""
    pieces: list[Piece]
    """The rows of this rank, of each batch."""
    state: State | None
    """What the rows begin from; None where that is what they left behind."""


class RankWork:
    """Is what one rank does in an update: it has a copy of all parameters, and the state of its own rows."""

    def __init__(self, world: World, gradients: Team | Alone) -> None:
        self.world = world
        self.gradients = gradients
        self.before: State = []
        """The state before the last update."""
        self.state: State = []
        """The state after it."""

    def part(self, wanted: str | None) -> State:
        """Returns the state of our rows before the last update (`before`), after it (`state`), or none of it (None)."""
        return getattr(self, wanted) if wanted else []

    def step(self, step: RankStep) -> float:
        """Computes the gradient of the whole update, and returns its loss; both are the same on all ranks."""
        if step.state is not None:
            self.state = step.state
        self.before = self.state
        loss, self.state = add_up(self.gradients, step.pieces, self.state)
        self.world.add(self.gradients.grads.vector)
        self.gradients.measure()
        return float(np.sum(self.world.all_of(loss)))


def checksum(params: Parameters, slots: dict[str, Array]) -> str:
    """Returns a checksum of the parameters and of what the optimizer keeps: where one bit differs, it is another."""
    digest = hashlib.sha256(np.ascontiguousarray(params.vector).data)
    for name in sorted(slots):
        digest.update(np.ascontiguousarray(slots[name]).data)
    return digest.hexdigest()


def agreed(world: World) -> Callable[[str | None], str | None]:
    """Returns what all ranks call with why their team could not begin, if so: all hear the first reason of any.

    So no rank has a team where one cannot have it: all would wait for the slowest, and a run has one plan.
    """

    def agree(why: str | None) -> str | None:
        failed = [(rank, reason) for rank, reason in enumerate(world.comm.allgather(why)) if reason]
        return f"{world.name_of(failed[0][0])}: {failed[0][1]} on each rank" if failed else None

    return agree
