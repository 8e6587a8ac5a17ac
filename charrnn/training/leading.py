"""Training on several ranks, as rank 0 sees it: it has the batches, and the others compute what it gives them.

To the loop it is one more way to compute a gradient. What became of a gradient, the others hear with the next order: a
step of such a rate, or none. Where they cannot know what happened, as where the run has gone back to a checkpoint, they
are given all numbers anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from charrnn import advice, cores
from charrnn.arrays import Batch
from charrnn.config.schema import Config
from charrnn.cores import Plan
from charrnn.errors import CharrnnError, ConfigError, OutputError
from charrnn.files import Warn
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.runs.run import Run
from charrnn.training import resuming, sharing
from charrnn.training.portion import Portion
from charrnn.training.sharing import Beginning, Fate, OfPortion, RankStep, RankWork, checksum
from charrnn.training.team import address_of
from charrnn.training.world import Order, World

CHECK_EVERY = 100
"""Iterations between two comparisons of the parameters of all ranks, beside those whenever the run is saved."""


class RanksDifferError(CharrnnError):
    """Says that a rank has other parameters than rank 0: a machine computed wrong, or otherwise."""

    exit_code = 6


class Standing(NamedTuple):
    """Tells what a run has done with its gradients, as far as it can be seen from outside."""

    iteration: int
    skipped: int
    rollbacks: int

    @classmethod
    def of(cls, run: Run) -> Standing:
        """Returns where a run stands."""
        return cls(run.iteration, run.skipped, run.rollbacks)

    def after(self, skipped: bool) -> Standing:
        """Returns where it stands one batch later."""
        return self._replace(iteration=self.iteration + 1, skipped=self.skipped + skipped)


class Leader:
    """Computes the gradients of a run with all ranks."""

    def __init__(self, world: World, run: Run, place: Path, plan: Plan, compute: OfPortion) -> None:
        """`place` is the directory of the run, `plan` how each rank shares its rows among its cores.

        `compute` is what this one does with its own.
        """
        self.world = world
        self.run = run
        self.place = place
        self.work = RankWork(world, run.params, compute)
        self._state: State | None = None
        """The state of all rows, as the run has it. Between two calls of `collect`, what is in it is of the past."""
        self._known: Standing | None = None
        """Where the run stood when the others last heard of it; None before they have any numbers."""
        self._pending = False
        """Whether there is a gradient since, of which they do not know what became."""
        world.busy = True
        world.give(Order.BEGIN)
        world.comm.bcast(Beginning(address_of(run.model), run.params.vector.dtype.str, run.config.optim, plan))
        world.busy = False

    def gradients(self, batch: Batch, state: State, grads: Parameters, seed: int) -> tuple[float, State]:
        """Returns the loss of a batch and the state after it; writes the gradients to `grads`.

        The state is only a name for that which the ranks have: `collect` makes it true.
        """
        run, world = self.run, self.world
        if self._known and self._known.iteration != run.iteration and run.iteration % CHECK_EVERY == 0:
            self._compare(with_state=False)
        fate = self._fate()
        world.busy = True
        is_new = batch.starts is not None and state is not self._state
        steps = [self._step(rank, fate, batch, state if is_new else None, seed) for rank in range(world.size)]
        world.give(Order.STEP)
        loss = self.work.step(world.comm.scatter(steps), grads)
        world.busy = False
        self._pending = True
        if is_new:
            self._state = [{name: array.copy() for name, array in entry.items()} for entry in state]
        return loss, state if batch.starts is None or self._state is None else self._state

    def collect(self) -> None:
        """Brings the state of the run up to date, and makes sure that all ranks have its parameters.

        Raises RanksDifferError where one has others.
        """
        if self._known is not None:
            self._compare(with_state=True)

    def _step(self, rank: int, fate: Fate | None, batch: Batch, state: State | None, seed: int) -> RankStep:
        rows = self.world.rows(batch.num_rows, rank)
        portion = Portion(rows.start, batch.num_rows, batch.answers)
        return RankStep(fate, batch.rows(rows), portion, seed, None if state is None else _rows(state, rows))

    def _fate(self) -> Fate | None:
        """Returns what became of the last gradient, and hands out all numbers where that does not tell."""
        run, before, now = self.run, self._known, Standing.of(self.run)
        if now == before:
            return None
        pending, self._pending, self._known = self._pending, False, now
        if before and pending and now == before.after(skipped=True):
            return None
        if before and pending and now == before.after(skipped=False):
            assert run.grad_norm is not None
            return Fate(run.learning_rate, run.grad_norm)
        self.world.busy = True
        self.world.give(Order.LOAD)
        self.world.comm.bcast((run.params.vector, run.slots))
        self.world.busy = False
        self._state = None
        return None

    def _compare(self, with_state: bool) -> None:
        run, world = self.run, self.world
        if world.busy:
            raise OutputError("the other ranks are still in the middle of an update")
        fate = self._fate()
        world.busy = True
        world.give(Order.COLLECT)
        wanted = ("before" if self._pending else "state") if with_state else None
        world.comm.bcast((fate, wanted))
        found = world.comm.gather((self.work.part(wanted), checksum(run.params, run.slots)))
        world.busy = False
        for rank, (state, sum_of_rank) in enumerate(found):
            if sum_of_rank != found[0][1]:
                raise RanksDifferError(
                    f"the parameters of {world.name_of(rank)} are not those of rank 0 at iteration {run.iteration:,}: "
                    f"one of the two computes wrong; what was saved before is whole, and goes on without that machine "
                    f"with: {resuming.command(run, self.place)}"
                )
            if with_state and self._state is run.state and len(state) == len(run.state):
                for mine, theirs in zip(run.state, state, strict=True):
                    for name, array in theirs.items():
                        mine[name][world.rows(len(mine[name]), rank)] = array


def _rows(state: State, rows: slice) -> State:
    return [{name: array[rows].copy() for name, array in entry.items()} for entry in state]


@contextmanager
def lead(world: World, run: Run, place: Path, plan: Plan, warn: Warn) -> Iterator[Leader]:
    """Yields what computes the gradients of a run with all ranks; `plan` is how each shares its rows among its cores.

    `place` is the directory of the run. `run.params` may move into memory that the processes of this rank share.
    """
    with sharing.of_portions(run.model, run.params, plan, warn) as (run.params, compute):
        yield Leader(world, run, place, plan, compute)


def plan(run: Run, world: World) -> Plan:
    """Returns how each rank shares its rows among its cores. Raises ConfigError where ranks cannot share the work."""
    refuse(run.config, world)
    train, model = run.config.train, run.model
    rows = -(-train.batch_size // world.size)
    work = 6 * train.seq_length * rows * model.num_parameters
    return cores.plan(work, rows, model.step_product, train.threads or world.cores_each())._replace(ranks=world.size)


def refuse(config: Config, world: World) -> None:
    """Raises ConfigError for what ranks cannot share."""
    if config.train.gradient == "rtrl":
        raise ConfigError(
            f"train.gradient: rtrl is for one process, and {world.size} ranks were started; "
            f"leave the launcher out, or use {advice.setting('train.gradient', 'bptt')}"
        )
