"""Training on several ranks, as rank 0 sees it: it has the batches, and the others compute what it gives them.

To the loop it is one more way to compute a gradient. What became of a gradient, the others hear with the next order: a
step of such a rate, or none. Where they cannot know what happened, as where the run has gone back to a checkpoint, they
are given all numbers anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from charrnn import advice
from charrnn.arrays import Batch
from charrnn.config.schema import Config
from charrnn.cores import Plan
from charrnn.errors import CharrnnError, ConfigError, OutputError
from charrnn.files import Warn
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.nn.stack import State
from charrnn.runs.run import Run
from charrnn.tasks.base import Scores
from charrnn.training import gradients, layouts, resuming, sharing
from charrnn.training.accumulation import Piece, pieces_of
from charrnn.training.gradients import Alone
from charrnn.training.judging_together import RankJudge, Share
from charrnn.training.sharing import Beginning, RankStep, RankWork, checksum
from charrnn.training.team import Team, address_of
from charrnn.training.updating import UpdateStep
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

    def __init__(self, world: World, run: Run, place: Path, own: Team | Alone) -> None:
        """`place` is the directory of the run, `own` what computes the gradients of the rows of this rank."""
        self.world = world
        self.run = run
        self.place = place
        self.own, self.grads = own, own.grads
        self.work = RankWork(world, own)
        self._update: UpdateStep | None = None
        """What was done with the last gradient."""
        self._judge = RankJudge(world, run.model, run.params)
        self._judged: object = None
        """The part of which the others have their pieces."""
        self._state: State | None = None
        """The state of all rows, as the run has it. Between two calls of `collect`, what is in it is of the past."""
        self._known: Standing | None = None
        """Where the run stood when the others last heard of it; None before they have any numbers."""
        self._pending = False
        """Whether there is a gradient since, of which they do not know what became."""

    def norm(self) -> float:
        """Returns the norm of the gradient."""
        return self.own.norm()

    def update(self, step: UpdateStep) -> None:
        """Makes an update by the gradient; the other ranks make it when they next hear of us."""
        self._update = step
        self.own.update(step)

    def compute(self, batches: Sequence[Batch], state: State, seeds: Sequence[int]) -> tuple[float, State]:
        """Returns the loss of an update and the state after its batches; writes the gradients to `grads`.

        The state is only a name for that which the ranks have: `collect` makes it true.
        """
        run, world = self.run, self.world
        if self._known and self._known.iteration != run.iteration and run.iteration % CHECK_EVERY == 0:
            self._compare(with_state=False)
        update = self._made()
        world.busy = True
        carries = any(batch.starts is not None for batch in batches)
        is_new = carries and state is not self._state
        whole = pieces_of(batches, seeds)
        steps = [self._step(rank, update, whole, state if is_new else None) for rank in range(world.size)]
        world.give(Order.STEP)
        loss = self.work.step(world.comm.scatter(steps))
        world.busy = False
        self._pending = True
        if is_new:
            self._state = [{name: array.copy() for name, array in entry.items()} for entry in state]
        return loss, self._state if carries and self._state is not None else state

    def collect(self) -> None:
        """Brings the state of the run up to date, and makes sure that all ranks have its parameters.

        Raises RanksDifferError where one has others.
        """
        if self._known is not None:
            self._compare(with_state=True)

    def judge(self, part: Any, stop: Callable[[], bool]) -> Scores:
        """Returns how good the run's weights are on a part, of which each rank judges a piece where the task has such.

        Raises EvaluationStopped once `stop()` is true.
        """
        run, world = self.run, self.world
        if "pieces" not in run.task.abilities:
            return run.task.judge(run.model, run.weights, part, stop)
        task: Any = run.task
        update = self._made()
        shares = None if self._judged is part else [Share(task, piece) for piece in task.pieces(part, world.size)]
        world.busy = True
        world.give(Order.JUDGE)
        world.comm.bcast(update)
        tally = self._judge.lead(None if run.average is None else run.average.vector, shares, stop)
        world.busy = False
        self._judged = part
        if tally is None:
            raise EvaluationStopped
        scores: Scores = task.scores_of(tally, part)
        return scores

    def _step(self, rank: int, update: UpdateStep | None, whole: Sequence[Piece], state: State | None) -> RankStep:
        """Returns what one rank has to do for an update, of which `whole` is all."""
        pieces = []
        for batch, portion, seed in whole:
            rows = self.world.rows(batch.num_rows, rank)
            pieces.append(Piece(batch.rows(rows), portion._replace(start=rows.start), seed))
        if state is not None:
            state = _rows(state, self.world.rows(self.run.config.train.batch_size, rank))
        return RankStep(update, pieces, state)

    def _made(self) -> UpdateStep | None:
        """Returns the update since the others last heard of us; hands out all numbers where it was not one update."""
        run, before, now = self.run, self._known, Standing.of(self.run)
        if now == before:
            return None
        pending, self._pending, self._known = self._pending, False, now
        if before and pending and now == before.after(skipped=True):
            return None
        if before and pending and now == before.after(skipped=False):
            return self._update
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
        update = self._made()
        world.busy = True
        world.give(Order.COLLECT)
        wanted = ("before" if self._pending else "state") if with_state else None
        world.comm.bcast((update, wanted))
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
    world.busy = True
    world.give(Order.BEGIN)
    world.comm.bcast(Beginning(address_of(run.model), run.params.vector.dtype.str, run.config.optim, plan))
    given, agree = gradients.given_by(run), sharing.agreed(world)
    with gradients.team_or_alone(*given, plan, warn, agree) as own:
        world.busy = False
        gradients.move_in(run, own, plan)
        yield Leader(world, run, place, own)


def plan(run: Run, world: World) -> Plan:
    """Returns how each rank shares its rows among its cores. Raises ConfigError where ranks cannot share the work."""
    refuse(run.config, world)
    rows = -(-run.config.train.batch_size // world.size)
    most = run.config.train.threads or world.cores_each()
    return layouts.choose(run, rows, most)._replace(ranks=world.size)


def refuse(config: Config, world: World) -> None:
    """Raises ConfigError for what ranks cannot share."""
    if config.train.gradient == "rtrl":
        raise ConfigError(
            f"train.gradient: rtrl is for one process, and {world.size} ranks were started; "
            f"leave the launcher out, or use {advice.setting('train.gradient', 'bptt')}"
        )
