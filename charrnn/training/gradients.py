"""What computes the gradient of a batch, and makes the update by it; chosen once for a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from charrnn.training.portion import Portion
from charrnn.training.team import LostWorkerError, Team
from charrnn.training.updating import Step, Updater


class Gradients(Protocol):
    """Computes gradients, and makes updates by them."""

    grads: Parameters
    """The gradient, once it is computed, until the update."""

    def compute(self, batch: Batch, state: State, seed: int) -> tuple[float, State]:
        """Returns the loss of a batch, in nats per answer, and the state after it; the gradient is in `grads`.

        `state` is the one before it, and `seed` that of its noise.
        """

    def norm(self) -> float:
        """Returns the global norm of the gradient."""

    def update(self, step: Step) -> None:
        """Updates the parameters, what the optimizer keeps, and the average."""


@contextmanager
def choose(run: Run, plan: Plan, warn: Warn = lambda message: None) -> Iterator[Gradients]:
    """Yields what computes the gradients of a run: this process, a team of them, or real-time recurrent learning.

    A team moves the parameters of `run`, and what belongs to them, into memory that its processes share. Where it
    cannot begin, as the system allows no more processes or files, `warn` is told, and this process computes alone.
    """
    given = run.model, run.config.optim, run.params, run.slots, run.average
    if run.config.train.gradient == "rtrl":
        sensitivity = Sensitivity(run.model, run.slots["sensitivity"])  # type: ignore[arg-type]
        yield Alone(*given, compute=sensitivity.gradients(run.params))
        return
    with team_or_alone(*given, plan, warn) as found:
        if plan.processes > 1 and isinstance(found, Alone):
            run.environment |= {"cores": str(plan._replace(rows=1, units=1))}
        run.params, run.slots, run.average = found.params, found.slots, found.average
        yield found


@contextmanager
def team_or_alone(
    model: Model,
    optim: OptimConfig,
    params: Parameters,
    slots: Slots,
    average: Parameters | None,
    plan: Plan,
    warn: Warn = lambda message: None,
) -> Iterator[Team | Alone]:
    """Yields a team where a plan has one and it can begin, and else what computes in this process."""
    team = None
    if plan.processes > 1:
        try:
            team = Team(model, plan, optim, params, slots, average)
        except (OSError, LostWorkerError) as error:
            warn(f"{system.explain(error) or error}; training goes on in one process")
    if team is None:
        yield Alone(model, optim, params, slots, average)
        return
    try:
        yield team
    finally:
        team.close()


Compute = Callable[[Batch, State, Parameters, int], tuple[float, State]]
"""Computes a gradient: of a batch, the state before it, where to write the gradients, and the seed of the noise."""


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

    def compute(self, batch: Batch, state: State, seed: int, portion: Portion | None = None) -> tuple[float, State]:
        """Returns the loss of a batch and the state after it; writes the gradients to `grads`.

        `seed` is that of the noise of the whole batch, of which this one is a `portion`.
        """
        if self._compute is not None:
            return self._compute(batch, state, self.grads, seed)
        if not batch.num_rows:  # there are more ranks than rows
            self.grads.vector[...] = 0
            return 0.0, state
        portion = portion or Portion.whole(batch)
        noise = portion.noise(self.model, seed, batch, self.params.vector.dtype, slice(0, batch.num_rows))
        return self.model.loss_and_grads(self.params, batch, state, self.grads, noise, count=portion.answers)

    def norm(self) -> float:
        """Returns the norm of the gradient."""
        return norm(self.grads.vector)

    measure = norm

    def update(self, step: Step) -> None:
        """Makes an update of the parameters by the gradient, and uses that up."""
        if "count" in self.slots:
            self.slots["count"][0] = step.made + 1
        self._updater.update(step)
