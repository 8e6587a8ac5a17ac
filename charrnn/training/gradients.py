"""What computes the gradient of a batch. It is chosen once for a run, and the loop knows one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from charrnn import system
from charrnn.arrays import Batch
from charrnn.cores import Plan
from charrnn.files import Warn
from charrnn.nn.parameters import Parameters
from charrnn.nn.rtrl import Sensitivity
from charrnn.nn.stack import State
from charrnn.runs.run import Run
from charrnn.tasks.base import Model
from charrnn.training.team import LostWorkerError, Team

Gradients = Callable[[Batch, State, Parameters, int], tuple[float, State]]
"""Computes a gradient: of a batch, the state before it, where to write the gradients, and the seed of the noise.

Returns the loss, in nats per answer, and the state after the batch."""


@contextmanager
def choose(run: Run, plan: Plan, warn: Warn = lambda message: None) -> Iterator[Gradients]:
    """Yields what computes the gradients of a run: this process, a team of them, or real-time recurrent learning.

    A team moves `run.params` into memory that its processes share. Where it cannot begin, as the system allows no more
    processes or files, `warn` is told, and this process computes alone.
    """
    if run.config.train.gradient == "rtrl":
        yield Sensitivity(run.model, run.slots["sensitivity"]).gradients(run.params)  # type: ignore[arg-type]
    elif (team := begin_team(run.model, run.params, plan, warn)) is None:
        if plan.processes > 1:
            run.environment |= {"cores": str(plan._replace(processes=1))}
        yield backpropagation(run)
    else:
        run.params = team.params
        try:
            yield team.loss_and_grads
        finally:
            team.close()


def begin_team(model: Model, params: Parameters, plan: Plan, warn: Warn) -> Team | None:
    """Returns a team where a plan has one and it can begin."""
    if plan.processes == 1:
        return None
    try:
        return Team(model, params, plan.processes)
    except (OSError, LostWorkerError) as error:
        warn(f"{system.explain(error) or error}; training goes on in one process")
        return None


def backpropagation(run: Run) -> Gradients:
    """Returns what computes gradients in this process, by backpropagation through the batch."""

    def compute(batch: Batch, state: State, grads: Parameters, seed: int) -> tuple[float, State]:
        noise = run.model.noise_of_seed(seed, batch, run.params.vector.dtype)
        return run.model.loss_and_grads(run.params, batch, state, grads, noise)

    return compute
