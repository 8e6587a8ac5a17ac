"""What each process of a team does with a batch: some of the rows, and of these rows some of the units.

The processes stand in a grid. Those of one *group* share some rows of the batch, and among them the units of the
network (`charrnn.nn.tensor_parallel`). The gradients of the groups are added, each process a part of the flat
vector; then the same process makes the update of this part. So nothing is left to one while the others wait.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple, Self

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.cores import Plan
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.partner import Partner
from charrnn.nn.stack import State
from charrnn.nn.tensor_parallel import Section
from charrnn.optim.blocks import blocks
from charrnn.optim.options import OptimConfig
from charrnn.tasks.base import Model
from charrnn.training.meeting import Meeting
from charrnn.training.portion import Portion
from charrnn.training.shared_memory import ArrayLayout, SharedMemory
from charrnn.training.updating import Updater, UpdateStep


class TeamOrder(IntEnum):
    """Says what all processes are to do."""

    COMPUTE = 1
    """The gradient of a batch."""
    MEASURE = 2
    """The norm of the gradient, where it was changed since."""
    UPDATE = 3
    """An update by the gradient."""


class Fixed(NamedTuple):
    """Holds the arrays that stay for the life of a team; N is the number of parameters."""

    params: Array
    """The parameters, (N,)."""
    slots: Array
    """What the optimizer keeps for each of them: (number of slots, N)."""
    average: Array
    """Their average, (N,); (0,) where none is kept."""
    grads: Array
    """The gradient of each group: (groups, N). That of all becomes the first."""
    losses: Array
    """The loss of each process: (processes,)."""
    squares: Array
    """The sum of the squares of the gradient, in the part of each process: (processes,)."""
    order: Array
    """What is to be done, an `TeamOrder`; and whether the arrays of the batch are laid out anew: (2,)."""
    seed: Array
    """The seed of the batch's noise: (1,)."""
    portion: Array
    """What the batch is a part of, a `Portion`: (3,)."""
    step: Array
    """The `UpdateStep` of the update, (4,)."""
    arrivals: Array
    """The meeting of all, see `Meeting.layout`."""
    group_arrivals: Array
    """The meetings of the groups: of each process, how often it has come to that of its own."""

    @classmethod
    def of(cls, arrays: list[Any]) -> Self:
        """Returns the arrays of `layout` under their names."""
        return cls(*arrays)

    @classmethod
    def layout(cls, count: int, slots: int, averages: bool, plan: Plan, dtype: str) -> list[ArrayLayout]:
        """Returns the shapes and types of the arrays, for `count` parameters."""
        counters = Meeting.layout(plan.processes)
        return [
            ((count,), dtype), ((slots, count), dtype), ((count * averages,), dtype), ((plan.rows, count), dtype),
            ((plan.processes,), "<f8"), ((plan.processes,), "<f8"), ((2,), "<i8"), ((1,), "<u8"), ((3,), "<f8"),
            ((4,), "<f8"), counters, counters,
        ]  # fmt: skip


class Message(NamedTuple):
    """Holds the arrays of one batch: itself, and the state that it begins from, which becomes that after it."""

    batch: Batch
    state: State

    def arrays(self) -> list[Array | None]:
        """Returns all arrays in the order that `of` takes them in."""
        return [*self.batch, *(array for entry in self.state for array in entry.values())]

    @classmethod
    def of(cls, arrays: list[Array | None], names: list[list[str]]) -> Self:
        """Returns the message whose `arrays()` these are; `names` are those of the entries of its state."""
        found: Any = iter(arrays)
        batch = Batch(*itertools.islice(found, len(Batch._fields)))
        return cls(batch, [{name: next(found) for name in entry} for entry in names])


