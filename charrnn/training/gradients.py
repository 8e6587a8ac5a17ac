"""What computes the gradient of a batch, and makes the update by it; chosen once for a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from charrnn import system
from charrnn.arrays import Batch
from charrnn.cores import Plan
from charrnn.files import Warn
from charrnn.nn.parameters import Parameters
from charrnn.nn.rtrl import Sensitivity
from charrnn.nn.stack import State
from charrnn.optim import OPTIMIZERS
from charrnn.optim.clipping import norm
from charrnn.optim.optimizers import Slots
from charrnn.optim.options import OptimConfig
from charrnn.runs.run import Run
from charrnn.tasks.base import Model
from charrnn.training.accumulation import Piece, add_up, pieces_of
from charrnn.training.portion import Portion
from charrnn.training.team import LostWorkerError, Team
from charrnn.training.updating import Updater, UpdateStep


class Gradients(Protocol):
    """Computes gradients, and makes updates by them."""

    grads: Parameters
    """The gradient, once it is computed, until the update."""

    def compute(self, batches: Sequence[Batch], state: State, seeds: Sequence[int]) -> tuple[float, State]:
        """Returns the loss of an update's batches, in nats per answer, and the state after them.

        The gradient is in `grads`. `state` is the one before them, and `seeds` those of the noise of each.
        """

    def norm(self) -> float:
        """Returns the global norm of the gradient."""

    def update(self, step: UpdateStep) -> None:
        """Updates the parameters, what the optimizer keeps, and the average."""


@contextmanager
def choose(run: Run, plan: Plan, warn: Warn = lambda message: None) -> Iterator[Gradients]:
    """Yields what computes the gradients of a run: this process, a team of them, or real-time recurrent learning.

    A team moves the parameters of `run`, and what belongs to them, into memory that its processes share. Where it
    cannot begin, as the system allows no more processes or files, `warn` is told, and this process computes alone.
    """
    given = given_by(run)
    if run.config.train.gradient == "rtrl":
        sensitivity = Sensitivity(run.model, run.slots["sensitivity"])  # type: ignore[arg-type]
        yield Alone(*given, compute=_scaled(sensitivity.gradients(run.params)))
        return
    with team_or_alone(*given, plan, warn) as found:
        move_in(run, found, plan)
        yield found


def alone(run: Run) -> Alone:
    """Returns what computes the gradients of a run in this process, by backpropagation through the batch."""
    return Alone(*given_by(run))


def given_by(run: Run) -> tuple[Model, OptimConfig, Parameters, Slots, Parameters | None]:
    """Returns what of a run is needed to compute gradients and to make updates."""
    return run.model, run.config.optim, run.params, run.slots, run.average


def move_in(run: Run, found: Team | Alone, plan: Plan) -> None:
    """Lets a run have its numbers where they are computed from now on; notes if that is not as planned."""
    if plan.processes > 1 and isinstance(found, Alone):
        run.environment |= {"cores": str(plan._replace(rows=1, units=1))}
    run.params, run.slots, run.average = found.params, found.slots, found.average


@contextmanager
def team_or_alone(
    model: Model,
    optim: OptimConfig,
    params: Parameters,
    slots: Slots,
    average: Parameters | None,
    plan: Plan,
    warn: Warn = lambda message: None,
    agree: Callable[[str | None], str | None] = lambda why: why,
) -> Iterator[Team | Alone]:
    """Yields a team where a plan has one and it can begin, and else what computes in this process.

    `agree` is called with why the team cannot begin, or None; there is one where it returns None too.
    """
    team, why = None, None
    if plan.processes > 1:
        try:
            team = Team(model, plan, optim, params, slots, average)
        except (OSError, LostWorkerError) as error:
            why = f"{system.explain(error) or error}; training goes on in one process"
    if (why := agree(why)) is not None:
        warn(why)
        if team is not None:
            team.close()
            team = None
    if team is None:
        yield Alone(model, optim, params, slots, average)
        return
    try:
        yield team
    finally:
        team.close()


Compute = Callable[[Batch, State, Parameters, int, Portion], tuple[float, State]]
"""Computes a gradient: of a batch, the state before it, where to write the gradients, the seed of the noise, and of
what the batch is a portion. Returns its share of the loss, and the state after it."""


def _scaled(whole: Callable[[Batch, State, Parameters, int], tuple[float, State]]) -> Compute:
    """Returns what computes the gradients of whole batches, as those of portions of an update."""

    def compute(batch: Batch, state: State, grads: Parameters, seed: int, portion: Portion) -> tuple[float, State]:
        loss, after = whole(batch, state, grads, seed)
        share = batch.answers / portion.answers
        grads.vector *= share
        return loss * share, after

    return compute


class Alone:
    """Computes gradients and makes updates in this process, by backpropagation through the batch or as it is told."""

    def __init__(
        self,
        model: Model,
        optim: OptimConfig,
        params: Parameters,
        slots: Slots,
        average: Parameters | None = None,
        *,
        compute: Compute | None = None,
    ) -> None:
        self.model, self.params, self.slots, self.average = model, params, slots, average
        self.grads = Parameters.zeros(params.shapes, params.vector.dtype)
        vectors = [slots[name] for name in OPTIMIZERS[optim.name].slots]
        self._updater = Updater(optim, params, self.grads.vector, vectors, None if average is None else average.vector)
        self._compute = compute

    def compute(self, batches: Sequence[Batch], state: State, seeds: Sequence[int]) -> tuple[float, State]:
        """Returns the loss of an update's batches and the state after them; writes the gradient to `grads`."""
        return add_up(self, pieces_of(batches, seeds), state)

    def compute_piece(self, piece: Piece, state: State) -> tuple[float, State]:
        """Returns the loss of a piece of an update and the state after it; writes its gradient to `grads`."""
        batch, portion, seed = piece
        if self._compute is not None:
            return self._compute(batch, state, self.grads, seed, portion)
        if not batch.num_rows:  # there are more ranks than rows
            self.grads.vector[...] = 0
            return 0.0, state
        dtype, given = self.params.vector.dtype, (self.params, batch, state, self.grads)
        noise = portion.noise(self.model, seed, batch, dtype, slice(0, batch.num_rows))
        return self.model.loss_and_grads(*given, noise, count=portion.answers)

    def norm(self) -> float:
        """Returns the norm of the gradient."""
        return norm(self.grads.vector)

    measure = norm

    def update(self, step: UpdateStep) -> None:
        """Makes an update of the parameters by the gradient, and uses that up."""
        if "count" in self.slots:
            self.slots["count"][0] = step.made + 1
        self._updater.update(step)