class TeamWork:
    """Is what one process of a team does, whenever all do it."""

    def __init__(
        self,
        model: Model,
        optim: OptimConfig,
        fixed: Fixed,
        plan: Plan,
        process: int,
        *,
        shared: list[SharedMemory],
        check: Callable[[], None],
    ) -> None:
        """`shared` is memory for each group, and `check` what raises where there is nobody to wait for any more."""
        self.model, self.fixed, self.plan, self.process = model, fixed, plan, process
        self.group, unit = divmod(process, plan.units)
        self.params = Parameters(model.shapes, fixed.params)
        self.grads = Parameters(model.shapes, fixed.grads[self.group])
        self.meeting = Meeting(fixed.arrivals, process, check)
        self.section: Section | None = None
        if plan.units > 1:
            mates = slice(self.group * plan.units, (self.group + 1) * plan.units)
            meeting = Meeting(fixed.group_arrivals[mates], unit, check)
            member = Partner(unit, plan.units, meeting.meet, shared[self.group].arrays)
            assert isinstance(model, CharLM), "the plan splits units where the network says that they can be"
            self.section = Section(model, self.params, self.grads, member)
        count = len(fixed.params)
        self.part = slice(count * process // plan.processes, count * (process + 1) // plan.processes)
        average = fixed.average if len(fixed.average) else None
        self.updater = Updater(optim, self.params, fixed.grads[0], list(fixed.slots), average, self.part)

    def do(self, message: Message) -> None:
        """Does what is ordered; returns once all have."""
        order = TeamOrder(int(self.fixed.order[0]))
        if order == TeamOrder.COMPUTE:
            self._compute(message)
            if self.plan.rows > 1:
                self.meeting.meet()
                self._add()
            elif self.section:
                self.meeting.meet()  # our part of the vector is not what we have written
        if order in (TeamOrder.COMPUTE, TeamOrder.MEASURE):
            self._measure()
        if order == TeamOrder.UPDATE:
            rate, norm, count, number = self.fixed.step.tolist()
            self.updater.update(UpdateStep(rate, norm, int(count), int(number)))
        self.meeting.meet()

    def _compute(self, message: Message) -> None:
        """Writes our loss and gradient, and our part of the state after the batch, into the memory."""
        batch, groups = message.batch, self.plan.rows
        B = batch.num_rows
        rows = slice(B * self.group // groups, B * (self.group + 1) // groups)  # as equal as can be
        if rows.start == rows.stop:  # long items make batches of few rows
            self.fixed.losses[self.process] = 0
            if not self.process % self.plan.units:
                self.grads.vector[...] = 0
            return
        start, of, answers = self.fixed.portion.tolist()
        portion, seed = Portion(int(start), int(of), answers), int(self.fixed.seed[0])
        # All processes draw the same noise, and each keeps what is its own.
        noise = portion.noise(self.model, seed, batch, self.params.vector.dtype, rows)
        before = [{name: array[rows] for name, array in entry.items()} for entry in message.state]
        own = slice(None)
        if self.section:
            own = self.section.units
            loss, after = self.section.loss_and_grads(batch.rows(rows), before, noise, answers)
        else:
            given = self.params, batch.rows(rows), before, self.grads, noise
            loss, after = self.model.loss_and_grads(*given, count=answers)
        self.fixed.losses[self.process] = loss
        for old, new in zip(before, after, strict=False):  # there is none before where every row is an item of its own
            for name, array in new.items():
                old[name][:, own] = array

    def _add(self) -> None:
        """Adds up our part of the gradients of all groups, in the order of the rows."""
        first, *others = (gradient[self.part] for gradient in self.fixed.grads)
        for total, *parts in blocks(first, *others):
            for part in parts:
                total += part

    def _measure(self) -> None:
        """Notes the square of the norm of our part of the gradient."""
        total = 0.0
        for (part,) in blocks(self.fixed.grads[0, self.part], dtype=np.float64):
            exact = part.astype(np.float64)
            total += float(np.dot(exact, exact))
        self.fixed.squares[self.process] = total


def norm_of(squares: Array) -> float:
    """Returns the norm of a vector, of whose parts these are the sums of squares."""
    return math.sqrt(float(squares.sum()))
